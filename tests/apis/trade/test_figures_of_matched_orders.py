"""The figures of orders that were placed, matched and listed, to the last digit: 8 base and 2 quote decimals."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.domain.books.config import BookConfig
from chalicelib.domain.ledger.tokens import new_token
from chalicelib.services.books.matcher import Matcher
from chalicelib.services.books.redrive import redrive
from chalicelib.support.clock import new_id, now_ms
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.tokens import Tokens
from tests.apis.trade.desk import SignedDesk, data_of, open_trade_desk
from tests.world import INSTANCE, World

BTC, BRL = "0x" + "1" * 40, "0x" + "2" * 40
BOOK = BookConfig(INSTANCE, "ob_btc", "Coins", "BTC/BRL", BTC, BRL, base_decimals=8, taker_fee_bps=15)


@pytest.fixture
def desk(memory_database: Database) -> SignedDesk:
    desk = open_trade_desk(World(memory_database))
    tokens = Tokens(memory_database)
    tokens.register(INSTANCE, new_token(new_id("tok"), BTC, "Coin", "BTC", 8))
    tokens.register(INSTANCE, new_token(new_id("tok"), BRL, "Real", "brl", 2))
    desk.world.books.create(BOOK)
    for customer in ("ann", "ben"):
        desk.world.credit(customer, BTC, 10**10)
        desk.world.credit(customer, BRL, 10**10)
    return desk


def placed(desk: SignedDesk, **members: Any) -> str:
    """Place an order and have it decided; return its id."""
    order_id: str = data_of(desk.place(**{"pair": "BTC_BRL", "price": ..., "amount": ...} | members))["id"]
    redrive(desk.world.database, Matcher(desk.world.database, now_ms), f"{INSTANCE}/{BOOK.book_id}")
    return order_id


def listed(desk: SignedDesk, order_id: str) -> dict[str, Any]:
    """Return the order's row, its numbers as they are written."""
    body = desk.get("/trade/orders", {"pair": "BTC_BRL", "ids": order_id}).body
    (row,) = json.loads(body, parse_float=str, parse_int=str)["data"]["orders"]
    assert isinstance(row, dict)
    return row


def test_an_order_that_was_filled_in_part_by_a_cheaper_ask(desk: SignedDesk) -> None:
    placed(desk.as_customer("ben"), side="sell", amount="0.005", price="350000")
    row = listed(desk, placed(desk, side="buy", amount="0.015", price="350000.5", external_id="desk7-0042"))
    assert {name: row[name] for name in row if name.endswith(("amount", "value")) or name in ("price", "fee")} == {
        "executed_amount": "0.005",
        "price": "350000.5",
        "remaining_amount": "0.01",
        "remaining_value": "3500",
        "requested_amount": "0.015",
        "requested_value": "5250",
        "total_value": "1750",
        "fee": "0.0000075",
    }
    assert (row["status"], row["external_id"]) == ("executed_partially", "desk7-0042")
    (held,) = data_of(desk.get("/trade/user/balances", {"currency_code": "brl"}))
    assert held["locked_amount"] == 3500.01


def test_a_sell_pays_its_fee_in_the_quote_asset(desk: SignedDesk) -> None:
    placed(desk.as_customer("ben"), side="buy", amount="0.02", price="349900")
    row = listed(desk, placed(desk, side="sell", type="market", amount="0.02"))
    names = ("fee", "total_value", "requested_value", "price", "status", "type")
    assert [row[name] for name in names] == ["10.49", "6998", "6998", "349900", "executed_completely", "market"]


@pytest.mark.parametrize(
    ("side", "prices", "amount", "total_value", "price"),
    [
        ("buy", ("350000", "351000"), "0.0142735", "4999.99", "350298.8"),
        ("sell", ("349000", "348000"), "0.01433909", "5000", "348697.16"),
    ],
)
def test_an_order_by_value_is_listed_with_its_value_and_its_average_price(
    desk: SignedDesk, side: str, prices: tuple[str, str], amount: str, total_value: str, price: str
) -> None:
    ben, other = desk.as_customer("ben"), "sell" if side == "buy" else "buy"
    for resting, offered in zip(prices, ("0.01", "0.02"), strict=True):
        placed(ben, side=other, amount=offered, price=resting)
    order_id = placed(desk, side=side, type="market", value="5000")
    row = listed(desk, order_id)
    names = ("requested_amount", "executed_amount", "total_value", "requested_value", "remaining_value", "price")
    assert [row[name] for name in names] == [amount, amount, total_value, "5000", "0", price]
    detail = json.loads(desk.get(f"/v4/orders/{order_id}").body, parse_float=str)["data"]
    assert detail["average_execution_price"] == price
    assert [trade["price"] for trade in detail["transactions"]] == [int(resting) for resting in prices]
