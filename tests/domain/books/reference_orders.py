"""What the naive matcher (``reference``) keeps and tells: orders, accounts, and a record of each thing that happened.

Here too each rule stands once, in the words of the contract: what an iceberg order shows (O6), and which trade
satisfies a parked order (O2, O5).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple

from chalicelib.domain.books.vocabulary import AmendRefusal, CloseReason, OrderType, PlaceOrder
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
    """An order that ended cancelled, expired or rejected, and what of its hold went back to its owner."""

    order_id: str
    reason: CloseReason
    remaining: int
    released: int


class ReferenceTrigger(NamedTuple):
    """A parked order whose turn came, and the trade that satisfied it (O3)."""

    order_id: str
    price: int
    maker_id: str
    taker_id: str


class ReferenceAmendment(NamedTuple):
    """An amendment's outcome, and what went back to the order's owner (O8). refusal: None: it was done."""

    command_id: str
    refusal: AmendRefusal | None
    released: int


class ReferenceHalt(NamedTuple):
    """The book halts before a trade at this price (O12)."""

    until_ms: int
    price: int


class ReferenceResume(NamedTuple):
    """The end of a halt by time (no command), or the operator's command (O11, O12)."""

    command_id: str | None
    reference: int | None


class ReferenceCancelledAll(NamedTuple):
    """The end of a cancel-all, and how many orders it closed (O9)."""

    command_id: str
    closed: int


ReferenceEvent = (
    ReferenceTrade
    | ReferenceClose
    | ReferenceTrigger
    | ReferenceAmendment
    | ReferenceHalt
    | ReferenceResume
    | ReferenceCancelledAll
)


@dataclass(eq=False)
class ReferenceOrder:
    """An order as it stands.

    price: None: it takes any. quantity: with what is filled. hold: what is still held for it. shown: what of the
    remainder the book shows, while it rests. arrival: what its time priority goes by, resting or parked.
    trades_before: how many trades the book had had at its turn.
    """

    placed: PlaceOrder
    price: int | None
    quantity: int
    remaining: int
    hold: int
    arrival: int
    trades_before: int
    shown: int = 0

    @property
    def limit(self) -> int:
        assert self.price is not None, "only orders with a price rest or have a limit"
        return self.price

    @property
    def buys(self) -> bool:
        return self.placed.side is Side.BUY

    def is_due(self, at_ms: int) -> bool:
        return self.placed.expires_at_ms is not None and self.placed.expires_at_ms <= at_ms

    def slice_worth_showing(self, unit: int) -> int:
        """What the book shows of the order from now on (O6). unit: base units of one whole base token."""
        if self.placed.step is None:
            return self.remaining
        shown = min(self.placed.step, self.remaining)
        if self.limit * (self.remaining - shown) < unit:
            return self.remaining
        return shown

    def satisfied_by(self, trades: list[ReferenceTrade]) -> tuple[int, int] | None:
        """Which of the trades satisfies the parked order first, and its stop price then; None: none does.

        The last trade before its turn counts as the first after it: a stop-limit order triggers on it (O2), and a
        trailing order's reference starts with it (O5).
        """
        highest = lowest = None
        for number in range(max(0, self.trades_before - 1), len(trades)):
            price = trades[number].price
            highest = price if highest is None else max(highest, price)
            lowest = price if lowest is None else min(lowest, price)
            stop = self.placed.stop_price
            if self.placed.order_type is OrderType.TRAILING:
                assert self.placed.distance is not None
                stop = lowest + self.placed.distance if self.buys else highest - self.placed.distance
            assert stop is not None
            if price >= stop if self.buys else price <= stop:
                return number, stop
        return None


@dataclass
class ReferenceAccount:
    available: int = 0
    held: int = 0


@dataclass
class ReferenceAccounts:
    """Money of customers. ``Side.SELL`` names the base asset, ``Side.BUY`` the quote asset."""

    accounts: defaultdict[tuple[str | None, Side], ReferenceAccount] = field(
        default_factory=lambda: defaultdict(ReferenceAccount)
    )

    def credit(self, customer: str | None, asset: Side, amount: int) -> None:
        self.accounts[customer, asset].available += amount

    def set_aside(self, customer: str, asset: Side, amount: int) -> None:
        account = self.accounts[customer, asset]
        account.available -= amount
        account.held += amount

    def pay(self, order: ReferenceOrder, amount: int) -> None:
        order.hold -= amount
        self.accounts[order.placed.customer, order.placed.side].held -= amount

    def release(self, order: ReferenceOrder, amount: int) -> None:
        order.hold -= amount
        self.set_aside(order.placed.customer, order.placed.side, -amount)
