"""What is public of a pair: its trades, depth, ticker and settings (R33 to R35)."""

from __future__ import annotations

import zlib
from typing import Any

import pytest

from chalicelib.apis.kit.http import HttpRequest
from chalicelib.domain.books.vocabulary import BookStatus
from chalicelib.tables.dynamodb import Database
from chalicelib.wiring.trade import new_trade_desk
from tests.apis.trade.cases import (
    BRL,
    BTC,
    DEPTH,
    NO_PAIR,
    PAIR,
    PAIRS,
    PUBLIC_TRADES,
    TICKER,
    change_book,
    exact,
    invalid,
    open_market,
    outcome_of,
    placed,
    rested,
)
from tests.apis.trade.desk import SignedDesk, data_of, open_trade_desk
from tests.apis.trade.rows import DAY_MS, NOW_MS, put_tape
from tests.case_tables import cases
from tests.tables.test_listing_cost import Reads
from tests.world import INSTANCE, World

IDS = {BTC: "01563E3A-B5D3-D676-4C61-EFB99302BD5B", BRL: "857C0A3B-D70F-4256-9051-1C62FADBA8FA"}


@pytest.fixture
def quiet(memory_database: Database) -> SignedDesk:
    """The desk at noon of 2025-03-04: for trades that are put into its journal."""
    return open_market(memory_database, desk=open_trade_desk(World(memory_database), clock=lambda: NOW_MS))


TWINS = cases(
    ("trades",   PUBLIC_TRADES,            "/trade/trades",                f"pair={PAIR}"),
    ("tickers",  "/trade/public/tickers",  "/trade/ticker",                ""),
    ("a ticker", TICKER,                   f"/trade/ticker/{PAIR}",        ""),
    ("depth",    DEPTH,                    "/trade/book/orders/level-2",   f"pair={PAIR}"),
    ("currencies", "/trade/public/currencies", "/trade/currencies",        ""),
    ("pairs",    PAIRS,                    "/trade/pairs",                 ""),
    ("a pair",   PAIRS,                    "/trade/pairs",                 f"pair={PAIR}"),
)  # fmt: skip


@pytest.mark.parametrize(("public", "private", "query"), TWINS)
def test_public_and_private_twins_show_the_same(quiet: SignedDesk, public: str, private: str, query: str) -> None:
    put_tape(quiet.world, [(NOW_MS - 5, [(35_000_000, 10**6)])])
    assert data_of(quiet.get(public, query)) == data_of(quiet.get(private, query))


# --- trades ------------------------------------------------------------------------------------------------------


def test_a_row_of_trades(desk: SignedDesk) -> None:
    (maker,) = rested(desk, "sell", ("0.01", "350000"))
    taker = placed(desk, type="market", price=..., amount="0.005")
    desk.match()
    data = exact(desk.get(PUBLIC_TRADES, f"pair={PAIR}"))
    assert list(data) == ["trades", "nc", "pc"]
    (row,) = data["trades"]
    assert list(row) == [
        "amount", "date", "id", "maker_order_id", "maker_side", "maker_type", "price", "pair", "taker_order_id",
        "taker_side", "taker_type", "timestamp", "total_value",
    ]  # fmt: skip
    (own,) = exact(desk.get("/trade/user/trades", f"pair={PAIR}"))["trades"]
    assert (row["id"], row["date"], row["timestamp"]) == (own["id"], own["date"], own["timestamp"])
    del row["id"], row["date"], row["timestamp"]
    assert row == {
        "amount": "0.005", "maker_order_id": maker, "maker_side": "sell", "maker_type": "limit", "price": "350000",
        "pair": PAIR, "taker_order_id": taker, "taker_side": "buy", "taker_type": "market", "total_value": "1750",
    }  # fmt: skip


