"""A halt ends at its time though nobody trades, by whichever row, command or operator comes first (O12)."""

from __future__ import annotations

from typing import Any

from tests.invariants import check_invariants
from tests.scenarios import CREDITED
from tests.services.books.due import CountingMatcher, expiring_of, look_at, rows
from tests.world import INSTANCE, NOW_MS, World


def trade_at(world: World, *prices: int) -> None:
    for price in prices:
        world.placed("ben", "SELL", 1, price)
        world.placed("ann", "BUY", 1, price)


def halted(world: World) -> int:
    """Have the book halt before a trade at 60; return when the halt ends."""
    world.change(halt_bps=1000, halt_window_s=60, halt_s=10)
    trade_at(world, 50, 60)
    assert world.deliver() == []
    until_ms = world.views.halts([world.book])[world.book]
    assert until_ms == world.now_ms + 10 * 1_000
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
    trade_at(world, 50, 60)
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
    trade_at(world, 50, 60)
    assert isinstance(world.configuring.resume(INSTANCE, world.config.book_id, None), str)
    world.stream_new_commands()
    trade_at(world, 50, 60)
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
