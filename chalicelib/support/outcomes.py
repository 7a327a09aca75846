"""What became of a write that failed: it did not happen, or nobody knows."""

from __future__ import annotations


class Unavailable(Exception):
    """DynamoDB took no attempt at the call (throttled, conflicting, out of reach); nothing was changed by it."""


class OutcomeUnknown(Exception):
    """An attempt at a write may have been carried out, and nothing tells whether it was."""


class ReceiptExists(Exception):
    """The transaction was refused because the idempotency key has an answer already; nothing was changed."""
