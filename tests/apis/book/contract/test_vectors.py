"""Examples with all their numbers: the digest of a key, holds, trades with fees, the digest of a body."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ulid import ULID

from chalicelib.apis.book.routes import LIST, PLACE
from chalicelib.support.clock import iso
from chalicelib.tables.dynamodb import Database
from tests.apis.book.desk import Desk, data_of, open_desk, outcome_of
from tests.case_tables import cases
from tests.world import BASE, QUOTE, World

KEY = "trusset_ab12CD34_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
KEY_DIGEST = "1f805992c47c78aadcbb2dbefb2b72124ad6bffb243d76f43d500cd34d07f625"
ORDER_DIGEST = "4ba2f5fa2980825d901211497c4529ea87c5491b18a6948dcc8a8883e4300e2d"
EXAMPLE = {
    "orderBookId": "ob_offchain_001", "customerRef": "cust_12345", "side": "BUY", "orderType": "LIMIT",
    "price": "100000000000000000000", "quantity": "5000000000000000000", "timeInForce": "GTC",
}  # fmt: skip
MARKET: dict[str, Any] = {"orderType": "MARKET", "price": ...}


# --- keys --------------------------------------------------------------------------------------------------------


def test_t3_of_a_key_its_digest_is_stored_and_nothing_else(desk: Desk) -> None:
    assert len(KEY) == 81
    tenants = desk.world.tenants()
    tenants.create_instance("ab12CD34", {"trading"})
    tenants.add_key("inst_ab12CD34", "key_1", KEY, 0)
    desk.send("GET", LIST, key=KEY, customerRef="ann")
    stored = repr(desk.world.tables())
    assert KEY_DIGEST in stored
    assert KEY.rpartition("_")[2] not in stored


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


# --- idempotency and ids -----------------------------------------------------------------------------------------


def test_t12_the_digest_of_the_documented_order(desk: Desk) -> None:
    """It is what is stored of the body, however the body was written."""
    text = json.dumps(EXAMPLE, indent=4)
    desk.send("POST", PLACE, body=text.encode(), headers={"idempotency-key": "order-0001"})
    (row,) = desk.world.database.scan("requests")
    assert row["body_hash"] == ORDER_DIGEST


def test_t15_the_time_part_of_a_ulid(desk: Desk) -> None:
    assert iso(ULID.from_str("01JHMR6K204D9DMWM0Y7FCREPF").milliseconds) == "2025-01-15T10:30:00.000Z"
    placed = data_of(desk.place(), 201)
    assert iso(ULID.from_str(placed["id"][4:]).milliseconds) == placed["createdAt"]
