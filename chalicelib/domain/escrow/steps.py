"""What each command makes of an order: one step, from the order as it is to order, payin, payout and refund as they are
then, and the money moved. Pure; ``lifecycle`` says what is allowed, and every step here asks it first.

What a step moves is merged, one change an account; it neither makes nor loses money, but for a bank-wire payin, which
brings in what its credit says. Amounts of 0 move nothing and leave no ledger row (E12).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from chalicelib.domain.escrow.checks import fee_terms_after, real_changes
from chalicelib.domain.escrow.commands import OrderChanges
from chalicelib.domain.escrow.lifecycle import HOLDING, PAYABLE, UPDATED, Action, Forbidden, Status, transition
from chalicelib.domain.escrow.order import (
    Json,
    Order,
    Party,
    Payin,
    PayinStatus,
    PayinType,
    Payout,
    PayoutStatus,
    Refund,
    RefundStatus,
    Released,
)
from chalicelib.domain.ledger.changes import Account, Changes, Leg, Move, given_back, merged, received, set_aside, spent
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
class Case:
    """An order with its latest payin and payout, as they were read together: what a step starts from."""

    order: Order
    payin: Payin | None = None
    payout: Payout | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """A transition for the outbox (E24). left: None where the order came into being."""

    name: str
    left: Status | None
    entered: Status
    at_s: int


@dataclass(frozen=True, slots=True)
class Step:
    """What a command makes of a case: ``after``, and what is written with it in one transaction.

    payins: the open one that ends by it, if any, and the one that comes or is decided; each with the status that it
    leaves, None for a new one. payout_left: the same of after's payout, where ``puts_payout``.
    """

    before: Order | None
    after: Case
    events: tuple[Event, ...] = ()
    payins: tuple[tuple[Payin, PayinStatus | None], ...] = ()
    puts_payout: bool = False
    payout_left: PayoutStatus | None = None
    refund: Refund | None = None
    changes: Changes = field(default_factory=dict)
    legs: tuple[Leg, ...] = ()


def created(order: Order) -> Step:
    """A new order: DRAFT where its buyer is known, else PENDING_DETAILS."""
    status = Status.PENDING_DETAILS if order.buyer is None else Status.DRAFT
    after = replace(order, status=status, version=1)
    return Step(None, Case(after), (Event(UPDATED, None, status, order.created_at_s),))


def updated(case: Case, changes: OrderChanges, buyer: Party | None, at_s: int) -> Step:
    """Fields changed; buyer: the new one, where ``buyer_id`` is another.

    A new value or buyer ends an open payin, which was for the old one.
    """
    order, really = case.order, real_changes(case.order, changes)
    if not really:
        return Step(order, case)
    facts: dict[str, Any] = {name: changes[name] for name in really if hasattr(order, name)}  # type: ignore[literal-required]
    facts |= {"fee_terms": fee_terms_after(order, changes)} | ({"buyer": buyer} if "buyer_id" in really else {})
    after = replace(order, **facts, version=order.version + 1)
    action = None
    if order.status is Status.PENDING_DETAILS and "buyer_id" in really:
        action = Action.FILL_IN_DETAILS
    elif order.status is Status.PENDING_PUBLISH and {"value", "buyer_id"} & set(really):
        action = Action.CHANGE_TERMS
    if action is None:
        return Step(order, replace(case, order=after))
    after, event = _moved(after, action, at_s)
    ended = _open_payin_ended(case)
    payin = ended[0][0] if ended else case.payin
    return Step(order, replace(case, order=after, payin=payin), (event,), ended)


def accepted(case: Case, at_s: int) -> Step:
    return _plain(case, Action.ACCEPT, at_s)


def rejected(case: Case, at_s: int) -> Step:
    """The hold stays until it is reimbursed (E21)."""
    return _plain(case, Action.REJECT, at_s)


def blocked(case: Case, at_s: int) -> Step:
    return _plain(case, Action.BLOCK, at_s, blocked_from=case.order.status)


def unblocked(case: Case, at_s: int, release_delay_s: int) -> Step:
    """Back to where it was blocked; a release that was under way waits its whole delay again (E22)."""
    back = case.order.blocked_from
    release_at_s = at_s + release_delay_s if back is Status.PENDING_RELEASE else None
    return _plain(case, Action.UNBLOCK, at_s, release_at_s=release_at_s)


def payin_opened(case: Case, payin: Payin) -> Step:
    """A bank-wire payin waits for its money, in place of an open one."""
    facts = {"payins": case.order.payins + 1, "payin_id": payin.payin_id}
    after, event = _moved(case.order, Action.OPEN_PAYIN, payin.created_at_s, **facts)
    payins = (*_open_payin_ended(case), (payin, None))
    return Step(case.order, Case(_next(case, after), payin, case.payout), (event,), payins)


def payin_denied(case: Case, payin: Payin, error: str | None, at_s: int) -> Step:
    """A payin is denied: the open one, or a new one of a wallet that has too little (E16). No money moves."""
    denied = replace(payin, status=PayinStatus.DENIED, error=error, denied_at_s=at_s)
    counted = case.order.payins + _is_new(case, payin)
    after, event = _moved(case.order, Action.FAIL_PAYIN, at_s, payins=counted, payin_id=payin.payin_id)
    payins = _decided(case, denied)
    return Step(case.order, Case(_next(case, after), denied, case.payout), (event,), payins)


def paid(case: Case, payin: Payin, at_s: int, payout_id: int | None = None) -> Step:
    """The order's value is held: from the buyer's wallet, or credited by the open bank-wire payin.

    payout_id: of an order that settles at once; all of it is done in this step then (E20).
    """
    order, value = case.order, case.order.value
    parties: dict[str, Any] = {"buyer": order.buyer, "seller": order.seller}
    confirmed = replace(payin, status=PayinStatus.CONFIRMED, confirmed_at_s=at_s, **parties)
    counted = order.payins + _is_new(case, payin)
    facts = {"hold": value, "payins": counted, "payin_id": payin.payin_id, "payin_amount": value}
    after, event = _moved(order, Action.PAY, at_s, **facts)
    comes_from_wallet = payin.type is PayinType.WALLET
    moves = [set_aside(order.buyer_account, value)]
    legs: list[Leg] = []
    if not comes_from_wallet:
        moves.append(received(order.buyer_account, value))
        legs.append(_leg(TransactionType.CREDIT, None, order.buyer_account, value))
    payins = _decided(case, confirmed)
    if not order.is_auto_settle:
        return Step(
            order, Case(_next(case, after), confirmed), (event,), payins, changes=merged(moves), legs=_legs(legs)
        )
    if payout_id is None:
        raise Inconsistent("an order that settles at once is paid out")
    payout = replace(_payout(after, payout_id, at_s), status=PayoutStatus.CONFIRMED, confirmed_at_s=at_s)
    release, release_legs, released_amounts = _settlement(after)
    settled, second = _moved(
        after,
        Action.SETTLE,
        at_s,
        hold=0,
        payout_id=payout_id,
        released=released_amounts,
        accepted_at_s=at_s,
        validated_at_s=at_s,
    )
    return Step(
        order,
        Case(_next(case, settled), confirmed, payout),
        (event, second),
        payins,
        puts_payout=True,
        changes=merged([*moves, *release]),
        legs=_legs([*legs, *release_legs]),
    )


def payout_set(case: Case, payout_id: int, at_s: int) -> Step:
    """Where the seller is to be paid."""
    after, event = _moved(case.order, Action.PAY_OUT, at_s, payout_id=payout_id)
    payout = _payout(after, payout_id, at_s)
    return Step(case.order, Case(_next(case, after), case.payin, payout), (event,), puts_payout=True)


def validation(*, auto_accept: bool) -> Action:
    """Return which action validates an order; auto_accept: one that the seller has not accepted too."""
    return Action.AUTO_VALIDATE if auto_accept else Action.VALIDATE


def validated(case: Case, payout_id: int, at_s: int, release_delay_s: int, *, auto_accept: bool) -> Step:
    """The order is good for release, after the delay (E22). payout_id: for a payout, where there is none yet."""
    order, is_new = case.order, case.order.payout_id is None
    payout = _payout(order, payout_id, at_s) if is_new else case.payout
    facts: dict[str, Any] = {
        "release_at_s": at_s + release_delay_s,
        "payout_id": payout_id if is_new else order.payout_id,
    }
    if order.accepted_at_s is None:
        facts["accepted_at_s"] = at_s
    after, event = _moved(order, validation(auto_accept=auto_accept), at_s, **facts)
    return Step(order, Case(_next(case, after), case.payin, payout), (event,), puts_payout=is_new)


def released(case: Case, at_s: int) -> Step:
    """The hold goes to the seller, less the fee; the fee to the desk (E25)."""
    order = case.order
    after, event = _moved(order, Action.RELEASE, at_s)
    moves, legs, amounts = _settlement(order)
    after = _next(case, replace(after, hold=0, released=amounts))
    if case.payout is None:
        raise Inconsistent("an order that is validated has a payout")
    payout = replace(case.payout, status=PayoutStatus.CONFIRMED, confirmed_at_s=at_s)
    return Step(
        order,
        Case(after, case.payin, payout),
        (event,),
        puts_payout=True,
        payout_left=case.payout.status,
        changes=merged(moves),
        legs=_legs(legs),
    )


def cancelled(
    case: Case, at_s: int, refund_id: int | None, tag: str | None = None, metadata: Mapping[str, Json] | None = None
) -> Step:
    """The order is over: an open payin ends, what is left of a hold goes back to the buyer (E21).

    refund_id: for the refund of a paid order. tag: replaces the order's; metadata: the order's from now on.
    """
    order = case.order
    transition(order.status, Action.CANCEL)
    facts: dict[str, Any] = {"tag": order.tag if tag is None else tag}
    if metadata is not None:
        facts["metadata"] = metadata
    if order.status in HOLDING:
        if refund_id is None:
            raise Inconsistent("what is held is refunded")
        return _refunded(case, order.hold, at_s, refund_id, Action.CANCEL, **facts)
    after, event = _moved(order, Action.CANCEL, at_s, **facts)
    ended = _open_payin_ended(case)
    payin = ended[0][0] if ended else case.payin
    return Step(order, Case(_next(case, after), payin, case.payout), (event,), ended)


def reimbursed(case: Case, amount: int, at_s: int, refund_id: int) -> Step:
    """A part of the hold goes back to the buyer; all of it ends the order, but a rejected one, which has ended."""
    order = case.order
    if not (0 <= amount <= order.hold):
        raise Inconsistent("no more is given back than is held")
    transition(order.status, Action.REIMBURSE)
    is_all = amount == order.hold and order.status in HOLDING
    return _refunded(case, amount, at_s, refund_id, Action.CANCEL if is_all else Action.REIMBURSE)


# --- parts of steps


def _plain(case: Case, action: Action, at_s: int, **facts: Any) -> Step:
    after, event = _moved(case.order, action, at_s, **facts)
    return Step(case.order, replace(case, order=_next(case, after)), (event,))


def _moved(order: Order, action: Action, at_s: int, **facts: Any) -> tuple[Order, Event]:
    """Return the order after an action, and its event. What belongs to one status only is gone unless it is given."""
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


def _next(case: Case, after: Order) -> Order:
    return replace(after, version=case.order.version + 1)


def _is_new(case: Case, payin: Payin) -> bool:
    return payin.payin_id != case.order.payin_id


def _open_payin_ended(case: Case) -> tuple[tuple[Payin, PayinStatus | None], ...]:
    """Return the open payin, which is over; nothing where none is open."""
    payin = case.payin
    if case.order.status not in PAYABLE or payin is None or payin.status is not PayinStatus.CREATED:
        return ()
    return ((replace(payin, status=PayinStatus.CANCELLED), payin.status),)


def _decided(case: Case, decided: Payin) -> tuple[tuple[Payin, PayinStatus | None], ...]:
    """Return the writes of a payin that was decided: the open one itself, or a new one, which ends the open one."""
    if not _is_new(case, decided):
        return ((decided, PayinStatus.CREATED),)
    return (*_open_payin_ended(case), (decided, None))


def _payout(order: Order, payout_id: int, at_s: int) -> Payout:
    return Payout(order.place, payout_id, order.order_id, order.seller.wallet_id, at_s)


def _settlement(order: Order) -> tuple[list[Move], list[Leg], Released]:
    """Return what a release moves: R out of the buyer's hold, R - fee to the seller, the fee to the desk."""
    hold, fee = order.hold, order.fee or 0
    moves = [
        spent(order.buyer_account, hold),
        received(order.seller_account, hold - fee),
        received(order.fees_account, fee),
    ]
    legs = [
        _leg(TransactionType.TRANSFER, order.buyer_account, order.seller_account, hold),
        _leg(TransactionType.FEE, order.seller_account, order.fees_account, fee),
    ]
    return moves, legs, Released(hold - fee, fee)


