"""External payins (E44), and the callbacks by which their providers decide them (E45)."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from functools import cache
from typing import Any

import pytest

from chalicelib import wiring
from chalicelib.domain.escrow.payments import callback_sender
from chalicelib.domain.escrow.settings import ExternalPayinType
from chalicelib.domain.tenancy.instances import InstanceStatus, World
from chalicelib.domain.webhooks.signing import callback_secret_of, signed_headers
from chalicelib.tables.tenants import Tenants
from tests.apis.escrow.cases import NO_ID, NOW, copied, happened, ledger, money, new_desk, outcome, part
from tests.apis.escrow.desk import CARD, KEY, MASTER_KEY, PRODUCTION_KEY, UNAUTHENTICATED, Desk, data_of, refusal_of
from tests.case_tables import cases
from tests.services.escrow.world import INSTANCE


@cache
def _opened() -> tuple[Desk, dict[str, Any], dict[str, Any]]:
    desk = new_desk()
    order = desk.order()
    return desk, order, data_of(desk.post("/payins", {"order_id": order["id"], "type": CARD, "save_card": 1}))


def opened() -> tuple[Desk, dict[str, Any], dict[str, Any]]:
    """Return a desk, an order of 150 EUR and its open external payin."""
    desk, order, payin = _opened()
    return copied(desk), dict(order), dict(payin)


def said(payin: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a provider's word that a payin is paid; a member set to ... is left out."""
    usual = {"payin_id": payin["id"], "status": "CONFIRMED", "amount": 150, "currency": "EUR", "reference": "auth-1"}
    return {name: value for name, value in (usual | more).items() if value is not ...}


# --- E44


def test_e44_an_external_payin_waits_with_a_link_to_its_page() -> None:
    desk, order, payin = opened()
    assert payin == {
        "id": payin["id"],
        "self": f"/2.0/payins/{payin['id']}",
        "reference": f"PI-{payin['id']}",
        "type": CARD,
        "subtype": None,
        "status": "CREATED",
        "provider": {"reference": f"PI-{payin['id']}", "external_reference": None},
        "tag": None,
        "direct_link": order["buyer_link"],
        "created_at": NOW,
        "confirmed_at": None,
        "denied_at": None,
        "connections": {"order": order["self"]},
    }
    assert desk.now(order)["status"] == "PENDING_PUBLISH"
    assert ledger(desk) == money(0, 0, 0, 0, 0)


TYPES = cases(
    ("another external",    {"type": "STRIPE"},                             ["type"]),
    ("lower case",          {"type": "redsys_v2"},                          ["type"]),
    ("number",              {"type": 5},                                    ["type"]),
    ("not the orders",      {"type": CARD, "payin_types": ["WALLET"]},      ["type"]),
    ("the orders",          {"type": CARD, "payin_types": [CARD]},          200),
)  # fmt: skip


@pytest.mark.parametrize(("body", "expected"), TYPES)
def test_e44_a_type_is_one_of_the_desks_and_the_orders(desk: Desk, body: dict[str, Any], expected: Any) -> None:
    order = desk.order(payin_types=body.get("payin_types", ...))
    assert outcome(desk.post("/payins", {"order_id": order["id"], "type": body["type"]})) == expected


def test_e44_a_type_that_is_removed_opens_no_payins_and_takes_no_callbacks() -> None:
    desk, order, payin = opened()
    desk.set(payin_types=())
    assert outcome(desk.post("/payins", {"order_id": order["id"], "type": CARD})) == ["type"]
    assert refusal_of(desk.call_back(said(payin))) == UNAUTHENTICATED
    data_of(desk.operate(f"/payins/{payin['id']}/confirm", {"amount": 150}))


@pytest.mark.parametrize(("way", "status"), [("confirm", "PUBLISHED"), ("deny", "FAILURE")])
def test_e44_the_operator_decides_it_too(way: str, status: str) -> None:
    desk, order, payin = opened()
    data_of(desk.operate(f"/payins/{payin['id']}/{way}", {"amount": 150}))
    assert desk.now(order)["status"] == status
    desk.check_money()


# --- E45: what is said


