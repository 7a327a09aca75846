"""Webhooks: endpoints, and deliveries of events to them."""
