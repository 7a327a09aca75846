"""The account of a key, by which clients tell whether the key is valid (E36)."""

from __future__ import annotations

from tests.apis.escrow.cases import NOW
from tests.apis.escrow.desk import OTHER_KEY, PRODUCTION_KEY, SHOP, UNAUTHENTICATED, Desk, data_of, page_of, refusal_of


def test_e36_the_account_shows_the_merchant_and_no_secret(shared: Desk) -> None:
    account = data_of(shared.get("/accounts/me"))
    assert account == {
        "id": account["id"],
        "self": "/2.0/accounts/me",
        "merchant_id": SHOP,
        "name": SHOP,
        "email": None,
        "currency": "EUR",
        "country_code": None,
        "business_url": None,
        "business_phone": None,
        "business_description": None,
        "image_url": None,
        "public_key": None,
        "secret_key": None,
        "allow_shipping": False,
        "value_shipping": None,
        "is_active": True,
        "psd2_enabled": False,
        "allowed_gateways": ["WALLET", "BANKWIRE", "REDSYS_V2"],
        "gateways": None,
        "default_gateway": None,
        "created_at": NOW,
    }


def test_e36_its_id_is_that_of_the_merchants_own_customer_in_the_world_of_the_key(shared: Desk) -> None:
    ids = {data_of(shared.as_key(key).get("/accounts/me"))["id"] for key in (shared.key, PRODUCTION_KEY, OTHER_KEY)}
    assert len(ids) == 3
    assert not ids & {row["id"] for row in page_of(shared.get("/customers"))["data"]}


def test_e36_a_key_that_is_not_valid_has_no_account(shared: Desk) -> None:
    assert refusal_of(shared.as_key("sk_stage_" + "Z" * 24).get("/accounts/me")) == UNAUTHENTICATED
