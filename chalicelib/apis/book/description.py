"""What the book desk says of its operations (``kit/description``); ``answers`` has the schemas of its answers.

The examples are one story: two tokens, two customers, a book, orders that trade, what is left cancelled.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chalicelib.apis.book import book_schema, export_schema, ledger_schema
from chalicelib.apis.book.answers import ANSWERS, MEMBERS, ULID
from chalicelib.apis.book.envelope import STATUS_OF_CODE
from chalicelib.apis.book.routes import API_KEY, BASE, LEDGER, ROUTES
from chalicelib.apis.book.schema import ID_CHARACTERS_MAX, LIMIT_DEFAULT, LIMIT_MAX, OFFSET_MAX, REF_CHARACTERS_MAX
from chalicelib.apis.kit import events
from chalicelib.apis.kit.description import (
    URL,
    Description,
    Example,
    Failure,
    Header,
    Operation,
    Parameter,
    Schema,
    array,
    constant,
    event_types,
    integer,
    members,
    ref,
    said,
    text,
    words,
)
from chalicelib.apis.kit.tabular import Format
from chalicelib.domain.books.admission import BATCH_ORDERS_MAX
from chalicelib.domain.books.vocabulary import BookStatus, OrderStatus
from chalicelib.domain.ledger.transactions import TransactionType
from chalicelib.domain.tenancy.answers import KEY
from chalicelib.domain.webhooks.endpoint import DeliveryStatus
from chalicelib.services.feed.types import ALL_TYPES, INSTANCE_TYPES

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

_ONE_TYPE = "|".join(sorted(INSTANCE_TYPES)).replace(".", r"\.")
_MOMENT = r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d([.,]\d{1,9})?)?(Z|[+-]\d\d(:?\d\d)?)?)?"
_PRINTABLE = r"[^\x00-\x1f\x7f]"
LIMIT_ABOVE = "Above {most} counts as {most}."


def _limit(default: int, most: int) -> Parameter:
    return Parameter(f"How many rows at most. {LIMIT_ABOVE.format(most=most)}", integer(1, default=default))


def _moment(says: str) -> Parameter:
    form = "ISO 8601; UTC where there is no zone"
    return Parameter(f"{says} {form}.", text(_MOMENT))


_CUSTOMER = text(f"{_PRINTABLE}{{1,{REF_CHARACTERS_MAX}}}")
_ID = text(f"{_PRINTABLE}{{1,{ID_CHARACTERS_MAX}}}")
OF_LEDGER = {"limit": _limit(ledger_schema.LIMIT_DEFAULT, ledger_schema.LIMIT_MAX)}
OF_EXPORT = {
    "limit": _limit(export_schema.LIMIT_DEFAULT, export_schema.LIMIT_MAX),
}
OF_ONE_CUSTOMER = {"customerRef": Parameter("Whose rows.", _CUSTOMER, is_required=True)}


def _rows(cursor: str) -> dict[str, Parameter]:
    """Return the parameters of an export. cursor: the form of its rows' ids."""
    says = "The `X-Next-Cursor` of the page before; without it, the first page."
    return OF_EXPORT | {"after": Parameter(says, text(cursor))}


