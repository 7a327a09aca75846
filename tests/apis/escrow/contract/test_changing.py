"""PUT orders/{id}: what each status lets be changed, and what becomes of an open payin (E13)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.apis.escrow.cases import HOLDING, NO_ID, STATUSES, UNPAID, at, happened, outcome, part
from tests.apis.escrow.desk import Desk, data_of, errors_of
from tests.case_tables import cases

OTHERS: dict[str, Any] = {
    "buyer_id": ...,
    "name": "Blue bike",
    "description": "used",
    "value": Decimal("99.5"),
    "fee_value": 1,
    "fee_percent": Decimal("2.5"),
    "tag": "new",
    "metadata": {"b": 2},
    "template": {"x": 1},
    "images": ["https://x.test/2.png"],
}
every_status = pytest.mark.parametrize("status", STATUSES)


def changeable(status: str) -> set[str]:
    if status in UNPAID:
        return set(OTHERS)
    return {"metadata", "fee_value", "fee_percent"} if status in HOLDING else {"metadata"}


@every_status
@pytest.mark.parametrize("field", OTHERS)
def test_e13_a_field_is_changed_or_refused_by_status(status: str, field: str) -> None:
    desk, order = at(status)
    value = desk.seller["id"] if field == "buyer_id" else OTHERS[field]
    before, path = desk.tables(), f"/orders/{order['id']}"
    answer = desk.put(path, {field: value})
    if field not in changeable(status):
        assert list(errors_of(answer)) == [field]
        assert desk.tables() == before
        return
    changed = data_of(answer)
    if field == "buyer_id":
        assert changed["connections"]["buyer"] == f"/2.0/customers/{desk.seller['uuid']}"
    else:
        assert changed[field] == value
    assert changed == desk.now(order)


@every_status
def test_e13_an_equal_value_is_ignored_in_every_status(status: str) -> None:
    desk, order = at(status)
    before = desk.tables()
    same = {name: order[name] for name in OTHERS if name != "buyer_id" and order[name] is not None}
    buyer = {} if status == "PENDING_DETAILS" else {"buyer_id": desk.buyer["id"]}
    assert data_of(desk.put(f"/orders/{order['id']}", same | buyer | {"value": "150.00"})) == order
    assert data_of(desk.put(f"/orders/{order['id']}", {"description": None, "tag": None, "fee_value": None})) == order
    assert desk.tables() == before


def test_e13_null_clears_four_fields_and_leaves_the_others(desk: Desk) -> None:
    facts = {"fee_value": 1, "fee_percent": 2, "description": "d", "tag": "t", "metadata": {"a": 1}}
    order = desk.order(**facts, template={"x": 1}, images=["https://x.test/"])
    cleared = data_of(desk.put(f"/orders/{order['id']}", dict.fromkeys(OTHERS)))
    gone = dict.fromkeys(("fee_value", "fee_percent", "description", "tag", "fee_amount"))
    assert cleared == order | gone


def test_e13_null_clears_only_what_the_status_lets_be_changed(desk: Desk) -> None:
    order = desk.paid(fee_value=1, tag="t", description="d")
    path = f"/orders/{order['id']}"
    assert sorted(errors_of(desk.put(path, {"tag": None, "description": None}))) == ["description", "tag"]
    assert data_of(desk.put(path, {"fee_value": None}))["fee_amount"] is None


def test_metadata_and_template_are_replaced_as_a_whole(desk: Desk) -> None:
    order = desk.order(metadata={"a": 1, "b": 2}, template={"x": 1, "y": 2})
    changed = data_of(desk.put(f"/orders/{order['id']}", {"metadata": {"c": 3}, "template": {}}))
    assert (changed["metadata"], changed["template"]) == ({"c": 3}, {})


RULES = cases(
    ("name 121",                {"name": "x" * 121},                    ["name"]),
    ("description 1001",        {"description": "x" * 1001},            ["description"]),
    ("value below 0",           {"value": -1},                          ["value"]),
    ("value decimals",          {"value": "1.005"},                     ["value"]),
    ("value below the fee",     {"value": 19},                          ["value"]),
    ("fee above the value",     {"fee_value": 151},                     ["fee_value"]),
    ("fee above the new value", {"fee_value": 31, "value": 30},         ["fee_value"]),
    ("fee_percent above 100",   {"fee_percent": 101},                   ["fee_percent"]),
    ("buyer unknown",           {"buyer_id": NO_ID},                    ["buyer_id"]),
    ("tag 101",                 {"tag": "x" * 101},                     ["tag"]),
    ("metadata",                {"metadata": [1]},                      ["metadata"]),
    ("template",                {"template": {"expires_in": 0}},        ["template"]),
    ("images",                  {"images": ["x"]},                      ["images"]),
    ("all",                     {"name": 5, "value": "x", "buyer_id": NO_ID, "tag": [], "images": {}},
     ["buyer_id", "images", "name", "tag", "value"]),
)  # fmt: skip


@pytest.mark.parametrize(("body", "fields"), RULES)
def test_rules_are_those_of_a_new_order(shared: Desk, body: dict[str, Any], fields: list[str]) -> None:
    order = shared.order(fee_value=20)
    before = shared.tables()
    assert outcome(shared.put(f"/orders/{order['id']}", body)) == fields
    assert shared.tables() == before


IGNORED = ("seller_id", "currency", "payin_intents", "payin_types", "auto_settle", "status", "buyer_confirmed_url")


@pytest.mark.parametrize("field", IGNORED)
def test_what_cannot_be_put_is_ignored(shared: Desk, field: str) -> None:
    order = shared.order()
    assert data_of(shared.put(f"/orders/{order['id']}", {field: "anything"})) == order


# --- transitions

ENDS = cases(
    ("value",               {"value": 149},             "DRAFT",            "CANCELLED"),
    ("buyer_id",            {"buyer_id": ...},          "DRAFT",            "CANCELLED"),
    ("both",                {"buyer_id": ..., "value": 1}, "DRAFT",         "CANCELLED"),
    ("name",                {"name": "other"},          "PENDING_PUBLISH",  "CREATED"),
    ("fee",                 {"fee_value": 1},           "PENDING_PUBLISH",  "CREATED"),
    ("value, the same",     {"value": 150},             "PENDING_PUBLISH",  "CREATED"),
)  # fmt: skip


@pytest.mark.parametrize(("body", "status", "payin_status"), ENDS)
def test_a_new_value_or_buyer_ends_an_open_payin(body: dict[str, Any], status: str, payin_status: str) -> None:
    desk, order = at("PENDING_PUBLISH")
    body = {name: desk.seller["id"] if value is ... else value for name, value in body.items()}
    events = len(happened(desk))
    assert data_of(desk.put(f"/orders/{order['id']}", body))["status"] == status
    assert part(desk, order, "payin")["status"] == payin_status
    told = happened(desk)[events:]
    is_changed = body != {"value": 150}
    expected = [("EscrowUpdated", "PENDING_PUBLISH", status)] if is_changed else []
    assert [(row.event, row.left, row.entered) for row in told] == expected


def test_naming_the_buyer_makes_a_draft_of_it() -> None:
    desk, order = at("PENDING_DETAILS")
    changed = data_of(desk.put(f"/orders/{order['id']}", {"buyer_id": desk.buyer["id"]}))
    assert (changed["status"], list(changed["connections"])) == ("DRAFT", ["buyer", "seller"])
    row = happened(desk)[-1]
    assert (row.event, row.left, row.entered) == ("EscrowUpdated", "PENDING_DETAILS", "DRAFT")


def test_an_order_without_a_buyer_stays_so_until_it_is_named() -> None:
    desk, order = at("PENDING_DETAILS")
    assert data_of(desk.put(f"/orders/{order['id']}", {"value": 1, "buyer_id": None}))["status"] == "PENDING_DETAILS"


def test_a_denied_payin_leaves_an_order_that_can_be_changed_and_paid_anew(desk: Desk) -> None:
    order = desk.order()
    desk.deposit(100)
    assert desk.pay(order)["status"] == "DENIED"
    assert data_of(desk.put(f"/orders/{order['id']}", {"value": 100}))["status"] == "FAILURE"
    assert desk.pay(order)["status"] == "CONFIRMED"
    assert desk.now(order)["payin_amount"] == "100.00 €"
