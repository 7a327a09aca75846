"""The order book of one pair: resting orders by price and time, and the fold of events into it.

Complexity, with L price levels on the side and E orders that expire:

| operation | time |
| --- | --- |
| best price | O(1) |
| rest | O(log L), plus moving the list entries behind a new level: few near the best price; O(log E) if it expires |
| fill or cancel one order | amortised O(1); an emptied level moves list entries |
| all orders of one customer | O(their number) |
| next expiry | amortised O(log E); orders that left are dropped lazily |

Invariants (``check``): the book is not crossed, no level is empty, each level's quantity is the sum of its orders',
each hold is what the open quantity needs, no dust rests (T46), and every resting order is found by its id, its customer
and its expiry.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from heapq import heapify, heappop, heappush
from typing import NamedTuple, assert_never

from chalicelib.domain.books.events import (
    Accepted,
    BookChanged,
    CancelAllBegun,
    CancelAllEnded,
    CancelRefused,
    Closed,
    Event,
    Rested,
    Traded,
)
from chalicelib.domain.books.levels import BookSide, OpenOrder, PriceLevel, opened
from chalicelib.domain.books.vocabulary import (
    BookRules,
    BookStatus,
    BookTerms,
    CloseReason,
    OrderStatus,
    OrderType,
    PlaceOrder,
)
from chalicelib.domain.ledger.amounts import Side, unit
from chalicelib.domain.ledger.holds import hold_of_limit
from chalicelib.support.consistency import Inconsistent

BUY = Side.BUY
EXPIRIES_SPARE = 64
"""The heap of expiries is rebuilt once it exceeds 2 x resting orders + this, dropping orders that have left."""


class Cancelling(NamedTuple):
    """A cancel-all in progress. closed: how many orders it has closed so far.

    It needs no position in sequence: until it is done nothing comes to rest, so whatever rests of its customer came
    before it (O9).
    """

    command_id: str
    customer: str
    closed: int = 0


class Book:
    """The state of a book between two commands; deciding (``commands``) and replaying (``apply``) change it."""

    __slots__ = (
        "asks", "bids", "by_customer", "cancelling", "expiries", "incoming", "last_price", "open_orders", "rules",
        "scale", "status", "version",
    )  # fmt: skip

    def __init__(self, rules: BookRules, status: BookStatus = BookStatus.ACTIVE) -> None:
        self.rules = rules
        self.status = status
        self.version = 0
        """How often the terms were changed."""
        self.last_price: int | None = None
        """The price of the last trade in journal order, None before the first (O1)."""
        self.scale = unit(rules.base_decimals)
        self.bids = BookSide(Side.BUY)
        self.asks = BookSide(Side.SELL)
        self.open_orders: dict[str, OpenOrder] = {}
        """All resting orders, by id."""
        self.by_customer: dict[str, dict[str, OpenOrder]] = {}
        """All resting orders, by customer and id; customers without an order have no entry."""
        self.cancelling: Cancelling | None = None
        """The cancel-all in progress, finished before anything newer is decided; None: there is none."""
        self.expiries: list[tuple[int, str]] = []
        """Heap of (expires_at_ms, order id): every resting order that expires, and some that have left."""
        self.incoming: OpenOrder | None = None
        """The order that replaying has accepted and not yet placed; None between commands."""

    @property
    def terms(self) -> BookTerms:
        rules = self.rules
        return BookTerms(
            self.version,
            self.status,
            rules.maker_fee_bps,
            rules.taker_fee_bps,
            rules.self_trade_prevention,
            rules.lot_size,
            rules.min_order_value,
        )

    def change(self, terms: BookTerms) -> None:
        """Use these terms from now on; resting orders stay as they are."""
        self.version, self.status = terms.version, terms.status
        self.rules = terms.rules(self.rules.base_decimals)

    def side(self, side: Side) -> BookSide:
        return self.bids if side is BUY else self.asks

    def rest(self, order: OpenOrder) -> None:
        """Put an order into the book, behind all others at its price."""
        placed, price = order.placed, order.price
        if price is None:
            raise Inconsistent("an order rests at a price")
        order_id, customer = placed.order_id, placed.customer
        (self.bids if placed.side is BUY else self.asks).rest(order, price)
        self.open_orders[order_id] = order
        orders = self.by_customer.get(customer)
        if orders is None:
            self.by_customer[customer] = {order_id: order}
        else:
            orders[order_id] = order
        if order.expires_at_ms is not None:
            self.expect_expiry(order.expires_at_ms, order_id)

    def forget(self, order: OpenOrder) -> None:
        """Remove an order that has left its price level from the indexes."""
        placed = order.placed
        del self.open_orders[placed.order_id]
        orders = self.by_customer[placed.customer]
        del orders[placed.order_id]
        if not orders:
            del self.by_customer[placed.customer]

    def close(self, order: OpenOrder, reason: CloseReason, status: OrderStatus = OrderStatus.CANCELLED) -> Closed:
        """Take a resting order out of the book, whatever is left of it, and release its hold."""
        closed = Closed(order.placed, status, reason, order.remaining, order.hold, order.price)
        self.side(order.placed.side).remove(order)
        self.forget(order)
        return closed

    def expect_expiry(self, expires_at_ms: int, order_id: str) -> None:
        """Push a resting order's expiry; rebuild the heap when too many of its orders have left."""
        if len(self.expiries) > 2 * len(self.open_orders) + EXPIRIES_SPARE:
            self.expiries = [expiry for expiry in self.expiries if expiry[1] in self.open_orders]
            heapify(self.expiries)
        heappush(self.expiries, (expires_at_ms, order_id))

    def first_due(self, at_ms: int) -> OpenOrder | None:
        """Return the resting order that is due first by this time, ties by least id; None: none is due (R24)."""
        while self.expiries and self.expiries[0][0] <= at_ms:
            order = self.open_orders.get(self.expiries[0][1])
            if order is not None:
                return order
            heappop(self.expiries)
        return None

    def by_priority(self) -> Iterator[OpenOrder]:
        """Yield the resting orders: bids, then asks, each by price and time."""
        for side in (self.bids, self.asks):
            for level in side.best_first():
                yield from level

    def find(self, order_id: str) -> PlaceOrder:
        """Return the command of a resting or incoming order. Raises KeyError where the journal is broken."""
        if self.incoming is not None and self.incoming.placed.order_id == order_id:
            return self.incoming.placed
        return self.open_orders[order_id].placed

    def level_of(self, order: PlaceOrder) -> int | None:
        """Return the price at which a resting or incoming order rests; None where it does not rest yet."""
        resting = self.open_orders.get(order.order_id)
        return None if resting is None else resting.price

    def apply(self, event: Event) -> None:
        """Fold one event into the state as it was decided; only the order of a cancel-all's events is checked (O9).

        Raises KeyError or ValueError where the journal is broken.
        """
        if self.cancelling is not None and not self._may_come_now(self.cancelling, event):
            raise ValueError(f"{self.cancelling.command_id} is not done yet")
        match event:
            case Accepted(order):
                self.incoming = opened(order)
            case Traded():
                self._apply_trade(event)
            case Rested():
                if self.incoming is None:
                    raise Inconsistent("an order is on its way")
                self.rest(self.incoming)
                self.incoming = None
            case Closed(order):
                if self.incoming is not None and self.incoming.placed.order_id == order.order_id:
                    self.incoming = None
                else:
                    closing = self.open_orders[order.order_id]
                    self.side(order.side).remove(closing)
                    self.forget(closing)
                if event.reason is CloseReason.CANCEL_ALL:
                    if self.cancelling is None:
                        raise ValueError(f"{order.order_id} is closed by a cancel-all that is not there")
                    self.cancelling = self.cancelling._replace(closed=self.cancelling.closed + 1)
            case CancelAllBegun(command_id, customer):
                self.cancelling = Cancelling(command_id, customer)
            case CancelAllEnded():
                self.cancelling = None
            case BookChanged(_, terms):
                self.change(terms)
            case CancelRefused():
                pass
            case _:
                assert_never(event)

    def _may_come_now(self, running: Cancelling, event: Event) -> bool:
        """Return whether an event may come before a cancel-all is done: its own events and expiries may."""
        match event:
            case Closed(order, _, CloseReason.CANCEL_ALL):
                return order.customer == running.customer
            case CancelAllEnded():
                return event == CancelAllEnded(*running) and running.customer not in self.by_customer
        return isinstance(event, Closed) and event.reason is CloseReason.EXPIRED

    def _apply_trade(self, trade: Traded) -> None:
        if self.incoming is None:
            raise Inconsistent("an order is on its way")
        maker, taker = self.open_orders[trade.maker.order_id], self.incoming
        buyer, seller = (taker, maker) if trade.taker.side is Side.BUY else (maker, taker)
        self.last_price = trade.price
        buyer.hold -= trade.notional + trade.released
        seller.hold -= trade.quantity
        makers = self.side(trade.maker.side)
        makers.take(makers.levels[makers.sign * trade.price], maker, trade.quantity)
        taker.remaining -= trade.quantity
        if not maker.remaining:
            self.forget(maker)
        if not taker.remaining:
            self.incoming = None

    def state(self) -> dict[str, object]:
        """Return the whole state as plain data, time priority included: equal states give equal data."""
        levels: dict[str, object] = {
            name: [
                [level.price, [[order.placed.order_id, order.remaining, order.hold] for order in level]]
                for level in side.best_first()
            ]
            for name, side in (("bids", self.bids), ("asks", self.asks))
        }
        cancelling = None if self.cancelling is None else self.cancelling._asdict()
        return {"terms": asdict(self.terms), "last_price": self.last_price, "cancelling": cancelling} | levels

    def check(self, *, dust_may_rest: bool = False) -> None:
        """Raise Inconsistent unless every invariant holds. O(orders).

        dust_may_rest: allow dust, which a book from before T46 may have until an order meets it.
        """
        if self.incoming is not None:
            raise Inconsistent("an order is still on its way")
        # A book at rest is not crossed: the best bid lies under the best ask.
        if self.bids.keys and self.asks.keys and self.bids.keys[-1] >= -self.asks.keys[-1]:
            raise Inconsistent("crossed at rest")
        resting: dict[str, OpenOrder] = {}
        level_of: dict[str, PriceLevel] = {}
        orders_in_levels = 0
        for side in (self.bids, self.asks):
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
                if level.quantity != sum(order.remaining for order in orders):
                    raise Inconsistent("level sum is wrong")
                for order in orders:
                    resting[order.placed.order_id] = order
                    level_of[order.placed.order_id] = level
                orders_in_levels += len(orders)
        if len(resting) != orders_in_levels:
            raise Inconsistent("an order rests twice")
        if resting != self.open_orders:
            raise Inconsistent("open orders and levels differ")
        for order in resting.values():
            placed = order.placed
            # Only part of an order can be unfilled, and only LIMIT orders rest.
            if not (0 < order.remaining <= order.quantity):
                raise Inconsistent("remaining out of range")
            if placed.order_type is not OrderType.LIMIT:
                raise Inconsistent("a MARKET order rests")
            if order.price is None:
                raise Inconsistent("an order rests at no price")
            # It rests on its side, at its price.
            side = self.side(placed.side)
            if side.levels.get(side.sign * order.price) is not level_of[placed.order_id]:
                raise Inconsistent("an order rests at another's place")
            # What rests is worth a quote unit at least.
            if not (dust_may_rest or order.price * order.remaining >= self.scale):
                raise Inconsistent("dust rests")
            # A hold is a pure function of the open order.
            hold = hold_of_limit(placed.side, order.price, order.remaining, self.rules.base_decimals)
            if order.hold != hold:
                raise Inconsistent("hold is not what the order needs")
        # A heap's parent comes before its children, and every resting order that expires is in it.
        heap = self.expiries
        if not all(heap[(at - 1) // 2] <= heap[at] for at in range(1, len(heap))):
            raise Inconsistent("expiries are in disorder")
        expiring = ((order.expires_at_ms, order_id) for order_id, order in resting.items())
        expected = {expiry for expiry in expiring if expiry[0] is not None}
        if not expected <= set(heap):
            raise Inconsistent("an expiry is forgotten")
        # A customer's orders are found without a walk.
        by_customer: dict[str, dict[str, OpenOrder]] = {}
        for order_id, order in resting.items():
            by_customer.setdefault(order.placed.customer, {})[order_id] = order
        if by_customer != self.by_customer:
            raise Inconsistent("a customer's orders are not what rests of it")
