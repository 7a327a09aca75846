"""Placing an order while DynamoDB fails, at each call in turn: an answer never says what is not so (guarantee 7)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from chalicelib.apis.book import api
from chalicelib.services import answers, polling
from chalicelib.support.outcomes import Unavailable
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.rows import Row
from chalicelib.tables.writes import Put, TransactionRefused, Update
from chalicelib.wiring import book as wiring_of_book
from tests.apis.book.desk import Desk, open_desk
from tests.faults import FaultyClient, raising
from tests.in_memory import database_of, empty_tables
from tests.world import QUOTE, World

CALLS_MAX = 40
COUNTING = 2
"""Which of the calls of a placement counts it."""
HEADERS = {"idempotency-key": "order-0001", "prefer": "wait=1"}
TIMEOUT = ReadTimeoutError(endpoint_url="http://127.0.0.1")


class SteppedTime:
    """Time that only passes in sleeps: a wait of seconds takes none."""

    def __init__(self) -> None:
        self._now_s = 1_736_937_000.0

    def monotonic(self) -> float:
        return self._now_s

    def sleep(self, duration_s: float) -> None:
        self._now_s += duration_s

    def now_ms(self) -> int:
        return int(self._now_s * 1000)


def refused(code: str, status: int = 400, **more: Any) -> ClientError:
    """Return the error that DynamoDB answers with."""
    answer: Any = {"Error": {"Code": code, "Message": code}, "ResponseMetadata": {"HTTPStatusCode": status}} | more
    return ClientError(answer, "Operation")


THROTTLED = refused("ThrottlingException")
SERVER_FAULT = refused("InternalServerError", 500)


@pytest.mark.parametrize(
    ("error", "after"),
    [(TIMEOUT, False), (TIMEOUT, True), (SERVER_FAULT, False), (SERVER_FAULT, True), (THROTTLED, False)],
    ids=["timeout-before", "timeout-after", "500-before", "500-after", "throttled"],
)
def test_an_answer_is_true_at_whichever_call_dynamodb_fails(
    error: Exception, after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """201: the order is there, once. 503: nothing was changed. Repeating the key always ends in one order.

    The counter of requests is one of the calls: the request is served without it (T6).
    """
    clock = SteppedTime()
    for module in (polling, answers):
        monkeypatch.setattr(module, "time", clock)
    for module in (api, wiring_of_book):
        monkeypatch.setattr(module, "now_ms", clock.now_ms)
    for call in range(1, CALLS_MAX):
        client = empty_tables()
        faulty = FaultyClient(client, raising(error, after=after))
        desk: Desk = open_desk(World(database_of(faulty)), rate_limit=100)
        before = uncounted(desk)
        faulty.strike_at(call)
        response = desk.place(headers=HEADERS)
        failed = faulty.calls >= call
        faulty.strike_at(0)
        if response.status == 201:
            assert len(desk.rows()) == 1
        elif response.status == 503:
            assert uncounted(desk) == before
        else:
            assert json.loads(response.body)["error"]["code"] in ("INTERNAL_ERROR", "AUTH_ERROR")
        assert call != COUNTING or response.status == 201
        again = desk.place(headers=HEADERS)
        assert again.status == 201
        if response.status == 201:
            assert again.body == response.body
        assert len(desk.rows()) == 1
        assert desk.world.balance("ann", QUOTE) == (500, 500)
        if not failed:
            assert call > 4, "the sweep reached hardly any call"
            return
    pytest.fail(f"a placement takes more than {CALLS_MAX} calls")


def uncounted(desk: Desk) -> dict[str, list[Row]]:
    """Return all rows of all tables but the counters of requests."""
    tables = desk.world.tables()
    return tables | {"requests": [row for row in tables["requests"] if "/rate/" not in row["scope"]]}


@pytest.mark.parametrize(("after", "status", "orders"), [(False, 500, 0), (True, 201, 1)])
def test_a_transaction_without_an_answer_is_looked_up(
    memory_database: Database, after: bool, status: int, orders: int
) -> None:
    """Calls of a placement: the key, the book, the transaction."""
    faulty = FaultyClient(memory_database._client, raising(TIMEOUT, after=after))
    desk = open_desk(World(Database(faulty, memory_database._prefix)))  # type: ignore[arg-type]
    faulty.strike_at(3)
    assert desk.place().status == status
    assert len(desk.rows()) == orders


def conflict(reasons: list[str]) -> ClientError:
    return refused("TransactionCanceledException", CancellationReasons=[{"Code": code} for code in reasons])


def test_a_transaction_that_conflicts_with_another_is_tried_again(memory_database: Database) -> None:
    faulty = FaultyClient(memory_database._client, raising(conflict(["None", "TransactionConflict"]), after=False))
    faulty.strike_at(1)
    Database(faulty, memory_database._prefix).transact([Put("accounts", {"owner": "a", "entry": "b"})])  # type: ignore[arg-type]
    assert len(list(memory_database.scan("accounts"))) == 1


def test_a_write_that_conflicts_with_a_transaction_is_tried_again(memory_database: Database) -> None:
    faulty = FaultyClient(memory_database._client, raising(refused("TransactionConflictException"), after=False))
    faulty.strike_at(1)
    add = Update("accounts", {"owner": "a", "entry": "b"}, "ADD #available :one", values={":one": 1})
    assert Database(faulty, memory_database._prefix).write(add)["available"] == 1  # type: ignore[arg-type]


class AlwaysConflicting:
    def transact_write_items(self, **_: Any) -> None:
        raise conflict(["TransactionConflict"])

    def update_item(self, **_: Any) -> None:
        raise refused("TransactionConflictException")


def test_conflicts_without_end_are_given_up_after_a_bounded_time() -> None:
    pauses_s: list[float] = []
    database = Database(AlwaysConflicting(), "x", pauses_s.append)  # type: ignore[arg-type]
    with pytest.raises(Unavailable):
        database.transact([Put("accounts", {"owner": "a"})])
    with pytest.raises(Unavailable):
        database.write(Update("accounts", {"owner": "a"}, "SET #b = :c", values={":c": 1}))
    assert 0 < len(pauses_s) < 20
    assert max(pauses_s) <= 1


def test_a_condition_counts_more_than_a_conflict_beside_it() -> None:
    class Both:
        def transact_write_items(self, **_: Any) -> None:
            raise conflict(["TransactionConflict", "ConditionalCheckFailed"])

    with pytest.raises(TransactionRefused) as error:
        Database(Both(), "x").transact([Put("a", {"b": "c"}), Put("a", {"b": "d"})])  # type: ignore[arg-type]
    assert error.value.refused == {1: None}
