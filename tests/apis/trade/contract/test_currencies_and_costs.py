"""Currencies and countries (R54, R55), what an order would cost (R56, R57), and the orders of a depth (R58)."""

from __future__ import annotations

import zlib
from typing import Any

import pytest

from chalicelib.domain.books.vocabulary import BookStatus
from chalicelib.tables.dynamodb import Database
from tests.apis.trade.cases import (
    BTC,
    NO_PAIR,
    PAIR,
    change_book,
    desk_of_ben,
    exact,
    invalid,
    open_market,
    outcome_of,
    placed,
    refusal_of,
    rested,
    shown,
)
from tests.apis.trade.desk import SignedDesk, data_of
from tests.case_tables import cases

CURRENCIES, COUNTRIES = "/v4/public/currencies", "/v4/public/countries"
ESTIMATE, FEES = f"/trade/orders/estimate-price/{PAIR}", "/trade/user/trading-fees"
LEVEL_3 = "/trade/public/orders/level-3"


# --- currencies and countries ------------------------------------------------------------------------------------


def test_r54_a_currency_has_the_documented_members(desk: SignedDesk) -> None:
    (row,) = exact(desk.get(CURRENCIES, "currency_code=BTC"))
    assert row == {
        "active": True, "can_deposit": False, "can_withdraw": False, "code": "BTC",
        "id": "01563E3A-B5D3-D676-4C61-EFB99302BD5B", "min_withdraw_amount": "0", "name": "Bitcoin",
        "needs_block_id_for_tx_sync": False, "networks": [], "precision": "8", "logo": {"svg": ""}, "countries": [],
    }  # fmt: skip


CODES: list[Any] = cases(
    ("none",          "",                          ["B", "BRL", "BTC", "Q"]),
    ("in lower case", "currency_code=brl",         ["BRL"]),
    ("a list",        "currency_code=BTC,B",       ["B", "BTC"]),
    ("unknown",       "currency_code=NOPE",        []),
    ("countries",     "countries=BR",              ["B", "BRL", "BTC", "Q"]),
)  # fmt: skip


@pytest.mark.parametrize(("query", "codes"), CODES)
def test_r54_currencies_come_by_code_in_any_case(desk: SignedDesk, query: str, codes: list[str]) -> None:
    assert [row["code"] for row in data_of(desk.get(CURRENCIES, query))] == codes


def test_r54_a_currency_that_is_not_active_says_so(desk: SignedDesk) -> None:
    (row,) = (row for row in desk.world.database.scan("tokens") if row.get("address") == BTC)
    desk.world.database.put_many("tokens", [row | {"is_active": False}])
    assert [row["active"] for row in data_of(desk.get(CURRENCIES))] == [True, True, False, True]


def test_r55_there_are_no_countries(desk: SignedDesk) -> None:
    assert data_of(desk.get(COUNTRIES)) == []


# --- fees --------------------------------------------------------------------------------------------------------


def test_r57_fees_are_percent_for_each_side(memory_database: Database) -> None:
    desk = open_market(memory_database, maker_fee_bps=21, taker_fee_bps=30)
    response = desk.get(FEES, "pair=btc_brl")
    assert [list(row.items()) for row in exact(response)] == [
        [("side", "buy"), ("maker", "0.21"), ("taker", "0.3")],
        [("side", "sell"), ("maker", "0.21"), ("taker", "0.3")],
    ]


@pytest.mark.parametrize(
    ("query", "outcome"), cases(("no pair", "", invalid("pair")), ("unknown", "pair=X_Y", NO_PAIR))
)
def test_r57_fees_are_of_a_pair(desk: SignedDesk, query: str, outcome: object) -> None:
    assert outcome_of(desk.get(FEES, query)) == outcome


# --- estimated prices --------------------------------------------------------------------------------------------


@pytest.fixture
def market(desk: SignedDesk) -> SignedDesk:
    rested(desk, "sell", ("0.01", "350000"), ("0.02", "351000"))
    rested(desk, "buy", ("0.01", "349000"), ("0.02", "348000"))
    return desk


# what is asked for, and the price
PRICES = cases(
    ("a part of the best level",    "buy",  "0.005",      "350000"),
    ("the best level",              "buy",  "0.01",       "350000"),
    ("rounded down",                "buy",  "0.0142735",  "350298.8"),
    ("the whole side",              "buy",  "0.03",       "350666.66"),
    ("a sell",                      "sell", "0.02",       "348500"),
    ("the least there is",          "sell", "0.00000001", "0"),
)  # fmt: skip


@pytest.mark.parametrize(("side", "amount", "price"), PRICES)
def test_r56_the_price_is_the_average_that_a_market_order_would_have(
    market: SignedDesk, side: str, amount: str, price: str
) -> None:
    assert exact(market.get(ESTIMATE, {"amount": amount, "side": side})) == {"price": price}
    if price != "0":
        order_id = placed(market, side=side, type="market", price=..., amount=amount)
        market.match()
        assert shown(market, order_id)["average_execution_price"] == price


def test_r56_the_whole_book_counts_up_to_a_thousand_levels(desk: SignedDesk) -> None:
    desk.world.credit("ben", BTC, 10**10)
    rested(desk, "sell", *(("0.01", str(350_000 + number)) for number in range(105)))
    assert exact(desk.get(ESTIMATE, {"amount": "1.05", "side": "buy"})) == {"price": "350052"}


