"""Ledger arithmetic: what is held, what a trade moves, and that money neither appears nor goes."""

from __future__ import annotations

import doctest
from types import ModuleType

import pytest

from chalicelib.domain.books.events import Accepted, Closed, Rested, Traded
from chalicelib.domain.books.matching import reject
from chalicelib.domain.books.vocabulary import CloseReason, OrderStatus
from chalicelib.domain.ledger import amounts, fees, holds
from chalicelib.domain.ledger.amounts import Side, quantity_of_value, unit
from chalicelib.domain.ledger.changes import Change
from chalicelib.domain.ledger.holds import hold_at_admission, hold_of_limit, market_buy_cost, market_buy_hold
from tests.domain.books.orders import BUY, SELL, a_book, limit, market, moved, placed

E18 = 10**18
BASE, QUOTE = SELL, BUY
"""An asset is named by the side that holds it."""

ANN, BOB, CLEO, FEES = "ann", "bob", "cleo", None


@pytest.mark.parametrize("module", [amounts, fees, holds])
def test_the_examples_in_the_docstrings_are_true(module: ModuleType) -> None:
    results = doctest.testmod(module)

    assert results.attempted > 0
    assert results.failed == 0


@pytest.mark.parametrize(("decimals", "base_units"), [(0, 1), (1, 10), (18, E18), (30, 10**30)])
def test_a_whole_asset_has_ten_to_the_decimals_base_units(decimals: int, base_units: int) -> None:
    assert unit(decimals) == base_units


# --- holds -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base_decimals", "price", "quantity", "hold"),
    [
        (18, 100000000000000000000, 5000000000000000000, 500000000000000000000),
        (8, 4260000, 2347418, 100001),
        (1, 7, 15, 11),
        (1, 7, 10, 7),
        (0, 100, 5, 500),
        (0, 100, 3, 300),
        (18, 1, 1, 1),
        (18, 10**38 - 1, 10**38 - 1, 10**58 - 2 * 10**20 + 1),
    ],
)
def test_a_limit_buy_holds_its_cost_rounded_up(base_decimals: int, price: int, quantity: int, hold: int) -> None:
    """Known values, the smallest order, and the largest: 76 digits on the way, no float could do it."""
    assert hold_of_limit(BUY, price, quantity, base_decimals) == hold


def test_a_limit_sell_holds_its_quantity_whatever_its_price() -> None:
    assert hold_of_limit(SELL, 7, 15, 1) == 15


@pytest.mark.parametrize(
    ("side", "price", "value", "hold"),
    [(BUY, 7, None, 11), (SELL, 7, None, 15), (SELL, None, None, 15), (BUY, None, 8, 8), (BUY, None, None, None)],
    ids=["limit buy", "limit sell", "market sell", "market buy by value", "market buy by quantity: by the asks"],
)
def test_the_hold_at_admission_follows_from_the_terms(
    side: Side, price: int | None, value: int | None, hold: int | None
) -> None:
    assert hold_at_admission(side, price, 15, value, base_decimals=1) == hold


@pytest.mark.parametrize("side", Side)
def test_an_order_with_nothing_open_holds_nothing(side: Side) -> None:
    assert hold_of_limit(side, 7, 0, 1) == 0


@pytest.mark.parametrize(("quantity", "cost"), [(1, 100), (2, 200), (4, 420), (5, 530), (10, 530), (0, 0)])
def test_the_cost_of_a_market_buy_walks_the_asks_best_first_until_one_of_them_ends(quantity: int, cost: int) -> None:
    """T38, with asks of 2 at 100 and 3 at 110."""
    assert market_buy_cost([(100, 2), (110, 3)], quantity, 0) == cost


def test_the_cost_of_a_market_buy_is_rounded_up_once_not_for_each_ask() -> None:
    """T38: 3 at 7 and 3 at 7 with one decimal cost ceil(4.2), not ceil(2.1) + ceil(2.1)."""
    assert market_buy_cost([(7, 3), (7, 3)], 6, 1) == 5


def test_without_asks_a_market_buy_costs_and_holds_nothing() -> None:
    """T38."""
    assert market_buy_cost([], 10, 18) == 0
    assert market_buy_hold(0, available=1000, collar_bps=500) == 0


