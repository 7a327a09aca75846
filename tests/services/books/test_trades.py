"""The tape of a quiet book: the entries that traded are found without reading all that did not."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.domain.books.candles import Period
from chalicelib.services.books.trades import IDLE_ENTRIES_MAX, TradeHistory
from chalicelib.support.ids import TIME_MS_MAX
from chalicelib.tables.candles import KEPT_MS
from chalicelib.tables.dynamodb import Database
from tests.apis.trade.rows import put_tape
from tests.in_memory import database_of, empty_tables
from tests.tables.test_listing_cost import Reads
from tests.world import World

MINUTE_MS, HOUR_MS, DAY_MS = (period.length_ms for period in Period)
START_MS = 1_736_937_000_000 // DAY_MS * DAY_MS
Entries = list[tuple[int, list[tuple[int, int]]]]


def quiet(from_ms: int, count: int, step_ms: int) -> Entries:
    return [(from_ms + number * step_ms, []) for number in range(count)]


def sequences(tape: TradeHistory, world: World, from_ms: int = 0, to_ms: int = TIME_MS_MAX) -> list[int]:
    return [entry.sequence for entry in tape.entries(world.book, from_ms, to_ms)]


@pytest.mark.parametrize("later_ms", [0, 9 * DAY_MS, 101 * DAY_MS])
@pytest.mark.parametrize("step_ms", [1, 1000, 60_000, 600_000])
def test_trades_among_thousands_of_entries_without_any_are_found_with_few_reads(
    memory_database: Database, later_ms: int, step_ms: int
) -> None:
    """Also when the minutes, or the hours too, are so old that their rows are gone."""
    world, count = World(memory_database), 3000
    entries: Entries = [(START_MS, [(5, 1)])]
    entries += quiet(START_MS + 1, count, step_ms)
    entries.append((entries[-1][0] + 1, [(6, 1), (7, 1)]))
    entries += quiet(entries[-1][0] + 1, count, step_ms)
    put_tape(world, entries)
    end_ms = entries[-1][0] + later_ms
    for period, kept_ms in KEPT_MS.items():
        for row in world.database.scan("candles"):
            if row["series"].endswith(period.value) and kept_ms and row["start_ms"] + kept_ms <= end_ms:
                world.database.delete_many("candles", [{name: row[name] for name in ("series", "start_ms")}])
    reads = Reads(memory_database)
    tape = TradeHistory(reads.database, lambda: end_ms)
    assert sequences(tape, world) == [count + 2, 1]
    in_a_span = {0: MINUTE_MS, 9 * DAY_MS: HOUR_MS, 101 * DAY_MS: DAY_MS}[later_ms] // step_ms
    assert reads.rows < 4 * IDLE_ENTRIES_MAX + 4 * min(in_a_span, count) + 300


def test_a_book_that_never_traded_is_not_read_to_its_beginning(memory_database: Database) -> None:
    world = World(memory_database)
    put_tape(world, quiet(START_MS, 5000, 1000))
    reads = Reads(memory_database)
    assert sequences(TradeHistory(reads.database), world) == []
    assert reads.rows <= 2 * IDLE_ENTRIES_MAX


@given(
    gaps_ms=st.lists(st.sampled_from([0, 1, 999, 60_000, 3_599_999, 3_600_000, DAY_MS, 12 * DAY_MS]), max_size=60),
    draw=st.randoms(use_true_random=False),
    later_ms=st.sampled_from([0, 9 * DAY_MS, 200 * DAY_MS]),
)
@settings(deadline=None)
def test_the_tape_is_that_of_the_whole_journal(gaps_ms: list[int], draw: random.Random, later_ms: int) -> None:
    client = empty_tables()
    world, at_ms, entries = World(database_of(client)), START_MS, Entries()
    for gap_ms in gaps_ms:
        at_ms += gap_ms
        entries.append((at_ms, [(5, 1)] if draw.random() < 0.2 else []))
    put_tape(world, entries)
    client.expire((at_ms + later_ms) // 1000)
    from_ms, to_ms = sorted((draw.randint(START_MS - 1, at_ms + 1), draw.randint(START_MS - 1, at_ms + 1)))
    expected = [number for number, (when, trades) in enumerate(entries, 1) if trades and from_ms <= when <= to_ms]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("chalicelib.services.books.trades.IDLE_ENTRIES_MAX", draw.randint(1, 4))
        found = sequences(TradeHistory(world.database, lambda: at_ms + later_ms), world, from_ms, to_ms)
    assert found == expected[::-1]
