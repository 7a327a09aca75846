"""What an order must be worth here, how large it may be, and which members are not served (R39 to R41)."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.tables.dynamodb import Database
from tests.apis.trade.cases import (
    NO_FUNDS,
    PAIR,
    TOO_LITTLE,
    change_book,
    exact,
    invalid,
    open_market,
    outcome_of,
    place,
    placed,
    rested,
    shown,
)
from tests.apis.trade.desk import SignedDesk
from tests.case_tables import cases

PAIRS = "/trade/public/pairs"
MARKET: dict[str, Any] = {"type": "market", "price": ..., "amount": ...}


@pytest.fixture
def in_lots(memory_database: Database) -> SignedDesk:
    """Lots of 0.01 of the base token, orders worth 100 at least."""
    return open_market(memory_database, lot_size=10**6, min_order_value=100_00)


def test_r39_a_pair_shows_its_lot_and_its_least_worth(in_lots: SignedDesk) -> None:
    (row,) = [row for row in exact(in_lots.get("/trade/pairs")) if row["symbol"] == PAIR]
    assert (row["amount_tick"], row["min_value"]) == ("0.01", "100")


REFUSED = cases(
    ("amount off the tick",         {"amount": "0.015"},                                   invalid("amount")),
    ("price before it",             {"amount": "0.015", "price": "0"},                     invalid("price")),
    ("a market amount off it",      {"type": "market", "price": ..., "amount": "0.015"},   invalid("amount")),
    ("worth too little",            {"amount": "0.01", "price": "9999.99"},                TOO_LITTLE),
    ("a sell worth too little",     {"amount": "0.01", "price": "9999.99", "side": "sell"}, TOO_LITTLE),
    ("a value below the minimum",   MARKET | {"value": "99.99"},                           TOO_LITTLE),
    ("a sell of such a value",      MARKET | {"value": "99.99", "side": "sell"},           TOO_LITTLE),
    ("a value for less than a lot", MARKET | {"value": "3499"},                            TOO_LITTLE),
)  # fmt: skip


@pytest.mark.parametrize(("members", "expected"), REFUSED)
def test_r39_what_is_off_the_tick_or_worth_too_little_is_refused(
    in_lots: SignedDesk, members: dict[str, Any], expected: Any
) -> None:
    rested(in_lots, "sell", ("0.02", "350000"))
    before = in_lots.world.tables()
    assert outcome_of(place(in_lots, **members)) == expected
    assert in_lots.world.tables() == before


def test_r39_a_value_comes_to_whole_lots(in_lots: SignedDesk) -> None:
    """A buy's are rounded down, a sell's up."""
    rested(in_lots, "sell", ("0.05", "350000"))
    bought = placed(in_lots, **MARKET, value="12000")
    in_lots.match()
    order = shown(in_lots, bought)
    assert (order["requested_amount"], order["executed_amount"], order["status"]) == (
        "0.03",
        "0.03",
        "executed_completely",
    )
    rested(in_lots, "buy", ("0.05", "300000"))
    sold = placed(in_lots, **MARKET, value="10000", side="sell")
    in_lots.match()
    order = shown(in_lots, sold)
    assert (order["requested_amount"], order["executed_amount"], order["total_value"]) == ("0.04", "0.04", "12000")


def test_r39_just_the_minimum_trades(in_lots: SignedDesk) -> None:
    rested(in_lots, "sell", ("0.05", "10000"))
    order_id = placed(in_lots, **MARKET, value="100")
    in_lots.match()
    assert shown(in_lots, order_id)["status"] == "executed_completely"


def test_r35_a_pair_shows_its_price_band_in_percent(in_lots: SignedDesk) -> None:
    (row,) = [row for row in exact(in_lots.get("/trade/pairs")) if row["symbol"] == PAIR]
    assert "max_price_variation" not in row
    change_book(in_lots, price_band_bps=1050)
    (row,) = [row for row in exact(in_lots.get("/trade/pairs")) if row["symbol"] == PAIR]
    assert row["max_price_variation"] == "10.5"


def test_r39_without_settings_a_pair_has_one_base_unit_of_each(memory_database: Database) -> None:
    desk = open_market(memory_database)
    (row,) = [row for row in exact(desk.get("/trade/pairs")) if row["symbol"] == PAIR]
    assert (row["amount_tick"], row["min_value"]) == ("0.00000001", "0.01")
    change_book(desk, lot_size=None, min_order_value=None)
    (row,) = [row for row in exact(desk.get("/trade/pairs")) if row["symbol"] == PAIR]
    assert (row["amount_tick"], row["min_value"]) == ("1", "0.01")


# The quote token has 2 decimals here, and the row of this book says 18, as rows from before do.
TOO_MUCH = cases(
    ("the highest price",    {"price": "9" * 26 + ".99", "amount": "0.01"},     NO_FUNDS),
    ("one more",             {"price": "1" + "0" * 26},                         invalid("price")),
    ("the largest amount",   {"side": "sell", "amount": "9" * 10},              NO_FUNDS),
    ("one more of it",       {"side": "sell", "amount": "1" + "0" * 10},        invalid("amount")),
)  # fmt: skip


@pytest.mark.parametrize(("members", "expected"), TOO_MUCH)
def test_r40_prices_and_amounts_have_a_highest_value(desk: SignedDesk, members: dict[str, Any], expected: Any) -> None:
    before = desk.world.tables()
    assert outcome_of(place(desk, **members)) == expected
    assert desk.world.tables() == before


NOT_SERVED = cases(
    ("a stop on a limit order",     {"stop_price": "340000"},                                   invalid("stop_price")),
    ("on a market order",           {"type": "market", "price": ..., "stop_price": 340000},     invalid("stop_price")),
    ("a distance",                  {"distance": 1},                                            invalid("distance")),
    ("a step",                      {"step_amount": "0.001"},                                   invalid("step_amount")),
    ("nonsense",                    {"stop_price": "x"},                                        invalid("stop_price")),
    ("an object",                   {"distance": {"a": 1}},                                     invalid("distance")),
    ("a faulty amount before it",   {"amount": "x", "stop_price": 1},                           invalid("amount")),
)  # fmt: skip


@pytest.mark.parametrize(("members", "expected"), NOT_SERVED)
def test_r41_members_of_types_that_are_not_served_are_not_dropped(
    desk: SignedDesk, members: dict[str, Any], expected: Any
) -> None:
    before = desk.world.tables()
    assert outcome_of(place(desk, **members)) == expected
    assert desk.world.tables() == before


@pytest.mark.parametrize("name", ["stop_price", "distance", "step_amount"])
@pytest.mark.parametrize("value", [None, 0, "0", "0.00", 0.0, "", False, [], {}])
def test_r41_a_neutral_value_passes(desk: SignedDesk, name: str, value: object) -> None:
    assert outcome_of(place(desk, **{name: value})) == 200


def test_r41_members_that_nobody_documents_stay_ignored(desk: SignedDesk) -> None:
    assert outcome_of(place(desk, ammount=5, stopPrice=1, comment="x")) == 200
