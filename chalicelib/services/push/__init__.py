"""Pushes: the function that follows the logs, and the connections that it sends events to."""
