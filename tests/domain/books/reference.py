"""A naive matcher, written from the wire contract alone, to judge the real one by.

It keeps resting orders in one plain list and sorts it whenever it needs the best one, tries a fill-or-kill order on a
copy of the whole market, and moves the money of every trade at once on its own accounts. Slow and obvious is the point:
each rule stands here once, in the words of the contract, and shares no code with the matching core.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from chalicelib.domain.books.vocabulary import (
    BookRules,
    BookStatus,
    BookTerms,
    CloseReason,
    OrderType,
    PlaceOrder,
    SelfTradePrevention,
    TimeInForce,
)
from chalicelib.domain.ledger.amounts import Side

FEES = None
"""The customer under whose name the fee account is kept: none (T43)."""


class ReferenceTrade(NamedTuple):
    """One match; both fees in what the party receives: the buyer's in base, the seller's in quote."""

    maker_id: str
    taker_id: str
    price: int
    quantity: int
    notional: int
    maker_fee: int
    taker_fee: int


class ReferenceClose(NamedTuple):
    """An order that ended cancelled or rejected, and what of its hold went back to its owner."""

    order_id: str
    reason: CloseReason
    remaining: int
    released: int


@dataclass
class ReferenceOrder:
    """An order as it stands: what is unfilled, and what is still held for it."""

    placed: PlaceOrder
    arrival: int
    remaining: int
    hold: int


@dataclass
class ReferenceAccount:
    available: int = 0
    held: int = 0


@dataclass
class ReferenceMarket:
    """One book and the accounts of its customers. ``Side.SELL`` names the base asset, ``Side.BUY`` the quote asset."""

    rules: BookRules
    status: BookStatus = BookStatus.ACTIVE
    version: int = 0
    arrivals: int = 0
    resting: list[ReferenceOrder] = field(default_factory=list)
    trades: list[ReferenceTrade] = field(default_factory=list)
    closes: list[ReferenceClose] = field(default_factory=list)
    accounts: defaultdict[tuple[str | None, Side], ReferenceAccount] = field(
        default_factory=lambda: defaultdict(ReferenceAccount)
    )

    def credit(self, customer: str, asset: Side, amount: int) -> None:
        self.accounts[customer, asset].available += amount

    def admit(self, command: PlaceOrder) -> None:
        """Set the command's hold aside (5.3)."""
        account = self.accounts[command.customer, command.side]
        account.available -= command.hold
        account.held += command.hold

    def place(self, command: PlaceOrder, at_ms: int) -> None:
        """Match an admitted order; what happened is appended to ``trades`` and ``closes``."""
        self.arrivals += 1
        order = ReferenceOrder(command, self.arrivals, command.quantity, command.hold)

        if _is_due(order, at_ms):
            self._close(order, CloseReason.EXPIRED)
            return
        if self.status is not BookStatus.ACTIVE:
            self._close(order, CloseReason.BOOK_INACTIVE)
            return
        if command.time_in_force is TimeInForce.FOK:
            # O15: the FOK test passes over dust makers and closes none of them.
            if not self._fills_whole(order):
                self._close(order, CloseReason.FOK_UNFILLABLE)
                return
        else:
            self._close_dust_on_top(order)
        if command.post_only and self._crossed_by(order):
            self._close(order, CloseReason.POST_ONLY_WOULD_CROSS)
            return
        if self._is_below_minimum(order):
            self._close(order, CloseReason.BELOW_MINIMUM)
            return

        reason = self._match(order)
        if order.remaining == 0:
            self._release(order, order.hold)
        elif reason is not None:
            self._close(order, reason)
        elif command.order_type is OrderType.MARKET:
            self._close(order, CloseReason.MARKET_REMAINDER)
        elif command.time_in_force is TimeInForce.IOC:
            self._close(order, CloseReason.IOC_REMAINDER)
        elif self._worth(order.remaining, _price(order)) == 0:
            self._close(order, CloseReason.DUST)
        else:
            self.resting.append(order)

    def rest(self, command: PlaceOrder) -> None:
        """Let an admitted order rest as it is."""
        self.arrivals += 1
        self.resting.append(ReferenceOrder(command, self.arrivals, command.quantity, command.hold))

    def would_cross(self, command: PlaceOrder) -> bool:
        """Whether the order's price meets one on the other side."""
        return bool(self._crossed_by(ReferenceOrder(command, 0, command.quantity, command.hold)))

    def cancel(self, order_id: str, customer: str) -> None:
        """End a resting order, if there is one of this id and customer."""
        for order in list(self.resting):
            if order.placed.order_id == order_id and order.placed.customer == customer:
                self.resting.remove(order)
                self._close(order, CloseReason.USER_CANCELLED)

    def expire(self, at_ms: int, orders_max: int) -> None:
        """End resting orders whose time has come, the one that was due first before the others (R24)."""
        due = [order for order in self.resting if _is_due(order, at_ms)]
        due.sort(key=lambda order: (order.placed.expires_at_ms, order.placed.order_id))
        for order in due[:orders_max]:
            self.resting.remove(order)
            self._close(order, CloseReason.EXPIRED)

    def change(self, terms: BookTerms) -> None:
        """Take new terms; closed is for good (T32), and the later of two changes counts."""
        if self.status is BookStatus.CLOSED or terms.version <= self.version:
            return
        self.version, self.status = terms.version, terms.status
        self.rules = replace(
            self.rules,
            maker_fee_bps=terms.maker_fee_bps,
            taker_fee_bps=terms.taker_fee_bps,
            self_trade_prevention=terms.self_trade_prevention,
            lot_size=terms.lot_size,
            min_order_value=terms.min_order_value,
        )

    def close(self, order_ids: list[str], reason: CloseReason) -> None:
        """End these resting orders: because the book is closed, or their customer has all of its orders cancelled."""
        for order_id in order_ids:
            (order,) = (each for each in self.resting if each.placed.order_id == order_id)
            self.resting.remove(order)
            self._close(order, reason)

    def in_priority(self, side: Side) -> list[ReferenceOrder]:
        """A side's resting orders: best price first, then in the order in which they came."""
        orders = [order for order in self.resting if order.placed.side is side]
        if side is Side.BUY:
            return sorted(orders, key=lambda order: (-_price(order), order.arrival))
        return sorted(orders, key=lambda order: (_price(order), order.arrival))

    def _crossed_by(self, taker: ReferenceOrder) -> list[ReferenceOrder]:
        """The resting orders with which the taker's price allows a trade, best first."""
        opposite = Side.SELL if taker.placed.side is Side.BUY else Side.BUY
        makers = self.in_priority(opposite)
        if taker.placed.order_type is OrderType.MARKET:
            return makers
        if taker.placed.side is Side.BUY:
            return [maker for maker in makers if _price(maker) <= _price(taker)]
        return [maker for maker in makers if _price(maker) >= _price(taker)]

    def _worth(self, quantity: int, price: int) -> int:
        """What a trade of the quantity at this price would pay (T41); what is worth nothing is dust (O15)."""
        return price * quantity // self._unit

    def _close_dust_on_top(self, taker: ReferenceOrder) -> None:
        """Close dust that the taker meets before all else (O15)."""
        for maker in self._crossed_by(taker):
            if self._worth(maker.remaining, _price(maker)) > 0:
                return
            self.resting.remove(maker)
            self._close(maker, CloseReason.DUST)

    def _is_below_minimum(self, taker: ReferenceOrder) -> bool:
        """Whether a BUY that can trade is worth less than the minimum at the best ask, dust aside (O15).

        The quantity of an order by value was rounded down to a lot; a lot more must be worth more than the minimum.
        """
        if taker.placed.side is not Side.BUY or self.rules.min_order_value == 0:
            return False
        for maker in self._crossed_by(taker):
            if self._worth(maker.remaining, _price(maker)) > 0:
                quantity = taker.placed.quantity
                if taker.placed.value is not None:
                    quantity += self.rules.lot_size
                return self._worth(quantity, _price(maker)) < self.rules.min_order_value
        return False

    def _match(self, taker: ReferenceOrder) -> CloseReason | None:
        """Trade as far as it goes; return why what is left may neither rest nor go on, None where it may."""
        budgeted = taker.placed.order_type is OrderType.MARKET and taker.placed.side is Side.BUY
        for maker in self._crossed_by(taker):
            if taker.remaining == 0:
                return None
            if self._worth(maker.remaining, _price(maker)) == 0:
                # O15: dust from before is closed when met.
                self.resting.remove(maker)
                self._close(maker, CloseReason.DUST)
                continue
            quantity = wanted = min(taker.remaining, maker.remaining)
            if budgeted:
                # T39: at most floor(H_left * 10^bd / p) of each maker; a maker not taken whole is the last one, for
                # going on to the next one would pass over a better price.
                quantity = min(wanted, taker.hold * self._unit // _price(maker))
                if quantity == 0:
                    return CloseReason.MARKET_REMAINDER
            if maker.placed.customer == taker.placed.customer:
                # T24.
                mode = self.rules.self_trade_prevention
                if mode in (SelfTradePrevention.CANCEL_MAKER, SelfTradePrevention.CANCEL_BOTH):
                    self.resting.remove(maker)
                    self._close(maker, CloseReason.SELF_TRADE_PREVENTED)
                if mode in (SelfTradePrevention.CANCEL_TAKER, SelfTradePrevention.CANCEL_BOTH):
                    return CloseReason.SELF_TRADE_PREVENTED
                if mode is SelfTradePrevention.CANCEL_MAKER:
                    continue
            if self._worth(wanted, _price(maker)) == 0:
                return CloseReason.DUST  # O15: a taker's rest that buys nothing here
            if quantity < wanted:
                # A budget buys whole lots, and nothing for nothing.
                quantity = quantity // self.rules.lot_size * self.rules.lot_size
                if self._worth(quantity, _price(maker)) == 0:
                    return CloseReason.MARKET_REMAINDER
            self._trade(maker, taker, quantity)
            if maker.remaining and self._worth(maker.remaining, _price(maker)) == 0:
                self.resting.remove(maker)
                self._close(maker, CloseReason.DUST)
            if quantity < wanted:
                return CloseReason.MARKET_REMAINDER
        return None

    def _fills_whole(self, order: ReferenceOrder) -> bool:
        """Try the order on a copy of the market."""
        trial = copy.deepcopy(self)
        taker = copy.deepcopy(order)
        trial._match(taker)
        return taker.remaining == 0

    def _trade(self, maker: ReferenceOrder, taker: ReferenceOrder, quantity: int) -> None:
        price = _price(maker)
        notional = price * quantity // self._unit
        buyer, seller = (taker, maker) if taker.placed.side is Side.BUY else (maker, taker)
        buyer_bps, seller_bps = (
            (self.rules.taker_fee_bps, self.rules.maker_fee_bps)
            if buyer is taker
            else (self.rules.maker_fee_bps, self.rules.taker_fee_bps)
        )
        buyer_fee = quantity * buyer_bps // 10_000
        seller_fee = notional * seller_bps // 10_000

        # Who pays from held, who receives to available, and what the instance keeps.
        self._pay(buyer, notional)
        self._pay(seller, quantity)
        self.accounts[buyer.placed.customer, Side.SELL].available += quantity - buyer_fee
        self.accounts[seller.placed.customer, Side.BUY].available += notional - seller_fee
        self.accounts[FEES, Side.SELL].available += buyer_fee
        self.accounts[FEES, Side.BUY].available += seller_fee

        maker.remaining -= quantity
        taker.remaining -= quantity
        if buyer.placed.order_type is OrderType.LIMIT:
            # T42: the hold becomes what the rest needs at the buyer's own price.
            needed = -(-_price(buyer) * buyer.remaining // self._unit)
            self._release(buyer, buyer.hold - needed)
        if maker.remaining == 0:
            self.resting.remove(maker)

        maker_fee, taker_fee = (seller_fee, buyer_fee) if buyer is taker else (buyer_fee, seller_fee)
        self.trades.append(
            ReferenceTrade(
                maker.placed.order_id, taker.placed.order_id, price, quantity, notional, maker_fee, taker_fee
            )
        )

    def _pay(self, order: ReferenceOrder, amount: int) -> None:
        order.hold -= amount
        self.accounts[order.placed.customer, order.placed.side].held -= amount

    def _release(self, order: ReferenceOrder, amount: int) -> None:
        order.hold -= amount
        account = self.accounts[order.placed.customer, order.placed.side]
        account.held -= amount
        account.available += amount

    def _close(self, order: ReferenceOrder, reason: CloseReason) -> None:
        self.closes.append(ReferenceClose(order.placed.order_id, reason, order.remaining, order.hold))
        self._release(order, order.hold)

    @property
    def _unit(self) -> int:
        """Base units in one whole base token."""
        return int(10**self.rules.base_decimals)


def _is_due(order: ReferenceOrder, at_ms: int) -> bool:
    return order.placed.expires_at_ms is not None and order.placed.expires_at_ms <= at_ms


def _price(order: ReferenceOrder) -> int:
    assert order.placed.price is not None, "only LIMIT orders rest or have a limit"
    return order.placed.price
