"""Steps of an escrow order: what each command changes in order, payin, payout and refund, and the money it moves.

Every step asks ``lifecycle`` first whether it is allowed. Its moves are merged, one change an account; they conserve
money, except a bank-wire payin, which credits its amount. Amounts of 0 move nothing and leave no ledger row (E12).
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
class OrderRecord:
    """An order with its latest payin and payout, read together: what a step starts from and ends with."""

    order: Order
    payin: Payin | None = None
    payout: Payout | None = None


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


def created(order: Order) -> Step:
    """Create an order: DRAFT where its buyer is known, else PENDING_DETAILS."""
    status = Status.PENDING_DETAILS if order.buyer is None else Status.DRAFT
    after = replace(order, status=status, version=1)
    return Step(None, OrderRecord(after), (Event(UPDATED, None, status, order.created_at_s),))


def updated(current: OrderRecord, changes: OrderChanges, buyer: Party | None, at_s: int) -> Step:
    """Change fields. buyer: the new one, where ``buyer_id`` changes.

    A new value or buyer cancels an open payin, which was for the old one.
    """
    order, really = current.order, real_changes(current.order, changes)
    if not really:
        return Step(order, current)
    facts: dict[str, Any] = {name: changes[name] for name in really if hasattr(order, name)}  # type: ignore[literal-required]
    facts |= {"fee_terms": fee_terms_after(order, changes)} | ({"buyer": buyer} if "buyer_id" in really else {})
    after = replace(order, **facts, version=order.version + 1)
    action = None
    if order.status is Status.PENDING_DETAILS and "buyer_id" in really:
        action = Action.FILL_IN_DETAILS
    elif order.status is Status.PENDING_PUBLISH and {"value", "buyer_id"} & set(really):
        action = Action.CHANGE_TERMS
    if action is None:
        return Step(order, replace(current, order=after), (Event(UPDATED, order.status, order.status, at_s),))
    after, event = _moved(after, action, at_s)
    ended = _open_payin_ended(current)
    payin = ended[0][0] if ended else current.payin
    return Step(order, replace(current, order=after, payin=payin), (event,), ended)


def accepted(current: OrderRecord, at_s: int) -> Step:
    return _plain(current, Action.ACCEPT, at_s)


def rejected(current: OrderRecord, at_s: int) -> Step:
    """The hold stays until it is reimbursed (E21)."""
    return _plain(current, Action.REJECT, at_s)


def blocked(current: OrderRecord, at_s: int) -> Step:
    return _plain(current, Action.BLOCK, at_s, blocked_from=current.order.status)


def unblocked(current: OrderRecord, at_s: int, release_delay_s: int) -> Step:
    """Return to the status before the block; a pending release waits its whole delay again (E22)."""
    back = current.order.blocked_from
    release_at_s = at_s + release_delay_s if back is Status.PENDING_RELEASE else None
    return _plain(current, Action.UNBLOCK, at_s, release_at_s=release_at_s)


def payin_opened(current: OrderRecord, payin: Payin) -> Step:
    """Open a bank-wire payin, which waits for its money; it replaces an open one."""
    facts = {"payins": current.order.payins + 1, "payin_id": payin.payin_id}
    after, event = _moved(current.order, Action.OPEN_PAYIN, payin.created_at_s, **facts)
    payins = (*_open_payin_ended(current), (payin, None))
    return Step(current.order, OrderRecord(_next(current, after), payin, current.payout), (event,), payins)


def payin_denied(current: OrderRecord, payin: Payin, error: str | None, at_s: int) -> Step:
    """Deny a payin: the open one, or a new one from a wallet that has too little (E16). No money moves."""
    denied = replace(payin, status=PayinStatus.DENIED, error=error, denied_at_s=at_s)
    counted = current.order.payins + _is_new(current, payin)
    after, event = _moved(current.order, Action.FAIL_PAYIN, at_s, payins=counted, payin_id=payin.payin_id)
    payins = _decided(current, denied)
    return Step(current.order, OrderRecord(_next(current, after), denied, current.payout), (event,), payins)


def paid(current: OrderRecord, payin: Payin, at_s: int, payout_id: int | None = None) -> Step:
    """Pay the order: hold its value from the buyer's wallet, or as credited by the open bank-wire payin.

    payout_id: of an order that settles at once; this step does all of it then (E20).
    """
    order, value = current.order, current.order.value
    parties: dict[str, Any] = {"buyer": order.buyer, "seller": order.seller}
    confirmed = replace(payin, status=PayinStatus.CONFIRMED, confirmed_at_s=at_s, **parties)
    counted = order.payins + _is_new(current, payin)
    facts = {"hold": value, "payins": counted, "payin_id": payin.payin_id, "payin_amount": value}
    after, event = _moved(order, Action.PAY, at_s, **facts)
    comes_from_wallet = payin.type is PayinType.WALLET
    moves = [set_aside(order.buyer_account, value)]
    legs: list[Leg] = []
    if not comes_from_wallet:
        moves.append(received(order.buyer_account, value))
        legs.append(_leg(TransactionType.CREDIT, None, order.buyer_account, value))
    payins = _decided(current, confirmed)
    if not order.is_auto_settle:
        return Step(
            order,
            OrderRecord(_next(current, after), confirmed),
            (event,),
            payins,
            changes=merged(moves),
            legs=_legs(legs),
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
        OrderRecord(_next(current, settled), confirmed, payout),
        (event, second),
        payins,
        puts_payout=True,
        changes=merged([*moves, *release]),
        legs=_legs([*legs, *release_legs]),
    )


def payout_set(current: OrderRecord, payout_id: int, at_s: int) -> Step:
    """Set the payout: the wallet in which the seller is to be paid."""
    after, event = _moved(current.order, Action.PAY_OUT, at_s, payout_id=payout_id)
    payout = _payout(after, payout_id, at_s)
    return Step(current.order, OrderRecord(_next(current, after), current.payin, payout), (event,), puts_payout=True)


def validation(*, auto_accept: bool) -> Action:
    """Return the action that validates an order. auto_accept: accept it too where the seller has not."""
    return Action.AUTO_VALIDATE if auto_accept else Action.VALIDATE


def validated(current: OrderRecord, payout_id: int, at_s: int, release_delay_s: int, *, auto_accept: bool) -> Step:
    """Validate the order for release after the delay (E22). payout_id: for a new payout, where there is none."""
    order, is_new = current.order, current.order.payout_id is None
    payout = _payout(order, payout_id, at_s) if is_new else current.payout
    facts: dict[str, Any] = {
        "release_at_s": at_s + release_delay_s,
        "payout_id": payout_id if is_new else order.payout_id,
    }
    if order.accepted_at_s is None:
        facts["accepted_at_s"] = at_s
    after, event = _moved(order, validation(auto_accept=auto_accept), at_s, **facts)
    return Step(order, OrderRecord(_next(current, after), current.payin, payout), (event,), puts_payout=is_new)


def released(current: OrderRecord, at_s: int) -> Step:
    """Release the hold: the fee to the desk, the rest to the seller (E25)."""
    order = current.order
    after, event = _moved(order, Action.RELEASE, at_s)
    moves, legs, amounts = _settlement(order)
    after = _next(current, replace(after, hold=0, released=amounts))
    if current.payout is None:
        raise Inconsistent("an order that is validated has a payout")
    payout = replace(current.payout, status=PayoutStatus.CONFIRMED, confirmed_at_s=at_s)
    return Step(
        order,
        OrderRecord(after, current.payin, payout),
        (event,),
        puts_payout=True,
        payout_left=current.payout.status,
        changes=merged(moves),
        legs=_legs(legs),
    )


def cancelled(
    current: OrderRecord,
    at_s: int,
    refund_id: int | None,
    tag: str | None = None,
    metadata: Mapping[str, Json] | None = None,
) -> Step:
    """Cancel the order: an open payin is cancelled, the rest of a hold goes back to the buyer (E21).

    refund_id: for the refund of a paid order. tag, metadata: replace the order's.
    """
    order = current.order
    transition(order.status, Action.CANCEL)
    facts: dict[str, Any] = {"tag": order.tag if tag is None else tag}
    if metadata is not None:
        facts["metadata"] = metadata
    if order.status in HOLDING:
        if refund_id is None:
            raise Inconsistent("what is held is refunded")
        return _refunded(current, order.hold, at_s, refund_id, Action.CANCEL, **facts)
    after, event = _moved(order, Action.CANCEL, at_s, **facts)
    ended = _open_payin_ended(current)
    payin = ended[0][0] if ended else current.payin
    return Step(order, OrderRecord(_next(current, after), payin, current.payout), (event,), ended)


def reimbursed(current: OrderRecord, amount: int, at_s: int, refund_id: int) -> Step:
    """Give a part of the hold back to the buyer. All of it cancels the order, unless it is rejected already."""
    order = current.order
    if not (0 <= amount <= order.hold):
        raise Inconsistent("no more is given back than is held")
    transition(order.status, Action.REIMBURSE)
    is_all = amount == order.hold and order.status in HOLDING
    return _refunded(current, amount, at_s, refund_id, Action.CANCEL if is_all else Action.REIMBURSE)


# --- parts of steps


def _plain(current: OrderRecord, action: Action, at_s: int, **facts: Any) -> Step:
    after, event = _moved(current.order, action, at_s, **facts)
    return Step(current.order, replace(current, order=_next(current, after)), (event,))


def _moved(order: Order, action: Action, at_s: int, **facts: Any) -> tuple[Order, Event]:
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


def _next(current: OrderRecord, after: Order) -> Order:
    return replace(after, version=current.order.version + 1)


def _is_new(current: OrderRecord, payin: Payin) -> bool:
    return payin.payin_id != current.order.payin_id


def _open_payin_ended(current: OrderRecord) -> tuple[tuple[Payin, PayinStatus | None], ...]:
    """Return the write that cancels the open payin; nothing where none is open."""
    payin = current.payin
    if current.order.status not in PAYABLE or payin is None or payin.status is not PayinStatus.CREATED:
        return ()
    return ((replace(payin, status=PayinStatus.CANCELLED), payin.status),)


def _decided(current: OrderRecord, decided: Payin) -> tuple[tuple[Payin, PayinStatus | None], ...]:
    """Return the writes of a decided payin: the open one itself, or a new one, which cancels the open one."""
    if not _is_new(current, decided):
        return ((decided, PayinStatus.CREATED),)
    return (*_open_payin_ended(current), (decided, None))


def _payout(order: Order, payout_id: int, at_s: int) -> Payout:
    return Payout(order.scope, payout_id, order.order_id, order.seller.wallet_id, at_s)


def _settlement(order: Order) -> tuple[list[Move], list[Leg], Released]:
    """Return what a release moves: R out of the buyer's hold, R - fee to the seller, fee to the desk."""
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


