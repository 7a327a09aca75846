"""Webhook endpoints over HTTP: what is shown, what is changed, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.apis.book.routes import (
    DELIVERIES,
    ONE_DELIVERY,
    ONE_WEBHOOK,
    REDELIVER,
    ROTATE_SECRET,
    TEST_WEBHOOK,
    WEBHOOKS,
)
from tests.apis.book.desk import Desk, answer_of, data_of, json_body, outcome_of

URL = "https://hooks.example.com/in"


def made(desk: Desk, **members: Any) -> dict[str, Any]:
    body = {"url": URL, "types": ["order.*"]} | members
    data: dict[str, Any] = data_of(desk.send("POST", WEBHOOKS, body=json_body(body)), 201)
    return data


def test_an_endpoint_is_shown_with_its_secret_once(desk: Desk) -> None:
    new = made(desk, customerRefs=["ann"], description="mine")
    secret = new.pop("secret")
    assert secret.startswith("whsec_")
    assert new == {
        "id": new["id"],
        "url": URL,
        "types": ["order.*"],
        "customerRefs": ["ann"],
        "description": "mine",
        "status": "ACTIVE",
        "reason": None,
        "stoppedAt": None,
        "cursor": None,
        "previousSecretUntil": None,
        "createdAt": new["createdAt"],
    }
    shown = desk.send("GET", ONE_WEBHOOK, webhookId=new["id"])
    listed = desk.send("GET", WEBHOOKS)
    assert data_of(shown) == new
    assert data_of(listed) == {"webhooks": [new]}
    assert secret not in shown.body + listed.body


def test_a_change_sets_what_it_names_pauses_and_resumes(desk: Desk) -> None:
    new = made(desk, customerRefs=["ann"])

    def change(**members: Any) -> dict[str, Any]:
        response = desk.send("PATCH", ONE_WEBHOOK, body=json_body(members), webhookId=new["id"])
        data: dict[str, Any] = data_of(response)
        return data

    assert change(types=["*"], description="other")["types"] == ["*"]
    assert change(url="https://other.example.com/")["customerRefs"] == ["ann"]
    assert change(customerRefs=None)["customerRefs"] is None
    paused = change(status="PAUSED")
    assert (paused["status"], paused["reason"] is not None, paused["stoppedAt"] is not None) == ("PAUSED", True, True)
    resumed = change(status="ACTIVE")
    assert (resumed["status"], resumed["reason"], resumed["stoppedAt"]) == ("ACTIVE", None, None)
    assert change() == resumed


def test_a_test_waits_to_be_sent_and_can_be_seen(desk: Desk) -> None:
    webhook_id = made(desk)["id"]
    delivery_id = data_of(desk.send("POST", TEST_WEBHOOK, webhookId=webhook_id), 202)["deliveryId"]
    (waiting,) = data_of(desk.get(DELIVERIES, {"status": "WAITING"}, webhookId=webhook_id))["deliveries"]
    assert (waiting["id"], waiting["type"], waiting["attempts"]) == (delivery_id, "webhook.test", 0)
    one = data_of(desk.get(ONE_DELIVERY, webhookId=webhook_id, deliveryId=delivery_id))
    assert one.pop("payload").startswith(f'{{"id":"{delivery_id}"')
    assert one == waiting
    again = desk.send("POST", REDELIVER, webhookId=webhook_id, deliveryId=delivery_id)
    assert data_of(again, 202) == waiting
    behind = {"status": "WAITING", "after": delivery_id}
    assert data_of(desk.get(DELIVERIES, behind, webhookId=webhook_id)) == {"deliveries": []}
    gone = desk.get(DELIVERIES, {"after": delivery_id}, webhookId=webhook_id)
    assert outcome_of(gone) == (404, "DELIVERY_NOT_FOUND")
    assert desk.get(DELIVERIES, {"after": "x" * 101}, webhookId=webhook_id).status == 400
    assert data_of(desk.get(DELIVERIES, webhookId=webhook_id)) == {"deliveries": []}


def test_a_secret_is_rotated_with_or_without_a_body(desk: Desk) -> None:
    new = made(desk)
    secrets = {new["secret"]}
    for body in (b"", b"{}", b'{"hours": 1}'):
        rotated = data_of(desk.send("POST", ROTATE_SECRET, body=body, webhookId=new["id"]))
        assert rotated["previousSecretUntil"] is not None
        secrets.add(rotated["secret"])
    assert len(secrets) == 4


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("url", None),
        ("url", "http://hooks.example.com/"),
        ("url", "https://127.0.0.1/"),
        ("url", "https://user@hooks.example.com/"),
        ("url", "x" * 1001),
        ("types", None),
        ("types", []),
        ("types", "*"),
        ("types", ["Order-Filled"]),
        ("types", ["order.filled\n"]),
        ("types", ["order.*", "order.fill"]),
        ("types", ["orders.*"]),
        ("types", ["*"] * 51),
        ("customerRefs", []),
        ("customerRefs", [""]),
        ("customerRefs", ["a\x00"]),
        ("customerRefs", ["ann"] * 101),
        ("description", "x" * 201),
        ("description", 1),
    ],
)
def test_a_faulty_member_is_named(desk: Desk, member: str, value: object) -> None:
    body = {"url": URL, "types": ["*"]} | {member: value}
    response = desk.send("POST", WEBHOOKS, body=json_body(body))
    assert outcome_of(response) == (400, "VALIDATION_ERROR")
    assert [detail["field"] for detail in answer_of(response)["error"]["details"]] == [member]
    assert data_of(desk.send("GET", WEBHOOKS)) == {"webhooks": []}


@pytest.mark.parametrize("body", [b'{"status": "ENDED"}', b'{"url": "http://x.example.com/"}', b"[]", b'{"types": []}'])
def test_a_faulty_change_changes_nothing(desk: Desk, body: bytes) -> None:
    new = made(desk)
    response = desk.send("PATCH", ONE_WEBHOOK, body=body, webhookId=new["id"])
    assert outcome_of(response) == (400, "VALIDATION_ERROR")
    assert data_of(desk.get(ONE_WEBHOOK, webhookId=new["id"])) == {k: v for k, v in new.items() if k != "secret"}


@pytest.mark.parametrize("query", [{"status": "DELIVERED"}, {"limit": "0"}, {"status": ""}])
def test_a_faulty_query_is_refused(desk: Desk, query: dict[str, str]) -> None:
    response = desk.get(DELIVERIES, query, webhookId=made(desk)["id"])
    assert outcome_of(response) == (400, "VALIDATION_ERROR")
