"""The outbox: numbers that are taken once, and ends of lanes that are remembered for a while."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.domain.feed.outbox import Announcement, OutboxEntry, OutboxEvent
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.outbox import PLAIN_BYTES_MAX, REMEMBERED_MAX, REMEMBERED_S, Outbox
from chalicelib.tables.writes import ConditionFailed
from tests.faults import WatchedClient

INSTANCE, LANE = "inst_test0001", "ledger/3"


def entry(number: int, text: str = "x", log: str = LANE) -> OutboxEntry:
    event = OutboxEvent("balance.changed", frozenset({"customer/ann"}), {"text": text})
    made = Announcement("ledger", "ann", f"cmd_{number}", [event]).entry(number, 1000 + number)
    return OutboxEntry(log, made.number, made.at_ms, made.command, made.events)


def test_entries_are_read_back_in_order(store: Database) -> None:
    outbox = Outbox(store)
    long = "é" * PLAIN_BYTES_MAX
    entries = [entry(number, long if number == 11 else "x") for number in range(1, 13)]
    store.transact([outbox.put(INSTANCE, one) for one in reversed(entries)])
    store.transact([outbox.put(INSTANCE, entry(1, log="ledger/4")), outbox.put("inst_other001", entry(1))])
    assert list(outbox.after(INSTANCE, LANE, 0)) == entries
    assert list(outbox.after(INSTANCE, LANE, 9)) == entries[9:]
    assert (outbox.end(INSTANCE, LANE), outbox.end(INSTANCE, "ledger/5")) == (12, 0)
    assert [len(row) for row in outbox.rows()] == [5] * 14


def test_a_number_is_taken_once(store: Database) -> None:
    outbox = Outbox(store)
    store.write(outbox.put(INSTANCE, entry(1)))
    with pytest.raises(ConditionFailed):
        store.write(outbox.put(INSTANCE, entry(1, "y")))
    taken = [
        outbox.has(INSTANCE, LANE, number, command) for number, command in ((1, "cmd_1"), (1, "cmd_2"), (2, "cmd_2"))
    ]
    assert taken == [True, False, False]


class Watched:
    """An outbox whose reads are counted, and whose clock is the test's."""

    def __init__(self, database: Database) -> None:
        self.now, self.reads, self.database = 0.0, 0, database

        def watch(operation: str, call: Callable[[], Any]) -> Any:
            self.reads += operation == "query"
            return call()

        client: Any = WatchedClient(database._client, watch)
        self.outbox = Outbox(Database(client, database._prefix), lambda: self.now)

    def next(self) -> tuple[int, int]:
        """Return the next number of the lane, and the reads that it took."""
        before = self.reads
        return self.outbox.next(INSTANCE, LANE), self.reads - before

    def put(self, number: int) -> None:
        self.database.write(self.outbox.put(INSTANCE, entry(number)))


def test_who_alone_uses_a_lane_reads_its_end_once(memory_database: Database) -> None:
    watched = Watched(memory_database)
    assert watched.next() == (1, 1)
    for number in (1, 2):
        watched.put(number)
        watched.outbox.was_put(INSTANCE, LANE, number)
        watched.now += REMEMBERED_S - 1
        assert watched.next() == (number + 1, 0)
    watched.now += 1
    assert watched.next() == (3, 1), "forgotten"


def test_a_table_that_is_restored_gets_no_gap(memory_database: Database) -> None:
    """What was remembered is beyond the table's end: it is forgotten before a table can be restored."""
    watched = Watched(memory_database)
    watched.outbox.was_put(INSTANCE, LANE, 7)
    assert watched.next() == (8, 0)
    watched.now += REMEMBERED_S
    assert watched.next() == (1, 1)


def test_a_lane_that_others_use_too_is_read_each_time(memory_database: Database) -> None:
    watched = Watched(memory_database)
    watched.put(1)
    watched.outbox.was_taken(INSTANCE, LANE)
    watched.put(2)
    watched.outbox.was_put(INSTANCE, LANE, 2)
    watched.put(3)
    assert watched.next() == (4, 1)
    watched.now += REMEMBERED_S
    watched.outbox.was_put(INSTANCE, LANE, 3)
    assert watched.next() == (4, 0), "for as long as it is alone again"


def test_the_memory_of_lanes_is_bounded(memory_database: Database) -> None:
    watched = Watched(memory_database)
    for number in range(REMEMBERED_MAX + 1):
        watched.outbox.was_put(INSTANCE, f"escrow/sandbox/{number}/0", 1)
    assert len(watched.outbox._ends) == 1
