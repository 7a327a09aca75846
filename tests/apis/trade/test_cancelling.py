"""Cancelling over the trade desk: one order by either name, all of them, and what one that comes too late is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from chalicelib.apis.kit.http import HttpResponse
from chalicelib.desks.book import new_book_desk
from chalicelib.services.books import waiting as outcomes
from chalicelib.tables.dynamodb import Database
from tests.apis.book.desk import API_KEY, Desk
from tests.apis.trade.desk import SignedDesk, data_of, fault_of, open_trade_desk
from tests.world import INSTANCE, QUOTE, World

CANCELED = (400, 40020, "Order already canceled.")
EXECUTED = (400, 40021, "Order executed completely.")
NOTHING = (400, 40021, "No orders to cancel.")
UNKNOWN = (404, 40400, "Order not found.")
QD = 10**18

Cancel = Callable[[SignedDesk, str], HttpResponse]
"""Cancels the order of this external id."""


class MatcherComes:
    """Time that passes in sleeps only; in each of them the matcher decides what is in the inbox."""

    def __init__(self, desk: SignedDesk, *, comes: bool = True) -> None:
        self._desk, self._comes, self._now_s = desk, comes, 0.0

    def monotonic(self) -> float:
        return self._now_s

    def sleep(self, pause_s: float) -> None:
        self._now_s += pause_s
        if self._comes:
            self._desk.match()


@pytest.fixture
def desk(memory_database: Database, monkeypatch: pytest.MonkeyPatch) -> SignedDesk:
    world = World(memory_database)
    desk = open_trade_desk(world)
    for customer in ("ann", "ben"):
        world.credit(customer, QUOTE, 1000 * QD)
    monkeypatch.setattr(outcomes, "time", MatcherComes(desk))
    return desk


def id_of(desk: SignedDesk, external_id: str) -> str:
    return str(data_of(desk.get(f"/trade/orders/by-external-id/{external_id}"))["id"])


WAYS: list[Cancel] = [
    lambda desk, name: desk.delete("/trade/orders", {"id": id_of(desk, name)}),
    lambda desk, name: desk.post("/trade/orders/cancel", {"id": id_of(desk, name).lower()}),
    lambda desk, name: desk.delete("/v4/orders/by-external-id", {"external_id": name}),
    lambda desk, name: desk.post("/v4/orders/cancel-by-external-id", {"external_id": name.upper()}),
]
each_way = pytest.mark.parametrize("cancel", WAYS, ids=["DELETE id", "POST id", "DELETE name", "POST name"])


@each_way
def test_a_cancelled_order_is_shown_with_its_figures_and_its_hold_is_back(desk: SignedDesk, cancel: Cancel) -> None:
    placed = data_of(desk.place(external_id="mine"))
    data_of(desk.as_customer("ben").place(side="sell", amount="4"))
    data = data_of(cancel(desk, "mine"))
    assert list(data) == [
        "id", "create_date", "update_date", "executed_amount", "remaining_amount", "remaining_value",
        "requested_amount", "requested_value", "total_value", "price", "side", "type", "status", "pair", "external_id",
    ]  # fmt: skip
    assert (data["id"], data["create_date"]) == (placed["id"], placed["create_date"])
    del data["id"], data["create_date"], data["update_date"]
    assert data == {
        "executed_amount": 4, "remaining_amount": 6, "remaining_value": 30, "requested_amount": 10,
        "requested_value": 50, "total_value": 20, "price": 5, "side": "buy", "type": "limit", "status": "canceled",
        "pair": "B_Q", "external_id": "mine",
    }  # fmt: skip
    assert desk.world.balance("ann", QUOTE) == (1000 + 1000 * QD - 20 * QD, 0)


@each_way
def test_an_order_is_cancelled_once(desk: SignedDesk, cancel: Cancel) -> None:
    data_of(desk.place(external_id="mine"))
    data_of(cancel(desk, "mine"))
    before = desk.world.tables()
    assert fault_of(cancel(desk, "mine")) == CANCELED
    assert desk.world.tables() == before


@each_way
def test_an_order_that_is_filled_or_fills_first_is_told_so(desk: SignedDesk, cancel: Cancel) -> None:
    data_of(desk.place(external_id="mine"))
    data_of(desk.as_customer("ben").place(side="sell"))
    assert fault_of(cancel(desk, "mine")) == EXECUTED
    assert fault_of(cancel(desk, "mine")) == EXECUTED


def test_an_order_that_ended_by_itself_is_canceled_already(desk: SignedDesk) -> None:
    """R28"""
    data_of(desk.place(external_id="mine", immediate_or_cancel=True))
    desk.match()
    assert fault_of(WAYS[0](desk, "mine")) == CANCELED


def test_a_cancel_without_a_result_in_time_stays_queued_and_a_repeat_joins_it(
    desk: SignedDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = data_of(desk.place())["id"]
    monkeypatch.setattr(outcomes, "time", MatcherComes(desk, comes=False))
    response = desk.delete("/trade/orders", {"id": order_id})
    assert fault_of(response) == (500, 50003, "Cancel is pending, repeat the request.")
    assert response.headers["Retry-After"] == "1"
    monkeypatch.setattr(outcomes, "time", MatcherComes(desk))
    assert data_of(desk.delete("/trade/orders", {"id": order_id}))["status"] == "canceled"
    assert len([row for row in desk.world.inbox_rows() if row["kind"] == "cancel"]) == 1


def test_another_customers_order_is_not_found(desk: SignedDesk) -> None:
    order_id = data_of(desk.place(external_id="mine"))["id"]
    ben, before = desk.as_customer("ben"), desk.world.tables()
    assert fault_of(ben.delete("/trade/orders", {"id": order_id})) == UNKNOWN
    assert fault_of(ben.delete("/trade/orders/by-external-id", {"external_id": "mine"})) == UNKNOWN
    assert fault_of(desk.delete("/trade/orders", {"id": str(uuid4())})) == UNKNOWN
    assert desk.world.tables() == before


@pytest.mark.parametrize(
    ("path", "field", "bodies"),
    [
        ("/trade/orders", "id", [{}, {"id": None}, {"id": 5}, {"id": ""}, {"id": "ord_1"}, {"id": "x" * 36}]),
        ("/trade/orders/by-external-id", "external_id", [{}, {"external_id": 5}, {"external_id": "x" * 37}]),
        ("/trade/orders/all", "pair", [{"pair": 5}, {"pair": ""}]),
        ("/trade/orders", "body", [None, b"[]", b"x"]),
        ("/trade/orders/all", "body", [b"[0]", b"x"]),
    ],
)
def test_a_faulty_body_is_named(desk: SignedDesk, path: str, field: str, bodies: list[Any]) -> None:
    for body in bodies:
        assert fault_of(desk.delete(path, body)) == (400, 40000, f"Invalid parameters: {field}.")


# --- all of them -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [None, b" ", {}, {"pair": "b_q"}, {"pair": None}])
def test_all_live_orders_are_cancelled_newest_first(desk: SignedDesk, body: object) -> None:
    ben = desk.as_customer("ben")
    first, second = (data_of(desk.place(price=price))["id"] for price in ("4", "5"))
    data_of(desk.place(immediate_or_cancel=True))
    others = data_of(ben.place(price="1"))["id"]
    desk.match()
    assert data_of(desk.delete("/trade/orders/all", body)) == [
        {"pair_code": "B_Q", "order_id": second, "success": True},
        {"pair_code": "B_Q", "order_id": first, "success": True},
    ]
    assert data_of(ben.get(f"/trade/orders/{others}"))["status"] == "open"
    assert desk.world.balance("ann", QUOTE) == (1000 + 1000 * QD, 0)
    assert fault_of(desk.delete("/trade/orders/all", body)) == NOTHING


def test_an_order_that_fills_meanwhile_is_no_success(desk: SignedDesk) -> None:
    filled, left = (data_of(desk.place(price=price))["id"] for price in ("5", "4"))
    data_of(desk.as_customer("ben").place(side="sell"))
    rows = data_of(desk.delete("/trade/orders/all"))
    assert {row["order_id"]: row["success"] for row in rows} == {filled: False, left: True}


def test_an_unknown_pair_cancels_nothing(desk: SignedDesk) -> None:
    data_of(desk.place())
    before = desk.world.tables()
    assert fault_of(desk.delete("/trade/orders/all", {"pair": "NOPE_Q"})) == (404, 40400, "Pair not found.")
    assert desk.world.tables() == before


# --- the two desks -----------------------------------------------------------------------------------------------


def test_an_order_placed_on_one_desk_is_seen_matched_and_cancelled_on_the_other(desk: SignedDesk) -> None:
    """R21"""
    desk.world.tenants().add_key(INSTANCE, "key_1", API_KEY, rate_limit=0)
    book_desk = Desk(desk.world, new_book_desk(desk.world.database))
    here = data_of(desk.place(external_id="here"))["id"]
    there = book_desk.placed(price=str(4 * QD))
    desk.match()
    listed = data_of(desk.get("/trade/orders", {"pair": "B_Q"}))["orders"]
    assert {row["price"] for row in listed} == {4, 5}
    (other,) = (row["id"] for row in listed if row["id"] != here)
    assert data_of(desk.delete("/trade/orders", {"id": other}))["status"] == "canceled"
    assert {row["id"]: row["status"] for row in book_desk.rows()}[there] == "CANCELLED"
    book_desk.placed(customerRef="ben", side="SELL", price=str(5 * QD))
    desk.match()
    assert data_of(desk.get(f"/trade/orders/{here}"))["status"] == "executed_completely"