def test_trades_are_cut_by_cursors_and_current_page_is_ignored(quiet: SignedDesk) -> None:
    put_tape(quiet.world, [(NOW_MS - 50 + number, [(100, 10**8)]) for number in range(5)])
    query: dict[str, Any] = {"pair": PAIR, "page_size": 2, "current_page": "nonsense"}
    first = data_of(quiet.get(PUBLIC_TRADES, query))
    second = data_of(quiet.get(PUBLIC_TRADES, query | {"c": first["nc"]}))
    back = data_of(quiet.get(PUBLIC_TRADES, query | {"c": second["pc"]}))
    assert [[row["timestamp"] - NOW_MS for row in each["trades"]] for each in (first, second, back)] == [
        [-46, -47], [-48, -49], [-46, -47],
    ]  # fmt: skip
    assert (first["pc"], back["pc"]) == (None, None)
    assert outcome_of(quiet.get(PUBLIC_TRADES, query | {"page_size": 0})) == invalid("page_size")


# --- depth -------------------------------------------------------------------------------------------------------


def test_depth_is_summed_by_price_best_first(desk: SignedDesk) -> None:
    rested(desk, "sell", ("0.02", "351000"), ("0.01", "350000"), ("0.005", "351000"))
    rested(desk, "buy", ("0.4", "349850.5"), ("0.03", "349900"))
    data = exact(desk.get(DEPTH, f"pair={PAIR}"))
    assert list(data) == ["timestamp", "asks", "bids", "hash"]
    assert [list(level.items()) for level in data["asks"]] == [
        [("amount", "0.01"), ("price", "350000")], [("amount", "0.025"), ("price", "351000")],
    ]  # fmt: skip
    assert [level["price"] for level in data["bids"]] == ["349900", "349850.5"]
    change_book(desk, status=BookStatus.PAUSED)
    desk.match()
    assert exact(desk.get(DEPTH, f"pair={PAIR}"))["asks"] == data["asks"]


def test_r33_the_hash_is_of_the_ten_best_levels_a_side(desk: SignedDesk) -> None:
    rested(desk, "sell", *(("0.01", str(350_000 + number)) for number in range(12)))
    rested(desk, "buy", *(("0.5", str(0.5 + number)) for number in range(12)))
    data = exact(desk.get(DEPTH, f"pair={PAIR}"))
    best = [level for side in ("bids", "asks") for level in data[side][:10]]
    numbers = [level[name] for level in best for name in ("price", "amount")]
    text = "".join(number.replace(".", "").lstrip("0") for number in numbers)
    assert text.startswith("11551055")
    assert data["hash"] == str(zlib.crc32(text.encode()))
    assert exact(desk.get(DEPTH, f"pair={PAIR}&limit=10"))["hash"] == data["hash"]


LIMITS = cases(
    ("none", None, 100), ("1", "1", 1), ("100", "100", 100), ("1000", "1000", 105), ("max", "max", 105),
    *((repr(text), text, invalid("limit")) for text in ("0", "1001", "-1", "x", "MAX", "1.5")),
)  # fmt: skip


@pytest.mark.parametrize(("limit", "expected"), LIMITS)
def test_as_many_levels_are_shown_as_asked_for(desk: SignedDesk, limit: str | None, expected: object) -> None:
    desk.world.credit("ben", BTC, 10**10)
    rested(desk, "sell", *(("0.01", str(350_000 + number)) for number in range(105)))
    response = desk.get(DEPTH, {"pair": PAIR} | ({} if limit is None else {"limit": limit}))
    assert (outcome_of(response) if response.status != 200 else len(data_of(response)["asks"])) == expected


def test_r33_a_cut_depth_has_the_hash_of_the_book(desk: SignedDesk) -> None:
    rested(desk, "sell", ("0.01", "350000"), ("0.02", "351000"))
    rested(desk, "buy", ("0.03", "349900"), ("0.4", "349850.5"))
    hashes = {data_of(desk.get(DEPTH, {"pair": PAIR, "limit": limit}))["hash"] for limit in ("2", "100", "max")}
    assert hashes == {"4151136558"}


# --- tickers -----------------------------------------------------------------------------------------------------


