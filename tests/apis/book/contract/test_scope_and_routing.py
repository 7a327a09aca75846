"""What is served and what is not, and how a path finds its route (T1, T2)."""

from __future__ import annotations

import json

import pytest
from chalice.test import Client

from chalicelib.apis.book.routes import BOOKS, ONE_BOOK
from chalicelib.domain.books.config import SettlementMode
from chalicelib.tables.dynamodb import Database
from tests.apis.book.desk import API_KEY, ORDER, TOKEN, Desk, data_of, json_body, open_desk, outcome_of
from tests.case_tables import cases, deviates
from tests.world import BASE, BOOK_ID, QUOTE, World

ORDERS, LEDGER = "/orderbooks/stocks/api", "/custody/api"
KEY = {"x-api-key": API_KEY}
LISTED = f"{ORDERS}/offchain/customers/ann/orders"


# --- scope -------------------------------------------------------------------------------------------------------

SERVED = cases(
    ("place an order",              "POST",   f"{ORDERS}/offchain/orders"),
    ("list a customer's orders",    "GET",    f"{ORDERS}/offchain/customers/cust_12345/orders"),
    ("show an order",               "GET",    f"{ORDERS}/offchain/orders/ord_1"),
    ("amend an order",              "PATCH",  f"{ORDERS}/offchain/orders/ord_1"),
    ("cancel an order",             "DELETE", f"{ORDERS}/offchain/orders/ord_1"),
    ("make a book",                 "POST",   f"{ORDERS}/offchain/order-books"),
    ("list books",                  "GET",    f"{ORDERS}/offchain/order-books"),
    ("show a book",                 "GET",    f"{ORDERS}/offchain/order-books/ob_1"),
    ("change a book",               "PATCH",  f"{ORDERS}/order-books/ob_1"),
    ("show a book's depth",         "GET",    f"{ORDERS}/offchain/order-books/ob_1/snapshot"),
    ("list a book's trades",        "GET",    f"{ORDERS}/offchain/order-books/ob_1/trades"),
    ("list a customer's trades",    "GET",    f"{ORDERS}/offchain/customers/cust_12345/trades"),
    ("register a token",            "POST",   f"{LEDGER}/tokens"),
    ("list tokens",                 "GET",    f"{LEDGER}/tokens"),
    ("show a token",                "GET",    f"{LEDGER}/tokens/{BASE}"),
    ("credit",                      "POST",   f"{LEDGER}/balances/credit"),
    ("debit",                       "POST",   f"{LEDGER}/balances/debit"),
    ("transfer",                    "POST",   f"{LEDGER}/balances/transfer"),
    ("list balances",               "GET",    f"{LEDGER}/balances/cust_12345"),
    ("show a balance",              "GET",    f"{LEDGER}/balances/cust_12345/{BASE}"),
    ("list transactions",           "GET",    f"{LEDGER}/transactions"),
)  # fmt: skip


@pytest.mark.parametrize(("method", "path"), SERVED)
def test_a_route_that_is_served_asks_for_a_key(client: Client, method: str, path: str) -> None:
    """The route is looked at before the key: so a key that is missing proves the route."""
    response = client.http.request(method, path)
    assert (response.status_code, response.json_body["error"]["code"]) == (401, "AUTH_REQUIRED")


LATER = cases(
    ("on-chain books",          "GET",   f"{ORDERS}/order-books"),
    ("on-chain orders",         "POST",  f"{ORDERS}/orders"),
    ("settlements",             "GET",   f"{ORDERS}/offchain/settlements"),
    ("imports",                 "POST",  f"{ORDERS}/offchain/order-books/ob_1/import"),
    ("requests for quotes",     "POST",  f"{ORDERS}/offchain/rfq"),
    ("auctions",                "POST",  f"{ORDERS}/offchain/order-books/ob_1/auctions"),
    ("price references",        "GET",   f"{ORDERS}/offchain/order-books/ob_1/price-reference"),
    ("price bands",             "GET",   f"{ORDERS}/offchain/order-books/ob_1/price-bands"),
    ("statistics",              "GET",   f"{ORDERS}/offchain/order-books/ob_1/statistics"),
    ("candles",                 "GET",   f"{ORDERS}/offchain/order-books/ob_1/candles"),
    ("webhooks",                "POST",  f"{ORDERS}/webhooks"),
    ("WebSocket",               "GET",   f"{ORDERS}/ws"),
    ("ledger lock",         "POST", f"{LEDGER}/balances/lock"),
    ("ledger unlock",       "POST", f"{LEDGER}/balances/unlock"),
    ("ledger batch credit", "POST", f"{LEDGER}/balances/batch-credit"),
    ("ledger holders",          "GET",   f"{LEDGER}/tokens/{BASE}/holders"),
    ("token deactivation",      "POST",  f"{LEDGER}/tokens/{BASE}/deactivate"),
    ("amend an order",          "POST",  f"{ORDERS}/offchain/orders/ord_1/amend"),
    ("keys over the wire",      "POST",  f"{ORDERS}/keys"),
    ("T1 instances",            "POST",  "/instances"),
    ("credits of the API",      "GET",   f"{ORDERS}/credits"),
    ("the prefix of books",     "GET",   ORDERS),
    ("the prefix of the ledger", "GET",  LEDGER),
)  # fmt: skip


