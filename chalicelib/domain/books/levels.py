"""Price levels: the resting orders of one side of a book, by price and then time.

A side keeps its levels under a key that is larger for a better price (bids: the price; asks: the price negated), in one
ascending list: the best level is the last one, and "crosses" is one comparison for both sides.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator

import msgspec

from chalicelib.domain.books.vocabulary import PlaceOrder
from chalicelib.domain.ledger.amounts import Side
from chalicelib.support.consistency import Inconsistent

LEFT_SPARE = 16
"""A level's queue is rebuilt once it exceeds 2 x resting orders + this."""


class OpenOrder(msgspec.Struct, eq=False, gc=False):
    """An order that can still trade.

    placed: the command as it was asked for, with the price and quantity of its last amendment (O8): the order's terms
    of now; shared by all events about the order.
    remaining: what of its quantity is unfilled, base units; 0 once the order has left the book. hold: what it still
    holds, base units of the held asset. hidden: what of the remainder the book does not show; more than 0 for an
    iceberg order alone (O6).
    """

    placed: PlaceOrder
    remaining: int
    hold: int
    hidden: int = 0

    @property
    def price(self) -> int | None:
        """Its limit, quote base units for a whole base asset; None: it takes any."""
        return self.placed.price

    @property
    def quantity(self) -> int:
        """Base units, with what is filled."""
        return self.placed.quantity


def opened(placed: PlaceOrder) -> OpenOrder:
    """Return an order of which nothing is filled."""
    return OpenOrder(placed, placed.quantity, placed.hold)


class PriceLevel:
    """All resting orders at one price, oldest first, their number and the total quantity that they show.

    The queue also holds orders that have left the book, which have nothing remaining; they are skipped, and dropped
    once they outnumber the others. So joining, filling and cancelling take amortised O(1), in a list's memory.
    """

    __slots__ = ("_first", "count", "price", "quantity", "queue")

    def __init__(self, price: int) -> None:
        self.price = price
        self.quantity = 0
        self.count = 0
        self.queue: list[OpenOrder] = []
        self._first = 0
        """Index in the queue before which all orders have left."""

    def __iter__(self) -> Iterator[OpenOrder]:
        return (order for order in self.queue if order.remaining)

    def oldest(self) -> OpenOrder:
        """Return the order that fills first. IndexError: there is none."""
        order = self.queue[self._first]
        while not order.remaining:
            self._first += 1
            order = self.queue[self._first]
        return order

    def drop_left(self) -> None:
        """Rebuild the queue without the orders that have left."""
        self.queue = list(self)
        self._first = 0


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
        level.queue.append(order)
        level.count += 1
        level.quantity += order.remaining - order.hidden

    def take(self, level: PriceLevel, order: OpenOrder, quantity: int) -> None:
        """Fill a resting order by a quantity; remove it when it is filled, and its level when that is empty."""
        level.quantity -= quantity
        order.remaining -= quantity
        if not order.remaining:
            level.count -= 1
            if not level.count:
                self._drop(level)
            elif len(level.queue) > 2 * level.count + LEFT_SPARE:
                level.drop_left()

    def remove(self, order: OpenOrder) -> None:
        """Take a resting order out of the book; nothing remains of it then."""
        price = order.placed.price
        if price is None:
            raise Inconsistent("an order rests at a price")
        level = self.levels[self.sign * price]
        level.quantity += order.hidden
        order.hidden = 0
        self.take(level, order, order.remaining)

    def show(self, order: OpenOrder, shown: int) -> None:
        """Show so much of a resting order, at its place."""
        if order.price is None:
            raise Inconsistent("an order rests at a price")
        hidden = order.remaining - shown
        self.levels[self.sign * order.price].quantity += order.hidden - hidden
        order.hidden = hidden

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
