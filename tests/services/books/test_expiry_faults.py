"""Orders end at their time whatever goes wrong while somebody looks: faults, damaged rows, books that fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.domain.books.vocabulary import OrderStatus
from chalicelib.services.books.expiry import POSTPONED_MINUTES, Expiring
from chalicelib.services.books.matcher import Matcher
from chalicelib.services.books.switches import DeadManSwitches
from chalicelib.support.outcomes import OutcomeUnknown, Unavailable
from chalicelib.support.telemetry import Metric
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.expiries import MINUTE_MS, Expiries, halt_end, minute_of
from chalicelib.tables.rows import Row
from tests.faults import FAULTS, Died, FaultyClient, after_another
from tests.in_memory import database_of, each_call, empty_tables
from tests.invariants import check_invariants
from tests.memory import MemoryDynamoDB
from tests.scenarios import CREDITED, funded
from tests.services.books.due import (
    EXPIRED,
    GONE,
    SOON_MS,
    CountingMatcher,
    expiring_of,
    in_a_book_that_is_gone,
    look_at,
    rested,
    rows,
)
from tests.watched import watched
from tests.world import INSTANCE, NOW_MS, World

pytestmark = pytest.mark.usefixtures("no_logs")


def test_whoever_looks_finishes_what_another_matcher_has_left(world: World) -> None:
    """A matcher dies between commit and projections; the expiry thread has the book in memory from before."""
    expiring = expiring_of(world)
    rested(world)
    world.now_ms = SOON_MS
    expiring.check()
    filled = rested(world, SOON_MS + 9)
    world.placed("ann", "BUY", 1, 40, expires_at_ms=SOON_MS + 5)
    world.placed("ben", "SELL", 10, 50)
    dying = FaultyClient(world.database._client, FAULTS["death after"])
    matcher = Matcher(Database(dying, world.database._prefix), lambda: world.now_ms)  # type: ignore[arg-type]
    world.deliver(matcher, world.records[:-2])
    dying.strike_at(1)
    with pytest.raises(Died):
        world.deliver(matcher, world.records[-2:])
    assert world.order("ann", filled).status is OrderStatus.OPEN
    world.now_ms = SOON_MS + 5
    assert expiring.check()
    assert world.order("ann", filled).status is OrderStatus.FILLED
    check_invariants(world, CREDITED)


def test_a_book_that_fails_keeps_no_other_waiting_and_is_left_alone_for_a_moment(world: World) -> None:
    """Its key comes before the other's."""
    order = rested(world)
    stray = in_a_book_that_is_gone(world)
    matcher = CountingMatcher(world.database, lambda: world.now_ms)
    expiring = expiring_of(world, matcher)
    for world.now_ms in (SOON_MS, SOON_MS + 1, SOON_MS + 1_999):
        assert expiring.check()
    assert world.order("ann", order).status is EXPIRED
    assert matcher.woken == [GONE, world.book]
    world.now_ms = SOON_MS + 2_000
    assert expiring.check()
    assert matcher.woken == [GONE, world.book, GONE]
    assert rows(world) == [stray]


def test_an_order_that_cannot_be_read_keeps_no_other_waiting_and_is_counted(world: World) -> None:
    """Its row was edited by hand. K42: a sweep goes on, comes back, and an alarm goes off."""
    order = rested(world)
    stray = in_a_book_that_is_gone(world)
    (row,) = [row for row in world.database.scan("open-orders") if row["order_id"] == stray]
    world.database.put_many("open-orders", [row | {"status": "UNKNOWN"}])
    look_at(world, SOON_MS)
    assert [one["status"] for one in world.database.scan("orders") if one["order_id"] == order] == ["EXPIRED"]
    assert rows(world) == [stray], "it is looked at again"
    world.now_ms = SOON_MS + 4 * MINUTE_MS
    expiring = expiring_of(world)
    with watched() as seen:
        for _ in range(4):
            expiring.check()
            world.now_ms += 2_000
    assert seen.values(Metric.SWEEPS_STUCK) == [1]


DAMAGES: dict[str, tuple[str, Callable[[Row], Row]]] = {
    "a check": ("expiries", lambda row: {name: value for name, value in row.items() if name != "book"}),
    "a switch": ("requests", lambda row: {name: value for name, value in row.items() if name != "told_books"}),
    "the end of a halt": ("books", lambda row: row | {"halted_until_ms": "soon"}),
}
"""Rows that checks read, by what they tell, and how each is damaged."""


