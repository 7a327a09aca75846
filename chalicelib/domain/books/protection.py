"""Protection of a market: the price band of an incoming order (O11), and the circuit breaker's window (O12)."""

from __future__ import annotations

from collections import deque

from chalicelib.domain.books.vocabulary import Protection
from chalicelib.domain.ledger.fees import BPS

PRICES_ALL = (0, 10**40)
"""The band of a book that has none: every price."""


def band(reference: int | None, price_band_bps: int) -> tuple[int, int]:
    """Return the lowest and the highest price at which an incoming order may trade, both included (O11).

    reference: at the order's turn; None: there is none, so no band either. price_band_bps: 0: no band.
    """
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

    def add(self, price: int, second: int) -> None:
        """Note a trade."""
        lows, highs = self.lows, self.highs
        while lows and lows[-1][1] >= price:
            lows.pop()
        if not lows or lows[-1][0] != second:
            lows.append((second, price))
        while highs and highs[-1][1] <= price:
            highs.pop()
        if not highs or highs[-1][0] != second:
            highs.append((second, price))

    def extremes(self, second: int, window_s: int) -> tuple[int, int] | None:
        """Drop what is older than the window, and return the lowest and the highest price in it; None: no trade."""
        lows, highs = self.lows, self.highs
        while lows and lows[0][0] <= second - window_s:
            lows.popleft()
        while highs and highs[0][0] <= second - window_s:
            highs.popleft()
        return (lows[0][1], highs[0][1]) if lows else None

    def clear(self) -> None:
        self.lows.clear()
        self.highs.clear()


def is_too_far(price: int, extremes: tuple[int, int] | None, protection: Protection) -> bool:
    """Return whether a trade at this price would lie too far from the window's prices, so that the book halts (O12)."""
    if extremes is None:
        return False
    low, high = extremes
    return price * BPS > low * (BPS + protection.halt_bps) or price * BPS < high * (BPS - protection.halt_bps)
