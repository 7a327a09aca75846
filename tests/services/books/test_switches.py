"""Dead man's switches fire once, at their time, unless they are renewed, whatever goes wrong (O10)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from threading import Thread
from typing import Any

import pytest

from benchmarks.meter import metered
from chalicelib.domain.books.feed import events_of
from chalicelib.domain.books.vocabulary import BookStatus, CloseReason, OrderType
from chalicelib.domain.ledger.owners import book_key, customer_key
from chalicelib.services.books import switches as switching
from chalicelib.services.books.expiry import Expiring
from chalicelib.services.books.matcher import Matcher
from chalicelib.services.books.redrive import redrive_all
from chalicelib.services.books.switches import DeadManSwitches
from chalicelib.support.outcomes import OutcomeUnknown, Unavailable
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.expiries import MINUTE_MS, SWITCH
from chalicelib.tables.switches import Switches
from tests.faults import FAULTS, Call, Died, FaultyClient, WatchedClient, after_another, refusal
from tests.in_memory import database_of, each_call, empty_tables
from tests.invariants import check_invariants
from tests.memory import MemoryDynamoDB
from tests.scenarios import CREDITED, funded
from tests.world import BOOK_ID, INSTANCE, NOW_MS, QUOTE, World, asked

TIMEOUT_S = 30
DUE_MS = NOW_MS + TIMEOUT_S * 1000
ANN = customer_key(INSTANCE, "ann")


pytestmark = pytest.mark.usefixtures("no_logs")


@pytest.fixture
def world(memory_database: Database) -> World:
    return funded(memory_database)


def switches_of(world: World) -> DeadManSwitches:
    return DeadManSwitches(world.database, lambda: world.now_ms)


def set_it(world: World, timeout_s: int = TIMEOUT_S, customer: str = "ann") -> int | None:
    return switches_of(world).set(INSTANCE, customer, timeout_s)


def look(world: World, at_ms: int) -> None:
    """Have somebody who remembers nothing look at this time, until there is no more to do."""
    world.now_ms = at_ms
    while not Expiring(world.database, world.matcher(), lambda: world.now_ms).check():
        pass


def commands(world: World) -> list[tuple[str, str]]:
    """Return book and reason of each cancel-all that is queued."""
    return sorted((row["book"], row["reason"]) for row in world.database.scan("inbox") if row["kind"] == "cancel_all")


def checks(world: World) -> list[int]:
    """Return the times at which a switch is checked."""
    found = (row["look"].split("/")[0] for row in world.database.scan("expiries") if f"/{SWITCH}" in row["look"])
    return sorted(map(int, found))


def is_armed(world: World) -> bool:
    return Switches(world.database).get(ANN) is not None


def decide(world: World) -> None:
    """Have everything decided that is queued, in all books."""
    redrive_all(world.database, world.matcher())


def rested(world: World, price: int = 50, **more: Any) -> str:
    order_id = world.placed("ann", "BUY", 10, price, **more)
    decide(world)
    return order_id


def open_book(world: World, number: int, *, with_order: bool = True, **settings: Any) -> str:
    """Open another book, in which ann has an order; return its key."""
    book_id = f"ob_{number:03d}"
    asset = f"0x{number:040x}"
    world.books.create(replace(world.config, book_id=book_id, symbol=f"B{number}/Q", base_asset=asset, **settings))
    if with_order:
        world.admission.place(INSTANCE, book_id, asked("ann", "BUY", 1, 1))
    return book_key(INSTANCE, book_id)


# --- when it fires -----------------------------------------------------------------------------------------------


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
    Expiring(database, Matcher(database, lambda: world.now_ms), lambda: world.now_ms).check()
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


# --- which books -------------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("renews", [False, True])
def test_o10_more_books_than_a_transaction_takes_are_told_in_parts_and_each_once(
    world: World, renews: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process dies after the first part; a renewal in between is refused, since orders are canceled already."""
    monkeypatch.setattr(switching, "BOOKS_A_TRANSACTION", 2)
    books = [open_book(world, number) for number in range(5)]
    set_it(world)
    world.now_ms = DUE_MS
    client: Any = FaultyClient(world.database._client, FAULTS["death after"], at=1, operation="transact_write_items")
    database = Database(client, world.database._prefix)
    with pytest.raises(Died):
        Expiring(database, Matcher(database, lambda: world.now_ms), lambda: world.now_ms).check()
    assert [book for book, _ in commands(world)] == books[:2]
    if renews:
        quick = Database(world.database._client, world.database._prefix, pause=lambda _seconds: None)
        with pytest.raises(Unavailable):
            DeadManSwitches(quick, lambda: world.now_ms).set(INSTANCE, "ann", TIMEOUT_S)
    look(world, DUE_MS + 500)
    assert commands(world) == [(book, "DEAD_MAN") for book in books]
    assert (is_armed(world), checks(world)) == (False, [])


