"""Dead man's switches fire once, at their time, unless they are renewed (O10): in which books, at what cost."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from benchmarks.meter import metered
from chalicelib.domain.books.feed import events_of
from chalicelib.domain.books.vocabulary import BookStatus, CloseReason, OrderType
from chalicelib.services.books import switches as switching
from chalicelib.services.books.expiry import Expiring
from chalicelib.services.books.matcher import Matcher
from chalicelib.services.books.switches import DeadManSwitches
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.expiries import MINUTE_MS
from tests.faults import Call, WatchedClient
from tests.invariants import check_invariants
from tests.scenarios import CREDITED
from tests.services.books.dead_man import (
    ANN,
    DUE_MS,
    TIMEOUT_S,
    checks,
    commands,
    decide,
    expiring_over,
    is_armed,
    look,
    open_book,
    rested,
    set_it,
)
from tests.world import INSTANCE, NOW_MS, QUOTE, World


def test_o10_a_switch_that_is_not_renewed_cancels_all_orders_at_its_time_and_not_a_moment_before(world: World) -> None:
    resting = rested(world)
    waiting = world.placed("ann", "SELL", 5, 40, order_type=OrderType.STOP_LIMIT, stop_price=45)
    others = world.placed("ben", "SELL", 10, 60)
    assert set_it(world) == DUE_MS
    queued = world.placed("ann", "BUY", 1, 49)
    look(world, DUE_MS - 1)
    assert commands(world) == []
    look(world, DUE_MS)
    assert commands(world) == [(world.book, "DEAD_MAN")]
    decide(world)
    ended = [world.order("ann", each) for each in (resting, waiting, queued)]
    assert {row.reason for row in ended} == {CloseReason.DEAD_MAN}
    assert world.order("ben", others).status.is_live
    assert (is_armed(world), checks(world)) == (False, [])
    look(world, DUE_MS + 10 * MINUTE_MS)
    assert commands(world) == [(world.book, "DEAD_MAN")]
    check_invariants(world, CREDITED)


def test_o10_the_feed_tells_the_reason(world: World) -> None:
    order = rested(world)
    set_it(world)
    look(world, DUE_MS)
    decide(world)
    told = [event.body for entry in world.journal.after(world.book, 0) for event in events_of(world.config, entry)]
    assert [body["reason"] for body in told if body.get("orderId") == order and "reason" in body] == ["DEAD_MAN"]


@pytest.mark.parametrize(("timeout_s", "fires_ms"), [(30, DUE_MS + 20_000), (5, NOW_MS + 25_000), (0, None)])
def test_o10_the_last_one_that_is_set_counts(world: World, timeout_s: int, fires_ms: int | None) -> None:
    rested(world)
    set_it(world)
    world.now_ms += 20_000
    assert set_it(world, timeout_s) == fires_ms
    for at_ms in (NOW_MS + 24_999, NOW_MS + 25_000, DUE_MS, DUE_MS + 19_999, DUE_MS + 20_000, DUE_MS + MINUTE_MS):
        look(world, at_ms)
        has_fired = fires_ms is not None and at_ms >= fires_ms
        assert bool(commands(world)) == has_fired
        assert is_armed(world) == (fires_ms is not None and not has_fired)
    assert len(commands(world)) == (fires_ms is not None)
    assert checks(world) == []


def test_o10_a_renewal_costs_a_read_and_a_write_unit_and_a_timeout_four_more(world: World) -> None:
    """A client renews each second of a timeout of thirty; what is looked at moves once a timeout."""
    database, meter = metered(world.database)
    switches = DeadManSwitches(database, lambda: world.now_ms)
    switches.set(INSTANCE, "ann", TIMEOUT_S)
    assert (meter.take().total.write_units, checks(world)) == (4, [DUE_MS])
    for _ in range(29):
        world.now_ms += 1_000
        switches.set(INSTANCE, "ann", TIMEOUT_S)
    renewals = meter.take().total
    assert (renewals.write_units, renewals.read_units) == (29, 29)
    check = Expiring(database, Matcher(database, lambda: DUE_MS), lambda: DUE_MS).check
    check()
    assert [bill.write_units for bill in (meter.take().of("expiries"),)] == [3]  # one more: the first check of all
    assert checks(world) == [DUE_MS + 29_000]
    world.now_ms = DUE_MS
    switches.set(INSTANCE, "ann", 0)
    assert meter.take().total.write_units == 1


def test_o10_a_check_costs_nothing_more_where_nobody_has_a_switch(world: World) -> None:
    """It reads how far minutes are swept, and three minutes of expiries, as it did before there were switches."""
    look(world, NOW_MS)
    database, meter = metered(world.database)
    expiring_over(world, database).check()
    bill = meter.take()
    assert (bill.calls, bill.total.read_units, bill.total.write_units) == (4, 4, 0)
    assert bill.tables.keys() == {"expiries"}


def test_o10_a_switch_that_was_not_looked_at_for_hours_fires_then_and_once(world: World) -> None:
    rested(world)
    look(world, NOW_MS)
    set_it(world)
    look(world, DUE_MS + 180 * MINUTE_MS)
    look(world, DUE_MS + 181 * MINUTE_MS)
    assert commands(world) == [(world.book, "DEAD_MAN")]


def test_o10_an_overdue_switch_that_is_renewed_before_it_fires_does_not_fire(world: World) -> None:
    rested(world)
    set_it(world)
    world.now_ms = DUE_MS + 5_000
    set_it(world)
    look(world, DUE_MS + 5_000)
    assert commands(world) == []
    look(world, DUE_MS + 35_000)
    assert len(commands(world)) == 1


def test_o10_the_check_of_an_overdue_switch_may_have_been_lost_until_it_is_renewed(world: World) -> None:
    rested(world)
    set_it(world)
    for row in list(world.database.scan("expiries")):
        world.database.delete_many("expiries", [{"minute": row["minute"], "look": row["look"]}])
    look(world, DUE_MS + 5_000)
    assert commands(world) == []
    set_it(world)
    look(world, DUE_MS + 35_000)
    assert len(commands(world)) == 1


def test_o10_a_customer_without_orders_has_nothing_queued(world: World) -> None:
    set_it(world)
    look(world, DUE_MS)
    assert (commands(world), is_armed(world), checks(world)) == ([], False, [])


@pytest.mark.parametrize("status", [BookStatus.PAUSED, BookStatus.CLOSED])
def test_o10_orders_of_a_book_that_does_not_trade_are_cancelled_too(world: World, status: BookStatus) -> None:
    order = rested(world)
    set_it(world)
    world.change_status(status)
    if status is BookStatus.PAUSED:
        decide(world)
    look(world, DUE_MS)
    decide(world)
    reason = CloseReason.DEAD_MAN if status is BookStatus.PAUSED else CloseReason.BOOK_CLOSED
    assert world.order("ann", order).reason is reason
    check_invariants(world, CREDITED)


def test_o10_orders_of_a_parked_book_are_cancelled_once_it_is_released(world: World) -> None:
    order = rested(world)
    set_it(world)
    (config,) = [row for row in world.database.scan("books") if row["part"] == "config"]
    world.database.put_many("books", [config | {"parked_at_ms": NOW_MS, "failed_batches": 5}])
    look(world, DUE_MS)
    assert commands(world) == [(world.book, "DEAD_MAN")]
    world.database.put_many("books", [config])
    decide(world)
    assert world.order("ann", order).reason is CloseReason.DEAD_MAN


def test_o10_each_book_with_orders_gets_one_command_and_no_other(world: World) -> None:
    books = [open_book(world, number) for number in range(3)]
    open_book(world, 9, with_order=False)
    set_it(world)
    look(world, DUE_MS)
    assert commands(world) == [(book, "DEAD_MAN") for book in books]


def test_o10_of_a_customer_with_very_many_orders_every_open_book_is_told(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading all orders could take longer than the second that there is."""
    monkeypatch.setattr(switching, "ORDERS_READ_MAX", 2)
    old = open_book(world, 1)
    without = open_book(world, 2, with_order=False)
    open_book(world, 3, with_order=False, status=BookStatus.CLOSED)
    for price in (50, 51):
        world.placed("ann", "BUY", 1, price)
    set_it(world)
    look(world, DUE_MS)
    told = [book for book, _ in commands(world)]
    assert told == sorted([old, world.book, without])


