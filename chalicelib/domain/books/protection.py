"""Protection of a market: the price band of an incoming order (O11), and the circuit breaker's window (O12)."""

from __future__ import annotations

from collections import deque

from chalicelib.domain.books.vocabulary import Protection
from chalicelib.domain.ledger.fees import BPS

PRICE_BOUND = 10**40
"""Above every price (T47)."""
CALM_ALL = (0, PRICE_BOUND)
"""The lowest and the highest price where every trade is calm (``Book.calm``)."""
CALM_NONE = (1, 0)
"""The same where no trade is."""


def is_in_band(price: int, reference: int | None, protection: Protection) -> bool:
    """Return whether an order may trade at this price (O11). reference: as it arrived; None: there is no band."""
    bps = protection.price_band_bps
    return not bps or reference is None or abs(price - reference) * BPS <= reference * bps


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


def calm(reference: int | None, window: Window, second: int, protection: Protection) -> tuple[int, int]:
    """Return the lowest and the highest price of trades that meet neither the band nor the breaker, in any order.

    1, 0: any trade may.
    """
    low, high = CALM_ALL
    if protection.price_band_bps:
        if reference is None:
            return CALM_NONE
        # Two prices no farther than this from the reference are each in the other's band, for it is 100 % at most.
        spare = reference * protection.price_band_bps // (4 * BPS)
        low, high = reference - spare, reference + spare
    if protection.halt_bps:
        seen = window.of_second(second)
        extremes = window.extremes(second, protection.halt_window_s)
        if seen is None or extremes is None:
            return CALM_NONE
        least, most = extremes
        low = max(low, seen[0], -(-most * (BPS - protection.halt_bps) // BPS))
        high = min(high, seen[1], least * (BPS + protection.halt_bps) // BPS)
    return low, high


def is_too_far(price: int, extremes: tuple[int, int] | None, protection: Protection) -> bool:
    """Return whether a trade at this price would lie too far from the window's prices, so that the book halts (O12)."""
    if extremes is None:
        return False
    low, high = extremes
    return price * BPS > low * (BPS + protection.halt_bps) or price * BPS < high * (BPS - protection.halt_bps)
