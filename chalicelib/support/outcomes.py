"""Outcomes of a failed write: it did not happen, or it is unknown whether it did."""

from __future__ import annotations


class Unavailable(Exception):
    """DynamoDB accepted no attempt at the call (throttled, conflicting, unreachable); the call changed nothing."""


class OutcomeUnknown(Exception):
    """An attempt at a write may have been carried out, and nothing tells whether it was."""


class ReceiptExists(Exception):
    """The transaction was refused because the idempotency key already has an answer; nothing was changed."""
