"""What the operator does: payins, orders and wallets (E19)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.apis.escrow.cases import NOW, at, ledger, money, outcome, part
from tests.apis.escrow.desk import Desk, data_of, errors_of
from tests.case_tables import cases

# --- confirm

AMOUNTS = cases(
    ("missing",         {},                         ["amount"]),
    ("null",            {"amount": None},           ["amount"]),
    ("less",            {"amount": 149},            ["amount"]),
    ("a cent less",     {"amount": "149.99"},       ["amount"]),
    ("more",            {"amount": "150.01"},       ["amount"]),
    ("0",               {"amount": 0},              ["amount"]),
    ("below 0",         {"amount": -150},           ["amount"]),
    ("text",            {"amount": "150 EUR"},      ["amount"]),
    ("immense",         {"amount": 10**40},         ["amount"]),
    ("the value",       {"amount": 150},            200),
    ("the value, text", {"amount": "150.00"},       200),
)  # fmt: skip


@pytest.mark.parametrize(("body", "expected"), AMOUNTS)
def test_confirm_takes_the_orders_value_and_nothing_else(body: dict[str, Any], expected: int | list[str]) -> None:
    desk, order = at("PENDING_PUBLISH")
    payin, before = part(desk, order, "payin"), desk.tables()
    answer = desk.operate(f"/payins/{payin['id']}/confirm", body)
    assert outcome(answer) == expected
    if expected != 200:
        assert desk.tables() == before
        return
    assert data_of(answer) == payin | {"status": "CONFIRMED", "confirmed_at": NOW, "direct_link": None}
    assert desk.now(order)["status"] == "PUBLISHED"
    assert ledger(desk) == money(0, 150, 0, 0, 150), "a ledger credit, straight to what the buyer has held"


DECIDED = cases(
    ("confirmed",           "PUBLISHED by bank wire"),
    ("denied",              "FAILURE"),
    ("cancelled",           "replaced"),
    ("of a cancelled order", "cancelled"),
    ("refunded",            "refunded"),
    ("by wallet",           "PUBLISHED"),
)  # fmt: skip


def _decided(way: str) -> tuple[Desk, dict[str, Any]]:
    """Return a desk and a payin that is not open any more."""
    if way in ("FAILURE", "PUBLISHED"):
        desk, order = at(way)
        return desk, part(desk, order, "payin")
    desk, order = at("PENDING_PUBLISH")
    payin = part(desk, order, "payin")
    if way == "replaced":
        desk.bankwire(order)
    if way in ("PUBLISHED by bank wire", "refunded"):
        data_of(desk.operate(f"/payins/{payin['id']}/confirm", {"amount": 150}))
    if way in ("cancelled", "refunded"):
        desk.do(order, "cancel")
    return desk, payin


@pytest.mark.parametrize("command", ["confirm", "deny"])
@pytest.mark.parametrize("way", DECIDED)
def test_only_an_open_bank_wire_payin_is_decided(way: str, command: str) -> None:
    desk, payin = _decided(way)
    before = desk.tables()
    assert outcome(desk.operate(f"/payins/{payin['id']}/{command}", {"amount": 150})) == ["status"]
    assert desk.tables() == before


def test_a_confirmed_payin_settles_an_order_that_settles_at_once(desk: Desk) -> None:
    order = desk.order(auto_settle=1, value=40, fee_value=1)
    payin = desk.bankwire(order)
    assert data_of(desk.operate(f"/payins/{payin['id']}/confirm", {"amount": 40}))["status"] == "CONFIRMED"
    assert desk.now(order)["status"] == "RELEASED"
    assert ledger(desk) == money(0, 0, 39, 1, 40)


# --- deny

REASONS = cases(
    ("none",            {},                         None),
    ("null",            {"reason": None},           None),
    ("empty",           {"reason": " "},            None),
    ("text",            {"reason": " late "},       "late"),
    ("255",             {"reason": "x" * 255},      "x" * 255),
    ("256",             {"reason": "x" * 256},      ...),
    ("number",          {"reason": 5},              ...),
)  # fmt: skip


@pytest.mark.parametrize(("body", "error"), REASONS)
def test_deny_says_why_or_not(body: dict[str, Any], error: Any) -> None:
    desk, order = at("PENDING_PUBLISH")
    payin, before = part(desk, order, "payin"), desk.tables()
    answer = desk.operate(f"/payins/{payin['id']}/deny", body)
    if error is ...:
        assert outcome(answer) == ["reason"]
        assert desk.tables() == before
        return
    denied = data_of(answer)
    assert (denied["status"], denied["denied_at"], denied["provider"]["error"]) == ("DENIED", NOW, error)
    assert desk.now(order)["status"] == "FAILURE"
    assert ledger(desk) == money(0, 0, 0, 0, 0)


# --- block, unblock


@pytest.mark.parametrize("status", ["PUBLISHED", "ACCEPTED", "PENDING_VALIDATE", "PENDING_RELEASE"])
def test_a_blocked_order_goes_back_to_where_it_was(status: str) -> None:
    desk, order = at(status)
    desk.set(release_delay_seconds=60)
    blocked = data_of(desk.operate(f"/orders/{order['id']}/block", {"anything": [1]}))
    assert blocked == order | {"status": "BLOCKED_RELEASE", "status_nicename": "Blocked release"}
    assert data_of(desk.operate(f"/orders/{order['id']}/unblock")) == order
    desk.check_money()


# --- deposit

DEPOSITS = cases(
    ("nothing",             {},                                             ["amount", "reference"]),
    ("no reference",        {"amount": 1},                                  ["reference"]),
    ("no amount",           {"reference": "r"},                             ["amount"]),
    ("0",                   {"amount": 0, "reference": "r"},                ["amount"]),
    ("below 0",             {"amount": -1, "reference": "r"},               ["amount"]),
    ("not a minor unit",    {"amount": "0.001", "reference": "r"},          ["amount"]),
    ("immense",             {"amount": 10**19, "reference": "r"},           ["amount"]),
    ("text",                {"amount": "much", "reference": "r"},           ["amount"]),
    ("both",                {"amount": "x", "reference": 5},                ["amount", "reference"]),
    ("reference empty",     {"amount": 1, "reference": " "},                ["reference"]),
    ("reference 65",        {"amount": 1, "reference": "r" * 65},           ["reference"]),
    ("reference number",    {"amount": 1, "reference": 5},                  ["reference"]),
    ("reference 1",         {"amount": "0.01", "reference": "r"},           200),
    ("reference 64",        {"amount": 1, "reference": "é" * 64},           200),
    ("above every order",   {"amount": 10**12, "reference": "r"},           200),
)  # fmt: skip


@pytest.mark.parametrize(("body", "expected"), DEPOSITS)
def test_a_deposit(desk: Desk, body: dict[str, Any], expected: int | list[str]) -> None:
    before = desk.tables()
    answer = desk.operate(f"/wallets/{desk.buyer_wallet['uuid']}/deposit", body)
    assert outcome(answer) == expected
    if expected != 200:
        assert desk.tables() == before
        return
    assert data_of(answer) == desk.buyer_wallet | {"balance": Decimal(body["amount"])}
    assert ledger(desk) == money(body["amount"], 0, 0, 0, body["amount"])


def test_e19_a_reference_again_moves_nothing_and_another_amount_is_an_error(desk: Desk) -> None:
    path, body = f"/wallets/{desk.buyer_wallet['uuid']}/deposit", {"amount": 5, "reference": "bank-1"}
    first = desk.operate(path, body)
    before = desk.tables()
    assert desk.operate(path, body).body == first.body
    assert list(errors_of(desk.operate(path, body | {"amount": 6}))) == ["amount"]
    assert desk.tables() == before
    assert data_of(desk.operate(path, body | {"reference": "bank-2"}))["balance"] == 10
    other = desk.operate(f"/wallets/{desk.seller_wallet['uuid']}/deposit", body)
    assert data_of(other)["balance"] == 5, "a reference is one wallet's"


@pytest.mark.parametrize("is_first", [True, False])
def test_e19_money_that_does_not_equal_a_payin_is_booked_with_deposit_and_pays_it(is_first: bool) -> None:
    desk, order = at("PENDING_PUBLISH")
    payin = part(desk, order, "payin")
    assert outcome(desk.operate(f"/payins/{payin['id']}/confirm", {"amount": 160})) == ["amount"]
    desk.deposit(160, reference=f"order:{order['id']}" if is_first else "bank-1")
    desk.pay(order)
    assert ledger(desk) == money(10, 150, 0, 0, 160)


def test_a_deposits_reference_is_no_orders(desk: Desk) -> None:
    """Whatever the operator calls it: credits of orders have names of their own."""
    order = desk.order()
    payin = desk.bankwire(order)
    path, body = f"/wallets/{desk.buyer_wallet['uuid']}/deposit", {"amount": 150, "reference": f"order:{order['id']}"}
    assert data_of(desk.operate(path, body))["balance"] == 150
    assert data_of(desk.operate(f"/payins/{payin['id']}/confirm", {"amount": 150}))["status"] == "CONFIRMED"
    assert ledger(desk) == money(150, 150, 0, 0, 300)
    assert data_of(desk.operate(path, body))["balance"] == 150
