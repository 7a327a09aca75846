"""What a batch of commands counts: entries, orders, latencies, redeliveries, lost races, books that are parked."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.services.books import matcher as matcher_module
from chalicelib.services.books.expiry import Expiring
from chalicelib.services.books.matcher import Matcher
from chalicelib.services.books.metrics import MatchTelemetry
from chalicelib.services.books.parking import FAILED_BATCHES_MAX
from chalicelib.services.books.projection import Projector
from chalicelib.services.books.stream import match_records
from chalicelib.support.clock import now_ms
from chalicelib.support.ids import time_of
from chalicelib.support.telemetry import DIMENSIONS, Metric
from tests.faults import unavailable
from tests.watched import Watched, directives, watched
from tests.world import INSTANCE, Record, World, break_core_at, failing_book, record_of


def matcher_of(world: World, clock: Callable[[], int] = now_ms) -> Matcher:
    return Matcher(world.database, clock, MatchTelemetry())


def delivered(world: World, matcher: Matcher | None = None, records: list[Record] | None = None) -> Watched:
    """Return what is seen of a batch: all records there are, unless some are named."""
    with watched() as seen:
        match_records(matcher or matcher_of(world), world.records if records is None else records, MatchTelemetry())
    return seen


def test_entries_and_orders_are_counted_an_order_once_when_it_first_trades(world: World) -> None:
    world.placed("ann", "BUY", 10, 50)
    world.placed("ben", "SELL", 4, 50)
    matcher = matcher_of(world)
    assert delivered(world, matcher).measured() | {"MatchLatency": 0} == {
        "BatchSize": 2,
        "Entries": 1,
        "OrdersMatched": 2,
        "MatchLatency": 0,
    }
    world.placed("ben", "SELL", 6, 50)
    seen = delivered(world, matcher, world.records[2:])
    assert seen.values(Metric.ORDERS_MATCHED) == [1], "ann's order traded before"
    world.placed("ben", "SELL", 6, 50)
    assert Metric.ORDERS_MATCHED not in delivered(world, matcher, world.records[3:]).measured()


def test_latency_is_from_each_orders_admission_to_the_commit(world: World) -> None:
    first, second = world.placed("ann", "BUY", 10, 50), world.placed("ben", "BUY", 10, 51)
    world.cancel("ann", first)
    decided_ms = time_of(second) + 1_000
    clock = iter([decided_ms, decided_ms + 234])
    seen = delivered(world, matcher_of(world, lambda: next(clock)))
    committed_ms = decided_ms + 234
    assert seen.values(Metric.MATCH_LATENCY) == [committed_ms - time_of(first), committed_ms - time_of(second)]
    (line,) = [line for line in seen.emf if "MatchLatency" in line]
    assert {"Name": "MatchLatency", "Unit": "Milliseconds"} in directives(line)[0]["Metrics"]


def test_a_clock_behind_admissions_gives_no_negative_latency(world: World) -> None:
    world.placed("ann", "BUY", 10, 50)
    assert delivered(world, matcher_of(world, lambda: 0)).values(Metric.MATCH_LATENCY) == [0]


def test_an_id_that_names_no_time_is_matched_and_not_timed(world: World) -> None:
    order_id = world.placed("ann", "BUY", 10, 50)
    text = json.dumps(world.records).replace(order_id, "ord_1").replace(order_id.partition("_")[2], "1")
    seen = delivered(world, records=json.loads(text))
    assert seen.values(Metric.ENTRIES) == [1]
    assert seen.values(Metric.MATCH_LATENCY) == []


def test_what_is_delivered_again_is_counted_as_redelivered_and_as_nothing_else(world: World) -> None:
    world.placed("ann", "BUY", 10, 50)
    world.placed("ben", "SELL", 10, 50)
    matcher = matcher_of(world)
    assert Metric.REDELIVERIES not in delivered(world, matcher).measured()
    for again in (matcher, matcher_of(world)):
        assert delivered(world, again).measured() == {"BatchSize": 2, "Redeliveries": 2}
    world.placed("ben", "SELL", 10, 50)
    assert delivered(world, matcher, world.records[1:]).values(Metric.REDELIVERIES) == [1]


def test_a_record_that_comes_twice_in_one_batch_is_a_redelivery(world: World) -> None:
    world.placed("ann", "BUY", 10, 50)
    assert delivered(world, records=world.records * 3).values(Metric.REDELIVERIES) == [2]


def test_a_matcher_that_lost_a_race_counts_the_loss_and_the_others_decisions(world: World) -> None:
    slow, fast = matcher_of(world), matcher_of(world)
    world.placed("ann", "BUY", 10, 50)
    delivered(world, slow)
    world.placed("ben", "SELL", 10, 50)
    assert Metric.FENCING_LOSSES not in delivered(world, fast, world.records[1:]).measured()
    seen = delivered(world, slow, world.records[1:])
    assert seen.measured() == {"BatchSize": 1, "FencingLosses": 1, "Redeliveries": 1}
    assert [line["book"] for line in seen.log if line["message"] == "another matcher was first"] == [world.book]


def test_what_this_batch_committed_before_it_was_fenced_off_is_no_redelivery(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matcher_module, "EVENTS_PER_ENTRY_GROUP", 2)
    slow = matcher_of(world)
    delivered(world, slow, [])
    for _ in range(3):
        world.placed("ann", "BUY", 10, 50)
    append = slow._journal.append
    groups: list[int] = []

    def overtaken(entries: Any) -> int:
        groups.append(len(entries))
        if len(groups) == 2:
            matcher_of(world).process(world.book, [])
            world.deliver(records=world.records[1:2])
        return append(entries)

    monkeypatch.setattr(slow._journal, "append", overtaken)
    measured = delivered(world, slow).measured()
    assert (measured["FencingLosses"], measured["Redeliveries"]) == (1, 1)


def test_projections_that_an_earlier_run_left_are_counted_when_they_are_finished(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.placed("ann", "BUY", 10, 50)
    with monkeypatch.context() as patch:
        patch.setattr(Projector, "project", unavailable)
        failed = delivered(world)
    assert failed.values(Metric.UNFINISHED) == [1]
    assert failed.values(Metric.ERRORS_LOGGED) == [1]
    assert delivered(world).measured() == {"BatchSize": 1, "FinishedForOthers": 1, "Redeliveries": 1}
    assert delivered(world).measured() == {"BatchSize": 1, "Redeliveries": 1}


def test_an_entry_that_a_matcher_leaves_to_its_own_reload_was_nobody_elses(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.placed("ann", "BUY", 10, 50)
    poison = world.placed("ben", "SELL", 4, 50)
    break_core_at(poison, monkeypatch)
    measured = delivered(world).measured()
    assert (measured["Entries"], measured["ErrorsLogged"]) == (2, 1)
    assert Metric.FINISHED_FOR_OTHERS not in measured


def test_commands_that_are_handed_back_are_counted_as_unfinished_the_others_are_not(world: World) -> None:
    world.placed("ann", "BUY", 10, 50)
    book = failing_book(world)
    lost = [record_of(row | {"book": book}, 900 + number) for number, row in enumerate(world.inbox_rows() * 3)]
    seen = delivered(world, records=[*world.records, *lost])
    assert (seen.values(Metric.UNFINISHED), seen.values(Metric.ENTRIES)) == ([3], [1])
    (error,) = [line for line in seen.log if line["level"] == "ERROR"]
    assert (error["instance"], error["book"]) == (INSTANCE, book)
    assert error["exception_name"] == "UnreadableRow"


def test_what_is_left_in_the_inbox_is_counted_and_parked_books_are_while_there_are_any(world: World) -> None:
    """T53: the batch that parks a book is an error in the log; each minute tells how many are parked."""
    world.placed("ann", "BUY", 10, 50)
    book = failing_book(world)
    failing = [record_of(row | {"book": book}, 900) for row in world.inbox_rows()]
    for _ in range(FAILED_BATCHES_MAX):
        seen = delivered(world, records=failing)
    assert [line["failed_batches"] for line in seen.log if "failed_batches" in line] == [FAILED_BATCHES_MAX]
    seen = delivered(world, records=failing)
    assert (seen.values(Metric.UNFINISHED), seen.values(Metric.PASSED_OVER)) == ([], [1])
    for parked in ([1], []):
        expiring = Expiring(world.database, matcher_of(world), lambda: world.now_ms)
        with watched() as told:
            expiring.report_parked()
        assert told.values(Metric.BOOKS_PARKED) == parked
        found = world.books.with_failures(book)
        assert found is not None
        world.failed_batches.release(book, found[1])


def test_a_commit_is_logged_with_its_book_and_its_last_sequence(world: World) -> None:
    world.placed("ann", "BUY", 10, 50)
    (line,) = [line for line in delivered(world).log if line["message"] == "committed"]
    assert line.items() >= {
        "level": "INFO", "service": "tallybook", "function": "match_inbox",
        "instance": INSTANCE, "book": world.book, "sequence": 1, "entries": 1, "commands": 1,
    }.items()  # fmt: skip


def test_metrics_have_the_stage_and_no_dimension_that_grows(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TALLYBOOK_STAGE", "dev")
    world.placed("ann", "BUY", 10, 50)
    (line,) = delivered(world).emf
    (directive,) = directives(line)
    assert (directive["Namespace"], directive["Dimensions"]) == ("Tallybook", [["stage", "function"]])
    assert (line["stage"], line["function"]) == ("dev", "match_inbox")
    for names in DIMENSIONS.values():
        assert set(names) <= {"stage", "desk", "code", "function"}