@pytest.mark.parametrize("amount", [150, "150.00"])
def test_e45_a_confirmed_payin_pays_the_order(amount: object) -> None:
    desk, order, payin = opened()
    told = data_of(desk.call_back(said(payin, amount=amount)))
    provider = {"reference": payin["reference"], "external_reference": "auth-1"}
    assert told == payin | {"status": "CONFIRMED", "confirmed_at": NOW, "direct_link": None, "provider": provider}
    assert part(desk, order, "payin") == told
    assert desk.now(order)["status"] == "PUBLISHED"
    assert ledger(desk) == money(0, 150, 0, 0, 150)
    assert desk.do(order, "accept")["status"] == "ACCEPTED"
    desk.check_money()


def test_e45_a_denied_payin_fails_the_order_which_may_be_paid_again() -> None:
    desk, order, payin = opened()
    told = data_of(desk.call_back(said(payin, status="DENIED")))
    assert (told["status"], told["denied_at"], told["provider"]["error"]) == ("DENIED", NOW, None)
    assert desk.now(order)["status"] == "FAILURE"
    again = data_of(desk.post("/payins", {"order_id": order["id"], "type": CARD}))
    data_of(desk.call_back(said(again, reference="auth-2")))
    assert ledger(desk) == money(0, 150, 0, 0, 150)


WRONG = cases(
    ("nothing",             dict.fromkeys(("payin_id", "status", "amount", "currency", "reference"), ...),
                            ["amount", "currency", "payin_id", "reference", "status"]),
    ("less",                {"amount": "149.99"},           ["amount"]),
    ("more",                {"amount": 151},                ["amount"]),
    ("0",                   {"amount": 0},                  ["amount"]),
    ("below 0",             {"amount": -150},               ["amount"]),
    ("another currency",    {"currency": "JPY"},            ["currency"]),
    ("currency lower case", {"currency": "eur"},            ["currency"]),
    ("payin unknown",       {"payin_id": NO_ID},            ["payin_id"]),
    ("payin text",          {"payin_id": "x"},              ["payin_id"]),
    ("status unknown",      {"status": "PAID"},             ["status"]),
    ("reference empty",     {"reference": " "},             ["reference"]),
    ("reference of 101",    {"reference": "x" * 101},       ["reference"]),
    ("denied, less",        {"status": "DENIED", "amount": 1}, ["amount"]),
)  # fmt: skip


@pytest.mark.parametrize(("members", "fields"), WRONG)
def test_e45_what_does_not_fit_changes_nothing(members: dict[str, Any], fields: list[str]) -> None:
    desk, _, payin = opened()
    before = desk.tables()
    assert outcome(desk.call_back(said(payin, **members))) == fields
    assert desk.tables() == before


@pytest.mark.parametrize("status", ["CONFIRMED", "DENIED"])
def test_e45_what_is_said_again_changes_nothing(status: str) -> None:
    desk, _, payin = opened()
    first = desk.call_back(said(payin, status=status))
    before = desk.tables()
    for _ in range(2):
        assert desk.call_back(said(payin, status=status)).body == first.body
    assert outcome(desk.call_back(said(payin, status=status, reference="auth-2"))) == ["reference"]
    assert outcome(desk.call_back(said(payin, status=status, amount=149))) == ["amount"]
    assert desk.tables() == before


@pytest.mark.parametrize(("way", "status"), [("confirm", "CONFIRMED"), ("deny", "DENIED")])
def test_e45_what_is_said_of_a_payin_that_the_operator_decided_names_one_payment(way: str, status: str) -> None:
    desk, order, payin = opened()
    data_of(desk.operate(f"/payins/{payin['id']}/{way}", {"amount": 150}))
    money_before, status_before = ledger(desk), desk.now(order)["status"]
    first = desk.call_back(said(payin, status=status))
    assert data_of(first)["provider"]["external_reference"] == said(payin)["reference"]
    before = desk.tables()
    assert desk.call_back(said(payin, status=status)).body == first.body
    assert outcome(desk.call_back(said(payin, status=status, reference="auth-2"))) == ["reference"]
    assert desk.tables() == before
    assert (ledger(desk), desk.now(order)["status"]) == (money_before, status_before)
    told = happened(desk)[-1]
    assert (told.event, told.left, told.entered) == ("EscrowUpdated", status_before, status_before)
    desk.check_money()


def test_e45_what_is_said_again_after_a_refund_changes_nothing() -> None:
    desk, order, payin = opened()
    desk.call_back(said(payin))
    desk.do(order, "cancel")
    before = desk.tables()
    assert data_of(desk.call_back(said(payin)))["status"] == "REFUNDED"
    assert desk.tables() == before


