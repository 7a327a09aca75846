"""Decimals of stock and asset: a price is for a whole share (K31), and no fill is for nothing (K36)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.ledger.tokens import new_token
from chalicelib.ops.verify.verifier import Verifier
from chalicelib.support.clock import new_id
from chalicelib.tables.instruments import Instruments
from chalicelib.tables.signed_orders import SignedOrders
from chalicelib.tables.tokens import Tokens
from tests.apis.taker.cases import locked, new_order, nothing_changes, order_body, outcome_of, totals
from tests.apis.taker.desk import MAKER, QUOTE, Desk, data_of, details_of, faulty_fields
from tests.case_tables import cases

ASKED = 150_250_000_000_000_000_000
"""150.25 of an asset with 18 decimals."""


def tokens(desk: Desk, stock_decimals: int, quote_decimals: int, funds: int = 10**30) -> dict[str, str]:
    """Let the desk trade a stock and an asset of so many decimals; return what an order says of them.

    The maker has ``funds`` base units of both, and so has the taker.
    """
    stock, asset = f"0x{stock_decimals:02d}{'5' * 38}", f"0x{quote_decimals:02d}{'9' * 38}"
    for address, symbol, decimals in ((stock, "STK", stock_decimals), (asset, "PAY", quote_decimals)):
        Tokens(desk.database).register(desk.instance, new_token(new_id("tok"), address, symbol, symbol, decimals))
        for customer in (MAKER, desk.taker):
            desk.credit(customer, address, funds)
    Instruments(desk.database).add_quote(desk.instance, asset)
    Instruments(desk.database).add(desk.instance, 1, "STK", stock)
    return {"ticker": "STK", "exchange": 1, "asset": asset}  # type: ignore[dict-item]


def test_k31_the_vendors_sample_trades_whole_shares(desk: Desk) -> None:
    """Quantity "100" at 150.25: a hundred shares for 15,025, the incentive pro rata of shares."""
    what = tokens(desk, stock_decimals=0, quote_decimals=18)
    stock = Instruments(desk.database).terms(desk.instance, what["asset"], 1, "STK").stock
    assert stock is not None
    before = totals(desk)
    sample = {"price": str(ASKED), "quantity": "100", "incentive": str(10**18)}
    order_hash = locked(desk, **what, **sample)
    held = 15_025 * 10**18 + 10**18
    assert desk.balance(MAKER, what["asset"]) == (10**30 - held, held)
    filled = data_of(desk.fill(order_hash, 50))
    assert (filled["filled_amount"], filled["incentive_amount"]) == (str(ASKED * 50), str(5 * 10**17))
    assert desk.balance(desk.taker, stock.address) == (10**30 - 50, 0)
    assert desk.balance(MAKER, stock.address) == (10**30 + 50, 0)
    last = data_of(desk.fill(order_hash, 50))
    assert (last["status"], last["filled_amount"]) == ("filled", str(ASKED * 50))
    assert desk.balance(MAKER, what["asset"]) == (10**30 - held, 0)
    assert totals(desk) == before
    Verifier(desk.database).verify(None)


AMOUNTS: Any = cases(
    # id,                   stock, quote, price,     quantity,       filled,    amount, fee at 25 bps
    ("shares, cents",       0,     2,     15_025,    100,            40,        601_000,    1502),
    ("millionths, cents",   6,     2,     15_025,    100 * 10**6,    1,         None,       None),
    ("millionths, a share", 6,     2,     15_025,    100 * 10**6,    10**6,     15_025,     37),
    ("shares, no decimals", 0,     0,     7,         9,              4,         28,         0),
    ("18 and 0",            18,    0,     7,         9 * 10**18,     10**18 // 2, 3,        0),
    ("9 and 18",            9,     18,    ASKED,     10 * 10**9,     4 * 10**9, 601 * 10**18, 15_025 * 10**14),
)  # fmt: skip


@pytest.mark.parametrize(("stock", "quote", "price", "quantity", "filled", "amount", "fee"), AMOUNTS)
@pytest.mark.parametrize("is_buy", [True, False])
def test_k31_amounts_are_price_times_shares(
    desk: Desk,
    stock: int,
    quote: int,
    price: int,
    quantity: int,
    filled: int,
    amount: int | None,
    fee: int,
    is_buy: bool,
) -> None:
    changed = desk.change_settings(fee_bps=25)
    what = tokens(changed, stock, quote)
    order: dict[str, Any] = what | {"price": str(price), "quantity": str(quantity), "incentive": "0", "is_buy": is_buy}
    checked = data_of(changed.post("/orders/validate", order_body(changed, **order)))
    assert checked["valid"] is True
    order_hash = locked(changed, **order)
    value = price * quantity // 10**stock
    token = Instruments(changed.database).terms(changed.instance, what["asset"], 1, "STK").stock
    assert token is not None
    assert changed.balance(MAKER, what["asset"])[1] == (value if is_buy else 0)
    assert changed.balance(MAKER, token.address)[1] == (0 if is_buy else quantity)
    if amount is None:
        with nothing_changes(changed):
            assert faulty_fields(changed.fill(order_hash, filled)) == ["fill_quantity"]
        return
    done = data_of(changed.fill(order_hash, filled))
    assert (done["filled_amount"], done["fee_amount"]) == (str(amount), str(fee))
    data_of(changed.unlock(order_hash))
    data_of(changed.cancel(order_hash))
    assert [changed.balance(MAKER, asset)[1] for asset in (what["asset"], token.address)] == [0, 0]
    Verifier(changed.database).verify(None)


BOUND: Any = cases(
    # id,                        stock decimals, price,    quantity,  incentive, bad fields
    ("10^36",                    0,              10**18,   10**18,    0,         None),
    ("10^36 and one",            0,              10**18,   10**18,    1,         ["quantity"]),
    ("a digit too many",         0,              10**19,   10**18,    0,         ["quantity"]),
    ("all at most",              0,              10**27,   10**27,    10**27,    ["quantity"]),
    ("of 9 decimals",            9,              10**27,   10**18,    0,         None),
    ("of 9 decimals, too much",  9,              10**27,   10**18 + 1, 0,        ["quantity"]),
    ("a sell, too much",         0,              10**19,   10**18,    0,         ["quantity"]),
    ("of 6 decimals, nothing",   6,              1,        10**6 - 1, 0,         ["quantity"]),
)  # fmt: skip


@pytest.mark.parametrize(("stock", "price", "quantity", "incentive", "bad"), BOUND)
def test_k31_value_and_incentive_stay_within_10_to_the_36th(
    desk: Desk, stock: int, price: int, quantity: int, incentive: int, bad: list[str] | None
) -> None:
    what = tokens(desk, stock, 18, funds=10**37)
    amounts = {"price": str(price), "quantity": str(quantity), "incentive": str(incentive)}
    for is_buy in (True, False):
        body = order_body(desk, **what, **amounts, is_buy=is_buy)
        if bad is None:
            assert data_of(desk.post("/orders/validate", body))["valid"] is True
            assert data_of(desk.maker_post("/orders", body))["quantity"] == str(quantity)
        else:
            with nothing_changes(desk):
                assert faulty_fields(desk.post("/orders/validate", body)) == bad
                assert faulty_fields(desk.maker_post("/orders", body)) == bad


def test_k31_asset_instrument_and_value_are_judged_together(desk: Desk) -> None:
    what = tokens(desk, stock_decimals=6, quote_decimals=2) | {"asset": MAKER}
    body = order_body(desk, **what, price="1", quantity="1")
    with nothing_changes(desk):
        assert faulty_fields(desk.maker_post("/orders", body)) == ["asset", "quantity"]


def test_k31_an_instrument_that_names_no_decimals_is_one_of_18(desk: Desk) -> None:
    """Rows of instruments, and of orders, that were made while the desk took no other."""
    order_hash = new_order(desk)
    (row,) = [
        row for row in desk.database.scan("signed-orders") if row.get("order_hash") == order_hash and "stock" in row
    ]
    assert "stock_decimals" not in row
    stored = SignedOrders(desk.database).get(desk.instance, row["owner"].rpartition("/")[2])
    assert stored is not None
    assert stored.stock_decimals == 18
    assert replace(stored, stock_decimals=0) != stored


@pytest.mark.parametrize("is_buy", [True, False])
def test_k36_a_fill_that_is_worth_nothing_is_refused(desk: Desk, is_buy: bool) -> None:
    """Three base units a share: a third of a share is worth one of them, less than that is worth none."""
    order_hash = locked(desk, price="3", quantity=str(10**18), incentive="100", is_buy=is_buy)
    for quantity in (1, 10**18 // 3):
        with nothing_changes(desk):
            refused = desk.fill(order_hash, quantity, taker_incentive="0")
            assert outcome_of(refused) == (400, 400001)
            assert list(details_of(refused)) == ["fill_quantity"]
    assert data_of(desk.fill(order_hash, 10**18 // 3 + 1))["filled_amount"] == "1"


def test_k36_what_is_left_and_worth_nothing_is_not_for_taking(desk: Desk) -> None:
    order_hash = locked(desk, price="1", quantity=str(10**18 + 7), incentive="0")
    assert data_of(desk.fill(order_hash, 10**18, reference_id="r1"))["status"] == "partially_filled"
    with nothing_changes(desk):
        assert list(details_of(desk.fill(order_hash, 7))) == ["fill_quantity"]
        again = data_of(desk.fill(order_hash, 10**18, reference_id="r1"))
    assert again["filled_amount"] == "1"
    data_of(desk.unlock(order_hash))
    assert order_hash not in [each["order_hash"] for each in data_of(desk.get("/orders/available"))]
    assert data_of(desk.cancel(order_hash))["message"] == "cancelled"
    assert desk.balance(MAKER, QUOTE)[1] == 0
