"""The tape: a book's trades as its journal tells them, and what they come to over a day.

A journal tells of a trade a moment before its money moves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import takewhile

from chalicelib.core.journal import JournalEntry, trade_id
from chalicelib.core.vocabulary import OrderType, Side
from chalicelib.stores.journal import Journal
from chalicelib.stores.keys import TIME_MS_MAX

DAY_MS = 86_400_000


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


@dataclass(frozen=True, slots=True)
class Sum:
    """What trades of one moment, or of a span, come to. Prices, and volumes in base units of either asset."""

    at_ms: int
    first: int
    last: int
    high: int
    low: int
    volume: int
    quote_volume: int
    trades: int


@dataclass(frozen=True, slots=True)
class DayOfBook:
    """What a book traded on the day before a moment: ``total`` is None for nothing. last: the price of its last trade.

    None: it never traded.
    """

    total: Sum | None
    last: int | None


@dataclass(frozen=True, slots=True)
class _Seen:
    """What was read of a book's journal up to a sequence: sums of a day's entries that traded, oldest first."""

    sequence: int
    sums: tuple[Sum, ...]
    last: int | None


class Days:
    """What books traded on the day before now. Remembers sums of entries, so a book's day is read once a process.

    After that a look costs the entries that came since. The first one reads the entries of a day, and goes on to the
    book's last trade where that is older.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._seen: dict[str, _Seen] = {}

    def of_book(self, book: str, now_ms: int) -> DayOfBook:
        """Return what the book traded after ``now_ms`` less 24 hours and not after ``now_ms`` (R34)."""
        seen = self._seen.get(book)
        seen = self._read(book, now_ms - DAY_MS) if seen is None else self._read_on(book, seen, now_ms - DAY_MS)
        self._seen[book] = seen
        return DayOfBook(_total([one for one in seen.sums if one.at_ms <= now_ms]), seen.last)

    def _read(self, book: str, after_ms: int) -> _Seen:
        sequence, last, sums = 0, None, []
        for entry in self._journal.newest_first(book):
            sequence = sequence or entry.sequence
            if entry.at_ms <= after_ms and last is not None:
                break
            trades = trades_of(entry)
            if trades and last is None:
                last = trades[-1].price
            if trades and entry.at_ms > after_ms:
                sums.append(_sum(trades))
        return _Seen(sequence, tuple(reversed(sums)), last)

    def _read_on(self, book: str, seen: _Seen, after_ms: int) -> _Seen:
        sequence, last, sums = seen.sequence, seen.last, [one for one in seen.sums if one.at_ms > after_ms]
        for entry in self._journal.after(book, seen.sequence):
            sequence, trades = entry.sequence, trades_of(entry)
            if trades:
                last = trades[-1].price
            if trades and entry.at_ms > after_ms:
                sums.append(_sum(trades))
        return _Seen(sequence, tuple(sums), last)


def _sum(trades: list[TapeTrade]) -> Sum:
    """Return what an entry's trades come to."""
    prices = [trade.price for trade in trades]
    return Sum(
        trades[0].at_ms,
        prices[0],
        prices[-1],
        max(prices),
        min(prices),
        sum(trade.quantity for trade in trades),
        sum(trade.notional for trade in trades),
        len(trades),
    )


def _total(sums: Iterable[Sum]) -> Sum | None:
    """Return what sums, oldest first, come to together; None for none."""
    parts = list(sums)
    if not parts:
        return None
    return Sum(
        parts[-1].at_ms,
        parts[0].first,
        parts[-1].last,
        max(one.high for one in parts),
        min(one.low for one in parts),
        sum(one.volume for one in parts),
        sum(one.quote_volume for one in parts),
        sum(one.trades for one in parts),
    )
