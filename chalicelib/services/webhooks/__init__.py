"""Webhooks: events of the feed, posted to endpoints.

``dispatching`` notes a delivery for each event that an endpoint wants. ``delivering`` makes the deliveries of one
endpoint at a time, under a lease. ``sending`` makes one HTTP request, to a public address only. ``endpoints`` is what
operators and merchants do with their endpoints.
"""
