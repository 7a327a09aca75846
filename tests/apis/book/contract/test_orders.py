"""A customer's orders: listing them, showing one, cancelling one (T25 to T29)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from chalice.test import Client

from chalicelib.apis.book.routes import ONE_ORDER
from chalicelib.apis.kit.http import HttpResponse
from chalicelib.domain.books.vocabulary import BookStatus, SelfTradePrevention
from chalicelib.tables.dynamodb import Database
from tests.apis.book.desk import API_KEY, TIME, Desk, data_of, fields_of, message_of, open_desk, outcome_of
from tests.case_tables import cases
from tests.waiting import Clock
from tests.world import BASE, BOOK_ID, QUOTE, World

MARKET: dict[str, Any] = {"orderType": "MARKET", "price": ...}
MISSING = (404, "ORDER_NOT_FOUND")


def ids(rows: list[dict[str, Any]]) -> list[str]:
    return [row["id"] for row in rows]


def order(desk: Desk, order_id: str, customer: str = "ann") -> dict[str, Any]:
    found: dict[str, Any] = data_of(desk.get(ONE_ORDER, {"customerRef": customer}, orderId=order_id))
    return found


# --- the list: its parameters, in their order --------------------------------------------------------------------

SEGMENTS = cases(
    ("plain",                    "ann",                "ann"),
    ("percent-encoded",          "%61nn",              "ann"),
    ("T25 plus stays plus",      "a+b",                "a+b"),
    ("256 code points",          "%C3%A9" * 256,       "é" * 256),
    ("257 code points",          "%C3%A9" * 257,       None),
    ("bad percent-encoding",     "a%2",                None),
    ("invalid UTF-8",            "%C3%28",             None),
    ("a control character",      "a%0A",               None),
)  # fmt: skip


@pytest.mark.parametrize(("segment", "customer"), SEGMENTS)
def test_the_customer_in_the_path(client: Client, desk: Desk, segment: str, customer: str | None) -> None:
    path = f"/orderbooks/stocks/api/offchain/customers/{segment}/orders"
    response = client.http.get(path, headers={"x-api-key": API_KEY})
    if customer is None:
        assert (response.status_code, response.json_body["error"]["code"]) == (400, "INVALID_PARAM")
        return
    assert response.json_body["data"] == []
    desk.world.credit(customer, QUOTE, 500)
    placed = desk.placed(customerRef=customer)
    assert ids(client.http.get(path, headers={"x-api-key": API_KEY}).json_body["data"]) == [placed]


QUERIES = cases(
    ("orderBookId known",          "orderBookId", BOOK_ID,        1),
    ("orderBookId unknown",        "orderBookId", "ob_none",      0),
    ("orderBookId of 100",         "orderBookId", "x" * 100,      0),
    ("orderBookId of 101",         "orderBookId", "x" * 101,      None),
    ("orderBookId empty",          "orderBookId", "",             None),
    ("status OPEN",                "status",      "OPEN",         1),
    ("status PARTIALLY_FILLED",    "status",      "PARTIALLY_FILLED", 0),
    ("status FILLED",              "status",      "FILLED",       0),
    ("status CANCELLED",           "status",      "CANCELLED",    0),
    ("status EXPIRED",             "status",      "EXPIRED",      0),
    ("status REJECTED",            "status",      "REJECTED",     0),
    ("status in lower case",       "status",      "open",         None),
    ("status unknown",             "status",      "NEW",          None),
    ("status empty",               "status",      "",             None),
    ("limit of 1",                 "limit",       "1",            1),
    ("limit of 0",                 "limit",       "0",            None),
    ("limit negative",             "limit",       "-1",           None),
    ("limit with a fraction",      "limit",       "1.0",          None),
    ("limit with a sign",          "limit",       "+1",           None),
    ("limit with a space",         "limit",       " 1",           None),
    ("limit with leading zeros",   "limit",       "001",          1),
    ("limit empty",                "limit",       "",             None),
    ("offset of 0",                "offset",      "0",            1),
    ("offset of 1",                "offset",      "1",            0),
    ("offset at its most",         "offset",      "2147483647",   0),
    ("offset above its most",      "offset",      "2147483648",   None),
    ("offset negative",            "offset",      "-1",           None),
    ("offset no number",           "offset",      "x",            None),
    ("offset empty",               "offset",      "",             None),
)  # fmt: skip


@pytest.mark.parametrize(("name", "value", "rows"), QUERIES)
def test_a_parameter_of_the_list(desk: Desk, name: str, value: str, rows: int | None) -> None:
    desk.placed()
    if rows is None:
        assert fields_of(desk.list(**{name: value})) == [name]
    else:
        assert len(desk.rows(**{name: value})) == rows


LIMITS = cases(("default", {}, 50), ("100", {"limit": "100"}, 100), ("101", {"limit": "101"}, 100),
               ("a lot", {"limit": "9" * 60}, 100))  # fmt: skip


@pytest.mark.parametrize(("query", "rows"), LIMITS)
def test_a_page_has_50_rows_by_default_and_100_at_most(desk: Desk, query: dict[str, str], rows: int) -> None:
    for _ in range(102):
        desk.placed(price="1", quantity="1")
    assert len(desk.rows(**query)) == rows


@pytest.mark.parametrize("name", cases(*((name, name) for name in ("orderBookId", "status", "limit", "offset"))))
def test_t25_a_parameter_given_twice_is_a_fault(client: Client, name: str) -> None:
    value = "OPEN" if name == "status" else "1"
    path = f"/orderbooks/stocks/api/offchain/customers/ann/orders?{name}={value}&{name}={value}"
    response = client.http.get(path, headers={"x-api-key": API_KEY})
    assert response.status_code == 400
    assert [detail["field"] for detail in response.json_body["error"]["details"]] == [name]


@pytest.mark.parametrize("name", cases(*((name, name) for name in ("orderBookId", "status", "limit", "offset"))))
def test_t25_an_empty_value_is_a_fault(client: Client, name: str) -> None:
    path = f"/orderbooks/stocks/api/offchain/customers/ann/orders?{name}="
    response = client.http.get(path, headers={"x-api-key": API_KEY})
    assert [detail["field"] for detail in response.json_body["error"]["details"]] == [name]


# --- the list: its rows ------------------------------------------------------------------------------------------


def test_a_row_has_ten_members_in_their_order(desk: Desk) -> None:
    """The documented pair of rows: a MARKET order that was filled in part, and an older one that rests in part."""
    resting = desk.placed(side="BUY", price="40", quantity="3")
    desk.placed(customerRef="ben", side="SELL", price="40", quantity="1")
    desk.rested((1, 60))
    taker = desk.placed(**MARKET, side="BUY", quantity="2")
    desk.match()
    newer, older = desk.rows()
    assert list(newer.items())[1:-1] == [
        ("orderBookId", BOOK_ID), ("customerRef", "ann"), ("side", "BUY"), ("orderType", "MARKET"), ("price", None),
        ("quantity", "2"), ("filledQuantity", "1"), ("status", "CANCELLED"),
    ]  # fmt: skip
    assert list(older.items())[1:-1] == [
        ("orderBookId", BOOK_ID), ("customerRef", "ann"), ("side", "BUY"), ("orderType", "LIMIT"), ("price", "40"),
        ("quantity", "3"), ("filledQuantity", "1"), ("status", "PARTIALLY_FILLED"),
    ]  # fmt: skip
    for row, order_id in ((newer, taker), (older, resting)):
        assert list(row)[::9] == ["id", "createdAt"]
        assert row["id"] == order_id
        assert TIME.fullmatch(row["createdAt"])


def test_t26_rows_are_newest_first_and_ties_by_id_descending(desk: Desk) -> None:
    placed = [desk.placed(price="1", quantity="1") for _ in range(30)]
    rows = desk.rows()
    assert ids(rows) == placed[::-1] == sorted(placed, reverse=True)
    assert [row["createdAt"] for row in rows] == sorted((row["createdAt"] for row in rows), reverse=True)


def test_t26_filters_combine_and_books_that_are_closed_are_included(desk: Desk) -> None:
    pair = {"base_asset": QUOTE, "quote_asset": BASE}
    desk.world.books.create(replace(desk.world.config, book_id="ob_two", symbol="Two", **pair))  # type: ignore[arg-type]
    here, there = desk.placed(), desk.placed(orderBookId="ob_two")
    gone = desk.placed(timeInForce="IOC")
    desk.world.change_status(BookStatus.CLOSED)
    desk.match()
    assert ids(desk.rows()) == [gone, there, here]
    assert ids(desk.rows(status="CANCELLED")) == [gone, here]
    assert ids(desk.rows(status="CANCELLED", orderBookId=BOOK_ID, limit="1")) == [gone]
    assert ids(desk.rows(status="OPEN")) == ids(desk.rows(orderBookId="ob_two")) == [there]
    assert desk.rows(status="CANCELLED", orderBookId="ob_two") == []


EMPTY: list[Any] = cases(
    ("T27 unknown customer",  "nobody", {}),
    ("T27 unknown book",      "ann",    {"orderBookId": "ob_none"}),
    ("T27 beyond the end",    "ann",    {"offset": "1"}),
    ("T27 far beyond",        "ann",    {"offset": "2147483647"}),
)  # fmt: skip


@pytest.mark.parametrize(("customer", "query"), EMPTY)
def test_t27_what_is_not_there_is_an_empty_list_and_no_total(desk: Desk, customer: str, query: dict[str, str]) -> None:
    desk.placed()
    assert data_of(desk.list(customer, **query)) == []


# --- one order ---------------------------------------------------------------------------------------------------


def test_one_order_has_two_members_more_than_when_it_was_placed(desk: Desk) -> None:
    placed = data_of(desk.place(), 201)
    found = order(desk, placed["id"])
    assert list(found.items()) == [*placed.items(), ("updatedAt", found["updatedAt"]), ("cancelReason", None)]
    assert TIME.fullmatch(found["updatedAt"])


ASKED: list[Any] = cases(
    ("orderId unknown",           "ord_none", {"customerRef": "ann"},      404, "ORDER_NOT_FOUND"),
    ("orderId of 1",              "x",        {"customerRef": "ann"},      404, "ORDER_NOT_FOUND"),
    ("orderId of 100",            "x" * 100,  {"customerRef": "ann"},      404, "ORDER_NOT_FOUND"),
    ("orderId of 101",            "x" * 101,  {"customerRef": "ann"},      400, "INVALID_PARAM"),
    ("orderId badly encoded",     "%zz",      {"customerRef": "ann"},      400, "INVALID_PARAM"),
    ("another customer's",        None,       {"customerRef": "ben"},      404, "ORDER_NOT_FOUND"),
    ("an unknown customer's",     None,       {"customerRef": "nobody"},   404, "ORDER_NOT_FOUND"),
    ("customerRef missing",       None,       {},                          400, "VALIDATION_ERROR"),
    ("customerRef empty",         None,       {"customerRef": ""},         400, "VALIDATION_ERROR"),
    ("customerRef of 257",        None,       {"customerRef": "x" * 257},  400, "VALIDATION_ERROR"),
    ("customerRef of 256",        None,       {"customerRef": "x" * 256},  404, "ORDER_NOT_FOUND"),
    ("customerRef with a control", None,      {"customerRef": "a\x00"},    400, "VALIDATION_ERROR"),
)  # fmt: skip


@pytest.mark.parametrize(("order_id", "query", "status", "code"), ASKED)
def test_one_order_is_shown_to_its_customer_alone(
    desk: Desk, order_id: str | None, query: dict[str, str], status: int, code: str
) -> None:
    placed = desk.placed()
    response = desk.get(ONE_ORDER, query, orderId=order_id or placed)
    assert outcome_of(response) == (status, code)
    assert code != "VALIDATION_ERROR" or fields_of(response) == ["customerRef"]


REASONS: list[Any] = cases(
    ("T28 not closed",             {"price": "40"},                                       None),
    ("T28 FILLED",                 {"price": "60", "quantity": "5"},                      None),
    ("T28 IOC_REMAINDER",          {"price": "60", "quantity": "8", "timeInForce": "IOC"}, "IOC_REMAINDER"),
    ("T28 MARKET_REMAINDER",       MARKET | {"quantity": "8"},                            "MARKET_REMAINDER"),
    ("T28 FOK_UNFILLABLE",         {"price": "60", "quantity": "8", "timeInForce": "FOK"}, "FOK_UNFILLABLE"),
    ("T28 POST_ONLY_WOULD_CROSS",  {"price": "60", "postOnly": True},                     "POST_ONLY_WOULD_CROSS"),
)  # fmt: skip


@pytest.mark.parametrize(("members", "reason"), REASONS)
def test_t28_a_closed_order_says_why(desk: Desk, members: dict[str, Any], reason: str | None) -> None:
    desk.rested((5, 60))
    order_id = desk.placed(**members)
    desk.match()
    assert order(desk, order_id)["cancelReason"] == reason


def test_t28_user_cancelled(desk: Desk, clock: Clock) -> None:
    order_id = desk.placed()
    clock.meanwhile = desk.match
    desk.cancel(order_id)
    assert order(desk, order_id)["cancelReason"] == "USER_CANCELLED"


def test_t28_self_trade_prevented(memory_database: Database) -> None:
    desk = open_desk(World(memory_database, self_trade_prevention=SelfTradePrevention.CANCEL_BOTH))
    orders = desk.placed(), desk.placed(side="SELL")
    desk.match()
    assert [order(desk, each)["cancelReason"] for each in orders] == ["SELF_TRADE_PREVENTED"] * 2


@pytest.mark.parametrize(
    ("status", "expected"),
    cases(
        ("T28 BOOK_CLOSED", BookStatus.CLOSED, ("CANCELLED", "BOOK_CLOSED")),
        ("T28 BOOK_INACTIVE", BookStatus.PAUSED, ("REJECTED", "BOOK_INACTIVE")),
    ),
)
def test_t28_an_order_whose_book_ended_or_paused_before_its_turn(
    desk: Desk, status: BookStatus, expected: tuple[str, str]
) -> None:
    """The close comes after the order's turn; the pause overtakes the order."""
    order_id = desk.placed()
    if status is BookStatus.CLOSED:
        desk.match()
    desk.world.change_status(status)
    assert desk.world.deliver(records=desk.world.records[-1:]) == []
    desk.match()
    found = order(desk, order_id)
    assert (found["status"], found["cancelReason"]) == expected


