"""What the trade desk says of its operations (``kit/description``); ``answers`` has the schemas of its answers.

The examples are one story on a pair that trades already: an order is placed, looked at and canceled.
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
    constant,
    flag,
    integer,
    members,
    nullable,
    text,
    words,
)
from chalicelib.apis.trade.answers import ANSWERS, MEMBERS, MS, STATUSES
from chalicelib.apis.trade.change_schema import TIMEOUT_S_MAX, TIMEOUT_S_MIN
from chalicelib.apis.trade.cursor import PAGE_MAX
from chalicelib.apis.trade.envelope import Error
from chalicelib.apis.trade.gate import TOLERANCE_MS, TOLERANCE_MS_MAX
from chalicelib.apis.trade.listing import IDS_MAX
from chalicelib.apis.trade.market import LEVELS_DEFAULT, LEVELS_MAX, ORDERS_DEFAULT, ORDERS_MAX
from chalicelib.apis.trade.paging import PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX
from chalicelib.apis.trade.place_schema import SIDES, TYPES
from chalicelib.apis.trade.routes import BUY_SELL, MOUNT, READ, ROUTES

SAYS = {
    Error.INVALID_PARAMETERS: "A header, parameter or member is not as it must be; the message names it (R62).",
    Error.MINIMUM_NOT_REACHED: "The amount, or what it is worth, is below the pair's minimum (R39).",
    Error.INSUFFICIENT_FUNDS: "The available balance does not cover what the order would hold.",
    Error.ALREADY_CANCELED: "The order has ended.",
    Error.EXECUTED_COMPLETELY: "The order was filled.",
    Error.NOTHING_TO_CANCEL: "No order was live (R42).",
    Error.UNSUPPORTED: "The operation is not served, or the pair is not enabled (R2).",
    Error.FORBIDDEN: "The token may not do this, the instance has not the service, or its customer is frozen (T96).",
    Error.NO_ROUTE: "There is no such path, or no public instance (R3).",
    Error.PAIR_NOT_FOUND: "There is no such pair (R15).",
    Error.ORDER_NOT_FOUND: "The customer has no such order.",
    Error.CURRENCY_NOT_FOUND: "There is no such currency.",
    Error.CURSOR_GONE: "The cursor is older than 30 days, or of other tables; `data.cursor` is that of now (T92).",
    Error.TOO_MANY_REQUESTS: "The bucket is empty; wait as `Retry-After` says (R13, R46).",
    Error.LIMIT_EXCEEDED: "The day's requests are used up (R13).",
    Error.INTERNAL: "A fault of the service; whether something was changed is not known.",
    Error.CANCEL_PENDING: "No result within five seconds; the cancel stays queued, repeat the request.",
    Error.AMENDMENT_PENDING: "No outcome within five seconds, or another amendment of the order is under way; repeat "
    "the request (R69).",
    Error.MAINTENANCE: "A needed part is down; nothing was changed.",
}
"""Of the others, the message says it."""

_MOMENT = r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?"
_PAIR = Parameter("BASE_QUOTE, in any case (R15).", text(least=1), is_required=True)
_A_PAIR = Parameter("BASE_QUOTE, in any case; without it, all pairs (R15).", text())
OF_PAIR = {"pair": _PAIR}


def _moment(says: str) -> Parameter:
    return Parameter(f"{says} A date, or a time as in ISO 8601 (R17).", text(_MOMENT))


_SIDE = Parameter("Orders of this side alone.", words(SIDES))
PARAMETERS = {
    "pair": _A_PAIR,
    "id": Parameter("Id of the order, in any case (R16).", text("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")),
    "external_id": Parameter("Your own id of the order, in any case (R31).", text(least=1, most=36)),
    "date": _moment("The day."),
    "currency_code": Parameter("Codes of currencies, in any case; without it, all (R19).", text(), is_list=True),
    "order_id": Parameter("Id of the order (R16).", text("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")),
    "ids": Parameter(f"Ids of at most {IDS_MAX} orders; then there is no window of time (R19).", text(), is_list=True),
    "status": Parameter("Orders of these statuses alone (R19, R20).", words(STATUSES), is_list=True),
    "side": _SIDE,
    "type": Parameter("Orders of this type alone.", words(TYPES)),
    "amount": Parameter("In whole base assets, above 0.", text(r"[0-9]+(\.[0-9]+)?", most=80), is_required=True),
    "start_date": _moment("From this time on."),
    "end_date": _moment(
        "Until this time, included; at most six months after the start, now where it is left out (R17)."
    ),
    "start_time": _moment("From this time on."),
    "end_time": _moment(
        "Until this time, included; at most six months after the start, now where it is left out (R17)."
    ),
    "updated_since": _moment("Orders that were admitted or changed since (R63)."),
    "page_size": Parameter("Rows of a page.", integer(1, PAGE_SIZE_MAX, default=PAGE_SIZE_DEFAULT)),
    "current_page": Parameter("Number of the page.", integer(1, PAGE_MAX, default=1)),
    "c": Parameter("The cursor `nc` or `pc` of an answer; instead of `current_page` (R18).", text("[A-Za-z0-9_-]*")),
    "after": Parameter(
        "The cursor of an earlier answer, or `start` for the oldest events kept; without it, now.",
        text("[A-Za-z0-9_-]*"),
    ),
    "limit": Parameter("How many events at most.", integer(1, events.LIMIT_MAX, default=events.LIMIT_DEFAULT)),
    "Prefer": Parameter(
        "`wait=n`: wait up to n seconds for the result, at most 10 (R27); for events 20. Anything else is ignored.",
        text() | {"examples": ["wait=10"]},
    ),
}
LEVELS = {
    "limit": Parameter(
        f"Levels of each side, or `max` for {LEVELS_MAX}.",
        {"anyOf": [integer(1, LEVELS_MAX), constant("max")], "default": LEVELS_DEFAULT},
    )
}
ORDERS = {"limit": Parameter("Orders of each side.", integer(1, ORDERS_MAX, default=ORDERS_DEFAULT))}
OF_STATEMENT = {"currency_code": Parameter("Code of the currency, in any case.", text(least=1))}
_OF_FEED = "It waits for the first event with `Prefer: wait=n`. Go on from each answer's `cursor`."


def _number(says: str = "") -> Schema:
    """Return a positive number, as a JSON number or as text (R14)."""
    either: Schema = {
        "type": ["number", "string"],
        "exclusiveMinimum": 0,
        "pattern": r"^[0-9]+(\.[0-9]+)?$",
        "maxLength": 80,
    }
    return either | ({"description": says} if says else {})


_PLACE = members(
    "An order. A market order has an amount or a value and no price, the others an amount and a price; stop_limit, "
    "trailing and iceberg orders have a member of their own (R23 to R41).",
    pair=text(least=1),
    side=words(SIDES),
    type=words(TYPES),
    amount=Maybe(nullable(_number())),
    value=Maybe(nullable(_number())),
    price=Maybe(nullable(_number())),
    stop_price=Maybe(nullable(_number())),
    distance=Maybe(nullable(_number())),
    step_amount=Maybe(nullable(_number())),
    post_only=Maybe(nullable(flag())),
    immediate_or_cancel=Maybe(nullable(flag())),
    fill_or_kill=Maybe(nullable(flag())),
    expiration=Maybe(nullable(integer(1))),
    external_id=Maybe(nullable(text(r"[\x21-\x7e]{1,36}"))),
)
BODIES = {
    "PlaceBody": _PLACE,
    "amend_body": members(
        "An order, and its new price, its new total amount, or both (R68).",
        order_id=text("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"),
        unit_price=Maybe(_number()),
        amount=Maybe(_number()),
    ),
    "order_id_member": members(id=text("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")),
    "external_id_member": members(external_id=text(r"[\x21-\x7e]{1,36}")),
    "timeout_member": members(
        timeout={"anyOf": [constant(0), integer(TIMEOUT_S_MIN, TIMEOUT_S_MAX)]},
    )
    | {"additionalProperties": False},
    "pair_to_cancel": members("Null and an empty list have no members (R42).", pair=Maybe(nullable(text(least=1))))
    | {"type": ["object", "array", "null"], "additionalProperties": False, "maxItems": 0},
}
_ORDER = {"pair": "BTC_BRL", "side": "buy", "type": "limit", "amount": 0.01, "price": 350000}
_BTC = {"pair": "BTC_BRL"}


def _cancel(name: str, says: str, example: Example) -> Operation:
    return Operation(
        name,
        "Cancel an order",
        f"{says} What has traded stays. The answer waits up to five seconds for the result.",
        example,
    )


OPERATIONS: dict[str, dict[str, Operation]] = {
    "Orders": {
        "POST /orders": Operation(
            "placeOrder",
            "Place an order",
            "A 200 means that the order is durable and has its hold and its place in the book (R29). The answer shows "
            "it as admitted, or after its first matching with `Prefer: wait=n` (R27, R64).",
            Example(body=_ORDER | {"external_id": "order-17"}, gives={"id": "/data/id"}),
            headers=("Preference-Applied",),
        ),
        "GET /orders": Operation(
            "listOrders",
            "List orders of a pair",
            "A page of the customer's orders in a pair, newest first, of both desks (R18 to R22).",
            Example(query=_BTC | {"status": "open,executed_partially", "page_size": "20"}),
            OF_PAIR,
        ),
        "GET /orders/open": Operation(
            "listOpenOrders",
            "List live orders",
            "A page of the customer's live orders, in one pair or in all, newest first.",
            Example(query={"side": "buy"}),
        ),
        "GET /orders/{id}": Operation(
            "getOrder", "Show an order", "One order with its trades.", Example({"id": "{id}"})
        ),
        "GET /orders/by-external-id/{external_id}": Operation(
            "getOrderByExternalId",
            "Show an order by your own id",
            "One order with its trades; external ids ignore case (R31).",
            Example({"external_id": "order-17"}),
        ),
        "PUT /orders": Operation(
            "amendOrder",
            "Amend an order",
            "Gives an open order a new price, a new total amount, or both (R68). A lower amount alone keeps its time "
            "priority. The answer waits up to five seconds for the outcome; a repeat is safe.",
            Example(body={"order_id": "{id}", "unit_price": 349500, "amount": 0.02}),
        ),
        "GET /orders/trades": Operation(
            "listTradesOfOrder",
            "List one order's trades",
            "A page of an order's trades, newest first (R32).",
            Example(query={"order_id": "{tradedId}"}),
            {"order_id": Parameter(PARAMETERS["order_id"].says, PARAMETERS["order_id"].schema, is_required=True)},
        ),
        "GET /orders/estimate-price/{pair}": Operation(
            "estimatePrice",
            "Estimate a price",
            "The average price that a market order of this amount would have now (R56).",
            Example(_BTC, {"amount": "0.01", "side": "buy"}),
            {"pair": _PAIR, "side": Parameter("Side of the order.", words(SIDES), is_required=True)},
        ),
        "DELETE /orders": _cancel("cancelOrder", "Cancels by id.", Example(body={"id": "{id}"})),
        "POST /orders/cancel": _cancel(
            "cancelOrderByPost",
            "Cancels by id, for clients that send no body with DELETE.",
            Example(body={"id": "{second}"}),
        ),
        "DELETE /orders/by-external-id": _cancel(
            "cancelOrderByExternalId", "Cancels by your own id (R31).", Example(body={"external_id": "third"})
        ),
        "POST /orders/cancel-by-external-id": _cancel(
            "cancelOrderByExternalIdByPost",
            "Cancels by your own id, for clients that send no body with DELETE (R31).",
            Example(body={"external_id": "fourth"}),
        ),
        "DELETE /orders/all": Operation(
            "cancelAllOrders",
            "Cancel all orders",
            "Cancels all live orders of the customer, in one pair or in all, those of the book desk too (R42). It "
            "takes no other member and no parameter: they could have narrowed it.",
            Example(body=_BTC),
            headers=("X-Total-Count",),
            body_is_optional=True,
        ),
        "POST /orders/cancel-all-after": Operation(
            "cancelAllAfter",
            "Cancel all orders later",
            "A dead man's switch: unless it is set again in time, all live orders of the customer are canceled (R71). "
            "0 turns it off.",
            Example(body={"timeout": 60}),
        ),
    },
    "Account": {
        "GET /user/trades": Operation(
            "listUserTrades",
            "List trades",
            "A page of the customer's trades in a pair, newest first; side, type and fee are those of its own order "
            "(R32).",
            Example(query=_BTC),
            OF_PAIR | {"external_id": Parameter("Trades of the order with this id of your own (R31).", text())},
        ),
        "GET /user/balances": Operation(
            "listBalances",
            "List balances",
            "A row for each active currency, zeros included, by code (R36).",
            Example(query={"currency_code": "BTC,BRL"}),
        ),
        "GET /user/balances/{date}": Operation(
            "listBalancesOfDay",
            "List balances of a day",
            "What the customer had at the end of a UTC day, held funds included (R59).",
            Example({"date": "{today}"}),
        ),
        "GET /user/statement": Operation(
            "getStatement",
            "Show the statement",
            "A page of what changed the customer's balances, newest first (R60).",
            Example(query={"page_size": "5"}),
        ),
        "GET /user/statement/{currency_code}": Operation(
            "getStatementOfCurrency",
            "Show the statement of a currency",
            "A page of what changed the customer's balance of one currency (R60).",
            Example({"currency_code": "BRL"}, {"page_size": "5"}),
            OF_STATEMENT,
        ),
        "GET /user/trading-fees": Operation(
            "getTradingFees",
            "Show a pair's fees",
            "In percent, the same for all customers (R57).",
            Example(query=_BTC),
            OF_PAIR,
        ),
        "GET /events": Operation(
            "followEvents",
            "Follow events",
            f"The customer's events after a cursor: orders, fills, balances (T84 to T88). {_OF_FEED}",
            Example(query={"after": "start", "limit": "1"}),
            headers=("Preference-Applied",),
        ),
        "POST /ticket": Operation(
            "issueTicket",
            "Get a ticket for a WebSocket connection",
            "The ticket tells a connection who the client is: good for a minute, and once.",
            Example(),
        ),
    },
    "Market data": {},
}

for _where, _path, _names in (
    ("public", "/public", ("listPublicTrades", "getPublicDepth", "getPublicOrders", "listPublicTickers",
                           "getPublicTicker", "listPublicPairs", "listPublicCurrencies")),
    ("private", "", ("listTrades", "getDepth", "getOrdersOfBook", "listTickers", "getTicker", "listPairs",
                     "listCurrencies")),
):  # fmt: skip
    _is_public = _where == "public"
    _who = (
        "Needs no token; shows the public instance (R3, R46)."
        if _is_public
        else "The same as the public route, for a token."
    )
    _ticker, _book = ("/public/tickers", "/public") if _is_public else ("/ticker", "/book")
    OPERATIONS["Market data"] |= {
        f"GET {_path}/trades": Operation(
            _names[0],
            "List a pair's trades",
            f"A page of trades, newest first, without a total. {_who}",
            Example(query=_BTC),
            OF_PAIR,
        ),
        f"GET {_book}/orders/level-2": Operation(
            _names[1],
            "Show the depth by price",
            f"Open amount by price, best first, with a checksum (R33). {_who}",
            Example(query=_BTC | {"limit": "5"}),
            OF_PAIR | LEVELS,
        ),
        f"GET {_book}/orders/level-3": Operation(
            _names[2],
            "Show the resting orders",
            f"Each resting order, best price first, then as they came (R58). {_who}",
            Example(query=_BTC | {"limit": "5"}),
            OF_PAIR | ORDERS,
        ),
        f"GET {_ticker}": Operation(
            _names[3], "List tickers", f"The last 24 hours of every pair (R34). {_who}", Example()
        ),
        f"GET {_ticker}/{{pair}}": Operation(
            _names[4], "Show a ticker", f"The last 24 hours of a pair (R34). {_who}", Example(_BTC), OF_PAIR
        ),
        f"GET {_path}/pairs": Operation(
            _names[5], "List pairs", f"The pairs and their bounds (R35). {_who}", Example(query=_BTC)
        ),
        f"GET {_path}/currencies": Operation(
            _names[6],
            "List currencies",
            f"The instance's currencies, by code (R54). {_who}",
            Example(query={"currency_code": "BTC"}),
        ),
    }
OPERATIONS["Market data"] |= {
    "GET /public/countries": Operation(
        "listPublicCountries", "List countries", "None: nothing here depends on a country (R55).", Example()
    ),
    "GET /public/server-time": Operation(
        "getPublicServerTime", "Show the server's time", "To compare clocks before requests are signed (R5).", Example()
    ),
}


def _success(data: Schema) -> Schema:
    return members(data=data, error_code=constant(None), message=constant(None), timestamp=MS)


def _failure(names: Sequence[str]) -> Schema:
    errors = [Error[name] for name in names]
    data: Schema = members(cursor=text()) if Error.CURSOR_GONE in errors else constant(None)
    codes: dict[str, Any] = {"type": "integer", "enum": sorted({error.error_code for error in errors})}
    return members(data=data, error_code=codes, message=text(), timestamp=MS)


def _signed(header: str, says: str) -> Schema:
    return {"type": "apiKey", "in": "header", "name": header, "description": says}


_SIGNED = (("token", "timestamp", "signature"),)
DESCRIPTION = Description(
    table=ROUTES,
    title="Trade desk",
    says="The same order books, seen by one customer with signed requests: orders, balances, market data. It speaks "
    "the Ripio Trade API; docs/trade-desk.md defines the rules (R1, R2, ...). Amounts are exact decimals of whole "
    "assets.",
    prefixes=(MOUNT,),
    schemes={
        "token": _signed("Authorization", "The API token, bare."),
        "timestamp": _signed(
            "Timestamp",
            f"Unix time in milliseconds; it may differ from the server's by {TOLERANCE_MS} ms, or by as much as the "
            f"header `Timestamp-Tolerance` says, {TOLERANCE_MS_MAX} at most (R5).",
        ),
        "signature": _signed(
            "Signature",
            "Base64 of HMAC-SHA256, under the token's secret, of timestamp + METHOD + path + body, with nothing "
            "between them. The path is as sent, from `/trade` on, without the query; the body of a GET is empty (R4 to "
            "R8).",
        ),
    },
    security={READ: _SIGNED, BUY_SELL: _SIGNED, None: ((),)},
    operations=OPERATIONS,
    parameters=PARAMETERS,
    answers=ANSWERS,
    errors={one.name: Failure(one.status, one.error_code, SAYS.get(one, one.message)) for one in Error},
    members=MEMBERS,
    success=_success,
    failure=_failure,
    bodies=BODIES,
    headers={
        "Preference-Applied": Header("The wait, if the result came in time (R27).", text("wait=[0-9]+")),
        "X-Total-Count": Header("How many rows there are without the bound of the list (R42).", integer(0)),
        "Retry-After": Header("Seconds to wait before the request is repeated.", integer(1)),
    },
    of_errors={429: ("Retry-After",), 503: ("Retry-After",)},
)
