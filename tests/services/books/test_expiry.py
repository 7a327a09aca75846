"""Orders end at their time in a book in which nothing else happens (R24)."""

from __future__ import annotations

import pytest

from chalicelib.domain.books.vocabulary import CloseReason, OrderStatus
from chalicelib.domain.ledger.owners import customer_key
from chalicelib.services.books.expiry import CHECK_PERIOD_S, POSTPONED_MINUTES
from chalicelib.tables.expiries import MINUTE_MS, Expiries, Expiry, minute_of
from tests.invariants import check_invariants
from tests.scenarios import CREDITED, FUNDS
from tests.services.books.due import EXPIRED, SOON_MS, CountingMatcher, expiring_of, look_at, rested, rows
from tests.world import INSTANCE, NOW_MS, QUOTE, World

HOUR_MS = 60 * MINUTE_MS


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


def test_an_order_and_its_expiry_are_written_together_or_not_at_all(world: World) -> None:
    """R24: what would wake its book is there when the order is."""
    world.placed("ann", "BUY", 10, 50, expires_at_ms=SOON_MS)
    refused = world.place("ann", "BUY", FUNDS, 50, expires_at_ms=SOON_MS)
    assert refused.code == "INSUFFICIENT_BALANCE"  # type: ignore[union-attr]
    (row,) = world.orders.newest_first(customer_key(INSTANCE, "ann"))
    (expiry,) = Expiries(world.database).due(minute_of(SOON_MS), SOON_MS)
    assert expiry == Expiry(world.book, customer_key(INSTANCE, "ann"), row.order_id, SOON_MS)
    assert row.expires_at_ms == SOON_MS
