"""What the book desk says of its operations (``kit/description``); ``answers`` has the schemas of its answers.

The examples are one story: two tokens, two customers, a book, orders that trade, what is left cancelled.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chalicelib.apis.book.answers import ANSWERS, MEMBERS
from chalicelib.apis.book.envelope import STATUS_OF_CODE
from chalicelib.apis.book.operations import ledger, orders, webhooks
from chalicelib.apis.book.operations.parameters import PARAMETERS
from chalicelib.apis.book.routes import API_KEY, BASE, LEDGER, ROUTES
from chalicelib.apis.kit.description import (
    URL,
    Description,
    Failure,
    Header,
    Schema,
    array,
    constant,
    event_types,
    integer,
    members,
    ref,
    said,
    text,
)
from chalicelib.domain.books.admission import BATCH_ORDERS_MAX
from chalicelib.services.feed.types import ALL_TYPES

ERRORS: dict[str, str] = {
    "NOT_FOUND": "There is no such path.",
    "METHOD_NOT_ALLOWED": "The path has no such method; `Allow` names those that it has.",
    "AUTH_REQUIRED": "The header `X-API-Key` is missing (T4).",
    "AUTH_FAILED": "The key is malformed, unknown, revoked, expired, or of an archived instance (T4).",
    "AUTH_ERROR": "The key could not be checked; nothing was done.",
    "RATE_LIMIT_EXCEEDED": "The key has made its requests of this minute; wait as `Retry-After` says (T6).",
    "SERVICE_NOT_ENABLED": "The instance has no service `trading` (T5).",
    "CUSTOMER_FROZEN": "The operator has frozen the customer (T96).",
    "PAYLOAD_TOO_LARGE": "The body has too many bytes (T57).",
    "INVALID_PARAM": "A parameter of the path is malformed.",
    "IDEMPOTENCY_KEY_REQUIRED": "The `Idempotency-Key` is malformed.",
    "IDEMPOTENCY_MISMATCH": "The key, or the reference of a movement, was used with another body (T12).",
    "VALIDATION_ERROR": "Members or parameters are faulty; `details` names each (T7, T48).",
    "ORDER_NOT_FOUND": "The customer has no such order; a cancel: or it is closed (T29).",
    "TOKEN_EXISTS": "The address or the symbol is registered already (T44).",
    "TOKEN_NOT_FOUND": "The token is not registered, or inactive.",
    "INVALID_TRANSFER": "A customer cannot transfer to itself (T35).",
    "WEBHOOK_NOT_FOUND": "There is no such webhook endpoint.",
    "DELIVERY_NOT_FOUND": "There is no such delivery, or no longer.",
    "TOO_MANY_WEBHOOKS": "The instance has as many webhook endpoints as it may.",
    "WEBHOOK_NOT_ACTIVE": "The endpoint is paused or ended; set its status to ACTIVE.",
    "CURSOR_GONE": "The cursor is older than 30 days, or of other tables; `metadata.cursor` is that of now (T88).",
    "AMENDMENT_PENDING": "An amendment of the order is queued and not decided yet; repeat the request (T118).",
    "CANCEL_PENDING": "The cancel is queued and not decided yet; repeat the request (T29).",
    "INTERNAL_ERROR": "A fault of the service; where it says that the outcome is unknown, look before you repeat.",
    "SERVICE_UNAVAILABLE": "A part of the service is down for a moment, or the book is parked (T53); nothing was "
    "changed.",
    "ORDER_BOOK_NOT_FOUND": "There is no such order book.",
    "ORDER_BOOK_INACTIVE": "The book is paused, halted or closed (T32, O12).",
    "ORDER_BOOK_EXISTS": "A book that is not CLOSED has the pair or the symbol (T31).",
    "WRONG_SETTLEMENT_MODE": "The book settles on chain (T1).",
    "PRICE_REQUIRED": "A LIMIT order needs a price (T17).",
    "INVALID_PRICE": "The price is zero, off the tick, too high (T47), or outside the price band (O11).",
    "INVALID_QUANTITY": "The quantity is zero or no multiple of the lot (T45), or a step is not as it must be.",
    "INVALID_VALUE": "The value of a CEILING order is zero, or there is nothing to trade against.",
    "ORDER_TOO_SMALL": "The quantity or the worth is below the book's minimum (T45).",
    "ORDER_TOO_LARGE": "The quantity is above the book's maximum, or T47's bound.",
    "INSUFFICIENT_BALANCE": "Less is available than is needed; what orders hold does not count (T38, T40).",
    "INVALID_PAIR": "Base and quote are one token.",
    "INVALID_CONFIG": "The settings contradict each other, or the book is CLOSED (T30).",
    "TOKEN_NOT_REGISTERED": "A token of the book is not registered, or inactive.",
}

HEADERS = {
    "X-Request-Id": Header("The request's id, as `metadata.requestId`.", text()),
    "X-RateLimit-Limit": Header("Requests a minute that the key may make; absent without a limit (T6).", integer(1)),
    "X-RateLimit-Remaining": Header("How many are left in this minute, as far as this copy knows.", integer(0)),
    "X-RateLimit-Reset": Header("When the minute ends, Unix seconds.", integer(0)),
    "Retry-After": Header("Seconds to wait before the request is repeated.", integer(1)),
    "Idempotent-Replay": Header("The stored answer of an earlier request with this key.", constant("true")),
    "Preference-Applied": Header("The wait, if the result came in time (T21).", text("wait=[0-9]+")),
    "X-Book-Sequence": Header("The depth is as of this entry of the book's journal (T88).", integer(0)),
    "X-Next-Cursor": Header("There are more rows: the `after` of the next page.", text()),
}
_TYPES, _URL_IF_ANY = event_types(ALL_TYPES), {"pattern": URL["pattern"]}
_METADATA = said("Facts about the answer itself.", ref("Metadata"))


def _success(data: Schema) -> Schema:
    return members(success=constant(True), data=data, metadata=_METADATA)


def _failure(codes: Sequence[str]) -> Schema:
    named: dict[str, Any] = {"properties": {"code": {"enum": [*codes]}}}
    return members(success=constant(False), error={"allOf": [ref("Error"), named]}, metadata=_METADATA)


DESCRIPTION = Description(
    table=ROUTES,
    title="Book desk",
    says="Order books for a venue that keeps its customers' accounts: tokens, balances, order books, orders, trades, "
    "events, webhooks, exports. It speaks the Trusset off-chain API; docs/book-desk.md defines the rules (T1, T2, "
    "...). Amounts are strings of base units.",
    prefixes=(BASE, LEDGER),
    schemes={
        "apiKey": {
            "type": "apiKey",
            "in": "header",
            "name": API_KEY,
            "description": "An API key of the instance: `trusset_{instanceRef}_{secret}` (T3, T4).",
        }
    },
    security={API_KEY: (("apiKey",),)},
    operations={**ledger.OPERATIONS, **orders.OPERATIONS, **ledger.EXPORTS, **webhooks.OPERATIONS},
    parameters=PARAMETERS,
    answers=ANSWERS,
    errors={code: Failure(STATUS_OF_CODE[code], code, says) for code, says in ERRORS.items()},
    members=MEMBERS,
    success=_success,
    failure=_failure,
    bodies={
        "PlaceBatchBody": members(
            orders=array(ref("PlaceOrderBody"), most=BATCH_ORDERS_MAX) | {"minItems": 1},
        )
    },
    narrowed={
        "CreateWebhookBody": {"url": URL, "types": {"items": _TYPES}},
        "ChangeWebhookBody": {"url": _URL_IF_ANY, "types": {"items": _TYPES}},
    },
    headers=HEADERS,
    always=("X-Request-Id", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"),
    of_errors={429: ("Retry-After",), 503: ("Retry-After",)},
)