def test_o10_damaged_orders_keep_no_other_from_being_cancelled(world: World) -> None:
    orders = [rested(world, price) for price in (50, 51, 52)]
    first, second, _ = (world.database.get("open-orders", {"owner": ANN, "order_id": one}) for one in orders)
    assert first is not None
    assert second is not None
    nowhere = {name: value for name, value in second.items() if name != "book_id"}
    world.database.put_many("open-orders", [first | {"status": "UNKNOWN"}, nowhere])
    set_it(world)
    look(world, DUE_MS)
    assert commands(world) == [(world.book, "DEAD_MAN")]


def test_o10_many_switches_that_are_due_at_once_fire_in_one_check_at_three_calls_each(world: World) -> None:
    customers = [f"c{number}" for number in range(250)]
    for customer in customers:
        world.credit(customer, QUOTE, 100)
        world.placed(customer, "BUY", 1, 50)
        set_it(world, customer=customer)
    world.now_ms = DUE_MS
    calls: Counter[str] = Counter()

    def count(operation: str, call: Call) -> Any:
        calls[operation] += 1
        return call()

    watched: Any = WatchedClient(world.database._client, count)
    database = Database(watched, world.database._prefix)
    assert expiring_over(world, database).check()
    assert len(commands(world)) == len(customers)
    assert checks(world) == []
    assert calls["transact_write_items"] == len(customers)
    assert calls.total() < 2 * len(customers) + 40
