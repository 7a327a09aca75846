"""The market: a book's depth, its trades, a customer's trades (T34)."""

from __future__ import annotations

from typing import Any

import pytest
from chalice.test import Client

from chalicelib.apis.book.routes import DEPTH, TRADES_OF_BOOK, TRADES_OF_CUSTOMER
from chalicelib.domain.books.config import SettlementMode
from chalicelib.tables.dynamodb import Database
from tests.apis.book.desk import API_KEY, TIME, Desk, data_of, fields_of, is_id, open_desk, outcome_of
from tests.case_tables import cases
from tests.world import BOOK_ID, QUOTE, World

BOOK: dict[str, Any] = {"orderBookId": BOOK_ID}


# --- depth -------------------------------------------------------------------------------------------------------


def test_depth_is_summed_by_price_best_first(desk: Desk) -> None:
    for side, price, quantity in (("BUY", "40", "1"), ("BUY", "41", "2"), ("BUY", "41", "3"), ("SELL", "51", "9"),
                                  ("SELL", "50", "4")):  # fmt: skip
        desk.placed(side=side, price=price, quantity=quantity)
    desk.placed(customerRef="ben", price="50", quantity="1")
    desk.match()
    depth = data_of(desk.get(DEPTH, **BOOK))
    assert list(depth) == ["orderBookId", "bids", "asks"]
    assert depth == {
        "orderBookId": BOOK_ID,
        "bids": [{"price": "41", "quantity": "5"}, {"price": "40", "quantity": "1"}],
        "asks": [{"price": "50", "quantity": "3"}, {"price": "51", "quantity": "9"}],
    }


LEVELS = cases(
    ("default",           None,      20),
    ("1",                 "1",       1),
    ("100",               "100",     100),
    ("101",               "101",     100),
    ("a lot",             "9" * 50,  100),
    ("0",                 "0",       None),
    ("negative",          "-1",      None),
    ("a fraction",        "1.5",     None),
    ("a word",            "all",     None),
    ("empty",             "",        None),
)  # fmt: skip


@pytest.mark.parametrize(("levels", "shown"), LEVELS)
def test_levels(desk: Desk, levels: str | None, shown: int | None) -> None:
    for price in range(1, 104):
        desk.placed(customerRef="ben", side="SELL", price=str(price), quantity="1")
    desk.match()
    response = desk.get(DEPTH, {} if levels is None else {"levels": levels}, **BOOK)
    if shown is None:
        assert fields_of(response) == ["levels"]
    else:
        asks = data_of(response)["asks"]
        assert [ask["price"] for ask in asks] == [str(price) for price in range(1, shown + 1)]


@pytest.mark.parametrize("route", cases(("depth", DEPTH), ("trades", TRADES_OF_BOOK)))
def test_nothing_is_shown_of_a_book_that_is_not_there(memory_database: Database, route: str) -> None:
    desk = open_desk(World(memory_database, settlement_mode=SettlementMode.ON_CHAIN))
    assert outcome_of(desk.get(route, orderBookId="ob_none")) == (404, "ORDER_BOOK_NOT_FOUND")
    assert outcome_of(desk.get(route, **BOOK)) == (400, "WRONG_SETTLEMENT_MODE")
    assert outcome_of(desk.get(route, orderBookId="x" * 101)) == (400, "INVALID_PARAM")


# --- trades ------------------------------------------------------------------------------------------------------


def traded(desk: Desk, *quantities: int) -> None:
    """Have ann buy these of ben at 5, one after the other."""
    for quantity in quantities:
        desk.placed(customerRef="ben", side="SELL", price="5", quantity=str(quantity))
        desk.placed(price="5", quantity=str(quantity))
        desk.match()


PAGES = cases(
    ("default",          {},                             [4, 3, 2, 1]),
    ("limit",            {"limit": "2"},                 [4, 3]),
    ("offset",           {"offset": "3"},                [1]),
    ("both",             {"limit": "2", "offset": "1"},  [3, 2]),
    ("beyond the end",   {"offset": "4"},                []),
    ("limit of 0",       {"limit": "0"},                 "limit"),
    ("limit empty",      {"limit": ""},                  "limit"),
    ("limit a fraction", {"limit": "1.5"},               "limit"),
    ("offset negative",  {"offset": "-1"},               "offset"),
    ("offset too far",   {"offset": "2147483648"},       "offset"),
)  # fmt: skip
BOTH = cases(("of the book", TRADES_OF_BOOK, BOOK), ("of the customer", TRADES_OF_CUSTOMER, {"customerRef": "ann"}))


