"""Types of events that a reader or an endpoint can name: those that code derives. docs/events.md lists them."""

from __future__ import annotations

from collections.abc import Collection

from chalicelib.domain.books import feed as books
from chalicelib.domain.escrow.lifecycle import CANCELLED, PAYOUT_CREATED, TRANSITIONS, UPDATED
from chalicelib.domain.ledger.feed import BALANCE_CHANGED
from chalicelib.domain.signed.lifecycle import Status
from chalicelib.domain.webhooks.endpoint import matches

BOOK_TYPES = frozenset(books.TYPES)
SIGNED_TYPES = frozenset({*(f"signed_order.{status.value}" for status in Status), "signed_order.cancel_requested"})
LEDGER_TYPES = frozenset({BALANCE_CHANGED})
ESCROW_TYPES = frozenset({UPDATED, CANCELLED, PAYOUT_CREATED, *(step.event for step in TRANSITIONS.values())})
"""What a merchant receives. Its log has the balances of its customers too, which they receive alone."""
INSTANCE_TYPES = BOOK_TYPES | SIGNED_TYPES | LEDGER_TYPES
"""In the feed of an instance (``scopes.of_instance``)."""
ALL_TYPES = INSTANCE_TYPES | ESCROW_TYPES
"""Those that an operator's endpoint receives."""


def unknown(patterns: Collection[str], types: Collection[str]) -> list[str]:
    """Return the patterns (``webhooks.endpoint.TYPE_PATTERN``) that none of these types fits."""
    return [pattern for pattern in patterns if not any(matches(pattern, one) for one in types)]
