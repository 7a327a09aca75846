"""Tickers: what a pair traded in the last 24 hours, its last and its best prices (R34)."""

from __future__ import annotations

import json
import random
import zlib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.apis.trade.tickers import price_change_percent
from chalicelib.domain.books.candles import Candle, Period
from chalicelib.services.books.market_data import DayOfBook, MarketData
from chalicelib.tables.candles import Candles
from tests.apis.trade.desk import SignedDesk, fault_of
from tests.apis.trade.rows import DAY_MS, NOW_MS, put_tape
from tests.in_memory import database_of, empty_tables
from tests.tables.test_listing_cost import Reads
from tests.world import World

MINUTE_MS = 60_000
TICKERS = "/trade/public/tickers"
NOT_FOUND = (404, 40400, "Pair not found.")


def ticker(desk: SignedDesk) -> dict[str, Any]:
    """Return the ticker of the one pair, its numbers as they are written."""
    response = desk.get(f"{TICKERS}/B_Q")
    assert response.status == 200, response.body
    data: dict[str, Any] = json.loads(response.body, parse_float=str, parse_int=str)["data"]
    return data


@pytest.mark.parametrize("pair", ["NOPE_Q", "B%2FQ", "%zz", "%00", "B-Q"])
def test_the_ticker_of_an_unknown_or_malformed_pair_is_not_found(archive: SignedDesk, pair: str) -> None:
    assert fault_of(archive.get(f"/trade/ticker/{pair}")) == NOT_FOUND


def day_of(first: int, last: int) -> DayOfBook:
    return DayOfBook(Candle(0, first, max(first, last), min(first, last), last, 1, 1, 1), last)


@pytest.mark.parametrize(
    ("first", "last", "percent"),
    [
        (100, 100, "0"),
        (100, 150, "50"),
        (1000, 1015, "1.5"),
        (3, 4, "33.33"),
        (3, 2, "-33.33"),
        (3, 5, "66.67"),
        (20000, 20001, "0.01"),
        (20000, 19999, "-0.01"),
        (20001, 20002, "0"),
        (20001, 20000, "0"),
        (1, 10**30, "99999999999999999999999999999900"),
        (10**30, 1, "-100"),
    ],
)
def test_the_change_in_percent_has_two_decimals_half_away_from_zero(first: int, last: int, percent: str) -> None:
    assert price_change_percent(day_of(first, last)) == percent


def test_without_trades_nothing_has_changed() -> None:
    assert price_change_percent(DayOfBook(None, 5)) == price_change_percent(DayOfBook(None, None)) == "0"


