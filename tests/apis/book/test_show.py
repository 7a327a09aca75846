"""What the book desk shows besides lists of orders: one order, a book's depth, a customer's trades."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.apis.book.routes import DEPTH, ONE_ORDER, TRADES_OF_BOOK, TRADES_OF_CUSTOMER
from chalicelib.apis.kit.http import HttpResponse
from chalicelib.domain.books.config import SettlementMode
from chalicelib.domain.books.vocabulary import BookStatus, SelfTradePrevention
from chalicelib.support.clock import iso
from chalicelib.tables.dynamodb import Database
from tests.apis.book.desk import Desk, code_of, fields_of, open_desk
from tests.world import BOOK_ID, NOW_MS, QUOTE, World

NOT_FOUND = (404, "ORDER_NOT_FOUND")


@pytest.fixture
def desk(memory_database: Database) -> Desk:
    return open_desk(World(memory_database))


def data_of(response: HttpResponse) -> Any:
    assert response.status == 200, response.body
    return json.loads(response.body)["data"]


def order(desk: Desk, order_id: str, customer: str = "ann") -> dict[str, Any]:
    shown: dict[str, Any] = data_of(desk.get(ONE_ORDER, {"customerRef": customer}, orderId=order_id))
    return shown


def trades(desk: Desk, customer: str = "ann", **query: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = data_of(desk.get(TRADES_OF_CUSTOMER, query, customerRef=customer))
    return rows


def test_an_order_is_shown_with_its_eleven_members_its_last_change_and_why_it_closed(desk: Desk) -> None:
    placed = json.loads(desk.place().body)["data"]
    waiting = order(desk, placed["id"])
    assert list(waiting.items()) == [*placed.items(), ("updatedAt", placed["createdAt"]), ("cancelReason", None)]
    desk.match()
    rested = order(desk, placed["id"])
    assert (rested["status"], rested["updatedAt"], rested["cancelReason"]) == ("OPEN", iso(NOW_MS), None)


def test_a_closed_order_says_why(desk: Desk) -> None:
    """T28"""
    kinds: list[dict[str, str]] = [{"timeInForce": "IOC"}, {"timeInForce": "FOK"}, {"orderType": "MARKET"}]
    ioc, fok, market = (desk.placed(quantity="1", **kind) for kind in kinds)
    resting = desk.placed(customerRef="ben", side="SELL", price="60")
    would_cross = desk.placed(postOnly=True, price="60", quantity="1")
    assert desk.world.cancel("ben", resting)
    desk.match()
    too_late = desk.placed(quantity="1")
    desk.world.change_status(BookStatus.PAUSED)
    assert desk.world.deliver(records=desk.world.records[-1:]) == []  # the pause overtakes the order
    desk.match()
    reasons = [order(desk, each)["cancelReason"] for each in (ioc, fok, market, would_cross, too_late)]
    assert reasons == [
        "IOC_REMAINDER", "FOK_UNFILLABLE", "MARKET_REMAINDER", "POST_ONLY_WOULD_CROSS", "BOOK_INACTIVE",
    ]  # fmt: skip
    assert order(desk, resting, "ben")["cancelReason"] == "USER_CANCELLED"
    assert order(desk, too_late)["status"] == "REJECTED"


def test_an_order_of_a_closed_book_and_one_that_met_its_owner_say_why(memory_database: Database) -> None:
    """T24, T28, T32"""
    desk = open_desk(World(memory_database, self_trade_prevention=SelfTradePrevention.CANCEL_TAKER))
    resting = desk.placed()
    met = desk.placed(side="SELL", price="50")
    desk.world.change_status(BookStatus.CLOSED)
    desk.match()
    assert order(desk, met)["cancelReason"] == "SELF_TRADE_PREVENTED"
    assert order(desk, resting)["cancelReason"] == "BOOK_CLOSED"


def test_an_order_is_shown_to_its_own_customer_only(desk: Desk) -> None:
    order_id = desk.placed()
    for customer, asked in (("ben", order_id), ("nobody", order_id), ("ann", "ord_none"), ("ann", order_id.lower())):
        assert code_of(desk.get(ONE_ORDER, {"customerRef": customer}, orderId=asked)) == NOT_FOUND


@pytest.mark.parametrize("customer", [None, "", "x" * 257, "a\x00", "a\x7f"])
def test_an_order_is_not_shown_without_a_customer_that_can_be_one(desk: Desk, customer: str | None) -> None:
    query = {} if customer is None else {"customerRef": customer}
    assert fields_of(desk.get(ONE_ORDER, query, orderId=desk.placed())) == ["customerRef"]


def test_a_customer_given_twice_is_a_fault(desk: Desk) -> None:
    """T25"""
    response = desk.send("GET", ONE_ORDER, query={"customerRef": ["ann", "ann"]}, orderId=desk.placed())
    assert fields_of(response) == ["customerRef"]


@pytest.mark.parametrize("segment", ["x" * 101, "%zz", "%FF", "a%00"])
@pytest.mark.parametrize(
    ("route", "name"), [(ONE_ORDER, "orderId"), (DEPTH, "orderBookId"), (TRADES_OF_BOOK, "orderBookId")]
)
def test_a_path_parameter_that_cannot_be_one_comes_before_the_query(
    desk: Desk, route: str, name: str, segment: str
) -> None:
    """T10"""
    response = desk.get(route, {"levels": "x"}, **{name: segment})
    assert code_of(response) == (400, "INVALID_PARAM")


def test_a_books_depth_is_summed_by_price_best_first(desk: Desk) -> None:
    for side, price, quantity in (
        ("BUY", "48", "3"), ("BUY", "49", "2"), ("BUY", "49", "4"), ("SELL", "52", "1"), ("SELL", "51", "5"),
    ):  # fmt: skip
        desk.placed(side=side, price=price, quantity=quantity)
    desk.match()
    assert data_of(desk.get(DEPTH, orderBookId=BOOK_ID)) == {
        "orderBookId": BOOK_ID,
        "bids": [{"price": "49", "quantity": "6"}, {"price": "48", "quantity": "3"}],
        "asks": [{"price": "51", "quantity": "5"}, {"price": "52", "quantity": "1"}],
    }
    best = data_of(desk.get(DEPTH, {"levels": "1"}, orderBookId=BOOK_ID))
    assert (len(best["bids"]), len(best["asks"])) == (1, 1)
    assert best["bids"][0]["price"] == "49"


def test_an_empty_book_has_no_levels(desk: Desk) -> None:
    assert data_of(desk.get(DEPTH, orderBookId=BOOK_ID)) == {"orderBookId": BOOK_ID, "bids": [], "asks": []}


@pytest.mark.parametrize(("levels", "shown"), [(None, 20), ("100", 100), ("101", 100), ("9" * 5000, 100), ("007", 7)])
def test_twenty_levels_are_shown_by_default_and_a_hundred_at_most(desk: Desk, levels: str | None, shown: int) -> None:
    desk.world.credit("ann", QUOTE, 10_000)
    for price in range(1, 104):
        desk.placed(price=str(price), quantity="1")
    desk.match()
    query = {} if levels is None else {"levels": levels}
    assert len(data_of(desk.get(DEPTH, query, orderBookId=BOOK_ID))["bids"]) == shown


@pytest.mark.parametrize("levels", ["0", "-1", "1.5", "", "x", " 1", "1e1"])
def test_a_number_of_levels_that_is_none_is_a_fault(desk: Desk, levels: str) -> None:
    assert fields_of(desk.get(DEPTH, {"levels": levels}, orderBookId=BOOK_ID)) == ["levels"]


@pytest.mark.parametrize("route", [DEPTH, TRADES_OF_BOOK])
def test_nothing_is_shown_of_a_book_that_there_is_not_or_that_settles_elsewhere(
    memory_database: Database, route: str
) -> None:
    desk = open_desk(World(memory_database, settlement_mode=SettlementMode.ON_CHAIN))
    assert code_of(desk.get(route, orderBookId="ob_none")) == (404, "ORDER_BOOK_NOT_FOUND")
    assert code_of(desk.get(route, orderBookId=BOOK_ID)) == (400, "WRONG_SETTLEMENT_MODE")


def test_a_books_trades_are_its_tape_newest_first(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several trades in one entry, several entries, and more entries than are read at a time."""
    monkeypatch.setattr("chalicelib.tables.journal.PAGE_ENTRIES", 2)
    for price in ("50", "51", "52"):
        desk.placed(side="SELL", price=price, quantity="2")
    desk.match()
    for quantity in ("1", "2", "3"):
        desk.placed(customerRef="ben", price="60", quantity=quantity)
        desk.match()
    tape: list[dict[str, Any]] = data_of(desk.get(TRADES_OF_BOOK, orderBookId=BOOK_ID))
    assert [(row["price"], row["quantity"]) for row in tape] == [
        ("52", "2"), ("51", "1"), ("51", "1"), ("50", "1"), ("50", "1"),
    ]  # fmt: skip
    assert list(tape[0]) == ["id", "orderBookId", "price", "quantity", "timestamp"]
    assert (tape[0]["orderBookId"], tape[0]["timestamp"]) == (BOOK_ID, iso(NOW_MS))
    assert [row["id"] for row in tape] == [row["id"] for row in trades(desk)]
    assert data_of(desk.get(TRADES_OF_BOOK, {"limit": "2", "offset": "1"}, orderBookId=BOOK_ID)) == tape[1:3]
    assert data_of(desk.get(TRADES_OF_BOOK, {"offset": "5"}, orderBookId=BOOK_ID)) == []


