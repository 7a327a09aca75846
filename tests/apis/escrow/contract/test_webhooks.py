"""A merchant's webhook endpoints: its own, in the world of the key; what is shown once, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.domain.webhooks.endpoint import ENDPOINTS_MAX
from tests.apis.escrow.cases import URL, new_desk, with_webhook
from tests.apis.escrow.desk import (
    NOT_FOUND,
    OTHER_KEY,
    PRODUCTION_KEY,
    READ_ONLY_KEY,
    Desk,
    data_of,
    errors_of,
    page_of,
    refusal_of,
)


def made(desk: Desk, **members: Any) -> dict[str, Any]:
    return data_of(desk.post("/webhooks", {"url": URL, "types": ["*"]} | members))


def test_an_endpoint_is_shown_with_its_secret_once(desk: Desk) -> None:
    new = made(desk, description="mine")
    secret = new.pop("secret")
    assert secret.startswith("whsec_")
    assert (new["url"], new["types"], new["description"], new["status"]) == (URL, ["*"], "mine", "ACTIVE")
    shown, listed = desk.get(f"/webhooks/{new['id']}"), desk.get("/webhooks")
    assert data_of(shown) == new
    assert page_of(listed)["data"] == [new]
    assert secret not in shown.body + listed.body


def test_neither_another_merchant_nor_the_other_world_sees_it(desk: Desk) -> None:
    new = made(desk)
    for key in (OTHER_KEY, PRODUCTION_KEY):
        stranger = desk.as_key(key)
        assert page_of(stranger.get("/webhooks"))["data"] == []
        assert refusal_of(stranger.get(f"/webhooks/{new['id']}")) == NOT_FOUND
        assert refusal_of(stranger.send("DELETE", f"/2.0/webhooks/{new['id']}")) == NOT_FOUND
    assert desk.as_key(READ_ONLY_KEY).send("DELETE", f"/2.0/webhooks/{new['id']}").status == 403
    assert page_of(desk.get("/webhooks"))["total"] == 1


@pytest.mark.parametrize("webhook_id", ["x" * 2000, "9" * 2000, "%F0%9F%98%80", "%20"])
def test_an_id_that_no_endpoint_can_have_is_not_found(desk: Desk, webhook_id: str) -> None:
    path = f"/2.0/webhooks/{webhook_id}"
    for method, more in [("GET", ""), ("PUT", ""), ("DELETE", ""), ("GET", "/deliveries")]:
        assert refusal_of(desk.send(method, path + more)) == NOT_FOUND
    for more in ("/test", "/rotate-secret"):
        assert refusal_of(desk.send("POST", path + more)) == NOT_FOUND


def test_an_endpoint_is_paused_resumed_and_removed(desk: Desk) -> None:
    path = f"/2.0/webhooks/{made(desk)['id']}"
    assert data_of(desk.send("PUT", path, body={"status": "PAUSED"}))["status"] == "PAUSED"
    assert errors_of(desk.send("POST", f"{path}/test")).keys() == {"status"}
    assert data_of(desk.send("PUT", path, body={"status": "ACTIVE", "types": ["EscrowPublished"]}))["types"] == [
        "EscrowPublished"
    ]
    assert data_of(desk.send("DELETE", path))["removed"] is True
    assert refusal_of(desk.send("DELETE", path)) == NOT_FOUND


def test_what_waits_is_listed_and_dead_letters_are_what_is_listed_without_a_word() -> None:
    desk = new_desk()
    webhook_id, delivery_id = with_webhook(desk)
    path = f"/webhooks/{webhook_id}/deliveries"
    (waiting,) = page_of(desk.get(path, {"status": "WAITING"}))["data"]
    assert (waiting["id"], waiting["type"], waiting["status"]) == (delivery_id, "webhook.test", "WAITING")
    assert page_of(desk.get(path))["data"] == []
    assert page_of(desk.get(path, {"status": "WAITING", "after": delivery_id}))["data"] == []
    assert errors_of(desk.get(path, {"after": delivery_id})).keys() == {"after"}
    assert errors_of(desk.get(path, {"status": "DELIVERED", "limit": "0"})).keys() == {"status", "limit"}
    again = desk.post(f"/webhooks/{webhook_id}/redeliver", {"delivery_id": "evt_none"})
    assert errors_of(again).keys() == {"delivery_id"}


def test_a_merchant_has_a_bounded_number_of_endpoints(desk: Desk) -> None:
    for _ in range(ENDPOINTS_MAX):
        made(desk)
    refused = desk.post("/webhooks", {"url": URL, "types": ["*"]})
    assert errors_of(refused).keys() == {"url"}


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("url", None),
        ("url", "http://hooks.example.com/"),
        ("url", "https://192.168.0.1/"),
        ("url", "x" * 1001),
        ("types", None),
        ("types", []),
        ("types", "*"),
        ("types", ["Escrow*"]),
        ("types", ["EscrowPublish"]),
        ("types", ["*", "order.*"]),
        ("types", ["balance.changed"]),
        ("types", ["balance.*"]),
        ("types", ["*"] * 51),
        ("description", "x" * 201),
    ],
)
def test_a_faulty_field_is_named(shared: Desk, member: str, value: object) -> None:
    refused = shared.post("/webhooks", {"url": URL, "types": ["*"]} | {member: value})
    assert errors_of(refused).keys() == {member}
