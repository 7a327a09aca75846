"""The stream's records become events of logs; each receiver is told alone, and what fails is delivered again."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.domain.feed.event import FeedEvent
from chalicelib.services.push.following import Log, follow_records
from chalicelib.tables.rows import Row, UnreadableRow
from tests.world import INSTANCE, Record, record_of


class Numbers:
    """Rows {log, number} as entries of two events each. A log ``<instance>/<name>`` is another instance's."""

    def __init__(self) -> None:
        self.derived: list[int] = []

    def log_of(self, row: Row) -> Log | None:
        if row["log"] == "unreadable":
            raise UnreadableRow("no entry")
        instance, _, _ = row["log"].rpartition("/")
        return None if row["log"] == "beside" else Log(instance or INSTANCE, row["log"])

    def events_of(self, row: Row) -> list[FeedEvent]:
        self.derived.append(row["number"])
        if row["number"] < 0:
            raise ValueError("not derivable")
        return [
            FeedEvent(INSTANCE, row["log"], row["number"], "5a5a5a5a", part, str(part), "test.made", 1, frozenset(), {})
            for part in range(2)
        ]


class Noted:
    """A receiver that notes what it is told, by instance, and fails for some instances."""

    def __init__(self, fails_for: tuple[str, ...] = ()) -> None:
        self.fails_for = fails_for
        self.told: list[tuple[str, list[tuple[str, int, int]]]] = []

    def receive(self, instance: str, events: list[FeedEvent]) -> None:
        if instance in self.fails_for:
            raise RuntimeError("not now")
        self.told.append((instance, [(event.log, event.sequence, event.part) for event in events]))


def both_of(*entries: tuple[str, int]) -> list[tuple[str, int, int]]:
    """Return the log, sequence and part of both events of each entry."""
    return [(log, number, part) for log, number in entries for part in range(2)]


def records(*entries: tuple[str, int]) -> list[Record]:
    """Return stream records 1, 2, ... of these logs and entries."""
    rows: list[dict[str, Any]] = [{"log": log, "number": number} for log, number in entries]
    return [record_of(row, sequence) for sequence, row in enumerate(rows, 1)]


def sequence_number(number: int) -> str:
    return f"{number:024d}"


def test_entries_of_an_instances_logs_are_told_together_each_log_in_order() -> None:
    receiver, rows = Noted(), Numbers()
    assert follow_records(rows, {"one": receiver}, records(("a", 1), ("b", 7), ("a", 2))) == []
    assert receiver.told == [(INSTANCE, both_of(("a", 1), ("a", 2), ("b", 7)))]
    assert rows.derived == [1, 2, 7]


def test_a_receiver_that_fails_is_told_again_from_the_instances_first_record_and_hinders_no_other() -> None:
    failing, other = Noted(fails_for=("two",)), Noted()
    batch = records(("a", 1), ("two/b", 7), ("two/c", 8), ("three/a", 1))
    assert follow_records(Numbers(), {"failing": failing, "other": other}, batch) == [sequence_number(2)]
    assert [instance for instance, _ in failing.told] == [INSTANCE, "three"]
    assert [instance for instance, _ in other.told] == [INSTANCE, "two", "three"]


def test_events_that_cannot_be_derived_are_asked_for_again_and_hinder_no_other_log() -> None:
    receiver = Noted()
    batch = records(("a", 1), ("b", -1), ("a", 2))
    assert follow_records(Numbers(), {"one": receiver}, batch) == [sequence_number(2)]
    assert receiver.told == [(INSTANCE, both_of(("a", 1), ("a", 2)))]


def test_a_log_is_told_up_to_an_entry_whose_events_cannot_be_derived_and_asked_for_from_there() -> None:
    """What the stream gives up one day begins with that entry, and nothing before it is lost."""
    receiver = Noted()
    batch = records(("b", 1), ("a", 1), ("b", 2), ("b", -3), ("b", 4), ("a", 2))
    assert follow_records(Numbers(), {"one": receiver}, batch) == [sequence_number(4)]
    assert receiver.told == [(INSTANCE, both_of(("b", 1), ("b", 2), ("a", 1), ("a", 2)))]


@pytest.mark.parametrize("log", ["unreadable", "beside"])
def test_rows_that_are_no_entries_are_passed_over(log: str) -> None:
    receiver = Noted()
    assert follow_records(Numbers(), {"one": receiver}, records((log, 1), ("a", 1))) == []
    assert receiver.told == [(INSTANCE, both_of(("a", 1)))]


def test_changed_and_removed_rows_are_no_news() -> None:
    receiver = Noted()
    batch = [record | {"eventName": name} for record in records(("a", 1)) for name in ("MODIFY", "REMOVE")]
    assert follow_records(Numbers(), {"one": receiver}, batch) == []
    assert receiver.told == []


def test_without_receivers_nothing_is_derived() -> None:
    rows = Numbers()
    assert follow_records(rows, {}, records(("a", 1))) == []
    assert rows.derived == []
