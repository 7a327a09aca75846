"""Trade history: a book's trades, read from its journal.

The journal has a trade a moment before its money moves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from chalicelib.domain.books.candles import Period
from chalicelib.domain.books.forms import maker_type_of
from chalicelib.domain.books.journal import JournalEntry, trade_id
from chalicelib.domain.books.vocabulary import OrderType
from chalicelib.domain.ledger.amounts import Side
from chalicelib.support.clock import now_ms
from chalicelib.support.ids import TIME_MS_MAX
from chalicelib.tables.candles import KEPT_MS, Candles
from chalicelib.tables.depth_views import DepthViews
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.journal import Journal

IDLE_ENTRIES_MAX = 100
"""Entries without trades that are read in a row before the candles are asked where the next trade can be."""


@dataclass(frozen=True, slots=True)
class PublicTrade:
    """A trade without its customers. price: quote base units for a whole base asset; amounts: base units.

    taker_type, maker_type: of its orders, as placed (O16).
    """

    trade_id: str
    at_ms: int
    price: int
    quantity: int
    notional: int
    maker_order_id: str
    taker_order_id: str
    taker_side: Side
    taker_type: OrderType
    maker_type: OrderType = OrderType.LIMIT


class TradeHistory:
    """A book's trades, newest first, read from the end of its journal. clock: Unix ms, for which candles are kept."""

    def __init__(self, database: Database, clock: Callable[[], int] = now_ms) -> None:
        self._views = DepthViews(database)
        self._candles = Candles(database)
        self._journal = Journal(database)
        self._clock = clock

    def entries(self, book: str, from_ms: int = 0, to_ms: int = TIME_MS_MAX) -> Iterator[JournalEntry]:
        """Yield the entries with trades of a span of time, both ends included, newest first.

        After ``IDLE_ENTRIES_MAX`` entries without trades, the candles tell how far back the next trade can be, and the
        entries in between are skipped, for some thirty small reads. So the cost depends on the trades shown, not on the
        orders placed and cancelled meanwhile.
        """
        while True:
            idle = 0
            for entry in self._journal.newest_first(book, to_ms):
                if entry.at_ms < from_ms:
                    return
                if any(event["type"] == "traded" for event in entry.events):
                    idle = 0
                    yield entry
                    continue
                idle += 1
                if idle % IDLE_ENTRIES_MAX == 0:
                    last_ms = self._last_trade_until(book, entry.at_ms)
                    if last_ms is None:
                        return
                    if last_ms < entry.at_ms:
                        to_ms = last_ms
                        break
            else:
                return

    def trades(self, book: str, from_ms: int = 0, to_ms: int = TIME_MS_MAX) -> Iterator[PublicTrade]:
        """Yield the trades of a span of time, both ends included, newest first, at the cost of ``entries``."""
        return (trade for entry in self.entries(book, from_ms, to_ms) for trade in reversed(trades_of(entry)))

    def _last_trade_until(self, book: str, at_ms: int) -> int | None:
        """Return a time, at most ``at_ms``, with no trades between the two; None if there are no earlier trades.

        Candles lack unprojected entries, which are fewer than the entries read before this is called.
        """
        market = self._views.of(book).market
        until_ms = at_ms
        for period in Period:
            open_ = market.open.get(period)
            last = open_ if open_ and open_.start_ms <= until_ms else self._candles.newest(book, period, until_ms)
            if last is not None:
                return min(until_ms, last.start_ms + period.length_ms - 1)
            kept_ms = KEPT_MS[period]
            if kept_ms is not None:  # rows of older candles are gone
                until_ms = min(until_ms, self._clock() - kept_ms + period.length_ms - 1)
        return None


def trades_of(entry: JournalEntry) -> list[PublicTrade]:
    """Return the entry's trades in the order in which they happened."""
    return [
        PublicTrade(
            trade_id=trade_id(entry, number),
            at_ms=entry.at_ms,
            price=_amount(event, "price"),
            quantity=_amount(event, "quantity"),
            notional=_amount(event, "notional"),
            maker_order_id=str(event["maker"]),
            taker_order_id=str(event["taker"]),
            taker_side=Side(str(event["takerSide"])),
            taker_type=OrderType(str(event["takerType"])),
            maker_type=OrderType(maker_type_of(event)),
        )
        for number, event in enumerate(entry.events)
        if event["type"] == "traded"
    ]


def _amount(event: Mapping[str, object], name: str) -> int:
    return int(str(event[name]))
