"""Idempotency-Key: one effect and one answer, whatever becomes of the first request."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from tests.apis.escrow.desk import Desk, data_of, errors_of, page_of
from tests.faults import ENDPOINT, Call, WatchedClient, after_another
from tests.in_memory import database_of

KEY = {"idempotency-key": "order-0001"}
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


def test_what_status_or_hold_refuse_is_kept_and_what_fields_refuse_is_not(desk: Desk) -> None:
    order = desk.order()
    path = f"/orders/{order['id']}"
    refused = desk.post(f"{path}/reimburse", headers=KEY)
    assert list(errors_of(refused)) == ["status"]
    desk.deposit(150)
    desk.pay(order)
    assert desk.post(f"{path}/reimburse", headers=KEY).body == refused.body, "kept, though it could be done now"
    too_much = {"idempotency-key": "too-much-1"}
    refused = desk.post(f"{path}/reimburse", {"amount": 151}, headers=too_much)
    assert list(errors_of(refused)) == ["amount"]
    assert desk.post(f"{path}/reimburse", {"amount": 151}, headers=too_much).body == refused.body
    assert list(errors_of(desk.post(f"{path}/reimburse", {"amount": 1}, headers=too_much))) == ["idempotency_key"]
    stranger = {"idempotency-key": "stranger-1"}
    assert list(errors_of(desk.post("/orders", desk.usual_order(buyer_id=99), headers=stranger))) == ["buyer_id"]
    assert data_of(desk.post("/orders", desk.usual_order(), headers=stranger))["status"] == "DRAFT"
    mended = {"idempotency-key": "mended-001"}
    assert list(errors_of(desk.post(f"{path}/reimburse", {"amount": 0}, headers=mended))) == ["amount"]
    assert data_of(desk.post(f"{path}/reimburse", {"amount": 1}, headers=mended))["refund"]["status"] == "CONFIRMED"


def test_a_denied_payin_is_an_answer_like_any_other(desk: Desk) -> None:
    """E16"""
    order = desk.order()
    body = {"order_id": order["id"], "type": "WALLET", "wallet_id": desk.buyer_wallet["id"]}
    denied = desk.post("/payins", body, headers=KEY)
    desk.deposit(150)
    assert desk.post("/payins", body, headers=KEY).body == denied.body
    assert (data_of(denied)["status"], desk.funds()) == ("DENIED", 150)


def test_a_deposit_of_a_known_reference_under_a_new_key_moves_nothing_and_keeps_its_answer(desk: Desk) -> None:
    path, body = f"/wallets/{desk.buyer_wallet['uuid']}/deposit", {"amount": 5, "reference": "r"}
    desk.operate(path, body)
    first = desk.operate(path, body, headers=KEY)
    assert data_of(first)["balance"] == 5
    desk.deposit(10)
    assert desk.operate(path, body, headers=KEY).body == first.body
    assert desk.funds() == 15


# --- when the first request's fate is not known


def watched(desk: Desk, fault: Any) -> Desk:
    client: Any = WatchedClient(desk.database._client, fault)
    return desk.over(database_of(client))


def test_whose_answer_was_lost_finds_it_under_the_key(desk: Desk) -> None:
    def losing(operation: str, call: Call) -> Any:
        answer = call()
        if operation == "transact_write_items":
            raise ReadTimeoutError(endpoint_url=ENDPOINT)
        return answer

    first = watched(desk, losing).post("/orders", desk.usual_order(), headers=KEY)
    again = desk.post("/orders", desk.usual_order(), headers=KEY)
    assert data_of(again) == data_of(first)
    assert page_of(desk.get("/orders"))["total"] == 1


@pytest.mark.parametrize("command", ["accept", "cancel", "validate"])
def test_of_two_at_once_under_one_key_both_get_the_first_ones_answer(desk: Desk, command: str) -> None:
    """The second comes whole between the first one's reading and its writing."""
    order = desk.in_status("ACCEPTED" if command == "validate" else "PUBLISHED")
    path, second = f"/orders/{order['id']}/{command}", []

    def meanwhile() -> None:
        second.append(desk.post(path, headers=KEY))

    gone: list[bool] = []

    def once_before_the_transaction(operation: str, call: Call) -> Any:
        if operation == "transact_write_items" and not gone:
            gone.append(True)
            return after_another(meanwhile)(operation, call)
        return call()

    first = watched(desk, once_before_the_transaction).post(path, headers=KEY)
    assert (first.status, first.body) == (200, second[0].body)
    desk.check_money()


def test_an_answer_left_pending_by_a_crash_is_the_one_that_was_reckoned_up(desk: Desk) -> None:
    """The balance of a deposit is read after it; who dies before that has said what it would be."""
    path, body = f"/wallets/{desk.buyer_wallet['uuid']}/deposit", {"amount": 5, "reference": "r"}
    done: list[bool] = []

    def dying_after_the_transaction(operation: str, call: Call) -> Any:
        if done:
            raise ReadTimeoutError(endpoint_url=ENDPOINT)
        answer = call()
        done.extend([True] * (operation == "transact_write_items"))
        return answer

    broken = watched(desk, dying_after_the_transaction)
    broken.key = "op_stage_" + "A" * 24
    assert broken.post(f"/operator{path}", body, headers=KEY).status == 500
    desk.now_s += 3
    again = desk.operate(path, body, headers=KEY)
    assert data_of(again)["balance"] == 5
    assert desk.operate(path, body, headers=KEY).body == again.body
    assert desk.funds() == 5
