"""Price levels: the resting orders of one side of a book, by price and then time.

A side keeps its levels under a key that is larger for a better price (bids: the price; asks: the price negated), in one
ascending list: the best level is the last one, and "crosses" is one comparison for both sides.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import OrderedDict
from collections.abc import Iterator

from chalicelib.domain.books.vocabulary import PlaceOrder
from chalicelib.domain.ledger.amounts import Side
from chalicelib.support.consistency import Inconsistent


class OpenOrder:
    """An order that can still trade, and the terms that it has now.

    placed: the command as it was asked for; never changed, and shared by all events about the order.
    price: limit in quote base units for a whole base asset, None: it takes any. quantity: base units, filled ones too;
    remaining: of these, what is unfilled. hold: what it still holds, base units of the held asset. expires_at_ms: from
    when on it does not trade (R24), None: never.
    """

    __slots__ = ("expires_at_ms", "hold", "placed", "price", "quantity", "remaining")

    def __init__(self, placed: PlaceOrder) -> None:
        self.placed = placed
        self.price = placed.price
        self.quantity = self.remaining = placed.quantity
        self.hold = placed.hold
        self.expires_at_ms = placed.expires_at_ms


class PriceLevel:
    """All resting orders at one price, oldest first, and their total unfilled quantity."""

    __slots__ = ("orders", "price", "quantity")

    def __init__(self, price: int) -> None:
        self.price = price
        self.quantity = 0
        self.orders: OrderedDict[str, OpenOrder] = OrderedDict()


class BookSide:
    """The bids or the asks of a book."""

    __slots__ = ("keys", "levels", "sign")

    def __init__(self, side: Side) -> None:
        self.sign = 1 if side is Side.BUY else -1
        self.keys: list[int] = []
        self.levels: dict[int, PriceLevel] = {}

    def rest(self, order: OpenOrder, price: int) -> None:
        """Put the order behind all others at this price."""
        key = self.sign * price
        level = self.levels.get(key)
        if level is None:
            level = self.levels[key] = PriceLevel(price)
            insort(self.keys, key)
        level.orders[order.placed.order_id] = order
        level.quantity += order.remaining

    def take(self, level: PriceLevel, order: OpenOrder, quantity: int) -> None:
        """Fill a resting order by a quantity; remove it when it is filled, and its level when that is empty."""
        level.quantity -= quantity
        order.remaining -= quantity
        if not order.remaining:
            del level.orders[order.placed.order_id]
            if not level.orders:
                self._drop(level)

    def remove(self, order: OpenOrder) -> None:
        """Take a resting order out of the book, whatever is left of it."""
        if order.price is None:
            raise Inconsistent("an order rests at a price")
        level = self.levels[self.sign * order.price]
        level.quantity -= order.remaining
        del level.orders[order.placed.order_id]
        if not level.orders:
            self._drop(level)

    def _drop(self, level: PriceLevel) -> None:
        key = self.sign * level.price
        del self.levels[key]
        if self.keys[-1] == key:
            self.keys.pop()
        else:
            del self.keys[bisect_left(self.keys, key)]

    def best_first(self) -> Iterator[PriceLevel]:
        """Yield the price levels, best price first."""
        return (self.levels[key] for key in reversed(self.keys))

    def depth(self, levels_max: int) -> list[tuple[int, int]]:
        """Return (price, quantity) of the best levels, best first."""
        return [(self.levels[key].price, self.levels[key].quantity) for key in self.keys[: -levels_max - 1 : -1]]
