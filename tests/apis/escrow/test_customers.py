"""Customers and wallets over the wire (E18)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from chalicelib.domain.escrow.order import World
from chalicelib.domain.ledger.owners import customer_key
from tests.apis.escrow.desk import OTHER_KEY, Desk, data_of, errors_of, ids_of, page_of
from tests.case_tables import cases
from tests.services.escrow.world import INSTANCE, SANDBOX_EUR

FIELDS = [
    "id", "self", "uuid", "type", "name", "first_name", "last_name", "email", "prefix", "phone", "tag", "metadata",
    "created_at", "connections",
]  # fmt: skip
FULL: dict[str, Any] = {
    "email": "Zoe@y.test",
    "prefix": "+34",
    "phone": "600123123",
    "name": "Zoë Doe",
    "first_name": "Zoë",
    "last_name": "Doe",
    "tag": "vip",
    "metadata": {"crm": {"id": 7}},
}


def test_a_new_customer_shows_every_field_and_has_a_wallet_in_each_currency(desk: Desk) -> None:
    zoe = data_of(desk.post("/customers", FULL))
    assert list(zoe) == FIELDS
    path = f"/2.0/customers/{zoe['uuid']}"
    made = {
        "self": path,
        "type": None,
        "created_at": "2025-02-19T21:20:00Z",
        "connections": {"wallets": f"{path}/wallets"},
    }
    assert zoe == FULL | made | {"id": zoe["id"], "uuid": zoe["uuid"]}
    assert data_of(desk.get(f"/customers/{zoe['uuid']}")) == zoe
    wallets = page_of(desk.get(f"/customers/{zoe['uuid']}/wallets", "sort=asc"))["data"]
    assert [wallet["currency"] for wallet in wallets] == ["EUR", "JPY"]
    wallet = wallets[0]
    assert wallet == {
        "id": wallet["id"],
        "self": f"/2.0/wallets/{wallet['uuid']}",
        "uuid": wallet["uuid"],
        "type": None,
        "balance": 0,
        "currency": "EUR",
        "tag": None,
        "metadata": {},
        "created_at": "2025-02-19T21:20:00Z",
        "connections": {"customer": path},
    }
    assert data_of(desk.get(f"/wallets/{wallet['uuid']}")) == wallet


def test_a_customer_may_have_a_phone_and_nothing_else(desk: Desk) -> None:
    customer = data_of(desk.post("/customers", {"prefix": "+1", "phone": "5550"}))
    assert [name for name in FIELDS if customer[name] is None] == [
        "type", "name", "first_name", "last_name", "email", "tag",
    ]  # fmt: skip
    assert customer["metadata"] == {}


FAULTS = cases(
    ("nothing", {}, ["email"]),
    ("nulls", {"email": None, "prefix": None, "phone": None, "name": "Zoë"}, ["email"]),
    ("only_a_name", {"name": "Zoë"}, ["email"]),
    ("prefix_alone", {"prefix": "+34"}, ["phone"]),
    ("phone_alone", {"phone": "600123123"}, ["prefix"]),
    ("phone_alone_beside_email", {"email": "z@y.test", "phone": "600123123"}, ["prefix"]),
    ("email_no_address", {"email": "zoe"}, ["email"]),
    ("email_long", {"email": "z" * 250 + "@y.test"}, ["email"]),
    ("email_list", {"email": ["z@y.test"]}, ["email"]),
    ("prefix", {"prefix": "34", "phone": "600123123"}, ["prefix"]),
    ("prefix_long", {"prefix": "+34567", "phone": "600123123"}, ["prefix"]),
    ("phone_short", {"prefix": "+34", "phone": "123"}, ["phone"]),
    ("phone_letters", {"prefix": "+34", "phone": "600-123"}, ["phone"]),
    ("phone_other_digits", {"prefix": "+34", "phone": "६००१२३"}, ["phone"]),
    ("phone_number", {"prefix": "+34", "phone": 600123123}, ["phone"]),
    ("names_long", {"email": "z@y.test", "name": "x" * 256, "first_name": "x" * 256, "last_name": "x" * 256},
     ["first_name", "last_name", "name"]),
    ("tag_long", {"email": "z@y.test", "tag": "x" * 101}, ["tag"]),
    ("metadata", {"email": "z@y.test", "metadata": "x"}, ["metadata"]),
)  # fmt: skip


@pytest.mark.parametrize(("body", "fields"), FAULTS)
def test_a_customer_that_cannot_be(desk: Desk, body: dict[str, Any], fields: list[str]) -> None:
    before = desk.tables()
    assert sorted(errors_of(desk.post("/customers", body))) == fields
    assert desk.tables() == before


def test_who_comes_with_a_known_name_is_that_customer_and_is_changed(desk: Desk) -> None:
    """E18"""
    zoe = data_of(desk.post("/customers", FULL))
    again = data_of(desk.post("/customers", {"email": "ZOE@Y.test", "tag": "new"}))
    assert again == zoe | {"email": "ZOE@Y.test", "tag": "new"}
    by_phone = data_of(desk.post("/customers", {"prefix": "+34", "phone": "600123123", "email": "other@y.test"}))
    assert by_phone == again | {"email": "other@y.test"}
    newcomer = desk.customer("zoe@y.test")
    assert newcomer["id"] != zoe["id"], "the address was given up"
    assert page_of(desk.get("/customers"))["total"] == 4


def test_of_two_customers_the_email_decides_and_the_phone_is_refused(desk: Desk) -> None:
    """E18"""
    data_of(desk.post("/customers", FULL))
    before = desk.tables()
    body = {"email": "ann@x.test", "prefix": "+34", "phone": "600123123"}
    assert list(errors_of(desk.post("/customers", body))) == ["phone"]
    assert desk.tables() == before


def test_a_name_is_one_customers_of_a_merchant(desk: Desk) -> None:
    other = desk.as_key(OTHER_KEY).customer("ann@x.test")
    assert other["uuid"] != desk.buyer["uuid"]
    assert ids_of(desk.as_key(OTHER_KEY).get("/customers")) == [other["id"]]


def test_a_wallet_shows_what_its_account_has_available_in_whole_minor_units(desk: Desk) -> None:
    ref = f"sandbox:{desk.buyer['uuid']}"
    owner = customer_key(INSTANCE, ref)
    give = desk.accounts.give(owner, SANDBOX_EUR.asset, 23_779_999_999_999_999_999, 1)
    desk.database.write(give)
    assert desk.funds() == Decimal("23.77")
    assert page_of(desk.get(f"/customers/{desk.buyer['uuid']}/wallets", "sort=asc"))["data"][0]["balance"] == Decimal(
        "23.77"
    )


def test_the_merchants_own_customer_is_shown_to_who_follows_a_connection(desk: Desk) -> None:
    """E18"""
    own = data_of(desk.get(f"/customers/{desk.own_uuid(World.SANDBOX)}"))
    assert (own["email"], own["name"]) == (None, None)
    assert own["id"] not in ids_of(desk.get("/customers"))
    assert desk.get(f"/customers/{desk.own_uuid(World.PRODUCTION)}").status == 404