@pytest.mark.parametrize("key", cases(("without a key", {}), ("with a key", KEY)))
@pytest.mark.parametrize(("method", "path"), LATER)
def test_what_comes_later_is_not_found(client: Client, method: str, path: str, key: dict[str, str]) -> None:
    response = client.http.request(method, path, headers=key)
    assert (response.status_code, response.json_body["error"]["code"]) == (404, "NOT_FOUND")


def test_what_cannot_be_posted_to_a_customer_is_another_method(client: Client) -> None:
    """Only the actions that come later are no routes; to GET they are names of customers."""
    response = client.http.post(f"{LEDGER}/balances/cust_1", headers=KEY)
    assert (response.status_code, response.json_body["error"]["code"]) == (405, "METHOD_NOT_ALLOWED")
    assert response.headers["Allow"] == "GET"
    assert client.http.get(f"{LEDGER}/balances/lock", headers=KEY).status_code == 200


def test_t1_a_book_that_settles_on_chain_cannot_be_asked_for(desk: Desk) -> None:
    """It would be another book than the one that was asked for (T48)."""
    book = {"tokenAddress": QUOTE, "quoteTokenAddress": BASE, "name": "n", "symbol": "s"}
    before = desk.world.tables()
    refused = desk.send("POST", BOOKS, body=json_body(book | {"settlementMode": "ON_CHAIN"}))
    assert outcome_of(refused) == (400, "VALIDATION_ERROR")
    assert desk.world.tables() == before
    made = data_of(desk.send("POST", BOOKS, body=json_body(book | {"settlementMode": "OFF_CHAIN"})), 201)
    assert made["settlementMode"] == "OFF_CHAIN"


def test_t1_a_book_that_the_operator_made_on_chain_is_a_real_check(memory_database: Database) -> None:
    desk = open_desk(World(memory_database, settlement_mode=SettlementMode.ON_CHAIN))
    assert outcome_of(desk.place()) == (400, "WRONG_SETTLEMENT_MODE")
    assert outcome_of(desk.get(ONE_BOOK, orderBookId=BOOK_ID)) == (400, "WRONG_SETTLEMENT_MODE")


# --- T2: routing -------------------------------------------------------------------------------------------------

FOREIGN_WORDS = '403 {"message": "Missing Authentication Token"}: the words of the gateway, not of this API'
PATHS = cases(
    ("as written",                      200, LISTED),
    ("a fixed segment in upper case",   404, LISTED.replace("offchain", "OFFCHAIN")),
    ("a fixed segment in mixed case",   404, LISTED.replace("orders", "Orders")),
    ("one trailing slash",              200, f"{LISTED}/"),
    ("one trailing slash and a query",  200, f"{LISTED}/?limit=5"),
    ("two trailing slashes",            404, f"{LISTED}//"),
    ("a slash in a segment is data",    200, f"{ORDERS}/offchain/customers/a%2Fb/orders"),
    ("in lower case too",               200, f"{ORDERS}/offchain/customers/a%2fb/orders"),
    ("an encoded slash parts nothing",  404, LISTED.replace("/offchain/", "/offchain%2F")),
    ("one segment more",                404, f"{LISTED}/ord_1"),
    ("ten segments",                    404, "/a/b/c/d/e/f/g/h/i/j"),
    deviates(FOREIGN_WORDS, "eleven segments", 404, "/a/b/c/d/e/f/g/h/i/j/k"),
    ("a semicolon is data",             404, f"{LISTED};x"),
    ("unknown query parameter",         200, f"{LISTED}?colour=red"),
    ("given twice, and empty",          200, f"{LISTED}?colour=&colour="),
    ("parameters in another case",      200, f"{LISTED}?Limit=0"),
)  # fmt: skip


@pytest.mark.parametrize(("status", "path"), PATHS)
def test_t2_a_path_is_taken_to_the_letter_and_split_before_it_is_decoded(
    client: Client, status: int, path: str
) -> None:
    response = client.http.get(path, headers=KEY)
    assert response.status_code == status
    assert status == 200 or json.loads(response.body)["error"]["code"] == "NOT_FOUND"


@pytest.mark.parametrize(
    ("segment", "customer"),
    cases(("slash", "a%2Fb", "a/b"), ("percent sign", "a%252Fb", "a%2Fb"), ("space", "a%20b", "a b")),
)
def test_t2_a_segment_is_decoded_once(client: Client, desk: Desk, segment: str, customer: str) -> None:
    desk.world.credit(customer, QUOTE, 1000)
    placed = client.http.post(
        f"{ORDERS}/offchain/orders", headers=KEY, body=json_body(ORDER | {"customerRef": customer})
    )
    listed = client.http.get(f"{ORDERS}/offchain/customers/{segment}/orders", headers=KEY).json_body["data"]
    assert [row["id"] for row in listed] == [placed.json_body["data"]["id"]]


@pytest.mark.parametrize(
    ("value"), cases(("text", "red"), ("null", None), ("object", {"a": [1]}), ("number", 1.5), ("boolean", True))
)
def test_t2_an_unknown_member_of_a_body_is_ignored(desk: Desk, value: object) -> None:
    assert desk.place(colour=value).status == 201
    assert desk.post(f"{LEDGER}/tokens", **TOKEN, colour=value).status == 201
