"""Looks at logs are shared: one call for many readers, none of whom misses what was put before it asked."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from chalicelib.services.feed.logs import EntryAt, log_of_lane
from chalicelib.services.feed.looking import Looks
from chalicelib.support.outcomes import Unavailable
from chalicelib.tables.dynamodb import BATCH_GET_KEYS_MAX, Database
from tests.faults import Call, WatchedClient
from tests.services.feed.writing import ANN, INSTANCE, Logs
from tests.waiting import eventually

READERS = 8
BOUND_S = 20


class Gate:
    """Counts the reads of a client, and holds each until it may go on."""

    def __init__(self, database: Database) -> None:
        self.logs = Logs(database)
        self.reads: list[dict[str, Any]] = []
        self.began, self.may_go_on = threading.Semaphore(0), threading.Semaphore(0)
        self.failure: Exception | None = None
        client: Any = WatchedClient(database._client, self._read)
        self.looks = Looks(Database(client, database._prefix, pause=lambda _: None))

    def _read(self, _operation: str, call: Call) -> Any:
        answer = call()
        (of_table,) = call.arguments["RequestItems"].values()
        self.reads.append(of_table)
        self.began.release()
        assert self.may_go_on.acquire(timeout=BOUND_S)
        if self.failure is not None:
            raise self.failure
        return answer

    def wait_until_asked(self, readers: int) -> None:
        """Return once so many readers have asked for the next look."""
        eventually(lambda: self.looks._next is not None and len(self.looks._next.wanted) >= readers)


def lane(number: int, entry: int = 1) -> EntryAt:
    return log_of_lane(INSTANCE, f"signed/{number}").at(entry)


@pytest.fixture
def gate(memory_database: Database) -> Gate:
    return Gate(memory_database)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(READERS + 2) as threads:
        yield threads


@contextmanager
def one_under_way(gate: Gate, pool: ThreadPoolExecutor) -> Iterator[Future[Any]]:
    """A look at lane 0 that has read and whose answer is still to come; it comes when the block ends."""
    first = pool.submit(gate.looks.at, [lane(0)], consistently=True)
    assert gate.began.acquire(timeout=BOUND_S)
    try:
        yield first
    finally:
        gate.may_go_on.release()


def test_all_who_ask_during_a_look_share_the_next_one_and_see_what_was_put_meanwhile(
    gate: Gate, pool: ThreadPoolExecutor
) -> None:
    with one_under_way(gate, pool) as first:
        for number in range(READERS):
            gate.logs.put(number, ANN)
        asked = [pool.submit(gate.looks.at, [lane(number)], consistently=True) for number in range(READERS)]
        gate.wait_until_asked(READERS)
    gate.may_go_on.release()
    assert first.result(BOUND_S) == {}
    assert [list(one.result(BOUND_S)) for one in asked] == [[lane(number)] for number in range(READERS)]
    assert [len(read["Keys"]) for read in gate.reads] == [1, READERS]


def test_a_look_is_consistent_if_one_of_its_readers_needs_that(gate: Gate, pool: ThreadPoolExecutor) -> None:
    with one_under_way(gate, pool):
        asked = [pool.submit(gate.looks.at, [lane(each)], consistently=each == 1) for each in range(3)]
        gate.wait_until_asked(3)
    gate.may_go_on.release(2)
    for one in asked:
        one.result(BOUND_S)
    gate.looks.at([lane(0)], consistently=False)
    assert [read["ConsistentRead"] for read in gate.reads] == [True, True, False]


def test_a_failed_look_fails_each_who_shares_it_and_no_other(gate: Gate, pool: ThreadPoolExecutor) -> None:
    with one_under_way(gate, pool) as first:
        asked = [pool.submit(gate.looks.at, [lane(each)], consistently=True) for each in range(3)]
        gate.wait_until_asked(3)
    assert gate.began.acquire(timeout=BOUND_S)
    gate.failure = Unavailable("not now")
    gate.may_go_on.release()
    assert first.result(BOUND_S) == {}
    for one in asked:
        with pytest.raises(Unavailable):
            one.result(BOUND_S)
    gate.failure = None
    gate.may_go_on.release()
    assert gate.looks.at([lane(0)], consistently=True) == {}


def test_who_waits_is_woken_by_the_look_of_another(gate: Gate, pool: ThreadPoolExecutor) -> None:
    waiting = pool.submit(gate.looks.news, [lane(3), lane(4)], BOUND_S)
    eventually(lambda: len(gate.looks._waiting) == 1)
    gate.may_go_on.release(2)
    gate.logs.put(3, ANN)
    assert gate.looks.at([lane(0)], consistently=True) == {}
    assert list(waiting.result(BOUND_S)) == [lane(3)]
    assert len(gate.reads) == 1
    assert not gate.looks._waiting


def test_who_waits_in_vain_waits_its_time(gate: Gate) -> None:
    gate.logs.put(3, ANN)
    assert gate.looks.news([lane(3)], 0.001) == {}
    assert not gate.reads


def test_a_look_takes_the_wishes_of_the_waiting_along_as_far_as_its_call_has_room(
    gate: Gate, pool: ThreadPoolExecutor
) -> None:
    many, few = [lane(1, entry) for entry in range(1, BATCH_GET_KEYS_MAX + 1)], [lane(2), lane(3)]
    waiting = [pool.submit(gate.looks.news, wanted, BOUND_S) for wanted in (many, few)]
    eventually(lambda: len(gate.looks._waiting) == 2)
    gate.may_go_on.release()
    gate.looks.at([lane(0)], consistently=True)
    assert [len(read["Keys"]) for read in gate.reads] == [1 + len(few)]
    for number in (1, 2):
        gate.logs.put(number, ANN)
    gate.may_go_on.release()
    gate.looks.at([lane(1)], consistently=True)
    assert [list(one.result(BOUND_S)) for one in waiting] == [[lane(1)], [lane(2)]]
