"""Parked orders: which of them a trade satisfies, and the queue in which they are then decided (O1 to O5).

Each side keeps one heap of stop prices, for STOP_LIMIT orders and groups of TRAILING orders together. Both sides are
one code: a price counts by its *key*, the price for BUY and the price negated for SELL. So an order is satisfied by a
trade whose key is at least its stop's, and a reference is the least key since the order's turn.

TRAILING orders with one reference share a group. A trade below a group's reference lowers it, and groups whose
references become equal merge. Because a later order has never seen a lower price than an earlier one, the groups
stand in order of reference and of their orders' turns alike: the groups that a trade lowers are the last ones.

| operation, with n parked orders | time |
| --- | --- |
| park, cancel, trigger one order | amortised O(log n) |
| a trade that triggers nothing | amortised O(log n): each group is merged once |

Orders that left are dropped when they are met, or when they outnumber the parked ones.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from heapq import heappop, heappush
from typing import NamedTuple

import msgspec

from chalicelib.domain.books.levels import OpenOrder
from chalicelib.domain.books.protection import CALM_ALL, CALM_NONE, PRICE_BOUND
from chalicelib.domain.books.vocabulary import OrderType
from chalicelib.domain.ledger.amounts import Side
from chalicelib.support.consistency import Inconsistent

LEFT_SPARE = 64
"""A side is rebuilt once it has more than 4 x waiting orders + this of entries, nodes and groups."""


class Trade(NamedTuple):
    """A trade that satisfied parked orders, with the ids of its orders."""

    price: int
    maker: str
    taker: str


class Waiting(msgspec.Struct, eq=False, gc=False):
    """A parked order. since: its turn among all that were ever parked. place: breaks ties of equal stops, older first;
    an amendment may renew it. trade: what has satisfied it; None: it waits.
    """

    order: OpenOrder
    since: int
    place: int
    trade: Trade | None = None
    has_left: bool = False


class _Node(msgspec.Struct, eq=False, gc=False):
    """A node of a leftist heap: two heaps merge in O(log n)."""

    waiting: Waiting
    distance: int
    place: int
    left: _Node | None = None
    right: _Node | None = None
    rank: int = 1


def _node(waiting: Waiting) -> _Node:
    return _Node(waiting, waiting.order.placed.distance or 0, waiting.place)


def _merged(one: _Node | None, other: _Node | None) -> _Node | None:
    if one is None or other is None:
        return one or other
    if (other.distance, other.place) < (one.distance, one.place):
        one, other = other, one
    one.right = _merged(one.right, other)
    if one.left is None or (one.right is not None and one.left.rank < one.right.rank):
        one.left, one.right = one.right, one.left
    one.rank = 1 if one.right is None else one.right.rank + 1
    return one


class _Group(msgspec.Struct, eq=False, gc=False):
    """TRAILING orders with one reference. first: turn of its earliest order. reference: a key; None: no trade yet."""

    first: int
    reference: int | None
    top: _Node | None = None
    is_merged: bool = False


class _Side:
    """The parked orders of one side."""

    __slots__ = ("count", "groups", "nodes", "sign", "stops")

    def __init__(self, side: Side) -> None:
        self.sign = 1 if side is Side.BUY else -1
        self.count = 0
        """Parked orders that wait, without those in the queue."""
        self.nodes = 0
        """Nodes in the heaps of the groups."""
        self.groups: list[_Group] = []
        self.stops: list[tuple[int, int, Waiting | _Group]] = []
        """Heap of (stop as a key, place, order or group); a group stands there with its nearest order."""

    def add(self, waiting: Waiting, last_price: int | None) -> None:
        """Let a new order wait. last_price: of the book; its reference where it is TRAILING."""
        self.count += 1
        if waiting.order.placed.order_type is OrderType.STOP_LIMIT:
            self._push_stop(waiting)
            return
        reference = None if last_price is None else self.sign * last_price
        if not self.groups or self.groups[-1].reference != reference:
            self.groups.append(_Group(waiting.since, reference))
        self._join(self.groups[-1], waiting)

    def again(self, waiting: Waiting) -> None:
        """Let an order that waited before wait again, at another place."""
        self.count += 1
        if waiting.order.placed.order_type is OrderType.STOP_LIMIT:
            self._push_stop(waiting)
        else:
            self._join(self.group_of(waiting), waiting)

    def group_of(self, waiting: Waiting) -> _Group:
        """Return the group of a TRAILING order: the last one that does not begin after it. O(log groups)."""
        low, high = 0, len(self.groups)
        while high - low > 1:
            middle = (low + high) // 2
            if self.groups[middle].first <= waiting.since:
                low = middle
            else:
                high = middle
        return self.groups[low]

    def reference_of(self, waiting: Waiting) -> int | None:
        """Return a TRAILING order's reference as a price; None: there was no trade yet."""
        key = self.group_of(waiting).reference
        return None if key is None else self.sign * key

    def left(self, waiting: Waiting) -> None:
        """Note that an order no longer waits."""
        waiting.has_left = True
        self.count -= 1

    def satisfied_by(self, price: int) -> list[Waiting]:
        """Move the references, then take out and return the orders that a trade satisfies, nearest stop first (O4)."""
        key = self.sign * price
        self._lower(key)
        found = list[Waiting]()
        stops = self.stops
        while stops and stops[0][0] <= key:
            stop, place, item = heappop(stops)
            if isinstance(item, Waiting):
                if not item.has_left:
                    self.left(item)
                    found.append(item)
                continue
            top = item.top
            if item.is_merged or top is None or (top.place, item.reference) != (place, stop - top.distance):
                continue
            self._drop_top(item, top)
            if not top.waiting.has_left:
                self.left(top.waiting)
                found.append(top.waiting)
            self._push_group(item)
        return found

    def _lower(self, key: int) -> None:
        """Lower the groups whose references are above a trade's key, into one."""
        groups = self.groups
        lowered: _Group | None = None
        while groups and (groups[-1].reference is None or groups[-1].reference > key):
            group = groups.pop()
            group.is_merged = True
            lowered = _Group(group.first, key, group.top if lowered is None else _merged(group.top, lowered.top))
        if lowered is None:
            return
        if groups and groups[-1].reference == key:
            groups[-1].top = _merged(groups[-1].top, lowered.top)
        else:
            groups.append(lowered)
        self._push_group(groups[-1])

    def _join(self, group: _Group, waiting: Waiting) -> None:
        node = _node(waiting)
        self.nodes += 1
        group.top = _merged(group.top, node)
        if group.top is node:
            self._push_group(group)

    def _drop_top(self, group: _Group, top: _Node) -> None:
        group.top = _merged(top.left, top.right)
        self.nodes -= 1

    def _push_group(self, group: _Group) -> None:
        while group.top is not None and group.top.waiting.has_left:
            self._drop_top(group, group.top)
        if group.top is not None and group.reference is not None:
            heappush(self.stops, (group.reference + group.top.distance, group.top.place, group))

    def _push_stop(self, waiting: Waiting) -> None:
        heappush(self.stops, (self.sign * (waiting.order.placed.stop_price or 0), waiting.place, waiting))

    def rebuild(self, waiting: list[Waiting], references: dict[str, int | None]) -> None:
        """Begin anew with these orders, in the order of their turns. references: of the TRAILING ones, as prices."""
        self.stops, self.groups, self.nodes, self.count = [], [], 0, len(waiting)
        for one in waiting:
            if one.order.placed.order_type is OrderType.STOP_LIMIT:
                self._push_stop(one)
                continue
            price = references[one.order.placed.order_id]
            reference = None if price is None else self.sign * price
            if not self.groups or self.groups[-1].reference != reference:
                self.groups.append(_Group(one.since, reference))
            self.groups[-1].top = _merged(self.groups[-1].top, _node(one))
            self.nodes += 1
        for group in self.groups:
            self._push_group(group)

    def quiet_keys(self) -> tuple[int, int] | None:
        """Return the least and the greatest key of a trade that moves and triggers nothing here; None: any may."""
        least, greatest = -PRICE_BOUND, PRICE_BOUND
        if self.groups:
            reference = self.groups[-1].reference
            if reference is None:
                return None
            least = reference
        if self.stops:
            greatest = self.stops[0][0] - 1
        return least, greatest

    @property
    def is_loose(self) -> bool:
        """Whether so many of its entries are of orders that left that it should be rebuilt."""
        return len(self.stops) + self.nodes + len(self.groups) > 4 * self.count + LEFT_SPARE


