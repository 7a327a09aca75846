"""Events of signed orders: each step's new status or cancel request, and the balances that it changes."""

from __future__ import annotations

from datetime import UTC, datetime

from chalicelib.domain.feed.event import ALL_TAKERS, Json, maker_subject, taker_subject
from chalicelib.domain.feed.logs import SIGNED_AREA
from chalicelib.domain.feed.outbox import Announcement, OutboxEvent
from chalicelib.domain.ledger.changes import Changes
from chalicelib.domain.ledger.feed import balances_changed
from chalicelib.domain.signed.lifecycle import Lock, Status
from chalicelib.domain.signed.order import customer_of, lock_id_of
from chalicelib.domain.signed.stored import Fill, StoredOrder

BALANCE_KIND = "signed_order"


def announced(before: StoredOrder | None, after: StoredOrder, changes: Changes, fill: Fill | None) -> Announcement:
    """Return what a step announces. before: None of a new order; fill: what the step fills."""
    about: dict[str, Json] = {"orderHash": after.order_hash, "orderId": after.order_id}
    events = [_event(before, after, about, fill), *balances_changed(changes, BALANCE_KIND, about)]
    return Announcement(SIGNED_AREA, after.order_id, after.written_by, events)


def _event(before: StoredOrder | None, after: StoredOrder, about: dict[str, Json], fill: Fill | None) -> OutboxEvent:
    state, maker = after.state, maker_subject(customer_of(after.order.maker))
    lock = state.lock or (before.state.lock if before else None)
    receivers = {maker} | ({taker_subject(customer_of(lock.taker))} if lock else set())
    about = about | {"maker": after.order.maker, "taker": lock.taker if lock else None}
    if before is not None and state.is_cancel_requested and not before.state.is_cancel_requested:
        asked = about | {"reason": "user_requested", "requestId": after.written_by, "expiresAt": _end_of(state.lock)}
        return OutboxEvent("signed_order.cancel_requested", frozenset(receivers), asked)
    if state.lock is None and state.status in (Status.PENDING, Status.PARTIALLY_FILLED):
        receivers.add(ALL_TAKERS)
    body = about | {
        "fromStatus": before.state.status.value if before else None,
        "toStatus": state.status.value,
        "ticker": after.order.ticker,
        "isBuy": after.order.is_buy,
        "quantity": str(after.order.quantity),
        "filledQuantity": str(state.filled),
        "lockId": lock_id_of(after.order_hash, lock.taker, lock.locked_at_s, lock.expires_at_s) if lock else None,
        "expiresAt": _end_of(state.lock),
        "fill": _shown(fill) if fill else None,
    }
    return OutboxEvent(f"signed_order.{state.status.value}", frozenset(receivers), body)


def _end_of(lock: Lock | None) -> str | None:
    return None if lock is None else datetime.fromtimestamp(lock.expires_at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _shown(fill: Fill) -> dict[str, Json]:
    return {
        "reference": fill.reference_id,
        "quantity": str(fill.quantity),
        "amount": str(fill.amount),
        "fee": str(fill.fee),
        "incentive": str(fill.incentive),
        "txHash": fill.tx_hash,
    }
