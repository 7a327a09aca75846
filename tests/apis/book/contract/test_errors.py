"""The table of errors: each code is reached, with its status and what else its answer must have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from chalice.test import Client

from chalicelib.apis.book.envelope import STATUS_OF_CODE
from chalicelib.apis.book.routes import (
    BATCH,
    BOOKS,
    CREDIT,
    DEBIT,
    EVENTS,
    FEES,
    LIST,
    ONE_BALANCE,
    ONE_BOOK,
    ONE_DELIVERY,
    ONE_ORDER,
    ONE_TOKEN,
    ONE_WEBHOOK,
    PLACE,
    SETTINGS,
    TEST_WEBHOOK,
    TOKENS,
    TRANSFER,
    WEBHOOKS,
)
from chalicelib.apis.kit.http import HttpResponse
from chalicelib.domain.books.config import SettlementMode
from chalicelib.domain.books.vocabulary import BookStatus
from chalicelib.domain.feed.cursor import Cursor, Place
from chalicelib.domain.webhooks.endpoint import ENDPOINTS_MAX
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.frozen_customers import FrozenCustomers
from chalicelib.wiring.book import new_book_desk
from tests.apis.book.desk import API_KEY, TOKEN, Desk, data_of, deactivate, json_body, outcome_of
from tests.case_tables import cases, deviates
from tests.faults import FAULTS, FaultyClient, raising, refusal
from tests.waiting import Clock
from tests.world import BASE, INSTANCE, QUOTE

Send = Callable[[Desk], HttpResponse]
NO_TOKEN = "0x" + "e" * 40
BOOK = {"tokenAddress": QUOTE, "quoteTokenAddress": BASE, "name": "Another", "symbol": "Q/B"}
DENIED = raising(refusal("AccessDeniedException", "Query"), after=False)


def make(desk: Desk, **members: Any) -> HttpResponse:
    return desk.send("POST", BOOKS, body=json_body(BOOK | members))


def without_the_service(desk: Desk) -> HttpResponse:
    desk.world.tenants().change(INSTANCE, lambda found: found.without_service("trading"))
    return desk.list()


def of_a_frozen_customer(desk: Desk) -> HttpResponse:
    FrozenCustomers(desk.world.database).freeze(INSTANCE, "ann", None)
    return desk.place()


def over_the_limit(desk: Desk) -> HttpResponse:
    other = API_KEY[:-1] + "0"
    desk.world.tenants().add_key(INSTANCE, "key_2", other, 1)
    return [desk.send("GET", LIST, key=other, customerRef="ann") for _ in range(2)][-1]


def another_body_under_the_key(desk: Desk) -> HttpResponse:
    return [desk.place(headers={"idempotency-key": "order-0001"}, quantity=quantity) for quantity in ("1", "2")][-1]


def on_chain(desk: Desk) -> HttpResponse:
    return with_settings(desk, settlement_mode=SettlementMode.ON_CHAIN).place()


def inactive(desk: Desk) -> HttpResponse:
    return with_settings(desk, status=BookStatus.PAUSED).place()


def make_webhook(desk: Desk) -> HttpResponse:
    return desk.send("POST", WEBHOOKS, body=json_body({"url": "https://hooks.example.com/", "types": ["*"]}))


def of_webhook(desk: Desk, method: str, route: str, body: bytes = b"", **path: str) -> HttpResponse:
    return desk.send(method, route, body=body, webhookId=data_of(make_webhook(desk), 201)["id"], **path)


def with_too_many_webhooks(desk: Desk) -> HttpResponse:
    return [make_webhook(desk) for _ in range(ENDPOINTS_MAX + 1)][-1]


def of_a_paused_webhook(desk: Desk) -> HttpResponse:
    webhook_id = data_of(make_webhook(desk), 201)["id"]
    assert desk.send("PATCH", ONE_WEBHOOK, body=b'{"status": "PAUSED"}', webhookId=webhook_id).status == 200
    return desk.send("POST", TEST_WEBHOOK, webhookId=webhook_id)


def with_settings(desk: Desk, **config: Any) -> Desk:
    """Return the desk once its book has other settings."""
    key = {"book": desk.world.book, "part": "config"}
    row = desk.world.database.get("books", key)
    assert row is not None
    desk.world.database.put_many(
        "books", [row | {name: getattr(value, "value", value) for name, value in config.items()}]
    )
    return desk


def with_a_fault(fault: Any, at: int) -> Send:
    def send(desk: Desk) -> HttpResponse:
        database = desk.world.database
        faulty = FaultyClient(database._client, fault, at=at)
        behind = Database(faulty, database._prefix, lambda _: None)  # type: ignore[arg-type]
        response = Desk(desk.world, new_book_desk(behind)).list()
        assert faulty.has_struck
        return response

    return send


def amended_without_an_outcome(desk: Desk) -> HttpResponse:
    body = b'{"customerRef": "ann", "quantity": "11"}'
    return desk.send("PATCH", ONE_ORDER, body=body, orderId=desk.placed())


A_CEILING = {"type": "CEILING", "value": "0"}
BEYOND = Cursor().moved(INSTANCE, "ledger/0", Place(10**6, "5a5a5a5a")).to_text()
"""A cursor of a log's entry that is not there."""
ERRORS: list[Any] = cases(
    ("NOT_FOUND",                404, lambda desk: desk.send("GET", None)),
    ("METHOD_NOT_ALLOWED",       405, lambda desk: desk.send("GET", PLACE)),
    ("AUTH_REQUIRED",            401, lambda desk: desk.send("GET", LIST, key=None, customerRef="ann")),
    ("AUTH_FAILED",              401, lambda desk: desk.send("GET", LIST, key="x", customerRef="ann")),
    ("AUTH_ERROR",               500, with_a_fault(FAULTS["throttled"], at=1)),
    ("RATE_LIMIT_EXCEEDED",      429, over_the_limit),
    ("SERVICE_NOT_ENABLED",      403, without_the_service),
    ("CUSTOMER_FROZEN",          403, of_a_frozen_customer),
    ("PAYLOAD_TOO_LARGE",        413, lambda desk: desk.send("POST", PLACE, body=b" " * (64 * 1024 + 1))),
    ("INVALID_PARAM",            400, lambda desk: desk.list("%zz")),
    ("IDEMPOTENCY_KEY_REQUIRED", 400, lambda desk: desk.place(headers={"idempotency-key": "short"})),
    ("IDEMPOTENCY_MISMATCH",     409, another_body_under_the_key),
    ("VALIDATION_ERROR",         400, lambda desk: desk.place(side="buy")),
    ("ORDER_BOOK_NOT_FOUND",     404, lambda desk: desk.place(orderBookId="ob_none")),
    ("WRONG_SETTLEMENT_MODE",    400, on_chain),
    ("ORDER_BOOK_INACTIVE",      400, inactive),
    ("PRICE_REQUIRED",           400, lambda desk: desk.place(price=...)),
    ("INVALID_PRICE",            400, lambda desk: desk.place(price="0")),
    ("INVALID_QUANTITY",         400, lambda desk: desk.place(quantity="0")),
    ("ORDER_TOO_SMALL",          400, lambda desk: with_settings(desk, order_size_min=11).place(quantity="10")),
    ("ORDER_TOO_LARGE",          400, lambda desk: with_settings(desk, order_size_max=9).place(quantity="10")),
    ("INVALID_VALUE",            400, lambda desk: desk.place(orderType="MARKET", advanced=A_CEILING)),
    ("INSUFFICIENT_BALANCE",     400, lambda desk: desk.place(price="50", quantity="21")),
    ("ORDER_NOT_FOUND",          404, lambda desk: desk.cancel("ord_none")),
    ("CURSOR_GONE",              410, lambda desk: desk.get(EVENTS, {"after": BEYOND})),
    ("CANCEL_PENDING",           503, lambda desk: desk.cancel(desk.placed())),
    ("AMENDMENT_PENDING",        503, amended_without_an_outcome),
    ("WEBHOOK_NOT_FOUND",        404, lambda desk: desk.send("GET", ONE_WEBHOOK, webhookId="we_none")),
    ("DELIVERY_NOT_FOUND",       404, lambda desk: of_webhook(desk, "GET", ONE_DELIVERY, deliveryId="evt_none")),
    ("TOO_MANY_WEBHOOKS",        409, with_too_many_webhooks),
    ("WEBHOOK_NOT_ACTIVE",       409, of_a_paused_webhook),
    ("ORDER_BOOK_EXISTS",        409, lambda desk: make(desk, symbol="B/Q")),
    ("INVALID_PAIR",             400, lambda desk: make(desk, quoteTokenAddress=QUOTE)),
    ("TOKEN_NOT_REGISTERED",     400, lambda desk: make(desk, tokenAddress=NO_TOKEN)),
    ("INVALID_CONFIG",           400, lambda desk: make(desk, tickSize="0")),
    ("TOKEN_EXISTS",             409, lambda desk: desk.post(TOKENS, **TOKEN | {"symbol": "B"})),
    ("TOKEN_NOT_FOUND",          404, lambda desk: desk.post(CREDIT, tokenAddress=NO_TOKEN)),
    ("INVALID_TRANSFER",         400, lambda desk: desk.post(TRANSFER, toCustomerRef="ann")),
    ("INTERNAL_ERROR",           500, with_a_fault(DENIED, at=2)),
    ("SERVICE_UNAVAILABLE",      503, with_a_fault(FAULTS["throttled"], at=2)),
)  # fmt: skip


