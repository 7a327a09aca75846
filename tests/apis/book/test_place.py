"""Placing an order over the book desk: form, checks and their order, answers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.apis.book.routes import PLACE
from chalicelib.domain.books.config import SettlementMode
from chalicelib.domain.books.vocabulary import BookStatus
from chalicelib.tables.dynamodb import Database
from tests.apis.book.desk import API_KEY, ORDER, Desk, code_of, fields_of, open_desk
from tests.world import BASE, QUOTE, World, record_of


@pytest.fixture
def desk(memory_database: Database) -> Desk:
    return open_desk(World(memory_database, order_size_min=2, order_size_max=100, tick_size=5))


def test_the_documented_example_is_answered_member_for_member(memory_database: Database) -> None:
    """A book of 18 decimals, a customer with just enough quote: the example of the vendor's documentation."""
    desk = open_desk(World(memory_database, base_decimals=18))
    desk.world.credit("cust_12345", QUOTE, 500000000000000000000)
    response = desk.place(
        customerRef="cust_12345", price="100000000000000000000", quantity="5000000000000000000", timeInForce="GTC"
    )
    assert response.status == 201
    answer = json.loads(response.body)
    data, metadata = answer["data"], answer["metadata"]
    assert list(answer) == ["success", "data", "metadata"]
    assert answer["success"] is True
    generated = {"id": data["id"], "createdAt": data["createdAt"]}
    assert list(data.items()) == list(
        {
            "id": generated["id"],
            "orderBookId": "ob_test",
            "customerRef": "cust_12345",
            "side": "BUY",
            "orderType": "LIMIT",
            "price": "100000000000000000000",
            "quantity": "5000000000000000000",
            "filledQuantity": "0",
            "status": "OPEN",
            "timeInForce": "GTC",
            "createdAt": generated["createdAt"],
        }.items()
    )
    assert list(metadata) == ["requestId", "timestamp", "instanceId"]
    assert metadata["instanceId"] == "inst_test0001"
    assert response.headers["X-Request-Id"] == metadata["requestId"]
    assert response.headers["Content-Type"] == "application/json; charset=utf-8"
    assert response.headers["Cache-Control"] == "no-store"
    assert desk.world.balance("cust_12345", QUOTE) == (0, 500000000000000000000)


@pytest.mark.parametrize(
    "quantity", ["1" * 39, "", " 1", "+1", "-1", "01", "00", "1.0", "1e3", "0x1", "abc", "1\n", "\u0661"]
)
def test_a_quantity_that_is_no_amount_string_is_a_schema_fault(desk: Desk, quantity: str) -> None:
    assert fields_of(desk.place(quantity=quantity)) == ["quantity"]


@pytest.mark.parametrize("quantity", [1, None, ..., ["1"], 1.0, True])
def test_a_quantity_that_is_no_string_is_a_schema_fault(desk: Desk, quantity: object) -> None:
    assert fields_of(desk.place(quantity=quantity)) == ["quantity"]


@pytest.mark.parametrize("price", ["", "-1", "1.5", "007", 100, ["5"]])
def test_a_limit_price_that_is_no_amount_is_a_schema_fault(desk: Desk, price: object) -> None:
    """T17"""
    assert fields_of(desk.place(price=price)) == ["price"]


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("orderBookId", ...), ("orderBookId", None), ("orderBookId", ""), ("orderBookId", "x" * 101),
        ("orderBookId", 7),
        ("customerRef", ...), ("customerRef", ""), ("customerRef", "x" * 257), ("customerRef", "a\x00b"),
        ("customerRef", "a\x7f"), ("customerRef", "a\n"), ("customerRef", "\ud800"), ("customerRef", 1),
        ("side", "buy"), ("side", " BUY"), ("side", None), ("side", ...),
        ("orderType", "STOP"), ("orderType", "limit"), ("orderType", ...),
        ("timeInForce", "GTD"), ("timeInForce", ""), ("timeInForce", 1),
        ("postOnly", "true"), ("postOnly", 1),
    ],
)  # fmt: skip
def test_a_faulty_member_is_named_alone(desk: Desk, member: str, value: object) -> None:
    before = desk.world.tables()
    assert fields_of(desk.place(**{member: value})) == [member]
    assert desk.world.tables() == before


def test_all_faulty_members_are_named_once_in_the_order_of_the_table(desk: Desk) -> None:
    """T7"""
    response = desk.send("POST", PLACE, body=b'{"postOnly": 3, "side": "buy", "timeInForce": "x", "price": "x"}')
    named = ["orderBookId", "customerRef", "side", "orderType", "price", "quantity", "timeInForce", "postOnly"]
    assert fields_of(response) == named
    assert "data" not in json.loads(response.body)


