"""The order book of one pair: resting orders by price and time, and the fold of events into it.

Complexity, with L price levels on the side and E orders that expire:

| operation | time |
| --- | --- |
| best price | O(1) |
| rest | O(log L), plus moving the list entries behind a new level: few near the best price; O(log E) if it expires |
| fill or cancel one order | amortised O(1); an emptied level moves list entries |
| all orders of one customer | O(their number) |
| next expiry | amortised O(log E); orders that left are dropped lazily |
| parked orders | as in ``triggers`` |

Invariants (``check``): the book is not crossed, no level is empty, each level's quantity is the sum of what its orders
show, each hold is what the open quantity needs, no dust rests or shows (T46, O6), no parked order waits that a trade
has satisfied (O4), and every open order is found by its id, its customer and its expiry.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heapify, heappop, heappush
from typing import NamedTuple, assert_never

from chalicelib.domain.books.events import (
    Accepted,
    Amended,
    AmendRefused,
    BookChanged,
    CancelAllBegun,
    CancelAllEnded,
    CancelRefused,
    Closed,
    Event,
    Halted,
    Parked,
    Rested,
    Resumed,
    Sliced,
    Traded,
    Triggered,
)
from chalicelib.domain.books.levels import BookSide, OpenOrder, opened
from chalicelib.domain.books.open_orders import OpenOrders
from chalicelib.domain.books.protection import CALM_ALL, Window, calm
from chalicelib.domain.books.soundness import check, state_of
from chalicelib.domain.books.triggers import Trade, Triggers
from chalicelib.domain.books.vocabulary import (
    BookRules,
    BookStatus,
    BookTerms,
    CloseReason,
    OrderStatus,
    PlaceOrder,
)
from chalicelib.domain.ledger.amounts import Side, unit
from chalicelib.support.consistency import Inconsistent

BUY = Side.BUY
EXPIRIES_SPARE = 64
"""The heap of expiries is rebuilt once it exceeds 2 x open orders + this, dropping orders that have left."""


class Cancelling(NamedTuple):
    """A cancel-all in progress. closed: how many orders it has closed so far.

    It needs no position in sequence: until it is done no command is decided, so whatever is open of its customer came
    before it (O9). reason: why the orders close.
    """

    command_id: str
    customer: str
    reason: CloseReason = CloseReason.CANCEL_ALL
    closed: int = 0

    @property
    def ended(self) -> CancelAllEnded:
        return CancelAllEnded(self.command_id, self.customer, self.closed, self.reason)


class Book:
    """The state of a book between two commands; deciding (``commands``) and replaying (``apply``) change it."""

    __slots__ = (
        "asks", "at_ms", "bids", "by_customer", "calm", "cancelling", "expiries",
        "halted_until_ms", "incoming", "last_trade",
        "reference", "resting", "rules", "scale", "status", "trades_now", "triggers", "version", "window",
    )  # fmt: skip

    def __init__(self, rules: BookRules, status: BookStatus = BookStatus.ACTIVE) -> None:
        self.rules = rules
        self.status = status
        self.version = 0
        """How often the terms were changed."""
        self.at_ms = 0
        """The time of the journal entry that is being decided or replayed, Unix ms."""
        self.last_trade: tuple[int, str, str] | None = None
        """Price, maker and taker of the last trade in journal order (``Trade``); None before the first (O1)."""
        self.reference: int | None = None
        """The price band's reference: the last trade price, or what the operator has set since (O11)."""
        self.halted_until_ms: int | None = None
        """When the halt ends, Unix ms; None: the book is not halted (O12)."""
        self.trades_now = status is BookStatus.ACTIVE
        """Whether orders are matched: the book is ACTIVE and not halted."""
        self.window = Window()
        """The trade prices of the circuit breaker's window; empty where it is off."""
        self.scale = unit(rules.base_decimals)
        self.triggers = Triggers()
        """The parked orders; ``Triggers.orders`` has them by id."""
        self.calm = CALM_ALL
        """The lowest and the highest price of calm trades (``find_calm``)."""
        self.find_calm()
        self.bids = BookSide(Side.BUY)
        self.asks = BookSide(Side.SELL)
        self.resting: dict[str, OpenOrder] = {}
        """The resting orders, by id; ``triggers`` has the parked ones."""
        self.by_customer: dict[str, dict[str, OpenOrder]] = {}
        """All open orders, by customer and id; customers without an order have no entry."""
        self.cancelling: Cancelling | None = None
        """The cancel-all in progress, finished before anything newer is decided; None: there is none."""
        self.expiries: list[tuple[int, str]] = []
        """Heap of (expires_at_ms, order id): every open order that expires, and some that have left."""
        self.incoming: OpenOrder | None = None
        """The order that replaying has accepted and not yet placed; None between commands."""

    @property
    def open_orders(self) -> OpenOrders:
        """All open orders, resting and parked, by id."""
        return OpenOrders(self.resting, self.triggers.orders)

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
            rules.protection,
        )

    def change(self, terms: BookTerms) -> None:
        """Use these terms from now on; open orders and a halt stay as they are.

        A change that was refused repeats the terms that the book has: it leaves no trace in the window either.
        """
        if terms == self.terms:
            return
        self.version, self.status = terms.version, terms.status
        self.set_halt(self.halted_until_ms)
        self.rules = terms.rules(self.rules.base_decimals)
        if not terms.protection.halt_bps:
            self.window.clear()
        self.window.shorten(self.at_ms // 1000, terms.protection.halt_window_s)  # a calm trade drops nothing
        self.find_calm()

    @property
    def last_price(self) -> int | None:
        """The price of the last trade in journal order; None before the first (O1)."""
        return None if self.last_trade is None else self.last_trade[0]

    def note_trade(self, price: int, maker: str, taker: str) -> None:
        """Take note of a trade: parked orders are triggered by it, references and the breaker's window move."""
        self.last_trade, self.reference = (price, maker, taker), price
        if self.triggers.orders:
            self.triggers.trade(Trade(price, maker, taker))
        protection = self.rules.protection
        if protection.halt_bps:
            self.window.add(price, self.at_ms // 1000, protection.halt_window_s)
        self.find_calm()

    def find_calm(self) -> None:
        """Find the prices at which trades of this second, in any order, do nothing but be the last one."""
        low, high = self.triggers.quiet()
        least, most = calm(self.reference, self.window, self.at_ms // 1000, self.rules.protection)
        self.calm = max(low, least), min(high, most)

    def begin(self, at_ms: int) -> None:
        """Begin what is decided or replayed at this time."""
        is_new_second = at_ms // 1000 != self.at_ms // 1000
        self.at_ms = at_ms
        if is_new_second:
            self.find_calm()

    def refer_to(self, reference: int) -> None:
        """Take the operator's reference for the price band (O11)."""
        self.reference = reference
        self.find_calm()

    def set_halt(self, until_ms: int | None) -> None:
        """Let the book be halted until then, or no longer (None)."""
        self.halted_until_ms = until_ms
        self.trades_now = self.status is BookStatus.ACTIVE and until_ms is None

    def halt(self, until_ms: int) -> None:
        """Halt the book and begin an empty window (O12)."""
        self.set_halt(until_ms)
        self.window.clear()
        self.find_calm()

    def side(self, side: Side) -> BookSide:
        return self.bids if side is BUY else self.asks

    def rest(self, order: OpenOrder) -> None:
        """Put an order into the book, behind all others at its price."""
        placed = order.placed
        price = placed.price
        if price is None:
            raise Inconsistent("an order rests at a price")
        (self.bids if placed.side is BUY else self.asks).rest(order, price)
        order_id, customer = placed.order_id, placed.customer
        self.resting[order_id] = order
        orders = self.by_customer.get(customer)
        if orders is None:
            self.by_customer[customer] = {order_id: order}
        else:
            orders[order_id] = order
        if placed.expires_at_ms is not None:
            self.expect_expiry(placed.expires_at_ms, order_id)

    def index(self, order: OpenOrder) -> None:
        """Let an order that is parked be found by its customer and its expiry."""
        placed = order.placed
        self.by_customer.setdefault(placed.customer, {})[placed.order_id] = order
        if placed.expires_at_ms is not None:
            self.expect_expiry(placed.expires_at_ms, placed.order_id)

    def park(self, order: OpenOrder) -> None:
        """Let an order wait for its trade (O2, O5)."""
        self.index(order)
        self.triggers.park(order, None if self.last_trade is None else Trade(*self.last_trade))
        self.find_calm()

    def unpark(self, order_id: str) -> OpenOrder:
        """Take a parked order out, because its turn to be matched came. Raises KeyError."""
        order = self.triggers.remove(order_id)
        self.forget(order)
        self.find_calm()
        return order

    def replace(self, order: OpenOrder, fresh: OpenOrder) -> OpenOrder:
        """Take a resting order out, and let it rest with its terms of now behind all others at its price."""
        side, placed, price = self.side(order.placed.side), fresh.placed, fresh.placed.price
        if price is None:
            raise Inconsistent("an order rests at a price")
        side.remove(order)
        side.rest(fresh, price)
        self.resting[placed.order_id] = fresh
        self.by_customer[placed.customer][placed.order_id] = fresh
        return fresh

    def show_next(self, order: OpenOrder, shown: int) -> OpenOrder:
        """Let an iceberg order show so much of it, its next slice, behind all others at its price (O6)."""
        return self.replace(order, OpenOrder(order.placed, order.remaining, order.hold, order.remaining - shown))

    def amend(self, event: Amended) -> None:
        """Give an order its new terms (O8)."""
        placed = event.order
        order, side = self.open_orders[placed.order_id], self.side(placed.side)
        hold = order.hold + event.extra - event.released
        if placed.order_id in self.triggers:
            order.placed, order.remaining, order.hold = event.after, event.remaining, hold
            if not event.keeps_place:
                self.triggers.renew(placed.order_id)
                self.find_calm()
        elif event.keeps_place:
            side.show(order, 0)
            order.placed, order.remaining, order.hold, order.hidden = (
                event.after,
                event.remaining,
                hold,
                event.remaining,
            )
            side.show(order, event.shown)
        else:
            self.replace(order, OpenOrder(event.after, event.remaining, hold, event.remaining - event.shown))

    def forget(self, order: OpenOrder) -> None:
        """Remove an order that has left its price level, or is no longer parked, from the indexes."""
        placed = order.placed
        self.resting.pop(placed.order_id, None)  # a parked order is not there
        orders = self.by_customer[placed.customer]
        del orders[placed.order_id]
        if not orders:
            del self.by_customer[placed.customer]

    def close(self, order: OpenOrder, reason: CloseReason, status: OrderStatus = OrderStatus.CANCELLED) -> Closed:
        """Take an open order out of the book, whatever is left of it, and release its hold."""
        placed = order.placed
        if placed.order_id not in self.resting:
            self.unpark(placed.order_id)
            return Closed(placed, status, reason, order.remaining, order.hold)
        shown = order.remaining - order.hidden
        closed = Closed(placed, status, reason, order.remaining, order.hold, placed.price, shown)
        self.side(placed.side).remove(order)
        self.forget(order)
        return closed

    def expect_expiry(self, expires_at_ms: int, order_id: str) -> None:
        """Push an open order's expiry; rebuild the heap when too many of its orders have left."""
        open_orders = self.open_orders
        if len(self.expiries) > 2 * len(open_orders) + EXPIRIES_SPARE:
            self.expiries = [expiry for expiry in self.expiries if expiry[1] in open_orders]
            heapify(self.expiries)
        heappush(self.expiries, (expires_at_ms, order_id))

    def first_due(self, at_ms: int) -> OpenOrder | None:
        """Return the open order that is due first by this time, ties by least id; None: none is due (R24)."""
        while self.expiries and self.expiries[0][0] <= at_ms:
            order = self.open_order(self.expiries[0][1])
            if order is not None:
                return order
            heappop(self.expiries)
        return None

    def by_priority(self) -> Iterator[OpenOrder]:
        """Yield the resting orders: bids, then asks, each by price and time."""
        for side in (self.bids, self.asks):
            for level in side.best_first():
                yield from level

    def open_order(self, order_id: str) -> OpenOrder | None:
        """Return the open order of this id; None: there is none."""
        resting = self.resting.get(order_id)
        if resting is not None:
            return resting
        waiting = self.triggers.orders.get(order_id)
        return None if waiting is None else waiting.order

    def find(self, order_id: str) -> PlaceOrder:
        """Return the command of an open or incoming order. Raises KeyError where the journal is broken."""
        if self.incoming is not None and self.incoming.placed.order_id == order_id:
            return self.incoming.placed
        order = self.open_order(order_id)
        if order is None:
            raise KeyError(order_id)
        return order.placed

    def level_of(self, order: PlaceOrder) -> int | None:
        """Return the price at which an order rests; None where it does not rest."""
        resting = self.resting.get(order.order_id)
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
            case Rested(_, remaining, shown):
                resting = self._arrived()
                resting.hidden = remaining - shown
                self.rest(resting)
            case Sliced(order, shown):
                self.show_next(self.resting[order.order_id], shown)
            case Parked():
                self.park(self._arrived())
            case Triggered(order):
                self.incoming = self.unpark(order.order_id)
            case Closed(order):
                self._apply_close(order, event.reason)
            case Amended():
                self.amend(event)
            case CancelAllBegun(command_id, customer, reason):
                self.cancelling = Cancelling(command_id, customer, reason)
            case CancelAllEnded():
                self.cancelling = None
            case BookChanged(_, terms):
                self.change(terms)
            case Halted(until_ms):
                self.halt(until_ms)
            case Resumed(_, reference):
                self.set_halt(None)
                if reference is not None:
                    self.refer_to(reference)
            case CancelRefused() | AmendRefused():
                pass
            case _:
                assert_never(event)

    def _arrived(self) -> OpenOrder:
        if self.incoming is None:
            raise Inconsistent("an order is on its way")
        arrived, self.incoming = self.incoming, None
        return arrived

    def _apply_close(self, order: PlaceOrder, reason: CloseReason) -> None:
        if self.incoming is not None and self.incoming.placed.order_id == order.order_id:
            self.incoming = None
        else:
            self.close(self.open_orders[order.order_id], reason)
        if self.cancelling is not None and reason is self.cancelling.reason:
            self.cancelling = self.cancelling._replace(closed=self.cancelling.closed + 1)
        elif reason in (CloseReason.CANCEL_ALL, CloseReason.DEAD_MAN):
            raise ValueError(f"{order.order_id} is closed by a cancel-all that is not there")

    def _may_come_now(self, running: Cancelling, event: Event) -> bool:
        """Return whether an event may come before a cancel-all is done: its own, and what needs no command."""
        match event:
            case Closed(order, _, reason) if reason is running.reason:
                return order.customer == running.customer
            case Closed(_, _, reason):
                return reason not in (CloseReason.USER_CANCELLED, CloseReason.BOOK_CLOSED)
            case CancelAllEnded():
                return event == running.ended and running.customer not in self.by_customer
            case Resumed(command_id):
                return command_id is None
        return isinstance(event, Triggered | Traded | Rested | Sliced | Halted)

    def _apply_trade(self, trade: Traded) -> None:
        if self.incoming is None:
            raise Inconsistent("an order is on its way")
        maker, taker = self.resting[trade.maker.order_id], self.incoming
        buyer, seller = (taker, maker) if trade.taker.side is Side.BUY else (maker, taker)
        buyer.hold -= trade.notional + trade.released
        seller.hold -= trade.quantity
        makers = self.side(trade.maker.side)
        makers.take(makers.levels[makers.sign * trade.price], maker, trade.quantity)
        taker.remaining -= trade.quantity
        if not maker.remaining:
            self.forget(maker)
        if not taker.remaining:
            self.incoming = None
        self.note_trade(trade.price, trade.maker.order_id, trade.taker.order_id)

    def state(self) -> dict[str, object]:
        """Return the whole state as plain data, time priority included: equal states give equal data."""
        return state_of(self)

    def check(self, *, dust_may_rest: bool = False) -> None:
        """Raise Inconsistent unless every invariant holds. O(orders).

        dust_may_rest: allow dust, which a book from before T46 may have until an order meets it.
        """
        check(self, dust_may_rest=dust_may_rest)
