"""The tape: a book's trades as its journal tells them.

A journal tells of a trade a moment before its money moves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import takewhile

from chalicelib.core.journal import JournalEntry, trade_id
from chalicelib.core.vocabulary import OrderType, Side
from chalicelib.stores.journal import Journal
from chalicelib.stores.keys import TIME_MS_MAX


@dataclass(frozen=True, slots=True)
class TapeTrade:
    """One trade, seen from outside: price in quote base units for a whole base asset, amounts in base units."""

    trade_id: str
    at_ms: int
    price: int
    quantity: int
    notional: int
    maker_order_id: str
    taker_order_id: str
    taker_side: Side
    taker_type: OrderType


def trades_newest_first(journal: Journal, book: str, from_ms: int = 0, to_ms: int = TIME_MS_MAX) -> Iterator[TapeTrade]:
    """Yield a book's trades of a span of time, both ends included. Costs the entries that it reads on the way."""
    entries = takewhile(lambda entry: entry.at_ms >= from_ms, journal.newest_first(book, to_ms))
    return (trade for entry in entries for trade in reversed(trades_of(entry)))


def trades_of(entry: JournalEntry) -> list[TapeTrade]:
    """Return the entry's trades as they happened; all that is shown of one stands in its event."""
    return [
        TapeTrade(
            trade_id=trade_id(entry, number),
            at_ms=entry.at_ms,
            price=_amount(event, "price"),
            quantity=_amount(event, "quantity"),
            notional=_amount(event, "notional"),
            maker_order_id=str(event["maker"]),
            taker_order_id=str(event["taker"]),
            taker_side=Side(str(event["takerSide"])),
            taker_type=OrderType(str(event["takerType"])),
        )
        for number, event in enumerate(entry.events)
        if event["type"] == "traded"
    ]


def _amount(event: Mapping[str, object], name: str) -> int:
    return int(str(event[name]))
