"""Market data: a book's candles, and its trading over the last 24 hours, from a bounded number of rows.

The depth view has the last price and the open candles; finished candles have rows of their own (``tables.candles``).
The view is read first, and rows of candles that are open in the view are skipped, so nothing counts twice even if a
candle is finished between the two reads.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from chalicelib.domain.books.candles import Candle, Period, total_of
from chalicelib.tables.candles import Candles
from chalicelib.tables.depth_views import Depth, DepthViews
from chalicelib.tables.dynamodb import Database

DAY_MS = Period.DAY.length_ms


@dataclass(frozen=True, slots=True)
class DayOfBook:
    """A book's trading in the last 24 hours. total: None if there were no trades.

    last: the price of its last trade ever; None: it never traded. bid, ask: its best prices, if any.
    """

    total: Candle | None
    last: int | None
    bid: int | None = None
    ask: int | None = None


class MarketData:
    def __init__(self, database: Database) -> None:
        self._views = DepthViews(database)
        self._candles = Candles(database)

    def days(self, books: Collection[str], now_ms: int) -> dict[str, DayOfBook]:
        """Return the day (as ``day``) and the best prices of each of these books."""
        return {
            book: replace(
                self.day(book, view, now_ms),
                bid=view.bids[0][0] if view.bids else None,
                ask=view.asks[0][0] if view.asks else None,
            )
            for book, view in self._views.of_each(books).items()
        }

    def day(self, book: str, view: Depth, now_ms: int) -> DayOfBook:
        """Return the book's trading since the start of the minute 24 hours ago (R34).

        view: the book's depth view. Reads no rows if the last trade is older, else 60 minutes and 23 hours at most.
        """
        market, from_ms = view.market, Period.MINUTE.start_of(now_ms - DAY_MS)
        hour, minute = market.open.get(Period.HOUR), market.open.get(Period.MINUTE)
        if hour is None or minute is None or minute.start_ms < from_ms:
            return DayOfBook(None, market.last)
        whole_hours_ms = Period.HOUR.start_of(from_ms + Period.HOUR.length_ms - 1)
        if hour.start_ms < whole_hours_ms:  # all trades are in the hour in which the day begins
            parts = [*self._candles.between(book, Period.MINUTE, from_ms, minute.start_ms), minute]
        else:
            parts = [
                *self._candles.between(book, Period.MINUTE, from_ms, whole_hours_ms),
                *self._candles.between(book, Period.HOUR, whole_hours_ms, hour.start_ms),
                hour,
            ]
        return DayOfBook(total_of(parts), market.last)

    def candles(self, book: str, view: Depth, period: Period, from_ms: int, before_ms: int) -> Iterator[Candle]:
        """Yield the candles that start in [``from_ms``, ``before_ms``), oldest first, the open one too.

        Reads as many rows as it yields. Minutes are kept for eight days, hours for a hundred, days for ever.
        """
        open_ = view.market.open.get(period)
        if open_ is None:
            return
        yield from self._candles.between(book, period, from_ms, min(before_ms, open_.start_ms))
        if from_ms <= open_.start_ms < before_ms:
            yield open_
