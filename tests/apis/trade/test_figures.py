"""Figures of orders and trades: what is asked for, what is executed, what remains, to the last digit (R37, R38)."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.apis.trade.decimals import dec
from chalicelib.apis.trade.figures import STATUS_WORDS, Decimals, figures_of, trade_figures_of
from chalicelib.domain.books.orders import OrderRow
from chalicelib.domain.books.vocabulary import OrderStatus, OrderType
from chalicelib.domain.ledger.amounts import Side
from tests.apis.trade.rows import an_order

BTC_BRL = Decimals(8, 2)
FILLED, OPEN, PARTIALLY_FILLED = OrderStatus.FILLED, OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED
CANCELLED = OrderStatus.CANCELLED


def texts(row: OrderRow, decimals: Decimals = BTC_BRL) -> dict[str, str | None]:
    figures = figures_of(row, decimals)
    numbers = {name: getattr(figures, name) for name in figures.__slots__}
    return {name: None if number is None else number.text for name, number in numbers.items()}


def market(side: Side, **facts: Any) -> OrderRow:
    return an_order(side=side, order_type=OrderType.MARKET, price=None, **facts)


def test_a_limit_order_that_is_filled_at_its_price_was_worth_what_it_asked_for() -> None:
    """0.02347418 at 42600 are 1000.000068: down to 1000, though a buy held 1000.01."""
    row = an_order(price=4260000, quantity=2347418, filled=2347418, notional=100000, status=FILLED)
    shown = texts(row)
    assert (shown["requested_value"], shown["total_value"], shown["price"]) == ("1000", "1000", "42600")
    assert (shown["requested_amount"], shown["executed_amount"]) == ("0.02347418", "0.02347418")
    assert (shown["remaining_amount"], shown["remaining_value"], shown["fee"]) == ("0", "0", "0")


def test_values_have_the_decimals_of_the_quote_asset() -> None:
    row = an_order(price=1635212000000, quantity=33518, filled=33518, notional=548090358, status=FILLED)
    shown = texts(row, Decimals(8, 8))
    assert (shown["price"], shown["requested_value"], shown["total_value"]) == ("16352.12", "5.48090358", "5.48090358")


def test_a_limit_order_that_is_filled_in_part_shows_what_is_left_at_its_own_price() -> None:
    """The trade happened at the maker's 350000; what is left is worth 350000.5 a coin."""
    row = an_order(price=35000050, quantity=1500000, filled=500000, notional=175000, fee=750, status=PARTIALLY_FILLED)
    assert texts(row) == {
        "requested_amount": "0.015",
        "executed_amount": "0.005",
        "remaining_amount": "0.01",
        "requested_value": "5250",
        "remaining_value": "3500",
        "total_value": "1750",
        "price": "350000.5",
        "average": "350000",
        "fee": "0.0000075",
    }


def test_a_sells_fee_is_in_the_quote_asset() -> None:
    """0.02 sold at 349900, taker 15 bps: 10.497, down."""
    row = market(Side.SELL, quantity=2000000, filled=2000000, notional=699800, fee=1049, status=FILLED)
    shown = texts(row)
    assert (shown["fee"], shown["price"], shown["requested_value"], shown["total_value"]) == (
        "10.49", "349900", "6998", "6998",
    )  # fmt: skip


def test_a_market_buy_by_value_asked_for_its_value_and_shows_its_average_price() -> None:
    """5000 over asks of 0.01 at 350000 and 0.02 at 351000."""
    row = market(Side.BUY, quantity=1427350, filled=1427350, notional=350000 + 149999, value=500000, status=FILLED)
    shown = texts(row)
    assert (shown["requested_amount"], shown["total_value"]) == ("0.0142735", "4999.99")
    assert (shown["requested_value"], shown["remaining_value"]) == ("5000", "0")
    assert (shown["price"], shown["average"]) == ("350298.8", "350298.8")


def test_a_market_sell_by_value_shows_its_average_price() -> None:
    """5000 over bids of 0.01 at 349000 and 0.02 at 348000."""
    row = market(Side.SELL, quantity=1433909, filled=1433909, notional=349000 + 151000, value=500000, status=FILLED)
    shown = texts(row)
    assert (shown["executed_amount"], shown["total_value"], shown["price"]) == ("0.01433909", "5000", "348697.16")


def test_a_market_order_by_amount_asked_for_what_it_got() -> None:
    row = market(Side.BUY, quantity=100, filled=40, notional=7, status=CANCELLED)
    shown = texts(row, Decimals(0, 0))
    assert (shown["requested_value"], shown["total_value"], shown["remaining_value"]) == ("7", "7", "0")
    assert (shown["remaining_amount"], shown["price"]) == ("60", "0")


def test_a_market_order_that_never_traded_has_no_price() -> None:
    shown = texts(market(Side.SELL, quantity=100, status=CANCELLED))
    assert (shown["price"], shown["average"], shown["total_value"], shown["requested_value"]) == ("0", None, "0", "0")


@pytest.mark.parametrize(
    ("status", "remaining"), [(OPEN, "50"), (PARTIALLY_FILLED, "50"), (CANCELLED, "50"), (FILLED, "0")]
)
def test_of_a_value_remains_what_was_not_spent_unless_the_order_is_filled(status: OrderStatus, remaining: str) -> None:
    """A filled order by value spends less than it where the rest pays for nothing more."""
    row = market(Side.BUY, quantity=10, filled=5, notional=50, value=100, status=status)
    shown = texts(row, Decimals(0, 0))
    assert (shown["requested_value"], shown["remaining_value"], shown["remaining_amount"]) == ("100", remaining, "5")


@pytest.mark.parametrize(("status", "remaining"), [(OPEN, "17"), (CANCELLED, "17"), (FILLED, "0")])
def test_a_limit_orders_remaining_value_is_rounded_down(status: OrderStatus, remaining: str) -> None:
    row = an_order(price=35, quantity=8, filled=3, notional=10, status=status)
    assert texts(row, Decimals(1, 0))["remaining_value"] == remaining


def test_amounts_of_38_digits_keep_every_digit() -> None:
    row = an_order(quantity=10**38 - 1, price=1)
    assert texts(row, Decimals(18, 18))["requested_amount"] == "99999999999999999999.999999999999999999"


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ("OPEN", "open"),
        ("PARTIALLY_FILLED", "executed_partially"),
        ("FILLED", "executed_completely"),
        ("CANCELLED", "canceled"),
        ("EXPIRED", "canceled"),
        ("REJECTED", "canceled"),
    ],
)
def test_statuses_have_the_words_of_this_desk(status: str, word: str) -> None:
    assert STATUS_WORDS[OrderStatus(status)] == word


def test_a_trades_figures_have_the_decimals_of_their_assets() -> None:
    figures = trade_figures_of(35000050, 500000, 175000, BTC_BRL)
    assert (figures.amount, figures.price, figures.total_value) == (dec(5, 3), dec(3500005, 1), dec(1750, 0))