# --- cancelling --------------------------------------------------------------------------------------------------

CANCELS: list[Any] = cases(
    ("orderId of 101",           "x" * 101,   b'{"customerRef": "ann"}',   400, "INVALID_PARAM"),
    ("orderId badly encoded",    "%",         b'{"customerRef": "ann"}',   400, "INVALID_PARAM"),
    ("no body",                  None,        b"",                         400, "body"),
    ("customerRef missing",      None,        b"{}",                       400, "customerRef"),
    ("customerRef null",         None,        b'{"customerRef": null}',    400, "customerRef"),
    ("customerRef empty",        None,        b'{"customerRef": ""}',      400, "customerRef"),
    ("customerRef a number",     None,        b'{"customerRef": 1}',       400, "customerRef"),
    ("unknown order",            "ord_none",  b'{"customerRef": "ann"}',   404, "ORDER_NOT_FOUND"),
    ("another customer's order", None,        b'{"customerRef": "ben"}',   404, "ORDER_NOT_FOUND"),
)  # fmt: skip


@pytest.mark.parametrize(("order_id", "body", "status", "code"), CANCELS)
def test_a_cancel_that_is_faulty_or_finds_nothing_changes_nothing(
    desk: Desk, order_id: str | None, body: bytes, status: int, code: str
) -> None:
    placed = desk.placed()
    before = desk.world.tables()
    response = desk.send("DELETE", ONE_ORDER, body=body, orderId=order_id or placed)
    if code in ("body", "customerRef"):
        assert fields_of(response) == [code]
    else:
        assert outcome_of(response) == (status, code)
    assert status != 404 or message_of(response) == "Order not found or already closed"
    assert desk.world.tables() == before