@pytest.mark.parametrize("what", DAMAGES)
def test_t158_a_row_that_cannot_be_read_keeps_no_other_from_being_checked(world: World, what: str) -> None:
    """A check was edited by hand, an earlier version has written a switch, a depth view is damaged."""
    stray = in_a_book_that_is_gone(world)
    order = rested(world)
    DeadManSwitches(world.database, lambda: NOW_MS).set(INSTANCE, "ben", 5)
    world.database.put_many("books", [{"book": GONE, "part": "depth", "halted_until_ms": SOON_MS}])
    Expiries(world.database).schedule_all([halt_end(GONE, SOON_MS)])
    table, damage = DAMAGES[what]
    keys = {"expiries": ("order_id", stray), "requests": ("request", "switch"), "books": ("book", GONE)}
    name, key = keys[table]
    (row,) = [row for row in world.database.scan(table) if row.get(name) == key]
    world.database.put_many(table, [damage(row)])
    for minute in range(4):
        look_at(world, SOON_MS + minute * MINUTE_MS)
    (ended,) = [row for row in world.database.scan("orders") if row["order_id"] == order]
    assert (ended["status"], ended["updated_at_ms"]) == ("EXPIRED", SOON_MS)


def test_a_book_that_fails_again_and_again_is_tried_less_often(world: World) -> None:
    """So its minute is swept, and a book that is broken for days does not keep minutes from being so."""
    look_at(world, NOW_MS)
    in_a_book_that_is_gone(world)
    matcher = CountingMatcher(world.database, lambda: world.now_ms)
    expiring = expiring_of(world, matcher)
    now_ms = SOON_MS + 3 * MINUTE_MS
    unswept = []
    for world.now_ms in (now_ms, now_ms + 2_000, now_ms + 4_000, now_ms + 6_000):
        assert expiring.check()
        unswept.append(Expiries(world.database).first_unswept())
    assert matcher.woken == [GONE] * 3
    minute = minute_of(now_ms)
    assert unswept == [minute - 3, minute - 3, minute - 2, minute - 2]
    (row,) = [row for row in world.database.scan("expiries") if row["minute"]]
    assert row["minute"] == (minute // POSTPONED_MINUTES + 1) * POSTPONED_MINUTES


@pytest.mark.parametrize("fault", ["throttled", "error before"])
def test_a_look_that_the_tables_do_not_let_through_is_made_again(world: World, fault: str) -> None:
    order = rested(world)
    world.now_ms = SOON_MS
    faulty: Any = FaultyClient(world.database._client, FAULTS[fault], at=2)
    database = Database(faulty, world.database._prefix, pause=lambda _seconds: None)
    pauses: list[float] = []
    Expiring(database, world.matcher(), lambda: world.now_ms).run(lambda: len(pauses) < 2, pauses.append)
    assert faulty.has_struck
    assert world.order("ann", order).status is EXPIRED


def standstill(client: MemoryDynamoDB) -> World:
    """Two orders that are due, one of them just now and one for minutes; one has traded, and another one filled."""
    world = funded(database_of(client))
    look_at(world, NOW_MS)
    rested(world, NOW_MS + 1_000, 51)
    rested(world, NOW_MS + 1_000, 50)
    rested(world, NOW_MS + 3 * MINUTE_MS, 49)
    world.placed("ben", "SELL", 14, 50)
    world.deliver()
    world.now_ms = NOW_MS + 3 * MINUTE_MS
    return world


@pytest.mark.parametrize("fault", [*FAULTS, "another matcher", "another check"])
def test_no_fault_at_any_call_of_a_look_does_what_the_next_look_does_not_mend(fault: str) -> None:
    """Guarantees 1 to 7, and R24. Others: a matcher gets a taker right before the call, or looks itself."""
    client = empty_tables()
    built = standstill(client)
    for tables, faulty in each_call(client, least=10):
        world = built.over(database_of(tables))
        others = {
            "another matcher": after_another(lambda world=world: sell_much(world)),  # type: ignore[misc]
            "another check": after_another(lambda world=world: expiring_of(world).check()),  # type: ignore[misc]
        }
        faulty.fault = (FAULTS | others)[fault]
        matcher = Matcher(database_of(faulty), lambda world=world: world.now_ms)  # type: ignore[misc]
        expiring = Expiring(database_of(faulty), matcher, lambda world=world: world.now_ms)  # type: ignore[misc]
        try:
            expiring.check()
        except (Unavailable, OutcomeUnknown):
            pass
        except Died:
            expiring = expiring_of(world)
        faulty.stop()
        world.now_ms += 2_000
        while not expiring.check():
            pass
        assert rows(world) == []
        assert not [row for row in world.database.scan("open-orders") if "expires_at_ms" in row]
        world.deliver()
        check_invariants(world, CREDITED)


def sell_much(world: World) -> None:
    world.placed("ben", "SELL", 30, 49)
    assert world.deliver(records=world.records[-1:]) == []