def test_a_book_without_trades_has_an_empty_tape(desk: Desk) -> None:
    desk.placed()
    desk.match()
    assert data_of(desk.get(TRADES_OF_BOOK, orderBookId=BOOK_ID)) == []


def test_a_customers_trades_show_its_own_side_newest_first(desk: Desk) -> None:
    desk.placed(price="50", quantity="4")
    desk.match()
    for quantity in ("1", "2"):
        desk.placed(customerRef="ben", side="SELL", price="50", quantity=quantity)
        desk.match()
    mine, his = trades(desk), trades(desk, "ben")
    assert [row["quantity"] for row in mine] == ["2", "1"]
    assert list(mine[0]) == ["id", "orderBookId", "customerRef", "price", "quantity", "side", "timestamp"]
    assert {key: mine[0][key] for key in ("orderBookId", "customerRef", "price", "side", "timestamp")} == {
        "orderBookId": BOOK_ID, "customerRef": "ann", "price": "50", "side": "BUY", "timestamp": iso(NOW_MS),
    }  # fmt: skip
    assert [(row["id"], row["side"]) for row in his] == [(row["id"], "SELL") for row in mine]
    assert trades(desk, limit="1", offset="1") == mine[1:]
    assert trades(desk, offset="2") == trades(desk, "nobody") == []


