"""Schemas of what the feed's events say, by form of body: the members of each, as docs/events.md explains them.

JSON Schema of draft 7, which AsyncAPI 3 knows. Tests compare them with real events of every type.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from chalicelib.domain.books.vocabulary import (
    AmendRefusal,
    BookStatus,
    CloseReason,
    OrderType,
    SelfTradePrevention,
    TimeInForce,
)
from chalicelib.domain.escrow import lifecycle as escrow
from chalicelib.domain.escrow.payments import PayinStatus
from chalicelib.domain.ledger.amounts import Side
from chalicelib.domain.signed import lifecycle as signed

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
FLAG: Schema = {"type": "boolean"}
COUNT: Schema = {"type": "integer", "minimum": 0}
AMOUNT: Schema = {"type": "string", "pattern": "^[0-9]+$", "description": "Base units, as a decimal string."}
CHANGE: Schema = {
    "type": "string",
    "pattern": "^-?[0-9]+$",
    "description": "Base units to add, as a signed decimal string.",
}
TIME: Schema = {"type": "string", "format": "date-time", "description": "ISO 8601, UTC."}


def object_of(members: Mapping[str, Schema], optional: tuple[str, ...] = (), about: str = "") -> Schema:
    """Return the schema of an object. optional: members that may be left out."""
    schema: Schema = {"type": "object", "properties": dict(members)}
    required = [name for name in members if name not in optional]
    return schema | ({"required": required} if required else {}) | ({"description": about} if about else {})


def one_of(words: type[StrEnum] | tuple[str, ...], about: str = "") -> Schema:
    """Return the schema of a text that is one of these words."""
    return {"type": "string", "enum": [str(word) for word in words]} | ({"description": about} if about else {})


def or_null(schema: Schema, about: str = "") -> Schema:
    """Return the schema of a value that may be null."""
    found = {**schema, "type": [schema["type"], "null"]}
    return found | ({"enum": [*schema["enum"], None]} if "enum" in schema else {}) | (
        {"description": about} if about else {}
    )  # fmt: skip


SIDE = one_of(Side)
ORDER = {"orderId": TEXT, "bookId": TEXT, "customerRef": TEXT}
ORDER_OF_SIDE = {**ORDER, "side": SIDE, "quantity": AMOUNT}
PROGRESS = {"filledQuantity": AMOUNT, "remainingQuantity": AMOUNT}
PRICE = or_null(AMOUNT, "In quote base units for one whole base asset; null of an order without a limit.")
TRADE = {"tradeId": TEXT, "bookId": TEXT, "price": AMOUNT, "quantity": AMOUNT, "notional": AMOUNT}
FILLED = object_of({**ORDER_OF_SIDE, **PROGRESS, "tradeId": TEXT})
CLOSED = object_of({**ORDER_OF_SIDE, **PROGRESS, "reason": one_of(CloseReason, "Rule T28 lists them.")})
RULES = {
    "lotSize": AMOUNT,
    "minOrderValue": AMOUNT,
    **dict.fromkeys(("priceBandBps", "haltBps", "haltWindowSeconds", "haltSeconds"), COUNT),
}
"""Rules that a book has only where they are set."""

BALANCE = {
    "customerRef": or_null(TEXT, "Null of an account that takes fees; the operator alone receives such an event."),
    "asset": TEXT,
    "available": CHANGE,
    "held": CHANGE,
}

BOOK: Mapping[str, Schema] = {
    "trade.executed": object_of(
        {
            **TRADE,
            "takerSide": SIDE,
            "takerType": one_of(OrderType),
            "makerType": one_of(OrderType),
            "makerOrderId": TEXT,
            "takerOrderId": TEXT,
        }
    ),
    "depth.changed": object_of(
        {
            "bookId": TEXT,
            "changes": {"type": "array", "items": object_of({"side": SIDE, "price": AMOUNT, "change": CHANGE})},
        }
    ),
    "book.changed": object_of(
        {
            "bookId": TEXT,
            "version": COUNT,
            "status": one_of(BookStatus),
            "makerFeeBps": COUNT,
            "takerFeeBps": COUNT,
            "selfTradePrevention": one_of(SelfTradePrevention),
            **RULES,
        },
        optional=tuple(RULES),
    ),
    "order.accepted": object_of(
        {
            **ORDER_OF_SIDE,
            "type": one_of(OrderType),
            "timeInForce": one_of(TimeInForce),
            "price": PRICE,
            "postOnly": FLAG,
            "value": or_null(AMOUNT),
            "externalId": or_null(TEXT),
            "expiresAt": or_null(TIME),
            "stopPrice": or_null(AMOUNT),
            "distance": or_null(AMOUNT),
            "step": or_null(AMOUNT),
        }
    ),
    "order.rested": object_of({**ORDER_OF_SIDE, "price": AMOUNT, "remainingQuantity": AMOUNT}),
    "order.partially_filled": FILLED,
    "order.filled": FILLED,
    "order.cancelled": CLOSED,
    "order.expired": CLOSED,
    "order.rejected": CLOSED,
    "order.cancel_refused": object_of(ORDER),
    "order.parked": object_of({**ORDER_OF_SIDE, "price": PRICE}),
    "order.triggered": object_of(
        {**ORDER_OF_SIDE, "price": PRICE, "tradePrice": AMOUNT, "makerOrderId": TEXT, "takerOrderId": TEXT}
    ),
    "order.amended": object_of({**ORDER_OF_SIDE, "price": PRICE, **PROGRESS}),
    "order.amend_refused": object_of({**ORDER, "reason": one_of(AmendRefusal)}),
    "book.halted": object_of({"bookId": TEXT, "haltedUntil": TIME, "price": AMOUNT}),
    "book.resumed": object_of({"bookId": TEXT, "reference": or_null(AMOUNT)}),
    "fill.created": object_of(
        {**TRADE, "orderId": TEXT, "customerRef": TEXT, "side": SIDE, "role": one_of(("maker", "taker")), "fee": AMOUNT}
    ),
    "balance.changed": object_of({**BALANCE, "bookId": TEXT}),
}
"""The body of each type of event of a book."""

SIGNED_ORDER = {
    "orderHash": TEXT,
    "orderId": TEXT,
    "maker": TEXT,
    "taker": or_null(TEXT, "Who holds the lock before or after the step."),
    "expiresAt": or_null(TIME, "End of the lock."),
}
SIGNED_STEP = object_of(
    {
        **SIGNED_ORDER,
        "fromStatus": or_null(one_of(signed.Status), "Null of a new order."),
        "toStatus": one_of(signed.Status),
        "ticker": TEXT,
        "isBuy": FLAG,
        "quantity": AMOUNT,
        "filledQuantity": AMOUNT,
        "lockId": or_null(TEXT),
        "fill": or_null(
            object_of(
                {
                    "reference": TEXT,
                    "quantity": AMOUNT,
                    "amount": AMOUNT,
                    "fee": AMOUNT,
                    "incentive": AMOUNT,
                    "txHash": or_null(TEXT),
                }
            ),
            "What the step filled.",
        ),
    }
)
SIGNED_CANCEL_REQUESTED = object_of({**SIGNED_ORDER, "reason": TEXT, "requestId": TEXT})
SIGNED_BALANCE = object_of({**BALANCE, "orderHash": TEXT, "orderId": TEXT, "kind": {"const": "signed_order"}})

ESCROW_STEP = object_of(
    {
        "escrow": object_of(
            {
                "id": TEXT,
                "name": TEXT,
                "amount": {"type": "string", "description": "Amount and sign of the currency, as the vendor shows it."},
                "currency": TEXT,
                "status": one_of(escrow.Status),
                "metadata": {"type": "object"},
                "auto_settled": FLAG,
            }
        ),
        "platform": {"type": "string", "description": "The merchant's reference."},
        "payin": or_null(
            object_of(
                {
                    "id": TEXT,
                    "reference_id": TEXT,
                    "escrow_id": TEXT,
                    "card_id": {"type": "null"},
                    "type": TEXT,
                    "status": one_of(PayinStatus),
                    "save_card": {"const": 0},
                    "provider": {"type": "object"},
                    "card": {"type": "null"},
                }
            ),
            "Null before there is one.",
        ),
    }
)
ESCROW_BALANCE = object_of({**BALANCE, "orderId": TEXT, "kind": {"const": "escrow"}})
LEDGER_BALANCE = object_of(
    {**BALANCE, "transactionId": TEXT, "kind": one_of(("credit", "debit", "transfer"))}
)  # fmt: skip
