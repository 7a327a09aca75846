"""The checks of the feed benchmark notice each fault that a feed can have."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from benchmarks.feed_checks import Kept, kept_of, kinds_of, percentile, problems_of
from benchmarks.feed_client import Reader, Told
from benchmarks.feed_phases import Phases
from chalicelib.domain.feed.shown import event_json
from chalicelib.tables.dynamodb import Database
from tests.world import World

EVERY = 2
CUSTOMERS = ("ann", "ben")


@pytest.fixture
def kept(memory_database: Database) -> Kept:
    """What an instance's logs have after some orders of two customers that rest, trade and are cancelled."""
    world = World(memory_database)
    for customer in CUSTOMERS:
        for asset in (world.config.base_asset, world.config.quote_asset):
            world.credit(customer, asset, 10_000)
    for quantity in (10, 20, 30):
        resting = world.placed("ann", "BUY", quantity, 50)
        world.deliver()
        world.placed("ben", "SELL", quantity // 2, 50)
        world.deliver()
        world.cancel("ann", resting)
        world.deliver()
    return kept_of(world.database, world.config.instance, CUSTOMERS, EVERY)


def events_of(kept: Kept) -> list[dict[str, Any]]:
    return [event_json(event) for event in kept.events]


def told(events: list[dict[str, Any]], customer: str | None = None) -> Told:
    reader = Reader(customer, EVERY, Phases(0, 0))
    reader.take(events, "end", forgets=False)
    return reader.result()


def test_a_subscriber_that_received_everything_has_no_problem(kept: Kept) -> None:
    assert len(kept.depths) >= 4
    assert problems_of(kept, told(events_of(kept))) == []
    for customer in CUSTOMERS:
        shown = [event_json(one) for one in kept.events if f"customer/{customer}" in one.receivers]
        assert problems_of(kept, told(shown, customer)) == []


def test_each_event_that_is_left_out_is_a_gap(kept: Kept) -> None:
    events = events_of(kept)
    for number, left_out in enumerate(events):
        problems = problems_of(kept, told(events[:number] + events[number + 1 :]))
        assert problems[0] == f"operator: gaps: did not receive 1 events, as {left_out['id']}"
    depth = next(number for number, event in enumerate(events) if event["type"] == "depth.changed")
    assert any("the book of" in problem for problem in problems_of(kept, told(events[:depth] + events[depth + 1 :])))


def test_an_event_that_comes_twice_is_a_double_unless_the_cursor_behind_it_was_forgotten(kept: Kept) -> None:
    events = events_of(kept)
    assert "operator: 1 doubles" in problems_of(kept, told([*events, events[-1]]))
    reader = Reader(None, EVERY, Phases(0, 0))
    for forgets in (True, False):
        reader.take(events, "end", forgets=forgets)
    assert problems_of(kept, reader.result()) == []
    assert reader.told.again == len(events)


def test_an_event_that_comes_too_late_is_a_disorder(kept: Kept) -> None:
    events = events_of(kept)
    first, second = [number for number, event in enumerate(events) if event["log"].startswith("book/")][:2]
    events[first], events[second] = events[second], events[first]
    assert "operator: 1 disorders" in problems_of(kept, told(events))


def test_an_event_that_no_log_has_is_noticed(kept: Kept) -> None:
    events = events_of(kept)
    strange = events[-1] | {"id": "evt_strange", "sequence": 10**6}
    assert any("received what no log has" in problem for problem in problems_of(kept, told([*events, strange])))


def test_percentiles_are_of_the_values_counted() -> None:
    counted = Counter({1: 98, 7: 1, 900: 1})
    assert [percentile(counted, percent) for percent in (50, 98, 99, 100)] == [1, 1, 7, 900]


def test_problems_are_counted_by_kind_with_the_kinds_that_have_none(kept: Kept) -> None:
    events = events_of(kept)
    problems = [*problems_of(kept, told([*events[1:], events[-1]])), "x: book/ob: another hash at 7", "no snapshot"]
    found = kinds_of(problems)
    assert (found["gaps"], found["doubles"], found["other hashes"], found["others"]) == (1, 1, 1, 1)
    assert sum(found.values()) == len(problems)
    assert set(kinds_of([]).values()) == {0}