def test_a_trade_of_a_customer_with_itself_is_two_rows_buy_then_sell(desk: Desk) -> None:
    """T34"""
    for _ in range(2):
        desk.placed(price="50", quantity="1")
        desk.placed(side="SELL", price="50", quantity="1")
    desk.match()
    rows = trades(desk)
    assert [row["side"] for row in rows] == ["BUY", "SELL", "BUY", "SELL"]
    assert rows[0]["id"] == rows[1]["id"] > rows[2]["id"] == rows[3]["id"]


@pytest.mark.parametrize(
    ("name", "value"), [("limit", "0"), ("limit", "x"), ("limit", ""), ("offset", "-1"), ("offset", "2147483648")]
)
def test_a_page_of_trades_that_is_none_is_a_fault(desk: Desk, name: str, value: str) -> None:
    assert fields_of(desk.get(TRADES_OF_CUSTOMER, {name: value}, customerRef="ann")) == [name]
    assert fields_of(desk.get(TRADES_OF_BOOK, {name: value}, orderBookId=BOOK_ID)) == [name]


@pytest.mark.parametrize(
    ("route", "parameters"),
    [(DEPTH, {"orderBookId": BOOK_ID}), (TRADES_OF_CUSTOMER, {"customerRef": "ann"}), (ONE_ORDER, {"orderId": "x"})],
)
def test_showing_passes_the_gate_and_changes_nothing(desk: Desk, route: str, parameters: dict[str, str]) -> None:
    before = desk.world.tables()
    assert code_of(desk.send("GET", route, key=None, **parameters)) == (401, "AUTH_REQUIRED")
    desk.get(route, {"customerRef": "ann"}, **parameters)
    after = desk.world.tables()
    assert {name: rows for name, rows in after.items() if name != "requests"} == {
        name: rows for name, rows in before.items() if name != "requests"
    }
