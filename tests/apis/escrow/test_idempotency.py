"""Idempotency-Key: one effect and one answer, whatever becomes of the first request."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from chalicelib.tables.dynamodb import Database
from chalicelib.tables.requests import ANSWER_LIFE_S
from tests.apis.escrow.desk import OTHER_KEY, Desk, data_of, errors_of, page_of
from tests.faults import ENDPOINT, Call, WatchedClient, after_another

KEY = {"idempotency-key": "order-0001"}
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


def test_a_repeated_command_gets_the_first_ones_answer_and_does_nothing(desk: Desk) -> None:
    first = desk.post("/orders", desk.usual_order(), headers=KEY)
    before = desk.tables()
    again = desk.post("/orders", desk.usual_order(), headers=KEY)
    without_prefix = desk.send("POST", "/orders", body=desk.usual_order(), headers=KEY)
    assert (again.status, again.body) == (without_prefix.status, without_prefix.body) == (200, first.body)
    assert desk.tables() == before
    assert page_of(desk.get("/orders"))["total"] == 1


def test_the_same_body_is_the_same_however_it_is_spelled(desk: Desk) -> None:
    buyer, seller = desk.buyer["id"], desk.seller["id"]
    first = desk.post("/orders", desk.usual_order(metadata={"a": "1", "b": "2"}), headers=KEY)
    form = f"value=150.00&name=Road+bike&buyer_id={buyer}&seller_id={seller}&metadata[b]=2&metadata[a]=1&unknown=x"
    assert desk.post("/orders", form.encode(), content_type=FORM, headers=KEY).body == first.body


@pytest.mark.parametrize(
    "changed", [{"value": 151}, {"name": "road bike"}, {"tag": "t"}, {"name": ...}, {"metadata": {"a": 1}}]
)
def test_another_body_under_a_used_key_is_refused(desk: Desk, changed: dict[str, Any]) -> None:
    desk.post("/orders", desk.usual_order(), headers=KEY)
    before = desk.tables()
    assert list(errors_of(desk.post("/orders", desk.usual_order(**changed), headers=KEY))) == ["idempotency_key"]
    assert desk.tables() == before


@pytest.mark.parametrize("key", ["", "short", "x" * 201, "with blank in it", "ümlaut-key", "a/b/c/d/e/f"])
def test_a_malformed_key_is_refused(desk: Desk, key: str) -> None:
    before = desk.tables()
    assert list(errors_of(desk.post("/orders", desk.usual_order(), headers={"idempotency-key": key}))) == [
        "idempotency_key"
    ]
    assert desk.tables() == before


def test_a_key_is_one_merchants_in_one_world_on_one_path(desk: Desk) -> None:
    order = desk.in_status("PUBLISHED")
    body = desk.usual_order()
    first = data_of(desk.post("/orders", body, headers=KEY))
    other = desk.as_key(OTHER_KEY)
    ids = {f"{role}_id": other.customer(f"{role}@x.test")["id"] for role in ("buyer", "seller")}
    assert data_of(other.post("/orders", body | ids, headers=KEY))["id"] != first["id"]
    assert data_of(desk.post(f"/orders/{order['id']}/accept", headers=KEY))["status"] == "ACCEPTED"
    assert data_of(desk.post(f"/orders/{order['id']}/accept", headers=KEY))["status"] == "ACCEPTED"
    assert list(errors_of(desk.post(f"/orders/{order['id']}/accept"))) == ["status"]


def test_a_key_is_free_again_after_24_hours(desk: Desk) -> None:
    desk.post("/orders", desk.usual_order(), headers=KEY)
    desk.now_s += ANSWER_LIFE_S
    later = desk.over(desk.database)
    assert data_of(later.post("/orders", later.usual_order(value=1), headers=KEY))["id"] == 2


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


def test_every_command_gives_its_first_answer_again(desk: Desk) -> None:
    """One of each kind, those included whose answer is known only when they are done."""
    shop = desk.customer("zoe@x.test")
    published, accepted = desk.in_status("PUBLISHED"), desk.in_status("ACCEPTED")
    wire = desk.bankwire(desk.order())
    denied = desk.bankwire(desk.order())
    deposit = {"amount": 5, "reference": "r"}
    payout = {"order_id": accepted["id"], "type": "WALLET", "wallet_id": desk.seller_wallet["id"]}
    commands = [
        (desk.post, "/customers", {"email": shop["email"]}),
        (desk.post, f"/orders/{published['id']}/reimburse", {"amount": 1}),
        (desk.post, "/payouts", payout),
        (desk.post, f"/orders/{accepted['id']}/validate", None),
        (desk.operate, f"/orders/{published['id']}/block", None),
        (desk.operate, f"/orders/{published['id']}/unblock", None),
        (desk.post, f"/orders/{published['id']}/cancel", {"tag": "x"}),
        (desk.operate, f"/payins/{wire['id']}/confirm", {"amount": 150}),
        (desk.operate, f"/payins/{denied['id']}/deny", {"reason": "x"}),
        (desk.operate, f"/wallets/{desk.buyer_wallet['uuid']}/deposit", deposit),
    ]
    firsts = [send(path, body, headers=KEY) for send, path, body in commands]
    assert {answer.status for answer in firsts} == {200}, [answer.body for answer in firsts]
    desk.operate(f"/wallets/{desk.buyer_wallet['uuid']}/deposit", {"amount": 7, "reference": "later"})
    before = desk.tables()
    for (send, path, body), first in zip(commands, firsts, strict=True):
        assert send(path, body, headers=KEY).body == first.body, path
    assert desk.tables() == before
    assert data_of(firsts[3])["status"] == "RELEASED"
    desk.check_money()


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
    return desk.over(Database(client, "truust", pause=lambda _seconds: None))


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
