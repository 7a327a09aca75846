"""Instances, their keys and tokens, rate limits."""