@pytest.mark.parametrize(("code", "status", "send"), [pytest.param(e.id, *e.values, id=e.id) for e in ERRORS])
def test_each_code_is_reached_with_its_status(desk: Desk, code: str, status: int, send: Send) -> None:
    assert outcome_of(send(desk)) == (status, code)


def test_there_is_no_other_code() -> None:
    assert sorted(STATUS_OF_CODE) == sorted(str(error.id) for error in ERRORS)


# --- what some of them say besides -------------------------------------------------------------------------------

ALLOWED = cases(
    ("POST and DELETE", "GET",    PLACE,     "POST, DELETE"),
    ("GET alone",       "POST",   FEES,      "GET"),
    ("a list",          "POST",   LIST,      "GET, DELETE"),
    ("HEAD is no GET",  "HEAD",   LIST,      "GET, DELETE"),
    ("OPTIONS",         "OPTIONS", LIST,     "GET, DELETE"),
    ("of one order",    "PUT",    ONE_ORDER, "GET, PATCH, DELETE"),
    ("GET and POST",    "DELETE", BOOKS,     "GET, POST"),
    ("PATCH alone",     "GET",    SETTINGS,  "PATCH"),
    ("tokens",          "PUT",    TOKENS,    "GET, POST"),
)  # fmt: skip


