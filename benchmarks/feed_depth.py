"""Depths as the subscribers of the feed benchmark rebuild them, and how they are noted."""

from __future__ import annotations

import hashlib
import heapq
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

HASHED_LEVELS = 10


def depth_digest(depth: Mapping[tuple[str, int], int]) -> str:
    """Return a short form of a depth: open quantity by side and price."""
    return hashlib.sha256(repr(sorted(depth.items())).encode()).hexdigest()[:16]


def due_between(passed: int, sequence: int, every: int) -> range:
    """Return the sequences at which a depth is noted, from the one passed on, before an entry's changes are applied."""
    return range(-(-max(passed, 1) // every) * every, sequence, every)


@dataclass(frozen=True, slots=True)
class Market:
    """A book as the trade desk shows it."""

    pair: str
    book_id: str
    base_decimals: int
    quote_decimals: int


class Depth:
    """A book's depth, rebuilt from messages. Levels by side and price in base units; amounts and prices as sent."""

    def __init__(self, market: Market) -> None:
        self.sequence = 0
        self._market = market
        self._levels: dict[str, dict[int, tuple[str, str]]] = {"BUY": {}, "SELL": {}}

    def apply(self, body: Mapping[str, Any]) -> None:
        for side, name in (("BUY", "bids"), ("SELL", "asks")):
            for level in body[name]:
                price = _units(level["price"], self._market.quote_decimals)
                if Decimal(level["amount"]):
                    self._levels[side][price] = level["price"], level["amount"]
                else:
                    self._levels[side].pop(price, None)
        self.sequence = int(body["sequence"])

    def hash(self) -> str:
        """Return the CRC-32 of the best ten bids and asks, as the vendor describes it."""
        bids, asks = self._levels["BUY"], self._levels["SELL"]
        best = [bids[price] for price in heapq.nlargest(HASHED_LEVELS, bids)]
        best += [asks[price] for price in heapq.nsmallest(HASHED_LEVELS, asks)]
        return str(zlib.crc32("".join(text.replace(".", "").lstrip("0") for level in best for text in level).encode()))

    def digest(self) -> str:
        decimals = self._market.base_decimals
        return depth_digest(
            {
                (side, price): _units(amount, decimals)
                for side, levels in self._levels.items()
                for price, (_, amount) in levels.items()
            }
        )


def _units(text: str, decimals: int) -> int:
    return int(Decimal(text).scaleb(decimals))