def _denied(desk: Desk, order: dict[str, Any], payin: dict[str, Any]) -> None:  # noqa: ARG001
    desk.call_back(said(payin, status="DENIED"))


def _replaced(desk: Desk, order: dict[str, Any], payin: dict[str, Any]) -> None:  # noqa: ARG001
    desk.bankwire(order)


def _cancelled(desk: Desk, order: dict[str, Any], payin: dict[str, Any]) -> None:  # noqa: ARG001
    desk.do(order, "cancel")


def _cheaper(desk: Desk, order: dict[str, Any], payin: dict[str, Any]) -> None:  # noqa: ARG001
    data_of(desk.put(f"/orders/{order['id']}", {"value": 100}))


LATE = cases(
    ("denied",          _denied),
    ("replaced",        _replaced),
    ("cancelled",       _cancelled),
    ("another value",   _cheaper),
)  # fmt: skip


@pytest.mark.parametrize("happened", LATE)
def test_e45_what_comes_too_late_changes_nothing(happened: Any) -> None:
    desk, order, payin = opened()
    happened(desk, order, payin)
    before = desk.tables()
    assert outcome(desk.call_back(said(payin))) == ["status"]
    assert desk.tables() == before


def test_e45_a_denial_after_the_payment_changes_nothing() -> None:
    desk, _, payin = opened()
    desk.call_back(said(payin))
    before = desk.tables()
    assert outcome(desk.call_back(said(payin, status="DENIED"))) == ["status"]
    assert desk.tables() == before


def test_e45_a_payin_of_another_type_or_world_is_not_decided(desk: Desk) -> None:
    desk.set(payin_types=(ExternalPayinType(CARD), ExternalPayinType("STRIPE")))
    order = desk.order()
    payin = data_of(desk.post("/payins", {"order_id": order["id"], "type": "STRIPE"}))
    bankwire = desk.bankwire(desk.order())
    before = desk.tables()
    for other in (payin, bankwire):
        assert outcome(desk.call_back(said(other))) == ["payin_id"]
    assert outcome(desk.call_back(said(payin), "STRIPE", world="production")) == ["payin_id"]
    assert desk.tables() == before
    assert data_of(desk.call_back(said(payin), "STRIPE"))["status"] == "CONFIRMED"


def test_e45_an_order_that_settles_at_once_is_released(desk: Desk) -> None:
    order = desk.order(auto_settle=1, value=40, fee_value=1)
    payin = data_of(desk.post("/payins", {"order_id": order["id"], "type": CARD}))
    data_of(desk.call_back(said(payin, amount=40)))
    assert desk.now(order)["status"] == "RELEASED"
    assert ledger(desk) == money(0, 0, 39, 1, 40)


# --- E45: who says it

FORGED = cases(
    ("no signature",        {"webhook_signature": ""}),
    ("another signature",   {"webhook_signature": "v1,AAAA"}),
    ("another version",     {"webhook_signature": "v2,AAAA"}),
    ("no text",             {"webhook_signature": "v1,\u00e9"}),
    ("another id",          {"webhook_id": "msg_2"}),
    ("no id",               {"webhook_id": ""}),
    ("another time",        {"webhook_timestamp": "1740000001"}),
    ("no time",             {"webhook_timestamp": ""}),
    ("a time of words",     {"webhook_timestamp": "now"}),
)  # fmt: skip


@pytest.mark.parametrize("headers", FORGED)
def test_e45_a_forged_callback_is_401_and_changes_nothing(headers: dict[str, str]) -> None:
    desk, _, payin = opened()
    before = desk.tables()
    forged = {name.replace("_", "-"): value for name, value in headers.items()}
    assert refusal_of(desk.call_back(said(payin), **forged)) == UNAUTHENTICATED
    assert desk.tables() == before


@pytest.mark.parametrize("instance", ["x" * 3000, "%F0%9F%98%80"])
def test_a_callback_to_what_can_be_no_instance_is_401(instance: str) -> None:
    desk, _, _ = opened()
    assert refusal_of(desk.as_key(None).post(f"/callbacks/{instance}/sandbox/{CARD}", b"{}")) == UNAUTHENTICATED


