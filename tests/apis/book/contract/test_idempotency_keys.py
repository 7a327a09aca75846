"""Idempotency-Key: where it counts, what it may be, and what a repeat is answered (T12 to T14)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.apis.book.routes import BOOKS, CREDIT, DEBIT, LIST, PLACE, SETTINGS, TOKENS, TRANSFER
from chalicelib.apis.kit.http import HttpResponse
from chalicelib.tables.dynamodb import Database
from chalicelib.wiring.book import new_book_desk
from tests.apis.book.desk import API_KEY, CHANGE, MOVE, ORDER, TOKEN, Desk, data_of, json_body, outcome_of
from tests.case_tables import cases
from tests.faults import Died, FaultyClient, raising, throttled
from tests.waiting import Clock
from tests.world import BASE, BOOK_ID, INSTANCE, QUOTE

KEY = {"idempotency-key": "order-0001"}
BOOK = {"tokenAddress": QUOTE, "quoteTokenAddress": BASE, "name": "Another", "symbol": "Q/B"}
DAY_S = 86_400
ITS_BOOK = {"orderBookId": BOOK_ID}


def send(desk: Desk, route: str, body: dict[str, Any], key: str = "order-0001", api_key: str = API_KEY) -> HttpResponse:
    return desk.send("POST", route, body=json_body(body), headers={"idempotency-key": key}, key=api_key)


# --- where it counts ---------------------------------------------------------------------------------------------

OPTIONAL = cases(
    ("orders",      PLACE,    ORDER,  {"quantity": "9"},  201),
    ("order-books", BOOKS,    BOOK,   {"name": "Other"},  201),
    ("tokens",      TOKENS,   TOKEN,  {"name": "Silver"}, 201),
    ("credit",      CREDIT,   CHANGE, {"amount": "9"},    200),
    ("debit",       DEBIT,    CHANGE, {"amount": "9"},    200),
    ("transfer",    TRANSFER, MOVE,   {"amount": "9"},    200),
)  # fmt: skip


@pytest.mark.parametrize(("route", "body", "other", "status"), OPTIONAL)
def test_the_same_key_and_body_have_one_effect_and_one_answer(
    desk: Desk, route: str, body: dict[str, Any], other: dict[str, str], status: int
) -> None:
    first = send(desk, route, body)
    once = desk.world.tables()
    second = send(desk, route, body)
    assert (second.status, second.body) == (first.status, first.body)
    assert first.status == status
    assert second.headers["Idempotent-Replay"] == "true"
    assert "Idempotent-Replay" not in first.headers
    assert second.headers["X-Request-Id"] not in second.body
    assert outcome_of(send(desk, route, body | other)) == (409, "IDEMPOTENCY_MISMATCH")
    assert outcome_of(send(desk, route, body, "short")) == (400, "IDEMPOTENCY_KEY_REQUIRED")
    assert desk.world.tables() == once


IGNORED: list[Any] = cases(
    ("GET a list",     200, lambda desk, key: desk.send("GET", LIST, headers=key, customerRef="ann")),
    ("DELETE an order", 503, lambda desk, key: desk.cancel(desk.placed(), headers=key)),
    ("PATCH a book",   200, lambda desk, key: desk.send("PATCH", SETTINGS, headers=key, body=b"{}", **ITS_BOOK)),
)  # fmt: skip


@pytest.mark.parametrize("key", cases(("well-formed", "order-0001"), ("malformed", "short"), ("empty", "")))
@pytest.mark.parametrize(("status", "ask"), IGNORED)
def test_elsewhere_a_key_is_ignored(
    desk: Desk, status: int, ask: Callable[[Desk, dict[str, str]], HttpResponse], key: str
) -> None:
    for _ in range(2):
        response = ask(desk, {"idempotency-key": key})
        assert response.status == status
        assert "Idempotent-Replay" not in response.headers
    assert desk.world.tables()["requests"] == []


# --- form, scope, life -------------------------------------------------------------------------------------------

FORMS = cases(
    ("8 characters",       "a" * 8,            True),
    ("200 characters",     "a" * 200,          True),
    ("every character that it may have", "azAZ09_-:.",  True),
    ("7 characters",       "a" * 7,            False),
    ("201 characters",     "a" * 201,          False),
    ("empty",              "",                 False),
    ("a space",            "order 0001",       False),
    ("a slash",            "order/0001",       False),
    ("a letter that is not ASCII", "örder-0001", False),
    ("a digit that is not ASCII", "order-000\u0661", False),
    ("a line end",         "order-0001\n",     False),
)  # fmt: skip


@pytest.mark.parametrize(("key", "is_one"), FORMS)
@pytest.mark.parametrize(("route", "body"), cases(("orders", PLACE, ORDER), ("credit", CREDIT, CHANGE)))
def test_the_form_of_a_key(desk: Desk, route: str, body: dict[str, Any], key: str, is_one: bool) -> None:
    response = send(desk, route, body, key)
    assert is_one == (response.status in (200, 201))
    assert is_one or outcome_of(response) == (400, "IDEMPOTENCY_KEY_REQUIRED")


def test_a_key_is_another_one_on_another_path(desk: Desk) -> None:
    answers = [send(desk, PLACE, ORDER), send(desk, BOOKS, BOOK), send(desk, CREDIT, CHANGE), send(desk, DEBIT, CHANGE)]
    assert [answer.status for answer in answers] == [201, 201, 200, 200]
    assert not any("Idempotent-Replay" in answer.headers for answer in answers)


def test_a_key_is_another_one_in_another_instance(desk: Desk) -> None:
    tenants = desk.world.tenants()
    tenants.create_instance("other001", {"trading"})
    foreign = API_KEY.replace("test0001", "other001")
    tenants.add_key("inst_other001", "key_1", foreign, 0)
    first, second = send(desk, TOKENS, TOKEN), send(desk, TOKENS, TOKEN, api_key=foreign)
    assert data_of(second, 201)["instanceId"] == "inst_other001"
    assert first.body != second.body


def test_a_key_is_the_same_one_under_every_api_key_of_the_instance(desk: Desk) -> None:
    other = API_KEY[:-1] + "0"
    desk.world.tenants().add_key(INSTANCE, "key_2", other, 0)
    assert send(desk, PLACE, ORDER, api_key=other).body == send(desk, PLACE, ORDER).body


def test_a_key_lives_for_24_hours_from_its_first_use(desk: Desk, clock: Clock) -> None:
    first = send(desk, PLACE, ORDER)
    clock.sleep(DAY_S - 2)
    assert send(desk, PLACE, ORDER).body == first.body
    clock.sleep(3)
    assert data_of(send(desk, PLACE, ORDER), 201)["id"] != data_of(first, 201)["id"]


# --- T12: sameness -----------------------------------------------------------------------------------------------

TEXT = json.dumps(ORDER)
SAMENESS = cases(
    ("T12 white space",                 TEXT.replace(":", " :\n"),                              True),
    ("T12 order of members",            json.dumps(dict(reversed(ORDER.items()))),              True),
    ("T12 escapes",                     TEXT.replace('"ann"', '"\\u0061nn"'),                   True),
    ("T12 the first of two members",    TEXT.replace('"side"', '"side": "x", "side"'),          True),
    ("T12 an unknown member",           TEXT.replace("{", '{"colour": 1, '),                    False),
    ("T12 a default written out",       TEXT.replace("{", '{"timeInForce": "GTC", '),           False),
    ("T12 a null",                      TEXT.replace("{", '{"timeInForce": null, '),            False),
    ("T12 another value",               TEXT.replace('"10"', '"11"'),                           False),
)  # fmt: skip


@pytest.mark.parametrize(("text", "is_same"), SAMENESS)
def test_t12_two_bodies_are_the_same_when_they_say_the_same(desk: Desk, text: str, is_same: bool) -> None:
    first = desk.send("POST", PLACE, body=TEXT.encode(), headers=KEY)
    second = desk.send("POST", PLACE, body=text.encode(), headers=KEY)
    assert is_same == (second.body == first.body)
    assert is_same or outcome_of(second) == (409, "IDEMPOTENCY_MISMATCH")


@pytest.mark.parametrize(
    "header", cases(("Prefer", {"prefer": "wait=1"}), ("Content-Type", {"content-type": "text/x"}))
)
def test_t12_headers_are_no_part_of_it(desk: Desk, header: dict[str, str]) -> None:
    assert desk.place(headers=KEY | header).body == desk.place(headers=KEY).body


def test_a_replay_has_the_preference_that_was_applied(desk: Desk, clock: Clock) -> None:
    clock.meanwhile = desk.match
    first = desk.place(headers=KEY | {"prefer": "wait=5"})
    assert first.headers["Preference-Applied"] == "wait=5"
    for again in (KEY, KEY | {"prefer": "wait=2"}):
        replayed = desk.place(headers=again)
        assert (replayed.body, replayed.headers["Preference-Applied"]) == (first.body, "wait=5")


def test_a_replay_shows_the_order_as_it_was_answered_first(desk: Desk) -> None:
    """Byte for byte, whatever became of the order since."""
    first = desk.place(headers=KEY, timeInForce="IOC")
    desk.match()
    assert desk.rows()[0]["status"] == "CANCELLED"
    assert desk.place(headers=KEY, timeInForce="IOC").body == first.body


# --- T13: what is stored -----------------------------------------------------------------------------------------


def outside(desk: Desk, fault: Any, **members: Any) -> HttpResponse:
    """Place an order while the transaction that would admit it meets a fault."""
    database = desk.world.database
    faulty = FaultyClient(database._client, fault, at=3)  # the API key, what is read ahead, the transaction
    behind = Database(faulty, database._prefix, lambda _: None)  # type: ignore[arg-type]
    return Desk(desk.world, new_book_desk(behind)).place(headers=KEY, **members)


STORED: list[Any] = cases(
    ("201",                   201, None,                    {}),
    ("ORDER_BOOK_NOT_FOUND",  404, "ORDER_BOOK_NOT_FOUND",  {"orderBookId": "ob_none"}),
    ("PRICE_REQUIRED",        400, "PRICE_REQUIRED",        {"price": ...}),
    ("INVALID_QUANTITY",      400, "INVALID_QUANTITY",      {"quantity": "0"}),
    ("INSUFFICIENT_BALANCE",  400, "INSUFFICIENT_BALANCE",  {"quantity": "21"}),
)  # fmt: skip


@pytest.mark.parametrize(("status", "code", "members"), STORED)
def test_t13_an_answer_of_the_endpoints_own_is_stored(
    desk: Desk, status: int, code: str | None, members: dict[str, Any]
) -> None:
    """Even where the request would pass by now."""
    first = desk.place(headers=KEY, **members)
    assert outcome_of(first) == (status, code)
    desk.world.credit("ann", QUOTE, 10_000)
    second = desk.place(headers=KEY, **members)
    assert (second.status, second.body, second.headers["Idempotent-Replay"]) == (status, first.body, "true")


STORED_BY_THE_LEDGER = cases(
    ("TOKEN_NOT_FOUND",      TRANSFER, {"tokenAddress": "0x" + "e" * 40},              404, "TOKEN_NOT_FOUND"),
    ("INVALID_TRANSFER",     TRANSFER, {"toCustomerRef": "ann"},                       400, "INVALID_TRANSFER"),
    ("INSUFFICIENT_BALANCE", DEBIT,    {"amount": "1001"},                             400, "INSUFFICIENT_BALANCE"),
    ("a supply too large",   CREDIT,   {"amount": "9" * 38},                           400, "VALIDATION_ERROR"),
    ("TOKEN_EXISTS",         TOKENS,   {"symbol": "B"},                                409, "TOKEN_EXISTS"),
)  # fmt: skip


@pytest.mark.parametrize(("route", "members", "status", "code"), STORED_BY_THE_LEDGER)
def test_t13_the_ledgers_own_refusals_are_stored_too(
    desk: Desk, route: str, members: dict[str, str], status: int, code: str
) -> None:
    first, second = (desk.post(route, key="order-0001", **members) for _ in range(2))
    assert outcome_of(first) == (status, code)
    assert (second.body, second.headers["Idempotent-Replay"]) == (first.body, "true")


NOT_STORED: list[Any] = cases(
    ("3 AUTH_FAILED",          401, lambda desk: desk.send("POST", PLACE, body=TEXT.encode(), headers=KEY, key="x")),
    ("6 PAYLOAD_TOO_LARGE",    413, lambda desk: desk.send("POST", PLACE, body=b" " * 65_537, headers=KEY)),
    ("9 VALIDATION_ERROR",     400, lambda desk: desk.place(headers=KEY, quantity="x")),
    ("503",                    503, lambda desk: outside(desk, throttled)),
    ("500",                    500, lambda desk: outside(desk, raising(ValueError("unheard of"), after=False))),
)  # fmt: skip


@pytest.mark.parametrize(("status", "fail"), NOT_STORED)
def test_t13_any_other_answer_leaves_the_key_free(
    desk: Desk, status: int, fail: Callable[[Desk], HttpResponse]
) -> None:
    assert fail(desk).status == status
    response = desk.place(headers=KEY)
    assert response.status == 201
    assert "Idempotent-Replay" not in response.headers
    assert len(desk.rows()) == 1


def test_t13_a_mismatch_leaves_the_key_to_the_first_body(desk: Desk) -> None:
    first = desk.place(headers=KEY)
    assert outcome_of(desk.place(headers=KEY, quantity="9")) == (409, "IDEMPOTENCY_MISMATCH")
    assert desk.place(headers=KEY).body == first.body


# --- T14: at the same time ---------------------------------------------------------------------------------------


def pending(desk: Desk) -> dict[str, Any]:
    """Leave the answer of the key as it is while its request still waits for a match; return it."""
    desk.place(headers=KEY)
    (row,) = desk.world.database.scan("requests")
    desk.world.database.put_many("requests", [row | {"pending_until_ms": 9_999_999_999_999}])
    return dict(row)


def test_t14_a_second_request_waits_15_seconds_for_the_first(desk: Desk, clock: Clock) -> None:
    pending(desk)
    response = desk.place(headers=KEY)
    assert outcome_of(response) == (503, "SERVICE_UNAVAILABLE")
    assert clock.slept_s == pytest.approx(15, abs=0.1)


def test_t14_it_replays_the_first_as_soon_as_that_is_answered(desk: Desk, clock: Clock) -> None:
    row = pending(desk)
    clock.after(14, lambda: desk.world.database.put_many("requests", [row]))
    response = desk.place(headers=KEY)
    assert (response.status, response.body) == (201, row["body"])
    assert response.headers["Idempotent-Replay"] == "true"
    assert 14 < clock.slept_s < 15


@pytest.mark.parametrize("after", cases(("before it", False), ("after it", True)))
def test_t14_a_crash_at_the_one_step_leaves_order_and_key_or_neither(desk: Desk, after: bool) -> None:
    with pytest.raises(Died):
        outside(desk, raising(Died(), after=after))
    assert len(desk.rows()) == after
    assert desk.place(headers=KEY).headers.get("Idempotent-Replay") == ("true" if after else None)
    assert len(desk.rows()) == 1
