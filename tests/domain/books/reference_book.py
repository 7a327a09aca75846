"""The naive matcher's book: its orders in plain lists, what is looked up in them, and the protection of the market.

What is made of commands is in ``reference``.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from chalicelib.domain.books.vocabulary import BookRules, BookStatus, CancelAll, CloseReason, PlaceOrder
from chalicelib.domain.ledger.amounts import Side
from tests.domain.books.reference_orders import (
    ReferenceAccounts,
    ReferenceClose,
    ReferenceEvent,
    ReferenceHalt,
    ReferenceOrder,
    ReferenceTrade,
)


@dataclass
class ReferenceBook(ReferenceAccounts):
    """The state of the book. What happens is appended to ``events``, trades also to ``trades``.

    last_reference: what the operator has set as the band's reference since the last trade (O11).
    window: second and price of the trades that the circuit breaker looks at (O12).
    cancelling: the cancel-all that is not finished, cancelled: how many orders it has closed so far (O9).
    """

    rules: BookRules = field(default_factory=BookRules)
    status: BookStatus = BookStatus.ACTIVE
    version: int = 0
    now_ms: int = 0
    arrivals: int = 0
    resting: list[ReferenceOrder] = field(default_factory=list)
    parked: list[ReferenceOrder] = field(default_factory=list)
    trades: list[ReferenceTrade] = field(default_factory=list)
    events: list[ReferenceEvent] = field(default_factory=list)
    last_reference: int | None = None
    window: list[tuple[int, int]] = field(default_factory=list)
    halted_until_ms: int | None = None
    cancelling: CancelAll | None = None
    cancelled: int = 0

    @property
    def trades_now(self) -> bool:
        return self.status is BookStatus.ACTIVE and self.halted_until_ms is None

    @property
    def open_orders(self) -> list[ReferenceOrder]:
        return [*self.resting, *self.parked]

    def trigger_queue(self) -> list[ReferenceOrder]:
        """The parked orders that trades have satisfied, in the order of O4.

        By the trade; of one trade: BUY by stop ascending, then SELL by stop descending; equal stops older first.
        """
        keyed = []
        for order in self.parked:
            satisfied = order.satisfied_by(self.trades)
            if satisfied is not None:
                trade, stop = satisfied
                keyed.append(((trade, not order.buys, stop if order.buys else -stop, order.arrival), order))
        keyed.sort(key=lambda pair: pair[0])
        return [order for _, order in keyed]

    def in_priority(self, side: Side) -> list[ReferenceOrder]:
        """A side's resting orders: best price first, then in the order in which they came."""
        orders = [order for order in self.resting if order.placed.side is side]
        if side is Side.BUY:
            return sorted(orders, key=lambda order: (-order.limit, order.arrival))
        return sorted(orders, key=lambda order: (order.limit, order.arrival))

    def _arrived(self, command: PlaceOrder) -> ReferenceOrder:
        quantity = command.quantity
        return ReferenceOrder(
            command, command.price, quantity, quantity, command.hold, self._next_arrival(), len(self.trades)
        )

    def _next_arrival(self) -> int:
        self.arrivals += 1
        return self.arrivals

    def _find(self, order_id: str, customer: str) -> ReferenceOrder | None:
        for order in self.open_orders:
            if order.placed.order_id == order_id and order.placed.customer == customer:
                return order
        return None

    def _crossed(self, side: Side, price: int | None) -> list[ReferenceOrder]:
        """The resting orders with which an order of this side and price (None: any) would trade, best first."""
        if side is Side.BUY:
            return [maker for maker in self.in_priority(Side.SELL) if price is None or maker.limit <= price]
        return [maker for maker in self.in_priority(Side.BUY) if price is None or maker.limit >= price]

    def _close_chosen(self, orders: list[ReferenceOrder], chosen: str | None, reason: CloseReason) -> None:
        (order,) = (order for order in orders if order.placed.order_id == chosen)
        self._close(order, reason)

    def _close(self, order: ReferenceOrder, reason: CloseReason) -> None:
        """End an order, and take it out of where it waits."""
        self.resting = [other for other in self.resting if other is not order]
        self.parked = [other for other in self.parked if other is not order]
        self.events.append(ReferenceClose(order.placed.order_id, reason, order.remaining, order.hold))
        self.release(order, order.hold)

    def _worth(self, quantity: int, price: int) -> int:
        """What a trade of the quantity at this price would pay (T41); what is worth nothing is dust (O15)."""
        return price * quantity // self._unit

    @property
    def _unit(self) -> int:
        """Base units in one whole base token."""
        return int(10**self.rules.base_decimals)

    # --- protection ------------------------------------------------------------------------------------------------

    def _reference(self) -> int | None:
        """The price from which the band is measured (O11)."""
        if self.last_reference is not None:
            return self.last_reference
        return self.trades[-1].price if self.trades else None

    def _is_allowed(self, price: int, reference: int | None) -> bool:
        bps = self.rules.protection.price_band_bps
        return not bps or reference is None or abs(price - reference) * 10_000 <= reference * bps

    def _in_window(self) -> list[tuple[int, int]]:
        since = self.now_ms // 1000 - self.rules.protection.halt_window_s
        return [(second, price) for second, price in self.window if second > since]

    def _is_too_far(self, price: int) -> bool:
        """Whether a trade would lie too far from the lowest or the highest price of the window (O12)."""
        bps = self.rules.protection.halt_bps
        prices = [price for _, price in self._in_window()]
        if not bps or not prices:
            return False
        return any(abs(price - extreme) * 10_000 > extreme * bps for extreme in (min(prices), max(prices)))

    def _halt(self, price: int) -> None:
        self.halted_until_ms = self.now_ms + 1000 * self.rules.protection.halt_s
        self.events.append(ReferenceHalt(self.halted_until_ms, price))

    def _end_halt(self) -> None:
        if self.halted_until_ms is not None:
            self.halted_until_ms = None
            self.window.clear()
