"""accept, reject, cancel, validate and reimburse: their fields and what they do with them (E14, E22)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from chalicelib.services.escrow.desk import EscrowDesk
from tests.apis.escrow.cases import HOLDING, NO_ID, NOW, STATUSES, UNPAID, at, ledger, money, outcome, part
from tests.apis.escrow.desk import Desk, data_of, errors_of
from tests.case_tables import cases

# --- accept, reject


@pytest.mark.parametrize(("command", "status"), [("accept", "ACCEPTED"), ("reject", "REJECTED")])
def test_accept_and_reject_take_no_fields_and_leave_the_money(command: str, status: str) -> None:
    desk, order = at("PUBLISHED")
    assert desk.do(order, command, {"tag": 5, "metadata": "x", "amount": -1})["status"] == status
    assert ledger(desk) == money(0, 150, 0, 0, 150)


# --- cancel

CANCELS = cases(
    ("nothing",             None,                                       "old",  {"a": 1, "b": 2}),
    ("tag",                 {"tag": "new"},                             "new",  {"a": 1, "b": 2}),
    ("tag empty",           {"tag": " "},                               "old",  {"a": 1, "b": 2}),
    ("metadata",            {"metadata": {"b": 3, "c": None}},          "old",  {"a": 1, "b": 3, "c": None}),
    ("bankaccount_id",      {"bankaccount_id": NO_ID},                  "old",  {"a": 1, "b": 2}),
    ("bankaccount_id text", {"bankaccount_id": {"x": []}, "tag": "n"},  "n",    {"a": 1, "b": 2}),
)  # fmt: skip


@pytest.mark.parametrize(("body", "tag", "metadata"), CANCELS)
def test_e14_cancel_replaces_the_tag_merges_metadata_and_ignores_the_bank_account(
    desk: Desk, body: dict[str, Any] | None, tag: str, metadata: dict[str, Any]
) -> None:
    order = desk.paid(tag="old", metadata={"a": 1, "b": 2})
    cancelled = desk.do(order, "cancel", body)
    assert (cancelled["status"], cancelled["tag"], cancelled["metadata"]) == ("CANCELLED", tag, metadata)
    assert ledger(desk) == money(150, 0, 0, 0, 150)


def test_e14_the_refund_of_a_bank_wire_payin_goes_to_the_buyers_wallet() -> None:
    desk, order = at("PENDING_PUBLISH")
    payin = part(desk, order, "payin")
    data_of(desk.operate(f"/payins/{payin['id']}/confirm", {"amount": 150}))
    assert desk.do(order, "cancel", {"bankaccount_id": 7})["status"] == "CANCELLED"
    assert desk.funds() == 150


BAD_CANCELS = cases(
    ("tag 101",             {"tag": "x" * 101},                                     ["tag"]),
    ("tag number",          {"tag": 5},                                             ["tag"]),
    ("metadata",            {"metadata": "x"},                                      ["metadata"]),
    ("metadata too many",   {"metadata": {str(number): 1 for number in range(50)}}, ["metadata"]),
    ("metadata too large",  {"metadata": {"k": "x" * 8180}},                        ["metadata"]),
    ("both",                {"tag": [], "metadata": []},                            ["metadata", "tag"]),
)  # fmt: skip


@pytest.mark.parametrize(("body", "fields"), BAD_CANCELS)
def test_a_cancel_that_cannot_be(shared: Desk, body: dict[str, Any], fields: list[str]) -> None:
    order = shared.order(metadata={"first": "x" * 10})
    before = shared.tables()
    assert outcome(shared.post(f"/orders/{order['id']}/cancel", body)) == fields
    assert shared.tables() == before


# --- validate

AUTO_ACCEPTS = cases(
    ("absent",          None,                       ["status"]),
    ("false",           {"auto_accept": False},     ["status"]),
    ("0",               {"auto_accept": 0},         ["status"]),
    ("text false",      {"auto_accept": "false"},   ["status"]),
    ("null",            {"auto_accept": None},      ["status"]),
    ("true",            {"auto_accept": True},      200),
    ("1",               {"auto_accept": 1},         200),
    ("text true",       {"auto_accept": "true"},    200),
    ("2",               {"auto_accept": 2},         ["auto_accept"]),
    ("yes",             {"auto_accept": "yes"},     ["auto_accept"]),
)  # fmt: skip


@pytest.mark.parametrize(("body", "expected"), AUTO_ACCEPTS)
def test_auto_accept(body: dict[str, Any] | None, expected: int | list[str]) -> None:
    desk, order = at("PUBLISHED")
    before = desk.tables()
    assert outcome(desk.post(f"/orders/{order['id']}/validate", body)) == expected
    assert (desk.tables() == before) is (expected != 200)


@pytest.mark.parametrize("status", ["ACCEPTED", "PENDING_VALIDATE"])
def test_auto_accept_changes_nothing_of_an_order_that_is_accepted(status: str) -> None:
    desk, order = at(status)
    desk.now_s += 5
    validated = desk.over(desk.database).do(order, "validate", {"auto_accept": 1})
    assert (validated["status"], validated["accepted_at"]) == ("RELEASED", NOW)


def test_e22_without_a_delay_both_happen_within_the_call() -> None:
    desk, order = at("ACCEPTED")
    released = desk.do(order, "validate")
    assert (released["status"], released["validated_at"], released["released_at"]) == ("RELEASED", NOW, NOW)
    assert part(desk, order, "payout")["status"] == "CONFIRMED"
    assert ledger(desk) == money(0, 0, 150, 0, 150)


def sweep(desk: Desk) -> int:
    """Run what runs every minute, at the desk's time; return how many orders it released."""
    return EscrowDesk(desk.database, lambda: desk.now_s).sweep().released


