"""Makers create orders: the checks in their order, every bad field at once, and nothing stored by a refusal (K15)."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.domain.signed.settings import DeskSettings, Domain
from chalicelib.tables.dynamodb import Database
from tests.apis.taker.desk import (
    AAPL,
    MAKER,
    MAKER_KEY,
    NOW_S,
    ORDER,
    OTHER_MAKER,
    OTHER_MAKER_KEY,
    QUOTE,
    TSLA,
    UNIT,
    Desk,
    data_of,
    details_of,
    fault_of,
    faulty_fields,
    hash_of,
    open_taker_desk,
    sign_order,
)
from tests.domain.signed.test_eip712 import SIGNATURE_OF_B, VECTORS

FORBIDDEN, CONFLICT, NO_FUNDS = (403, 403), (409, 409), (400, 400)
HOLD = 1503_500000000000000000
MEMBERS = [
    "id", "maker", "principal", "is_buy", "ticker", "exchange", "asset", "price", "quantity", "incentive", "deadline",
    "nonce", "signature", "order_hash", "status", "filled_quantity", "notes", "created_at", "updated_at",
]  # fmt: skip


def refused(desk: Desk, body: Any) -> Any:
    """Send a body that is refused, and see that it leaves nothing behind."""
    before = desk.tables()
    response = desk.maker_post("/orders", body)
    assert response.status != 200
    assert desk.tables() == before
    return response


def bad_fields(desk: Desk, **members: Any) -> list[str]:
    """Send the usual order with some members changed, ... leaves one out; return the bad fields."""
    order = {name: value for name, value in (ORDER | members).items() if value is not ...}
    return faulty_fields(refused(desk, {"order": order, "signature": SIGNATURE_OF_B}))


def test_the_published_order_is_stored_as_it_was_sent_and_its_funds_are_held(desk: Desk) -> None:
    available, _ = desk.balance(MAKER, QUOTE)
    created = data_of(desk.maker_post("/orders", {"order": ORDER, "signature": SIGNATURE_OF_B}))
    assert list(created) == MEMBERS
    assert created == ORDER | {
        "id": "5ec4bac3-a43c-89e8-b85b-ac8c991bb90f",
        "signature": SIGNATURE_OF_B,
        "order_hash": VECTORS["B"][2],
        "status": "pending",
        "filled_quantity": "0",
        "notes": None,
        "created_at": "2025-01-17T03:00:24Z",
        "updated_at": "2025-01-17T03:00:24Z",
    }
    assert desk.balance(MAKER, QUOTE) == (available - HOLD, HOLD)


def test_the_published_sell_order_holds_its_stock_and_its_incentive(desk: Desk) -> None:
    order = ORDER | {"is_buy": False, "ticker": "TSLA", "nonce": 2, "price": "200000000000000000001"}
    order |= {"quantity": "3000000000000000001"}
    created = data_of(desk.maker_post("/orders", {"order": order, "signature": VECTORS["C"][3]}))
    assert created["order_hash"] == VECTORS["C"][2]
    assert desk.balance(MAKER, TSLA)[1] == 3 * UNIT + 1
    assert desk.balance(MAKER, QUOTE)[1] == UNIT


@pytest.mark.parametrize("v", ["01", "1C"])
def test_a_signature_is_kept_in_one_form(desk: Desk, v: str) -> None:
    """K38"""
    signature = SIGNATURE_OF_B[:-2] + v
    created = data_of(desk.maker_post("/orders", {"order": ORDER, "signature": signature}))
    assert created["signature"] == SIGNATURE_OF_B


def test_addresses_are_shown_as_they_were_written(desk: Desk) -> None:
    written = {"maker": MAKER.lower(), "principal": "0x" + "Ab" * 20, "asset": "0x" + ORDER["asset"][2:].upper()}
    created = data_of(desk.create(**written))
    assert {name: created[name] for name in written} == written
    assert desk.balance(MAKER, QUOTE)[1] == HOLD


@pytest.mark.parametrize("name", list(ORDER))
@pytest.mark.parametrize("value", [..., None, [], {}])
def test_every_member_is_required(desk: Desk, name: str, value: Any) -> None:
    assert bad_fields(desk, **{name: value}) == [name]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("maker", ["0x12", MAKER[2:], MAKER + "0", "0X" + MAKER[2:], "0x" + "g" * 40, 5]),
        ("principal", ["", "0x" + "g" * 40]),
        ("is_buy", ["true", 1, 0]),
        ("ticker", ["", "aapl", "A" * 17, "A B", "A\n", 5]),
        ("exchange", [-1, 65536, "0", 0.0, True, 10**30]),
        ("asset", ["USD"]),
        ("price", ["0", 1, 1.5, "1.5", "-1", "01", "+1", "1e3", "", " 1", "\u0661", str(10**27 + 1), "9" * 5000, True]),
        ("quantity", ["0", 10**19, str(10**27 + 1)]),
        ("incentive", [0, "-1", "00", str(10**27 + 1)]),
        ("deadline", ["4102444800", 4102444800000, -1, True, 1.0]),
        ("nonce", [-1, 2**63, "1", True, 1.5]),
    ],
)
def test_a_member_is_of_its_type_and_within_its_bounds(desk: Desk, name: str, values: list[Any]) -> None:
    for value in values:
        assert bad_fields(desk, **{name: value}) == [name], value


def test_an_order_is_worth_a_base_unit_at_least(desk: Desk) -> None:
    assert bad_fields(desk, price="1", quantity=str(UNIT - 1)) == ["quantity"]
    assert desk.create(price="1", quantity=str(UNIT), incentive="0").status == 200


def test_bounds_are_inside(desk: Desk) -> None:
    desk.credit(MAKER, QUOTE, 10**36)
    desk.credit(MAKER, AAPL, 10**27)
    most = str(10**27)
    assert desk.create(price=most, quantity=most, incentive="0", exchange=0, nonce=2**63 - 1).status == 200
    assert desk.create(is_buy=False, price="1", quantity=most, incentive="0", nonce=0).status == 200


def test_all_bad_fields_are_named_at_once(desk: Desk) -> None:
    body = {"order": {**ORDER, "price": 1, "nonce": True, "ticker": ...}, "signature": 5}
    del body["order"]["ticker"]
    response = refused(desk, body)
    assert faulty_fields(response) == ["ticker", "price", "nonce", "signature"]
    assert details_of(response)["ticker"] == "is required"
    assert faulty_fields(refused(desk, {})) == ["order", "signature"]
    assert faulty_fields(refused(desk, {"order": "x", "signature": None})) == ["order", "signature"]


def test_unknown_members_are_ignored_and_camel_case_is_unknown(desk: Desk) -> None:
    assert bad_fields(desk, is_buy=..., isBuy=True) == ["is_buy"]
    body = desk.order_body()
    body["order"]["isBuy"] = False
    assert desk.maker_post("/orders", body | {"more": 1}).status == 200


@pytest.mark.parametrize(
    ("members", "fields"),
    [
        ({"asset": "0x" + "9" * 40}, ["asset"]),
        ({"asset": AAPL}, ["asset"]),
        ({"ticker": "MSFT"}, ["ticker"]),
        ({"exchange": 1}, ["ticker"]),
        ({"asset": AAPL, "ticker": "MSFT"}, ["asset", "ticker"]),
    ],
)
def test_what_the_instance_does_not_trade_is_refused(desk: Desk, members: dict[str, Any], fields: list[str]) -> None:
    assert faulty_fields(refused(desk, desk.order_body(**members))) == fields


@pytest.mark.parametrize(("seconds", "status"), [(0, 400), (1, 200), (-1, 400)])
def test_a_deadline_is_ahead(desk: Desk, seconds: int, status: int) -> None:
    response = desk.create(deadline=NOW_S + seconds)
    assert response.status == status
    assert status == 200 or faulty_fields(response) == ["deadline"]


def test_how_far_ahead_is_the_instances_setting_and_stored_orders_are_not_judged_again(desk: Desk) -> None:
    """K15"""
    order_hash = desk.created(deadline=NOW_S + 60)
    desk.change_settings(min_validity_seconds=2_592_000)
    assert faulty_fields(refused(desk, desk.order_body(deadline=NOW_S + 2_591_999, nonce=2))) == ["deadline"]
    assert desk.create(deadline=NOW_S + 2_592_000, nonce=2).status == 200
    assert desk.lock(order_hash).status == 200


@pytest.mark.parametrize(
    "signature",
    [
        "0x37" + SIGNATURE_OF_B[4:], SIGNATURE_OF_B[:-2], SIGNATURE_OF_B + "00", SIGNATURE_OF_B[:-2] + "1b",
        SIGNATURE_OF_B[:-2] + "24", sign_order(ORDER, OTHER_MAKER_KEY, DeskSettings()), "", "x", "\u00e9",
    ],
)  # fmt: skip
def test_a_signature_that_is_not_the_makers_is_a_bad_field(desk: Desk, signature: str) -> None:
    assert faulty_fields(refused(desk, {"order": ORDER, "signature": signature})) == ["signature"]


def test_an_order_is_signed_in_the_domain_of_its_instance(desk: Desk) -> None:
    other = desk.change_settings(domain=Domain(chain_id=1))
    assert faulty_fields(refused(other, {"order": ORDER, "signature": SIGNATURE_OF_B})) == ["signature"]
    created = data_of(other.create())
    assert created["order_hash"] == hash_of(ORDER, other.settings) != VECTORS["B"][2]


def test_a_nonce_is_used_once_whatever_becomes_of_its_order(desk: Desk) -> None:
    """K15"""
    order_hash = desk.created()
    again = refused(desk, desk.order_body())
    assert (fault_of(again), details_of(again)) == (CONFLICT, {"order_hash": order_hash})
    desk.cancel(order_hash)
    other = refused(desk, desk.order_body(price="1000000000000000000"))
    assert (fault_of(other), details_of(other)) == (CONFLICT, {"order_hash": order_hash})
    assert desk.as_maker(OTHER_MAKER_KEY).create().status == 200, "a nonce is its maker's"


def test_without_funds_an_order_is_not_stored(memory_database: Database) -> None:
    desk = open_taker_desk(memory_database, funds=0)
    desk.credit(MAKER, QUOTE, HOLD - 1)
    poor = refused(desk, desk.order_body())
    assert fault_of(poor) == NO_FUNDS
    assert details_of(poor) == {"asset": QUOTE, "required": str(HOLD), "available": str(HOLD - 1)}
    desk.credit(MAKER, QUOTE, 1)
    assert desk.create().status == 200
    assert desk.balance(MAKER, QUOTE) == (0, HOLD)


def test_a_sell_needs_its_stock_and_its_incentive(memory_database: Database) -> None:
    desk = open_taker_desk(memory_database, funds=0)
    desk.credit(MAKER, QUOTE, UNIT)
    no_stock = refused(desk, desk.order_body(is_buy=False))
    assert details_of(no_stock) == {"asset": AAPL, "required": ORDER["quantity"], "available": "0"}
    desk.debit(MAKER, QUOTE, 1)
    desk.credit(MAKER, AAPL, 10 * UNIT)
    no_incentive = refused(desk, desk.order_body(is_buy=False))
    assert details_of(no_incentive) == {"asset": QUOTE, "required": str(UNIT), "available": str(UNIT - 1)}


def test_without_ledger_settlement_nothing_is_held(memory_database: Database) -> None:
    """K34"""
    desk = open_taker_desk(memory_database, funds=0).change_settings(has_ledger_settlement=False)
    order_hash = desk.created()
    assert desk.lock(order_hash).status == desk.fill(order_hash, ORDER["quantity"]).status == 200
    assert desk.tables()["accounts"] == []


def test_the_checks_come_in_their_order(memory_database: Database) -> None:
    """One order with every fault, mended one by one."""
    desk = open_taker_desk(memory_database, funds=0)
    desk.credit(MAKER, QUOTE, HOLD)
    desk.created()
    order: dict[str, Any] = ORDER | {"maker": OTHER_MAKER, "asset": AAPL, "deadline": NOW_S, "price": "0"}
    body: dict[str, Any] = {"order": order, "signature": "0x"}
    assert faulty_fields(refused(desk, body)) == ["price"]
    order["price"] = ORDER["price"]
    assert faulty_fields(refused(desk, body)) == ["asset"]
    order["asset"] = ORDER["asset"]
    assert fault_of(refused(desk, body)) == FORBIDDEN
    order["maker"] = MAKER
    assert faulty_fields(refused(desk, body)) == ["deadline"]
    order["deadline"] = NOW_S + 1
    assert faulty_fields(refused(desk, body)) == ["signature"]
    body["signature"] = sign_order(order, MAKER_KEY, desk.settings)
    assert fault_of(refused(desk, body)) == CONFLICT
    order["nonce"] = 2
    body["signature"] = sign_order(order, MAKER_KEY, desk.settings)
    assert fault_of(refused(desk, body)) == NO_FUNDS
    desk.credit(MAKER, QUOTE, HOLD)
    assert desk.maker_post("/orders", body).status == 200