def naive_day(entries: list[tuple[int, list[tuple[int, int]]]], now_ms: int, decimals: int) -> DayOfBook:
    """Return a day's figures straight from the trades."""
    from_ms = (now_ms - DAY_MS) // MINUTE_MS * MINUTE_MS
    trades = [(at_ms, price, quantity) for at_ms, of_entry in entries for price, quantity in of_entry]
    inside = [(price, quantity) for at_ms, price, quantity in trades if at_ms >= from_ms]
    last = trades[-1][1] if trades else None
    if not inside:
        return DayOfBook(None, last)
    prices = [price for price, _ in inside]
    volume = sum(quantity for _, quantity in inside)
    quote_volume = sum(price * quantity // 10**decimals for price, quantity in inside)
    total = Candle(0, prices[0], max(prices), min(prices), prices[-1], volume, quote_volume, len(inside))
    return DayOfBook(total, last)


@given(
    gaps_s=st.lists(
        st.sampled_from([0, 1, 59, 60, 61, 1800, 3599, 3600, 3601, 40_000, 86_399, 86_400, 90_000]), max_size=25
    ),
    later_s=st.sampled_from([0, 1, 30, 60, 3600, 50_000, 86_399, 86_400, 86_460, 86_461, 200_000]),
    start_s=st.integers(0, 7300),
    draw=st.randoms(use_true_random=False),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_day_is_what_its_trades_come_to(gaps_s: list[int], later_s: int, start_s: int, draw: random.Random) -> None:
    client = empty_tables()
    world = World(database_of(client))
    at_ms, entries = NOW_MS + start_s * 1000, []
    for gap_s in gaps_s:
        at_ms += gap_s * 1000 + draw.randrange(2)
        entries.append((at_ms, [(draw.randint(1, 9), draw.randint(1, 99)) for _ in range(draw.randrange(3))]))
    for first, entry in enumerate(entries, 1):
        put_tape(world, [entry], first)
    now_ms = at_ms + later_s * 1000
    found = MarketData(world.database).day(world.book, world.views.of(world.book), now_ms)
    expected = naive_day(entries, now_ms, world.config.base_decimals)
    assert found.last == expected.last
    assert (found.total and replace(found.total, start_ms=0)) == expected.total


def test_a_ticker_reads_a_bounded_number_of_rows_however_quiet_or_busy_the_book_is(archive: SignedDesk) -> None:
    world, reads = archive.world, Reads(archive.world.database)
    quiet: list[tuple[int, list[tuple[int, int]]]] = [(NOW_MS - 9 * DAY_MS + number, []) for number in range(500)]
    put_tape(world, [(NOW_MS - 10 * DAY_MS, [(7, 1)]), *quiet])
    view = world.views.of(world.book)
    data = MarketData(reads.database)
    assert data.day(world.book, view, NOW_MS) == DayOfBook(None, 7)
    assert reads.rows == 0
    put_tape(world, [(NOW_MS - DAY_MS + number * 30_000 - 1, [(5, 1)]) for number in range(2881)], first=502)
    total = data.day(world.book, world.views.of(world.book), NOW_MS - 1).total
    assert total is not None
    assert total.trades == 2881
    assert reads.rows <= 60 + 23


def test_a_candle_whose_row_comes_before_its_view_counts_once(archive: SignedDesk) -> None:
    """A matcher has written the candles that are over, and not yet the view that says so."""
    world = archive.world
    put_tape(world, [(NOW_MS + minute * MINUTE_MS, [(5, 1)]) for minute in (0, 61)])
    view = world.views.of(world.book)
    assert view.market is not None
    candles, data = Candles(world.database), MarketData(world.database)
    for later_ms in (0, DAY_MS - 30 * MINUTE_MS):
        before = data.day(world.book, view, NOW_MS + 61 * MINUTE_MS + later_ms)
        candles.put(world.book, view.market.open.items())
        assert data.day(world.book, view, NOW_MS + 61 * MINUTE_MS + later_ms) == before
    for period in Period:
        both = list(data.candles(world.book, view, period, 0, 2 * NOW_MS))
        assert len({candle.start_ms for candle in both}) == len(both)


def test_candles_are_read_period_by_period_the_last_one_as_it_stands(archive: SignedDesk) -> None:
    world = archive.world
    put_tape(world, [(NOW_MS + minute * MINUTE_MS + 1, [(minute + 1, 10)]) for minute in (0, 1, 61, 1500)])
    data, view = MarketData(world.database), world.views.of(world.book)

    def starts(period: Period, from_ms: int = 0, before_ms: int = 2 * NOW_MS) -> list[int]:
        candles = data.candles(world.book, view, period, from_ms, before_ms)
        return [(candle.start_ms - NOW_MS) // MINUTE_MS for candle in candles]

    assert starts(Period.MINUTE) == [0, 1, 61, 1500]
    assert starts(Period.HOUR) == [0, 60, 1500]
    assert starts(Period.DAY) == [-720, 720]
    assert starts(Period.MINUTE, NOW_MS + MINUTE_MS, NOW_MS + 61 * MINUTE_MS) == [1]
    assert starts(Period.MINUTE, NOW_MS + 1500 * MINUTE_MS, NOW_MS + 1500 * MINUTE_MS + 1) == [1500]
    assert starts(Period.MINUTE, NOW_MS + 1501 * MINUTE_MS) == starts(Period.MINUTE, 0, 0) == []
    (hour, *_) = data.candles(world.book, view, Period.HOUR, 0, 2 * NOW_MS)
    assert (hour.first, hour.high, hour.low, hour.last, hour.volume, hour.trades) == (1, 2, 1, 2, 20, 2)


def test_a_view_of_an_earlier_version_is_never_misread(archive: SignedDesk) -> None:
    """It shows no zeros: it is refused until a rebuild."""
    world = archive.world
    put_tape(world, [(NOW_MS - 5, [(7, 1)])])
    (row,) = [row for row in world.database.scan("books") if row["part"] == "depth"]
    levels = json.loads(zlib.decompress(row["levels"]))
    del levels["market"]
    world.database.put_many("books", [row | {"levels": zlib.compress(json.dumps(levels).encode())}])
    assert archive.get(f"{TICKERS}/B_Q").status == 500
    assert archive.get(TICKERS).status == 500