@pytest.mark.parametrize(
    ("quantity", "available", "cost", "hold"),
    [
        (4, 442, 420, 441),
        (4, 441, 420, 441),
        (4, 430, 420, 430),
        (4, 420, 420, 420),
        (10, 1000, 530, 557),
    ],
)
def test_a_market_buy_holds_its_cost_and_a_collar_as_far_as_the_balance_reaches(
    quantity: int, available: int, cost: int, hold: int
) -> None:
    """T38: 530 with a collar of 500 bps is 556.5, rounded up."""
    assert market_buy_cost([(100, 2), (110, 3)], quantity, 0) == cost
    assert market_buy_hold(cost, available, collar_bps=500) == hold


def test_without_a_collar_a_market_buy_holds_exactly_its_cost() -> None:
    assert market_buy_hold(420, available=1000, collar_bps=0) == 420


# --- settlement --------------------------------------------------------------------------------------------------


def test_accepting_and_resting_moves_no_money() -> None:
    order = limit("bid", BUY, 100, 5)

    assert moved([Accepted(order), Rested(order, 5, 5)]) == {}


def test_a_trade_pays_both_sides_and_the_fee_account() -> None:
    """A known value: 2 whole units at 100, the taker buys at 15 bps, the maker sells at 5 bps (T41, T43)."""
    book = a_book(base_decimals=18, maker_fee_bps=5, taker_fee_bps=15)
    ask = limit("ask", SELL, 100 * E18, 2 * E18, of="bob")
    bid = limit("bid", BUY, 100 * E18, 2 * E18, of="ann", hold=200 * E18)

    assert moved(placed(book, ask, bid)) == {
        (ANN, QUOTE): Change(0, -200 * E18),
        (ANN, BASE): Change(1997000000000000000, 0),
        (BOB, BASE): Change(0, -2 * E18),
        (BOB, QUOTE): Change(199900000000000000000, 0),
        (FEES, BASE): Change(3000000000000000, 0),
        (FEES, QUOTE): Change(100000000000000000, 0),
    }


def test_a_selling_taker_is_settled_as_the_seller() -> None:
    book = a_book(maker_fee_bps=100, taker_fee_bps=200)
    bid, ask = limit("bid", BUY, 10, 1000, of="ann"), limit("ask", SELL, 10, 1000, of="bob")

    assert moved(placed(book, bid, ask)) == {
        (ANN, QUOTE): Change(0, -10_000),
        (ANN, BASE): Change(990, 0),
        (BOB, BASE): Change(0, -1000),
        (BOB, QUOTE): Change(9800, 0),
        (FEES, BASE): Change(10, 0),
        (FEES, QUOTE): Change(200, 0),
    }


def test_a_better_price_goes_back_to_the_buyer_as_available() -> None:
    """T42: of the 200 held for 2 units, 180 are paid and 20 released."""
    book = a_book()
    ask, bid = limit("ask", SELL, 90, 2, of="bob"), limit("bid", BUY, 100, 5, of="ann")

    assert moved(placed(book, ask, bid)) == {
        (ANN, QUOTE): Change(20, -200),
        (ANN, BASE): Change(2, 0),
        (BOB, BASE): Change(0, -2),
        (BOB, QUOTE): Change(180, 0),
    }


@pytest.mark.parametrize(("side", "hold"), [(BUY, 500), (SELL, 5)])
def test_a_close_moves_the_rest_of_the_hold_back_to_available(side: Side, hold: int) -> None:
    order = limit("order", side, 100, 5, of="ann")
    close = Closed(order, OrderStatus.CANCELLED, CloseReason.IOC_REMAINDER, 5, hold)

    assert moved([close]) == {(ANN, side): Change(hold, -hold)}


def test_a_rejected_order_gets_its_whole_hold_back() -> None:
    rejected = reject(limit("order", BUY, 100, 5, of="ann"), CloseReason.INTERNAL_ERROR)

    assert moved(rejected) == {(ANN, QUOTE): Change(500, -500)}