@pytest.mark.parametrize(
    "members", [{"orderType": "MARKET", "price": ...}, {"timeInForce": "IOC"}, {"timeInForce": "FOK"}]
)
def test_post_only_goes_with_limit_and_gtc_alone(desk: Desk, members: dict[str, Any]) -> None:
    """T18"""
    assert fields_of(desk.place(postOnly=True, **members)) == ["postOnly"]
    assert desk.place(postOnly=False, **members).status == 201


def test_post_only_is_never_echoed(desk: Desk) -> None:
    data = json.loads(desk.place(postOnly=True).body)["data"]
    assert len(data) == 11
    assert "postOnly" not in data


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'"x"', b"\xff{}", b'{"a": NaN}', b"[" * 60_000, b"1" * 5000, "\ufeff{}".encode()],
)
def test_a_body_that_is_no_json_object_is_a_fault_of_the_body(desk: Desk, body: bytes) -> None:
    """T11"""
    assert fields_of(desk.send("POST", PLACE, body=body)) == ["body"]


def test_unknown_members_are_ignored_and_the_last_of_two_counts(desk: Desk) -> None:
    """T2, T11"""
    text = json.dumps(ORDER | {"colour": {"deep": ["\ud800"]}}).replace(
        '"quantity": "10"', '"quantity": "x", "quantity": "20"'
    )
    response = desk.send("POST", PLACE, body=text.encode(), headers={"idempotency-key": "unknown-members"})
    assert json.loads(response.body)["data"]["quantity"] == "20"


def test_null_members_count_as_absent(desk: Desk) -> None:
    data = json.loads(desk.place(timeInForce=None, postOnly=None).body)["data"]
    assert data["timeInForce"] == "GTC"
    assert code_of(desk.place(price=None)) == (400, "PRICE_REQUIRED")


@pytest.mark.parametrize("price", ["x", 5, None, {}, "-1", ...])
def test_the_price_of_a_market_order_is_not_looked_at(desk: Desk, price: object) -> None:
    """T16, T22"""
    response = desk.place(orderType="MARKET", price=price)
    assert response.status == 201
    data = json.loads(response.body)["data"]
    assert data["price"] is None
    assert data["timeInForce"] == "GTC"


def test_the_content_type_is_not_looked_at_and_references_are_kept_to_the_letter(desk: Desk) -> None:
    ref = " Ünï / + % é 股 "
    desk.world.credit(ref, QUOTE, 1000)
    assert json.loads(desk.place(customerRef=ref).body)["data"]["customerRef"] == ref
    assert [row["customerRef"] for row in desk.rows("%20%C3%9Cn%C3%AF%20%2F%20+%20%25%20%C3%A9%20%E8%82%A1%20")] == [
        ref
    ]


def test_an_amount_of_38_digits_passes_the_schema(desk: Desk) -> None:
    assert code_of(desk.place(quantity="9" * 38)) == (400, "ORDER_TOO_LARGE")


@pytest.mark.parametrize(
    ("members", "status", "code"),
    [
        ({"orderBookId": "ob_none"}, 404, "ORDER_BOOK_NOT_FOUND"),
        ({"orderBookId": "ob_none", "price": ...}, 404, "ORDER_BOOK_NOT_FOUND"),
        ({"orderBookId": "ob_none", "quantity": "abc"}, 400, "VALIDATION_ERROR"),
        ({"price": ...}, 400, "PRICE_REQUIRED"),
        ({"price": ..., "quantity": "0"}, 400, "PRICE_REQUIRED"),
        ({"price": "0"}, 400, "INVALID_PRICE"),
        ({"price": "0", "quantity": "0"}, 400, "INVALID_PRICE"),
        ({"price": "51"}, 400, "INVALID_PRICE"),
        ({"price": "51", "quantity": "1"}, 400, "INVALID_PRICE"),
        ({"quantity": "0"}, 400, "INVALID_QUANTITY"),
        ({"quantity": "1"}, 400, "ORDER_TOO_SMALL"),
        ({"quantity": "101"}, 400, "ORDER_TOO_LARGE"),
        ({"quantity": "101", "customerRef": "nobody"}, 400, "ORDER_TOO_LARGE"),
        ({"quantity": "21"}, 400, "INSUFFICIENT_BALANCE"),
        ({"quantity": "2", "customerRef": "nobody"}, 400, "INSUFFICIENT_BALANCE"),
        ({"side": "SELL", "quantity": "2", "customerRef": "nobody"}, 400, "INSUFFICIENT_BALANCE"),
        (
            {"side": "SELL", "orderType": "MARKET", "quantity": "2", "customerRef": "nobody"},
            400,
            "INSUFFICIENT_BALANCE",
        ),
        ({"orderType": "MARKET", "quantity": "0"}, 400, "INVALID_QUANTITY"),
    ],
)
def test_the_first_fault_in_the_documented_order_is_answered_and_nothing_changes(
    desk: Desk, members: dict[str, Any], status: int, code: str
) -> None:
    """T10, T17: guarantee 9."""
    before = desk.world.tables()
    assert code_of(desk.place(**members)) == (status, code)
    assert desk.world.tables() == before


