"""The Idempotency-Key: what is answered again, for whom, on which path and for how long."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from tests.apis.escrow.cases import (
    COMMANDS,
    FORM,
    MADE_KEY,
    MULTIPART,
    READS,
    Request,
    as_multipart,
    as_urlencoded,
    copied,
    every_post,
    outcome,
    part,
)
from tests.apis.escrow.desk import OPERATOR_KEY, OPERATOR_PRODUCTION_KEY, OTHER_KEY, PRODUCTION_KEY, Desk, data_of
from tests.case_tables import cases


@every_post
def test_a_request_under_its_key_again_has_its_answer_and_no_effect(make: Callable[[], Request]) -> None:
    request = make()
    first = request.send(headers=MADE_KEY)
    assert first.status == 200
    before = request.desk.tables()
    for body, content_type in (
        (request.body, "application/json"),
        (as_urlencoded(request.body), FORM),
        (as_multipart(request.body), MULTIPART),
    ):
        again = request.send(body, headers=MADE_KEY, content_type=content_type)
        assert (again.status, again.body) == (200, first.body)
    assert request.desk.tables() == before
    request.desk.check_money()


OTHER_BODIES: dict[str, dict[str, Any]] = {
    "A1 orders": {"name": "Other"},
    "A8 cancel": {"tag": "other"},
    "A9 validate": {"auto_accept": "0"},
    "A10 reimburse": {"amount": "30.51"},
    "A11 payins by wallet": {"type": "BANKWIRE"},
    "A11 payins by bank wire": {"type": "WALLET"},
    "A12 payouts": {"wallet_id": 1},
    "A13 customers": {"email": "other@y.test"},
    "O1 confirm": {"amount": "150.01"},
    "O2 deny": {"reason": "other"},
    "O5 deposit": {"amount": "12.51"},
}


@pytest.mark.parametrize("name", OTHER_BODIES)
def test_another_body_under_a_used_key_is_an_error_on_it(name: str) -> None:
    request = COMMANDS[name]()
    assert request.send(headers=MADE_KEY).status == 200
    before = request.desk.tables()
    other = (request.body or {}) | OTHER_BODIES[name]
    assert outcome(request.send(other, headers=MADE_KEY)) == ["idempotency_key"]
    assert request.desk.tables() == before


KEYS = cases(
    ("8 characters",        "a" * 8,            200),
    ("200 characters",      "a" * 200,          200),
    ("all characters",      "AZaz09_-:.",       200),
    ("7 characters",        "a" * 7,            ["idempotency_key"]),
    ("201 characters",      "a" * 201,          ["idempotency_key"]),
    ("blank",               "aaaa aaaa",        ["idempotency_key"]),
    ("slash",               "aaaa/aaaa",        ["idempotency_key"]),
    ("other digits",        "aaaaaaa५",         ["idempotency_key"]),
    ("line end",            "aaaaaaaa\n",       ["idempotency_key"]),
    ("empty",               "",                 ["idempotency_key"]),
)  # fmt: skip


@pytest.mark.parametrize(("key", "expected"), KEYS)
def test_a_key_is_8_to_200_characters(key: str, expected: int | list[str]) -> None:
    for name in ("A1 orders", "A6 accept", "O3 block"):
        request = COMMANDS[name]()
        before = request.desk.tables()
        assert outcome(request.send(headers={"idempotency-key": key})) == expected
        assert (request.desk.tables() == before) is (expected != 200)


def test_a_put_and_a_get_have_no_key() -> None:
    for make in (COMMANDS["A3 orders"], *READS.values()):
        request = make()
        assert request.send(headers={"idempotency-key": "short"}).status == 200


@every_post
def test_a_key_is_kept_for_24_hours(make: Callable[[], Request]) -> None:
    request = make()
    first = request.send(headers=MADE_KEY)
    later = copied(request.desk)
    later.now_s += 86_399
    assert request.send(desk=later.over(later.database), headers=MADE_KEY).body == first.body
    later.now_s += 1
    again = request.send(desk=later.over(later.database), headers=MADE_KEY)
    same_again = ("/customers", "/operator/wallets/{uuid}/deposit", "/orders/{id}/receipt", "/payouts/{id}/update")
    assert again.body != first.body or request.route.removeprefix("POST ") in same_again


def test_a_key_counts_on_one_path(desk: Desk) -> None:
    first, second = desk.paid(), desk.paid()
    assert data_of(desk.post(f"/orders/{first['id']}/accept", headers=MADE_KEY))["id"] == first["id"]
    assert data_of(desk.post(f"/orders/{second['id']}/accept", headers=MADE_KEY))["id"] == second["id"]
    with_slash = desk.send("POST", f"/orders/{first['id']}/accept/", headers=MADE_KEY)
    assert data_of(with_slash)["status"] == "ACCEPTED", "it is the same path, without the prefix too"


def test_the_same_body_is_the_same_however_it_is_spelled(desk: Desk) -> None:
    first = desk.post("/orders", desk.usual_order(metadata={"a": "1", "b": {"c": "2", "d": "3"}}), headers=MADE_KEY)
    form = as_urlencoded(desk.usual_order(value="150.00") | {"unknown": "x"})
    form += b"&metadata[b][d]=3&metadata[b][c]=2&metadata[a]=1"
    assert desk.post("/orders", form, content_type=FORM, headers=MADE_KEY).body == first.body
    body = desk.usual_order(metadata={"b": {"d": "3", "c": "2"}, "a": "1"}, value=Decimal("150.0"))
    assert desk.post("/orders", dict(reversed(body.items())), headers=MADE_KEY).body == first.body


def test_a_key_counts_for_one_merchant_in_one_world(desk: Desk) -> None:
    body = {"email": "zoe@y.test"}
    shops = (desk, desk.as_key(PRODUCTION_KEY), desk.as_key(OTHER_KEY))
    made = {data_of(shop.post("/customers", body, headers=MADE_KEY))["id"] for shop in shops}
    assert len(made) == 3
    path = f"/operator/wallets/{desk.buyer_wallet['uuid']}/deposit"
    for key, status in ((OPERATOR_KEY, 200), (OPERATOR_PRODUCTION_KEY, 404)):
        deposit = {"amount": 1, "reference": "r"}
        assert desk.as_key(key).post(path, deposit, headers=MADE_KEY).status == status


REFUSALS = cases(
    ("step 8, accept",      "POST /orders/{id}/accept",     None,               ["status"],     True),
    ("step 8, validate",    "POST /orders/{id}/validate",   None,               ["status"],     True),
    ("step 9, reimburse",   "POST /orders/{id}/reimburse",  {"amount": 151},    ["amount"],     True),
    ("step 7, reimburse",   "POST /orders/{id}/reimburse",  {"amount": 0},      ["amount"],     False),
    ("step 7, validate",    "POST /orders/{id}/validate",   {"auto_accept": 5}, ["auto_accept"], False),
)  # fmt: skip


@pytest.mark.parametrize(("route", "body", "fields", "is_kept"), REFUSALS)
def test_refusals_of_steps_8_and_9_are_kept_and_of_step_7_are_not(
    desk: Desk, route: str, body: dict[str, Any] | None, fields: list[str], is_kept: bool
) -> None:
    order = desk.paid()
    if "accept" in route:
        desk.do(order, "accept")
    request = Request(desk, route, order["id"], body)
    first = request.send(headers=MADE_KEY)
    assert outcome(first) == fields
    again = request.send(headers=MADE_KEY)
    assert (again.body == first.body, "Idempotent-Replay" in again.headers) == (True, is_kept)
    others = {"amount": 1} if "reimburse" in route else {"auto_accept": "1", "x": 1}
    other = request.send(others, headers=MADE_KEY)
    if is_kept and "accept" not in route:
        assert outcome(other) == ["idempotency_key"]
    elif not is_kept:
        assert other.status == 200


def test_what_is_answered_again_is_what_was_recorded_with_the_command() -> None:
    """Also when the order went on meanwhile."""
    request = COMMANDS["A6 accept"]()
    first = request.send(headers=MADE_KEY)
    order = data_of(first)
    assert request.desk.do(order, "validate")["status"] == "RELEASED"
    assert part(request.desk, order, "payout")["status"] == "CONFIRMED"
    assert request.send(headers=MADE_KEY).body == first.body
