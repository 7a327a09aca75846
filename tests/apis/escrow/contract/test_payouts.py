"""Payouts: where the seller is paid (E17, E42), what a payout shows in each status, and what is open (E43)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from chalicelib.services.escrow.desk import EscrowDesk
from tests.apis.escrow.cases import NO_ID, NOW, at, ledger, money, outcome, part
from tests.apis.escrow.desk import OPERATOR_KEY, OPERATOR_PRODUCTION_KEY, OTHER_KEY, Desk, data_of, page_of
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
    ("e42 ACCOUNT of none", {"type": "ACCOUNT"},            ["bankaccount_id"]),
    ("e42 bank account 0",  {"type": "ACCOUNT", "bankaccount_id": 0},       ["bankaccount_id"]),
    ("e42 bank account text", {"type": "BANKWIRE", "bankaccount_id": "x"},  ["bankaccount_id"]),
    ("e42 reference of 141", {"type": "BANKWIRE", "bankwire_ref": "x" * 141}, ["bankwire_ref"]),
    ("e42 bank account of a wallet", {"bankaccount_id": 7}, ["bankaccount_id"]),
    ("e42 reference of a wallet", {"bankwire_ref": "x"},    ["bankwire_ref"]),
    ("e42 part of it",      {"type": "BANKWIRE", "amount": 1}, ["amount"]),
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


# --- E42: payouts that leave the ledger

OUT = cases(
    ("BANKWIRE alone",          {"type": "BANKWIRE"},                                       (None, "PO-{id}")),
    ("BANKWIRE of an account",  {"type": "BANKWIRE", "bankaccount_id": "7"},                (7, "PO-{id}")),
    ("BANKWIRE with its text",  {"type": "BANKWIRE", "bankwire_ref": "Invoice 5"},          (None, "Invoice 5")),
    ("ACCOUNT",                 {"type": "ACCOUNT", "bankaccount_id": 7, "wallet_id": 1},   (7, "PO-{id}")),
)  # fmt: skip


@pytest.mark.parametrize(("body", "provider"), OUT)
def test_e42_a_payout_to_a_bank_is_the_operators_to_confirm(body: dict[str, Any], provider: tuple[Any, str]) -> None:
    desk, order = at("ACCEPTED")
    payout = data_of(desk.post("/payouts", {"order_id": order["id"], **body}))
    shown = dict(zip(("bankaccount_id", "bankwire_ref"), provider, strict=True))
    shown["bankwire_ref"] = shown["bankwire_ref"].format(id=payout["id"])
    assert (payout["type"], payout["status"], payout["provider"]) == (body["type"], "CREATED", shown)
    assert desk.now(order)["status"] == "PENDING_VALIDATE"
    assert outcome(_decide(desk, payout, "confirm", {"amount": 150})) == ["status"], "not validated yet"
    desk.do(order, "validate")
    assert desk.now(order)["status"] == "PENDING_RELEASE"
    assert ledger(desk) == money(0, 150, 0, 0, 150), "held until the operator says that it has left"
    confirmed = data_of(_decide(desk, payout, "confirm", {"amount": 150}))
    assert confirmed == payout | {"status": "CONFIRMED", "confirmed_at": NOW}
    assert desk.now(order)["status"] == "RELEASED"
    assert ledger(desk) == money(0, 0, 0, 0, 0), "the supply is lower by it"
    assert page_of(desk.get(f"/wallets/{desk.seller_wallet['uuid']}/transactions"))["total"] == 2
    desk.check_money()


def _decide(desk: Desk, payout: dict[str, Any], way: str, body: dict[str, Any] | None = None) -> Any:
    return desk.operate(f"/payouts/{payout['id']}/{way}", body)


def _at_the_bank(**more: Any) -> tuple[Desk, dict[str, Any], dict[str, Any]]:
    desk, order = at("ACCEPTED")
    if more:
        data_of(desk.put(f"/orders/{order['id']}", more))
    payout = data_of(desk.post("/payouts", {"order_id": order["id"], "type": "BANKWIRE"}))
    return desk, desk.do(order, "validate"), payout


def test_e42_the_fee_stays_with_the_desk_and_the_rest_leaves() -> None:
    desk, order, payout = _at_the_bank(fee_value=5)
    for amount in (150, 144.99, 145.01, 0, -145):
        before = desk.tables()
        assert outcome(_decide(desk, payout, "confirm", {"amount": str(amount)})) == ["amount"]
        assert desk.tables() == before
    data_of(_decide(desk, payout, "confirm", {"amount": "145.00"}))
    assert ledger(desk) == money(0, 0, 0, 5, 5)
    released = desk.now(order)
    assert (released["payout_amount"], released["fee_amount"]) == ("145.00 €", "5.00 €")


@pytest.mark.parametrize("way", ["confirm", "deny"])
@pytest.mark.parametrize("first", ["confirm", "deny"])
def test_e42_a_payout_is_decided_once(first: str, way: str) -> None:
    desk, _, payout = _at_the_bank()
    data_of(_decide(desk, payout, first, {"amount": 150}))
    before = desk.tables()
    assert outcome(_decide(desk, payout, way, {"amount": 150})) == ["status"]
    assert desk.tables() == before


def test_e42_after_a_denied_payout_the_order_takes_another() -> None:
    desk, order, payout = _at_the_bank()
    denied = data_of(_decide(desk, payout, "deny", {"reason": "account closed"}))
    assert (denied["status"], denied["denied_at"], denied["provider"]["error"]) == ("DENIED", NOW, "account closed")
    assert desk.now(order)["status"] == "ACCEPTED"
    assert ledger(desk) == money(0, 150, 0, 0, 150)
    again = desk.pay_out(order)
    assert part(desk, order, "payout") == again
    assert desk.do(order, "validate")["status"] == "RELEASED"
    assert ledger(desk) == money(0, 0, 150, 0, 150)
    assert [row["status"] for row in page_of(desk.get("/payouts"))["data"]] == ["CONFIRMED", "DENIED"]


def test_e42_a_denied_payout_is_not_confirmed_by_the_next_one() -> None:
    desk, order, first = _at_the_bank()
    _decide(desk, first, "deny")
    second = data_of(desk.post("/payouts", {"order_id": order["id"], "type": "ACCOUNT", "bankaccount_id": 8}))
    desk.do(order, "validate")
    before = desk.tables()
    for way in ("confirm", "deny"):
        assert outcome(_decide(desk, first, way, {"amount": 150})) == ["status"]
    assert desk.tables() == before
    assert data_of(_decide(desk, second, "confirm", {"amount": 150}))["status"] == "CONFIRMED"


def test_e42_after_a_denied_payout_validation_pays_the_wallet() -> None:
    desk, order, payout = _at_the_bank()
    _decide(desk, payout, "deny")
    assert desk.do(order, "validate")["status"] == "RELEASED"
    assert part(desk, order, "payout")["type"] == "WALLET"


def test_e42_a_payout_to_a_wallet_is_not_the_operators() -> None:
    desk, order = at("PENDING_VALIDATE")
    payout, before = part(desk, order, "payout"), desk.tables()
    for way in ("confirm", "deny"):
        assert outcome(_decide(desk, payout, way, {"amount": 150})) == ["type"]
    assert desk.tables() == before


@pytest.mark.parametrize("is_blocked", [False, True])
def test_e42_what_may_have_left_is_not_given_back_nor_changed(is_blocked: bool) -> None:
    """The operator denies the payout first."""
    desk, order, payout = _at_the_bank(fee_value=5)
    if is_blocked:
        data_of(desk.operate(f"/orders/{order['id']}/block"))
    before = desk.tables()
    for command, body in (("cancel", None), ("reimburse", None), ("reimburse", {"amount": 1})):
        assert outcome(desk.post(f"/orders/{order['id']}/{command}", body)) == ["status"]
    assert outcome(desk.put(f"/orders/{order['id']}", {"fee_value": 6})) == ["fee_value"]
    assert desk.tables() == before
    if is_blocked:
        assert outcome(_decide(desk, payout, "confirm", {"amount": 145})) == ["status"]
        data_of(desk.operate(f"/orders/{order['id']}/unblock"))
    _decide(desk, payout, "deny")
    assert desk.do(order, "cancel")["status"] == "CANCELLED"
    assert ledger(desk) == money(150, 0, 0, 0, 150)


def test_e42_no_sweep_releases_what_the_operator_confirms() -> None:
    desk, order, _ = _at_the_bank()
    desk.now_s += 10**6
    desk.set(release_delay_seconds=0)
    assert EscrowDesk(desk.database, lambda: desk.now_s).sweep().released == 0
    assert desk.now(order)["status"] == "PENDING_RELEASE"


# --- E43: what is open


def test_e43_the_operator_lists_what_is_open_of_all_merchants(desk: Desk) -> None:
    order = desk.order(value="23.77")
    payin = desk.bankwire(order)
    other = desk.as_key(OTHER_KEY)
    theirs = other.bankwire(
        data_of(
            other.post(
                "/orders",
                desk.usual_order(buyer_id=other.customer("b@z.test")["id"], seller_id=other.customer("s@z.test")["id"]),
            )
        )
    )
    operator = desk.as_key(OPERATOR_KEY)
    rows = page_of(operator.get("/operator/payins"))["data"]
    assert rows == [
        theirs | {"merchant_id": "other", "amount": 150, "currency": "EUR"},
        payin | {"merchant_id": "shop", "amount": Decimal("23.77"), "currency": "EUR"},
    ]
    assert page_of(operator.get("/operator/payins", "per_page=1&sort=asc"))["data"] == rows[1:]
    assert page_of(operator.get("/operator/payins", f"search=reference&query={payin['reference']}"))["total"] == 1
    assert page_of(operator.get("/operator/payins", f"search=id&query={payin['id']}"))["data"] == rows[1:]
    assert page_of(desk.as_key(OPERATOR_PRODUCTION_KEY).get("/operator/payins"))["total"] == 0
    data_of(desk.operate(f"/payins/{payin['id']}/confirm", {"amount": "23.77"}))
    desk.operate(f"/payins/{theirs['id']}/deny")
    assert page_of(operator.get("/operator/payins"))["total"] == 0


def test_e43_a_payout_is_listed_with_the_amount_to_pay_while_it_is_open() -> None:
    desk, _, payout = _at_the_bank(fee_value=5)
    operator = desk.as_key(OPERATOR_KEY)
    more = {"merchant_id": "shop", "amount": 145, "currency": "EUR", "order_status": "PENDING_RELEASE"}
    assert page_of(operator.get("/operator/payouts"))["data"] == [payout | more]
    _decide(desk, payout, "confirm", {"amount": 145})
    assert page_of(operator.get("/operator/payouts"))["total"] == 0


def test_e43_a_payout_to_a_wallet_is_not_listed() -> None:
    desk, _ = at("PENDING_VALIDATE")
    assert page_of(desk.as_key(OPERATOR_KEY).get("/operator/payouts"))["total"] == 0
