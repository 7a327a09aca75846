"""Steps of payins and payouts of an escrow order: each is a step of the order too (``steps``)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from chalicelib.domain.escrow.lifecycle import UPDATED, Action
from chalicelib.domain.escrow.payments import Payin, PayinStatus, PayinType, Payout, PayoutStatus
from chalicelib.domain.escrow.step import (
    Event,
    OrderRecord,
    Step,
    decided_payins,
    is_new_payin,
    leg,
    moved,
    moving,
    new_payout,
    next_version,
    open_payin_ended,
    settlement,
)
from chalicelib.domain.ledger.changes import Leg, merged, received, set_aside
from chalicelib.domain.ledger.transactions import TransactionType
from chalicelib.support.consistency import Inconsistent


def payin_opened(current: OrderRecord, payin: Payin) -> Step:
    """Open a payin that waits for money from outside; it replaces an open one."""
    facts = {"payins": current.order.payins + 1, "payin_id": payin.payin_id}
    after, event = moved(current.order, Action.OPEN_PAYIN, payin.created_at_s, **facts)
    payins = (*open_payin_ended(current), (payin, None))
    return Step(current.order, OrderRecord(next_version(current, after), payin, current.payout), (event,), payins)


def payin_denied(current: OrderRecord, payin: Payin, error: str | None, at_s: int) -> Step:
    """Deny a payin: the open one, or a new one from a wallet that has too little (E16). No money moves."""
    denied = replace(payin, status=PayinStatus.DENIED, error=error, denied_at_s=at_s)
    counted = current.order.payins + is_new_payin(current, payin)
    after, event = moved(current.order, Action.FAIL_PAYIN, at_s, payins=counted, payin_id=payin.payin_id)
    payins = decided_payins(current, denied)
    return Step(current.order, OrderRecord(next_version(current, after), denied, current.payout), (event,), payins)


def payin_named(current: OrderRecord, payin: Payin, at_s: int) -> Step:
    """Keep a provider's name for the payment of a payin that was decided without one. No status changes, no money."""
    order, latest = current.order, current.payin if is_new_payin(current, payin) else payin
    after = OrderRecord(next_version(current, order), latest, current.payout)
    return Step(order, after, (Event(UPDATED, order.status, order.status, at_s),), ((payin, payin.status),))


def paid(current: OrderRecord, payin: Payin, at_s: int, payout_id: int | None = None) -> Step:
    """Pay the order: hold its value from the buyer's wallet, or as credited by the open payin from outside.

    payout_id: of an order that settles at once; this step does all of it then (E20).
    """
    order, value = current.order, current.order.value
    parties: dict[str, Any] = {"buyer": order.buyer, "seller": order.seller}
    confirmed = replace(payin, status=PayinStatus.CONFIRMED, confirmed_at_s=at_s, **parties)
    counted = order.payins + is_new_payin(current, payin)
    facts = {"hold": value, "payins": counted, "payin_id": payin.payin_id, "payin_amount": value}
    after, event = moved(order, Action.PAY, at_s, **facts)
    comes_from_wallet = payin.type == PayinType.WALLET
    moves = [set_aside(order.buyer_account, value)]
    legs: list[Leg] = []
    if not comes_from_wallet:
        moves.append(received(order.buyer_account, value))
        legs.append(leg(TransactionType.CREDIT, None, order.buyer_account, value))
    payins = decided_payins(current, confirmed)
    if not order.is_auto_settle:
        return Step(
            order,
            OrderRecord(next_version(current, after), confirmed),
            (event,),
            payins,
            changes=merged(moves),
            legs=moving(legs),
        )
    if payout_id is None:
        raise Inconsistent("an order that settles at once is paid out")
    payout = replace(new_payout(after, payout_id, at_s), status=PayoutStatus.CONFIRMED, confirmed_at_s=at_s)
    release, release_legs, released_amounts = settlement(after)
    settled, second = moved(
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
        OrderRecord(next_version(current, settled), confirmed, payout),
        (event, second),
        payins,
        puts_payout=True,
        changes=merged([*moves, *release]),
        legs=moving([*legs, *release_legs]),
    )


def payout_set(current: OrderRecord, payout: Payout) -> Step:
    """Set the payout: where the seller is to be paid."""
    facts = {"payout_id": payout.payout_id, "is_paid_outside": payout.is_external}
    after, event = moved(current.order, Action.PAY_OUT, payout.created_at_s, **facts)
    return Step(
        current.order, OrderRecord(next_version(current, after), current.payin, payout), (event,), puts_payout=True
    )


def payout_confirmed(current: OrderRecord, payout: Payout, at_s: int) -> Step:
    """Release the hold out of the ledger: the fee to the desk; the rest has reached the seller's bank (E42)."""
    order = current.order
    if not payout.is_external:
        raise Inconsistent("a payout to a wallet is released")
    after, event = moved(order, Action.RELEASE, at_s)
    moves, legs, amounts = settlement(order)
    moves.append(received(order.seller_account, -amounts.paid))
    legs.append(leg(TransactionType.DEBIT, order.seller_account, None, amounts.paid))
    after = next_version(current, replace(after, hold=0, released=amounts))
    confirmed = replace(payout, status=PayoutStatus.CONFIRMED, confirmed_at_s=at_s)
    return Step(
        order,
        OrderRecord(after, current.payin, confirmed),
        (event,),
        puts_payout=True,
        payout_left=payout.status,
        changes=merged(moves),
        legs=moving(legs),
    )


def payout_denied(current: OrderRecord, payout: Payout, error: str | None, at_s: int) -> Step:
    """Deny a payout that leaves the ledger: the order is ACCEPTED again, and takes another payout. No money moves."""
    after, event = moved(current.order, Action.FAIL_PAYOUT, at_s, is_paid_outside=False)
    denied = replace(payout, status=PayoutStatus.DENIED, error=error, denied_at_s=at_s)
    record = OrderRecord(next_version(current, after), current.payin, denied)
    return Step(current.order, record, (event,), puts_payout=True, payout_left=payout.status)
