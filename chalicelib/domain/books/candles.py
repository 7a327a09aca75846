"""Candles: a book's trades by minute, hour and day.

``Market`` is the fold of a journal's trades up to an entry: the last price, and the open candle of each period. The
same entries give the same candles, in however many pieces they are folded. The first trade of a later period finishes a
candle: the times of entries never go down, so nothing can be added to it afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from chalicelib.domain.books.events import Event, Traded


class Period(StrEnum):
    """The length of a candle. Candles begin at whole minutes, hours and days of UTC."""

    MINUTE = "1m"
    HOUR = "1h"
    DAY = "1d"

    @property
    def length_ms(self) -> int:
        return _LENGTHS_MS[self]

    def start_of(self, at_ms: int) -> int:
        """Return when the candle begins that this moment is in."""
        return at_ms - at_ms % self.length_ms


_LENGTHS_MS = {Period.MINUTE: 60_000, Period.HOUR: 3_600_000, Period.DAY: 86_400_000}


class Trade(NamedTuple):
    """A trade as candles count it: price in quote base units for a whole base asset, amounts in base units."""

    price: int
    quantity: int
    notional: int


@dataclass(frozen=True, slots=True)
class Candle:
    """First, highest, lowest and last price of a span of time with trades, and their volumes in base units.

    start_ms: when the span begins. Volumes are sums without a bound, and are stored as text.
    """

    start_ms: int
    first: int
    high: int
    low: int
    last: int
    volume: int
    quote_volume: int
    trades: int

    def followed_by(self, later: Candle) -> Candle:
        """Return what both spans come to, the earlier one's beginning as theirs."""
        return Candle(
            self.start_ms,
            self.first,
            max(self.high, later.high),
            min(self.low, later.low),
            later.last,
            self.volume + later.volume,
            self.quote_volume + later.quote_volume,
            self.trades + later.trades,
        )

    def as_data(self) -> list[object]:
        """Return the candle as plain data, amounts as texts; ``candle_of`` takes it back."""
        amounts = self.first, self.high, self.low, self.last, self.volume, self.quote_volume
        return [self.start_ms, *map(str, amounts), self.trades]


Finished = tuple[Period, Candle]


@dataclass(slots=True)
class Market:
    """A book's trades up to the entry with this sequence. last: the price of the last one, None where there is none.

    open: of each period the candle of the last trade.
    """

    sequence: int = 0
    last: int | None = None
    open: dict[Period, Candle] = field(default_factory=dict)

    def fold(self, sequence: int, at_ms: int, trades: Iterable[Trade]) -> list[Finished]:
        """Add the trades of the next entry, of this time; return the candles that are finished with it."""
        self.sequence = sequence
        total = sum_of(at_ms, trades)
        if total is None:
            return []
        self.last = total.last
        finished: list[Finished] = []
        for period in Period:
            start_ms, open_ = period.start_of(at_ms), self.open.get(period)
            if open_ is not None and open_.start_ms == start_ms:
                self.open[period] = open_.followed_by(total)
                continue
            if open_ is not None:
                finished.append((period, open_))
            self.open[period] = _starting(total, start_ms)
        return finished

    def as_data(self) -> dict[str, object]:
        """Return the market as plain data but for its sequence; ``market_of`` takes it back."""
        return {
            "last": None if self.last is None else str(self.last),
            "open": {period.value: candle.as_data() for period, candle in self.open.items()},
        }


def market_of(sequence: int, data: Mapping[str, Any]) -> Market:
    """Return the market that ``Market.as_data`` wrote. KeyError, ValueError or TypeError where it is not complete."""
    last = None if data["last"] is None else int(data["last"])
    return Market(sequence, last, {Period(name): candle_of(candle) for name, candle in data["open"].items()})


def candle_of(data: Iterable[Any]) -> Candle:
    """Return the candle that ``Candle.as_data`` wrote. ValueError or TypeError where it is not complete."""
    return Candle(*map(int, data))


def trades_in(events: Iterable[Event]) -> list[Trade]:
    """Return the trades among an entry's events, as they happened."""
    return [Trade(event.price, event.quantity, event.notional) for event in events if isinstance(event, Traded)]


def sum_of(at_ms: int, trades: Iterable[Trade]) -> Candle | None:
    """Return the candle of trades of one moment; None where there are none."""
    parts = list(trades)
    if not parts:
        return None
    prices = [trade.price for trade in parts]
    return Candle(
        at_ms,
        prices[0],
        max(prices),
        min(prices),
        prices[-1],
        sum(trade.quantity for trade in parts),
        sum(trade.notional for trade in parts),
        len(parts),
    )


def total_of(candles: Iterable[Candle]) -> Candle | None:
    """Return the candle of all these candles, oldest first; None where there are none."""
    total: Candle | None = None
    for candle in candles:
        total = candle if total is None else total.followed_by(candle)
    return total


def _starting(candle: Candle, start_ms: int) -> Candle:
    return Candle(
        start_ms,
        candle.first,
        candle.high,
        candle.low,
        candle.last,
        candle.volume,
        candle.quote_volume,
        candle.trades,
    )
