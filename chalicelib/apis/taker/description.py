"""What the taker desk says of its operations (``kit/description``); ``answers`` has the schemas of its answers.

The examples are one story: a wallet connects, signs orders, a taker locks and fills them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chalicelib.apis.kit import events
from chalicelib.apis.kit.description import (
    Description,
    Example,
    Failure,
    Header,
    Maybe,
    Operation,
    Parameter,
    Schema,
    anything,
    constant,
    integer,
    members,
    text,
    words,
)
from chalicelib.apis.taker.answers import ANSWERS, MEMBERS
from chalicelib.apis.taker.envelope import Error
from chalicelib.apis.taker.routes import MOUNT, ROUTES, Auth
from chalicelib.apis.taker.schema import BLOCK_NUMBER_MAX
from chalicelib.domain.signed.lifecycle import Status
from chalicelib.domain.signed.order import EXCHANGE_MAX, NONCE_MAX, TIME_S_MAX
from chalicelib.domain.signed.paging import PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX
from chalicelib.services.signed.fill_listing import SortFillsBy
from chalicelib.services.signed.listing import SortBy
from chalicelib.services.signed.maker_listing import SortMakersBy

SAYS = {
    Error.INVALID_PARAMETER: "Parameters or members are faulty; `details` names each, all at once (K51).",
    Error.INSUFFICIENT_BALANCE: "The maker of a new order, or the taker of a fill, has too little.",
    Error.KEY_MISSING: "No `X-API-Key`, or only one of timestamp and signature, or none where the key must sign (K4).",
    Error.KEY_UNKNOWN: "There is no such key.",
    Error.KEY_EXPIRED: "The key has expired.",
    Error.TIMESTAMP_INVALID: "The timestamp is no integer, or outside the window.",
    Error.SIGNATURE_INVALID: "The signature does not match.",
    Error.UNAUTHORIZED: "The session is missing or over; at connecting: not the wallet's signature, or a used nonce.",
    Error.FORBIDDEN: "Not allowed: a disabled key, another's address or order, a frozen maker (T96), no service.",
    Error.NOT_FOUND: "There is nothing here that this caller may see (K8).",
    Error.CONFLICT: "The order's state forbids it, somebody holds its lock, or a nonce or reference is used (K9).",
    Error.CURSOR_GONE: "The cursor is older than 30 days, or of other tables; `details` has that of now (T92).",
    Error.TOO_MANY_REQUESTS: "Too many requests; wait as `Retry-After` says.",
    Error.INTERNAL: "A fault of the service; whether something was changed is not known: look at the order.",
}


def _bounds(name: str, what: str, schema: Schema) -> dict[str, Parameter]:
    return {
        f"{name}_min": Parameter(f"Rows whose {what} is at least this.", schema),
        f"{name}_max": Parameter(f"Rows whose {what} is at most this.", schema),
    }


def _sorted(by: type[SortBy | SortFillsBy | SortMakersBy]) -> dict[str, Parameter]:
    return {
        "sort_by": Parameter(
            "By what rows are sorted (K12).", words(one.value for one in by) | {"default": "created_at"}
        )
    }


_MOMENT = r"[0-9]{1,12}|\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+ -]\d\d:?\d\d)?)?"
_AMOUNT = text("0|[1-9][0-9]{0,77}")
_ADDRESS = text("0x[0-9a-fA-F]{40}")
_ANY_HASH = text("0[xX][0-9a-fA-F]{64}")
_SECONDS = integer(0, TIME_S_MAX)
_SIZE = f"Rows of a page. Above {PAGE_SIZE_MAX} counts as {PAGE_SIZE_MAX}."
_EXCHANGE = integer(0, EXCHANGE_MAX)
PARAMETERS = {
    "order_hash": Parameter("EIP-712 digest of the order (K32).", _ANY_HASH),
    "order_id": Parameter("The order's id, or its hash (K16).", text(least=1)),
    "symbol": Parameter("Ticker of the stock, in any case.", text(least=1)),
    "status": Parameter("Orders of these statuses alone, with commas between them.", words(Status), is_list=True),
    "ticker": Parameter("Rows of this stock alone, in any case.", text()),
    "ticker_like": Parameter(
        "`true`: rows whose ticker contains `ticker`.", words(("true", "false", "1", "0")) | {"default": "false"}
    ),
    "exchange": Parameter("Rows of this exchange alone; 0 is NASDAQ.", _EXCHANGE),
    "is_buy": Parameter("Orders that buy, or that sell.", words(("true", "false", "1", "0"))),
    "created_after": Parameter("Created at this time or later, Unix seconds.", _SECONDS),
    "created_before": Parameter("Created at this time or earlier, Unix seconds.", _SECONDS),
    "deadline_after": Parameter("With a deadline at this time or later, Unix seconds.", _SECONDS),
    "deadline_before": Parameter("With a deadline at this time or earlier, Unix seconds.", _SECONDS),
    "sort_order": Parameter("Direction.", words(("asc", "desc")) | {"default": "desc"}),
    "page": Parameter("Number of the page.", integer(1, default=1)),
    "page_size": Parameter(_SIZE, integer(1, default=PAGE_SIZE_DEFAULT)),
    "fills_page": Parameter("Which fills of each order, where it has more than 5,000 (K43).", integer(1, default=1)),
    "principal": Parameter("Orders of this principal alone.", _ADDRESS),
    "asset": Parameter("Orders that pay in this token alone.", _ADDRESS),
    "nonce": Parameter("The order of this nonce alone.", integer(0, NONCE_MAX)),
    "taker": Parameter("Fills of this taker alone.", _ADDRESS),
    "tx_hash": Parameter("Fills of this transaction alone.", _ANY_HASH),
    **_bounds("price", "price", _AMOUNT),
    **_bounds("quantity", "quantity", _AMOUNT),
    **_bounds("incentive", "incentive", _AMOUNT),
    **_bounds("filled_quantity", "filled quantity", _AMOUNT),
    **_bounds("fill_quantity", "quantity", _AMOUNT),
    **_bounds("fill_amount", "amount", _AMOUNT),
    **_bounds("fee_amount", "fee", _AMOUNT),
    **_bounds("incentive_amount", "incentive", _AMOUNT),
    **_bounds("block_number", "block number", integer(0, BLOCK_NUMBER_MAX)),
    "after": Parameter(
        "The cursor of an earlier answer, or `start` for the oldest events kept; without it, now.",
        text("[A-Za-z0-9_-]*"),
    ),
    "limit": Parameter(
        f"How many events at most. Above {events.LIMIT_MAX} counts as {events.LIMIT_MAX}.",
        integer(1, default=events.LIMIT_DEFAULT),
    ),
    "Prefer": Parameter(
        "`wait=n`: wait up to n seconds for the first event, at most 20. Anything else is ignored.",
        text() | {"examples": ["wait=20"]},
    ),
    "X-Instance": Parameter("The instance, where the message does not name it (K6, K37).", text()),
    "X-REQUEST-ID": Parameter(
        "1 to 128 printable ASCII characters of your own, which come back in the answer; others are ignored.", text()
    ),
}
_OF_FILLS = _sorted(SortFillsBy) | {
    "order_id": Parameter("Fills of the order of this id.", text("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")),
    "status": Parameter(
        "Fills after which the order had one of these statuses (K27).",
        words((Status.PARTIALLY_FILLED, Status.FILLED)),
        is_list=True,
    ),
    "created_after": Parameter("From this time on: Unix seconds, or ISO 8601.", text(_MOMENT)),
    "created_before": Parameter("Until this time, included: Unix seconds, or ISO 8601.", text(_MOMENT)),
}
_OF_INSTRUMENT = {
    "exchange": Parameter("The exchange; 0 is NASDAQ.", _EXCHANGE, is_required=True),
    "ticker": Parameter("The stock, in any case.", text(least=1), is_required=True),
}

_HASH = {"order_hash": "{takenHash}"}
_REQUEST_ID = {"X-REQUEST-ID": "request-1"}
_SIGNED = {"order": "{order}", "signature": "{signature}"}


OPERATIONS: dict[str, dict[str, Operation]] = {
    "Makers": {
        "POST /makers/connect": Operation(
            "connect",
            "Connect a wallet",
            "Proves a wallet by a signed message and answers with the session of its maker, a JWT. The message names "
            "the wallet, the chain, the time within 300 seconds, a nonce, and the instance (K37).",
            Example(
                body={
                    "wallet_address": "{maker}",
                    "chain_id": "97",
                    "message": "{connectMessage}",
                    "signature": "{connectSignature}",
                }
            ),
        ),
        "GET /orders/maker/next-nonce": Operation(
            "getNextNonce",
            "Get a free nonce",
            "One more than the highest nonce that the wallet has used (K17).",
            Example(),
        ),
        "POST /orders": Operation(
            "createOrder",
            "Create a signed order",
            "Stores an order that the maker has signed (EIP-712), and holds its funds (K15, K31). Price, quantity and "
            "incentive are decimal texts of base units.",
            Example(body=_SIGNED, gives={"order_id": "/data/id", "order_hash": "/data/order_hash"}),
        ),
        "GET /orders": Operation(
            "listOrders",
            "List the maker's orders",
            "A page of the maker's orders, in every status, with the fills of those that have some (K28, K43).",
            Example(query={"status": "pending,locked", "page_size": "10"}),
            _sorted(SortMakersBy),
        ),
        "GET /orders/{order_id}": Operation(
            "getOrder",
            "Show an order",
            "One of the maker's orders with its fills (K54).",
            Example({"order_id": "{order_id}"}),
        ),
        "POST /orders/{order_id}/cancel": Operation(
            "cancelOrder",
            "Cancel an order",
            "Cancels an open order, whose hold is released; of a locked one it asks the lock's holder (K16).",
            Example({"order_id": "{order_id}"}),
        ),
        "DELETE /orders/{order_id}": Operation(
            "deleteOrder",
            "Cancel an order",
            "The same as the POST to `cancel` (K54).",
            Example({"order_id": "{second_id}"}),
        ),
        "GET /positions": Operation(
            "listPositions",
            "List positions",
            "What the maker's wallet has of each stock, by ticker (K55).",
            Example(query={"ticker": "AAPL"}),
        ),
        "GET /instruments/token-address": Operation(
            "getTokenAddress",
            "Show a stock's token",
            "The ledger's token of a stock; never the asset of an order (K56).",
            Example(query={"ticker": "AAPL", "exchange": "0"}),
            _OF_INSTRUMENT,
        ),
        "POST /orders/estimate_charge": Operation(
            "estimateCharge",
            "Estimate the charge",
            "What the instance takes if all of an order is filled at once (K57). Quantity and price are whole shares "
            "and whole units of the currency.",
            Example(
                body={
                    "is_buy": True,
                    "ticker": "AAPL",
                    "exchange": 0,
                    "quantity": "100",
                    "price": "260.5",
                    "asset": "{asset}",
                }
            ),
        ),
        "GET /makers/events": Operation(
            "followMakerEvents",
            "Follow the maker's events",
            "Events of the maker's orders after a cursor; waits for the first with `Prefer: wait=n` (T84 to T88).",
            Example(query={"after": "start", "limit": "1"}),
            headers=("Preference-Applied",),
        ),
    },
    "Takers": {
        "GET /orders/available": Operation(
            "listAvailableOrders",
            "List open orders",
            "The orders that can be locked now, oldest first, at most 500 (K18).",
            Example(query={"ticker": "AAPL"}),
        ),
        "POST /orders/validate": Operation(
            "validateOrder",
            "Check an order",
            "Says whether an order could be created now, with every reason against it, and creates nothing (K19).",
            Example(body=_SIGNED),
        ),
        "POST /orders/lock": Operation(
            "lockOrder",
            "Lock an order",
            "Gives the taker the right to fill an open order, for a time. A lock is never extended (K20, K21).",
            Example(body=_HASH | {"lock_duration": 60}),
        ),
        "POST /orders/fill": Operation(
            "fillOrder",
            "Fill an order",
            "Fills a locked order, in whole or in part, and moves money and stock in the same transaction. The same "
            "fill under the same reference gets the first answer (K22 to K24, K41).",
            Example(
                headers=_REQUEST_ID, body=_HASH | {"fill_quantity": "4000000000000000000", "reference_id": "REF123457"}
            ),
        ),
        "GET /orders/filled": Operation(
            "listFills",
            "List fills",
            "A page of the taker's fills.",
            Example(query={"ticker": "AAPL", "sort_by": "fill_amount"}),
            _OF_FILLS,
        ),
        "GET /takers/orders": Operation(
            "listTakerOrders",
            "List the taker's orders",
            "A page of the orders that the taker has locked or filled (K2, K10 to K13).",
            Example(query={"status": "locked,partially_filled", "page": "1", "page_size": "20"}),
            _sorted(SortBy),
        ),
        "GET /takers/orders/{order_hash}": Operation(
            "getTakerOrder",
            "Show one of the taker's orders",
            "The order with all its members; another taker's is not found (K8, K14).",
            Example({"order_hash": "{takenHash}"}),
        ),
        "POST /orders/unlock": Operation(
            "unlockOrder",
            "Give a lock back",
            "The order is open again, or cancelled if the maker has asked for it.",
            Example(body=_HASH),
        ),
        "POST /orders/reject": Operation(
            "rejectOrder",
            "Reject an order",
            "Turns a locked order without fills down, for good; its hold is released (K25).",
            Example(body={"order_hash": "{rejectedHash}", "reason": "No stock."}),
        ),
        "POST /orders/cancel-result": Operation(
            "answerCancelRequest",
            "Answer a cancel request",
            "Grants or declines what the maker of a locked order has asked for (K26).",
            Example(
                body={
                    "order_hash": "{askedHash}",
                    "taker_address": "{taker}",
                    "cancellation_success": True,
                    "message": "as you wish",
                }
            ),
        ),
        "GET /takers/events": Operation(
            "followTakerEvents",
            "Follow the taker's events",
            "Events of own locks and fills, and of orders that can be locked; waits for the first with `Prefer: "
            "wait=n` (T84 to T88).",
            Example(query={"after": "start", "limit": "1"}),
            headers=("Preference-Applied",),
        ),
    },
    "Market data": {
        "GET /tickers/{symbol}/orderbooks": Operation(
            "getOrderBook",
            "Show the open orders of a stock",
            "What can be locked at the public instance, by price (K58). Needs no credential.",
            Example({"symbol": "AAPL"}, {"exchange": "0"}),
            _OF_INSTRUMENT,
        ),
    },
}


def _success(data: Schema) -> Schema:
    return members(code=constant(0), data=data)


def _failure(names: Sequence[str]) -> Schema:
    codes: dict[str, Any] = {"type": "integer", "enum": sorted({Error[name].code for name in names})}
    details: Schema = {"anyOf": [text(), anything()]}
    return members(code=codes, message=text(), details=Maybe(details))


def _in_header(name: str, says: str) -> Schema:
    return {"type": "apiKey", "in": "header", "name": name, "description": says}


DESCRIPTION = Description(
    table=ROUTES,
    title="Taker desk",
    says="Signed orders: makers sign them with their wallets (EIP-712), takers lock and fill them, money and stock "
    "move on the ledger. It speaks the Stove takers' API; docs/taker-desk.md defines the rules (K1, K2, ...). Amounts "
    "are decimal texts of base units.",
    prefixes=(MOUNT,),
    schemes={
        "apiKey": _in_header("X-API-Key", "A taker's API key (K4)."),
        "timestamp": _in_header("X-API-Timestamp", "Unix time in milliseconds, together with the signature."),
        "signature": _in_header(
            "X-API-Signature",
            "Base64 of HMAC-SHA256, under the key's secret, of METHOD|path|timestamp|X, where X is the raw query of a "
            "GET and the raw body of a POST (K4, K5, K44).",
        ),
        "session": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "A maker's session, from `POST /api/v1/makers/connect`.",
        },
    },
    security={
        Auth.NONE: ((),),
        Auth.PUBLIC: ((),),
        Auth.MAKER: (("session",),),
        Auth.TAKER: (("apiKey",), ("apiKey", "timestamp", "signature")),
    },
    operations=OPERATIONS,
    parameters=PARAMETERS,
    answers=ANSWERS,
    errors={one.name: Failure(one.status, one.code, SAYS[one]) for one in Error},
    members=MEMBERS,
    success=_success,
    failure=_failure,
    headers={
        "X-REQUEST-ID": Header("The request's own `X-REQUEST-ID`.", text()),
        "Preference-Applied": Header("The wait, if the result came in time.", text("wait=[0-9]+")),
        "Retry-After": Header("Seconds to wait before the request is repeated.", integer(1)),
    },
    always=("X-REQUEST-ID",),
    of_errors={429: ("Retry-After",)},
)
