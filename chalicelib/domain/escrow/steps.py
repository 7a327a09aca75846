"""Steps of an escrow order: what each command changes in order, payin, payout and refund, and the money it moves.

Every step asks ``lifecycle`` first whether it is allowed. Its moves are merged, one change an account; they conserve
money, except a bank-wire payin, which credits its amount. Amounts of 0 move nothing and leave no ledger row (E12).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from chalicelib.domain.escrow.checks import fee_terms_after, real_changes
from chalicelib.domain.escrow.commands import OrderChanges
from chalicelib.domain.escrow.lifecycle import HOLDING, UPDATED, Action, Forbidden, Status, transition
from chalicelib.domain.escrow.order import Json, Order, Party, RefundStatus
from chalicelib.domain.escrow.payments import Payin, PayinStatus, PayoutStatus, Refund
from chalicelib.domain.escrow.step import (
    Event,
    OrderRecord,
    Step,
    moved,
    moving,
    new_payout,
    next_version,
    open_payin_ended,
    settlement,
)
from chalicelib.domain.ledger.changes import given_back, merged
from chalicelib.support.consistency import Inconsistent


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
    after, event = moved(after, action, at_s)
    ended = open_payin_ended(current)
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
    order = current.order
    is_released_later = order.blocked_from is Status.PENDING_RELEASE and not order.is_paid_outside
    release_at_s = at_s + release_delay_s if is_released_later else None
    return _plain(current, Action.UNBLOCK, at_s, release_at_s=release_at_s)


def validation(*, auto_accept: bool) -> Action:
    """Return the action that validates an order. auto_accept: accept it too where the seller has not."""
    return Action.AUTO_VALIDATE if auto_accept else Action.VALIDATE


def validated(current: OrderRecord, payout_id: int, at_s: int, release_delay_s: int, *, auto_accept: bool) -> Step:
    """Validate the order for release after the delay (E22), or when the operator confirms its payout (E42).

    payout_id: for a new payout, where one is needed.
    """
    order, is_new = current.order, current.needs_payout
    payout = new_payout(order, payout_id, at_s) if is_new else current.payout
    facts: dict[str, Any] = {
        "release_at_s": None if order.is_paid_outside else at_s + release_delay_s,
        "payout_id": payout_id if is_new else order.payout_id,
    }
    if order.accepted_at_s is None:
        facts["accepted_at_s"] = at_s
    after, event = moved(order, validation(auto_accept=auto_accept), at_s, **facts)
    return Step(order, OrderRecord(next_version(current, after), current.payin, payout), (event,), puts_payout=is_new)


def released(current: OrderRecord, at_s: int) -> Step:
    """Release the hold: the fee to the desk, the rest to the seller (E25)."""
    order = current.order
    after, event = moved(order, Action.RELEASE, at_s)
    moves, legs, amounts = settlement(order)
    after = next_version(current, replace(after, hold=0, released=amounts))
    if current.payout is None or current.payout.is_external:
        raise Inconsistent("an order that is released has a payout to a wallet")
    payout = replace(current.payout, status=PayoutStatus.CONFIRMED, confirmed_at_s=at_s)
    return Step(
        order,
        OrderRecord(after, current.payin, payout),
        (event,),
        puts_payout=True,
        payout_left=current.payout.status,
        changes=merged(moves),
        legs=moving(legs),
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
    demand_givable(order, Action.CANCEL)
    facts: dict[str, Any] = {"tag": order.tag if tag is None else tag}
    if metadata is not None:
        facts["metadata"] = metadata
    if order.status in HOLDING:
        if refund_id is None:
            raise Inconsistent("what is held is refunded")
        return _refunded(current, order.hold, at_s, refund_id, Action.CANCEL, **facts)
    after, event = moved(order, Action.CANCEL, at_s, **facts)
    ended = open_payin_ended(current)
    payin = ended[0][0] if ended else current.payin
    return Step(order, OrderRecord(next_version(current, after), payin, current.payout), (event,), ended)


def reimbursed(current: OrderRecord, amount: int, at_s: int, refund_id: int) -> Step:
    """Give a part of the hold back to the buyer. All of it cancels the order, unless it is rejected already."""
    order = current.order
    if not (0 <= amount <= order.hold):
        raise Inconsistent("no more is given back than is held")
    demand_givable(order, Action.REIMBURSE)
    is_all = amount == order.hold and order.status in HOLDING
    return _refunded(current, amount, at_s, refund_id, Action.CANCEL if is_all else Action.REIMBURSE)


def demand_givable(order: Order, action: Action) -> None:
    """Raise Forbidden where nothing is given back in this status, or a bank may have the money: then the operator
    denies the payout first (E42). action: CANCEL or REIMBURSE.
    """
    transition(order.status, action)
    if order.is_at_the_bank:
        raise Forbidden(action.participle, order.status)


def _plain(current: OrderRecord, action: Action, at_s: int, **facts: Any) -> Step:
    after, event = moved(current.order, action, at_s, **facts)
    return Step(current.order, replace(current, order=next_version(current, after)), (event,))


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
    after, event = moved(order, action, at_s, **(state | facts))
    payins: tuple[tuple[Payin, PayinStatus | None], ...] = ()
    if amount == order.hold:
        payin, left = replace(payin, status=PayinStatus.REFUNDED), payin.status
        payins = ((payin, left),)
    ends_payout = action is Action.CANCEL and payout is not None and payout.status is PayoutStatus.CREATED
    payout_left = payout.status if ends_payout and payout else None
    if ends_payout and payout:
        payout = replace(payout, status=PayoutStatus.CANCELLED)
    moves = [given_back(order.buyer_account, amount)]
    return Step(
        order,
        OrderRecord(next_version(current, after), payin, payout),
        (event,),
        payins,
        puts_payout=ends_payout,
        payout_left=payout_left,
        refund=refund,
        changes=merged(moves),
    )
