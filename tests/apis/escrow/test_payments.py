"""Payins and payouts over the wire (E15 to E17), and what the operator does with them and with wallets (E19)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.apis.escrow.desk import NOT_FOUND, Desk, data_of, errors_of, refusal_of
from tests.case_tables import cases

NOW = "2025-02-19T21:20:00Z"
IBAN = "ES9121000418450200051332"


def payin_of(desk: Desk, payin_id: int) -> Any:
    return data_of(desk.get(f"/payins/{payin_id}"))


# --- payins


def test_a_payin_by_wallet_is_confirmed_at_once(desk: Desk) -> None:
    """E16"""
    order = desk.order()
    desk.deposit(150)
    payin = desk.pay(order, gateway_id=1, card_id="x", save_card=True)
    assert payin == {
        "id": 1,
        "self": "/2.0/payins/1",
        "reference": "PI-1",
        "type": "WALLET",
        "subtype": None,
        "status": "CONFIRMED",
        "provider": {"wallet_id": desk.buyer_wallet["id"]},
        "tag": None,
        "direct_link": None,
        "created_at": NOW,
        "confirmed_at": NOW,
        "denied_at": None,
        "connections": {"order": f"/2.0/orders/{order['id']}"},
    }
    assert payin_of(desk, 1) == payin
    paid = desk.now(order)
    assert (paid["status"], paid["published_units"], paid["published_at"]) == ("PUBLISHED", 1, NOW)
    assert (desk.funds(), paid["payin_amount"]) == (0, "150.00 €")


def test_a_payin_by_a_wallet_that_has_too_little_is_denied_and_may_be_tried_again(desk: Desk) -> None:
    """E16"""
    order = desk.order()
    desk.deposit(100)
    payin = desk.pay(order)
    assert (payin["status"], payin["denied_at"], payin["confirmed_at"]) == ("DENIED", NOW, None)
    assert payin["provider"] == {"wallet_id": desk.buyer_wallet["id"], "error": "insufficient_funds"}
    assert (desk.now(order)["status"], desk.funds()) == ("FAILURE", 100)
    desk.deposit(50)
    assert desk.pay(order)["status"] == "CONFIRMED"
    assert desk.now(order)["status"] == "PUBLISHED"
    desk.check_money()


def test_a_payin_by_bank_wire_says_where_to_send_the_money(desk: Desk) -> None:
    """E16"""
    order = desk.order()
    payin = desk.bankwire(order)
    assert payin["provider"] == {"iban": IBAN, "beneficiary": "Shop", "reference": "PI-1"}
    assert (payin["status"], payin["direct_link"]) == ("CREATED", order["buyer_link"])
    assert desk.now(order)["status"] == "PENDING_PUBLISH"
    second = desk.bankwire(order)
    assert payin_of(desk, payin["id"])["status"] == "CANCELLED"
    assert payin_of(desk, payin["id"])["direct_link"] is None
    assert second["status"] == "CREATED"


PAYIN_FAULTS = cases(
    ("nothing", {}, ["order_id", "type"]),
    ("type", {"type": "CARD"}, ["order_id", "type"]),
    ("order_unknown", {"order_id": 99, "type": "BANKWIRE"}, ["order_id"]),
    ("order_unknown_and_no_wallet", {"order_id": 99, "type": "WALLET"}, ["order_id", "wallet_id"]),
    ("no_wallet", {"order_id": 1, "type": "WALLET"}, ["wallet_id"]),
    ("wallet_unknown", {"order_id": 1, "type": "WALLET", "wallet_id": 99}, ["wallet_id"]),
    ("wallet_text", {"order_id": "one", "type": "WALLET", "wallet_id": "x"}, ["order_id", "wallet_id"]),
)


@pytest.mark.parametrize(("body", "fields"), PAYIN_FAULTS)
def test_a_payin_that_cannot_be(desk: Desk, body: dict[str, Any], fields: list[str]) -> None:
    """E4, E15"""
    desk.order()
    before = desk.tables()
    assert sorted(errors_of(desk.post("/payins", body))) == fields
    assert desk.tables() == before


def test_a_payin_is_from_the_buyers_wallet_in_the_orders_currency(desk: Desk) -> None:
    order = desk.order()
    for wallet in (desk.seller_wallet, desk.wallet_of(desk.buyer, "JPY")):
        body = {"order_id": order["id"], "type": "WALLET", "wallet_id": wallet["id"]}
        assert list(errors_of(desk.post("/payins", body))) == ["wallet_id"]


def test_an_order_may_narrow_its_payins_by_type_and_number(desk: Desk) -> None:
    """E15"""
    order = desk.order(payin_method_types=["BANKWIRE"], payin_intents=1)
    wallet = {"order_id": order["id"], "type": "WALLET", "wallet_id": desk.buyer_wallet["id"]}
    assert list(errors_of(desk.post("/payins", wallet))) == ["type"]
    without_wallet = {"order_id": order["id"], "type": "WALLET"}
    assert sorted(errors_of(desk.post("/payins", without_wallet))) == ["type", "wallet_id"], "both at once"
    desk.bankwire(order)
    assert list(errors_of(desk.post("/payins", {"order_id": order["id"], "type": "BANKWIRE"}))) == ["payin_intents"]
    assert sorted(errors_of(desk.post("/payins", wallet))) == ["payin_intents", "type"]


def test_an_order_that_is_paid_or_has_no_buyer_takes_no_payin(desk: Desk) -> None:
    """E15"""
    for status in ("PUBLISHED", "CANCELLED", "PENDING_DETAILS"):
        order = desk.in_status(status)
        refused = errors_of(desk.post("/payins", {"order_id": order["id"], "type": "BANKWIRE"}))
        assert refused == {"status": [f"The order cannot be paid while its status is {status}."]}


def test_an_order_that_settles_at_once_shows_no_status_in_between(desk: Desk) -> None:
    """E20"""
    order = desk.order(value=40, fee_value=1, seller_id=..., auto_settle=1)
    desk.deposit(40)
    assert desk.pay(order)["status"] == "CONFIRMED"
    settled = desk.now(order)
    assert settled["status"] == "RELEASED"
    assert all(settled[name] == NOW for name in ("published_at", "accepted_at", "validated_at", "released_at"))
    assert (settled["payout_amount"], settled["fee_amount"]) == ("39.00 €", "1.00 €")
    own = settled["connections"]["seller"].rpartition("/")[2]
    assert desk.wallet_of({"uuid": own})["balance"] == 39


# --- payouts


def test_a_payout_is_set_and_paid_with_the_release(desk: Desk) -> None:
    order = desk.in_status("ACCEPTED")
    payout = desk.pay_out(order)
    assert payout == {
        "id": 1,
        "self": "/2.0/payouts/1",
        "reference": "PO-1",
        "type": "WALLET",
        "status": "CREATED",
        "provider": {"wallet_id": desk.seller_wallet["id"]},
        "created_at": NOW,
        "confirmed_at": None,
        "denied_at": None,
        "connections": {"order": f"/2.0/orders/{order['id']}"},
    }
    assert data_of(desk.get("/payouts/1")) == payout
    pending = desk.now(order)
    assert (pending["status"], pending["payout_amount"]) == ("PENDING_VALIDATE", "150.00 €")
    desk.do(order, "validate")
    assert data_of(desk.get("/payouts/1")) == payout | {"status": "CONFIRMED", "confirmed_at": NOW}
    assert desk.funds(desk.seller_wallet) == 150


PAYOUT_FAULTS = cases(
    ("nothing", {}, ["order_id", "type", "wallet_id"]),
    ("account", {"order_id": 1, "type": "ACCOUNT", "wallet_id": 1}, ["type", "wallet_id"]),
    ("bankwire", {"order_id": 1, "type": "BANKWIRE"}, ["type", "wallet_id"]),
    ("order_unknown", {"order_id": 99, "type": "WALLET", "wallet_id": 1}, ["order_id"]),
    ("wallet_unknown", {"order_id": 1, "type": "WALLET", "wallet_id": 99}, ["wallet_id"]),
)


@pytest.mark.parametrize(("body", "fields"), PAYOUT_FAULTS)
def test_a_payout_that_cannot_be(desk: Desk, body: dict[str, Any], fields: list[str]) -> None:
    """E4, E17"""
    desk.in_status("ACCEPTED")
    before = desk.tables()
    assert sorted(errors_of(desk.post("/payouts", body))) == fields
    assert desk.tables() == before


def test_only_an_accepted_order_is_paid_out(desk: Desk) -> None:
    order = desk.in_status("PUBLISHED")
    body = {"order_id": order["id"], "type": "WALLET", "wallet_id": desk.seller_wallet["id"]}
    assert errors_of(desk.post("/payouts", body)) == {
        "status": ["The order cannot be paid out while its status is PUBLISHED."]
    }


# --- the operator


def test_the_operator_confirms_the_whole_of_a_bank_wire_and_nothing_else(desk: Desk) -> None:
    order = desk.order()
    payin = desk.bankwire(order)
    before = desk.tables()
    path = f"/payins/{payin['id']}/confirm"
    for body in ({}, {"amount": 149}, {"amount": "150.01"}, {"amount": -150}, {"amount": "x"}, {"amount": 0}):
        assert list(errors_of(desk.operate(path, body))) == ["amount"]
    assert desk.tables() == before
    confirmed = data_of(desk.operate(path, {"amount": "150.00"}))
    assert confirmed == payin | {"status": "CONFIRMED", "confirmed_at": NOW, "direct_link": None}
    assert (desk.now(order)["status"], desk.funds()) == ("PUBLISHED", 0)
    for again in (path, f"/payins/{payin['id']}/deny"):
        assert list(errors_of(desk.operate(again, {"amount": 150}))) == ["status"]
    assert desk.do(order, "cancel")["refund"] == {"status": "CONFIRMED", "reference_id": f"RF-{order['id']}-1"}
    assert (payin_of(desk, payin["id"])["status"], desk.funds()) == ("REFUNDED", 150)
    desk.check_money()


def test_the_operator_denies_a_bank_wire_and_says_why_or_not(desk: Desk) -> None:
    order = desk.order()
    payin = desk.bankwire(order)
    assert list(errors_of(desk.operate(f"/payins/{payin['id']}/deny", {"reason": "x" * 256}))) == ["reason"]
    denied = data_of(desk.operate(f"/payins/{payin['id']}/deny", {"reason": "never came"}))
    assert (denied["status"], denied["provider"]["error"]) == ("DENIED", "never came")
    assert desk.now(order)["status"] == "FAILURE"
    second = desk.bankwire(order)
    denied = data_of(desk.operate(f"/payins/{second['id']}/deny"))
    assert (denied["provider"]["error"], denied["denied_at"]) == (None, NOW)


def test_a_payin_by_wallet_is_not_the_operators_to_decide(desk: Desk) -> None:
    desk.deposit(150)
    payin = desk.pay(desk.order())
    for way in ("confirm", "deny"):
        assert errors_of(desk.operate(f"/payins/{payin['id']}/{way}", {"amount": 150}))


def test_the_operator_stops_an_order_and_lets_it_go_on(desk: Desk) -> None:
    for status in ("PUBLISHED", "ACCEPTED", "PENDING_VALIDATE"):
        order = desk.in_status(status)
        blocked = data_of(desk.operate(f"/orders/{order['id']}/block"))
        assert blocked == order | {"status": "BLOCKED_RELEASE", "status_nicename": "Blocked release"}
        text = ["The order cannot be blocked while its status is BLOCKED_RELEASE."]
        assert errors_of(desk.operate(f"/orders/{order['id']}/block")) == {"status": text}
        assert data_of(desk.operate(f"/orders/{order['id']}/unblock")) == order
        assert list(errors_of(desk.operate(f"/orders/{order['id']}/unblock"))) == ["status"]


DEPOSIT_FAULTS = cases(
    ("nothing", {}, ["amount", "reference"]),
    ("zero", {"amount": 0, "reference": "r"}, ["amount"]),
    ("below", {"amount": -1, "reference": "r"}, ["amount"]),
    ("decimals", {"amount": 0.001, "reference": "r"}, ["amount"]),
    ("immense", {"amount": 10**40, "reference": "r"}, ["amount"]),
    ("reference_long", {"amount": 1, "reference": "r" * 65}, ["reference"]),
    ("reference_blank", {"amount": 1, "reference": "  "}, ["reference"]),
    ("both", {"amount": "x", "reference": 5}, ["amount", "reference"]),
)


@pytest.mark.parametrize(("body", "fields"), DEPOSIT_FAULTS)
def test_a_deposit_that_cannot_be(desk: Desk, body: dict[str, Any], fields: list[str]) -> None:
    before = desk.tables()
    assert sorted(errors_of(desk.operate(f"/wallets/{desk.buyer_wallet['uuid']}/deposit", body))) == fields
    assert desk.tables() == before


def test_a_deposit_is_done_once_under_its_reference(desk: Desk) -> None:
    """E19"""
    path, body = f"/wallets/{desk.buyer_wallet['uuid']}/deposit", {"amount": 23.77, "reference": "bank-1"}
    first = data_of(desk.operate(path, body))
    assert first == desk.buyer_wallet | {"balance": Decimal("23.77")}
    assert data_of(desk.operate(path, body)) == first
    assert list(errors_of(desk.operate(path, body | {"amount": 23.78}))) == ["amount"]
    assert desk.funds() == Decimal("23.77")
    assert desk.funds(desk.seller_wallet) == 0
    other = f"/wallets/{desk.seller_wallet['uuid']}/deposit"
    assert data_of(desk.operate(other, body))["balance"] == Decimal("23.77"), "a reference is a wallet's"
    desk.check_money()


@pytest.mark.parametrize("path", ["/payins/1/confirm", "/payins/1/deny", "/orders/1/block", "/orders/1/unblock"])
def test_what_an_operator_names_has_to_be_there(desk: Desk, path: str) -> None:
    assert refusal_of(desk.operate(path)) == NOT_FOUND