PARAMETERS = {
    "orderId": Parameter("Id of the order.", _ID),
    "orderBookId": Parameter("Id of the order book.", _ID),
    "webhookId": Parameter("Id of the webhook endpoint.", _ID),
    "deliveryId": Parameter("Id of the delivery.", _ID),
    "customerRef": Parameter("Your own name for the customer.", _CUSTOMER),
    "tokenAddress": Parameter("Address of the token, in any case.", text("0x[0-9a-fA-F]{40}")),
    "limit": _limit(LIMIT_DEFAULT, LIMIT_MAX),
    "offset": Parameter("How many rows are left out before the page.", integer(0, OFFSET_MAX, default=0)),
    "levels": Parameter(
        f"How many levels of each side. {LIMIT_ABOVE.format(most=book_schema.LEVELS_MAX)}",
        integer(1, default=book_schema.LEVELS_DEFAULT),
    ),
    "bookId": Parameter("Events of this book alone.", _ID),
    "types": Parameter(
        "A comma list of types of events (T90).",
        text(f"(?:{_ONE_TYPE})(?:,(?:{_ONE_TYPE})){{0,{events.TYPES_MAX - 1}}}"),
    ),
    "after": Parameter(
        "The cursor of an earlier answer, or `start` for the oldest events kept; without it, now (T87).",
        text("[A-Za-z0-9_-]+"),
    ),
    "activeOnly": Parameter("`false` shows inactive tokens too.", words(("true", "false")) | {"default": "true"}),
    "type": Parameter("Rows of this type alone.", words(TransactionType)),
    "from": _moment("From this time on."),
    "to": _moment("Until this time, included; a date is its whole day."),
    "at": _moment("As of the end of this time; without it, as of now."),
    "format": Parameter("JSON lines or CSV.", words(Format) | {"default": Format.JSON_LINES.value}),
    "Idempotency-Key": Parameter(
        "Makes the request safe to repeat for a day: the same key with the same body gets the first answer again (T12 "
        "to T14).",
        text(KEY.pattern),
    ),
    "Prefer": Parameter(
        "`wait=n`: wait up to n seconds for the result, at most 10; for events 20 (T19, T21). Anything else is ignored."
        "",
        text() | {"examples": ["wait=10"]},
    ),
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
WAITED = ("Idempotent-Replay", "Preference-Applied")

_STATUS = Parameter("Books of this status alone.", words(BookStatus))
_ORDER = {
    "orderBookId": "{orderBookId}",
    "customerRef": "cust_ann",
    "side": "BUY",
    "orderType": "LIMIT",
    "price": "50000000000000000000",
    "quantity": "10000000000000000000",
}
_OFFER = _ORDER | {"customerRef": "cust_ben", "side": "SELL", "quantity": "4000000000000000000"}
_IN_BOOK, _OF_ANN = {"orderBookId": "{orderBookId}"}, {"customerRef": "cust_ann"}

OPERATIONS: dict[str, dict[str, Operation]] = {
    "Tokens": {
        "POST /tokens": Operation(
            "registerToken",
            "Register a token",
            "Makes an asset known to the instance, so that it can be credited and traded. Address and symbol are "
            "unique in the instance (T44).",
            Example(
                body={"tokenAddress": "0x" + "b" * 40, "name": "Example shares", "symbol": "SHARE", "decimals": 18}
            ),
            headers=("Idempotent-Replay",),
        ),
        "GET /tokens": Operation(
            "listTokens",
            "List tokens",
            "A page of the instance's tokens, newest first, and how many there are.",
            Example(query={"limit": "20"}),
            OF_LEDGER,
        ),
        "GET /tokens/{tokenAddress}": Operation(
            "getToken",
            "Show a token",
            "The token of this address.",
            Example({"tokenAddress": "0x" + "b" * 40}),
        ),
    },
    "Ledger": {
        "POST /balances/credit": Operation(
            "credit",
            "Credit a customer",
            "Puts funds on a customer's account. A `reference` moves money once, for ever: repeated, it gets the first "
            "transaction's id (T35).",
            Example(
                body={
                    "tokenAddress": "{quote}",
                    "customerRef": "cust_ann",
                    "amount": "1000000000000000000000",
                    "reference": "wire 17",
                }
            ),
            headers=("Idempotent-Replay",),
        ),
        "POST /balances/debit": Operation(
            "debit",
            "Debit a customer",
            "Takes available funds off a customer's account; held funds cannot be taken (T35).",
            Example(body={"tokenAddress": "{quote}", "customerRef": "cust_ann", "amount": "100000000000000000000"}),
            headers=("Idempotent-Replay",),
        ),
        "POST /balances/transfer": Operation(
            "transfer",
            "Transfer between customers",
            "Moves available funds to another customer, in one transaction (T35).",
            Example(
                body={
                    "tokenAddress": "{quote}",
                    "fromCustomerRef": "cust_ann",
                    "toCustomerRef": "cust_ben",
                    "amount": "50000000000000000000",
                    "transactionMetadata": {"why": "rent"},
                }
            ),
            headers=("Idempotent-Replay",),
        ),
        "GET /balances/{customerRef}": Operation(
            "listBalances",
            "List a customer's balances",
            "A page of the customer's accounts by symbol. An unknown customer has none; that is no error (T36).",
            Example(_OF_ANN),
            OF_LEDGER,
        ),
        "GET /balances/{customerRef}/{tokenAddress}": Operation(
            "getBalance",
            "Show one balance",
            "The customer's account in one token; zeros where there is none yet (T36).",
            Example(_OF_ANN | {"tokenAddress": "{quote}"}),
        ),
        "GET /transactions": Operation(
            "listTransactions",
            "List transactions",
            "What happened to balances: credits, debits, transfers, trades and fees, newest first, and how many there "
            "are (T37). Name a customer or a token: otherwise the journals of all books are read.",
            Example(query={"customerRef": "cust_ann"}),
            OF_LEDGER | {"customerRef": Parameter("Rows in which this customer gives or receives.", _CUSTOMER)},
        ),
        "GET /fees": Operation(
            "listFees",
            "Show what was earned",
            "What each book and desk has earned in fees, what was withdrawn, and what is there (T95).",
            Example(),
            OF_LEDGER,
        ),
    },
    "Order books": {
        "POST /offchain/order-books": Operation(
            "createOrderBook",
            "Make an order book",
            "A book of one base token against one quote token. Pair and symbol are unique among the books that are not "
            "CLOSED (T31).",
            Example(
                body={
                    "tokenAddress": "0x" + "b" * 40,
                    "quoteTokenAddress": "{quote}",
                    "name": "Example shares",
                    "symbol": "SHARE/EUR",
                    "tickSize": "10000000000000000",
                    "makerFeeBps": 10,
                    "takerFeeBps": 20,
                },
                gives={"orderBookId": "/data/id"},
            ),
            headers=("Idempotent-Replay",),
        ),
        "GET /offchain/order-books": Operation(
            "listOrderBooks",
            "List order books",
            "The instance's off-chain books, newest first, not paged.",
            Example(query={"status": "ACTIVE"}),
            {"status": _STATUS},
        ),
        "GET /offchain/order-books/{orderBookId}": Operation(
            "getOrderBook",
            "Show an order book",
            "The whole settings of a book, and what it does now.",
            Example(_IN_BOOK),
        ),
        "PATCH /order-books/{orderBookId}": Operation(
            "changeOrderBook",
            "Change an order book",
            "Pauses, resumes or closes a book, or changes its settings. Members that are absent stay as they are; null "
            "takes a bound or a protection away (T32, T33). CLOSED is final.",
            Example(_IN_BOOK, body={"takerFeeBps": 15, "priceBandBps": 1000}),
        ),
        "POST /order-books/{orderBookId}/resume": Operation(
            "resumeOrderBook",
            "End a halt",
            "Ends a halt of the circuit breaker before its time, or sets the price band's reference (O11, O12). The "
            "command waits for its turn in the book; then the feed has `book.resumed`.",
            Example(_IN_BOOK, body={"reference": "50000000000000000000"}),
        ),
    },
    "Orders": {
        "POST /offchain/orders": Operation(
            "placeOrder",
            "Place an order",
            "Holds the funds and admits the order; a 201 means that it will be decided (T20). With `Prefer: wait=n` "
            "the answer shows the order after its first match (T21). `advanced` makes it a stop-limit, trailing, "
            "iceberg or ceiling order (O16).",
            Example(
                headers={"Idempotency-Key": "order-0001"},
                body=_ORDER | {"timeInForce": "GTC"},
                gives={"orderId": "/data/id", "customerRef": "/data/customerRef"},
            ),
            headers=WAITED,
        ),
        "POST /offchain/orders/batch": Operation(
            "placeOrders",
            "Place several orders",
            f"Places 1 to {BATCH_ORDERS_MAX} orders of one customer and one book, each checked as if it were alone; "
            "the good ones are admitted together (T76). 201: some were admitted; 200: none was (T77). Counts as that "
            "many requests (T79).",
            Example(
                body={
                    "orders": [
                        _OFFER,
                        _OFFER | {"price": "60000000000000000000"},
                        _OFFER | {"price": "61000000000000000000"},
                    ]
                },
                gives={"secondOrderId": "/data/results/1/data/id"},
            ),
            statuses=(200,),
            headers=WAITED,
        ),
        "GET /offchain/orders/{orderId}": Operation(
            "getOrder",
            "Show an order",
            "One order of the customer, open or closed, with its last change and why it ended (T28).",
            Example({"orderId": "{orderId}"}, _OF_ANN),
            {"customerRef": OF_ONE_CUSTOMER["customerRef"]},
        ),
        "PATCH /offchain/orders/{orderId}": Operation(
            "amendOrder",
            "Amend an order",
            "Gives an open order a new price, a new total quantity, or both (T117). A lower quantity alone keeps its "
            "time priority. The answer waits up to 5 s for the outcome (T118).",
            Example(
                {"orderId": "{orderId}"}, body=_OF_ANN | {"price": _ORDER["price"], "quantity": "6000000000000000000"}
            ),
        ),
        "GET /offchain/customers/{customerRef}/orders": Operation(
            "listOrders",
            "List a customer's orders",
            "A page of the customer's orders, newest first, open and closed (T26, T27).",
            Example(_OF_ANN, {"status": "PARTIALLY_FILLED", "limit": "20"}),
            {
                "status": Parameter("Orders of this status alone.", words(OrderStatus)),
                "orderBookId": Parameter("Orders of this book alone.", _ID),
            },
        ),
        "GET /offchain/customers/{customerRef}/trades": Operation(
            "listCustomerTrades",
            "List a customer's trades",
            "A page of the customer's trades, newest first, each from the customer's own side (T34).",
            Example(_OF_ANN),
        ),
    },
    "Market data": {
        "GET /offchain/order-books/{orderBookId}/snapshot": Operation(
            "getDepth",
            "Show the depth",
            "Open quantity by price, best first, as of the last result that the book has published.",
            Example(_IN_BOOK, {"levels": "10"}),
            headers=("X-Book-Sequence",),
        ),
        "GET /offchain/order-books/{orderBookId}/trades": Operation(
            "listTrades", "List a book's trades", "A page of the book's trades, newest first.", Example(_IN_BOOK)
        ),
    },
    "Cancelling": {
        "DELETE /offchain/orders/{orderId}": Operation(
            "cancelOrder",
            "Cancel an order",
            "Cancels what is left of an order and releases its hold; what has traded stays. The answer waits up to 5 s "
            "for the result (T29).",
            Example({"orderId": "{orderId}"}, body=_OF_ANN),
        ),
        "DELETE /offchain/orders": Operation(
            "cancelOrders",
            "Cancel several orders",
            f"Cancels 1 to {BATCH_ORDERS_MAX} orders of a customer, in any books, each with a result of its own (T78).",
            Example(body={"customerRef": "cust_ben", "orderIds": ["{secondOrderId}"]}),
        ),
        "DELETE /offchain/customers/{customerRef}/orders": Operation(
            "cancelAllOrders",
            "Cancel all orders of a customer",
            "Closes every live order of the customer, in one book or in all (O9, T98). It takes no body and no other "
            "parameter: they could have narrowed it.",
            Example({"customerRef": "cust_ben"}, _IN_BOOK),
            {"orderBookId": Parameter("Orders of this book alone.", _ID)},
        ),
    },
    "Events": {
        "GET /offchain/events": Operation(
            "followEvents",
            "Follow events",
            "The events after a cursor; with `Prefer: wait=n` it waits for the first one (T84 to T88). Go on from each "
            "answer's `cursor` and you get every event once.",
            Example(query={"after": "start", "types": "order.filled,trade.executed"}),
            {
                "limit": _limit(events.LIMIT_DEFAULT, events.LIMIT_MAX),
                "customerRef": Parameter("Events that this customer receives.", _CUSTOMER),
            },
            headers=("Preference-Applied",),
        ),
    },
    "Exports": {
        "GET /exports/transactions": Operation(
            "exportTransactions",
            "Export transactions",
            "Rows of a span, newest first, of the instance or of one customer, as JSON lines or CSV (T99).",
            Example(query={"format": "jsonl", "customerRef": "cust_ben"}),
            _rows(f"txn_{ULID}"),
            headers=("X-Next-Cursor",),
        ),
        "GET /exports/trades": Operation(
            "exportTrades",
            "Export trades",
            "Trades of a span, newest first, of the instance or of one customer (T99).",
            Example(query={"format": "csv"}),
            _rows(f"trade_{ULID}"),
            headers=("X-Next-Cursor",),
        ),
        "GET /exports/orders": Operation(
            "exportOrders",
            "Export a customer's orders",
            "Orders of a span, newest first (T99).",
            Example(query=_OF_ANN),
            _rows(f"ord_{ULID}") | OF_ONE_CUSTOMER,
            headers=("X-Next-Cursor",),
        ),
        "GET /exports/balances": Operation(
            "exportBalances",
            "Export a customer's balances",
            "Balances by asset, as of now or of an earlier time (T99).",
            Example(query=_OF_ANN),
            _rows(r"(sandbox:)?0x[0-9a-f]{40}") | OF_ONE_CUSTOMER,
            headers=("X-Next-Cursor",),
        ),
    },
    "Webhooks": {
        "POST /offchain/webhooks": Operation(
            "createWebhook",
            "Make a webhook endpoint",
            "Has events posted to a URL, signed by the Standard Webhooks specification. The secret is shown this once "
            "(docs/webhooks.md).",
            Example(
                body={"url": "https://hooks.example.com/tallybook", "types": ["order.*"], "description": "orders"},
                gives={"webhookId": "/data/id"},
            ),
        ),
        "GET /offchain/webhooks": Operation(
            "listWebhooks", "List webhook endpoints", "All of the instance's endpoints, oldest first.", Example()
        ),
        "GET /offchain/webhooks/{webhookId}": Operation(
            "getWebhook",
            "Show a webhook endpoint",
            "One endpoint, without its secret.",
            Example({"webhookId": "{webhookId}"}),
        ),
        "PATCH /offchain/webhooks/{webhookId}": Operation(
            "changeWebhook",
            "Change a webhook endpoint",
            "Changes the members that are given; a `status` pauses or resumes the endpoint.",
            Example({"webhookId": "{webhookId}"}, body={"types": ["order.*", "fill.created"]}),
        ),
        "POST /offchain/webhooks/{webhookId}/rotate-secret": Operation(
            "rotateWebhookSecret",
            "Give a webhook endpoint a new secret",
            "The old secret signs too for some hours, 24 unless the body says otherwise.",
            Example({"webhookId": "{webhookId}"}, body={"hours": 1}),
            body_is_optional=True,
        ),
        "POST /offchain/webhooks/{webhookId}/test": Operation(
            "testWebhook",
            "Send a test event",
            "Queues a `webhook.test` event for the endpoint.",
            Example({"webhookId": "{webhookId}"}, gives={"deliveryId": "/data/deliveryId"}),
        ),
        "GET /offchain/webhooks/{webhookId}/deliveries": Operation(
            "listDeliveries",
            "List dead letters",
            "Deliveries that were given up, or those that wait.",
            Example({"webhookId": "{webhookId}"}, {"status": "WAITING"}),
            {
                "status": Parameter(
                    "Which deliveries.", words((DeliveryStatus.DEAD, DeliveryStatus.WAITING)) | {"default": "DEAD"}
                )
            },
        ),
        "GET /offchain/webhooks/{webhookId}/deliveries/{deliveryId}": Operation(
            "getDelivery",
            "Show a delivery",
            "One delivery with the body that is posted.",
            Example({"webhookId": "{webhookId}", "deliveryId": "{deliveryId}"}),
        ),
        "POST /offchain/webhooks/{webhookId}/deliveries/{deliveryId}/redeliver": Operation(
            "redeliver",
            "Send a delivery again",
            "Queues the delivery again, under its id.",
            Example({"webhookId": "{webhookId}", "deliveryId": "{deliveryId}"}),
        ),
        "DELETE /offchain/webhooks/{webhookId}": Operation(
            "removeWebhook",
            "Remove a webhook endpoint",
            "Its deliveries and dead letters are gone too.",
            Example({"webhookId": "{webhookId}"}),
        ),
    },
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
    operations=OPERATIONS,
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
