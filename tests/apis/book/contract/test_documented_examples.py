"""The two examples of the vendor's documentation, request and answer, value by value; ids and times by form."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from chalice.test import Client

from chalicelib.domain.ledger.tokens import new_token
from chalicelib.support.clock import new_id
from chalicelib.tables.tokens import Tokens
from tests.apis.book.desk import API_KEY, TIME, UUID_4, Desk, is_id
from tests.world import INSTANCE

PLACED_BY = b"""{
  "orderBookId": "ob_offchain_001",
  "customerRef": "cust_12345",
  "side": "BUY",
  "orderType": "LIMIT",
  "price": "100000000000000000000",
  "quantity": "5000000000000000000",
  "timeInForce": "GTC"
}"""
PLACED = """{
  "success": true,
  "data": {
    "id": "ord_oc_001",
    "orderBookId": "ob_offchain_001",
    "customerRef": "cust_12345",
    "side": "BUY",
    "orderType": "LIMIT",
    "price": "100000000000000000000",
    "quantity": "5000000000000000000",
    "filledQuantity": "0",
    "status": "OPEN",
    "timeInForce": "GTC",
    "createdAt": "2025-01-15T10:30:00.000Z"
  },
  "metadata": {
    "requestId": "550e8400-e29b-41d4-a716-446655440000",
    "timestamp": "2025-01-15T10:30:00.000Z",
    "instanceId": "inst_abc"
  }
}"""
LISTED = """{
  "success": true,
  "data": [
    {
      "id": "ord_oc_001",
      "orderBookId": "ob_offchain_001",
      "customerRef": "cust_12345",
      "side": "BUY",
      "orderType": "LIMIT",
      "price": "100000000000000000000",
      "quantity": "5000000000000000000",
      "filledQuantity": "0",
      "status": "OPEN",
      "createdAt": "2025-01-15T10:30:00.000Z"
    }
  ],
  "metadata": {
    "requestId": "550e8400-e29b-41d4-a716-446655440000",
    "timestamp": "2025-01-15T10:35:00.000Z",
    "instanceId": "inst_abc"
  }
}"""
BASE, QUOTE = "0x" + "1" * 40, "0x" + "2" * 40
HEADERS = {"X-Api-Key": API_KEY, "Content-Type": "application/json"}


@pytest.fixture
def venue(desk: Desk) -> Desk:
    """The book of the examples: 18 decimals, no tick, no bounds; its customer has just what the order needs."""
    tokens = Tokens(desk.world.database)
    for address, symbol in ((BASE, "SHARE"), (QUOTE, "EURO")):
        tokens.register(INSTANCE, new_token(new_id("tok"), address, symbol, symbol))
    book = replace(
        desk.world.config, book_id="ob_offchain_001", symbol="X", base_asset=BASE, quote_asset=QUOTE, base_decimals=18
    )
    desk.world.books.create(book)
    desk.world.credit("cust_12345", QUOTE, 500000000000000000000)
    return desk


FORMS: dict[str, Callable[[str], object]] = {
    "id": lambda text: is_id("ord", text),
    "createdAt": TIME.fullmatch,
    "requestId": UUID_4.fullmatch,
    "timestamp": TIME.fullmatch,
    "instanceId": lambda text: text == INSTANCE,
}


def check_like(found: Any, documented: Any) -> None:
    """Compare types, members, their order and all values; those of FORMS by their form."""
    assert type(found) is type(documented)
    if isinstance(documented, dict):
        assert list(found) == list(documented)
        for name, value in documented.items():
            if name in FORMS:
                assert FORMS[name](found[name]), (name, found[name])
            else:
                check_like(found[name], value)
    elif isinstance(documented, list):
        assert len(found) == len(documented)
        for one, like in zip(found, documented, strict=True):
            check_like(one, like)
    else:
        assert found == documented


def test_an_order_is_placed_and_listed_as_documented(venue: Desk, client: Client) -> None:
    placed = client.http.post("/orderbooks/stocks/api/offchain/orders", headers=HEADERS, body=PLACED_BY)
    assert placed.status_code == 201
    check_like(placed.json_body, json.loads(PLACED))
    assert venue.world.balance("cust_12345", QUOTE) == (0, 500000000000000000000)
    path = "/orderbooks/stocks/api/offchain/customers/cust_12345/orders?status=OPEN&limit=20"
    listed = client.http.get(path, headers=HEADERS)
    assert listed.status_code == 200
    check_like(listed.json_body, json.loads(LISTED))
    for name in ("id", "createdAt"):
        assert listed.json_body["data"][0][name] == placed.json_body["data"][name]


# The documented table of errors of the first example.
DOCUMENTED_ERRORS: list[Any] = [
    pytest.param(code, status, settings, members, id=code)
    for code, status, settings, members in (
        ("ORDER_BOOK_NOT_FOUND", 404, {}, {"orderBookId": "ob_none"}),
        ("ORDER_BOOK_INACTIVE", 400, {"status": "PAUSED"}, {}),
        ("WRONG_SETTLEMENT_MODE", 400, {"settlement_mode": "ON_CHAIN"}, {}),
        ("INSUFFICIENT_BALANCE", 400, {}, {"quantity": "5000000000000000001"}),
        ("ORDER_TOO_SMALL", 400, {"order_size_min": 5 * 10**18 + 1}, {}),
        ("ORDER_TOO_LARGE", 400, {"order_size_max": 5 * 10**18 - 1}, {}),
        ("PRICE_REQUIRED", 400, {}, {"price": None}),
        ("INVALID_QUANTITY", 400, {}, {"quantity": "0"}),
        ("INVALID_PRICE", 400, {"tick_size": 7}, {}),
    )
]


@pytest.mark.parametrize(("code", "status", "settings", "members"), DOCUMENTED_ERRORS)
def test_the_documented_errors(
    venue: Desk, client: Client, code: str, status: int, settings: dict[str, Any], members: dict[str, Any]
) -> None:
    key = {"book": f"{INSTANCE}/ob_offchain_001", "part": "config"}
    row = venue.world.database.get("books", key)
    assert row is not None
    venue.world.database.put_many("books", [row | settings])
    body = json.dumps(json.loads(PLACED_BY) | members).encode()
    response = client.http.post("/orderbooks/stocks/api/offchain/orders", headers=HEADERS, body=body)
    assert (response.status_code, response.json_body["error"]["code"]) == (status, code)
