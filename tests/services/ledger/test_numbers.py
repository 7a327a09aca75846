"""Numbers of outbox entries: each step takes one, once, whoever else is at work and whatever fails."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from chalicelib.domain.feed.outbox import Announcement, OutboxEvent
from chalicelib.services.ledger.posting import NUMBER_TRIES_MAX, Posting, Postings, Refused
from chalicelib.support.outcomes import OutcomeUnknown, Unavailable
from chalicelib.tables.outbox import Outbox
from chalicelib.tables.writes import Put
from tests.faults import FAULTS, Died, FaultyClient, WatchedClient
from tests.in_memory import database_of, empty_tables
from tests.memory import MemoryDynamoDB
from tests.world import INSTANCE

WRITERS, STEPS, TRIES_A_STEP_MAX = 8, 200, 6
CALL_S = 0.001
"""What a call takes, so that writers ask for one number at once."""
CALLS_MAX = 12
EVENT = OutboxEvent("balance.changed", frozenset({"customer/ann"}), {"available": "1"})


def posting(name: str, row: str | None = None) -> Posting:
    """Return a posting of one row, all on one lane. row: its name, if not the posting's."""
    put = Put("requests", {"scope": "step", "request": row or name}, "attribute_not_exists(#request)")
    return Posting(INSTANCE, [put], at_ms=1, announcement=Announcement("ledger", "ann", name, [EVENT]))


LANE = Announcement("ledger", "ann", "", []).log


def commands_in(tables: MemoryDynamoDB) -> list[str]:
    """Return the command of each entry of the lane; its numbers are dense."""
    entries = list(Outbox(database_of(tables)).after(INSTANCE, LANE, 0))
    assert [entry.number for entry in entries] == list(range(1, len(entries) + 1))
    return [entry.command for entry in entries]


def rows_in(tables: MemoryDynamoDB) -> list[str]:
    return sorted(row["request"] for row in database_of(tables).scan("requests"))


def test_writers_of_one_lane_number_their_steps_without_gaps_and_none_fails() -> None:
    """Each writer is a process of its own: what it remembers is wrong all the time."""
    tables, transactions = empty_tables(), list[str]()

    def watch(operation: str, call: Callable[[], Any]) -> Any:
        if operation == "transact_write_items":
            transactions.append(operation)
        time.sleep(CALL_S)
        return call()

    def work(writer: int) -> None:
        watched = WatchedClient(tables, watch)
        postings = Postings(database_of(watched, lambda seconds: time.sleep(seconds / 20)))
        for step in range(STEPS):
            postings.post(posting(f"{writer}-{step}"))

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(work, range(WRITERS)))
    names = sorted(f"{writer}-{step}" for writer in range(WRITERS) for step in range(STEPS))
    assert sorted(commands_in(tables)) == names == rows_in(tables)
    tries = len(transactions) / len(names)
    print(f"{tries:.2f} tries a step")
    assert tries < TRIES_A_STEP_MAX


def overtaken(tables: MemoryDynamoDB, fault: str) -> tuple[Postings, FaultyClient]:
    """Return postings that remember an end which others have passed since, and their client, which can fail."""
    client = FaultyClient(tables, FAULTS[fault])
    postings = Postings(database_of(client))
    postings.post(posting("first"))
    Postings(database_of(tables)).post(posting("another's"))
    return postings, client


@pytest.mark.parametrize("fault", FAULTS)
def test_a_step_whose_number_is_taken_is_done_once_or_not_at_all_at_any_fault(fault: str) -> None:
    for at in range(1, CALLS_MAX):
        tables = empty_tables()
        postings, client = overtaken(tables, fault)
        client.strike_at(at)
        may_be: set[int] = {1}
        try:
            postings.post(posting("mine"))
        except Unavailable:
            may_be = {0}
        except (OutcomeUnknown, Died):
            may_be = {0, 1}
        commands = commands_in(tables)
        assert commands[:2] == ["first", "another's"]
        assert commands.count("mine") in may_be, f"{fault} at call {at}"
        assert rows_in(tables) == sorted(commands)
        Postings(database_of(tables)).post(posting("next"))
        assert commands_in(tables)[-1] == "next"
        if not client.has_struck:
            return
    pytest.fail(f"a step takes more than {CALLS_MAX} calls")


def test_a_refusal_that_names_the_number_alone_is_judged_anew() -> None:
    """DynamoDB need not name all conditions that failed: the row, taken too, is told by the second try."""
    tables = empty_tables()
    first: list[bool] = []

    def tell_of_the_number_alone(operation: str, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except Exception as error:
            reasons = getattr(error, "response", {}).get("CancellationReasons")
            if operation == "transact_write_items" and reasons and not first:
                first.append(True)
                reasons[0].update({"Code": "None"})
                reasons[0].pop("Item", None)
            raise

    postings = Postings(database_of(WatchedClient(tables, tell_of_the_number_alone)))
    postings.post(posting("first"))
    Postings(database_of(tables)).post(posting("another's"))
    with pytest.raises(Refused) as refused:
        postings.post(posting("mine", row="first"))
    assert (len(refused.value.rows), first) == (1, [True])
    assert commands_in(tables) == ["first", "another's"]


def test_who_never_gets_a_number_gives_up_and_has_changed_nothing() -> None:
    tables, others = empty_tables(), list[str]()

    def overtake(operation: str, call: Callable[[], Any]) -> Any:
        if operation == "transact_write_items":
            others.append(f"other-{len(others)}")
            Postings(database_of(tables)).post(posting(others[-1]))
        return call()

    with pytest.raises(Unavailable):
        Postings(database_of(WatchedClient(tables, overtake))).post(posting("mine"))
    assert len(others) == NUMBER_TRIES_MAX
    assert commands_in(tables) == others
    assert rows_in(tables) == sorted(others)
