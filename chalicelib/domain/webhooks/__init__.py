"""Rules of webhooks: what an endpoint wants, when a delivery is tried again, how it is signed, where it may go.

``endpoint``: endpoints and deliveries. ``retries``: the schedule. ``signing``: secrets and signatures. ``addresses``:
URLs and IP addresses that may be called.
"""