# --- many at once ------------------------------------------------------------------------------------------------


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
    assert Expiring(database, Matcher(database, lambda: world.now_ms), lambda: world.now_ms).check()
    assert len(commands(world)) == len(customers)
    assert checks(world) == []
    assert calls["transact_write_items"] == len(customers)
    assert calls.total() < 2 * len(customers) + 40


def test_o10_a_switch_that_cannot_fire_keeps_no_other_from_firing(world: World) -> None:
    for customer in ("ann", "ben"):
        world.placed(customer, "BUY", 1, 50)
        set_it(world, customer=customer)
    world.now_ms = DUE_MS

    def without_ann(operation: str, call: Call) -> Any:
        if operation == "transact_write_items" and "customer/ann" in repr(call.arguments):
            raise refusal("ThrottlingException", operation)
        return call()

    watched: Any = WatchedClient(world.database._client, without_ann)
    database = Database(watched, world.database._prefix, pause=lambda _seconds: None)
    expiring = Expiring(database, Matcher(database, lambda: world.now_ms), lambda: world.now_ms)
    expiring.check()
    assert len(commands(world)) == 1
    assert is_armed(world)
    for world.now_ms in (DUE_MS + MINUTE_MS, DUE_MS + 5 * MINUTE_MS):  # it is looked at less often then
        assert expiring.check()
    look(world, DUE_MS + 15 * MINUTE_MS)
    assert len(commands(world)) == 2
    assert checks(world) == []


# --- races and faults --------------------------------------------------------------------------------------------


def test_o10_a_renewal_right_before_it_fires_wins_and_the_switch_fires_later(world: World) -> None:
    """Though the renewal left its check to the one that is under way."""
    rested(world)
    set_it(world)
    world.now_ms = DUE_MS
    renewed = DeadManSwitches(world.database, lambda: DUE_MS - 1)  # by a clock that is behind
    renewal = after_another(lambda: renewed.set(INSTANCE, "ann", TIMEOUT_S) and None)
    client: Any = FaultyClient(world.database._client, renewal, at=1, operation="transact_write_items")
    database = Database(client, world.database._prefix)
    Expiring(database, Matcher(database, lambda: world.now_ms), lambda: world.now_ms).check()
    assert client.has_struck
    assert (commands(world), is_armed(world)) == ([], True)
    look(world, DUE_MS + TIMEOUT_S * 1000 - 2)
    assert commands(world) == []
    look(world, DUE_MS + TIMEOUT_S * 1000 - 1)
    assert len(commands(world)) == 1


def test_o10_a_renewal_right_after_it_fired_arms_it_anew(world: World) -> None:
    rested(world)
    set_it(world)
    world.now_ms = DUE_MS
    fire = after_another(lambda: look(world, DUE_MS))
    client: Any = FaultyClient(world.database._client, fire, at=1, operation="transact_write_items")
    quick = Database(client, world.database._prefix, pause=lambda _seconds: None)
    assert DeadManSwitches(quick, lambda: world.now_ms).set(INSTANCE, "ann", TIMEOUT_S) == DUE_MS + TIMEOUT_S * 1000
    assert client.has_struck
    assert (len(commands(world)), is_armed(world)) == (1, True)
    decide(world)
    rested(world)
    look(world, DUE_MS + TIMEOUT_S * 1000)
    assert len(commands(world)) == 2


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> tuple[MemoryDynamoDB, World]:
    """Ann has orders in three books and a switch, another that is due earlier, and is told of in parts of two."""
    monkeypatch.setattr(switching, "BOOKS_A_TRANSACTION", 2)
    client = empty_tables()
    world = funded(database_of(client))
    look(world, NOW_MS)
    for number in range(3):
        open_book(world, number)
    decide(world)
    set_it(world, 2 * TIMEOUT_S)
    set_it(world)
    return client, world