def cancelled(desk: Desk, clock: Clock, order_id: str) -> HttpResponse:
    clock.meanwhile = desk.match
    return desk.cancel(order_id)


def test_an_order_that_was_live_and_is_cancelled_now(desk: Desk, clock: Clock) -> None:
    order_id = desk.placed()
    data = data_of(cancelled(desk, clock, order_id))
    assert list(data) == ["id", "status", "cancelledAt"]
    assert (data["id"], data["status"]) == (order_id, "CANCELLED")
    assert TIME.fullmatch(data["cancelledAt"])
    assert order(desk, order_id)["updatedAt"] == data["cancelledAt"]


CLOSED: list[Any] = cases(
    ("cancelled already",   {}),
    ("filled",              {"price": "60", "quantity": "5"}),
    ("closed by its type",  {"timeInForce": "IOC"}),
)  # fmt: skip


@pytest.mark.parametrize("members", CLOSED)
def test_an_order_that_is_closed_already_is_not_found(desk: Desk, clock: Clock, members: dict[str, Any]) -> None:
    desk.rested((5, 60))
    order_id = desk.placed(**members)
    if not members:
        assert cancelled(desk, clock, order_id).status == 200
    desk.match()
    response = desk.cancel(order_id)
    assert outcome_of(response) == MISSING
    assert message_of(response) == "Order not found or already closed"