def _refunded(case: Case, amount: int, at_s: int, refund_id: int, action: Action, **facts: Any) -> Step:
    """Give back an amount; all that is left ends payin and payout."""
    order, buyer = case.order, case.order.buyer
    if buyer is None:
        raise Inconsistent("what is held is held of a buyer")
    number = order.refunds + 1
    refund = Refund(order.place, refund_id, order.order_id, number, amount, buyer.wallet_id, at_s)
    state = {"hold": order.hold - amount, "refunds": number, "refund_status": RefundStatus.CONFIRMED}
    after, event = _moved(order, action, at_s, **(state | facts))
    payin, payout = case.payin, case.payout
    payins: tuple[tuple[Payin, PayinStatus | None], ...] = ()
    if amount == order.hold:
        if payin is None:
            raise Inconsistent("a hold comes from a payin")
        payin, left = replace(payin, status=PayinStatus.REFUNDED), payin.status
        payins = ((payin, left),)
    ends_payout = action is Action.CANCEL and payout is not None
    payout_left = payout.status if ends_payout and payout else None
    if ends_payout and payout:
        payout = replace(payout, status=PayoutStatus.CANCELLED)
    moves = [given_back(order.buyer_account, amount)]
    return Step(
        order,
        Case(_next(case, after), payin, payout),
        (event,),
        payins,
        puts_payout=ends_payout,
        payout_left=payout_left,
        refund=refund,
        changes=merged(moves),
    )


def _leg(kind: TransactionType, source: Account | None, target: Account, amount: int) -> Leg:
    return Leg(kind, target.asset, source.customer if source else None, target.customer, amount)


def _legs(legs: Iterable[Leg]) -> tuple[Leg, ...]:
    return tuple(leg for leg in legs if leg.amount)
