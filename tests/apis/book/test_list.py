"""Listing a customer's orders: rows, filters, pages, and what a path segment may be."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from ulid import ULID

from chalicelib.apis.book import order_schema
from chalicelib.apis.book.routes import LIST
from chalicelib.domain.ledger.tokens import new_token
from chalicelib.services.books.admission import Admission
from chalicelib.support import clock
from chalicelib.support.ids import time_of
from chalicelib.tables import orders as orders_module
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.tokens import Tokens
from tests.apis.book.desk import Desk, code_of, fields_of, open_desk
from tests.world import QUOTE, World, record_of


@pytest.fixture
def desk(memory_database: Database) -> Desk:
    return open_desk(World(memory_database))


def ulid_at(at_ms: int) -> ULID:
    return ULID.from_bytes(at_ms.to_bytes(6, "big") + bytes(10))


def match(desk: Desk) -> None:
    rows = sorted(desk.world.database.scan("inbox"), key=lambda row: row["command"])
    assert desk.world.deliver(records=[record_of(row, number) for number, row in enumerate(rows, 1)]) == []


def test_a_row_has_the_ten_documented_members_in_order(desk: Desk) -> None:
    placed = json.loads(desk.place(timeInForce="GTC").body)["data"]
    (row,) = desk.rows(status="OPEN", limit="20")
    del placed["timeInForce"]
    assert list(row.items()) == list(placed.items())
    assert len(row) == 10


def test_rows_come_newest_first_and_in_pages(desk: Desk) -> None:
    """T26, T27"""
    ids = [json.loads(desk.place(quantity="1").body)["data"]["id"] for _ in range(7)]
    assert [row["id"] for row in desk.rows()] == ids[::-1]
    assert [row["id"] for row in desk.rows(limit="3", offset="2")] == ids[::-1][2:5]
    assert desk.rows(offset="7") == []
    assert desk.rows(offset="2147483647") == []


def test_filters_combine_and_the_live_ones_read_the_index(desk: Desk) -> None:
    second = replace(desk.world.config, book_id="ob_two", symbol="B/R", quote_asset="0x" + "d" * 40)
    desk.world.books.create(second)
    tokens = Tokens(desk.world.database)
    tokens.register(second.instance, new_token(clock.new_id("tok"), second.quote_asset, "R", "R"))
    desk.world.credit("ann", second.quote_asset, 1000)
    resting = json.loads(desk.place(quantity="4").body)["data"]["id"]
    elsewhere = json.loads(desk.place(orderBookId="ob_two").body)["data"]["id"]
    desk.place(customerRef="ben", side="SELL", quantity="1")
    filled = json.loads(desk.place(side="SELL", quantity="1", price="1").body)["data"]["id"]
    match(desk)
    assert [(row["id"], row["filledQuantity"]) for row in desk.rows(status="PARTIALLY_FILLED")] == [(resting, "2")]
    assert [row["id"] for row in desk.rows(status="OPEN")] == [elsewhere]
    assert [row["id"] for row in desk.rows(status="FILLED")] == [filled]
    assert [row["id"] for row in desk.rows(orderBookId="ob_two")] == [elsewhere]
    assert desk.rows(orderBookId="ob_two", status="FILLED") == []
    assert desk.rows(status="REJECTED") == desk.rows(orderBookId="ob_none") == desk.rows("nobody") == []


def test_live_orders_older_than_the_index_lag_are_found_in_the_index(
    desk: Desk,
) -> None:
    """Young orders are read from the table, old ones through the index: together each once, newest first."""
    then = clock.now_ms() - orders_module.INDEX_LAG_MS_MAX - 5000
    old: list[str] = []
    earlier = Admission(desk.world.database, new_id=lambda prefix: f"{prefix}_{ulid_at(then + len(old))}")
    desk.world.admission = earlier
    for _ in range(5):
        old.append(desk.world.placed("ann", "BUY", 1, 50))
    assert {time_of(order_id) for order_id in old} == set(range(then, then + 5))
    young = [json.loads(desk.place(quantity="1").body)["data"]["id"] for _ in range(2)]
    assert [row["id"] for row in desk.rows(status="OPEN")] == (old + young)[::-1]
    for limit in range(1, 8):  # pages that end within the young ones, between them, and within the old ones
        assert [row["id"] for row in desk.rows(status="OPEN", limit=str(limit))] == (old + young)[::-1][:limit]
    assert [row["id"] for row in desk.rows(status="OPEN", offset="3", limit="3")] == (old + young)[::-1][3:6]


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ({}, 50), ({"limit": "1"}, 10), ({"limit": "30", "offset": "25"}, 55), ({"offset": "5000"}, 842),
        ({"status": "OPEN", "limit": "20"}, 20), ({"status": "FILLED", "limit": "1"}, 100),
        ({"orderBookId": "ob", "limit": "1"}, 100),
    ],
)  # fmt: skip
def test_as_many_rows_are_read_at_a_time_as_are_needed(query: dict[str, str], rows: int) -> None:
    """A filter that may pass over most rows reads many at a time, whatever the page."""
    assert order_schema.list_query({name: [value] for name, value in query.items()}).rows_at_a_time == rows


@pytest.mark.parametrize("limit", ["100", "101", "999999", "9" * 5000, "0100"])
def test_a_page_has_a_hundred_rows_at_most(desk: Desk, limit: str) -> None:
    template = desk.place(quantity="1").body
    (row,) = desk.world.database.scan("orders")
    copies = [row | {"order_id": f"{row['order_id'][:-3]}{number:03d}"} for number in range(105)]
    desk.world.database.put_many("orders", copies)
    assert json.loads(template)["success"]
    assert len(desk.rows(limit=limit)) == 100
    assert len(desk.rows()) == 50


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name in ("limit", "offset") for value in ("-1", "1.5", "abc", "", " 1", "+1", "\u0661")]
    + [("limit", "0"), ("limit", "00"), ("offset", "2147483648"), ("offset", "9" * 5000), ("offset", "x")]
    + [("status", value) for value in ("open", "NEW", "OPEN,FILLED", "", "OPEN\n")]
    + [("orderBookId", ""), ("orderBookId", "x" * 101)],
)
def test_a_faulty_parameter_is_named(desk: Desk, name: str, value: str) -> None:
    assert fields_of(desk.list(**{name: value})) == [name]


def test_faults_are_listed_in_the_order_of_the_table_and_a_repeated_parameter_is_one(desk: Desk) -> None:
    """T25"""
    query = {"offset": ["x"], "limit": ["1", "2"], "status": ["x"], "orderBookId": [""], "unknown": ["x", "y"]}
    response = desk.send("GET", LIST, query=query, customerRef="ann")
    assert fields_of(response) == ["orderBookId", "status", "limit", "offset"]


@pytest.mark.parametrize(
    ("segment", "ref"),
    [
        ("urn%3Acustomer%3Abank-x%3A12345", "urn:customer:bank-x:12345"),
        ("a%2Fb", "a/b"),
        ("a+b", "a+b"),
        ("%C3%A9" * 256, "é" * 256),
    ],
)
def test_a_path_segment_is_decoded_once(desk: Desk, segment: str, ref: str) -> None:
    desk.world.credit(ref, QUOTE, 1000)
    assert desk.place(customerRef=ref).status == 201
    assert [row["customerRef"] for row in desk.rows(segment)] == [ref]


@pytest.mark.parametrize("segment", ["x" * 257, "%FF", "%zz", "%00", "%", "%7F", "a%0Ab", "%ED%A0%80"])
def test_a_segment_that_is_no_reference_is_an_invalid_parameter(desk: Desk, segment: str) -> None:
    """It comes before faults of the query (T10)."""
    assert code_of(desk.list(segment, limit="0")) == (400, "INVALID_PARAM")
