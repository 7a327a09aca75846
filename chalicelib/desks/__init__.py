"""Builds the desks over given tables, each with its endpoints and services: one module a desk, imported by its first
request.

In all of them ``counters`` is the same tables by another client, for counting requests, which no answer waits for
(default: ``database``).
"""
