"""Tools of the signed desks and of the escrow desk: each is called once, against the desk in this process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.ops.agents.calling import Caller
from chalicelib.ops.agents.operations import READS, tools
from chalicelib.support.clock import now_ms
from chalicelib.tables.dynamodb import Database
from tallybook_client import EscrowDesk, TakerDesk, TradeDesk
from tests.apis.escrow.cases import new_desk as new_escrow_desk
from tests.apis.escrow.desk import KEY
from tests.apis.taker.desk import new_desk as new_taker_desk
from tests.apis.trade.cases import open_market
from tests.client.http import BASE_URL, InProcess


@pytest.fixture
def trade(memory_database: Database) -> Caller:
    desk = open_market(memory_database)
    session = TradeDesk(BASE_URL, desk.token, desk.secret, http=InProcess(desk.desk.answer)).session
    return Caller(tools(["trade"], with_writes=True), {"trade": session}, {})


@pytest.fixture
def taker() -> Caller:
    desk = new_taker_desk()
    desk.clock.now_ms = now_ms()
    desk.created()
    session = TakerDesk(BASE_URL, desk.api_key, desk.secret, http=InProcess(desk.desk.answer)).session
    return Caller(tools(["taker"], with_writes=True), {"taker": session}, {})


@pytest.fixture
def escrow() -> Caller:
    desk = new_escrow_desk()
    session = EscrowDesk(BASE_URL, KEY, http=InProcess(desk.desk.answer)).session
    return Caller(tools(["escrow"], with_writes=True), {"escrow": session}, {})


def caller_of(caller: Caller) -> Callable[..., Any]:
    def call(name: str, **arguments: Any) -> Any:
        result = caller.call(name, arguments)
        assert not result.is_error, result.envelope
        return result.envelope["data"]

    return call


def test_a_customer_places_an_order_and_reads_it_with_exact_decimals(trade: Caller) -> None:
    call = caller_of(trade)
    order = {"pair": "BTC_BRL", "side": "buy", "type": "limit", "amount": "0.02347418", "price": "1000.5"}
    placed = call("trade_placeOrder", body=order)
    assert placed["requested_amount"] == "0.02347418"
    (listed,) = call("trade_listOpenOrders", pair="BTC_BRL")["orders"]
    assert (listed["id"], listed["price"]) == (placed["id"], "1000.5")
    assert call("trade_getOrder", id=placed["id"])["status"] == "open"
    codes = ["BRL", "BTC"]
    assert [row["currency_code"] for row in call("trade_listBalances", currency_code=codes)] == codes
    assert call("trade_listOrders", pair="BTC_BRL", status=["open", "canceled"], ids=[])["orders"] == [listed]


def test_a_taker_finds_locks_and_fills_an_order(taker: Caller) -> None:
    call = caller_of(taker)
    (offer,) = call("taker_listAvailableOrders", ticker="AAPL", is_buy=True)
    call("taker_lockOrder", body={"order_hash": offer["order_hash"]})
    fill = {"order_hash": offer["order_hash"], "fill_quantity": offer["quantity"], "reference_id": "by-agent"}
    assert call("taker_fillOrder", body=fill)["status"] == "filled"
    assert call("taker_listFills", order_hash=offer["order_hash"])["total"] == 1


def test_a_merchant_makes_an_order_and_a_list_keeps_its_total(escrow: Caller) -> None:
    call = caller_of(escrow)
    customers = call("escrow_listCustomers", per_page=5, sort="asc")
    assert customers["total"] == len(customers["data"]) == 2
    buyer, seller = (row["id"] for row in customers["data"])
    made = call("escrow_createOrder", body={"name": "Tent", "value": 23.77, "buyer_id": buyer, "seller_id": seller})
    assert (made["status"], made["value"]) == ("DRAFT", "23.77")
    assert call("escrow_getOrder", id=str(made["id"]))["name"] == "Tent"
    assert call("escrow_cancelOrder", id=str(made["id"]), body={})["status"] == "CANCELLED"


@pytest.mark.parametrize("desk", ["trade", "taker", "escrow"])
def test_every_tool_that_needs_no_argument_reads(desk: str, request: pytest.FixtureRequest) -> None:
    caller: Caller = request.getfixturevalue(desk)
    free = [name for name, tool in caller.tools.items() if not tool.is_write and not tool.arguments["required"]]
    assert len(free) > len(READS[desk]) // 3
    for name in free:
        assert not caller.call(name, {}).is_error, name
