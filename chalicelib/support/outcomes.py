"""What became of a write that failed: it did not happen, or nobody knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass


class Unavailable(Exception):
    """DynamoDB took no attempt at the call (throttled, conflicting, out of reach); nothing was changed by it."""


class OutcomeUnknown(Exception):
    """An attempt at a write may have been carried out, and nothing tells whether it was."""
