"""Fees: what a desk keeps of an amount, by one rule; the desks' rates and roundings are data.

| desk | on what | rule |
| --- | --- | --- |
| book | what each side of a trade receives (T43) | ``Fee(bps)`` |
| taker | what is paid for a fill; the taker pays it on top (K33) | ``Fee(bps)`` |
| escrow | what is left of the hold (E25) | parts of ``PERCENT``, whole minor units, at least the agreed value |
"""

from __future__ import annotations

from dataclasses import dataclass

BPS = 10_000
"""A rate in hundredths of a percent is so many parts of this."""


@dataclass(frozen=True, slots=True)
class Fee:
    """A rate: parts out of ``whole``. step: the fee's share is a multiple of it, base units. least: base units."""

    parts: int
    whole: int = BPS
    step: int = 1
    least: int = 0

    def of(self, amount: int) -> int:
        """Return the fee on an amount: its share rounded down, at least ``least``, at most all of it. Base units.

        >>> Fee(25).of(10_000), Fee(25).of(399), Fee(25, step=10, least=7).of(10_000), Fee(0, least=7).of(5)
        (25, 0, 20, 5)
        """
        share = amount * self.parts // self.whole
        return min(amount, max(self.least, share - share % self.step))
