"""Soundness: a book's state as plain data, and the invariants that it keeps (``book``)."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from chalicelib.domain.books.levels import OpenOrder, PriceLevel
from chalicelib.domain.books.vocabulary import OrderType
from chalicelib.domain.ledger.holds import hold_of_limit
from chalicelib.support.consistency import Inconsistent

if TYPE_CHECKING:
    from chalicelib.domain.books.book import Book


def state_of(book: Book) -> dict[str, object]:
    """Return the whole state as plain data, time priority included: equal states give equal data."""
    levels: dict[str, object] = {
        name: [
            [
                level.price,
                [[order.placed.order_id, order.remaining, order.hold, *_hidden(order)] for order in level],
            ]
            for level in side.best_first()
        ]
        for name, side in (("bids", book.bids), ("asks", book.asks))
    }
    cancelling = None if book.cancelling is None else book.cancelling._asdict()
    parked = [
        [order_id, row.since, row.place, row.order.price, row.order.quantity, row.order.hold, row.trade, reference]
        for order_id, (row, reference) in zip(book.triggers.orders, book.triggers.rows(), strict=True)
    ]
    return levels | {
        "terms": asdict(book.terms),
        "last_trade": book.last_trade,
        "reference": book.reference,
        "halted_until_ms": book.halted_until_ms,
        "window": [list(book.window.lows), list(book.window.highs)],
        "parked": parked,
        "turns": book.triggers.turns,
        "queue": [waiting.order.placed.order_id for waiting in book.triggers.queued()],
        "cancelling": cancelling,
    }


def _hidden(order: OpenOrder) -> list[int]:
    return [order.hidden] if order.hidden else []


def check(book: Book, *, dust_may_rest: bool = False) -> None:
    """Raise Inconsistent unless every invariant holds. O(orders).

    dust_may_rest: allow dust, which a book from before T46 may have until an order meets it.
    """
    if book.incoming is not None:
        raise Inconsistent("an order is still on its way")
    # A book at rest is not crossed: the best bid lies under the best ask.
    if book.bids.keys and book.asks.keys and book.bids.keys[-1] >= -book.asks.keys[-1]:
        raise Inconsistent("crossed at rest")
    resting: dict[str, OpenOrder] = {}
    level_of: dict[str, PriceLevel] = {}
    orders_in_levels = 0
    for side in (book.bids, book.asks):
        # The list of keys is ascending and names exactly the levels there are.
        if side.keys != sorted(side.levels):
            raise Inconsistent("keys and levels differ")
        for key, level in side.levels.items():
            if key != side.sign * level.price:
                raise Inconsistent("a level under another price's key")
            orders = list(level)
            if not orders:
                raise Inconsistent("empty level")
            if level.count != len(orders):
                raise Inconsistent("level count is wrong")
            if level.quantity != sum(order.remaining - order.hidden for order in orders):
                raise Inconsistent("level sum is wrong")
            for order in orders:
                resting[order.placed.order_id] = order
                level_of[order.placed.order_id] = level
            orders_in_levels += len(orders)
    if len(resting) != orders_in_levels:
        raise Inconsistent("an order rests twice")
    parked = {order_id: waiting.order for order_id, waiting in book.triggers.orders.items()}
    if parked.keys() & resting.keys() or parked | resting != book.open_orders:
        raise Inconsistent("open orders, levels and parked orders differ")
    _check_parked(book)
    for order in resting.values():
        placed = order.placed
        # Only part of an order can be unfilled, and only orders with a limit rest.
        if not (0 < order.remaining <= order.quantity):
            raise Inconsistent("remaining out of range")
        if placed.order_type in (OrderType.MARKET, OrderType.CEILING):
            raise Inconsistent("a MARKET order rests")
        # Only an iceberg order hides a part of it, less than all, and what it shows and hides is worth something.
        if order.hidden and placed.step is None:
            raise Inconsistent("an order hides quantity")
        if order.price is not None and order.hidden:
            if not 0 < order.hidden < order.remaining:
                raise Inconsistent("hidden quantity out of range")
            if order.price * min(order.remaining - order.hidden, order.hidden) < book.scale:
                raise Inconsistent("a slice is worth nothing")
        if order.price is None:
            raise Inconsistent("an order rests at no price")
        # It rests on its side, at its price.
        side = book.side(placed.side)
        if side.levels.get(side.sign * order.price) is not level_of[placed.order_id]:
            raise Inconsistent("an order rests at another's place")
        # What rests is worth a quote unit at least.
        if not (dust_may_rest or order.price * order.remaining >= book.scale):
            raise Inconsistent("dust rests")
        # A hold is a pure function of the open order.
        hold = hold_of_limit(placed.side, order.price, order.remaining, book.rules.base_decimals)
        if order.hold != hold:
            raise Inconsistent("hold is not what the order needs")
    # A heap's parent comes before its children, and every resting order that expires is in it.
    heap = book.expiries
    if not all(heap[(at - 1) // 2] <= heap[at] for at in range(1, len(heap))):
        raise Inconsistent("expiries are in disorder")
    expiring = ((order.placed.expires_at_ms, order_id) for order_id, order in book.open_orders.items())
    expected = {expiry for expiry in expiring if expiry[0] is not None}
    if not expected <= set(heap):
        raise Inconsistent("an expiry is forgotten")
    # A customer's orders are found without a walk.
    by_customer: dict[str, dict[str, OpenOrder]] = {}
    for order_id, order in book.open_orders.items():
        by_customer.setdefault(order.placed.customer, {})[order_id] = order
    if by_customer != book.by_customer:
        raise Inconsistent("a customer's orders are not what is open of it")


def _check_parked(book: Book) -> None:
    book.triggers.check(book.last_price)
    for waiting in book.triggers.orders.values():
        order = waiting.order
        placed = order.placed
        if not placed.order_type.is_parked or order.remaining != order.quantity or order.hidden:
            raise Inconsistent("an order is parked that should not be")
        needed = order.quantity
        if order.price is not None:
            needed = hold_of_limit(placed.side, order.price, order.quantity, book.rules.base_decimals)
        if order.hold != needed:
            raise Inconsistent("hold is not what the order needs")