@pytest.mark.parametrize("fault", [*FAULTS, "another check"])
def test_o10_whatever_goes_wrong_at_any_call_of_a_check_the_switch_fires_once(
    fault: str, built: tuple[MemoryDynamoDB, World]
) -> None:
    client, stage = built
    for tables, faulty in each_call(client, least=8):
        world = stage.over(database_of(tables))
        world.now_ms = DUE_MS
        another = after_another(lambda world=world: look(world, DUE_MS))  # type: ignore[misc]
        faulty.fault = (FAULTS | {"another check": another})[fault]
        with suppress(Unavailable, OutcomeUnknown, Died):
            Expiring(database_of(faulty), Matcher(database_of(faulty), lambda: DUE_MS), lambda: DUE_MS).check()
        look(world, DUE_MS + 500)
        assert Counter(commands(world)) == {(book_key(INSTANCE, f"ob_00{n}"), "DEAD_MAN"): 1 for n in range(3)}
        assert not is_armed(world)
        decide(world)
        assert not list(world.database.scan("open-orders"))
        look(world, DUE_MS + 10 * MINUTE_MS)
        assert (len(commands(world)), checks(world)) == (3, [])


@pytest.mark.parametrize("fault", [*FAULTS, "a check", "another renewal"])
@pytest.mark.parametrize("timeout_s", [0, 5, TIMEOUT_S])
def test_o10_whatever_goes_wrong_while_it_is_set_it_fires_at_the_time_of_before_or_of_after(
    fault: str, timeout_s: int, built: tuple[MemoryDynamoDB, World]
) -> None:
    client, stage = built
    after_ms = NOW_MS + 20_000 + timeout_s * 1000
    for tables, faulty in each_call(client):
        world = stage.over(database_of(tables))
        world.now_ms = NOW_MS + 20_000
        others: dict[str, Callable[[], Any]] = {
            "a check": lambda world=world: look(world, world.now_ms),  # type: ignore[misc]
            "another renewal": lambda world=world: set_it(world, timeout_s),  # type: ignore[misc]
        }
        faulty.fault = after_another(others[fault]) if fault in others else FAULTS[fault]
        is_known = True
        switches = DeadManSwitches(database_of(faulty), lambda world=world: world.now_ms)  # type: ignore[misc]
        try:
            assert switches.set(INSTANCE, "ann", timeout_s) == (after_ms if timeout_s else None)
        except (Unavailable, OutcomeUnknown, Died):
            is_known = False
        switch = Switches(world.database).get(ANN)
        fires_ms = None if switch is None else switch.cancel_at_ms
        assert fires_ms in ({DUE_MS, after_ms} if timeout_s else {DUE_MS, None})
        if is_known:
            assert fires_ms == (after_ms if timeout_s else None)
        for at_ms in sorted({DUE_MS - 1, DUE_MS, after_ms - 1, after_ms, after_ms + MINUTE_MS}):
            look(world, at_ms)
            assert bool(commands(world)) == (fires_ms is not None and fires_ms <= at_ms)
        assert len(commands(world)) == (0 if fires_ms is None else 3)


def test_o10_renewals_and_checks_that_run_at_once_exclude_each_other(embedded_database: Database) -> None:
    """Over the real expressions, in threads: two checks and a renewal meet at the time of the switch."""
    world = funded(embedded_database)
    world.placed("ann", "BUY", 1, 50)
    fired = 0
    for number in range(12):
        world.now_ms = NOW_MS + number * MINUTE_MS
        set_it(world, 5)
        due_ms = world.now_ms + 5_000
        at_ms = due_ms + number % 2  # in time by the renewal's clock, or late
        before = len(commands(world))
        renewals: list[int | None] = []

        def renew(at_ms: int = at_ms, renewals: list[int | None] = renewals) -> None:
            renewals.append(DeadManSwitches(world.database, lambda: at_ms - 1).set(INSTANCE, "ann", 60))

        def check(at_ms: int = due_ms) -> None:
            Expiring(world.database, world.matcher(), lambda: at_ms).check()

        threads = [Thread(target=work) for work in (check, renew, check)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert renewals == [at_ms - 1 + 60_000]
        switch = Switches(world.database).get(ANN)
        assert switch is not None
        assert switch.cancel_at_ms == at_ms - 1 + 60_000
        told = len(commands(world)) - before
        assert told in (0, 1)
        fired += told
        assert [each for each in checks(world) if each <= switch.cancel_at_ms], "the renewed switch would not fire"
    assert len(commands(world)) == fired
    assert {(book, reason) for book, reason in commands(world)} <= {(book_key(INSTANCE, BOOK_ID), "DEAD_MAN")}
