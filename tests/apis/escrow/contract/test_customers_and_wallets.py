"""Customers, who are known again by their names (E18), their wallets, and the lists beside the orders'."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest

from chalicelib.domain.escrow.money import Currency
from chalicelib.domain.ledger.owners import customer_key
from chalicelib.domain.ledger.tokens import new_token
from chalicelib.domain.tenancy.instances import World
from chalicelib.support.ascii_case import ascii_upper
from chalicelib.tables.tokens import Tokens
from tests.apis.escrow.cases import NO_UUID, NOW, at, outcome
from tests.apis.escrow.desk import OTHER_KEY, PRODUCTION_KEY, Desk, data_of, ids_of, page_of
from tests.case_tables import cases
from tests.services.escrow.world import EUR, INSTANCE, JPY, SANDBOX_EUR, SANDBOX_JPY

CUSTOMER = [
    "id", "self", "uuid", "type", "name", "first_name", "last_name", "email", "prefix", "phone", "tag", "metadata",
    "created_at", "connections",
]  # fmt: skip
WALLET = ["id", "self", "uuid", "type", "balance", "currency", "tag", "metadata", "created_at", "connections"]
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
PHONE = {"prefix": "+34", "phone": "600123123"}

# --- the body

GOOD = cases(
    ("email alone", {"email": "zoe@y.test"}, {}),
    ("email 255", {"email": "z" * 248 + "@y.test"}, {}),
    ("email of any letters", {"email": "\U0001f600" * 248 + "@y.test"}, {}),
    ("email that grows", {"email": "\u0390" * 248 + "@y.test"}, {}),
    ("phone alone", {"prefix": "+1", "phone": "5550"}, {}),
    ("phone 15, prefix 4", {"prefix": "+1234", "phone": "1" * 15}, {}),
    ("both", {"email": "zoe@y.test", **PHONE}, {}),
    ("e37 phone empty", {"email": "zoe@y.test", "prefix": "+34", "phone": ""}, {"prefix": None, "phone": None}),
    ("e37 email and a prefix alone", {"email": "zoe@y.test", "prefix": "+34"}, {"prefix": None}),
    ("e37 phone with blanks", {"prefix": "+34", "phone": "600 12 31 23"}, {"phone": "600123123"}),
    ("e37 prefix with a blank", {"prefix": "+1 242", "phone": "5550100"}, {"prefix": "+1242"}),
    ("names of 255", {"email": "zoe@y.test", "name": "n" * 255, "first_name": "f" * 255, "last_name": "l" * 255}, {}),
    ("tag 100", {"email": "zoe@y.test", "tag": "t" * 100}, {}),
    ("metadata", {"email": "zoe@y.test", "metadata": {"a": {"b": [1, None]}}}, {}),
)  # fmt: skip


@pytest.mark.parametrize(("body", "otherwise"), GOOD)
def test_a_customer_shows_every_field(desk: Desk, body: dict[str, Any], otherwise: dict[str, Any]) -> None:
    """otherwise: fields that are not shown as they were sent."""
    customer = data_of(desk.post("/customers", body))
    assert list(customer) == CUSTOMER
    path = f"/2.0/customers/{customer['uuid']}"
    nothing = dict.fromkeys(("type", "name", "first_name", "last_name", "email", "prefix", "phone", "tag"))
    made = {"id": customer["id"], "self": path, "uuid": customer["uuid"], "metadata": {}, "created_at": NOW}
    assert customer == nothing | made | {"connections": {"wallets": f"{path}/wallets"}} | body | otherwise
    assert UUID.fullmatch(customer["uuid"])
    assert data_of(desk.send("GET", path)) == customer
    assert data_of(desk.post("/customers", body)) == customer
    assert page_of(desk.get("/customers"))["data"][0] == customer


BAD = cases(
    ("nothing", {}, ["email"]),
    ("nulls", {"email": None, "prefix": None, "phone": None}, ["email"]),
    ("email null", {"email": None, "name": "Zoë"}, ["email"]),
    ("email empty", {"email": " "}, ["email"]),
    ("only other fields", {"name": "Zoë", "metadata": {}}, ["email"]),
    ("prefix alone", {"prefix": "+34"}, ["phone"]),
    ("phone alone", {"phone": "600123123"}, ["prefix"]),
    ("prefix, phone null", {"prefix": "+34", "phone": None}, ["phone"]),
    ("email no address", {"email": "zoe"}, ["email"]),
    ("email list", {"email": ["z@y.test"]}, ["email"]),
    ("email 256", {"email": "z" * 249 + "@y.test"}, ["email"]),
    ("prefix without +", {"prefix": "34", "phone": "600123123"}, ["prefix"]),
    ("prefix of no digit", {"prefix": "+", "phone": "600123123"}, ["prefix"]),
    ("prefix of 5 digits", {"prefix": "+12345", "phone": "600123123"}, ["prefix"]),
    ("phone of 3", {"prefix": "+34", "phone": "123"}, ["phone"]),
    ("phone of 16", {"prefix": "+34", "phone": "1" * 16}, ["phone"]),
    ("phone of blanks between 3 digits", {"prefix": "+34", "phone": "6 0 1"}, ["phone"]),
    ("phone with a tab", {"prefix": "+34", "phone": "600\t123"}, ["phone"]),
    ("phone of 41 characters", {"prefix": "+34", "phone": "6" + " " * 36 + "0012"}, ["phone"]),
    ("prefix of 5 digits, spaced", {"prefix": "+1 24 25", "phone": "600123123"}, ["prefix"]),
    ("e37 email, phone without a prefix", {"email": "z@y.test", "phone": "600123123"}, ["prefix"]),
    ("phone in other digits", {"prefix": "+34", "phone": "६००१२३"}, ["phone"]),
    ("phone number", {"prefix": "+34", "phone": 600123123}, ["phone"]),
    ("names of 256", {"email": "z@y.test", "name": "x" * 256, "first_name": "x" * 256, "last_name": "x" * 256},
     ["first_name", "last_name", "name"]),
    ("name number", {"email": "z@y.test", "name": 5}, ["name"]),
    ("tag 101", {"email": "z@y.test", "tag": "x" * 101}, ["tag"]),
    ("metadata list", {"email": "z@y.test", "metadata": []}, ["metadata"]),
    ("metadata above 8 KiB", {"email": "z@y.test", "metadata": {"k": "x" * 8192}}, ["metadata"]),
)  # fmt: skip


@pytest.mark.parametrize(("body", "fields"), BAD)
def test_a_customer_that_cannot_be(shared: Desk, body: dict[str, Any], fields: list[str]) -> None:
    before = shared.tables()
    assert outcome(shared.post("/customers", body)) == fields
    assert shared.tables() == before


def test_a_uuid_is_known_in_either_letter_case_and_that_of_a_wallet_is_no_customers(shared: Desk) -> None:
    assert data_of(shared.get(f"/customers/{shared.buyer['uuid'].upper()}")) == shared.buyer
    for uuid in (shared.buyer["uuid"][:-1], shared.buyer_wallet["uuid"]):
        assert outcome(shared.get(f"/customers/{uuid}")) == 404


# --- E18

AGAIN = cases(
    ("same email",              {"email": "zoe@y.test", "tag": "new"}),
    ("other letter case",       {"email": "ZOE@Y.TEST", "tag": "new"}),
    ("same phone",              {**PHONE, "tag": "new"}),
    ("same phone, new email",   {**PHONE, "email": "new@y.test"}),
    ("same email, new phone",   {"email": "zoe@y.test", "prefix": "+1", "phone": "5550"}),
    ("both the same",           {"email": "zoe@y.test", **PHONE, "metadata": {"new": 1}}),
    ("every field",             {"email": "zoe@y.test", "name": "N", "first_name": "F", "last_name": "L", "tag": "T"}),
)  # fmt: skip


@pytest.mark.parametrize("body", AGAIN)
def test_e18_who_is_known_is_updated_with_what_is_given(desk: Desk, body: dict[str, Any]) -> None:
    zoe = data_of(desk.post("/customers", {"email": "zoe@y.test", **PHONE, "name": "Zoë", "metadata": {"a": 1}}))
    assert data_of(desk.post("/customers", body)) == zoe | body
    assert page_of(desk.get("/customers"))["total"] == 3


def test_e37_a_number_is_the_same_however_it_is_spaced(desk: Desk) -> None:
    zoe = data_of(desk.post("/customers", {"prefix": "+1 242", "phone": "555 01 00"}))
    assert data_of(desk.post("/customers", {"prefix": "+1242", "phone": "5550100"})) == zoe


def test_e37_a_prefix_without_a_phone_changes_no_number(desk: Desk) -> None:
    zoe = data_of(desk.post("/customers", {"email": "zoe@y.test", **PHONE}))
    desk.post("/customers", {"prefix": "+1", "phone": PHONE["phone"]})
    assert data_of(desk.post("/customers", {"email": "zoe@y.test", "prefix": "+1", "phone": ""})) == zoe


# --- E40

CHANGES = cases(
    ("name",                {"name": "Ann"}),
    ("every field",         {"email": "x@y.test", **PHONE, "name": "N", "first_name": "F", "last_name": "L", "tag": "T",
                             "metadata": {"a": 1}}),
    ("own email again",     {"email": "ANN@x.test"}),
    ("nothing",             {}),
    ("unknown fields",      {"locale": "es"}),
)  # fmt: skip


@pytest.mark.parametrize("body", CHANGES)
def test_e40_a_customer_is_changed_by_what_is_given(desk: Desk, body: dict[str, Any]) -> None:
    known = {name: value for name, value in body.items() if name in desk.buyer}
    path = f"/customers/{desk.buyer['uuid']}"
    assert data_of(desk.put(path, body)) == desk.buyer | known
    assert data_of(desk.get(path)) == desk.buyer | known
    assert page_of(desk.get("/customers"))["total"] == 2


NOT_CHANGED = cases(
    ("anothers email",      {"email": "SAM@x.test"},                    ["email"]),
    ("anothers phone",      PHONE,                                      ["phone"]),
    ("no address",          {"email": "zoe", "tag": "x" * 101},         ["email", "tag"]),
    ("no prefix",           {"phone": "600123123"},                     ["prefix"]),
)  # fmt: skip


@pytest.mark.parametrize(("body", "fields"), NOT_CHANGED)
def test_e40_what_is_anothers_is_not_taken(desk: Desk, body: dict[str, Any], fields: list[str]) -> None:
    desk.post("/customers", {"email": "sam@x.test", **PHONE})
    before = desk.tables()
    assert outcome(desk.put(f"/customers/{desk.buyer['uuid']}", body)) == fields
    assert desk.tables() == before


def test_e40_a_name_that_is_given_up_is_free(desk: Desk) -> None:
    desk.put(f"/customers/{desk.buyer['uuid']}", {"email": "new@x.test"})
    assert data_of(desk.post("/customers", {"email": "new@x.test"}))["id"] == desk.buyer["id"]
    assert data_of(desk.post("/customers", {"email": "ann@x.test"}))["id"] != desk.buyer["id"]


def test_e40_the_merchants_own_customer_is_not_changed(desk: Desk) -> None:
    assert outcome(desk.put(f"/customers/{desk.own_uuid(World.SANDBOX)}", {"name": "x"})) == 404


NEW = cases(
    ("same phone, other prefix",    {"prefix": "+35", "phone": "600123123"}),
    ("same prefix, other phone",    {"prefix": "+34", "phone": "600123124"}),
    ("other email",                 {"email": "zoe@y.tests"}),
)  # fmt: skip


@pytest.mark.parametrize("body", NEW)
def test_e18_another_name_is_another_customer(desk: Desk, body: dict[str, Any]) -> None:
    zoe = data_of(desk.post("/customers", {"email": "zoe@y.test", **PHONE}))
    assert data_of(desk.post("/customers", body))["id"] != zoe["id"]


OTHER_LETTERS = cases(
    ("sharp s",             "stra\u00dfe@y.test",   "strasse@y.test"),
    ("kelvin sign",         "kim@y.test",           "\u212aim@y.test"),
    ("long s",              "sam@y.test",           "\u017fam@y.test"),
    ("dotless i",           "kim@y.test",           "k\u0131m@y.test"),
    ("umlaut in capitals",  "\u00e4nn@y.test",      "\u00c4nn@y.test"),
    ("composed otherwise",  "zo\u00eb@y.test",      "zoe\u0308@y.test"),
    ("full width",          "ann@y.test",           "\uff41nn@y.test"),
    ("ligature",            "fi@y.test",            "\ufb01@y.test"),
    ("final sigma",         "\u03c3@y.test",        "\u03c2@y.test"),
    ("in the domain",       "ann@ma\u00dfe.test",   "ann@masse.test"),
    ("very long ones",      "\u00df" * 124 + "@y.test", "ss" * 124 + "@y.test"),
)  # fmt: skip


@pytest.mark.parametrize(("one", "other"), OTHER_LETTERS)
def test_e32_addresses_that_differ_in_more_than_the_case_of_a_to_z_are_two_customers(
    desk: Desk, one: str, other: str
) -> None:
    first = data_of(desk.post("/customers", {"email": one, "name": "First"}))
    second = data_of(desk.post("/customers", {"email": other, "name": "Second"}))
    assert second["id"] != first["id"]
    assert data_of(desk.get(f"/customers/{first['uuid']}")) == first
    for email, customer in ((one, first), (other, second)):
        assert data_of(desk.post("/customers", {"email": ascii_upper(email)}))["id"] == customer["id"]


def test_e18_of_two_customers_the_email_decides_and_the_phone_is_an_error(desk: Desk) -> None:
    data_of(desk.post("/customers", {"email": "zoe@y.test", **PHONE}))
    before = desk.tables()
    assert outcome(desk.post("/customers", {"email": "ann@x.test", **PHONE})) == ["phone"]
    assert desk.tables() == before


@pytest.mark.parametrize("key", [OTHER_KEY, PRODUCTION_KEY])
def test_e18_a_name_counts_in_one_account_and_world(desk: Desk, key: str) -> None:
    assert desk.as_key(key).customer("ann@x.test")["id"] != desk.buyer["id"]


def test_e18_a_new_customer_has_a_wallet_in_each_enabled_currency(desk: Desk) -> None:
    usd = Currency("USD", 2, "0x" + "d" * 40)
    Tokens(desk.database).register(INSTANCE, new_token("tok_01ARZ3NDEKTSV4RRFFQ69G5FAV", usd.asset, "Dollar", "USD"))
    desk.set(currencies=(EUR, JPY, usd))
    zoe = desk.customer("zoe@y.test")
    wallets = page_of(desk.get(f"/customers/{zoe['uuid']}/wallets", "sort=asc"))["data"]
    assert [wallet["currency"] for wallet in wallets] == ["EUR", "JPY", "USD"]
    assert page_of(desk.get(f"/customers/{desk.buyer['uuid']}/wallets"))["total"] == 2
    assert desk.order(currency="USD")["amount"] == "150.00 USD"
    assert page_of(desk.get(f"/customers/{desk.buyer['uuid']}/wallets"))["total"] == 3, "with the first order in it"


def test_e18_the_accounts_own_customer_is_not_listed_and_its_wallets_are(desk: Desk) -> None:
    own = data_of(desk.get(f"/customers/{desk.own_uuid(World.SANDBOX)}"))
    assert ids_of(desk.get("/customers", "sort=asc")) == [desk.buyer["id"], desk.seller["id"]]
    for query in (f"search=id&query={own['id']}", f"search=uuid&query={own['uuid']}", "order=name&per_page=100"):
        assert own["id"] not in ids_of(desk.get("/customers", query))
    owners = [wallet["connections"]["customer"] for wallet in page_of(desk.get("/wallets"))["data"]]
    assert owners.count(own["self"]) == 2


# --- wallets


def test_a_wallet_shows_every_field(desk: Desk) -> None:
    desk.deposit("12.34")
    wallets = page_of(desk.get(f"/customers/{desk.buyer['uuid']}/wallets", "sort=asc"))["data"]
    for wallet, currency, balance in zip(wallets, ("EUR", "JPY"), (Decimal("12.34"), 0), strict=True):
        assert list(wallet) == WALLET
        assert wallet == {
            "id": wallet["id"],
            "self": f"/2.0/wallets/{wallet['uuid']}",
            "uuid": wallet["uuid"],
            "type": None,
            "balance": balance,
            "currency": currency,
            "tag": None,
            "metadata": {},
            "created_at": NOW,
            "connections": {"customer": desk.buyer["self"]},
        }
        assert data_of(desk.get(f"/wallets/{wallet['uuid']}")) == wallet
        assert wallet in page_of(desk.get("/wallets"))["data"]


BALANCES = cases(
    ("whole",               SANDBOX_EUR, 150 * 10**18,              "150"),
    ("minor unit",          SANDBOX_EUR, 10**16,                    "0.01"),
    ("less than that",      SANDBOX_EUR, 10**16 - 1,                "0"),
    ("rounded down",        SANDBOX_EUR, 23_779_999_999_999_999_999, "23.77"),
    ("yen",                 SANDBOX_JPY, 10**18 - 1,                "0"),
    ("yen, rounded down",   SANDBOX_JPY, 2 * 10**18 - 1,            "1"),
)  # fmt: skip


@pytest.mark.parametrize(("currency", "available", "balance"), BALANCES)
def test_a_balance_is_what_the_ledger_has_available_rounded_down(
    desk: Desk, currency: Currency, available: int, balance: str
) -> None:
    owner = customer_key(INSTANCE, f"sandbox:{desk.buyer['uuid']}")
    desk.database.write(desk.accounts.change(owner, currency.asset, available, 0, 1))
    assert desk.funds(desk.wallet_of(desk.buyer, currency.code)) == Decimal(balance)


def test_what_is_held_is_not_in_the_balance(desk: Desk) -> None:
    desk.deposit(200)
    desk.pay(desk.order())
    assert desk.funds() == 50


# --- the lists

LISTS = ("/payins", "/payouts", "/customers")
PARAMETERS = cases(
    ("page 0",          "page=0",                   ["page"]),
    ("per_page 101",    "per_page=101",             ["per_page"]),
    ("search alone",    "search=id",                ["query"]),
    ("query alone",     "query=1",                  ["search"]),
    ("search unknown",  "search=value&query=1",     ["search"]),
    ("metadata",        "search=metadata.a&query=1", ["search"]),
    ("query 256",       "search=id&query=" + "1" * 256, ["query"]),
    ("date",            "date_begin=x",             ["date_begin"]),
    ("dates reversed",  "date_begin=2024-01-02&date_end=2024-01-01", ["date_end"]),
    ("order",           "order=value",              ["order"]),
    ("sort",            "sort=up",                  ["sort"]),
    ("status ignored",  "status=NOPE&sandbox=maybe", 200),
)  # fmt: skip


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize(("query", "expected"), PARAMETERS)
def test_the_other_lists_have_the_same_parameters_without_status_and_sandbox(
    shared: Desk, path: str, query: str, expected: int | list[str]
) -> None:
    assert outcome(shared.get(path, query)) == expected


WALLET_PARAMETERS = cases(
    ("page 0",          "page=0",                               ["page"]),
    ("per_page 101",    "per_page=101",                         ["per_page"]),
    ("sort",            "sort=up",                              ["sort"]),
    ("search ignored",  "search=foo&query=1&date_begin=x",      200),
)  # fmt: skip


@pytest.mark.parametrize(("query", "expected"), WALLET_PARAMETERS)
def test_wallets_are_paged_without_search_and_dates(shared: Desk, query: str, expected: int | list[str]) -> None:
    for path in ("/wallets", f"/customers/{shared.buyer['uuid']}/wallets"):
        assert outcome(shared.get(path, query)) == expected
        assert page_of(shared.get(path, "per_page=1&page=2"))["from"] == 2
    assert outcome(shared.get(f"/customers/{NO_UUID}/wallets", query)) == 404


SORTS = cases(
    *((f"{path} {order}", path, order) for path, orders in (
        ("/payins", ("created_at", "id", "status")),
        ("/payouts", ("created_at", "id", "status")),
        ("/customers", ("created_at", "id", "name", "email")),
    ) for order in orders)
)  # fmt: skip


@pytest.fixture(scope="module")
def full() -> Desk:
    """Three payins of three statuses, three payouts of three, five customers; a day apart."""
    desk, _ = at("PENDING_VALIDATE")
    for status, name in (("RELEASED", "b@x.test"), ("PENDING_PUBLISH", "A@x.test"), ("PENDING_VALIDATE", "c@x.test")):
        desk.now_s += 86_400
        order = desk.in_status(status)
        desk.customer(name, name=name.upper())
        if status == "PENDING_VALIDATE":
            desk.do(order, "cancel")
    desk.post("/customers", {**PHONE, "tag": "Straße"})
    return desk


@pytest.mark.parametrize(("path", "order"), SORTS)
def test_the_other_lists_are_sorted_as_orders_are(full: Desk, path: str, order: str) -> None:
    rows = page_of(full.get(path, "sort=asc&order=id"))["data"]
    assert len(rows) > 2
    for sort, is_down in (("asc", False), ("desc", True)):
        having = [row for row in rows if row[order] is not None]
        having.sort(
            key=lambda row: (row[order] if order == "id" else row[order].casefold(), row["id"]), reverse=is_down
        )
        lacking = sorted((row for row in rows if row[order] is None), key=lambda row: row["id"], reverse=is_down)
        assert ids_of(full.get(path, {"order": order, "sort": sort})) == [row["id"] for row in having + lacking]


SEARCHES = cases(
    ("payin id",                "/payins",      "search=id&query=2",            1),
    ("payin id, no part",       "/payins",      "search=id&query=PI-2",         0),
    ("payin order_id",          "/payins",      "search=order_id&query=1",      1),
    ("payin order_id, unknown", "/payins",      "search=order_id&query=99",     0),
    ("payin reference",         "/payins",      "search=reference&query=pi-",   4),
    ("payin type",              "/payins",      "search=type&query=bankwire",   1),
    ("payin status",            "/payins",      "search=status&query=confirmed", 2),
    ("payin status, part",      "/payins",      "search=status&query=confirm",  0),
    ("payin day",               "/payins",      "date_begin=2025-02-20&date_end=2025-02-21", 2),
    ("payout id",               "/payouts",     "search=id&query=1",            1),
    ("payout order_id",         "/payouts",     "search=order_id&query=1",      1),
    ("payout reference",        "/payouts",     "search=reference&query=PO-2",  1),
    ("payout type",             "/payouts",     "search=type&query=wallet",     3),
    ("payout status",           "/payouts",     "search=status&query=CREATED",  1),
    ("customer id",             "/customers",   "search=id&query=5",            1),
    ("customer name",           "/customers",   "search=name&query=x.t",        3),
    ("customer email",          "/customers",   "search=email&query=a@X",       1),
    ("customer phone",          "/customers",   "search=phone&query=0123",      1),
    ("customer tag",            "/customers",   "search=tag&query=STRASSE",     1),
    ("customer, null",          "/customers",   "search=tag&query=none",        0),
)  # fmt: skip


@pytest.mark.parametrize(("path", "query", "total"), SEARCHES)
def test_the_other_lists_are_searched_as_orders_are(full: Desk, path: str, query: str, total: int) -> None:
    assert page_of(full.get(path, query))["total"] == total


def test_a_customer_is_found_by_its_uuid(full: Desk) -> None:
    assert ids_of(full.get("/customers", f"search=uuid&query={full.buyer['uuid'].upper()}")) == [full.buyer["id"]]
