"""A naive matcher, written from the wire contract alone, to judge the real one by.

It keeps resting orders in one plain list and sorts it whenever it needs the best one, looks for triggered orders by
going through all trades since each one's turn, tries a fill-or-kill order on a copy of the whole market, and moves the
money of every trade at once on its own accounts. Slow and obvious is the point: each rule stands here once, in the
words of the contract, and shares no code with the matching core.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

from chalicelib.domain.books.vocabulary import (
    AmendOrder,
    AmendRefusal,
    BookStatus,
    BookTerms,
    CancelAll,
    CloseReason,
    PlaceOrder,
    ResumeBook,
    SelfTradePrevention,
    TimeInForce,
)
from chalicelib.domain.ledger.amounts import Side
from tests.domain.books.reference_book import ReferenceBook
from tests.domain.books.reference_orders import (
    FEES,
    ReferenceAmendment,
    ReferenceCancelledAll,
    ReferenceHalt,
    ReferenceOrder,
    ReferenceResume,
    ReferenceTrade,
    ReferenceTrigger,
)


@dataclass
class ReferenceMarket(ReferenceBook):
    """One book and the accounts of its customers, and what its rules make of commands."""

    # --- what is asked of the book ---------------------------------------------------------------------------------

    def place(self, command: PlaceOrder) -> None:
        """Take an admitted order at its turn."""
        order = self._arrived(command)
        if order.is_due(self.now_ms):
            self._close(order, CloseReason.EXPIRED)
        elif not self.trades_now:
            self._close(order, CloseReason.BOOK_INACTIVE)
        elif command.order_type.is_parked:
            # Where the last trade satisfies it, it is in the queue at once, and the queue is decided next (O2).
            self.parked.append(order)
        else:
            self._decide(order)

    def rest(self, command: PlaceOrder) -> None:
        """Let an admitted order rest as it is."""
        order = self._arrived(command)
        order.shown = order.remaining
        self.resting.append(order)

    def would_cross(self, command: PlaceOrder) -> bool:
        """Whether the order's price meets one on the other side."""
        return bool(self._crossed(command.side, command.price))

    def cancel(self, order_id: str, customer: str) -> None:
        """End an open order, if there is one of this id and customer."""
        order = self._find(order_id, customer)
        if order is not None:
            self._close(order, CloseReason.USER_CANCELLED)

    def amend(self, command: AmendOrder) -> None:
        """Give an order new terms (O8)."""
        order = self._find(command.order_id, command.customer)
        refusal = self._refusal(order, command)
        if order is None or refusal is not None:
            self.set_aside(command.customer, command.side, -command.extra)
            self.events.append(ReferenceAmendment(command.command_id, refusal, command.extra))
            return
        price = order.price if command.price is None else command.price
        quantity = order.quantity if command.quantity is None else command.quantity
        loses_priority = price != order.price or quantity > order.quantity
        order.remaining += quantity - order.quantity
        order.price, order.quantity = price, quantity
        if loses_priority:
            order.arrival = self._next_arrival()
        if order in self.resting:
            if loses_priority:
                order.shown = order.slice_worth_showing(self._unit)
            else:
                order.shown = min(order.shown, order.remaining)
                if self._worth(order.remaining - order.shown, order.limit) == 0:
                    order.shown = order.remaining  # O6: a smaller last slice joins the one before
        needed = order.remaining if not order.buys else -(-order.limit * order.remaining // self._unit)
        released = order.hold + command.extra - needed
        order.hold += command.extra
        self.release(order, released)
        self.events.append(ReferenceAmendment(command.command_id, None, released))
        if order in self.resting and self._worth(order.remaining, order.limit) == 0:
            self._close(order, CloseReason.DUST)

    def cancel_all(self, command: CancelAll) -> None:
        """Begin to close all orders of a customer; ``follow_up`` goes on with it."""
        self.cancelling, self.cancelled = command, 0

    def change(self, terms: BookTerms) -> None:
        """Take new terms; closed is for good (T32), and the later of two changes counts."""
        if self.status is BookStatus.CLOSED or terms.version <= self.version:
            return
        self.version, self.status = terms.version, terms.status
        self.rules = terms.rules(self.rules.base_decimals)
        self.window = self._in_window() if self.rules.protection.halt_bps else []

    def resume(self, command: ResumeBook) -> None:
        """End a halt, and take the operator's reference for the band."""
        self._end_halt()
        if command.reference is not None:
            self.last_reference = command.reference
        self.events.append(ReferenceResume(command.command_id, command.reference))

    # --- what follows without a command ----------------------------------------------------------------------------

    def follow_up(self, chosen: str | None) -> bool:
        """Do the first thing that needs no command (O4); return False if there is none.

        chosen: the order to close next, where several are to be closed and the contract does not say which is first.
        """
        due = [order for order in self.open_orders if order.is_due(self.now_ms)]
        queue = self.trigger_queue()
        if due:
            # R24: the one that was due first before the others.
            first = min(due, key=lambda order: (order.placed.expires_at_ms, order.placed.order_id))
            self._close(first, CloseReason.EXPIRED)
        elif self.halted_until_ms is not None and self.halted_until_ms <= self.now_ms:
            self._end_halt()
            self.events.append(ReferenceResume(None, None))
        elif self.trades_now and queue:
            self._trigger(queue[0])
        elif self.cancelling is not None:
            theirs = [order for order in self.open_orders if order.placed.customer == self.cancelling.customer]
            if theirs:
                self._close_chosen(theirs, chosen, self.cancelling.reason)
                self.cancelled += 1
            else:
                self.events.append(ReferenceCancelledAll(self.cancelling.command_id, self.cancelled))
                self.cancelling = None
        elif self.status is BookStatus.CLOSED and self.open_orders:
            self._close_chosen(self.open_orders, chosen, CloseReason.BOOK_CLOSED)
        else:
            return False
        return True

    # --- an order's turn -------------------------------------------------------------------------------------------

    def _trigger(self, order: ReferenceOrder) -> None:
        """Decide a parked order as a LIMIT GTC that arrives now, without a price as a MARKET order (O3)."""
        satisfied = order.satisfied_by(self.trades)
        assert satisfied is not None
        trade = self.trades[satisfied[0]]
        self.events.append(ReferenceTrigger(order.placed.order_id, trade.price, trade.maker_id, trade.taker_id))
        self.parked.remove(order)
        order.arrival = self._next_arrival()
        self._decide(order)

    def _decide(self, order: ReferenceOrder) -> None:
        placed = order.placed
        reference = self._reference()
        if placed.time_in_force is TimeInForce.FOK:
            # O15: the FOK test passes over dust makers and closes none of them. An unfillable one never halts (O12).
            _, taker = self._tried(order, reference, halts=False)
            if taker.remaining > 0:
                self._close(order, CloseReason.FOK_UNFILLABLE)
                return
        else:
            self._close_dust_on_top(placed.side, order.price)
        if placed.post_only and self._crossed(placed.side, order.price):
            self._close(order, CloseReason.POST_ONLY_WOULD_CROSS)
            return
        if self._is_below_minimum(order, reference):
            self._close(order, CloseReason.BELOW_MINIMUM)
            return
        if placed.time_in_force is TimeInForce.FOK:
            # O12: one that the breaker would stop half way fills nothing.
            trial, _ = self._tried(order, reference, halts=True)
            if trial.halted_until_ms is not None:
                self.halted_until_ms = trial.halted_until_ms
                self.events += (event for event in trial.events if isinstance(event, ReferenceHalt))
                self._close(order, CloseReason.CIRCUIT_BREAKER)
                return

        reason = self._match(order, reference, halts=True)
        if order.remaining == 0:
            self.release(order, order.hold)
        elif reason is not None:
            self._close(order, reason)
        elif order.price is None:
            self._close(order, CloseReason.MARKET_REMAINDER)
        elif placed.time_in_force is TimeInForce.IOC:
            self._close(order, CloseReason.IOC_REMAINDER)
        elif self._worth(order.remaining, order.limit) == 0:
            self._close(order, CloseReason.DUST)
        else:
            order.shown = order.slice_worth_showing(self._unit)
            self.resting.append(order)

    def _close_dust_on_top(self, side: Side, price: int | None) -> None:
        """Close dust that an order of this side and price meets before all else (O15), in the band or not."""
        for maker in self._crossed(side, price):
            if self._worth(maker.remaining, maker.limit) > 0:
                return
            self._close(maker, CloseReason.DUST)

    def _is_below_minimum(self, taker: ReferenceOrder, reference: int | None) -> bool:
        """Whether a BUY that can trade is worth less than the minimum at the best ask, dust aside (O15).

        The quantity of an order by value was rounded down to a lot; a lot more must be worth more than the minimum.
        """
        if not taker.buys or self.rules.min_order_value == 0:
            return False
        for maker in self._crossed(taker.placed.side, taker.price):
            if not self._is_allowed(maker.limit, reference):
                return False
            if self._worth(maker.remaining, maker.limit) > 0:
                quantity = taker.quantity
                if taker.placed.value is not None:
                    quantity += self.rules.lot_size
                return self._worth(quantity, maker.limit) < self.rules.min_order_value
        return False

    def _match(self, taker: ReferenceOrder, reference: int | None, *, halts: bool) -> CloseReason | None:
        """Trade as far as it goes; return why what is left may neither rest nor go on, None where it may."""
        while taker.remaining > 0:
            makers = self._crossed(taker.placed.side, taker.price)
            if not makers:
                return None
            maker = makers[0]
            if self._worth(maker.remaining, maker.limit) == 0:
                # O15: dust from before is closed when met, in the band or not.
                self._close(maker, CloseReason.DUST)
                continue
            if not self._is_allowed(maker.limit, reference):
                return CloseReason.PRICE_BAND
            quantity = wanted = min(taker.remaining, maker.shown)
            if taker.buys and taker.price is None:
                # T39: at most floor(H_left * 10^bd / p) of each maker; a maker not taken whole is the last one, for
                # going on to the next one would pass over a better price.
                quantity = min(wanted, taker.hold * self._unit // maker.limit)
                if quantity == 0:
                    return CloseReason.MARKET_REMAINDER
            if maker.placed.customer == taker.placed.customer:
                # T24.
                mode = self.rules.self_trade_prevention
                if mode in (SelfTradePrevention.CANCEL_MAKER, SelfTradePrevention.CANCEL_BOTH):
                    self._close(maker, CloseReason.SELF_TRADE_PREVENTED)
                if mode in (SelfTradePrevention.CANCEL_TAKER, SelfTradePrevention.CANCEL_BOTH):
                    return CloseReason.SELF_TRADE_PREVENTED
                if mode is SelfTradePrevention.CANCEL_MAKER:
                    continue
            if self._worth(wanted, maker.limit) == 0:
                return CloseReason.DUST  # O15: a taker's rest that buys nothing here
            if quantity < wanted:
                # A budget buys whole lots, and nothing for nothing.
                quantity = quantity // self.rules.lot_size * self.rules.lot_size
                if self._worth(quantity, maker.limit) == 0:
                    return CloseReason.MARKET_REMAINDER
            if halts and self._is_too_far(maker.limit):
                self._halt(maker.limit)
                return CloseReason.CIRCUIT_BREAKER
            self._trade(maker, taker, quantity)
            if quantity < wanted:
                return CloseReason.MARKET_REMAINDER
        return None

    def _tried(
        self, order: ReferenceOrder, reference: int | None, *, halts: bool
    ) -> tuple[ReferenceMarket, ReferenceOrder]:
        """Match the order on a copy of the market, and return what became of both."""
        trial = replace(
            self,
            resting=[copy.copy(other) for other in self.resting],
            accounts=copy.deepcopy(self.accounts),
            trades=[],
            events=[],
        )
        taker = copy.copy(order)
        trial._match(taker, reference, halts=halts)
        return trial, taker

    def _trade(self, maker: ReferenceOrder, taker: ReferenceOrder, quantity: int) -> None:
        price = maker.limit
        notional = price * quantity // self._unit
        buyer, seller = (taker, maker) if taker.buys else (maker, taker)
        buyer_bps, seller_bps = (
            (self.rules.taker_fee_bps, self.rules.maker_fee_bps)
            if buyer is taker
            else (self.rules.maker_fee_bps, self.rules.taker_fee_bps)
        )
        buyer_fee = quantity * buyer_bps // 10_000
        seller_fee = notional * seller_bps // 10_000

        # Who pays from held, who receives to available, and what the instance keeps.
        self.pay(buyer, notional)
        self.pay(seller, quantity)
        self.credit(buyer.placed.customer, Side.SELL, quantity - buyer_fee)
        self.credit(seller.placed.customer, Side.BUY, notional - seller_fee)
        self.credit(FEES, Side.SELL, buyer_fee)
        self.credit(FEES, Side.BUY, seller_fee)

        maker.remaining -= quantity
        maker.shown -= quantity
        taker.remaining -= quantity
        if buyer.price is not None:
            # T42: the hold becomes what the rest needs at the buyer's own price.
            needed = -(-buyer.price * buyer.remaining // self._unit)
            self.release(buyer, buyer.hold - needed)

        maker_fee, taker_fee = (seller_fee, buyer_fee) if buyer is taker else (buyer_fee, seller_fee)
        trade = ReferenceTrade(
            maker.placed.order_id, taker.placed.order_id, price, quantity, notional, maker_fee, taker_fee
        )
        self.trades.append(trade)
        self.events.append(trade)
        self.last_reference = None
        if self.rules.protection.halt_bps:
            # O12: the seconds of one window are kept.
            self.window = [*self._in_window(), (self.now_ms // 1000, price)]

        if maker.remaining == 0:
            self.resting.remove(maker)
        elif self._worth(maker.remaining, price) == 0:
            self._close(maker, CloseReason.DUST)
        elif self._worth(maker.shown, price) == 0:
            # O6: the next slice, at the end of the level. No slice is worth nothing, so what is left of this one
            # goes into it.
            maker.shown = maker.slice_worth_showing(self._unit)
            maker.arrival = self._next_arrival()

    # --- amendments ------------------------------------------------------------------------------------------------

    def _refusal(self, order: ReferenceOrder | None, command: AmendOrder) -> AmendRefusal | None:
        """Why the amendment is refused at its turn (O8); None: it is not."""
        if order is None:
            return AmendRefusal.NOT_OPEN
        if not self.trades_now:
            return AmendRefusal.BOOK_INACTIVE
        quantity = order.quantity if command.quantity is None else command.quantity
        if quantity <= order.quantity - order.remaining:
            return AmendRefusal.QUANTITY
        price = order.price if command.price is None else command.price
        step = order.placed.step
        if step is not None and (quantity > 10 * step or self._worth(step, price or 0) == 0):
            return AmendRefusal.SLICES
        if order in self.resting:
            self._close_dust_on_top(order.placed.side, price)
            if self._crossed(order.placed.side, price):
                return AmendRefusal.WOULD_CROSS
        return None
