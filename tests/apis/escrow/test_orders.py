"""Orders over the wire: what may be sent, what is shown, and what each status lets be done."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

import pytest

from chalicelib.domain.escrow.lifecycle import Status
from chalicelib.domain.escrow.order import World
from tests.apis.escrow.desk import (
    BASE_URL,
    CHANGED_BY_REQUESTS,
    PRODUCTION_KEY,
    Desk,
    data_of,
    errors_of,
)
from tests.case_tables import cases

FIELDS = [
    "id",
    "self",
    "public_id",
    "name",
    "description",
    "value",
    "fee_value",
    "fee_percent",
    "currency",
    "amount",
    "payin_amount",
    "payout_amount",
    "fee_amount",
    "shipping_amount",
    "buyer_link",
    "seller_link",
    "qr_link",
    "status",
    "sandbox",
    "status_nicename",
    "images",
    "tag",
    "payin_intents",
    "payin_types",
    "payin_fallback",
    "metadata",
    "template",
    "published_units",
    "refund",
    "created_at",
    "published_at",
    "accepted_at",
    "shipping_at",
    "cancelled_at",
    "validated_at",
    "released_at",
    "connections",
]
COMMANDS = ("accept", "reject", "cancel", "validate", "reimburse")
CREATED_AT = "2025-02-19T21:20:00Z"


def order_fields(order: dict[str, Any]) -> list[str]:
    return list(order)


# --- creating


def test_a_new_order_shows_every_field(desk: Desk) -> None:
    order = desk.order(fee_percent=2.5, tag="web-771", metadata={"cart": "771"})
    assert order_fields(order) == FIELDS
    links = [order[name] for name in ("buyer_link", "seller_link", "qr_link")]
    tokens = {link.rpartition("/")[2] for link in links}
    assert [re.sub(r"[A-Za-z0-9]{32}$", "", link) for link in links] == [f"{BASE_URL}/{way}/" for way in "bsq"]
    assert len(tokens) == 3
    assert re.fullmatch(r"[A-Z0-9]{12}", order["public_id"])
    assert {name: order[name] for name in FIELDS if not name.endswith("_link") and name != "public_id"} == {
        "id": 1,
        "self": "/2.0/orders/1",
        "name": "Road bike",
        "description": None,
        "value": 150,
        "fee_value": None,
        "fee_percent": Decimal("2.5"),
        "currency": "EUR",
        "amount": "150.00 €",
        "payin_amount": None,
        "payout_amount": None,
        "fee_amount": "3.75 €",
        "shipping_amount": None,
        "status": "DRAFT",
        "sandbox": True,
        "status_nicename": "Draft",
        "images": [],
        "tag": "web-771",
        "payin_intents": None,
        "payin_types": [],
        "payin_fallback": [],
        "metadata": {"cart": "771"},
        "template": {},
        "published_units": 0,
        "refund": {"status": None, "reference_id": None},
        "created_at": CREATED_AT,
        "published_at": None,
        "accepted_at": None,
        "shipping_at": None,
        "cancelled_at": None,
        "validated_at": None,
        "released_at": None,
        "connections": {
            "buyer": f"/2.0/customers/{desk.buyer['uuid']}",
            "seller": f"/2.0/customers/{desk.seller['uuid']}",
        },
    }
    assert data_of(desk.get("/orders/1")) == order


def test_what_was_sent_comes_back_as_it_was_sent(desk: Desk) -> None:
    """E11: both names of the payin types."""
    sent = {
        "name": "x" * 120,
        "description": "d" * 1000,
        "tag": "t" * 100,
        "images": ["https://x.test/1.png", "http://x.test/2"],
        "payin_intents": 3,
        "template": {"btn_submit_text": "Pay", "expires_in": 5, "hide_cardholder": False, "own": {"a": [1, 2.5, None]}},
        "metadata": {"text": " as is ", "number": 1.50, "none": None, "list": [True, "é"]},
    }
    urls = {
        f"{party}_{what}_url": "https://x.test/done"
        for party in ("buyer", "seller")
        for what in ("confirmed", "denied")
    }
    order = desk.order(**sent, **urls, payin_method_types=["WALLET"], payin_method_fallback=["BANKWIRE"])
    assert {name: json.dumps(order[name], default=float) for name in sent} == {
        name: json.dumps(value) for name, value in sent.items()
    }
    assert (order["payin_types"], order["payin_fallback"]) == (["WALLET"], ["BANKWIRE"])
    other = desk.order(payin_types=["A"], payin_fallback=["B"])
    assert (other["payin_types"], other["payin_fallback"]) == (["A"], ["B"])
    assert not urls.keys() & order.keys()


NUMBERS = cases(
    ("integer", b"150", b"150"),
    ("no_zeros", b"150.00", b"150"),
    ("one_decimal", b"150.50", b"150.5"),
    ("two", b"23.77", b"23.77"),
    ("no_binary_fraction", b"0.1", b"0.1"),
    ("exponent", b"1.5e2", b"150"),
    ("zero", b"0.00", b"0"),
    ("greatest", b"999999999.99", b"999999999.99"),
)


@pytest.mark.parametrize(("sent", "shown"), NUMBERS)
def test_a_number_is_written_as_the_decimal_that_it_is(desk: Desk, sent: bytes, shown: bytes) -> None:
    """E12: 0 is a value, too."""
    body = json.dumps(desk.usual_order(value="VALUE")).encode().replace(b'"VALUE"', sent)
    answer = desk.post("/orders", body)
    assert b'"value":' + shown + b"," in answer.body.encode()


def test_money_texts(desk: Desk) -> None:
    for value, currency, text in ((150, "EUR", "150.00 €"), (0.59, "EUR", "0.59 €"), (1234567.8, "EUR", "1234567.80 €"),
                                  (150, "JPY", "150 JPY")):  # fmt: skip
        assert desk.order(value=value, currency=currency)["amount"] == text


FAULTY = cases(
    ("nothing", dict.fromkeys(("name", "value", "buyer_id", "seller_id"), ...),
     ["buyer_id", "name", "seller_id", "value"]),
    ("the_contracts", {"value": -1, "fee_percent": 101, "name": ..., "buyer_id": ..., "seller_id": ...},
     ["buyer_id", "fee_percent", "name", "seller_id", "value"]),
    ("value_decimals", {"value": 1.005}, ["value"]),
    ("value_beyond", {"value": 1_000_000_000}, ["value"]),
    ("value_immense", {"value": 10**60}, ["value"]),
    ("value_text", {"value": "much"}, ["value"]),
    ("value_exponent_as_text", {"value": "1e2"}, ["value"]),
    ("value_true", {"value": True}, ["value"]),
    ("value_list", {"value": [1]}, ["value"]),
    ("value_of_yen", {"value": 1.5, "currency": "JPY"}, ["value"]),
    ("name_long", {"name": "x" * 121}, ["name"]),
    ("name_blank", {"name": "  "}, ["name"]),
    ("name_number", {"name": 5}, ["name"]),
    ("description_long", {"description": "x" * 1001}, ["description"]),
    ("tag_long", {"tag": "x" * 101}, ["tag"]),
    ("fee_above_value", {"fee_value": 150.01}, ["fee_value"]),
    ("fee_below_zero", {"fee_value": -0.01}, ["fee_value"]),
    ("fee_decimals", {"fee_value": 1.001}, ["fee_value"]),
    ("percent_decimals", {"fee_percent": 1.00001}, ["fee_percent"]),
    ("currency_unknown", {"currency": "USD"}, ["currency"]),
    ("currency_lower_case", {"currency": "eur"}, ["currency"]),
    ("buyer_unknown", {"buyer_id": 99}, ["buyer_id"]),
    ("buyer_zero", {"buyer_id": 0}, ["buyer_id"]),
    ("buyer_immense", {"buyer_id": 10**40}, ["buyer_id"]),
    ("buyer_fraction", {"buyer_id": 1.5}, ["buyer_id"]),
    ("buyer_text", {"buyer_id": "ann"}, ["buyer_id"]),
    ("seller_unknown_with_name_missing", {"seller_id": 99, "name": ...}, ["name", "seller_id"]),
    ("stored_and_form", {"seller_id": 99, "currency": "USD", "name": ...}, ["currency", "name", "seller_id"]),
    ("fee_above_value_with_name_missing", {"fee_value": 151, "name": ...}, ["fee_value", "name"]),
    ("value_decimals_with_name_missing", {"value": 0.001, "name": ...}, ["name", "value"]),
    ("trustee", {"trustee_type": "customer"}, ["trustee_type"]),
    ("auto_settle", {"auto_settle": 2}, ["auto_settle"]),
    ("auto_settle_without_value", {"auto_settle": 1, "buyer_id": ..., "seller_id": ..., "value": ...}, ["value"]),
    ("intents_zero", {"payin_intents": 0}, ["payin_intents"]),
    ("intents_immense", {"payin_intents": 2**53}, ["payin_intents"]),
    ("types_text", {"payin_method_types": "WALLET"}, ["payin_method_types"]),
    ("types_numbers", {"payin_types": [1]}, ["payin_types"]),
    ("images_many", {"images": ["https://x.test/"] * 11}, ["images"]),
    ("images_no_urls", {"images": ["ftp://x.test/"]}, ["images"]),
    ("url_relative", {"buyer_denied_url": "/done"}, ["buyer_denied_url"]),
    ("url_no_host", {"seller_confirmed_url": "https://"}, ["seller_confirmed_url"]),
    ("url_blank", {"seller_denied_url": "https://x.test/a b"}, ["seller_denied_url"]),
    ("metadata_text", {"metadata": "x"}, ["metadata"]),
    ("metadata_list", {"metadata": ["x"]}, ["metadata"]),
    ("metadata_keys", {"metadata": {str(number): 1 for number in range(51)}}, ["metadata"]),
    ("metadata_key_long", {"metadata": {"k" * 101: 1}}, ["metadata"]),
    ("metadata_size", {"metadata": {"k": "x" * 8192}}, ["metadata"]),
    ("template_list", {"template": [1]}, ["template"]),
    ("template_expires", {"template": {"expires_in": 0}}, ["template"]),
    ("template_text", {"template": {"iframe_title": 5}}, ["template"]),
    ("template_truth", {"template": {"password_cvv": "maybe"}}, ["template"]),
)  # fmt: skip


@pytest.mark.parametrize(("members", "fields"), FAULTY)
def test_an_order_that_cannot_be_names_every_bad_field_and_changes_nothing(
    desk: Desk, members: dict[str, Any], fields: list[str]
) -> None:
    before = desk.tables()
    assert sorted(errors_of(desk.post("/orders", desk.usual_order(**members)))) == fields
    assert desk.tables() == before


def test_texts_of_errors_are_for_people(desk: Desk) -> None:
    errors = errors_of(desk.post("/orders", {"value": -1, "buyer_id": 99, "fee_percent": "x"}))
    assert errors == {
        "name": ["The name field is required."],
        "value": ["The value must be at least 0."],
        "buyer_id": ["The selected buyer id is invalid."],
        "seller_id": ["The seller id field is required."],
        "fee_percent": ["The fee percent must be a number."],
    }


def test_an_order_may_have_no_buyer_or_the_merchant_itself_on_either_side(desk: Desk) -> None:
    own = f"/2.0/customers/{desk.own_uuid(World.SANDBOX)}"
    unnamed = desk.order(buyer_id=..., auto_settle=1)
    assert (unnamed["status"], unnamed["connections"]) == (
        "PENDING_DETAILS", {"seller": f"/2.0/customers/{desk.seller['uuid']}"}
    )  # fmt: skip
    assert desk.order(seller_id=..., auto_settle="1")["connections"]["seller"] == own
    trustee = desk.order(buyer_id="ignored", trustee_type="account")
    assert (trustee["status"], trustee["connections"]["buyer"]) == ("DRAFT", own)
    same = desk.order(seller_id=desk.buyer["id"])
    assert same["connections"]["buyer"] == same["connections"]["seller"]


def test_the_prefix_of_the_key_says_the_world(desk: Desk) -> None:
    """E2"""
    production = desk.as_key(PRODUCTION_KEY)
    ids = {f"{role}_id": production.customer(f"{role}@x.test")["id"] for role in ("buyer", "seller")}
    assert data_of(production.post("/orders", desk.usual_order(**ids)))["sandbox"] is False


# --- changing

CHANGES: dict[str, Any] = {
    "name": "Blue bike",
    "description": "used",
    "value": 99.5,
    "fee_value": 1,
    "fee_percent": 5,
    "tag": "new",
    "metadata": {"b": 2},
    "template": {"x": 1},
    "images": ["https://x.test/2.png"],
}
FREE = ("DRAFT", "PENDING_DETAILS", "PENDING_PUBLISH", "FAILURE")
HELD = ("PUBLISHED", "ACCEPTED", "PENDING_VALIDATE", "PENDING_RELEASE", "BLOCKED_RELEASE")


@pytest.mark.parametrize("status", [status.value for status in Status])
def test_a_status_lets_its_fields_be_changed_and_no_others(desk: Desk, status: str) -> None:
    """E13"""
    order = desk.in_status(status)
    may = (
        set(CHANGES) if status in FREE else {"metadata", "fee_value", "fee_percent"} if status in HELD else {"metadata"}
    )
    before = desk.tables()
    for name, value in CHANGES.items():
        if name not in may:
            assert list(errors_of(desk.put(f"/orders/{order['id']}", {name: value}))) == [name]
    both = {"name": "Blue bike", "value": 99.5}
    if status not in FREE:
        assert sorted(errors_of(desk.put(f"/orders/{order['id']}", both))) == ["name", "value"]
        assert data_of(desk.put(f"/orders/{order['id']}", {"name": order["name"], "value": 150.00, "buyer_id": None}))
    assert desk.tables()["accounts"] == before["accounts"]
    if status not in FREE:
        assert desk.now(order) == order
    changed = data_of(desk.put(f"/orders/{order['id']}", {name: CHANGES[name] for name in may}))
    assert {name: changed[name] for name in may} == {name: CHANGES[name] for name in may}
    assert changed["status"] == ("DRAFT" if status == "PENDING_PUBLISH" else status)


def test_null_clears_what_may_be_cleared_and_absent_fields_stay(desk: Desk) -> None:
    """E13"""
    order = desk.order(fee_value=1, fee_percent=2, description="d", tag="t", metadata={"a": 1})
    assert data_of(desk.put(f"/orders/{order['id']}", {})) == order
    nulls = dict.fromkeys(("fee_value", "fee_percent", "description", "tag", "name", "metadata", "buyer_id"))
    cleared = data_of(desk.put(f"/orders/{order['id']}", nulls))
    gone = {"fee_value": None, "fee_percent": None, "description": None, "tag": None, "fee_amount": None}
    assert cleared == order | gone


def test_a_forms_put_changes_and_its_empty_texts_do_not(desk: Desk) -> None:
    order = desk.order(tag="t")
    form = b"name=Blue+bike&tag=&metadata[a][b]=c&images[]=https://x.test/1"
    changed = data_of(desk.put(f"/orders/{order['id']}", form, content_type="application/x-www-form-urlencoded"))
    assert changed == order | {"name": "Blue bike", "metadata": {"a": {"b": "c"}}, "images": ["https://x.test/1"]}


def test_bad_changes_are_told_all_at_once_and_change_nothing(desk: Desk) -> None:
    order = desk.order(fee_value=100)
    before = desk.tables()
    path = f"/orders/{order['id']}"
    assert sorted(errors_of(desk.put(path, {"name": 5, "fee_value": 151, "buyer_id": 99}))) == [
        "buyer_id",
        "fee_value",
        "name",
    ]
    assert sorted(errors_of(desk.put(path, {"value": 99}))) == ["value"], "the fee would be above the value"
    assert sorted(errors_of(desk.put(path, {"value": 1.001, "images": "x"}))) == ["images", "value"]
    assert sorted(errors_of(desk.put(path, {"buyer_id": 99}))) == ["buyer_id"]
    assert desk.tables() == before
    paid = desk.in_status("PUBLISHED")
    assert sorted(errors_of(desk.put(f"/orders/{paid['id']}", {"name": "x", "tag": 5, "metadata": []}))) == [
        "metadata",
        "name",
        "tag",
    ]


def test_naming_the_buyer_makes_an_order_without_one_a_draft(desk: Desk) -> None:
    order = desk.in_status("PENDING_DETAILS")
    changed = data_of(desk.put(f"/orders/{order['id']}", {"buyer_id": str(desk.buyer["id"])}))
    assert (changed["status"], changed["connections"]["buyer"]) == ("DRAFT", f"/2.0/customers/{desk.buyer['uuid']}")


# --- commands

DONE = {
    "accept": {"PUBLISHED": "ACCEPTED"},
    "reject": {"PUBLISHED": "REJECTED"},
    "cancel": dict.fromkeys((*FREE, *HELD), "CANCELLED"),
    "validate": {"ACCEPTED": "RELEASED", "PENDING_VALIDATE": "RELEASED"},
    "reimburse": dict.fromkeys(HELD, "CANCELLED") | {"REJECTED": "REJECTED"},
}
PARTICIPLES = {
    "accept": "accepted",
    "reject": "rejected",
    "cancel": "cancelled",
    "validate": "validated",
    "reimburse": "reimbursed",
}


@pytest.mark.parametrize("status", [status.value for status in Status])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_does_what_the_status_allows_or_says_that_it_cannot(desk: Desk, command: str, status: str) -> None:
    """E3, E21"""
    order = desk.in_status(status)
    before = desk.tables()
    answer = desk.post(f"/orders/{order['id']}/{command}")
    desk.check_money()
    if status in DONE[command]:
        assert data_of(answer)["status"] == DONE[command][status]
        assert data_of(answer) == desk.now(order)
    else:
        text = f"The order cannot be {PARTICIPLES[command]} while its status is {status}."
        assert errors_of(answer) == {"status": [text]}
        assert {table: desk.tables()[table] for table in CHANGED_BY_REQUESTS} == before


def test_a_published_order_is_validated_at_once_when_it_is_accepted_with_it(desk: Desk) -> None:
    order = desk.in_status("PUBLISHED")
    assert list(errors_of(desk.post(f"/orders/{order['id']}/validate", {"auto_accept": False}))) == ["status"]
    released = desk.do(order, "validate", {"auto_accept": "1"})
    times = {name: released[name] is not None for name in FIELDS if name.endswith("_at")}
    assert released["status"] == "RELEASED"
    assert [name for name, is_set in times.items() if not is_set] == ["shipping_at", "cancelled_at"]
    assert (released["payin_amount"], released["payout_amount"]) == ("150.00 €", "150.00 €")
    assert list(errors_of(desk.post(f"/orders/{order['id']}/validate", {"auto_accept": "maybe"}))) == ["auto_accept"]


def test_cancelling_replaces_the_tag_and_merges_the_metadata(desk: Desk) -> None:
    """E14"""
    order = desk.order(tag="old", metadata={"a": 1, "b": 2})
    body = {"tag": "new", "metadata": {"b": 3, "c": 4}, "bankaccount_id": "nobody's"}
    cancelled = desk.do(order, "cancel", body)
    assert (cancelled["tag"], cancelled["metadata"]) == ("new", {"a": 1, "b": 3, "c": 4})
    full = desk.order(metadata={str(number): 1 for number in range(50)})
    assert list(errors_of(desk.post(f"/orders/{full['id']}/cancel", {"metadata": {"one": "more"}}))) == ["metadata"]
    assert desk.do(full, "cancel", {"metadata": {"1": "another"}})["metadata"]["1"] == "another"


REIMBURSE_FAULTS = cases(
    ("zero", {"amount": 0}, ["amount"]),
    ("below", {"amount": -1}, ["amount"]),
    ("decimals", {"amount": 0.001}, ["amount"]),
    ("more_than_left", {"amount": 150.01}, ["amount"]),
    ("text", {"amount": "all"}, ["amount"]),
    ("wallet", {"wallet_id": 999}, ["wallet_id"]),
    ("payin", {"payin_id": 999}, ["payin_id"]),
    ("all", {"amount": 0, "wallet_id": "x", "payin_id": 999}, ["amount", "payin_id", "wallet_id"]),
)


@pytest.mark.parametrize(("body", "fields"), REIMBURSE_FAULTS)
def test_a_reimbursement_that_cannot_be(desk: Desk, body: dict[str, Any], fields: list[str]) -> None:
    order = desk.paid()
    before = desk.tables()
    assert sorted(errors_of(desk.post(f"/orders/{order['id']}/reimburse", body))) == fields
    seller = {"wallet_id": desk.seller_wallet["id"]}
    assert list(errors_of(desk.post(f"/orders/{order['id']}/reimburse", seller))) == ["wallet_id"]
    assert desk.tables() == before


def test_a_part_is_reimbursed_and_shown(desk: Desk) -> None:
    order = desk.paid(fee_percent=2.5)
    payin = data_of(desk.get(f"/orders/{order['id']}/payin"))
    body = {"amount": "30", "wallet_id": desk.buyer_wallet["id"], "payin_id": payin["id"]}
    shown = desk.do(order, "reimburse", body)
    assert shown["refund"] == {"status": "CONFIRMED", "reference_id": f"RF-{order['id']}-1"}
    assert (shown["payin_amount"], shown["fee_amount"], shown["payout_amount"]) == ("150.00 €", "3.00 €", None)
    assert desk.do(order, "reimburse", {"amount": 0.01})["refund"]["reference_id"] == f"RF-{order['id']}-2"
    desk.check_money()


def test_a_delay_is_waited_and_blocking_starts_it_again(desk: Desk) -> None:
    """E22, over the wire; the sweep is the escrow desk's."""
    desk.set(release_delay_seconds=60)
    order = desk.do(desk.do(desk.paid(), "accept"), "validate")
    assert (order["status"], order["payout_amount"], order["released_at"]) == ("PENDING_RELEASE", "150.00 €", None)
    assert data_of(desk.operate(f"/orders/{order['id']}/block"))["status"] == "BLOCKED_RELEASE"
    assert desk.do(order, "cancel")["status"] == "CANCELLED"
    assert desk.funds() == 150
    desk.check_money()


def test_the_latest_payin_and_payout_of_an_order(desk: Desk) -> None:
    order = desk.order()
    for what in ("payin", "payout"):
        assert desk.get(f"/orders/{order['id']}/{what}").status == 404
    desk.pay(order)
    second = desk.bankwire(order)
    assert data_of(desk.get(f"/orders/{order['id']}/payin")) == second
    released = desk.in_status("RELEASED")
    assert released["connections"]["payout"] == f"/2.0/orders/{released['id']}/payout"
    payout = data_of(desk.get(f"/orders/{released['id']}/payout"))
    assert (payout["status"], payout["confirmed_at"]) == ("CONFIRMED", CREATED_AT)
