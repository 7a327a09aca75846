"""Orders end at their time in a book in which nothing else happens (R24), whatever goes wrong while somebody looks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.domain.books.vocabulary import CloseReason, OrderStatus
from chalicelib.domain.ledger.owners import book_key, customer_key
from chalicelib.services.books.expiry import CHECK_PERIOD_S, POSTPONED_MINUTES, Expiring
from chalicelib.services.books.matcher import Matcher
from chalicelib.services.books.switches import DeadManSwitches
from chalicelib.support.outcomes import OutcomeUnknown, Unavailable
from chalicelib.support.telemetry import Metric
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.expiries import MINUTE_MS, Expiries, Expiry, halt_end, minute_of
from chalicelib.tables.rows import Row
from tests.faults import FAULTS, Died, FaultyClient, after_another
from tests.in_memory import database_of, each_call, empty_tables
from tests.invariants import check_invariants
from tests.memory import MemoryDynamoDB
from tests.scenarios import CREDITED, FUNDS, funded
from tests.watched import watched
from tests.world import INSTANCE, NOW_MS, QUOTE, World

SECOND_MS, HOUR_MS = 1_000, 60 * MINUTE_MS
SOON_MS = NOW_MS + 10 * SECOND_MS
EXPIRED = OrderStatus.EXPIRED
GONE = book_key(INSTANCE, "ob_gone")


pytestmark = pytest.mark.usefixtures("no_logs")


@pytest.fixture
def world(memory_database: Database) -> World:
    return funded(memory_database)


class CountingMatcher(Matcher):
    """A matcher that tells which books it was asked to look at."""

    def __init__(self, database: Database, now_ms: Callable[[], int]) -> None:
        super().__init__(database, now_ms)
        self.woken: list[str] = []

    def expire_due(self, book: str) -> int:
        self.woken.append(book)
        return super().expire_due(book)


def expiring_of(world: World, matcher: Matcher | None = None) -> Expiring:
    return Expiring(world.database, matcher or world.matcher(), lambda: world.now_ms)


def look_at(world: World, now_ms: int) -> bool:
    """Have somebody who remembers nothing look at this time; return whether that was all."""
    world.now_ms = now_ms
    return expiring_of(world).check()


def rested(world: World, expires_at_ms: int = SOON_MS, price: int = 50) -> str:
    order_id = world.placed("ann", "BUY", 10, price, expires_at_ms=expires_at_ms)
    assert world.deliver(records=world.records[-1:]) == []
    return order_id


def rows(world: World) -> list[str]:
    """Return the orders that are to be looked at."""
    return [row["order_id"] for row in world.database.scan("expiries") if row["minute"]]


# --- what a check does -------------------------------------------------------------------------------------------


def test_an_order_in_a_quiet_book_ends_at_its_time_and_not_a_moment_before(world: World) -> None:
    order = rested(world)
    assert look_at(world, SOON_MS - 1)
    assert world.order("ann", order).status is OrderStatus.OPEN
    assert look_at(world, SOON_MS)
    row = world.order("ann", order)
    assert (row.status, row.reason, row.updated_at_ms) == (EXPIRED, CloseReason.EXPIRED, SOON_MS)
    assert world.balance("ann", QUOTE) == (FUNDS, 0)
    assert rows(world) == []
    check_invariants(world, CREDITED)


def test_an_order_that_filled_in_part_keeps_its_fill(world: World) -> None:
    order = rested(world)
    world.placed("ben", "SELL", 4, 50)
    world.deliver()
    look_at(world, SOON_MS)
    row = world.order("ann", order)
    assert (row.status, row.filled) == (EXPIRED, 4)
    assert world.balance("ann", QUOTE) == (FUNDS - 200, 0)
    check_invariants(world, CREDITED)


@pytest.mark.parametrize("end", ["filled", "cancelled", "expired by its book's matcher"])
def test_the_row_of_an_order_that_has_ended_goes_and_nobody_is_woken(world: World, end: str) -> None:
    order = rested(world)
    if end == "filled":
        world.placed("ben", "SELL", 10, 50)
    elif end == "cancelled":
        world.cancel("ann", order)
    world.now_ms = SOON_MS - 1
    world.deliver()
    world.now_ms = SOON_MS
    if end.startswith("expired"):
        world.placed("ben", "SELL", 10, 50)
        world.deliver()
        assert world.order("ann", order).status is EXPIRED
    matcher = CountingMatcher(world.database, lambda: world.now_ms)
    assert rows(world) == [order]
    assert expiring_of(world, matcher).check()
    assert (rows(world), matcher.woken) == ([], [])


def test_an_order_without_an_expiry_is_not_written_down(world: World) -> None:
    world.placed("ann", "BUY", 10, 50)
    assert list(world.database.scan("expiries")) == []


def test_whoever_looks_knows_what_other_matchers_have_done_since(world: World) -> None:
    """Its own memory of the book is older than the order."""
    expiring = expiring_of(world)
    first = rested(world)
    world.now_ms = SOON_MS
    expiring.check()
    second = rested(world, SOON_MS + 5)
    world.now_ms = SOON_MS + 5
    assert expiring.check()
    assert {world.order("ann", each).status for each in (first, second)} == {EXPIRED}
    check_invariants(world, CREDITED)


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


def test_an_order_that_waits_for_its_turn_is_looked_at_until_it_had_it(world: World) -> None:
    """Its row stays; at its turn it is due."""
    order = world.placed("ann", "BUY", 10, 50, expires_at_ms=SOON_MS)
    assert look_at(world, SOON_MS)
    assert (rows(world), world.order("ann", order).sequence) == ([order], None)
    world.deliver()
    assert world.order("ann", order).status is EXPIRED
    assert look_at(world, SOON_MS + 1)
    assert rows(world) == []
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


def in_a_book_that_is_gone(world: World) -> str:
    """Have an order looked at in a book that there is not; return the order."""
    order = world.placed("ann", "BUY", 10, 50, expires_at_ms=SOON_MS)
    (row,) = [row for row in world.database.scan("expiries") if row.get("order_id") == order]
    world.database.put_many("expiries", [row | {"book": GONE}])
    return order


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


def test_a_look_closes_one_group_of_each_book_and_says_that_there_is_more(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chalicelib.services.books.matcher.EVENTS_PER_ENTRY_GROUP", 2)
    orders = [rested(world, SOON_MS, 40 + number) for number in range(5)]
    done = []
    for _ in range(3):
        done.append(look_at(world, SOON_MS))
    assert done == [False, False, True]
    assert {world.order("ann", each).status for each in orders} == {EXPIRED}
    assert rows(world) == []
    check_invariants(world, CREDITED)


# --- minutes -----------------------------------------------------------------------------------------------------


def test_after_a_standstill_all_that_came_due_is_made_up_for_and_the_present_is_not_kept_waiting(world: World) -> None:
    look_at(world, NOW_MS)
    first, last = rested(world, SOON_MS), rested(world, SOON_MS + HOUR_MS)
    now_ms = SOON_MS + 2 * HOUR_MS
    present = rested(world, now_ms)
    checks = 1
    assert not look_at(world, now_ms)
    assert world.order("ann", present).status is EXPIRED
    while not look_at(world, now_ms):
        checks += 1
    assert checks == 5  # 118 minutes, twenty a check
    assert {world.order("ann", each).status for each in (first, last)} == {EXPIRED}
    assert rows(world) == []
    assert Expiries(world.database).first_unswept() == minute_of(now_ms) - 2


def test_the_first_look_of_all_begins_where_the_first_order_expired(world: World) -> None:
    """Orders were admitted for a day before anybody looked."""
    order = rested(world)
    world.now_ms = SOON_MS + 24 * HOUR_MS
    assert not expiring_of(world).check()
    assert world.order("ann", order).status is EXPIRED
    assert rows(world) == []


def test_minutes_that_are_swept_are_not_looked_at_again(world: World) -> None:
    look_at(world, NOW_MS + 5 * MINUTE_MS)
    world.placed("ann", "BUY", 10, 50, expires_at_ms=NOW_MS + 2 * MINUTE_MS)
    look_at(world, NOW_MS + 5 * MINUTE_MS)
    assert len(rows(world)) == 1  # goes with its time to live; its order is due at its turn
    world.deliver()
    (row,) = world.orders.newest_first(customer_key(INSTANCE, "ann"))
    assert row.status is EXPIRED


@pytest.mark.parametrize("minutes_over", [2, 3])
def test_what_is_still_live_when_its_minute_is_swept_is_looked_at_later(world: World, minutes_over: int) -> None:
    """Its command was lost to the stream; somebody redrives it at last."""
    order = world.placed("ann", "BUY", 10, 50, expires_at_ms=SOON_MS)
    minute = minute_of(SOON_MS)
    look_at(world, SOON_MS)
    look_at(world, (minute + minutes_over) * MINUTE_MS + 1)
    (row,) = [row for row in world.database.scan("expiries") if row["minute"]]
    is_swept = minutes_over > 2
    later = (minute // POSTPONED_MINUTES + 1) * POSTPONED_MINUTES
    assert row["minute"] == (later if is_swept else minute)
    assert Expiries(world.database).first_unswept() == minute + minutes_over - 2
    world.deliver()
    assert look_at(world, later * MINUTE_MS)
    assert rows(world) == []
    assert world.order("ann", order).status is EXPIRED


# --- looking again and again -------------------------------------------------------------------------------------


def test_whoever_keeps_looking_pauses_when_all_is_done_and_only_then(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chalicelib.services.books.matcher.EVENTS_PER_ENTRY_GROUP", 1)
    orders = [rested(world, SOON_MS, 40 + number) for number in range(3)]
    world.now_ms = SOON_MS
    live: list[int] = []

    def pause(duration_s: float) -> None:
        assert duration_s == CHECK_PERIOD_S
        live.append(sum(world.order("ann", each).status.is_live for each in orders))

    expiring_of(world).run(lambda: len(live) < 2, pause)
    assert live == [0, 0]


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


# --- faults ------------------------------------------------------------------------------------------------------


def standstill(client: MemoryDynamoDB) -> World:
    """Two orders that are due, one of them just now and one for minutes; one has traded, and another one filled."""
    world = funded(database_of(client))
    look_at(world, NOW_MS)
    rested(world, NOW_MS + SECOND_MS, 51)
    rested(world, NOW_MS + SECOND_MS, 50)
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
            "another matcher": after_another(lambda world=world: _taker(world)),  # type: ignore[misc]
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


# --- halts (O12) ---------------------------------------------------------------------------------------------------


def halted(world: World) -> int:
    """Have the book halt before a trade at 60; return when the halt ends."""
    world.change(halt_bps=1000, halt_window_s=60, halt_s=10)
    for price in (50, 60):
        world.placed("ben", "SELL", 1, price)
        world.placed("ann", "BUY", 1, price)
    assert world.deliver() == []
    until_ms = world.views.halts([world.book])[world.book]
    assert until_ms == world.now_ms + 10 * SECOND_MS
    return until_ms


def test_o12_a_halt_ends_at_its_time_though_nobody_trades(world: World) -> None:
    until_ms = halted(world)
    assert rows(world) == [f"halt/{world.book}"]
    assert look_at(world, until_ms - 1)
    assert world.folded().book.halted_until_ms == until_ms
    assert look_at(world, until_ms)
    assert world.folded().book.halted_until_ms is None
    assert world.views.halts([world.book]) == {}
    assert rows(world) == []
    check_invariants(world, CREDITED)


def test_o12_what_waits_for_the_end_of_a_halt_is_decided_then(world: World) -> None:
    """A row of a halt that is over, by the operator or by a command, wakes nobody; nor does one of a halt before."""
    until_ms = halted(world)
    world.now_ms = until_ms - 1
    assert isinstance(world.configuring.resume(INSTANCE, world.config.book_id, None), str)
    world.stream_new_commands()
    for price in (50, 60):
        world.placed("ben", "SELL", 1, price)
        world.placed("ann", "BUY", 1, price)
    assert world.deliver() == []
    assert world.views.halts([world.book])[world.book] > until_ms
    matcher = CountingMatcher(world.database, lambda: world.now_ms)
    world.now_ms = until_ms
    assert expiring_of(world, matcher).check()
    assert matcher.woken == []
    assert len(rows(world)) == 1


def test_o12_a_book_that_halts_twice_in_one_entry_is_woken_once(world: World) -> None:
    """The operator ends a halt, and the next order halts the book again for the same time, in one journal entry."""
    world.change(halt_bps=1000, halt_window_s=60, halt_s=10)
    for price in (50, 60):
        world.placed("ben", "SELL", 1, price)
        world.placed("ann", "BUY", 1, price)
    assert isinstance(world.configuring.resume(INSTANCE, world.config.book_id, None), str)
    world.stream_new_commands()
    for price in (50, 60):
        world.placed("ben", "SELL", 1, price)
        world.placed("ann", "BUY", 1, price)
    assert world.deliver() == []
    (entry,) = world.journal.after(world.book, 0)
    assert [event["type"] for event in entry.events].count("halted") == 2
    assert rows(world) == [f"halt/{world.book}"]
    check_invariants(world, CREDITED)


def test_o12_a_halt_whose_row_is_lost_ends_with_the_next_command(world: World) -> None:
    until_ms = halted(world)
    for row in world.database.scan("expiries"):
        world.database.delete_many("expiries", [{"minute": row["minute"], "look": row["look"]}])
    assert look_at(world, until_ms)
    assert world.folded().book.halted_until_ms == until_ms
    world.placed("ann", "BUY", 1, 40)
    assert world.deliver() == []
    assert world.folded().book.halted_until_ms is None


def test_o12_the_halt_of_a_parked_book_is_looked_at_again_later(world: World) -> None:
    until_ms = halted(world)
    world.database.put_many("books", [parked(row) for row in world.database.scan("books") if row["part"] == "config"])
    assert look_at(world, until_ms)
    assert rows(world) == [f"halt/{world.book}"]
    assert world.folded().book.halted_until_ms == until_ms


def parked(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"parked_at_ms": NOW_MS, "failed_batches": 5}


def _taker(world: World) -> None:
    world.placed("ben", "SELL", 30, 49)
    assert world.deliver(records=world.records[-1:]) == []


def test_an_order_and_its_expiry_are_written_together_or_not_at_all(world: World) -> None:
    """R24: what would wake its book is there when the order is."""
    world.placed("ann", "BUY", 10, 50, expires_at_ms=SOON_MS)
    refused = world.place("ann", "BUY", FUNDS, 50, expires_at_ms=SOON_MS)
    assert refused.code == "INSUFFICIENT_BALANCE"  # type: ignore[union-attr]
    (row,) = world.orders.newest_first(customer_key(INSTANCE, "ann"))
    (expiry,) = Expiries(world.database).due(minute_of(SOON_MS), SOON_MS)
    assert expiry == Expiry(world.book, customer_key(INSTANCE, "ann"), row.order_id, SOON_MS)
    assert row.expires_at_ms == SOON_MS