@pytest.mark.parametrize("quantity", ["2", "20"])
def test_the_bounds_of_a_book_are_allowed_values(desk: Desk, quantity: str) -> None:
    assert desk.place(quantity=quantity).status == 201


def test_the_balance_message_names_what_is_required_and_what_there_is(desk: Desk) -> None:
    message = json.loads(desk.place(quantity="21").body)["error"]["message"]
    assert message == "Insufficient balance: required 1050, available 1000"
    huge = json.loads(desk.place(quantity="100", price="5" + "0" * 27).body)["error"]["message"]
    assert huge == f"Insufficient balance: required 5{'0' * 29}, available 1000"


@pytest.mark.parametrize(
    ("config", "code"),
    [
        ({"settlement_mode": SettlementMode.ON_CHAIN, "status": BookStatus.PAUSED}, "WRONG_SETTLEMENT_MODE"),
        ({"status": BookStatus.PAUSED}, "ORDER_BOOK_INACTIVE"),
        ({"status": BookStatus.CLOSED}, "ORDER_BOOK_INACTIVE"),
    ],
)
def test_a_book_that_takes_no_orders_says_so_before_the_price_is_looked_at(
    memory_database: Database, config: dict[str, Any], code: str
) -> None:
    desk = open_desk(World(memory_database, **config))
    assert code_of(desk.place(price=...)) == (400, code)


def test_holds_follow_the_order(desk: Desk) -> None:
    desk.place(quantity="3", price="5")
    assert desk.world.balance("ann", QUOTE) == (985, 15)
    desk.place(side="SELL", quantity="7")
    assert desk.world.balance("ann", BASE) == (993, 7)
    desk.place(side="SELL", quantity="3", orderType="MARKET")
    assert desk.world.balance("ann", BASE) == (990, 10)


@pytest.mark.parametrize(
    ("quantity", "available", "hold"),
    [("4", 441, 441), ("4", 999, 441), ("4", 430, 430), ("4", 420, 420), ("4", 419, None), ("10", 1000, 557)],
)
def test_a_market_buy_holds_its_cost_lifted_by_the_collar(
    memory_database: Database, quantity: str, available: int, hold: int | None
) -> None:
    """T38: asks 2 at 100 and 3 at 110, collar 500 bps."""
    desk = open_desk(World(memory_database))
    desk.place(customerRef="ben", side="SELL", quantity="2", price="100")
    desk.place(customerRef="ben", side="SELL", quantity="3", price="110")
    rows = sorted(desk.world.database.scan("inbox"), key=lambda row: row["command"])
    desk.world.deliver(records=[record_of(row, number) for number, row in enumerate(rows, 1)])
    desk.world.credit("cat", QUOTE, available)
    response = desk.place(customerRef="cat", orderType="MARKET", quantity=quantity)
    if hold is None:
        assert code_of(response) == (400, "INSUFFICIENT_BALANCE")
        assert f"required 420, available {available}" in response.body
    else:
        assert response.status == 201
        assert desk.world.balance("cat", QUOTE) == (available - hold, hold)


def test_a_market_buy_without_asks_is_admitted_and_holds_nothing(desk: Desk) -> None:
    """T38: C = H = 0, even for a customer without an account."""
    assert desk.place(customerRef="nobody", orderType="MARKET").status == 201
    assert desk.world.balance("nobody", QUOTE) == (0, 0)


@pytest.mark.parametrize("header", ["wait=1", "respond-async, WAIT=1"])
def test_a_wait_without_a_result_answers_the_order_as_admitted(desk: Desk, header: str) -> None:
    """T21: nothing matches here, so the second passes and the header stays away."""
    response = desk.place(headers={"prefer": header})
    assert response.status == 201
    assert "Preference-Applied" not in response.headers
    assert json.loads(response.body)["data"]["status"] == "OPEN"


def test_the_key_is_in_no_table(desk: Desk) -> None:
    """T3"""
    desk.place()
    assert API_KEY.rpartition("_")[2] not in repr(desk.world.tables())