def test_many_trades_net_to_one_change_an_account() -> None:
    """Bob sells to Ann and to Cleo, Cleo sells on to Ann: five accounts, however many trades."""
    book = a_book()
    events = placed(
        book,
        limit("ann's bid", BUY, 100, 3, of="ann"),
        limit("bob's ask", SELL, 100, 2, of="bob"),
        limit("bob's second ask", SELL, 101, 1, of="bob"),
        limit("cleo's bid", BUY, 101, 1, of="cleo"),
        limit("cleo's ask", SELL, 100, 1, of="cleo"),
    )

    assert moved(events) == {
        (ANN, QUOTE): Change(0, -300),
        (ANN, BASE): Change(3, 0),
        (BOB, BASE): Change(0, -3),
        (BOB, QUOTE): Change(301, 0),
        (CLEO, QUOTE): Change(100, -101),
        (CLEO, BASE): Change(1, -1),
    }


def test_a_trade_with_oneself_turns_what_was_held_into_available() -> None:
    """T24, NONE: both legs are the same customer's."""
    book = a_book()
    ask, bid = limit("ask", SELL, 100, 2, of="ann"), limit("bid", BUY, 100, 2, of="ann")

    assert moved(placed(book, ask, bid)) == {(ANN, BASE): Change(2, -2), (ANN, QUOTE): Change(200, -200)}


def test_an_account_that_gains_what_it_loses_has_no_change() -> None:
    """A trade that pays 0, as journals from before T46 have them, and a fee of 0 leave no row to write."""
    ask, bid = limit("ask", SELL, 5, 1, of="bob"), limit("bid", BUY, 5, 1, of="ann", hold=1)

    assert moved([Traded(ask, bid, 5, 1, 0, 0, 0, 1, 0, 0)]) == {
        (ANN, QUOTE): Change(1, -1),
        (ANN, BASE): Change(1, 0),
        (BOB, BASE): Change(0, -1),
    }


def test_a_customer_is_never_taken_for_the_fee_account() -> None:
    """T43: the fee account has no customerRef, so no name a customer could have is its own."""
    book = a_book(maker_fee_bps=1000, taker_fee_bps=1000)
    ask, bid = limit("ask", SELL, 10, 10, of="None"), limit("bid", BUY, 10, 10, of="fees")

    changes = moved(placed(book, ask, bid))

    assert changes[FEES, BASE] == Change(1, 0)
    assert changes["None", QUOTE] == Change(90, 0)
    assert changes["fees", BASE] == Change(9, 0)


def test_each_trade_of_a_walk_is_paid_at_its_own_price() -> None:
    book = a_book()
    events = placed(
        book,
        limit("ask 1", SELL, 100, 1, of="bob"),
        limit("ask 2", SELL, 110, 1, of="cleo"),
        market("taker", BUY, 2, of="ann", budget=300),
    )

    assert sum(isinstance(event, Traded) for event in events) == 2
    assert moved(events) == {
        (ANN, QUOTE): Change(90, -300),
        (ANN, BASE): Change(2, 0),
        (BOB, BASE): Change(0, -1),
        (BOB, QUOTE): Change(100, 0),
        (CLEO, BASE): Change(0, -1),
        (CLEO, QUOTE): Change(110, 0),
    }


@pytest.mark.parametrize(
    ("side", "value", "quantity"),
    [
        (BUY, 0, 0), (BUY, 1, 3), (BUY, 2, 5), (BUY, 3, 7), (BUY, 4, 10), (BUY, 9, 10),
        (SELL, 0, 0), (SELL, 1, 5), (SELL, 2, 8), (SELL, 3, 10), (SELL, 9, 10),
    ],
)  # fmt: skip
def test_an_order_by_value_takes_what_the_levels_are_worth_each_rounded_for_itself(
    side: Side, value: int, quantity: int
) -> None:
    """R25, with a tenth as the base unit: 5 units at 3 cost 2 and bring in 1; 5 at 4 cost and bring in 2."""
    assert quantity_of_value([(3, 5), (4, 5)], side, value, base_decimals=1) == quantity


def test_a_quantity_by_value_is_exact_where_floats_are_not() -> None:
    """A third of 10^30 + 1, rounded up to a lot of 7: thirty digits, of which a float has sixteen."""
    assert quantity_of_value([(3, 10**38)], SELL, 10**30 + 1, base_decimals=0, lot_size=7) == (
        333_333_333_333_333_333_333_333_333_340
    )
