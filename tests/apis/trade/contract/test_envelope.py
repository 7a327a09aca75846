"""What every answer looks like, each error there is, and how often a token may come (R11 to R13)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import partial
from itertools import count
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from chalicelib.apis.kit.http import HttpResponse
from chalicelib.domain.books.vocabulary import BookStatus
from chalicelib.domain.tenancy.rate_limit import RateLimit
from chalicelib.tables.dynamodb import Database
from chalicelib.wiring.trade import new_trade_desk
from tests.apis.trade.cases import (
    CANCELED,
    EXECUTED,
    FORBIDDEN,
    LIST,
    NO_FUNDS,
    NO_ORDER,
    NO_PAIR,
    NOT_FOUND,
    NOTHING,
    TOO_LITTLE,
    UNSUPPORTED,
    Outcome,
    change_book,
    desk_of_ben,
    invalid,
    outcome_of,
    place,
    placed,
    unauthorized,
)
from tests.apis.trade.desk import MASTER_KEY, SignedDesk, open_trade_desk
from tests.case_tables import cases
from tests.faults import ENDPOINT, FaultyClient, raising, throttled
from tests.waiting import Waiting
from tests.world import INSTANCE, World

HEADERS = {"Content-Type": "application/json; charset=utf-8", "Cache-Control": "no-store"}
UUID = "01563E3A-B5D3-D676-4C61-EFB99302BD5B"
DAY_START_MS = 1_741_046_400_000
"""The first ms of 2025-03-04."""


# --- R11, R12: the envelope --------------------------------------------------------------------------------------


def test_r11_a_success_is_a_200_with_data_and_no_error(archive: SignedDesk) -> None:
    response = archive.get("/trade/public/server-time")
    assert response.status == 200
    assert response.body == (
        '{"data":{"timestamp":1741089600000},"error_code":null,"message":null,"timestamp":1741089600000}'
    )


def test_r11_a_failure_has_no_data_and_its_code_is_a_number(archive: SignedDesk) -> None:
    response = archive.get(LIST, "pair=B_Q&page_size=0")
    assert response.status == 400
    assert response.body == (
        '{"data":null,"error_code":40000,"message":"Invalid parameters: page_size.","timestamp":1741089600000}'
    )


ANSWERS = cases(
    ("of a list",        "GET",  LIST,                        "pair=B_Q"),
    ("of a public route", "GET", "/trade/public/pairs",       ""),
    ("404",              "GET",  "/trade/nowhere",            ""),
    ("401",              "GET",  "/trade/orders",             None),
    ("400",              "POST", "/trade/orders",             ""),
)  # fmt: skip


@pytest.mark.parametrize(("method", "path", "query"), ANSWERS)
def test_r11_r12_every_answer_has_the_same_members_and_headers(
    archive: SignedDesk, method: str, path: str, query: str | None
) -> None:
    headers = {"authorization": ...} if query is None else None
    response = archive.send(method, path, query=query, headers=headers)  # type: ignore[arg-type]
    answer = json.loads(response.body)
    assert list(answer) == ["data", "error_code", "message", "timestamp"]
    assert answer["timestamp"] == 1_741_089_600_000
    assert isinstance(answer["error_code"], int) or answer["error_code"] is None
    assert response.headers == HEADERS


# --- each error, reached -----------------------------------------------------------------------------------------


def no_result(desk: SignedDesk, _clock: Waiting) -> HttpResponse:
    return desk.delete(LIST, {"id": placed(desk)})


def cancelled_before(desk: SignedDesk, _clock: Waiting) -> HttpResponse:
    order_id = placed(desk, immediate_or_cancel=True)
    desk.match()
    return desk.delete(LIST, {"id": order_id})


def filled_before(desk: SignedDesk, _clock: Waiting) -> HttpResponse:
    order_id = placed(desk)
    placed(desk_of_ben(desk), side="sell")
    desk.match()
    return desk.delete(LIST, {"id": order_id})


def on_a_paused_book(desk: SignedDesk, _clock: Waiting) -> HttpResponse:
    change_book(desk, status=BookStatus.PAUSED)
    return place(desk)


def under_the_least_amount(desk: SignedDesk, _clock: Waiting) -> HttpResponse:
    change_book(desk, order_size_min=2_000_000)
    return place(desk)


def without_the_service(desk: SignedDesk, _clock: Waiting) -> HttpResponse:
    desk.world.tenants().change(INSTANCE, lambda found: found.without_service("trading"))
    return place(desk)


def with_a_client(desk: SignedDesk, fault: Any) -> SignedDesk:
    """Return the desk over tables whose next call goes wrong."""
    client: Any = FaultyClient(desk.world.database._client, fault, at=1)
    database = Database(client, desk.world.database._prefix)
    return replace(desk, desk=new_trade_desk(database, master_key=lambda: MASTER_KEY, public_instance=INSTANCE))


def with_a_bug(desk: SignedDesk, _clock: Waiting) -> HttpResponse:
    return with_a_client(desk, raising(RuntimeError("a bug"), after=False)).get("/trade/user/balances")


def amended_without_a_result(desk: SignedDesk, _clock: Waiting) -> HttpResponse:
    return desk.send("PUT", LIST, body={"order_id": placed(desk), "amount": "0.02"})


def without_tables(desk: SignedDesk, _clock: Waiting) -> HttpResponse:
    error = EndpointConnectionError(endpoint_url=ENDPOINT)
    return with_a_client(desk, raising(error, after=False)).get("/trade/user/balances")


Reach = Callable[[SignedDesk, Waiting], HttpResponse]
ERRORS: list[Any] = cases(
    ("40000 in step 13",       invalid("side"),        lambda desk, _: place(desk, side="BUY")),
    ("40000 of a value",       invalid("price"),       lambda desk, _: place(desk, price="0")),
    ("40010 of an amount",     TOO_LITTLE,             under_the_least_amount),
    ("40010 of a value",       TOO_LITTLE,             lambda desk, _: place(desk, amount="0.00000001", price="0.01")),
    ("40011",                  NO_FUNDS,               lambda desk, _: place(desk, amount="10")),
    ("40020",                  CANCELED,               cancelled_before),
    ("40021 of one order",     EXECUTED,               filled_before),
    ("40021 of all orders",    NOTHING,                lambda desk, _: desk.delete("/trade/orders/all")),
    ("40090 of a paused book", UNSUPPORTED,            on_a_paused_book),
    ("40100",  unauthorized("Signature is invalid."),  lambda desk, _: place(desk, {"signature": "x"})),
    ("40300",                  FORBIDDEN,              without_the_service),
    ("40400 of a route",       NOT_FOUND,              lambda desk, _: desk.get("/trade/nowhere")),
    ("40400 of a pair",        NO_PAIR,                lambda desk, _: place(desk, pair="NOPE_BRL")),
    ("40400 of an order",      NO_ORDER,               lambda desk, _: desk.get(f"/trade/orders/{UUID}")),
    ("50000",                  (500, 50000, "Internal server error."),                  with_a_bug),
    ("50003",                  (500, 50003, "Cancel is pending, repeat the request."),  no_result),
    ("50003 of an amendment",  (500, 50003, "Amendment is pending, repeat the request."), amended_without_a_result),
    ("503",                    (503, 503, "Maintenance in course."),                    without_tables),
)  # fmt: skip


@pytest.mark.parametrize(("outcome", "reach"), ERRORS)
def test_each_error_of_the_table(desk: SignedDesk, clock: Waiting, outcome: Outcome, reach: Reach) -> None:
    response = reach(desk, clock)
    assert outcome_of(response) == outcome
    assert ("Retry-After" in response.headers) == (outcome[1] in (50003, 503))
    assert response.headers == HEADERS | ({"Retry-After": "1"} if outcome[1] in (50003, 503) else {})


def test_maintenance_has_changed_nothing(desk: SignedDesk) -> None:
    before = desk.world.tables()
    response = place(with_a_client(desk, throttled))
    assert outcome_of(response) == (503, 503, "Maintenance in course.")
    assert desk.world.tables() == before


# --- R13: rate limits --------------------------------------------------------------------------------------------


class Counted:
    """A desk whose token has the usual rate_limit, and its time."""

    def __init__(self, database: Database, rate_limit: RateLimit) -> None:
        self.now_ms = DAY_START_MS
        self.desk = open_trade_desk(World(database), rate_limit=rate_limit, clock=lambda: self.now_ms)

    def send(self, times: int = 1) -> list[object]:
        return [outcome_of(self.desk.send("PUT", LIST)) for _ in range(times)]


PASSED = invalid("body")
"""The endpoint finds no body, so the gate has let the request in."""
TOO_MANY = (429, 42900, "Too many requests")
EXCEEDED = (429, 42900, "Limit Exceeded")


def test_r13_a_bucket_of_7_refills_at_3_5_a_second(memory_database: Database) -> None:
    counted = Counted(memory_database, RateLimit())
    assert counted.send(8) == [PASSED] * 7 + [TOO_MANY]
    counted.now_ms += 285
    assert counted.send() == [TOO_MANY]
    counted.now_ms += 1
    assert counted.send(2) == [PASSED, TOO_MANY]
    counted.now_ms += 1000
    assert counted.send(4) == [PASSED] * 3 + [TOO_MANY]
    counted.now_ms += 3_600_000
    assert counted.send(8) == [PASSED] * 7 + [TOO_MANY]


def test_r13_a_rate_limit_is_302400_a_day_unless_the_operator_says_otherwise() -> None:
    usual = RateLimit()
    assert (usual.bucket, usual.refill_per_1000_s, usual.per_day) == (7, 3500, 302_400)


def test_r13_a_day_is_one_of_utc(memory_database: Database) -> None:
    counted = Counted(memory_database, RateLimit(bucket=0, per_day=3))
    counted.now_ms += 86_400_000 - 1
    assert counted.send(4) == [PASSED] * 3 + [EXCEEDED]
    counted.now_ms += 1
    assert counted.send(4) == [PASSED] * 3 + [EXCEEDED]


OFF = cases(
    ("both",    RateLimit(bucket=0, per_day=0),  [PASSED] * 12),
    ("the day", RateLimit(bucket=7, per_day=0),  [PASSED] * 7 + [TOO_MANY] * 5),
    ("the bucket", RateLimit(bucket=0, per_day=9), [PASSED] * 9 + [EXCEEDED] * 3),
)  # fmt: skip


@pytest.mark.parametrize(("rate_limit", "answers"), OFF)
def test_r13_0_turns_a_limit_off(memory_database: Database, rate_limit: RateLimit, answers: list[object]) -> None:
    assert Counted(memory_database, rate_limit).send(12) == answers


RETRIES = cases(
    ("the bucket",              RateLimit(),                                       7, 0,           "1"),
    ("a bucket that is slow",   RateLimit(bucket=1, refill_per_1000_s=100),        1, 0,           "10"),
    ("the day",                 RateLimit(bucket=0, per_day=1),                    1, 0,           "86400"),
    ("the day's last ms",       RateLimit(bucket=0, per_day=1),                    1, 86_399_999,  "1"),
)  # fmt: skip


@pytest.mark.parametrize(("rate_limit", "before", "into_day_ms", "seconds"), RETRIES)
def test_r13_a_refusal_has_the_full_envelope_and_says_when_to_come_again(
    memory_database: Database, rate_limit: RateLimit, before: int, into_day_ms: int, seconds: str
) -> None:
    counted = Counted(memory_database, rate_limit)
    counted.now_ms += into_day_ms
    counted.send(before)
    response = counted.desk.send("PUT", LIST)
    assert response.status == 429
    assert list(json.loads(response.body)) == ["data", "error_code", "message", "timestamp"]
    assert response.headers == HEADERS | {"Retry-After": seconds}


UNCOUNTED: list[Any] = cases(
    ("1 no route",              "/trade/nowhere",             {}),
    ("2 no token",              LIST,                         {"authorization": ...}),
    ("3 no timestamp",          LIST,                         {"timestamp": ...}),
    ("4 no signature",          LIST,                         {"signature": ...}),
    ("5 timestamp malformed",   LIST,                         {"timestamp": "x"}),
    ("6 tolerance malformed",   LIST,                         {"timestamp-tolerance": "x"}),
    ("7 token unknown",         LIST,                         {"authorization": "x"}),
    ("9 outside the window",    LIST,                         {"timestamp": "1"}),
    ("10 signature wrong",      LIST,                         {"signature": "x"}),
    ("a public route",          "/trade/public/server-time",  {}),
)  # fmt: skip


@pytest.mark.parametrize(("path", "headers"), UNCOUNTED)
def test_r13_only_requests_that_pass_steps_2_to_10_count(
    memory_database: Database, path: str, headers: dict[str, Any]
) -> None:
    counted = Counted(memory_database, RateLimit(bucket=0, per_day=1))
    for _ in range(3):
        assert counted.desk.send("GET", path, headers=headers).status != 429
    assert counted.send(2) == [PASSED, EXCEEDED]


COUNTED: list[Any] = cases(
    ("13 syntax",     LIST,                     "page_size=0"),
    ("14 pair",       LIST,                     "pair=NOPE_BRL"),
    ("14 order",      f"/trade/orders/{UUID}",  ""),
    ("a success",     "/trade/user/balances",   ""),
)  # fmt: skip


@pytest.mark.parametrize(("path", "query"), COUNTED)
def test_r13_later_faults_count(memory_database: Database, path: str, query: str) -> None:
    counted = Counted(memory_database, RateLimit(bucket=1))
    assert counted.desk.get(path, query).status != 429
    assert counted.send() == [TOO_MANY]


def test_r11_no_answer_is_older_than_the_order_that_it_tells_of(
    desk: SignedDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time_ns", partial(next, count(time.time_ns(), 10**6)))  # a ms later at every look
    answer = json.loads(place(desk).body)
    created = datetime.fromisoformat(answer["data"]["create_date"].replace("Z", "+00:00"))
    assert created.timestamp() * 1000 <= answer["timestamp"]