METHODS = cases(
    ("PUT", "PUT"),
    ("HEAD", "HEAD"),
    deviates("405 in the words of the gateway, Allow with all methods that any route has", "TRACE", "TRACE"),
    deviates("the same", "a word of one's own", "QUERY"),
)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_that_is_not_allowed_gets_this_answer(client: Client, method: str) -> None:
    response = client.http.request(method, PLACE)
    assert response.status_code == 405
    assert response.headers["Allow"] == "POST, DELETE"
    assert method == "HEAD" or response.json_body["error"]["code"] == "METHOD_NOT_ALLOWED"


@pytest.mark.parametrize(("method", "route", "allow"), ALLOWED)
def test_a_method_that_is_not_allowed_names_those_that_are(desk: Desk, method: str, route: str, allow: str) -> None:
    response = desk.send(method, route)
    assert outcome_of(response) == (405, "METHOD_NOT_ALLOWED")
    assert response.headers["Allow"] == allow


@pytest.mark.parametrize(
    "code", cases(*((code, code) for code in ("CANCEL_PENDING", "AMENDMENT_PENDING", "SERVICE_UNAVAILABLE")))
)
def test_an_answer_503_says_when_to_come_again(desk: Desk, code: str) -> None:
    (send,) = (error.values[1] for error in ERRORS if error.id == code)
    assert send(desk).headers["Retry-After"] == "1"


def test_a_service_that_is_unavailable_has_changed_nothing(desk: Desk) -> None:
    database, before = desk.world.database, desk.world.tables()
    for call in range(2, 5):
        faulty = FaultyClient(database._client, FAULTS["throttled"], at=call)
        behind = Database(faulty, database._prefix, lambda _: None)  # type: ignore[arg-type]
        response = Desk(desk.world, new_book_desk(behind)).place()
        if faulty.has_struck:
            assert outcome_of(response) == (503, "SERVICE_UNAVAILABLE")
            assert desk.world.tables() == before
    assert desk.world.tables() != before, "the last one met no fault"


