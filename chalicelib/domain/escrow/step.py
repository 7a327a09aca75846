"""A step of an escrow order, and the parts that all steps are made of (``steps``, ``payment_steps``)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from chalicelib.domain.escrow.lifecycle import PAYABLE, Action, Forbidden, Status, transition
from chalicelib.domain.escrow.order import Order, Released
from chalicelib.domain.escrow.payments import Payin, PayinStatus, Payout, PayoutStatus, PayoutType, Refund
from chalicelib.domain.ledger.changes import Account, Changes, Leg, Move, received, spent
from chalicelib.domain.ledger.transactions import TransactionType
from chalicelib.support.consistency import Inconsistent

_TIMES = {
    Status.PUBLISHED: "published_at_s",
    Status.ACCEPTED: "accepted_at_s",
    Status.PENDING_RELEASE: "validated_at_s",
    Status.RELEASED: "released_at_s",
    Status.CANCELLED: "cancelled_at_s",
}
"""Which of an order's times is that of its first entry into a status."""


@dataclass(frozen=True, slots=True)
class OrderRecord:
    """An order with its latest payin and payout, read together: what a step starts from and ends with."""

    order: Order
    payin: Payin | None = None
    payout: Payout | None = None

    @property
    def needs_payout(self) -> bool:
        """Whether a validation makes a payout: there is none, or it was denied."""
        return self.payout is None or self.payout.status is PayoutStatus.DENIED


@dataclass(frozen=True, slots=True)
class Event:
    """A transition for the outbox, or a change of fields alone (E24). left: None where the order came into being."""

    name: str
    left: Status | None
    entered: Status
    at_s: int


@dataclass(frozen=True, slots=True)
class Step:
    """The result of a command: ``after``, and what is written with it in one transaction.

    payins: the open one that ends by it, if any, and the one that comes or is decided; each with the status that it
    leaves, None for a new one. payout_left: the same of after's payout, where ``puts_payout``.
    """

    before: Order | None
    after: OrderRecord
    events: tuple[Event, ...] = ()
    payins: tuple[tuple[Payin, PayinStatus | None], ...] = ()
    puts_payout: bool = False
    payout_left: PayoutStatus | None = None
    refund: Refund | None = None
    changes: Changes = field(default_factory=dict)
    legs: tuple[Leg, ...] = ()


def moved(order: Order, action: Action, at_s: int, **facts: Any) -> tuple[Order, Event]:
    """Return the order after an action, and its event. Fields of the left status are cleared unless they are given."""
    found = transition(order.status, action)
    target = found.target or order.blocked_from
    if target is None:
        raise Forbidden(action.participle, order.status)
    of_this_status: dict[str, Any] = {"release_at_s": None, "blocked_from": None}
    if target is order.status:
        of_this_status = {}
    time = _TIMES.get(target)
    if time is not None and getattr(order, time) is None:
        of_this_status[time] = at_s
    after = replace(order, status=target, **(of_this_status | facts))
    return after, Event(found.event, order.status, target, at_s)


def next_version(current: OrderRecord, after: Order) -> Order:
    return replace(after, version=current.order.version + 1)


def is_new_payin(current: OrderRecord, payin: Payin) -> bool:
    return payin.payin_id != current.order.payin_id


def open_payin_ended(current: OrderRecord) -> tuple[tuple[Payin, PayinStatus | None], ...]:
    """Return the write that cancels the open payin; nothing where none is open."""
    payin = current.payin
    if current.order.status not in PAYABLE or payin is None or payin.status is not PayinStatus.CREATED:
        return ()
    return ((replace(payin, status=PayinStatus.CANCELLED), payin.status),)


def decided_payins(current: OrderRecord, decided: Payin) -> tuple[tuple[Payin, PayinStatus | None], ...]:
    """Return the writes of a decided payin: the open one itself, or a new one, which cancels the open one."""
    if not is_new_payin(current, decided):
        return ((decided, PayinStatus.CREATED),)
    return (*open_payin_ended(current), (decided, None))


def new_payout(order: Order, payout_id: int, at_s: int) -> Payout:
    """Return a payout to the seller's wallet."""
    wallet_id = order.seller.wallet_id
    return Payout(order.scope, payout_id, order.order_id, PayoutType.WALLET, at_s, wallet_id=wallet_id)


def settlement(order: Order) -> tuple[list[Move], list[Leg], Released]:
    """Return what a release moves: R out of the buyer's hold, R - fee to the seller, fee to the desk."""
    hold, fee = order.hold, order.fee or 0
    moves = [
        spent(order.buyer_account, hold),
        received(order.seller_account, hold - fee),
        received(order.fees_account, fee),
    ]
    legs = [
        leg(TransactionType.TRANSFER, order.buyer_account, order.seller_account, hold),
        leg(TransactionType.FEE, order.seller_account, order.fees_account, fee),
    ]
    return moves, legs, Released(hold - fee, fee)


def leg(kind: TransactionType, source: Account | None, target: Account | None, amount: int) -> Leg:
    """Return a movement between accounts. source, target: None for what comes from outside, or leaves."""
    known = source or target
    if known is None:
        raise Inconsistent("a movement has an account")
    return Leg(kind, known.asset, source and source.customer, target and target.customer, amount)


def moving(legs: Iterable[Leg]) -> tuple[Leg, ...]:
    return tuple(leg for leg in legs if leg.amount)
