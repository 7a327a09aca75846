"""Payouts: where the seller is paid (E17), and what a payout shows in each of its statuses."""

from __future__ import annotations

from typing import Any

import pytest

from tests.apis.escrow.cases import NO_ID, NOW, at, ledger, money, outcome, part
from tests.apis.escrow.desk import Desk, data_of, page_of
from tests.case_tables import cases

FIELDS = [
    "id", "self", "reference", "type", "status", "provider", "created_at", "confirmed_at", "denied_at", "connections",
]  # fmt: skip

BODIES = cases(
    ("nothing",             {"order_id": ..., "type": ..., "wallet_id": ...},   ["order_id", "type", "wallet_id"]),
    ("no order",            {"order_id": ...},              ["order_id"]),
    ("no type",             {"type": ...},                  ["type"]),
    ("no wallet",           {"wallet_id": ...},             ["wallet_id"]),
    ("order unknown",       {"order_id": NO_ID},            ["order_id"]),
    ("order text",          {"order_id": "x"},              ["order_id"]),
    ("e17 ACCOUNT",         {"type": "ACCOUNT"},            ["type"]),
    ("e17 BANKWIRE",        {"type": "BANKWIRE"},           ["type"]),
    ("another type",        {"type": "CARD"},               ["type"]),
    ("wallet unknown",      {"wallet_id": NO_ID},           ["wallet_id"]),
    ("wallet of the buyer", {"wallet_id": "buyer"},         ["wallet_id"]),
    ("wallet in yen",       {"wallet_id": "yen"},           ["wallet_id"]),
    ("wallet text",         {"wallet_id": "mine"},          ["wallet_id"]),
)  # fmt: skip


@pytest.mark.parametrize(("members", "fields"), BODIES)
def test_e17_a_payout_that_cannot_be(members: dict[str, Any], fields: list[str]) -> None:
    desk, order = at("ACCEPTED")
    named = {"buyer": desk.buyer_wallet["id"], "yen": desk.wallet_of(desk.seller, "JPY")["id"]}
    usual = {"order_id": order["id"], "type": "WALLET", "wallet_id": desk.seller_wallet["id"]}
    body = {name: named.get(value, value) for name, value in (usual | members).items() if value is not ...}
    before = desk.tables()
    assert outcome(desk.post("/payouts", body)) == fields
    assert desk.tables() == before


def test_a_payout_moves_no_money() -> None:
    desk, order = at("ACCEPTED")
    assert desk.pay_out(order)["status"] == "CREATED"
    assert ledger(desk) == money(0, 150, 0, 0, 150)


def _released(desk: Desk, order: dict[str, Any]) -> None:
    desk.do(order, "validate")


def _cancelled(desk: Desk, order: dict[str, Any]) -> None:
    desk.do(order, "cancel")


def _reimbursed(desk: Desk, order: dict[str, Any]) -> None:
    desk.do(order, "reimburse")


def _partly(desk: Desk, order: dict[str, Any]) -> None:
    desk.do(order, "reimburse", {"amount": 1})


def _blocked(desk: Desk, order: dict[str, Any]) -> None:
    desk.operate(f"/orders/{order['id']}/block")


AFTERWARDS = cases(
    ("set",                     None,           "CREATED"),
    ("reimbursed in part",      _partly,        "CREATED"),
    ("blocked",                 _blocked,       "CREATED"),
    ("released",                _released,      "CONFIRMED"),
    ("cancelled",               _cancelled,     "CANCELLED"),
    ("reimbursed as a whole",   _reimbursed,    "CANCELLED"),
)  # fmt: skip


@pytest.mark.parametrize(("happens", "status"), AFTERWARDS)
def test_a_payout_shows_every_field_in_every_status(happens: Any, status: str) -> None:
    desk, order = at("PENDING_VALIDATE")
    if happens:
        happens(desk, order)
    payout = part(desk, order, "payout")
    assert list(payout) == FIELDS
    assert payout == {
        "id": payout["id"],
        "self": f"/2.0/payouts/{payout['id']}",
        "reference": f"PO-{payout['id']}",
        "type": "WALLET",
        "status": status,
        "provider": {"wallet_id": desk.seller_wallet["id"]},
        "created_at": NOW,
        "confirmed_at": NOW if status == "CONFIRMED" else None,
        "denied_at": None,
        "connections": {"order": order["self"]},
    }
    assert data_of(desk.get(f"/payouts/{payout['id']}")) == payout
    assert page_of(desk.get("/payouts"))["data"] == [payout]


@pytest.mark.parametrize("status", ["ACCEPTED", "PUBLISHED"])
def test_an_order_that_is_validated_without_a_payout_gets_one(status: str) -> None:
    desk, order = at(status)
    desk.do(order, "validate", {"auto_accept": 1})
    payout = part(desk, order, "payout")
    assert (payout["status"], payout["provider"]) == ("CONFIRMED", {"wallet_id": desk.seller_wallet["id"]})
    assert page_of(desk.get("/payouts"))["total"] == 1


def test_an_order_has_one_payout(desk: Desk) -> None:
    order = desk.in_status("PENDING_VALIDATE")
    body = {"order_id": order["id"], "type": "WALLET", "wallet_id": desk.seller_wallet["id"]}
    assert outcome(desk.post("/payouts", body)) == ["status"]
    desk.do(order, "validate")
    assert page_of(desk.get("/payouts"))["total"] == 1