def test_r56_what_the_other_side_does_not_have_has_no_price(market: SignedDesk) -> None:
    told = refusal_of(market.get(ESTIMATE, {"amount": "0.031", "side": "sell"}))
    assert told == (40000, "Invalid parameters: amount.", "The other side has 0.03.")


FAULTS = cases(
    ("no amount", ESTIMATE, {"side": "buy"}, invalid("amount")),
    ("no side", ESTIMATE, {"amount": "1"}, invalid("side")),
    ("two faults", ESTIMATE, {}, invalid("amount")),
    ("another side", ESTIMATE, {"amount": "1", "side": "BUY"}, invalid("side")),
    ("no number", ESTIMATE, {"amount": "x", "side": "buy"}, invalid("amount")),
    ("negative", ESTIMATE, {"amount": "-1", "side": "buy"}, invalid("amount")),
    ("zero", ESTIMATE, {"amount": "0.0", "side": "buy"}, invalid("amount")),
    ("an unknown pair", "/v4/orders/estimate-price/X_Y", {"amount": "1", "side": "buy"}, NO_PAIR),
    ("a pair that is no text", "/v4/orders/estimate-price/%FF", {"amount": "1", "side": "buy"}, NO_PAIR),
)  # fmt: skip


@pytest.mark.parametrize(("path", "query", "outcome"), FAULTS)
def test_r56_faults_come_in_the_order_of_the_table(
    desk: SignedDesk, path: str, query: dict[str, str], outcome: object
) -> None:
    assert outcome_of(desk.get(path, query)) == outcome


# --- the orders of a depth ---------------------------------------------------------------------------------------


def test_r58_each_resting_order_is_shown_by_price_and_time(desk: SignedDesk) -> None:
    asks = rested(desk, "sell", ("0.02", "351000"), ("0.01", "350000"), ("0.005", "351000"))
    bids = rested(desk, "buy", ("0.4", "349850.5"), ("0.03", "349900"))
    placed(desk, side="buy", amount="0.004", price="350000")
    desk.match()
    data = exact(desk.get(LEVEL_3, f"pair={PAIR}"))
    assert list(data) == ["timestamp", "asks", "bids", "hash"]
    assert [list(row.items()) for row in data["asks"]] == [
        [("id", asks[1]), ("amount", "0.006"), ("price", "350000")],
        [("id", asks[0]), ("amount", "0.02"), ("price", "351000")],
        [("id", asks[2]), ("amount", "0.005"), ("price", "351000")],
    ]
    assert [row["id"] for row in data["bids"]] == bids[::-1]
    assert exact(desk.get("/v4/book/orders/level-3", f"pair={PAIR}"))["bids"] == data["bids"]
    change_book(desk, status=BookStatus.PAUSED)
    desk.match()
    assert exact(desk.get(LEVEL_3, f"pair={PAIR}"))["asks"] == data["asks"]


def test_r58_the_hash_is_of_the_ten_first_orders_a_side(desk: SignedDesk) -> None:
    rested(desk, "sell", *[("0.01", "350000")] * 12)
    rested(desk, "buy", *[("0.2", "349000")] * 11)
    data = exact(desk.get(LEVEL_3, f"pair={PAIR}"))
    text = "3490002" * 10 + "3500001" * 10
    assert data["hash"] == str(zlib.crc32(text.encode()))
    assert exact(desk.get(LEVEL_3, f"pair={PAIR}&limit=1"))["hash"] == data["hash"]


LIMITS = cases(
    ("none", None, 100), ("1", "1", 1), ("250", "250", 105),
    *((repr(text), text, invalid("limit")) for text in ("0", "251", "max", "x")),
)  # fmt: skip


@pytest.mark.parametrize(("limit", "expected"), LIMITS)
def test_r58_as_many_orders_are_shown_as_asked_for(desk: SignedDesk, limit: str | None, expected: object) -> None:
    desk.world.credit("ben", BTC, 10**10)
    rested(desk, "sell", *[("0.01", "350000")] * 105)
    response = desk.get(LEVEL_3, {"pair": PAIR} | ({} if limit is None else {"limit": limit}))
    assert (outcome_of(response) if response.status != 200 else len(data_of(response)["asks"])) == expected


def test_r58_an_order_that_left_is_shown_no_more(desk: SignedDesk) -> None:
    (order_id,) = rested(desk, "sell", ("0.01", "350000"))
    assert [row["id"] for row in data_of(desk.get(LEVEL_3, f"pair={PAIR}"))["asks"]] == [order_id]
    desk_of_ben(desk).delete("/trade/orders", {"id": order_id})
    desk.match()
    assert data_of(desk.get(LEVEL_3, f"pair={PAIR}"))["asks"] == []


@pytest.mark.parametrize(
    ("query", "outcome"), cases(("no pair", "", invalid("pair")), ("unknown", "pair=X_Y", NO_PAIR))
)
def test_r58_the_orders_are_of_a_pair(desk: SignedDesk, query: str, outcome: object) -> None:
    assert outcome_of(desk.get(LEVEL_3, query)) == outcome
