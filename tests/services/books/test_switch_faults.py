"""Dead man's switches fire once whatever goes wrong, and whoever renews one at that moment (O10)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from typing import Any

import pytest

from chalicelib.domain.ledger.owners import book_key
from chalicelib.services.books import switches as switching
from chalicelib.services.books.expiry import Expiring
from chalicelib.services.books.matcher import Matcher
from chalicelib.services.books.switches import DeadManSwitches
from chalicelib.support.outcomes import OutcomeUnknown, Unavailable
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.expiries import MINUTE_MS
from chalicelib.tables.switches import Switches
from tests.faults import FAULTS, Call, Died, FaultyClient, WatchedClient, after_another, refusal
from tests.in_memory import database_of, each_call, empty_tables
from tests.memory import MemoryDynamoDB
from tests.scenarios import funded
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
from tests.world import BOOK_ID, INSTANCE, NOW_MS, World

pytestmark = pytest.mark.usefixtures("no_logs")


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
        expiring_over(world, database).check()
    assert [book for book, _ in commands(world)] == books[:2]
    if renews:
        quick = Database(world.database._client, world.database._prefix, pause=lambda _seconds: None)
        with pytest.raises(Unavailable):
            DeadManSwitches(quick, lambda: world.now_ms).set(INSTANCE, "ann", TIMEOUT_S)
    look(world, DUE_MS + 500)
    assert commands(world) == [(book, "DEAD_MAN") for book in books]
    assert (is_armed(world), checks(world)) == (False, [])


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
    expiring = expiring_over(world, database)
    expiring.check()
    assert len(commands(world)) == 1
    assert is_armed(world)
    for world.now_ms in (DUE_MS + MINUTE_MS, DUE_MS + 5 * MINUTE_MS):  # it is looked at less often then
        assert expiring.check()
    look(world, DUE_MS + 15 * MINUTE_MS)
    assert len(commands(world)) == 2
    assert checks(world) == []


def test_o10_a_renewal_right_before_it_fires_wins_and_the_switch_fires_later(world: World) -> None:
    """Though the renewal left its check to the one that is under way."""
    rested(world)
    set_it(world)
    world.now_ms = DUE_MS
    renewed = DeadManSwitches(world.database, lambda: DUE_MS - 1)  # by a clock that is behind
    renewal = after_another(lambda: renewed.set(INSTANCE, "ann", TIMEOUT_S) and None)
    client: Any = FaultyClient(world.database._client, renewal, at=1, operation="transact_write_items")
    database = Database(client, world.database._prefix)
    expiring_over(world, database).check()
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