def test_r34_a_ticker_of_24_hours(quiet: SignedDesk) -> None:
    """The first trade is a ms too old, of the minute before; the next is in."""
    put_tape(quiet.world, [
        (NOW_MS - DAY_MS - 1, [(900_00, 10**8)]),
        (NOW_MS - DAY_MS, [(300_00, 10**8 // 2)]),
        (NOW_MS - 5, [(310_00, 10**8), (250_05, 3)]),
        (NOW_MS, [(299_00, 10**8)]),
    ])  # fmt: skip
    ticker = exact(quiet.get(TICKER))
    assert ticker == {
        "pair": PAIR, "base_code": "BTC", "quote_code": "BRL", "base_id": IDS[BTC], "quote_id": IDS[BRL],
        "high": "310", "low": "250.05", "first": "300", "last": "299", "bid": "0", "ask": "0",
        "volume": "2.50000003", "quote_volume": "759", "trades_quantity": "4", "price_change_percent_24h": "-0.33",
        "is_frozen": False, "date": "2025-03-04T12:00:00.000Z",
    }  # fmt: skip
    assert [row["pair"] for row in exact(quiet.get("/trade/public/tickers"))] == [PAIR, "B_Q"]


# trades that were made before a look at the ticker, and since then, by their age; all of them, how many count
LOOKS: list[Any] = cases(
    ("none ever",                        [],           [],              "0", "0"),
    ("a ms more than 24 hours ago",      [DAY_MS + 1], [],              "900", "0"),
    ("24 hours ago",                     [DAY_MS],     [],              "900", "1"),
    ("more since a look",                [DAY_MS + 1], [5],             "900", "1"),
    ("too old, but since a look", [],          [DAY_MS + 1],    "900", "0"),
)  # fmt: skip


@pytest.mark.parametrize(("before", "since", "last", "count"), LOOKS)
def test_r34_trades_of_24_hours_count_whenever_the_ticker_was_last_looked_at(
    quiet: SignedDesk, before: list[int], since: list[int], last: str, count: str
) -> None:
    put_tape(quiet.world, [(NOW_MS - age_ms, [(900_00, 10**8)]) for age_ms in before])
    exact(quiet.get(TICKER))
    put_tape(quiet.world, [(NOW_MS - age_ms, [(900_00, 10**8)]) for age_ms in since], first=len(before) + 1)
    ticker = exact(quiet.get(TICKER))
    assert (ticker["last"], ticker["trades_quantity"]) == (last, count)
    volume = "0" if count == "0" else "1"
    prices = {ticker[name] for name in ("high", "low", "first")}
    assert (ticker["volume"], ticker["price_change_percent_24h"]) == (volume, "0")
    assert prices == ({"0"} if count == "0" else {"900"})
    assert isinstance(data_of(quiet.get(TICKER))["price_change_percent_24h"], str)


def test_r45_a_ticker_reads_rows_in_a_bounded_number(quiet: SignedDesk) -> None:
    """Entries without trades, however many there are since the last one, are not among them."""
    put_tape(quiet.world, [(NOW_MS - 9 * DAY_MS, [(900_00, 10**8)])])
    put_tape(quiet.world, [(NOW_MS - 8 * DAY_MS + number, []) for number in range(500)], first=2)
    put_tape(quiet.world, [(NOW_MS - 3_600_000 * hours, [(800_00, 10**8)]) for hours in range(23, 0, -1)], first=502)
    reads = Reads(quiet.world.database)
    desk = new_trade_desk(reads.database, master_key=no_key, public_instance=INSTANCE, clock=lambda: NOW_MS)
    ticker = exact(desk.answer(HttpRequest("GET", None, {}, {}, {}, b"", TICKER)))
    assert (ticker["trades_quantity"], ticker["last"]) == ("23", "800")
    assert reads.rows < 40


def test_r46_an_address_may_come_to_public_routes_100_times_at_once(quiet: SignedDesk) -> None:
    def status(address: str) -> int:
        return quiet.desk.answer(HttpRequest("GET", None, {}, {}, {}, b"", PAIRS, address)).status

    assert [status("192.0.2.1") for _ in range(101)] == [200] * 100 + [429]
    assert status("192.0.2.2") == 200


def test_r47_a_tape_passes_over_what_did_not_trade(quiet: SignedDesk) -> None:
    put_tape(quiet.world, [(NOW_MS - DAY_MS, [(900_00, 10**8)])])
    put_tape(quiet.world, [(NOW_MS - DAY_MS // 2 + number * 9, []) for number in range(2000)], first=2)
    reads = Reads(quiet.world.database)
    desk = new_trade_desk(reads.database, master_key=no_key, public_instance=INSTANCE, clock=lambda: NOW_MS)
    shown = data_of(desk.answer(HttpRequest("GET", None, {}, {"pair": [PAIR]}, {}, b"", "/trade/public/trades")))
    assert len(shown["trades"]) == 1
    assert reads.rows < 300


def no_key() -> bytes:
    raise AssertionError("public routes need no key")


CHANGES = cases(
    ("none",             100_00,   100_00,   "0"),
    ("up",               100_00,   150_00,   "50"),
    ("one decimal",      1000_00,  1015_00,  "1.5"),
    ("rounded down",     3_00,     4_00,     "33.33"),
    ("rounded up",       3_00,     5_00,     "66.67"),
    ("half up",          200_00,   200_01,   "0.01"),
    ("half down",        200_00,   199_99,   "-0.01"),
    ("less than half",   200_01,   200_02,   "0"),
    ("down to zero",     200_01,   200_00,   "0"),
    ("more than doubled", 1_00,    12_34,    "1134"),
)  # fmt: skip


@pytest.mark.parametrize(("first", "last", "percent"), CHANGES)
def test_r34_a_change_has_two_decimals_half_away_from_zero(
    quiet: SignedDesk, first: int, last: int, percent: str
) -> None:
    put_tape(quiet.world, [(NOW_MS - 5, [(first, 10**8)]), (NOW_MS - 4, [(last, 10**8)])])
    assert data_of(quiet.get(TICKER))["price_change_percent_24h"] == percent


def test_a_ticker_shows_best_prices_and_whether_the_book_is_frozen(desk: SignedDesk) -> None:
    rested(desk, "sell", ("0.02", "351000"), ("0.01", "350000.5"))
    rested(desk, "buy", ("0.01", "349850.5"))
    ticker = exact(desk.get(TICKER))
    assert (ticker["bid"], ticker["ask"], ticker["is_frozen"]) == ("349850.5", "350000.5", False)
    change_book(desk, status=BookStatus.PAUSED)
    assert exact(desk.get(TICKER))["is_frozen"] is True
    change_book(desk, status=BookStatus.CLOSED)
    assert outcome_of(desk.get(TICKER)) == NO_PAIR
    assert [row["pair"] for row in exact(desk.get("/trade/ticker"))] == ["B_Q"]


# --- pairs -------------------------------------------------------------------------------------------------------

SETTINGS = cases(
    ("without bounds",   {},                                         "0.00000001", "0.01"),
    ("with bounds",      {"order_size_min": 1000, "tick_size": 50},  "0.00001",    "0.5"),
    ("with large ones",  {"order_size_min": 10**8, "tick_size": 10**4}, "1",       "100"),
)  # fmt: skip


@pytest.mark.parametrize(("settings", "min_amount", "price_tick"), SETTINGS)
def test_r35_a_pair(memory_database: Database, settings: dict[str, Any], min_amount: str, price_tick: str) -> None:
    desk = open_market(memory_database, **settings)
    (row,) = exact(desk.get(PAIRS, {"pair": "btc_brl", "countries": "BR"}))
    assert list(row.items()) == [
        ("amount_tick", "0.00000001"), ("base", "BTC"), ("base_name", "Bitcoin"), ("quote", "BRL"),
        ("quote_name", "Real"), ("symbol", PAIR), ("enabled", True), ("min_amount", min_amount),
        ("price_tick", price_tick), ("min_value", "0.01"), ("countries", []),
    ]  # fmt: skip


def test_r35_pairs_come_by_symbol_without_closed_books(desk: SignedDesk) -> None:
    assert [row["symbol"] for row in data_of(desk.get(PAIRS))] == [PAIR, "B_Q"]
    change_book(desk, status=BookStatus.PAUSED)
    assert [row["enabled"] for row in data_of(desk.get(PAIRS))] == [False, True]
    change_book(desk, status=BookStatus.CLOSED)
    assert [row["symbol"] for row in data_of(desk.get(PAIRS))] == ["B_Q"]
    assert outcome_of(desk.get(PAIRS, f"pair={PAIR}")) == NO_PAIR
