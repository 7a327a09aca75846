"""Errors: what each looks like, what it says, and which of several is answered (E3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.tenancy.keys import ESCROW_RATE_LIMIT
from chalicelib.services.tenancy.rate_limiter import ANONYMOUS_LIMITS, AnonymousUse
from tests.apis.escrow.cases import COMMANDS, NO_ID, REQUESTS, Request, outcome
from tests.apis.escrow.desk import (
    DISABLED_KEY,
    KEY,
    OPERATOR_KEY,
    TOO_MANY,
    UNAUTHENTICATED,
    Desk,
    errors_of,
    parsed,
    refusal_of,
)
from tests.case_tables import cases
from tests.faults import Call, WatchedClient, throttled
from tests.in_memory import database_of

# --- texts

TEXTS = cases(
    ("missing",         {"name": ...},              "name",         "The name field is required."),
    ("missing, words",  {"seller_id": ...},         "seller_id",    "The seller id field is required."),
    ("not in its list", {"trustee_type": "x"},      "trustee_type", "The selected trustee type is invalid."),
    ("no number",       {"fee_percent": "x"},       "fee_percent",  "The fee percent must be a number."),
    ("not found",       {"buyer_id": NO_ID},        "buyer_id",     "The selected buyer id is invalid."),
    ("currency",        {"currency": "USD"},        "currency",     "The selected currency is invalid."),
    ("anything else",   {"fee_percent": 101},       "fee_percent",  "The fee percent must not be greater than 100."),
    ("bound",           {"value": -1},              "value",        "The value must be at least 0."),
    ("length",          {"tag": "x" * 101},         "tag",          "The tag must not have more than 100 characters."),
)  # fmt: skip


@pytest.mark.parametrize(("members", "field", "text"), TEXTS)
def test_a_text_says_the_fields_name_and_the_rule(shared: Desk, members: dict[str, Any], field: str, text: str) -> None:
    assert errors_of(shared.post("/orders", shared.usual_order(**members))) == {field: [text]}


def test_all_bad_fields_are_reported_at_once(shared: Desk) -> None:
    assert sorted(errors_of(shared.post("/orders", {"value": -1, "fee_percent": 101}))) == [
        "buyer_id", "fee_percent", "name", "seller_id", "value",
    ]  # fmt: skip


def test_an_answer_of_each_status_has_the_body_of_the_reference(desk: Desk) -> None:
    assert refusal_of(desk.as_key(None).get("/orders")) == (401, {"message": "Unauthenticated."})
    assert refusal_of(desk.as_key(DISABLED_KEY).get("/orders")) == (403, {"message": "This action is unauthorized."})
    assert refusal_of(desk.get("/nothing")) == (404, {"message": "Not found"})
    refused = desk.post("/orders", desk.usual_order(name=...))
    assert (refused.status, parsed(refused)) == (
        422,
        {"message": "The given data was invalid.", "errors": {"name": ["The name field is required."]}},
    )
    client: Any = WatchedClient(desk.database._client, lambda *call: throttled(*call))
    broken = desk.over(database_of(client))
    for request in (make() for make in REQUESTS.values()):
        answer = broken.as_key(request.key).send(request.method, request.path(), body=request.body)
        assert refusal_of(answer) == (500, {"message": "Server Error"}), request.route


# --- rates


def test_429_a_key_has_a_burst_of_60_and_300_a_minute(desk: Desk) -> None:
    key = "sk_stage_" + "L" * 24
    desk.make_key(key)
    shop = desk.as_key(key)
    shop.now_s = desk.now_s
    assert [shop.get("/payouts").status for _ in range(61)] == [200] * 60 + [429]
    refused = shop.get("/payouts")
    assert refusal_of(refused) == TOO_MANY
    assert int(refused.headers["Retry-After"]) == 1
    shop.now_s += 60
    later = shop.over(shop.database)
    assert [later.get("/payouts").status for _ in range(61)] == [200] * 60 + [429], "300 in a minute, 60 at once"
    assert ESCROW_RATE_LIMIT.refill_per_1000_s * 60 == 300 * 1000


def test_429_an_address_without_a_valid_key_has_60_a_minute(desk: Desk) -> None:
    strangers = [desk.as_key(key) for key in (None, "sk_stage_unknown")]
    answers = [strangers[number % 2].get("/orders") for number in range(62)]
    assert [answer.status for answer in answers] == [401] * 60 + [429] * 2
    assert answers[-1].headers["Retry-After"] == "1"
    assert strangers[0].send("GET", "/2.0/orders", address="192.0.2.9").status == 401
    assert desk.get("/orders").status == 200
    assert ANONYMOUS_LIMITS[AnonymousUse.NO_KEY].refill_per_1000_s * 60 == 60 * 1000


# --- precedence: each fault together with all that come after it

Change = Callable[[Request], Request]
BAD_KEY, BAD_AUTHORIZATION = {"idempotency-key": "short"}, "sk_stage_unknown"


class Faults:
    """A reimbursement of a draft, with which everything is wrong; faults are mended from the first one on."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.order, self.paid = desk.order(), desk.paid()
        self.method, self.path = "DELETE", f"/2.0/orders/{NO_ID}/reimburse"
        self.key: str = BAD_AUTHORIZATION
        self.headers = dict(BAD_KEY)
        self.body: object = b"{"
        desk.make_key("sk_stage_" + "Z" * 24, rate_limit=replace(ESCROW_RATE_LIMIT, bucket=1))
        desk.as_key("sk_stage_" + "Z" * 24).get("/orders")

    def outcome(self) -> int | list[str]:
        answer = self.desk.as_key(self.key).send(self.method, self.path, body=self.body, headers=self.headers)
        return outcome(answer)


