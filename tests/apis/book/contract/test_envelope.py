"""What every answer looks like, success and failure (T7 to T9)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from chalice.test import Client

from chalicelib.apis.book.routes import BOOKS, CREDIT, LIST, ONE_BOOK, PLACE, TOKENS, TRANSFER
from chalicelib.apis.kit.http import HttpResponse
from chalicelib.tables.dynamodb import Database
from tests.apis.book.desk import API_KEY, TIME, UUID_4, Desk, answer_of, fields_of, message_of, open_desk, outcome_of
from tests.case_tables import cases, deviates
from tests.faults import FAULTS, FaultyClient
from tests.waiting import Clock
from tests.world import BOOK_ID, INSTANCE, World

Send = Callable[[Desk], HttpResponse]

SUCCESSES: list[Any] = cases(
    ("an order",         dict, lambda desk: desk.place()),
    ("a list of orders", list, lambda desk: desk.list()),
    ("an empty list",    list, lambda desk: desk.list("nobody")),
    ("a list of books",  list, lambda desk: desk.get(BOOKS)),
    ("a book",           dict, lambda desk: desk.get(ONE_BOOK, orderBookId=BOOK_ID)),
    ("a list of tokens", dict, lambda desk: desk.get(TOKENS)),
)  # fmt: skip
FAILURES: list[Any] = cases(
    ("before the key",  None,     lambda desk: desk.send("GET", None)),
    ("no key",          None,     lambda desk: desk.send("GET", LIST, key=None, customerRef="ann")),
    ("unknown key",     None,     lambda desk: desk.send("GET", LIST, key=API_KEY[:-1] + "0", customerRef="ann")),
    ("schema",          INSTANCE, lambda desk: desk.place(side="buy")),
    ("own check",       INSTANCE, lambda desk: desk.place(orderBookId="ob_none")),
    ("not in time",     INSTANCE, lambda desk: desk.cancel(desk.placed())),
)  # fmt: skip


# --- success -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "send"), SUCCESSES)
def test_a_success_has_its_three_members(desk: Desk, kind: type, send: Send) -> None:
    answer = answer_of(send(desk))
    assert list(answer) == ["success", "data", "metadata"]
    assert answer["success"] is True
    assert isinstance(answer["data"], kind)
    assert list(answer["metadata"]) == ["requestId", "timestamp", "instanceId"]
    assert answer["metadata"]["instanceId"] == INSTANCE


@pytest.mark.parametrize("send", [pytest.param(case.values[1], id=case.id) for case in SUCCESSES + FAILURES])
def test_the_request_id_is_a_uuid_of_version_4_and_new(desk: Desk, send: Send) -> None:
    first, second = send(desk), send(desk)
    for response in (first, second):
        request_id = answer_of(response)["metadata"]["requestId"]
        assert UUID_4.fullmatch(request_id)
        assert response.headers["X-Request-Id"] == request_id
    assert first.headers["X-Request-Id"] != second.headers["X-Request-Id"]


HEADERS = cases(
    ("Content-Type",  "Content-Type",  "application/json; charset=utf-8"),
    ("Cache-Control", "Cache-Control", "no-store"),
)  # fmt: skip


@pytest.mark.parametrize("send", [pytest.param(case.values[1], id=case.id) for case in SUCCESSES + FAILURES])
@pytest.mark.parametrize(("name", "value"), HEADERS)
def test_every_answer_has_these_headers(desk: Desk, name: str, value: str, send: Send) -> None:
    assert send(desk).headers[name] == value


@pytest.mark.parametrize(("name", "value"), HEADERS)
def test_they_come_through_the_app(client: Client, name: str, value: str) -> None:
    for path in ("/nowhere", "/custody/api/tokens"):
        response = client.http.get(path, headers={"x-api-key": API_KEY})
        assert response.headers[name] == value
        assert response.headers["X-Request-Id"] == response.json_body["metadata"]["requestId"]


def waited_in_vain(desk: Desk) -> HttpResponse:
    return desk.place(headers={"prefer": "wait=3"})


def waited_in_vain_with_a_key(desk: Desk) -> HttpResponse:
    return desk.place(headers={"prefer": "wait=3", "idempotency-key": "order-0001"})


def joined_in_vain(desk: Desk) -> HttpResponse:
    key = {"idempotency-key": "order-0001"}
    desk.place(headers=key)
    (row,) = desk.world.database.scan("requests")
    desk.world.database.put_many("requests", [row | {"pending_until_ms": 9_999_999_999_999}])
    return desk.place(headers=key)


TIMES: list[Any] = cases(
    ("at once",                               0,  lambda desk: desk.list()),
    ("at once, a failure",                    0,  lambda desk: desk.place(side="buy")),
    ("after a cancel's wait",                 5,  lambda desk: desk.cancel(desk.placed())),
    ("after a wait in vain", 3, waited_in_vain),
    deviates("the time of its recording, with the order", "under a key", 3, waited_in_vain_with_a_key),
    ("after joining an answer in vain", 15, joined_in_vain),
)  # fmt: skip


@pytest.mark.parametrize(("waited_s", "send"), TIMES)
def test_the_timestamp_is_the_time_of_the_answer(desk: Desk, clock: Clock, waited_s: int, send: Send) -> None:
    text = answer_of(send(desk))["metadata"]["timestamp"]
    assert TIME.fullmatch(text)
    assert datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000 == pytest.approx(
        clock.now_ms(), abs=1
    )
    assert clock.slept_s == pytest.approx(waited_s, abs=0.1)


# --- failure -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("send", [pytest.param(case.values[1], id=case.id) for case in FAILURES])
def test_t7_a_failure_has_an_error_and_no_data(desk: Desk, send: Send) -> None:
    answer = answer_of(send(desk))
    assert list(answer) == ["success", "error", "metadata"]
    assert answer["success"] is False
    assert list(answer["error"])[:2] == ["code", "message"]
    assert all(isinstance(answer["error"][name], str) for name in ("code", "message"))


@pytest.mark.parametrize(("instance", "send"), FAILURES)
def test_t8_the_instance_is_named_once_the_key_was_accepted(desk: Desk, instance: str | None, send: Send) -> None:
    metadata = answer_of(send(desk))["metadata"]
    assert metadata.get("instanceId") == instance
    assert list(metadata) == ["requestId", "timestamp"] + ["instanceId"] * (instance is not None)


def test_t7_details_name_each_faulty_field_once_in_the_order_of_the_table(desk: Desk) -> None:
    response = desk.place(quantity="x", side="buy", postOnly=1, timeInForce="x", orderBookId="", customerRef=7)
    assert fields_of(response) == ["orderBookId", "customerRef", "side", "quantity", "timeInForce", "postOnly"]
    assert message_of(response)
    for detail in answer_of(response)["error"]["details"]:
        assert list(detail) == ["field", "message"]
        assert isinstance(detail["message"], str)


@pytest.mark.parametrize(
    "body", cases(("empty", b""), ("array", b"[]"), ("text", b'"x"'), ("null", b"null"), ("broken", b'{"a":'))
)
def test_t7_a_fault_of_the_whole_body_is_the_field_body(desk: Desk, body: bytes) -> None:
    for route in (PLACE, BOOKS, TOKENS, CREDIT, TRANSFER):
        assert fields_of(desk.send("POST", route, body=body)) == ["body"]


@pytest.mark.parametrize("send", [pytest.param(case.values[1], id=case.id) for case in FAILURES])
def test_t7_no_other_code_has_details(desk: Desk, send: Send) -> None:
    error = answer_of(send(desk))["error"]
    assert ("details" in error) == (error["code"] == "VALIDATION_ERROR")


def test_t8_a_key_that_could_not_be_checked_names_no_instance(memory_database: Database) -> None:
    faulty = FaultyClient(memory_database._client, FAULTS["throttled"])
    desk = open_desk(World(Database(faulty, memory_database._prefix, lambda _: None)))  # type: ignore[arg-type]
    faulty.strike_at(1)
    response = desk.list()
    assert outcome_of(response) == (500, "AUTH_ERROR")
    assert "instanceId" not in answer_of(response)["metadata"]


# T9: beside status, code and field, these texts are promised. The one of the service is under T5.
MESSAGES: list[Any] = cases(
    ("T9 a hold that is not covered", "Insufficient balance: required 1050, available 1000",
     lambda desk: desk.place(price="50", quantity="21")),
    ("T9 a cancel that finds nothing", "Order not found or already closed", lambda desk: desk.cancel("ord_none")),
)  # fmt: skip


@pytest.mark.parametrize(("message", "send"), MESSAGES)
def test_t9_a_message_that_is_promised_stays_as_it_is(desk: Desk, message: str, send: Send) -> None:
    assert message_of(send(desk)) == message