def test_e22_with_a_delay_the_release_runs_after_it(desk: Desk) -> None:
    desk.set(release_delay_seconds=60)
    order = desk.do(desk.paid(), "accept")
    pending = desk.do(order, "validate")
    assert (pending["status"], pending["released_at"]) == ("PENDING_RELEASE", None)
    assert part(desk, order, "payout")["status"] == "CREATED"
    desk.now_s += 59
    assert (sweep(desk), desk.now(order)["status"]) == (0, "PENDING_RELEASE")
    desk.now_s += 1
    assert (sweep(desk), sweep(desk)) == (1, 0)
    released = desk.now(order)
    assert (released["status"], released["released_at"]) == ("RELEASED", "2025-02-19T21:21:00Z")
    assert ledger(desk) == money(0, 0, 150, 0, 150)


@pytest.mark.parametrize("command", ["block", "cancel", "reimburse"])
def test_e22_unless_it_is_blocked_or_cancelled_before(desk: Desk, command: str) -> None:
    desk.set(release_delay_seconds=60)
    order = desk.do(desk.paid(), "accept")
    desk.do(order, "validate")
    if command == "block":
        desk.operate(f"/orders/{order['id']}/block")
    else:
        desk.do(order, command)
    desk.now_s += 3600
    assert sweep(desk) == 0
    assert desk.now(order)["status"] == ("BLOCKED_RELEASE" if command == "block" else "CANCELLED")


def test_e22_after_unblocking_the_delay_starts_again(desk: Desk) -> None:
    desk.set(release_delay_seconds=60)
    order = desk.do(desk.paid(), "accept")
    desk.do(order, "validate")
    desk.operate(f"/orders/{order['id']}/block")
    desk.now_s += 600
    later = desk.over(desk.database)
    assert data_of(later.operate(f"/orders/{order['id']}/unblock"))["status"] == "PENDING_RELEASE"
    later.now_s += 59
    assert sweep(later) == 0
    later.now_s += 1
    assert sweep(later) == 1


def test_e22_a_delay_is_the_one_that_is_set_when_the_order_is_validated(desk: Desk) -> None:
    desk.set(release_delay_seconds=60)
    order = desk.do(desk.paid(), "accept")
    desk.do(order, "validate")
    desk.set(release_delay_seconds=0)
    assert sweep(desk) == 0
    desk.now_s += 60
    assert sweep(desk) == 1


# --- reimburse