def test_an_order_that_fills_while_its_cancel_is_queued_is_not_found(desk: Desk, clock: Clock) -> None:
    order_id = desk.placed()
    desk.placed(customerRef="ben", side="SELL")
    response = cancelled(desk, clock, order_id)
    assert (outcome_of(response), message_of(response)) == (MISSING, "Order not found or already closed")
    assert order(desk, order_id)["status"] == "FILLED"


def test_a_cancel_without_a_result_is_pending_after_5_seconds(desk: Desk, clock: Clock) -> None:
    response = desk.cancel(desk.placed())
    assert outcome_of(response) == (503, "CANCEL_PENDING")
    assert response.headers["Retry-After"] == "1"
    assert clock.slept_s == pytest.approx(5)


def test_t29_a_repeat_joins_the_queued_cancel_and_is_not_found_once_the_order_is_closed(
    desk: Desk, clock: Clock
) -> None:
    order_id = desk.placed()
    assert [outcome_of(desk.cancel(order_id)) for _ in range(2)] == [(503, "CANCEL_PENDING")] * 2
    queued = len(desk.world.inbox_rows())
    assert cancelled(desk, clock, order_id).status == 200
    assert outcome_of(desk.cancel(order_id)) == MISSING
    assert len(desk.world.inbox_rows()) == queued == 2
    assert order(desk, order_id)["cancelReason"] == "USER_CANCELLED"


def test_t29_it_works_on_a_paused_book_and_leaves_the_filled_part(desk: Desk, clock: Clock) -> None:
    order_id = desk.placed(price="50", quantity="10")
    desk.placed(customerRef="ben", side="SELL", price="50", quantity="4")
    desk.world.change_status(BookStatus.PAUSED)
    desk.match()
    assert desk.world.balance("ann", QUOTE) == (500, 300)
    assert cancelled(desk, clock, order_id).status == 200
    assert (order(desk, order_id)["status"], order(desk, order_id)["filledQuantity"]) == ("CANCELLED", "4")
    assert desk.world.balance("ann", QUOTE) == (800, 0)