def test_e45_a_body_that_was_changed_on_its_way_is_401() -> None:
    desk, _, payin = opened()
    body = b'{"payin_id": %d}' % payin["id"]
    sender = callback_sender(INSTANCE, World.SANDBOX, CARD)
    signed = signed_headers([callback_secret_of(MASTER_KEY, sender, 1)], "msg_1", body, desk.now_s * 1000)
    path = f"/callbacks/{sender}"
    assert outcome(desk.as_key(None).post(path, body, headers=signed)) != 401
    assert refusal_of(desk.as_key(None).post(path, body + b" ", headers=signed)) == UNAUTHENTICATED
    assert refusal_of(desk.as_key(None).post(path, b"\xff", headers=signed)) == UNAUTHENTICATED


@pytest.mark.parametrize(("seconds", "is_taken"), [(-301, False), (-300, True), (300, True), (301, False)])
def test_e45_a_callback_is_at_most_five_minutes_old(seconds: int, is_taken: bool) -> None:
    desk, _, payin = opened()
    answer = desk.call_back(said(payin), at_s=desk.now_s + seconds)
    assert (answer.status == 200) is is_taken
    assert is_taken or refusal_of(answer) == UNAUTHENTICATED


@pytest.mark.parametrize("sender", ["other type", "other world", "other number", "webhook"])
def test_e45_each_type_has_a_secret_of_its_own_in_each_world(sender: str) -> None:
    desk, _, payin = opened()
    own = callback_sender(INSTANCE, World.SANDBOX, CARD)
    secret = {
        "other type": callback_secret_of(MASTER_KEY, callback_sender(INSTANCE, World.SANDBOX, "STRIPE"), 1),
        "other world": callback_secret_of(MASTER_KEY, callback_sender(INSTANCE, World.PRODUCTION, CARD), 1),
        "other number": callback_secret_of(MASTER_KEY, own, 2),
        "webhook": "whsec_" + "A" * 44,
    }[sender]
    assert refusal_of(desk.call_back(said(payin), secret=secret)) == UNAUTHENTICATED


def test_e45_a_new_secret_ends_the_one_before_it() -> None:
    desk, _, payin = opened()
    desk.set(payin_types=(ExternalPayinType(CARD, 2),))
    assert refusal_of(desk.call_back(said(payin))) == UNAUTHENTICATED
    secret = callback_secret_of(MASTER_KEY, callback_sender(INSTANCE, World.SANDBOX, CARD), 2)
    assert data_of(desk.call_back(said(payin), secret=secret))["status"] == "CONFIRMED"


def test_e45_the_secret_of_the_previous_master_key_is_taken_too(monkeypatch: pytest.MonkeyPatch) -> None:
    desk, _, payin = opened()
    monkeypatch.setattr(wiring, "master_key", lambda: b"n" * 32)
    monkeypatch.setattr(wiring, "previous_master_key", lambda: MASTER_KEY)
    assert data_of(desk.over(desk.database).call_back(said(payin)))["status"] == "CONFIRMED"


@pytest.mark.parametrize(
    "path", ["inst_none/sandbox/REDSYS_V2", f"{INSTANCE}/stage/REDSYS_V2", f"{INSTANCE}/sandbox/X"]
)
def test_e45_what_is_not_there_is_401(shared: Desk, path: str) -> None:
    assert refusal_of(shared.as_key(KEY).post(f"/callbacks/{path}", {})) == UNAUTHENTICATED


def test_e45_an_archived_instance_takes_no_callbacks() -> None:
    desk, _, payin = opened()
    Tenants(desk.database, lambda: desk.now_s).change(
        INSTANCE, lambda found: replace(found, status=InstanceStatus.ARCHIVED)
    )
    assert refusal_of(desk.call_back(said(payin))) == UNAUTHENTICATED


def test_e45_a_secret_key_signs_nothing() -> None:
    desk, _, payin = opened()
    for key in (KEY, PRODUCTION_KEY):
        answer = desk.as_key(key).post(f"/callbacks/{INSTANCE}/sandbox/{CARD}", said(payin))
        assert refusal_of(answer) == UNAUTHENTICATED


def test_e45_amounts_are_exact() -> None:
    desk = new_desk()
    order = desk.order(value="23.77")
    payin = data_of(desk.post("/payins", {"order_id": order["id"], "type": CARD}))
    assert outcome(desk.call_back(said(payin, amount="23.770000000000000001"))) == ["amount"]
    assert data_of(desk.call_back(said(payin, amount=Decimal("23.77"))))["status"] == "CONFIRMED"