@pytest.mark.parametrize(("route", "whose"), BOTH)
@pytest.mark.parametrize(("query", "expected"), PAGES)
def test_trades_are_listed_newest_first_and_in_pages(
    desk: Desk, route: str, whose: dict[str, Any], query: dict[str, str], expected: list[int] | str
) -> None:
    traded(desk, 1, 2, 3, 4)
    response = desk.get(route, query, **whose)
    if isinstance(expected, str):
        assert fields_of(response) == [expected]
    else:
        assert [int(row["quantity"]) for row in data_of(response)] == expected


@pytest.mark.parametrize(("route", "whose"), BOTH)
def test_a_page_of_trades_has_50_rows_by_default_and_100_at_most(desk: Desk, route: str, whose: dict[str, Any]) -> None:
    desk.placed(customerRef="ben", side="SELL", price="1", quantity="102")
    for _ in range(102):
        desk.placed(price="1", quantity="1")
    desk.match()
    for query, rows in (({}, 50), ({"limit": "100"}, 100), ({"limit": "101"}, 100)):
        assert len(data_of(desk.get(route, query, **whose))) == rows


@pytest.mark.parametrize(("route", "whose"), BOTH)
def test_trades_of_one_moment_are_in_the_order_of_their_ids(desk: Desk, route: str, whose: dict[str, Any]) -> None:
    desk.rested((1, 5), (1, 5), (1, 5))
    desk.placed(price="5", quantity="3")
    desk.match()
    rows = data_of(desk.get(route, **whose))
    assert len({row["timestamp"] for row in rows}) == 1
    assert [row["id"] for row in rows] == sorted({row["id"] for row in rows}, reverse=True)


def test_a_trade_of_a_book_has_five_members(desk: Desk) -> None:
    traded(desk, 3)
    (row,) = data_of(desk.get(TRADES_OF_BOOK, **BOOK))
    assert list(row) == ["id", "orderBookId", "price", "quantity", "timestamp"]
    assert (row["orderBookId"], row["price"], row["quantity"]) == (BOOK_ID, "5", "3")
    assert is_id("trade", row["id"])
    assert TIME.fullmatch(row["timestamp"])


def test_a_trade_of_a_customer_has_seven_members(desk: Desk) -> None:
    traded(desk, 3)
    (row,) = data_of(desk.get(TRADES_OF_CUSTOMER, customerRef="ben"))
    assert list(row) == ["id", "orderBookId", "customerRef", "price", "quantity", "side", "timestamp"]
    assert (row["customerRef"], row["side"], row["quantity"]) == ("ben", "SELL", "3")
    (other,) = data_of(desk.get(TRADES_OF_BOOK, **BOOK))
    assert (row["id"], row["timestamp"]) == (other["id"], other["timestamp"])


def test_t34_the_side_is_the_customers_own(desk: Desk) -> None:
    traded(desk, 3)
    sides = {who: data_of(desk.get(TRADES_OF_CUSTOMER, customerRef=who))[0]["side"] for who in ("ann", "ben")}
    assert sides == {"ann": "BUY", "ben": "SELL"}


def test_t34_a_trade_with_oneself_is_two_rows_with_one_id_buy_then_sell(desk: Desk) -> None:
    desk.rested((3, 5), customer="ann")
    desk.placed(price="5", quantity="3")
    desk.match()
    rows = data_of(desk.get(TRADES_OF_CUSTOMER, customerRef="ann"))
    assert [(row["id"], row["side"]) for row in rows] == [(rows[0]["id"], "BUY"), (rows[0]["id"], "SELL")]
    assert len(data_of(desk.get(TRADES_OF_BOOK, **BOOK))) == 1


SEGMENTS: list[Any] = cases(("a slash", "a%2Fb", "a/b"), ("plus", "a+b", "a+b"), ("too long", "x" * 257, None),
                            ("not UTF-8", "%FF", None))  # fmt: skip


@pytest.mark.parametrize(("segment", "customer"), SEGMENTS)
def test_a_customers_trades_are_asked_for_as_its_orders_are(
    client: Client, desk: Desk, segment: str, customer: str | None
) -> None:
    path = f"/orderbooks/stocks/api/offchain/customers/{segment}/trades"
    if customer is None:
        assert client.http.get(path, headers={"x-api-key": API_KEY}).json_body["error"]["code"] == "INVALID_PARAM"
        return
    desk.world.credit(customer, QUOTE, 5)
    desk.rested((1, 5))
    desk.placed(customerRef=customer, price="5", quantity="1")
    desk.match()
    (row,) = client.http.get(path, headers={"x-api-key": API_KEY}).json_body["data"]
    assert row["customerRef"] == customer


def test_a_customer_that_nobody_knows_has_no_trades(desk: Desk) -> None:
    assert data_of(desk.get(TRADES_OF_CUSTOMER, customerRef="nobody")) == []
