"""Protection of a market: the price band of an incoming order (O11), and the circuit breaker's window (O12)."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from chalicelib.domain.books.vocabulary import Protection
from chalicelib.domain.ledger.fees import BPS

if TYPE_CHECKING:
    from chalicelib.domain.books.book import Book

PRICES_ALL = (0, 10**40)
"""The band of a book that has none: every price."""


def band(book: Book, price_band_bps: int) -> tuple[int, int]:
    """Return the lowest and the highest price at which an order that arrives now may trade, both included (O11).

    price_band_bps: 0: no band; nor is there one where the book has no reference.
    """
    reference = book.set_reference
    if reference is None and book.last_trade is not None:
        reference = book.last_trade[0]
    if reference is None or not price_band_bps:
        return PRICES_ALL
    distance = reference * price_band_bps // BPS
    return reference - distance, reference + distance


class Window:
    """The lowest and the highest trade prices of the last seconds.

    Of each second its lowest and its highest price are kept, and of these only the ones that are lower (higher) than
    all later ones, so at most as many as the window has seconds, and the first is the extreme. Times are those of
    journal entries.
    """

    __slots__ = ("highs", "lows")

    def __init__(self) -> None:
        self.lows: deque[tuple[int, int]] = deque()
        self.highs: deque[tuple[int, int]] = deque()
        """(second, price), by second."""

    def add(self, price: int, second: int, window_s: int) -> None:
        """Note a trade, and drop what is older than the window."""
        self.shorten(second, window_s)
        lows, highs = self.lows, self.highs
        while lows and lows[-1][1] >= price:
            lows.pop()
        if not lows or lows[-1][0] != second:
            lows.append((second, price))
        while highs and highs[-1][1] <= price:
            highs.pop()
        if not highs or highs[-1][0] != second:
            highs.append((second, price))

    def shorten(self, second: int, window_s: int) -> None:
        """Drop what is older than the window."""
        for kept in (self.lows, self.highs):
            while kept and kept[0][0] <= second - window_s:
                kept.popleft()

    def extremes(self, second: int, window_s: int) -> tuple[int, int] | None:
        """Return the lowest and the highest price in the window; None: no trade. Changes nothing."""
        low = next((price for at, price in self.lows if at > second - window_s), None)
        high = next((price for at, price in self.highs if at > second - window_s), None)
        return None if low is None or high is None else (low, high)

    def of_second(self, second: int) -> tuple[int, int] | None:
        """Return the lowest and the highest price of a second that is not followed by another; None: no trade."""
        return (self.lows[-1][1], self.highs[-1][1]) if self.lows and self.lows[-1][0] == second else None

    def clear(self) -> None:
        self.lows.clear()
        self.highs.clear()


def calm(window: Window, second: int, protection: Protection) -> tuple[int, int]:
    """Return the lowest and the highest price of a trade that neither halts the book nor changes its window.

    1, 0: any may.
    """
    seen = window.of_second(second)
    extremes = window.extremes(second, protection.halt_window_s)
    if seen is None or extremes is None:
        return 1, 0
    low, high = extremes
    least, most = -(-high * (BPS - protection.halt_bps) // BPS), low * (BPS + protection.halt_bps) // BPS
    return max(seen[0], least), min(seen[1], most)


def is_too_far(price: int, extremes: tuple[int, int] | None, protection: Protection) -> bool:
    """Return whether a trade at this price would lie too far from the window's prices, so that the book halts (O12)."""
    if extremes is None:
        return False
    low, high = extremes
    return price * BPS > low * (BPS + protection.halt_bps) or price * BPS < high * (BPS - protection.halt_bps)
