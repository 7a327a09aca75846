"""Tickers: what a pair traded in the last 24 hours, its last and its best prices (R34)."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.clock import new_id
from chalicelib.core.config import BookConfig
from chalicelib.core.vocabulary import BookStatus
from chalicelib.stores.books import Depth
from chalicelib.stores.tokens import Tokens, new_token
from chalicelib.tape import DayOfBook, Days, Sum
from chalicelib.wire.ripio.ids import shown
from chalicelib.wire.ripio.tickers import price_change_percent
from tests.stores.test_listing_cost import Reads
from tests.wire.ripio.desk import SignedDesk, data_of, fault_of
from tests.wire.ripio.lists import DAY_MS, NOW_MS
from tests.wire.ripio.rows import put_tape
from tests.world import BASE, INSTANCE, QUOTE

TICKERS = "/trade/public/tickers"
CENT = 10**16
"""A hundredth of a whole quote token."""
COIN = 10**8
NOT_FOUND = (404, 40400, "Pair not found.")


def ticker(desk: SignedDesk) -> dict[str, Any]:
    """Return the ticker of the one pair, its numbers as they are written."""
    response = desk.get(f"{TICKERS}/B_Q")
    assert response.status == 200, response.body
    data: dict[str, Any] = json.loads(response.body, parse_float=str, parse_int=str)["data"]
    return data


def test_a_ticker_has_the_documented_members_in_the_documented_order(desk: SignedDesk) -> None:
    put_tape(
        desk.world,
        [
            (NOW_MS - DAY_MS, [(900 * CENT, COIN)]),
            (NOW_MS - DAY_MS + 1, [(300 * CENT, COIN // 2), (310 * CENT, COIN)]),
            (NOW_MS - 5000, []),
            (NOW_MS, [(250 * CENT, 2 * COIN), (299 * CENT, 3)]),
        ],
    )
    desk.world.books.publish_depth(
        desk.world.book, Depth(4, 0, ((298 * CENT, COIN), (1, 1)), ((301 * CENT, COIN), (10**30, 1)))
    )
    tokens = Tokens(desk.world.database).get_many(INSTANCE, (BASE, QUOTE))
    assert list(ticker(desk).items()) == [
        ("pair", "B_Q"),
        ("base_code", "B"),
        ("quote_code", "Q"),
        ("base_id", shown(tokens[BASE].token_id)),
        ("quote_id", shown(tokens[QUOTE].token_id)),
        ("high", "3.1"),
        ("low", "2.5"),
        ("first", "3"),
        ("last", "2.99"),
        ("bid", "2.98"),
        ("ask", "3.01"),
        ("volume", "3.50000003"),
        ("quote_volume", "9.6000000897"),
        ("trades_quantity", "4"),
        ("price_change_percent_24h", "-0.33"),
        ("is_frozen", False),
        ("date", "2025-03-04T12:00:00.000Z"),
    ]


def test_without_trades_in_a_day_there_is_a_last_price_and_nothing_else(desk: SignedDesk) -> None:
    """It is looked for as far back as it must be."""
    quiet: list[tuple[int, list[tuple[int, int]]]] = [(NOW_MS - 2 * DAY_MS + number, []) for number in range(60)]
    put_tape(desk.world, [(NOW_MS - 3 * DAY_MS, [(1, 1), (7 * CENT, COIN)]), *quiet])
    found = ticker(desk)
    assert found["last"] == "0.07"
    names = ("high", "low", "first", "bid", "ask", "volume", "quote_volume", "trades_quantity")
    assert {found[name] for name in (*names, "price_change_percent_24h")} == {"0"}


def test_a_book_that_never_traded_shows_zeros(desk: SignedDesk) -> None:
    assert (ticker(desk)["last"], ticker(desk)["first"]) == ("0", "0")


def test_tickers_come_by_pair_without_closed_books(desk: SignedDesk) -> None:
    address = "0x" + "a" * 40
    Tokens(desk.world.database).register(INSTANCE, new_token(new_id("tok"), address, "A", "a", 3))
    usual = {"name": "Test", "symbol": "A/B", "base_asset": address, "quote_asset": BASE, "base_decimals": 3}
    desk.world.books.create(BookConfig(INSTANCE, "ob_paused", **usual, status=BookStatus.PAUSED))  # type: ignore[arg-type]
    closed = replace(desk.world.config, book_id="ob_closed", status=BookStatus.CLOSED)
    desk.world.books.create(closed)
    both = data_of(desk.get(TICKERS))
    assert [(one["pair"], one["is_frozen"]) for one in both] == [("A_B", True), ("B_Q", False)]
    assert data_of(desk.get("/v4/ticker")) == both
    assert data_of(desk.get("/v4/ticker/b_q")) == data_of(desk.get(f"{TICKERS}/B_Q")) == both[1]
    desk.world.change_status(BookStatus.CLOSED)
    assert [one["pair"] for one in data_of(desk.get(TICKERS))] == ["A_B"]
    assert fault_of(desk.get(f"{TICKERS}/B_Q")) == NOT_FOUND


@pytest.mark.parametrize("pair", ["NOPE_Q", "B%2FQ", "%zz", "%00", "B-Q"])
def test_the_ticker_of_an_unknown_or_malformed_pair_is_not_found(desk: SignedDesk, pair: str) -> None:
    assert fault_of(desk.get(f"/trade/ticker/{pair}")) == NOT_FOUND


def day_of(first: int, last: int) -> DayOfBook:
    return DayOfBook(Sum(0, first, last, max(first, last), min(first, last), 1, 1, 1), last)


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


def test_a_day_is_read_once_and_then_only_what_came_since(desk: SignedDesk) -> None:
    """And what falls out of the day is counted no more."""
    world = desk.world
    put_tape(world, [(NOW_MS - DAY_MS + 10 * number, [(5, 1)]) for number in range(1, 101)])
    reads = Reads(world.database)
    days = Days(world.over(reads.database).journal)
    total = days.of_book(world.book, NOW_MS).total
    assert total is not None
    assert total.trades == 100
    put_tape(world, [(NOW_MS + 1, [(6, 1), (7, 1)])], first=101)
    before = reads.rows
    seen_before_it_happened = days.of_book(world.book, NOW_MS).total
    assert seen_before_it_happened == total
    later = days.of_book(world.book, NOW_MS + 500)
    assert later.total is not None
    assert (later.total.trades, later.total.first, later.last) == (52, 5, 7)
    assert reads.rows - before == 1
    assert days.of_book(world.book, NOW_MS + 2 * DAY_MS) == DayOfBook(None, 7)


def test_a_fresh_look_agrees_with_one_that_was_kept(desk: SignedDesk) -> None:
    kept = Days(desk.world.journal)
    times = [NOW_MS - 3 * DAY_MS + number * DAY_MS // 7 for number in range(21)]
    for sequence, at_ms in enumerate(times, 1):
        trades = [(sequence * 10 + number, 1) for number in range(sequence % 3)]
        put_tape(desk.world, [(at_ms, trades)], first=sequence)
        for now_ms in (at_ms, at_ms + DAY_MS // 15):
            assert Days(desk.world.journal).of_book(desk.world.book, now_ms) == kept.of_book(desk.world.book, now_ms)
