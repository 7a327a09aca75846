"""Bring commands back from the inbox that the stream has lost (its records live a day; the inbox keeps seven)."""

from __future__ import annotations

from collections.abc import Iterable

from chalicelib import wiring
from chalicelib.matcher import Delivery, Matcher
from chalicelib.stores.dynamodb import Row
from chalicelib.stores.inbox import Inbox
from chalicelib.stream import delivery_of


def redrive() -> int:
    """Give every command of the inbox to the matcher once more; return how many there were.

    What is decided already is dropped, so this may run at any time, beside the stream too. Raises what a book raises.
    """
    return redrive_rows(wiring.matcher(), Inbox(wiring.database()).all_rows())


def redrive_rows(matcher: Matcher, rows: Iterable[Row]) -> int:
    """Give these inbox rows to the matcher; return how many of them were commands."""
    batches: dict[str, list[Delivery]] = {}
    for row in rows:
        delivery = delivery_of(row, None)
        if delivery is not None:
            batches.setdefault(row["book"], []).append(delivery)
    for book, deliveries in batches.items():
        matcher.process(book, deliveries)
    return sum(map(len, batches.values()))