def test_the_first_fault_of_the_reference_is_answered(desk: Desk) -> None:
    faults = Faults(desk)
    before = desk.tables()
    assert faults.outcome() == 404, "1: path and method"
    faults.method = "POST"
    assert faults.outcome() == 401, "2: key"
    faults.key = OPERATOR_KEY
    assert faults.outcome() == 403, "3: permission"
    faults.key = "sk_stage_" + "Z" * 24
    assert faults.outcome() == 429, "4: rate"
    faults.key = KEY
    assert faults.outcome() == 404, "5: resource in the path"
    faults.path = f"/2.0/orders/{faults.order['id']}/reimburse"
    assert faults.outcome() == ["idempotency_key"], "6: the key of the command"
    faults.headers = {}
    assert faults.outcome() == ["body"], "7: the body"
    faults.body = {"amount": 0, "wallet_id": NO_ID, "payin_id": "x"}
    assert faults.outcome() == ["amount", "payin_id", "wallet_id"], "7: fields"
    faults.body = {"amount": 151}
    assert faults.outcome() == ["status"], "8: status, alone"
    faults.path = f"/2.0/orders/{faults.paid['id']}/reimburse"
    assert faults.outcome() == ["amount"], "9: amounts against the hold"
    assert desk.tables() == before
    faults.body = {"amount": 150}
    assert faults.outcome() == 200


def test_requests_are_served_uncounted_when_they_cannot_be_counted(desk: Desk) -> None:
    def without_counters(operation: str, call: Call) -> Any:
        return throttled(operation, call) if operation == "update_item" else call()

    key = "sk_stage_" + "L" * 24
    desk.make_key(key, rate_limit=replace(ESCROW_RATE_LIMIT, bucket=1))
    client: Any = WatchedClient(desk.database._client, without_counters)
    shop = desk.as_key(key).over(database_of(client))
    assert [shop.get("/payins").status for _ in range(3)] == [200] * 3


def test_a_key_that_is_known_is_not_counted_among_anonymous_callers(desk: Desk) -> None:
    for _ in range(70):
        assert desk.get("/payouts").status == 200
    assert refusal_of(desk.as_key(None).get("/payouts")) == UNAUTHENTICATED


STATUS_AFTER_FIELDS = cases(
    ("A3",          "PUT /orders/{id}",                 {"name": "other", "tag": 5},        ["name", "tag"]),
    ("A8",          "POST /orders/{id}/cancel",         {"tag": 5},                         ["tag"]),
    ("A9",          "POST /orders/{id}/validate",       {"auto_accept": 5},                 ["auto_accept"]),
    ("A10",         "POST /orders/{id}/reimburse",      {"amount": 0.001},                  ["amount"]),
    ("A10 wallet",  "POST /orders/{id}/reimburse",      {"wallet_id": NO_ID},               ["wallet_id"]),
)  # fmt: skip


@pytest.mark.parametrize(("route", "body", "fields"), STATUS_AFTER_FIELDS)
def test_fields_come_before_the_status(desk: Desk, route: str, body: dict[str, Any], fields: list[str]) -> None:
    order = desk.in_status("RELEASED")
    assert outcome(Request(desk, route, order["id"], body).send()) == fields


BODY_IDS_BEFORE_STATUS = cases(
    ("A11 type",        "A11 payins by wallet",     {"type": "CARD"},           ["type"]),
    ("A11 wallet",      "A11 payins by wallet",     {"wallet_id": NO_ID},       ["wallet_id"]),
    ("A11 status",      "A11 payins by wallet",     {},                         ["status"]),
    ("A12 type",        "A12 payouts",              {"type": "CARD"},        ["type"]),
    ("A12 wallet",      "A12 payouts",              {"wallet_id": NO_ID},       ["wallet_id"]),
    ("A12 status",      "A12 payouts",              {},                         ["status"]),
)  # fmt: skip


@pytest.mark.parametrize(("name", "members", "fields"), BODY_IDS_BEFORE_STATUS)
def test_fields_of_a_payment_come_before_its_orders_status(
    name: str, members: dict[str, Any], fields: list[str]
) -> None:
    request = COMMANDS[name]()
    request.desk.post(f"/orders/{(request.body or {})['order_id']}/cancel")
    before = request.desk.tables()
    assert outcome(request.send((request.body or {}) | members)) == fields
    assert request.desk.tables() == before