class Triggers:
    """The parked orders of a book, and the queue of those that trades have satisfied.

    orders: all of them, by id, in the order of their turns; those in the queue too. queue: those that trades have
    satisfied, first to last, and some that have left, which ``head`` passes over. turns: how many were ever parked, or
    renewed their place. newest: no parked order has a greater id, so that newer orders, whose ids are greater (T15),
    are known not to be parked without a look-up among very many.
    """

    __slots__ = ("_sides", "newest", "orders", "queue", "turns")

    def __init__(self) -> None:
        self.orders: dict[str, Waiting] = {}
        self.turns = 0
        self.newest = ""
        self._sides = {side: _Side(side) for side in Side}
        self.queue: deque[Waiting] = deque()

    def quiet(self) -> tuple[int, int]:
        """Return the lowest and the highest price of a trade that moves and triggers nothing; 1, 0: any may."""
        if not self.orders:
            return CALM_ALL
        buys, sells = (self._sides[side].quiet_keys() for side in (Side.BUY, Side.SELL))
        if buys is None or sells is None:
            return CALM_NONE
        return max(buys[0], -sells[1]), min(buys[1], -sells[0])

    def __contains__(self, order_id: str) -> bool:
        return order_id in self.orders

    def park(self, order: OpenOrder, last: Trade | None) -> None:
        """Let an order wait; where the last trade satisfies it, it joins the queue at once (O2). last: of the book."""
        if not self.orders:  # nobody has followed the trades since the last one left
            self.queue.clear()
            self._sides = {side: _Side(side) for side in Side}
        self.turns += 1
        waiting = Waiting(order, self.turns, self.turns)
        self.orders[order.placed.order_id] = waiting
        self.newest = max(self.newest, order.placed.order_id)
        side, stop = order.placed.side, order.placed.stop_price
        if stop is not None and last is not None and (last.price >= stop if side is Side.BUY else last.price <= stop):
            waiting.trade = last
            self.queue.append(waiting)
        else:
            self._sides[side].add(waiting, None if last is None else last.price)

    def trade(self, trade: Trade) -> None:
        """Move the references, and put what the trade satisfies at the end of the queue: BUY first, then SELL (O4)."""
        for side in (Side.BUY, Side.SELL):
            found = self._sides[side].satisfied_by(trade.price)
            for waiting in found:
                waiting.trade = trade
                waiting.has_left = False
                self.queue.append(waiting)
            if found:
                self._tidy(self._sides[side])

    def head(self) -> tuple[OpenOrder, Trade] | None:
        """Return the first order of the queue, with the trade that satisfied it; None: the queue is empty."""
        while self.queue and self.queue[0].has_left:
            self.queue.popleft()
        if not self.queue:
            return None
        first = self.queue[0]
        if first.trade is None:
            raise Inconsistent("an order in the queue was satisfied by a trade")
        return first.order, first.trade

    def remove(self, order_id: str) -> OpenOrder:
        """Take an order out, waiting or queued. Raises KeyError."""
        waiting = self.orders.pop(order_id)
        if waiting.trade is not None:
            waiting.has_left = True
            return waiting.order
        side = self._sides[waiting.order.placed.side]
        side.left(waiting)
        self._tidy(side)
        return waiting.order

    def renew(self, order_id: str) -> None:
        """Put a waiting order behind all others with its stop; a TRAILING order keeps its reference (O8)."""
        before = self.orders[order_id]
        side = self._sides[before.order.placed.side]
        side.left(before)
        self.turns += 1
        after = self.orders[order_id] = Waiting(before.order, before.since, self.turns)
        side.again(after)
        self._tidy(side)

    def _tidy(self, side: _Side) -> None:
        if side.is_loose:
            mine = [one for one in self.orders.values() if self._sides[one.order.placed.side] is side and not one.trade]
            trailing = [one for one in mine if one.order.placed.order_type is OrderType.TRAILING]
            side.rebuild(mine, {one.order.placed.order_id: side.reference_of(one) for one in trailing})

    def rows(self) -> Iterator[tuple[Waiting, int | None]]:
        """Yield every parked order with its reference, in the order of their turns."""
        for waiting in self.orders.values():
            trails = waiting.trade is None and waiting.order.placed.order_type is OrderType.TRAILING
            yield waiting, self._sides[waiting.order.placed.side].reference_of(waiting) if trails else None

    def queued(self) -> Iterator[Waiting]:
        """Yield the orders of the queue, first to last."""
        return (waiting for waiting in self.queue if not waiting.has_left)

    def load(self, rows: list[tuple[Waiting, int | None]], queued: list[str], turns: int) -> None:
        """Begin with these orders (``rows``, ``queued``)."""
        self.turns = turns
        self.orders = {waiting.order.placed.order_id: waiting for waiting, _ in rows}
        self.newest = max(self.orders, default="")
        self.queue = deque(self.orders[order_id] for order_id in queued)
        for name, side in self._sides.items():
            mine = [(one, reference) for one, reference in rows if one.order.placed.side is name and not one.trade]
            side.rebuild([one for one, _ in mine], {one.order.placed.order_id: price for one, price in mine})

    def check(self, last_price: int | None) -> None:
        """Raise Inconsistent unless no waiting order is satisfied by what it has seen. O(parked orders)."""
        if any(order_id > self.newest for order_id in self.orders):
            raise Inconsistent("a parked order is newer than the newest")
        queued = {waiting.order.placed.order_id for waiting in self.queued()}
        if queued != {order_id for order_id, one in self.orders.items() if one.trade is not None}:
            raise Inconsistent("the trigger queue has other orders than trades have satisfied")
        for name, side in self._sides.items():
            waiting = [one for one in self.orders.values() if one.order.placed.side is name and one.trade is None]
            if side.count != len(waiting):
                raise Inconsistent("the number of waiting orders is wrong")
            references = [group.reference for group in side.groups]
            if references != sorted(references, key=lambda one: (one is None, one)):
                raise Inconsistent("references of trailing orders are in disorder")
            reachable = {id(one) for one in _reachable(side)}
            for one in waiting:
                placed = one.order.placed
                if one.has_left or id(one) not in reachable:
                    raise Inconsistent("a parked order is forgotten")
                if placed.order_type is OrderType.TRAILING:
                    reference = side.group_of(one).reference
                    if (reference is None) is not (last_price is None):
                        raise Inconsistent("a trailing order has no reference, or one without a trade")
                    if reference is not None and last_price is not None and reference > side.sign * last_price:
                        raise Inconsistent("a trailing order's reference is not the best price since its turn")


def _reachable(side: _Side) -> Iterator[Waiting]:
    for _, _, item in side.stops:
        if isinstance(item, Waiting):
            yield item
    nodes = [group.top for group in side.groups]
    while nodes:
        node = nodes.pop()
        if node is not None:
            yield node.waiting
            nodes += [node.left, node.right]
