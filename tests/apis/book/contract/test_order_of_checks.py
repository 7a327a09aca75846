"""Which fault decides an answer where there are several (T10), and how a body is read (T11)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from chalice.test import Client

from chalicelib.apis.book.routes import LIST, ONE_ORDER, PLACE
from chalicelib.apis.kit.http import HttpResponse
from chalicelib.tables.dynamodb import Database
from tests.apis.book.desk import API_KEY, ORDER, Desk, answer_of, data_of, fields_of, json_body, open_desk, outcome_of
from tests.case_tables import cases, deviates
from tests.waiting import Clock
from tests.world import INSTANCE, World

Send = Callable[[Desk], HttpResponse]
USED = {"idempotency-key": "order-0001"}
MALFORMED = {"idempotency-key": "short"}
LARGE = b"{" + b" " * 65_536


@pytest.fixture
def desk(clock: Clock, memory_database: Database) -> Desk:  # noqa: ARG001
    """A desk whose key may come in five times a minute; under the key order-0001 an order was placed."""
    desk = open_desk(World(memory_database), rate_limit=5)
    desk.placed(headers=USED)
    return desk


def at_the_limit(desk: Desk) -> Desk:
    for _ in range(4):
        assert desk.list().status == 200
    return desk


def without_the_service(desk: Desk) -> Desk:
    desk.world.tenants().change(INSTANCE, lambda found: found.without_service("trading"))
    return desk


# T10: each case has the fault of one step, and of the next one that the same route can have.
STEPS: list[Any] = cases(
    ("1 route before 2 key",        "NOT_FOUND",       lambda desk: desk.send("GET", None, key=None)),
    ("1 route before its method",   "NOT_FOUND",       lambda desk: desk.send("PUT", None)),
    ("1 method before 2 key",       "METHOD_NOT_ALLOWED", lambda desk: desk.send("PUT", PLACE, key=None)),
    ("1 method before 3 key",       "METHOD_NOT_ALLOWED", lambda desk: desk.send("PUT", PLACE, key="x")),
    ("2 no key before 6 size",      "AUTH_REQUIRED",   lambda desk: desk.send("POST", PLACE, key=None, body=LARGE)),
    ("2 no key before 7 path",      "AUTH_REQUIRED",   lambda desk: desk.send("GET", LIST, key=None, customerRef="%")),
    ("2 no key before 9 body",      "AUTH_REQUIRED",   lambda desk: desk.send("POST", PLACE, key=None, body=b"{")),
    ("3 key before 4 rate",         "AUTH_FAILED",
     lambda desk: at_the_limit(desk).send("GET", LIST, key=API_KEY + "0", customerRef="ann")),
    ("3 key before 5 service",      "AUTH_FAILED",
     lambda desk: without_the_service(desk).send("GET", LIST, key=API_KEY[:-1] + "0", customerRef="ann")),
    ("4 rate before 5 service",     "RATE_LIMIT_EXCEEDED", lambda desk: without_the_service(at_the_limit(desk)).list()),
    ("4 rate before 6 size",        "RATE_LIMIT_EXCEEDED",
     lambda desk: at_the_limit(desk).send("POST", PLACE, body=LARGE)),
    ("5 service before 6 size",     "SERVICE_NOT_ENABLED",
     lambda desk: without_the_service(desk).send("POST", PLACE, body=LARGE)),
    ("5 service before 9 body",     "SERVICE_NOT_ENABLED",
     lambda desk: without_the_service(desk).send("POST", PLACE, body=b"{")),
    ("6 size before 7 path",        "PAYLOAD_TOO_LARGE",
     lambda desk: desk.send("DELETE", ONE_ORDER, body=LARGE, orderId="%zz")),
    ("6 size before 8 key's form",  "PAYLOAD_TOO_LARGE",
     lambda desk: desk.send("POST", PLACE, body=LARGE, headers=MALFORMED)),
    ("7 path before 9 query",       "INVALID_PARAM",   lambda desk: desk.list("%zz", limit="0")),
    ("7 path before 9 body",        "INVALID_PARAM",
     lambda desk: desk.send("DELETE", ONE_ORDER, body=b"{", orderId="%zz")),
    ("8 key's form before 9 body",  "IDEMPOTENCY_KEY_REQUIRED",
     lambda desk: desk.send("POST", PLACE, body=b"{", headers=MALFORMED)),
    ("8 key's form before 11",      "IDEMPOTENCY_KEY_REQUIRED",
     lambda desk: desk.place(headers=MALFORMED, orderBookId="ob_none")),
    ("9 schema before 10 key used", "VALIDATION_ERROR", lambda desk: desk.place(headers=USED, quantity="x")),
    ("9 schema before 11 book",     "VALIDATION_ERROR", lambda desk: desk.place(orderBookId="ob_none", quantity="x")),
    ("9 query before 11 order",     "VALIDATION_ERROR", lambda desk: desk.get(ONE_ORDER, orderId="ord_none")),
    ("10 key used before 11 book",  "IDEMPOTENCY_MISMATCH",
     lambda desk: desk.place(headers=USED, orderBookId="ob_none")),
)  # fmt: skip


@pytest.mark.parametrize(("code", "send"), STEPS)
def test_t10_the_first_fault_decides_the_answer(desk: Desk, code: str, send: Send) -> None:
    assert answer_of(send(desk))["error"]["code"] == code


def test_t10_a_replay_comes_before_the_endpoints_own_checks(desk: Desk) -> None:
    """The book is paused by now: a new order would be refused."""
    row = desk.world.database.get("books", {"book": desk.world.book, "part": "config"})
    assert row is not None
    desk.world.database.put_many("books", [row | {"status": "PAUSED"}])
    assert outcome_of(desk.place()) == (400, "ORDER_BOOK_INACTIVE")
    assert outcome_of(desk.place(headers=USED)) == (201, None)


def test_t10_all_faults_of_the_schema_are_one_answer(desk: Desk) -> None:
    assert fields_of(desk.place(side="buy", quantity=1)) == ["side", "quantity"]
    query = {"limit": ["0"], "status": ["x"]}
    assert fields_of(desk.send("GET", LIST, query=query, customerRef="ann")) == ["status", "limit"]


# --- T11: the body -----------------------------------------------------------------------------------------------

TYPES = cases(
    *((kind, kind) for kind in ("application/json", "text/plain", "application/octet-stream", "nonsense", ""))
)


@pytest.mark.parametrize("content_type", TYPES)
def test_t11_the_body_is_json_whatever_the_content_type_says(client: Client, content_type: str) -> None:
    headers = {"x-api-key": API_KEY, "content-type": content_type}
    response = client.http.post("/orderbooks/stocks/api/offchain/orders", headers=headers, body=json_body(ORDER))
    assert response.status_code == 201


def test_t11_without_a_content_type_too(client: Client) -> None:
    response = client.http.post(
        "/orderbooks/stocks/api/offchain/orders", headers={"x-api-key": API_KEY}, body=json_body(ORDER)
    )
    assert response.status_code == 201


BODIES = cases(
    ("empty",                    b""),
    ("white space",              b" \n"),
    ("cut off",                  b'{"side": "BUY"'),
    ("single quotes",            b"{'side': 'BUY'}"),
    ("a comma too many",         b'{"side": "BUY",}'),
    ("text after it",            b"{} {}"),
    ("NaN is not JSON",          b'{"a": NaN}'),
    ("Infinity is not JSON",     b'{"a": -Infinity}'),
    ("invalid UTF-8",            b'{"customerRef": "\xff"}'),
    ("UTF-16",                   '{"side": "BUY"}'.encode("utf-16")),
    ("a byte order mark",        "\ufeff{}".encode()),
    ("an array",                 b"[{}]"),
    ("a text",                   b'"{}"'),
    ("a number",                 b"1"),
    ("null",                     b"null"),
    ("true",                     b"true"),
)  # fmt: skip


@pytest.mark.parametrize("body", BODIES)
def test_t11_what_is_no_json_object_is_a_fault_of_the_body(desk: Desk, body: bytes) -> None:
    assert fields_of(desk.send("POST", PLACE, body=body)) == ["body"]


def with_member(text: str) -> bytes:
    """Return the usual order with this member, written out, at its end."""
    return json.dumps(ORDER)[:-1].encode() + f", {text}}}".encode()


TWICE = cases(
    ("the last one is good",   '"quantity": "7"', '"quantity": "x"', (201, None)),
    ("the last one is faulty", '"quantity": "x"', '"quantity": "7"', (400, "VALIDATION_ERROR")),
)  # fmt: skip


@pytest.mark.parametrize(("last", "first", "outcome"), TWICE)
def test_t11_of_a_member_that_appears_twice_the_last_one_counts(
    desk: Desk, last: str, first: str, outcome: tuple[int, str | None]
) -> None:
    response = desk.send("POST", PLACE, body=with_member(f"{first}, {last}"))
    assert outcome_of(response) == outcome
    assert response.status == 400 or data_of(response, 201)["quantity"] == "7"


DEEP = "400 VALIDATION_ERROR on body: some thousand arrays inside each other are not read"
ODD = cases(
    ("a number of 400 digits",              '"colour": ' + "9" * 400),
    ("a number beyond all floats",          '"colour": 1e999'),
    ("half a surrogate pair",               '"colour": "\\ud800"'),
    ("a hundred arrays",                    '"colour": ' + "[" * 100 + "]" * 100),
    ("a number of 5,000 digits",            '"colour": ' + "9" * 5000),
    ("one of 5,000 digits below zero",      '"colour": -' + "9" * 5000),
    deviates(DEEP, "ten thousand arrays",   '"colour": ' + "[" * 10_000 + "]" * 10_000),
)  # fmt: skip


@pytest.mark.parametrize("headers", cases(("without a key", {}), ("under a key", {"idempotency-key": "order-0002"})))
@pytest.mark.parametrize("member", ODD)
def test_an_unknown_member_is_ignored_whatever_its_json_is(desk: Desk, member: str, headers: dict[str, str]) -> None:
    assert outcome_of(desk.send("POST", PLACE, body=with_member(member), headers=headers)) == (201, None)