SEGMENTS = cases(
    ("too long",                    "x" * 257),
    ("a percent sign alone",        "%"),
    ("half an escape",              "a%2"),
    ("no hexadecimal digits",       "%zz"),
    ("no UTF-8",                    "%FF"),
    ("UTF-8 cut off",               "%C3"),
    ("an overlong form",            "%C0%AF"),
    ("half a surrogate pair",       "%ED%A0%80"),
    ("U+0000",                      "%00"),
    ("U+001F",                      "a%1F"),
    ("U+007F",                      "a%7F"),
)  # fmt: skip


@pytest.mark.parametrize("segment", SEGMENTS)
def test_a_path_parameter_that_cannot_be_one(desk: Desk, segment: str) -> None:
    for route, name in ((LIST, "customerRef"), (ONE_BOOK, "orderBookId"), (ONE_ORDER, "orderId")):
        assert outcome_of(desk.get(route, {"customerRef": "ann"}, **{name: segment})) == (400, "INVALID_PARAM")


KIB = 1024
SIZES = cases(("64 KiB are read",              "POST",   PLACE, 64 * KIB,      (400, "VALIDATION_ERROR")),
              ("one byte more is not",         "POST",   PLACE, 64 * KIB + 1,  (413, "PAYLOAD_TOO_LARGE")),
              ("a list of cancels is no more", "DELETE", PLACE, 64 * KIB + 1,  (413, "PAYLOAD_TOO_LARGE")),
              ("256 KiB of a batch are read",  "POST",   BATCH, 256 * KIB,     (400, "VALIDATION_ERROR")),
              ("one byte more of it is not",   "POST",   BATCH, 256 * KIB + 1, (413, "PAYLOAD_TOO_LARGE")))  # fmt: skip


@pytest.mark.parametrize(("method", "path", "size", "outcome"), SIZES)
def test_a_body_has_64_kib_at_most_and_a_batch_256(
    desk: Desk, method: str, path: str, size: int, outcome: tuple[int, str]
) -> None:
    assert outcome_of(desk.send(method, path, body=b" " * size)) == outcome


ASYNCHRONOUS: list[Any] = cases(
    ("post-only that crosses",  {"price": "60", "postOnly": True}),
    ("FOK that cannot fill",    {"price": "60", "quantity": "11", "timeInForce": "FOK"}),
    ("IOC with a remainder",    {"price": "60", "quantity": "11", "timeInForce": "IOC"}),
    ("MARKET with a remainder", {"orderType": "MARKET", "quantity": "11"}),
)  # fmt: skip


@pytest.mark.parametrize("members", ASYNCHRONOUS)
def test_an_outcome_of_matching_is_never_an_error(desk: Desk, clock: Clock, members: dict[str, Any]) -> None:
    """Not even to a request that waits for it: the order ends CANCELLED."""
    desk.placed(customerRef="ben", side="SELL", price="60", quantity="10")
    desk.match()
    clock.meanwhile = desk.match
    response = desk.place(headers={"prefer": "wait=5"}, **members)
    assert outcome_of(response) == (201, None)
    assert '"status":"CANCELLED"' in response.body


# --- the ledger's table says when a token is not found -----------------------------------------------------------

INACTIVE: list[Any] = cases(
    ("credit",         lambda desk: desk.post(CREDIT)),
    ("debit",          lambda desk: desk.post(DEBIT)),
    ("transfer",       lambda desk: desk.post(TRANSFER)),
    ("show a token", lambda desk: desk.get(ONE_TOKEN, tokenAddress=BASE)),
    ("show a balance",
             lambda desk: desk.get(ONE_BALANCE, customerRef="ann", tokenAddress=BASE)),
)  # fmt: skip


@pytest.mark.parametrize("send", INACTIVE)
def test_a_ledger_call_that_names_an_inactive_token_is_not_found(desk: Desk, send: Send) -> None:
    deactivate(desk)
    assert outcome_of(send(desk)) == (404, "TOKEN_NOT_FOUND")
