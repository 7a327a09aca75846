"""How numbers are written, what things are called, and what an order's figures come to (R37, R38)."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.domain.books.vocabulary import OrderStatus, OrderType
from chalicelib.domain.ledger.amounts import Side
from chalicelib.tables.dynamodb import Database
from chalicelib.wiring.book import new_book_desk
from tests.apis.book.desk import API_KEY, Desk
from tests.apis.trade.cases import LIST, exact, open_market, order, placed, shown
from tests.apis.trade.desk import SignedDesk, open_trade_desk
from tests.apis.trade.rows import NOW_MS, an_order, id_at, put_orders
from tests.case_tables import cases
from tests.waiting import Waiting
from tests.world import INSTANCE, World


@pytest.fixture
def stored(memory_database: Database) -> SignedDesk:
    """The desk at noon of 2025-03-04: for orders that are put into its tables."""
    return open_market(memory_database, desk=open_trade_desk(World(memory_database), clock=lambda: NOW_MS))


def row_of(desk: SignedDesk, **facts: Any) -> Any:
    """Store an order of the book BTC/BRL with these facts; return how it is shown, its numbers as text."""
    row = an_order(order_id=id_at("ord", NOW_MS - 1), book_id="ob_btc", **facts)
    put_orders(desk.world.database, [row])
    (found,) = exact(desk.get(LIST, "pair=BTC_BRL"))["orders"]
    return found


# --- R37: numbers ------------------------------------------------------------------------------------------------


def test_r37_no_number_passes_through_a_binary_float(memory_database: Database, clock: Waiting) -> None:
    """18 decimals, and digits that no double has."""
    del clock
    desk = open_market(memory_database, 18, 18)
    amount, price = "0.123456789012345678", "1.000000000000000001"
    response = desk.post(LIST, order(side="sell", amount=amount, price=price))
    assert f'"requested_amount":{amount},' in response.body
    row = exact(desk.get(LIST, "pair=BTC_BRL"))["orders"][0]
    assert (row["price"], row["requested_amount"]) == (price, amount)


# base units of 8 decimals, and how they are written
WRITTEN = cases(
    ("one unit",            1,                 "0.00000001"),
    ("no trailing zeros",   150_000_000,       "1.5"),
    ("no bare point",       100_000_000,       "1"),
    ("no exponent",         10**37,            "1" + "0" * 29),
    ("38 digits",           10**38 - 1,        "9" * 30 + "." + "9" * 8),
)  # fmt: skip


@pytest.mark.parametrize(("units", "text"), WRITTEN)
def test_r37_a_number_has_exactly_the_digits_that_it_needs(stored: SignedDesk, units: int, text: str) -> None:
    row = row_of(stored, quantity=units, price=1)
    assert (row["requested_amount"], row["executed_amount"]) == (text, "0")


# --- names -------------------------------------------------------------------------------------------------------

STATUSES = cases(
    ("OPEN",             "open"),
    ("PARTIALLY_FILLED", "executed_partially"),
    ("FILLED",           "executed_completely"),
    ("CANCELLED",        "canceled"),
    ("EXPIRED",          "canceled"),
    ("REJECTED",         "canceled"),
)  # fmt: skip


@pytest.mark.parametrize(("status", "word"), [pytest.param(row.id, *row.values, id=row.id) for row in STATUSES])
def test_each_status_has_its_word(stored: SignedDesk, status: str, word: str) -> None:
    row = row_of(stored, status=OrderStatus(status), filled=3, sequence=4, updated_at_ms=NOW_MS)
    assert (row["status"], row["executed_amount"], row["update_date"]) == (
        word, "0.00000003", "2025-03-04T12:00:00.000Z",
    )  # fmt: skip


@pytest.mark.parametrize("side", cases(("buy", Side.BUY), ("sell", Side.SELL)))
def test_sides_and_types_are_in_lower_case(stored: SignedDesk, side: Side) -> None:
    row = row_of(stored, side=side)
    assert (row["side"], row["type"], row["pair"]) == (side.value.lower(), "limit", "BTC_BRL")


# --- figures -----------------------------------------------------------------------------------------------------

# P = 350000.07, Q = 0.015, of which 0.005 traded for N = 1750 (fee 7 units); V = 5000
LIMIT: dict[str, Any] = {"price": 35_000_007, "quantity": 1_500_000, "filled": 500_000, "notional": 174_999, "fee": 7}
MARKET = LIMIT | {"price": None, "order_type": OrderType.MARKET}
BY_VALUE = MARKET | {"value": 500_000}
NONE: dict[str, Any] = {"filled": 0, "notional": 0, "fee": 0}
ALL: dict[str, Any] = {"filled": 1_500_000, "notional": 499_999, "status": OrderStatus.FILLED}
PARTLY, ENDED = OrderStatus.PARTIALLY_FILLED, OrderStatus.CANCELLED
# facts; executed_amount, remaining_amount, total_value, requested_value, remaining_value, price, fee
FIGURES: list[Any] = cases(
    ("limit, open",              LIMIT | NONE,                "0 0.015 0 5250 5250 350000.07 0"),
    ("limit, in part",           LIMIT | {"status": PARTLY},  "0.005 0.01 1749.99 5250 3500 350000.07 0.00000007"),
    ("limit, canceled",          LIMIT | {"status": ENDED},   "0.005 0.01 1749.99 5250 3500 350000.07 0.00000007"),
    ("limit, filled",            LIMIT | ALL,                 "0.015 0 4999.99 5250 0 350000.07 0.00000007"),
    ("by amount, open",          MARKET | NONE,               "0 0.015 0 0 0 0 0"),
    ("by amount, canceled",      MARKET | {"status": ENDED},  "0.005 0.01 1749.99 1749.99 0 349998 0.00000007"),
    ("by amount, filled",        MARKET | ALL,                "0.015 0 4999.99 4999.99 0 333332.66 0.00000007"),
    ("by value, open",           BY_VALUE | NONE,             "0 0.015 0 5000 5000 0 0"),
    ("by value, canceled",       BY_VALUE | {"status": ENDED}, "0.005 0.01 1749.99 5000 3250.01 349998 0.00000007"),
    ("by value, filled",         BY_VALUE | ALL,              "0.015 0 4999.99 5000 0 333332.66 0.00000007"),
    ("a sell's fee is in quote", LIMIT | {"side": Side.SELL}, "0.005 0.01 1749.99 5250 3500 350000.07 0.07"),
)  # fmt: skip


@pytest.mark.parametrize(("facts", "figures"), FIGURES)
def test_the_figures_of_an_order(stored: SignedDesk, facts: dict[str, Any], figures: str) -> None:
    row = row_of(stored, **facts)
    names = ("executed_amount", "remaining_amount", "total_value", "requested_value", "remaining_value", "price", "fee")
    assert " ".join(row[name] for name in names) == figures
    assert row["requested_amount"] == "0.015"


def test_the_sum_of_values_rounds_each_trade_down(desk: SignedDesk) -> None:
    """Three trades of 0.00000001 at 1999999.99: 0.0199 each, so 0.01 each."""
    for _ in range(3):
        placed(desk, side="sell", amount="0.00000001", price="1999999.99")
    desk.match()
    order_id = placed(desk, type="market", price=..., amount="0.00000003")
    desk.match()
    row = shown(desk, order_id)
    assert (row["total_value"], row["price"], row["average_execution_price"]) == ("0.03", "1000000", "1000000")
    assert [each["total_value"] for each in row["transactions"]] == ["0.01"] * 3


def test_r38_orders_of_the_other_surface_count_as_limit_or_as_market_by_amount(desk: SignedDesk) -> None:
    desk.world.tenants().add_key(INSTANCE, "key_1", API_KEY, rate_limit=0)
    there = Desk(desk.world, new_book_desk(desk.world.database))
    usual = {"orderBookId": "ob_btc", "quantity": "1000000"}
    there.placed(**usual, customerRef="ben", side="SELL", price="35000000")
    desk.match()
    there.placed(**usual, orderType="MARKET", price=...)
    there.placed(**usual, price="30000000", timeInForce="FOK")
    desk.match()
    limit, market = exact(desk.get(LIST, "pair=BTC_BRL"))["orders"]
    names = ("type", "status", "price", "requested_value", "remaining_value", "fill_or_kill")
    assert [limit[name] for name in names] == ["limit", "canceled", "300000", "3000", "3000", True]
    assert [market[name] for name in names] == ["market", "executed_completely", "350000", "3500", "0", False]
