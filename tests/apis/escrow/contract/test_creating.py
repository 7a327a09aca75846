"""POST orders: every field, its bounds on both sides, and who buys and sells (E11, E12)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from chalicelib.domain.tenancy.instances import World
from tests.apis.escrow.cases import NO_ID, ledger, money, outcome
from tests.apis.escrow.desk import OTHER_KEY, Desk, data_of
from tests.case_tables import cases

URL = "https://x.test/"
GOOD = cases(
    ("name 1",                  {"name": "x"}),
    ("name 120",                {"name": "é" * 120}),
    ("value 0",                 {"value": 0}),
    ("value 0.01",              {"value": Decimal("0.01")}),
    ("value greatest",          {"value": "999999999.99"}),
    ("value of yen",            {"value": 999_999_999, "currency": "JPY"}),
    ("description 1000",        {"description": "d" * 1000}),
    ("fee_value 0",             {"fee_value": 0}),
    ("fee_value of all",        {"fee_value": 150}),
    ("fee_percent 0",           {"fee_percent": 0}),
    ("fee_percent 100",         {"fee_percent": 100}),
    ("fee_percent 4 decimals",  {"fee_percent": Decimal("2.0001")}),
    ("currency",                {"currency": "JPY"}),
    ("tag 100",                 {"tag": "t" * 100}),
    ("images none",             {"images": []}),
    ("images 10",               {"images": [URL] * 10}),
    ("images by http",          {"images": ["http://x.test/"]}),
    ("metadata none",           {"metadata": {}}),
    ("metadata 50 keys",        {"metadata": {str(number): number for number in range(50)}}),
    ("metadata key of 100",     {"metadata": {"k" * 100: 1}}),
    ("metadata 8 KiB",          {"metadata": {"k": "x" * (8192 - 8)}}),
    ("metadata values",         {"metadata": {"a": None, "b": True, "c": [1, {"d": " x "}], "": ""}}),
    ("template",                {"template": {"btn_submit_text": "Pay", "iframe_title": "T", "expires_in": 1,
                                              "hide_cardholder": True, "password_cvv": False, "own": {"a": [1]}}}),
    ("payin_intents 1",         {"payin_intents": 1}),
)  # fmt: skip


@pytest.mark.parametrize("members", GOOD)
def test_a_field_within_its_bounds_is_taken_and_answered(shared: Desk, members: dict[str, Any]) -> None:
    order = shared.order(**members)
    for name, value in members.items():
        expected = Decimal(value) if name == "value" else value
        assert order[name] == expected
    assert shared.now(order) == order


BAD = cases(
    ("name missing",            {"name": ...},                          ["name"]),
    ("name null",               {"name": None},                         ["name"]),
    ("name empty",              {"name": "  "},                         ["name"]),
    ("name 121",                {"name": "x" * 121},                    ["name"]),
    ("name number",             {"name": 5},                            ["name"]),
    ("value missing",           {"value": ...},                         ["value"]),
    ("value below 0",           {"value": Decimal("-0.01")},            ["value"]),
    ("value 1.005",             {"value": Decimal("1.005")},            ["value"]),
    ("value beyond",            {"value": 1_000_000_000},               ["value"]),
    ("value of yen",            {"value": "1.5", "currency": "JPY"},    ["value"]),
    ("value immense",           {"value": 10**60},                      ["value"]),
    ("value list",              {"value": [1]},                         ["value"]),
    ("value true",              {"value": True},                        ["value"]),
    ("value object",            {"value": {"a": 1}},                    ["value"]),
    ("buyer_id missing",        {"buyer_id": ...},                      ["buyer_id"]),
    ("buyer_id unknown",        {"buyer_id": NO_ID},                    ["buyer_id"]),
    ("buyer_id text",           {"buyer_id": "ann"},                    ["buyer_id"]),
    ("seller_id missing",       {"seller_id": ...},                     ["seller_id"]),
    ("seller_id unknown",       {"seller_id": NO_ID},                   ["seller_id"]),
    ("both missing",            {"buyer_id": ..., "seller_id": ...},    ["buyer_id", "seller_id"]),
    ("seller missing, trustee", {"seller_id": ..., "trustee_type": "account"}, ["seller_id"]),
    ("trustee_type",            {"trustee_type": "customer"},           ["trustee_type"]),
    ("auto_settle 2",           {"auto_settle": 2},                     ["auto_settle"]),
    ("auto_settle text",        {"auto_settle": "yes"},                 ["auto_settle"]),
    ("auto_settle 0",           {"auto_settle": 0, "buyer_id": ..., "seller_id": ...}, ["buyer_id", "seller_id"]),
    ("auto_settle, unknown",    {"auto_settle": 1, "buyer_id": NO_ID, "seller_id": NO_ID}, ["buyer_id", "seller_id"]),
    ("currency unknown",        {"currency": "USD"},                    ["currency"]),
    ("currency lower case",     {"currency": "eur"},                    ["currency"]),
    ("currency number",         {"currency": 978},                      ["currency"]),
    ("fee_value below 0",       {"fee_value": -1},                      ["fee_value"]),
    ("fee_value above value",   {"fee_value": "150.01"},                ["fee_value"]),
    ("fee above value, no name", {"fee_value": 151, "name": ...},       ["fee_value", "name"]),
    ("value 0.001, no name",    {"value": "0.001", "name": ...},        ["name", "value"]),
    ("form and stored things",  {"seller_id": NO_ID, "currency": "USD", "name": ...},
     ["currency", "name", "seller_id"]),
    ("settles, no value",       {"auto_settle": 1, "buyer_id": ..., "seller_id": ..., "value": ...}, ["value"]),
    ("fee_value decimals",      {"fee_value": "1.001"},                 ["fee_value"]),
    ("fee_percent below 0",     {"fee_percent": "-0.0001"},             ["fee_percent"]),
    ("fee_percent above 100",   {"fee_percent": "100.0001"},            ["fee_percent"]),
    ("fee_percent 5 decimals",  {"fee_percent": "2.00001"},             ["fee_percent"]),
    ("description 1001",        {"description": "d" * 1001},            ["description"]),
    ("tag 101",                 {"tag": "t" * 101},                     ["tag"]),
    ("metadata text",           {"metadata": "a"},                      ["metadata"]),
    ("metadata list",           {"metadata": [1]},                      ["metadata"]),
    ("metadata 51 keys",        {"metadata": {str(number): 1 for number in range(51)}}, ["metadata"]),
    ("metadata key of 101",     {"metadata": {"k" * 101: 1}},           ["metadata"]),
    ("metadata above 8 KiB",    {"metadata": {"k": "x" * (8192 - 7)}},  ["metadata"]),
    ("images text",             {"images": URL},                        ["images"]),
    ("images 11",               {"images": [URL] * 11},                 ["images"]),
    ("images no URL",           {"images": [URL, "x.test"]},            ["images"]),
    ("template list",           {"template": []},                       ["template"]),
    ("template expires_in 0",   {"template": {"expires_in": 0}},        ["template"]),
    ("template expires_in 1.5", {"template": {"expires_in": 1.5}},      ["template"]),
    ("template text",           {"template": {"btn_submit_text": 5}},   ["template"]),
    ("template title",          {"template": {"iframe_title": []}},     ["template"]),
    ("template boolean",        {"template": {"hide_cardholder": 5}},   ["template"]),
    ("template cvv",            {"template": {"password_cvv": "no"}},   ["template"]),
    ("payin_intents 0",         {"payin_intents": 0},                   ["payin_intents"]),
    ("payin_intents 1.5",       {"payin_intents": 1.5},                 ["payin_intents"]),
    ("payin_intents immense",   {"payin_intents": 2**53},               ["payin_intents"]),
    ("payin_method_types",      {"payin_method_types": "WALLET"},       ["payin_method_types"]),
    ("payin_method_fallback",   {"payin_method_fallback": [1]},         ["payin_method_fallback"]),
    ("payin_types",             {"payin_types": {"a": "b"}},            ["payin_types"]),
    ("payin_fallback",          {"payin_fallback": [["x"]]},            ["payin_fallback"]),
    *((name, {name: "/done"}, [name]) for name in
      ("buyer_confirmed_url", "buyer_denied_url", "seller_confirmed_url", "seller_denied_url")),
    ("URL without a host",      {"seller_confirmed_url": "https://"},   ["seller_confirmed_url"]),
    ("URL with a blank",        {"seller_denied_url": "https://x.test/a b"}, ["seller_denied_url"]),
    ("URL with a backslash",    {"seller_denied_url": "https://x.test\\@y.test/"}, ["seller_denied_url"]),
    ("URL of another scheme",   {"buyer_denied_url": "ftp://x.test/"},  ["buyer_denied_url"]),
    ("the reference's",         {"value": -1, "fee_percent": 101, "name": ..., "buyer_id": ..., "seller_id": ...},
     ["buyer_id", "fee_percent", "name", "seller_id", "value"]),
)  # fmt: skip


@pytest.mark.parametrize(("members", "fields"), BAD)
def test_a_field_outside_its_bounds_is_an_error_on_it_and_changes_nothing(
    shared: Desk, members: dict[str, Any], fields: list[str]
) -> None:
    before = shared.tables()
    assert outcome(shared.post("/orders", shared.usual_order(**members))) == fields
    assert shared.tables() == before


# --- who buys and sells

PARTIES = cases(
    ("both", {}, "DRAFT", "ann", "sam"),
    ("one for both", {"seller_id": "ann"}, "DRAFT", "ann", "ann"),
    ("trustee", {"trustee_type": "account", "buyer_id": ...}, "DRAFT", "own", "sam"),
    ("trustee, buyer ignored", {"trustee_type": "account"}, "DRAFT", "own", "sam"),
    ("trustee, no id ignored", {"trustee_type": "account", "buyer_id": "x"}, "DRAFT", "own", "sam"),
    ("settles", {"auto_settle": 1}, "DRAFT", "ann", "sam"),
    ("settles, no seller", {"auto_settle": 1, "seller_id": ...}, "DRAFT", "ann", "own"),
    ("settles, no buyer", {"auto_settle": 1, "buyer_id": ...}, "PENDING_DETAILS", None, "sam"),
    ("settles, nobody", {"auto_settle": True, "buyer_id": ..., "seller_id": ...}, "PENDING_DETAILS", None, "own"),
    ("settles, trustee, no seller", {"auto_settle": "1", "trustee_type": "account", "seller_id": ...},
     "DRAFT", "own", "own"),
)  # fmt: skip


@pytest.mark.parametrize(("members", "status", "buyer", "seller"), PARTIES)
def test_who_buys_and_sells(shared: Desk, members: dict[str, Any], status: str, buyer: str | None, seller: str) -> None:
    uuids = {"ann": shared.buyer["uuid"], "sam": shared.seller["uuid"], "own": shared.own_uuid(World.SANDBOX)}
    if members.get("seller_id") == "ann":
        members = members | {"seller_id": shared.buyer["id"]}
    order = shared.order(**members)
    expected = {"seller": f"/2.0/customers/{uuids[seller]}"}
    if buyer is not None:
        expected["buyer"] = f"/2.0/customers/{uuids[buyer]}"
    assert (order["status"], order["connections"]) == (status, expected)


def test_the_currency_is_the_accounts_base_currency_unless_it_is_given(shared: Desk) -> None:
    assert shared.order()["currency"] == "EUR"
    assert shared.order(currency="JPY")["currency"] == "JPY"


def test_the_four_urls_are_stored_and_not_answered(desk: Desk) -> None:
    urls = {
        f"{party}_{what}_url": f"https://{party}.test/{what}"
        for party in ("buyer", "seller")
        for what in ("confirmed", "denied")
    }
    order = desk.order(**urls)
    assert not urls.keys() & order.keys()
    assert "buyer.test" not in str(order)
    stored = repr(desk.tables()["escrows"])
    assert all(url in stored for url in urls.values())


NAMES = cases(
    ("vendor's names",      {"payin_method_types": ["A"], "payin_method_fallback": ["B"]},  (["A"], ["B"])),
    ("answer's names",      {"payin_types": ["A"], "payin_fallback": ["B"]},                (["A"], ["B"])),
    ("neither",             {},                                                             ([], [])),
    ("empty",               {"payin_types": [], "payin_method_fallback": []},               ([], [])),
)  # fmt: skip


@pytest.mark.parametrize(("members", "shown"), NAMES)
def test_e11_both_names_of_the_payin_types(shared: Desk, members: dict[str, Any], shown: tuple[Any, Any]) -> None:
    order = shared.order(**members)
    assert (order["payin_types"], order["payin_fallback"]) == shown


def test_e12_an_order_of_nothing_goes_through_all_its_statuses(desk: Desk) -> None:
    order = desk.order(value=0, fee_percent=10)
    assert (order["status"], order["amount"]) == ("DRAFT", "0.00 €")
    assert desk.pay(order)["status"] == "CONFIRMED"
    paid = desk.now(order)
    assert (paid["status"], paid["payin_amount"], paid["fee_amount"]) == ("PUBLISHED", "0.00 €", "0.00 €")
    assert desk.do(order, "accept")["status"] == "ACCEPTED"
    desk.pay_out(order)
    assert desk.now(order)["payout_amount"] == "0.00 €"
    released = desk.do(order, "validate")
    assert (released["status"], released["payout_amount"], released["fee_amount"]) == ("RELEASED", "0.00 €", "0.00 €")
    assert ledger(desk) == money(0, 0, 0, 0, 0)
    assert desk.tables()["accounts"] == [], "its moves are skipped"


ZEROS = cases(
    ("bank wire",               "confirm",          "PUBLISHED"),
    ("cancelled",               "cancel",           "CANCELLED"),
    ("reimbursed",              "reimburse",        "CANCELLED"),
    ("rejected",                "reject",           "REJECTED"),
    ("settled",                 "settle",           "RELEASED"),
)  # fmt: skip


@pytest.mark.parametrize(("way", "status"), ZEROS)
def test_e12_in_every_way(desk: Desk, way: str, status: str) -> None:
    order = desk.order(value=0, auto_settle=int(way == "settle"))
    if way == "confirm":
        payin = desk.bankwire(order)
        data_of(desk.operate(f"/payins/{payin['id']}/confirm", {"amount": 0}))
    else:
        desk.pay(order)
        if way != "settle":
            desk.do(order, way)
    assert desk.now(order)["status"] == status
    if way in ("cancel", "reimburse"):
        assert desk.now(order)["refund"]["status"] == "CONFIRMED"
    if way == "reject":
        assert desk.do(order, "reimburse")["refund"]["status"] == "CONFIRMED"
        assert outcome(desk.post(f"/orders/{order['id']}/reimburse")) == ["amount"], "nothing is left"
    assert desk.tables()["accounts"] == []


def test_ids_are_never_used_again_and_a_failed_creation_may_leave_a_gap(desk: Desk) -> None:
    first = desk.order()["id"]
    assert outcome(desk.post("/orders", desk.usual_order(name=...))) == ["name"]
    second = desk.order()["id"]
    assert second > first
    other = desk.as_key(OTHER_KEY)
    parties = [other.customer(email)["id"] for email in ("a@z.test", "b@z.test")]
    body = desk.usual_order(buyer_id=parties[0], seller_id=parties[1])
    assert data_of(other.post("/orders", body))["id"] > second
