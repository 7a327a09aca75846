"""Schemas of what the feed's events say, by form of body: the members of each, as docs/events.md explains them.

JSON Schema of draft 7, which AsyncAPI 3 knows. Tests compare them with real events of every type.
"""

from __future__ import annotations

from collections.abc import Mapping

from chalicelib.apis.kit.description import Schema, nullable, said, words
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


def object_of(members: Mapping[str, Schema], optional: tuple[str, ...] = ()) -> Schema:
    """Return the schema of an object. optional: members that may be left out."""
    schema: Schema = {"type": "object", "properties": dict(members)}
    required = [name for name in members if name not in optional]
    return schema | ({"required": required} if required else {})


SIDE = words(Side)
ORDER = {"orderId": TEXT, "bookId": TEXT, "customerRef": TEXT}
ORDER_OF_SIDE = {**ORDER, "side": SIDE, "quantity": AMOUNT}
PROGRESS = {"filledQuantity": AMOUNT, "remainingQuantity": AMOUNT}
PRICE = said("In quote base units for one whole base asset; null of an order without a limit.", nullable(AMOUNT))
TRADE = {"tradeId": TEXT, "bookId": TEXT, "price": AMOUNT, "quantity": AMOUNT, "notional": AMOUNT}
FILLED = object_of({**ORDER_OF_SIDE, **PROGRESS, "tradeId": TEXT})
CLOSED = object_of({**ORDER_OF_SIDE, **PROGRESS, "reason": words(CloseReason, "Rule T28 lists them.")})
RULES = {
    "lotSize": AMOUNT,
    "minOrderValue": AMOUNT,
    **dict.fromkeys(("priceBandBps", "haltBps", "haltWindowSeconds", "haltSeconds"), COUNT),
}
"""Rules that a book has only where they are set."""

BALANCE = {
    "customerRef": said(
        "Null of an account that takes fees; the operator alone receives such an event.", nullable(TEXT)
    ),
    "asset": TEXT,
    "available": CHANGE,
    "held": CHANGE,
}

BOOK: Mapping[str, Schema] = {
    "trade.executed": object_of(
        {
            **TRADE,
            "takerSide": SIDE,
            "takerType": words(OrderType),
            "makerType": words(OrderType),
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
            "status": words(BookStatus),
            "makerFeeBps": COUNT,
            "takerFeeBps": COUNT,
            "selfTradePrevention": words(SelfTradePrevention),
            **RULES,
        },
        optional=tuple(RULES),
    ),
    "order.accepted": object_of(
        {
            **ORDER_OF_SIDE,
            "type": words(OrderType),
            "timeInForce": words(TimeInForce),
            "price": PRICE,
            "postOnly": FLAG,
            "value": nullable(AMOUNT),
            "externalId": nullable(TEXT),
            "expiresAt": nullable(TIME),
            "stopPrice": nullable(AMOUNT),
            "distance": nullable(AMOUNT),
            "step": nullable(AMOUNT),
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
    "order.amend_refused": object_of({**ORDER, "reason": words(AmendRefusal)}),
    "book.halted": object_of({"bookId": TEXT, "haltedUntil": TIME, "price": AMOUNT}),
    "book.resumed": object_of({"bookId": TEXT, "reference": nullable(AMOUNT)}),
    "fill.created": object_of(
        {**TRADE, "orderId": TEXT, "customerRef": TEXT, "side": SIDE, "role": words(("maker", "taker")), "fee": AMOUNT}
    ),
    "balance.changed": object_of({**BALANCE, "bookId": TEXT}),
}
"""The body of each type of event of a book."""

SIGNED_ORDER = {
    "orderHash": TEXT,
    "orderId": TEXT,
    "maker": TEXT,
    "taker": said("Who holds the lock before or after the step.", nullable(TEXT)),
    "expiresAt": said("End of the lock.", nullable(TIME)),
}
SIGNED_STEP = object_of(
    {
        **SIGNED_ORDER,
        "fromStatus": said("Null of a new order.", nullable(words(signed.Status))),
        "toStatus": words(signed.Status),
        "ticker": TEXT,
        "isBuy": FLAG,
        "quantity": AMOUNT,
        "filledQuantity": AMOUNT,
        "lockId": nullable(TEXT),
        "fill": said(
            "What the step filled.",
            nullable(
                object_of(
                    {
                        "reference": TEXT,
                        "quantity": AMOUNT,
                        "amount": AMOUNT,
                        "fee": AMOUNT,
                        "incentive": AMOUNT,
                        "txHash": nullable(TEXT),
                    }
                )
            ),
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
                "status": words(escrow.Status),
                "metadata": {"type": "object"},
                "auto_settled": FLAG,
            }
        ),
        "platform": {"type": "string", "description": "The merchant's reference."},
        "payin": said(
            "Null before there is one.",
            nullable(
                object_of(
                    {
                        "id": TEXT,
                        "reference_id": TEXT,
                        "escrow_id": TEXT,
                        "card_id": {"type": "null"},
                        "type": TEXT,
                        "status": words(PayinStatus),
                        "save_card": {"const": 0},
                        "provider": {"type": "object"},
                        "card": {"type": "null"},
                    }
                )
            ),
        ),
    }
)
ESCROW_BALANCE = object_of({**BALANCE, "orderId": TEXT, "kind": {"const": "escrow"}})
LEDGER_BALANCE = object_of(
    {**BALANCE, "transactionId": TEXT, "kind": words(("credit", "debit", "transfer"))}
)  # fmt: skip
