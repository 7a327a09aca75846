"""Payins: who may pay, with what, and what a payin shows in each of its statuses (E15, E16)."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.domain.tenancy.instances import World
from chalicelib.tables.frozen_customers import FrozenCustomers
from tests.apis.escrow.cases import NO_ID, NOW, at, ledger, money, outcome, part
from tests.apis.escrow.desk import INSTANCE, Desk, data_of, errors_of, page_of
from tests.case_tables import cases

FIELDS = [
    "id", "self", "reference", "type", "subtype", "status", "provider", "tag", "direct_link", "created_at",
    "confirmed_at", "denied_at", "connections",
]  # fmt: skip
IBAN = "ES9121000418450200051332"


# --- the body

BODIES = cases(
    ("nothing", {}, ["order_id", "type"]),
    ("no order", {"type": "BANKWIRE"}, ["order_id"]),
    ("no type", {"order_id": "own"}, ["type"]),
    ("order unknown", {"order_id": NO_ID, "type": "BANKWIRE"}, ["order_id"]),
    ("order text", {"order_id": "x", "type": "BANKWIRE"}, ["order_id"]),
    ("e15 another type", {"order_id": "own", "type": "CARD"}, ["type"]),
    ("e15 lower case", {"order_id": "own", "type": "wallet"}, ["type"]),
    ("e15 type number", {"order_id": "own", "type": 1}, ["type"]),
    ("no wallet", {"order_id": "own", "type": "WALLET"}, ["wallet_id"]),
    ("wallet unknown", {"order_id": "own", "type": "WALLET", "wallet_id": NO_ID}, ["wallet_id"]),
    ("wallet of the seller", {"order_id": "own", "type": "WALLET", "wallet_id": "seller"}, ["wallet_id"]),
    ("wallet in yen", {"order_id": "own", "type": "WALLET", "wallet_id": "yen"}, ["wallet_id"]),
    ("wallet text", {"order_id": "own", "type": "WALLET", "wallet_id": "mine"}, ["wallet_id"]),
    ("all", {"order_id": NO_ID, "type": "WALLET"}, ["order_id", "wallet_id"]),
)  # fmt: skip


@pytest.mark.parametrize(("body", "fields"), BODIES)
def test_a_payin_that_cannot_be(shared: Desk, body: dict[str, Any], fields: list[str]) -> None:
    named = {"own": shared.order()["id"], "seller": shared.seller_wallet["id"]}
    named["yen"] = shared.wallet_of(shared.buyer, "JPY")["id"]
    sent = {name: named.get(value, value) for name, value in body.items()}
    before = shared.tables()
    assert outcome(shared.post("/payins", sent)) == fields
    assert shared.tables() == before


def test_the_vendors_other_fields_are_ignored(desk: Desk) -> None:
    more = {"gateway_id": {"x": 1}, "card_id": [], "save_card": "maybe", "wallet_id": NO_ID}
    body = {"order_id": desk.order()["id"], "type": "BANKWIRE"}
    assert data_of(desk.post("/payins", body | more))["status"] == "CREATED"


# --- E15

TYPES = cases(
    ("no list",             [],                         "WALLET",       True),
    ("in the list",         ["BANKWIRE", "WALLET"],     "WALLET",       True),
    ("not in the list",     ["BANKWIRE"],               "WALLET",       False),
    ("other not in it",     ["WALLET"],                 "BANKWIRE",     False),
    ("only unknown ones",   ["CARD"],                   "BANKWIRE",     False),
)  # fmt: skip


@pytest.mark.parametrize(("types", "kind", "is_taken"), TYPES)
def test_e15_a_type_is_in_the_orders_list_where_that_is_not_empty(
    desk: Desk, types: list[str], kind: str, is_taken: bool
) -> None:
    order = desk.order(payin_method_types=types, value=0)
    body = {"order_id": order["id"], "type": kind, "wallet_id": desk.buyer_wallet["id"]}
    assert outcome(desk.post("/payins", body)) == (200 if is_taken else ["type"])


def test_e15_all_that_an_order_does_not_take_is_named_at_once(desk: Desk) -> None:
    order = desk.order(payin_method_types=["BANKWIRE"], payin_intents=1)
    wallet = {"order_id": order["id"], "type": "WALLET"}
    assert outcome(desk.post("/payins", wallet)) == ["type", "wallet_id"]
    desk.bankwire(order)
    own = {"wallet_id": desk.buyer_wallet["id"]}
    assert outcome(desk.post("/payins", wallet | own)) == ["payin_intents", "type"]


@pytest.mark.parametrize("limit", [1, 3])
def test_e15_no_more_payins_than_the_order_takes(desk: Desk, limit: int) -> None:
    order = desk.order(payin_intents=limit)
    for number in range(limit):
        desk.bankwire(order) if number % 2 else desk.pay(order)
    desk.deposit(150)
    for kind in ("BANKWIRE", "WALLET"):
        body = {"order_id": order["id"], "type": kind, "wallet_id": desk.buyer_wallet["id"]}
        before = desk.tables()
        assert outcome(desk.post("/payins", body)) == ["payin_intents"]
        assert desk.tables() == before


def test_e15_without_a_limit_there_is_none(desk: Desk) -> None:
    order = desk.order()
    assert [desk.bankwire(order)["status"] for _ in range(5)] == ["CREATED"] * 5


@pytest.mark.parametrize("kind", ["BANKWIRE", "WALLET"])
def test_e15_a_new_payin_cancels_an_open_one(kind: str) -> None:
    desk, order = at("PENDING_PUBLISH")
    first = part(desk, order, "payin")
    second = desk.bankwire(order) if kind == "BANKWIRE" else desk.pay(order)
    ended = data_of(desk.get(f"/payins/{first['id']}"))
    assert ended == first | {"status": "CANCELLED", "direct_link": None}
    assert part(desk, order, "payin") == second


# --- E16


def test_e16_a_wallet_with_enough_pays_at_once(desk: Desk) -> None:
    order = desk.order()
    desk.deposit(150)
    payin = desk.pay(order)
    assert (payin["status"], payin["confirmed_at"], desk.now(order)["status"]) == ("CONFIRMED", NOW, "PUBLISHED")
    assert ledger(desk) == money(0, 150, 0, 0, 150)


@pytest.mark.parametrize("available", ["0", "149.99"])
def test_e16_a_wallet_with_too_little_is_a_denied_payin_and_a_200(desk: Desk, available: str) -> None:
    order = desk.order()
    if available != "0":
        desk.deposit(available)
    payin = desk.pay(order)
    assert (payin["status"], payin["provider"]["error"]) == ("DENIED", "insufficient_funds")
    assert desk.now(order)["status"] == "FAILURE"
    assert ledger(desk) == money(available, 0, 0, 0, available)


def test_t96_a_frozen_buyers_wallet_is_a_denied_payin_and_a_bank_wire_waits_for_its_money(desk: Desk) -> None:
    order = desk.order()
    desk.deposit(150)
    FrozenCustomers(desk.database).freeze(INSTANCE, f"sandbox:{desk.buyer['uuid']}", None)
    payin = desk.pay(order)
    assert (payin["status"], payin["provider"]["error"]) == ("DENIED", "customer_frozen")
    assert ledger(desk) == money(150, 0, 0, 0, 150)
    assert desk.bankwire(desk.order())["status"] == "CREATED"
    FrozenCustomers(desk.database).unfreeze(INSTANCE, f"sandbox:{desk.buyer['uuid']}")
    assert desk.pay(desk.order())["status"] == "CONFIRMED"


def test_e16_a_bank_wire_stays_open_until_the_operator_decides(desk: Desk) -> None:
    order = desk.order()
    payin = desk.bankwire(order)
    desk.now_s += 10**7
    later = desk.over(desk.database)
    assert later.now(order)["status"] == "PENDING_PUBLISH"
    assert data_of(later.get(f"/payins/{payin['id']}")) == payin


def test_the_account_itself_pays_from_its_own_wallet(desk: Desk) -> None:
    order = desk.order(trustee_type="account", buyer_id=...)
    own = desk.wallet_of({"uuid": desk.own_uuid(World.SANDBOX)})
    body = {"order_id": order["id"], "type": "WALLET", "wallet_id": desk.buyer_wallet["id"]}
    assert outcome(desk.post("/payins", body)) == ["wallet_id"]
    desk.deposit(150, wallet=own)
    assert desk.pay(order, wallet_id=own["id"])["status"] == "CONFIRMED"
    assert desk.do(order, "cancel")["status"] == "CANCELLED"
    assert desk.funds(own) == 150
    desk.check_money()


def test_one_customer_may_buy_from_itself(desk: Desk) -> None:
    order = desk.order(seller_id=desk.buyer["id"], fee_value=1)
    desk.deposit(150)
    desk.pay(order)
    desk.do(order, "accept")
    assert desk.do(order, "validate")["status"] == "RELEASED"
    assert ledger(desk) == money(149, 0, 0, 1, 150)
    desk.check_money()


# --- the object

SHOWN = cases(
    ("CREATED",             "PENDING_PUBLISH",  "CREATED",      "BANKWIRE", []),
    ("DENIED by bank wire", "FAILURE",          "DENIED",       "BANKWIRE", ["denied_at"]),
    ("CONFIRMED",           "PUBLISHED",        "CONFIRMED",    "WALLET",   ["confirmed_at"]),
    ("REFUNDED",            "CANCELLED",        "REFUNDED",     "WALLET",   ["confirmed_at"]),
    ("released",            "RELEASED",         "CONFIRMED",    "WALLET",   ["confirmed_at"]),
)  # fmt: skip


@pytest.mark.parametrize(("order_status", "status", "kind", "times"), SHOWN)
def test_a_payin_shows_every_field_in_every_status(order_status: str, status: str, kind: str, times: list[str]) -> None:
    desk, order = at(order_status)
    payin = part(desk, order, "payin")
    assert list(payin) == FIELDS
    assert (payin["self"], payin["reference"]) == (f"/2.0/payins/{payin['id']}", f"PI-{payin['id']}")
    assert (payin["status"], payin["type"], payin["subtype"], payin["tag"]) == (status, kind, None, None)
    assert [name for name in ("confirmed_at", "denied_at") if payin[name]] == times
    assert payin["direct_link"] == (order["buyer_link"] if status == "CREATED" else None)
    assert payin["connections"] == {"order": order["self"]}
    bank = {"iban": IBAN, "beneficiary": "Shop", "reference": payin["reference"]}
    provider = bank if kind == "BANKWIRE" else {"wallet_id": desk.buyer_wallet["id"]}
    assert payin["provider"] == provider | ({"error": None} if status == "DENIED" else {})
    assert data_of(desk.get(f"/payins/{payin['id']}")) == payin
    assert page_of(desk.get("/payins"))["data"] == [payin]


def test_a_payin_of_a_cancelled_order_is_cancelled() -> None:
    desk, order = at("PENDING_PUBLISH")
    desk.do(order, "cancel")
    payin = part(desk, order, "payin")
    assert (payin["status"], payin["direct_link"], payin["confirmed_at"]) == ("CANCELLED", None, None)


def test_provider_shows_what_the_instance_says_where_it_says_nothing_null(desk: Desk) -> None:
    desk.set(iban=None, beneficiary=None)
    payin = desk.bankwire(desk.order())
    assert payin["provider"] == {"iban": None, "beneficiary": None, "reference": payin["reference"]}


def test_the_text_of_a_forbidden_payin(desk: Desk) -> None:
    order = desk.in_status("RELEASED")
    refused = errors_of(desk.post("/payins", {"order_id": order["id"], "type": "BANKWIRE"}))
    assert refused == {"status": ["The order cannot be paid while its status is RELEASED."]}