BAD_REIMBURSEMENTS = cases(
    ("0", {"amount": 0}, ["amount"]),
    ("below 0", {"amount": -1}, ["amount"]),
    ("not a minor unit", {"amount": "0.001"}, ["amount"]),
    ("above R", {"amount": "120.01"}, ["amount"]),
    ("above the bound", {"amount": 10**12}, ["amount"]),
    ("text", {"amount": "all"}, ["amount"]),
    ("wallet unknown", {"wallet_id": NO_ID}, ["wallet_id"]),
    ("wallet of the seller", {"wallet_id": "seller"}, ["wallet_id"]),
    ("wallet in yen", {"wallet_id": "yen"}, ["wallet_id"]),
    ("payin unknown", {"payin_id": NO_ID}, ["payin_id"]),
    ("payin denied", {"payin_id": "denied"}, ["payin_id"]),
    ("all", {"amount": 0, "wallet_id": "seller", "payin_id": NO_ID}, ["amount", "payin_id", "wallet_id"]),
)  # fmt: skip


@pytest.mark.parametrize(("body", "fields"), BAD_REIMBURSEMENTS)
def test_a_reimbursement_that_cannot_be(desk: Desk, body: dict[str, Any], fields: list[str]) -> None:
    order = desk.order()
    denied = desk.pay(order)
    desk.deposit(150)
    desk.pay(order)
    desk.do(order, "reimburse", {"amount": 30})
    yen = desk.wallet_of(desk.buyer, "JPY")
    named = {"seller": desk.seller_wallet["id"], "yen": yen["id"], "denied": denied["id"]}
    sent = {name: named.get(value, value) for name, value in body.items()}
    before = desk.tables()
    assert outcome(desk.post(f"/orders/{order['id']}/reimburse", sent)) == fields
    assert desk.tables() == before


@pytest.mark.parametrize("status", [*HOLDING, "REJECTED"])
def test_a_part_is_reimbursed_and_the_status_stays(status: str) -> None:
    desk, order = at(status)
    payin = part(desk, order, "payin")
    body = {"amount": "0.01", "wallet_id": desk.buyer_wallet["id"], "payin_id": payin["id"]}
    shown = desk.do(order, "reimburse", body)
    assert (shown["status"], shown["refund"]["reference_id"]) == (status, f"RF-{order['id']}-1")
    assert ledger(desk) == money("0.01", "149.99", 0, 0, 150)
    assert part(desk, order, "payin")["status"] == "CONFIRMED"
    rest = desk.do(order, "reimburse")
    assert rest["status"] == ("REJECTED" if status == "REJECTED" else "CANCELLED")
    assert ledger(desk) == money(150, 0, 0, 0, 150)
    assert part(desk, order, "payin")["status"] == "REFUNDED"


def test_a_rejected_order_is_reimbursed_until_nothing_is_left() -> None:
    desk, order = at("REJECTED")
    assert desk.do(order, "reimburse", {"amount": 150})["status"] == "REJECTED"
    for body in (None, {"amount": 1}):
        before = desk.tables()
        assert outcome(desk.post(f"/orders/{order['id']}/reimburse", body)) == ["amount"]
        assert desk.tables() == before


def test_a_reimbursement_of_a_yen_order_is_in_whole_yen(desk: Desk) -> None:
    wallet = desk.wallet_of(desk.buyer, "JPY")
    desk.deposit(100, wallet=wallet)
    order = desk.order(value=100, currency="JPY", fee_percent="2.5")
    assert order["fee_amount"] == "2 JPY"
    assert desk.pay(order, wallet_id=wallet["id"])["status"] == "CONFIRMED"
    assert outcome(desk.post(f"/orders/{order['id']}/reimburse", {"amount": Decimal("0.5")})) == ["amount"]
    assert desk.do(order, "reimburse", {"amount": 1})["status"] == "PUBLISHED"
    assert desk.funds(wallet) == 1
    desk.check_money()


# --- receipt


@pytest.mark.parametrize("status", STATUSES)
def test_e41_a_receipt_is_of_a_paid_order_and_changes_nothing(status: str) -> None:
    desk, order = at(status)
    before = desk.tables()
    answer = desk.post(f"/orders/{order['id']}/receipt")
    if status in UNPAID:
        assert errors_of(answer) == {"status": [f"The order cannot be receipted while its status is {status}."]}
    else:
        assert data_of(answer) == order
    assert desk.tables() == before
