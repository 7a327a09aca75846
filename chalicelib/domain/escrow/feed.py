"""Events of escrow orders, as webhooks of the desk's kind show them (E24)."""

from __future__ import annotations

from decimal import Decimal

from chalicelib.domain.escrow.money import money_text
from chalicelib.domain.escrow.order import Json, Order
from chalicelib.domain.escrow.payments import Payin
from chalicelib.domain.escrow.step import Step
from chalicelib.domain.feed import event
from chalicelib.domain.feed.logs import escrow_area
from chalicelib.domain.feed.outbox import Announcement, OutboxEvent
from chalicelib.domain.ledger.feed import balances_changed

BALANCE_KIND = "escrow"


def announced(step: Step, command: str) -> Announcement:
    """Return what a step announces. command: its unique name."""
    order, payin = step.after.order, step.after.payin
    scope = order.scope
    merchant = frozenset({event.merchant_subject(scope.world.value, scope.merchant)})
    events = [
        OutboxEvent(
            happened.name,
            merchant,
            {
                "escrow": _escrow(order, happened.entered.value),
                "platform": scope.merchant,
                "payin": None if payin is None else _payin(payin),
            },
        )
        for happened in step.events
    ]
    events += balances_changed(step.changes, BALANCE_KIND, {"orderId": str(order.order_id)})
    return Announcement(escrow_area(scope.world.value, scope.merchant), str(order.order_id), command, events)


def _escrow(order: Order, status: str) -> dict[str, event.Json]:
    return {
        "id": str(order.order_id),
        "name": order.name,
        "amount": money_text(order.value, order.currency),
        "currency": order.currency.code,
        "status": status,
        "metadata": {name: _shown(value) for name, value in order.metadata.items()},
        "auto_settled": order.is_auto_settle,
    }


def _payin(payin: Payin) -> dict[str, event.Json]:
    return {
        "id": str(payin.payin_id),
        "reference_id": payin.reference,
        "escrow_id": str(payin.order_id),
        "card_id": None,
        "type": payin.type,
        "status": payin.status.value,
        "save_card": 0,
        "provider": dict(payin.provider),
        "card": None,
    }


def _shown(value: Json) -> event.Json:
    """Return a value of an order's metadata; a number with decimals as text, for a float would change it."""
    match value:
        case Decimal():
            return str(value)
        case list():
            return [_shown(one) for one in value]
        case dict():
            return {name: _shown(one) for name, one in value.items()}
        case _:
            return value