def _refunded(current: OrderRecord, amount: int, at_s: int, refund_id: int, action: Action, **facts: Any) -> Step:
    """Refund an amount; all that is left ends payin and payout."""
    order, buyer, payin, payout = current.order, current.order.buyer, current.payin, current.payout
    if buyer is None or payin is None:
        raise Inconsistent("what is held is held of a buyer, and comes from a payin")
    number, wallet_id = order.refunds + 1, buyer.wallet_id
    refund = Refund(
        order.scope, refund_id, order.order_id, number, amount, wallet_id, payin.payin_id, order.currency, at_s
    )
    state = {"hold": order.hold - amount, "refunds": number, "refund_status": RefundStatus.CONFIRMED}
    after, event = _moved(order, action, at_s, **(state | facts))
    payins: tuple[tuple[Payin, PayinStatus | None], ...] = ()
    if amount == order.hold:
        payin, left = replace(payin, status=PayinStatus.REFUNDED), payin.status
        payins = ((payin, left),)
    ends_payout = action is Action.CANCEL and payout is not None
    payout_left = payout.status if ends_payout and payout else None
    if ends_payout and payout:
        payout = replace(payout, status=PayoutStatus.CANCELLED)
    moves = [given_back(order.buyer_account, amount)]
    return Step(
        order,
        OrderRecord(_next(current, after), payin, payout),
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
