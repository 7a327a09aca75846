"""Examples with all their numbers: keys, amounts, holds, precedence, paths, idempotency. The rules stand above."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from chalice.test import Client
from ulid import ULID

from chalicelib.apis.book.routes import LIST, PLACE
from chalicelib.apis.kit.http import HttpResponse
from chalicelib.domain.books.config import SettlementMode
from chalicelib.domain.books.vocabulary import BookStatus
from chalicelib.support.clock import iso
from chalicelib.tables.dynamodb import Database
from tests.apis.book.desk import API_KEY, Desk, data_of, fields_of, open_desk, outcome_of
from tests.case_tables import cases
from tests.world import BASE, INSTANCE, QUOTE, World

KEY = "trusset_ab12CD34_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
KEY_DIGEST = "1f805992c47c78aadcbb2dbefb2b72124ad6bffb243d76f43d500cd34d07f625"
ORDER_DIGEST = "4ba2f5fa2980825d901211497c4529ea87c5491b18a6948dcc8a8883e4300e2d"
EXAMPLE = {
    "orderBookId": "ob_offchain_001", "customerRef": "cust_12345", "side": "BUY", "orderType": "LIMIT",
    "price": "100000000000000000000", "quantity": "5000000000000000000", "timeInForce": "GTC",
}  # fmt: skip
MARKET: dict[str, Any] = {"orderType": "MARKET", "price": ...}


# --- keys --------------------------------------------------------------------------------------------------------

KEYS = cases(
    ("well-formed",             KEY,                                                  None),
    ("in upper case in front",  KEY.replace("trusset_", "TRUSSET_"),                  "AUTH_FAILED"),
    ("7 reference characters",  KEY.replace("ab12CD34", "ab12CD3"),                   "AUTH_FAILED"),
    ("9 reference characters",  KEY.replace("ab12CD34", "ab12CD345"),                 "AUTH_FAILED"),
    ("63 secret characters",    KEY[:-1],                                             "AUTH_FAILED"),
    ("upper-case hexadecimal",  KEY.replace("abcdef", "ABCDEF"),                      "AUTH_FAILED"),
    ("a trailing character",    KEY + "0",                                            "AUTH_FAILED"),
    ("no header",               None,                                                 "AUTH_REQUIRED"),
    ("an empty header",         "",                                                   "AUTH_REQUIRED"),
)  # fmt: skip


@pytest.mark.parametrize(("key", "code"), KEYS)
def test_keys(desk: Desk, key: str | None, code: str | None) -> None:
    tenants = desk.world.tenants()
    tenants.create_instance("ab12CD34", {"trading"})
    tenants.add_key("inst_ab12CD34", "key_1", KEY, 0)
    response = desk.send("GET", LIST, key=key, customerRef="ann")
    assert outcome_of(response) == ((200, None) if code is None else (401, code))


def test_t3_of_a_key_its_digest_is_stored_and_nothing_else(desk: Desk) -> None:
    assert len(KEY) == 81
    tenants = desk.world.tenants()
    tenants.create_instance("ab12CD34", {"trading"})
    tenants.add_key("inst_ab12CD34", "key_1", KEY, 0)
    desk.send("GET", LIST, key=KEY, customerRef="ann")
    stored = repr(desk.world.tables())
    assert KEY_DIGEST in stored
    assert KEY.rpartition("_")[2] not in stored


# --- amounts, as quantity ----------------------------------------------------------------------------------------

AMOUNTS = cases(
    ("1",               "1",          (201, None)),
    ("38 nines",        "9" * 38,     (400, "ORDER_TOO_LARGE")),
    ("0",               "0",          (400, "INVALID_QUANTITY")),
    *((repr(text), text, (400, "VALIDATION_ERROR")) for text in (
        "9" * 39, "", " 1", "+1", "-1", "01", "00", "1.0", "1e3", "0x1", "abc")),
    ("the number 1",    1,            (400, "VALIDATION_ERROR")),
    ("null",            None,         (400, "VALIDATION_ERROR")),
    ("missing",         ...,          (400, "VALIDATION_ERROR")),
    ('["1"]',           ["1"],        (400, "VALIDATION_ERROR")),
)  # fmt: skip


@pytest.mark.parametrize(("quantity", "expected"), AMOUNTS)
def test_amounts(desk: Desk, quantity: object, expected: tuple[int, str | None]) -> None:
    response = desk.place(quantity=quantity)
    assert outcome_of(response) == expected
    assert expected[1] != "VALIDATION_ERROR" or fields_of(response) == ["quantity"]


# --- holds and trades --------------------------------------------------------------------------------------------


def market(database: Database, decimals: int, **config: Any) -> Desk:
    """A desk whose sellers have plenty of base, and whose buyer has 10^24 of quote."""
    desk = open_desk(World(database, base_decimals=decimals, **config))
    desk.world.credit("seller", BASE, 10**24)
    desk.world.credit("buyer", QUOTE, 10**24)
    return desk


def sell(desk: Desk, quantity: int, price: int) -> str:
    order_id = desk.placed(customerRef="seller", side="SELL", price=str(price), quantity=str(quantity))
    desk.match()
    return order_id


def spent_and_held(desk: Desk) -> tuple[int, int]:
    """Return what the buyer has paid by now, and what is held of it."""
    available, held = desk.world.balance("buyer", QUOTE)
    return 10**24 - available - held, held


WHOLE, HUNDRED = 5 * 10**18, 100 * 10**18
# decimals, the order (price, quantity), its hold; after each fill (quantity, price): paid in all, held
HOLDS: list[Any] = cases(
    ("18 decimals, the documented order",  18, (HUNDRED, WHOLE),    500 * 10**18, []),
    ("8 decimals, filled whole",           8,  (4260000, 2347418),  100001,       [((2347418, 4260000), (100000, 0))]),
    ("1 decimal, filled in two",           1,  (7, 15),             11, [((5, 7), (3, 7)), ((10, 7), (10, 0))]),
    ("0 decimals, at a better price",      0,  (100, 5),            500,          [((2, 90), (180, 300))]),
)  # fmt: skip


@pytest.mark.parametrize(("decimals", "order", "hold", "fills"), HOLDS)
def test_holds(
    memory_database: Database,
    decimals: int,
    order: tuple[int, int],
    hold: int,
    fills: list[tuple[tuple[int, int], tuple[int, int]]],
) -> None:
    desk = market(memory_database, decimals)
    price, quantity = order
    for (sold, asked), _ in fills[:1]:
        sell(desk, sold, asked)
    desk.placed(customerRef="buyer", price=str(price), quantity=str(quantity))
    assert spent_and_held(desk) == (0, hold)
    desk.match()
    for number, ((sold, asked), expected) in enumerate(fills):
        if number:
            sell(desk, sold, asked)
        assert spent_and_held(desk) == expected


def test_a_trade_with_fees(memory_database: Database) -> None:
    """2 x 10^18 at 10^20, the buyer the taker with 15 bps, the seller the maker with 5."""
    desk = market(memory_database, 18, maker_fee_bps=5, taker_fee_bps=15)
    sell(desk, 2 * 10**18, HUNDRED)
    desk.placed(customerRef="buyer", price=str(HUNDRED), quantity=str(2 * 10**18))
    desk.match()
    assert spent_and_held(desk) == (200000000000000000000, 0)
    assert desk.world.balance("buyer", BASE) == (1997000000000000000, 0)
    assert desk.world.balance("seller", QUOTE) == (199900000000000000000, 0)
    assert (desk.world.fees(BASE), desk.world.fees(QUOTE)) == (3000000000000000, 100000000000000000)


# MARKET BUY with 0 decimals and a collar of 500 bps, asks 2 at 100 and 3 at 110.
COLLARED = cases(
    ("441 available",        "4",  441,  441),
    ("more available",       "4",  9999, 441),
    ("430 available",        "4",  430,  430),
    ("420 available",        "4",  420,  420),
    ("419 available",        "4",  419,  None),
    ("10 of the 5 that are asked", "10", 1000, 557),
)  # fmt: skip


@pytest.mark.parametrize(("quantity", "available", "hold"), COLLARED)
def test_a_market_buy(desk: Desk, quantity: str, available: int, hold: int | None) -> None:
    desk.rested((2, 100), (3, 110))
    desk.world.credit("buyer", QUOTE, available)
    response = desk.place(customerRef="buyer", orderType="MARKET", quantity=quantity)
    if hold is None:
        assert outcome_of(response) == (400, "INSUFFICIENT_BALANCE")
        assert f"required 420, available {available}" in response.body
        return
    assert response.status == 201
    assert desk.world.balance("buyer", QUOTE) == (available - hold, hold)


def test_a_market_buy_of_more_than_is_asked(desk: Desk) -> None:
    desk.rested((2, 100), (3, 110))
    desk.world.credit("buyer", QUOTE, 1000)
    desk.placed(customerRef="buyer", orderType="MARKET", quantity="10")
    desk.match()
    (row,) = desk.rows("buyer")
    assert (row["status"], row["filledQuantity"]) == ("CANCELLED", "5")
    assert desk.world.balance("buyer", QUOTE) == (1000 - 530, 0)


def test_a_market_buy_that_finds_dearer_asks_at_its_turn(desk: Desk) -> None:
    cheap = desk.rested((2, 100), (3, 110))
    desk.world.credit("buyer", QUOTE, 430)
    desk.placed(customerRef="ben", side="SELL", price="120", quantity="4")
    for order_id in cheap:
        assert outcome_of(desk.cancel(order_id, "ben")) == (503, "CANCEL_PENDING")
    desk.placed(customerRef="buyer", orderType="MARKET", quantity="4")
    assert desk.world.balance("buyer", QUOTE) == (0, 430)
    desk.match()
    (row,) = desk.rows("buyer")
    assert (row["status"], row["filledQuantity"]) == ("CANCELLED", "3")
    assert desk.world.balance("buyer", QUOTE) == (70, 0)


# --- precedence --------------------------------------------------------------------------------------------------


def without_the_service(desk: Desk) -> HttpResponse:
    desk.world.tenants().change(INSTANCE, lambda found: found.without_service("trading"))
    return desk.send("POST", PLACE, body=b"{")


def without_a_key(desk: Desk) -> HttpResponse:
    return desk.send("POST", PLACE, key=None, body=b"{")


CHAINED = {"settlement_mode": SettlementMode.ON_CHAIN, "status": BookStatus.PAUSED}
PRECEDENCE: list[Any] = cases(
    ("no key, invalid JSON",                {}, without_a_key, 401, "AUTH_REQUIRED"),
    ("service missing, invalid JSON",       {}, without_the_service, 403, "SERVICE_NOT_ENABLED"),
    ("unknown book, quantity abc",          {}, {"orderBookId": "ob_none", "quantity": "abc"}, 400, "VALIDATION_ERROR"),
    ("unknown book, no price",              {}, {"orderBookId": "ob_none", "price": ...}, 404, "ORDER_BOOK_NOT_FOUND"),
    ("on-chain paused book",                CHAINED, {}, 400, "WRONG_SETTLEMENT_MODE"),
    ("paused book, no price",               {"status": BookStatus.PAUSED}, {"price": ...}, 400, "ORDER_BOOK_INACTIVE"),
    ("no price, quantity 0",                {}, {"price": ..., "quantity": "0"}, 400, "PRICE_REQUIRED"),
    ("price 0, quantity 0",                 {}, {"price": "0", "quantity": "0"}, 400, "INVALID_PRICE"),
    ("price off-tick, quantity too small",  {"tick_size": 3, "order_size_min": 99}, {}, 400, "INVALID_PRICE"),
    ("quantity 0, minimum 10",              {"order_size_min": 10}, {"quantity": "0"}, 400, "INVALID_QUANTITY"),
    ("quantity too large, no balance",      {"order_size_max": 9}, {"customerRef": "nobody"}, 400, "ORDER_TOO_LARGE"),
    ("MARKET, price x",                     {}, {"orderType": "MARKET", "price": "x"}, 201, None),
    ("side buy, quantity missing",          {}, {"side": "buy", "quantity": ...}, 400, "VALIDATION_ERROR"),
)  # fmt: skip


@pytest.mark.parametrize(("config", "request_", "status", "code"), PRECEDENCE)
def test_precedence(
    memory_database: Database,
    config: dict[str, Any],
    request_: dict[str, Any] | Callable[[Desk], HttpResponse],
    status: int,
    code: str | None,
) -> None:
    desk = open_desk(World(memory_database, **config))
    response = desk.place(**request_) if isinstance(request_, dict) else request_(desk)
    assert outcome_of(response) == (status, code)
    if status == 201:
        assert data_of(response, 201)["price"] is None
    if isinstance(request_, dict) and request_.get("side") == "buy":
        assert fields_of(response) == ["side", "quantity"]


# --- path and query of the list ----------------------------------------------------------------------------------

SEGMENTS = cases(
    ("a name of colons",    "urn%3Acustomer%3Abank-x%3A12345", "urn:customer:bank-x:12345"),
    ("a slash",             "a%2Fb",                           "a/b"),
    ("a plus",              "a+b",                             "a+b"),
    ("256 code points",     "%C3%A9" * 256,                    "é" * 256),
    ("257 times x",         "x" * 257,                         None),
    ("%FF",                 "%FF",                             None),
    ("%zz",                 "%zz",                             None),
    ("%00",                 "%00",                             None),
)  # fmt: skip


@pytest.mark.parametrize(("segment", "ref"), SEGMENTS)
def test_a_path_segment(client: Client, desk: Desk, segment: str, ref: str | None) -> None:
    path = f"/orderbooks/stocks/api/offchain/customers/{segment}/orders"
    if ref is not None:
        desk.world.credit(ref, QUOTE, 500)
        desk.placed(customerRef=ref)
    answer = client.http.get(path, headers={"x-api-key": API_KEY}).json_body
    if ref is None:
        assert answer["error"]["code"] == "INVALID_PARAM"
    else:
        assert [row["customerRef"] for row in answer["data"]] == [ref]


QUERIES = cases(
    *((f"limit={value}", f"limit={value}", 100) for value in ("100", "101", "999999")),
    *((f"limit={value}", f"limit={value}", "limit") for value in ("0", "-1", "1.5", "abc", "")),
    *((f"offset={value}", f"offset={value}", "offset") for value in ("-1", "x")),
    *((f"status={value}", f"status={value}", "status") for value in ("open", "NEW", "OPEN,FILLED", "")),
    ("status=REJECTED", "status=REJECTED", 0),
    ("orderBookId=ob_none", "orderBookId=ob_none", 0),
)


@pytest.mark.parametrize(("query", "expected"), QUERIES)
def test_a_query(client: Client, desk: Desk, query: str, expected: int | str) -> None:
    """There are 101 orders where rows are counted."""
    for _ in range(101 if expected == 100 else 0):
        desk.placed(price="1", quantity="1")
    path = f"/orderbooks/stocks/api/offchain/customers/ann/orders?{query}"
    response = client.http.get(path, headers={"x-api-key": API_KEY})
    if isinstance(expected, int):
        assert response.status_code == 200
        assert len(response.json_body["data"]) == expected
    else:
        error = response.json_body["error"]
        assert error["code"] == "VALIDATION_ERROR"
        assert [detail["field"] for detail in error["details"]] == [expected]


# --- idempotency and ids -----------------------------------------------------------------------------------------


def test_t12_the_digest_of_the_documented_order(desk: Desk) -> None:
    """It is what is stored of the body, however the body was written."""
    text = json.dumps(EXAMPLE, indent=4)
    desk.send("POST", PLACE, body=text.encode(), headers={"idempotency-key": "order-0001"})
    (row,) = desk.world.database.scan("requests")
    assert row["body_hash"] == ORDER_DIGEST


@pytest.mark.parametrize(
    ("key", "quantity", "status", "code"),
    cases(
        ("the same again", "order-0001", "10", 201, None),
        ("another quantity", "order-0001", "11", 409, "IDEMPOTENCY_MISMATCH"),
        ("a short key", "short", "10", 400, "IDEMPOTENCY_KEY_REQUIRED"),
    ),
)
def test_a_second_request(desk: Desk, key: str, quantity: str, status: int, code: str | None) -> None:
    first = desk.place(headers={"idempotency-key": "order-0001"}, price="50")
    second = desk.place(headers={"idempotency-key": key}, price="50", quantity=quantity)
    assert outcome_of(second) == (status, code)
    assert (second.body == first.body) == (second.headers.get("Idempotent-Replay") == "true") == (status == 201)
    assert len(desk.rows()) == 1
    assert desk.world.balance("ann", QUOTE) == (500, 500)


def test_t15_the_time_part_of_a_ulid(desk: Desk) -> None:
    assert iso(ULID.from_str("01JHMR6K204D9DMWM0Y7FCREPF").milliseconds) == "2025-01-15T10:30:00.000Z"
    placed = data_of(desk.place(), 201)
    assert iso(ULID.from_str(placed["id"][4:]).milliseconds) == placed["createdAt"]
