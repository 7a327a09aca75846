"""Takers lock, unlock, fill and reject: forms, answers, and who is told what of an order (K8, K9)."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.apis.taker.desk import (
    AAPL,
    MAKER,
    NOW_S,
    ORDER,
    OTHER_MAKER_KEY,
    OTHER_TAKER,
    QUOTE,
    TAKER,
    UNIT,
    Desk,
    data_of,
    details_of,
    fault_of,
    faulty_fields,
    make_key,
)
from tests.domain.signed.test_eip712 import SIGNATURE_OF_B, VECTORS

HASH = VECTORS["B"][2]
NOT_FOUND, FORBIDDEN, CONFLICT, NO_FUNDS = (404, 404), (403, 403), (409, 409), (400, 400)
TX_HASH = "0x" + "aB" * 32
LOCKED_AT, EXPIRES_AT = "2025-01-17T03:00:24Z", "2025-01-17T04:00:24Z"


def refused(desk: Desk, path: str, body: Any) -> Any:
    """Send what is refused, and see that it changes nothing."""
    before = desk.tables()
    response = desk.post(path, body)
    assert response.status != 200
    assert desk.tables() == before
    return response


@pytest.fixture
def locked(desk: Desk) -> Desk:
    """The desk with the published order, locked by the taker."""
    desk.created()
    assert desk.lock(HASH).status == 200
    return desk


# Lock


def test_a_lock_is_the_takers_for_an_hour(desk: Desk) -> None:
    desk.created()
    assert data_of(desk.lock(HASH)) == {
        "success": True,
        "order_hash": HASH,
        "locked_by": TAKER,
        "locked_at": LOCKED_AT,
        "expires_at": EXPIRES_AT,
    }


@pytest.mark.parametrize(
    ("members", "expires_at"),
    [
        ({"lock_duration": 1}, "2025-01-17T03:00:25Z"),
        ({"lock_duration": 3600}, EXPIRES_AT),
        ({"lock_duration": None, "reference_id": None, "taker_address": None}, EXPIRES_AT),
        ({"order_hash": HASH.upper()}, EXPIRES_AT),
        ({"taker_address": TAKER.upper().replace("X", "x"), "reference_id": "A.b_c:-9", "more": 1}, EXPIRES_AT),
    ],
)
def test_a_lock_may_be_asked_for_in_these_ways(desk: Desk, members: dict[str, Any], expires_at: str) -> None:
    desk.created()
    answer = data_of(desk.post("/orders/lock", {"order_hash": HASH} | members))
    assert (answer["expires_at"], answer["locked_by"], answer["order_hash"]) == (expires_at, TAKER, HASH)


def test_a_lock_ends_with_the_deadline(desk: Desk) -> None:
    order_hash = desk.created(deadline=NOW_S + 60)
    assert data_of(desk.lock(order_hash))["expires_at"] == "2025-01-17T03:01:24Z"


def test_the_longest_lock_is_the_instances_setting(desk: Desk) -> None:
    desk.created()
    desk.change_settings(lock_seconds=60)
    assert faulty_fields(refused(desk, "/orders/lock", {"order_hash": HASH, "lock_duration": 61})) == ["lock_duration"]
    assert data_of(desk.lock(HASH))["expires_at"] == "2025-01-17T03:01:24Z"


def test_the_address_is_shown_as_the_taker_was_registered(desk: Desk) -> None:
    desk.created()
    assert data_of(desk.as_other.lock(HASH))["locked_by"] == OTHER_TAKER


def test_a_locked_order_is_locked_for_everyone(locked: Desk) -> None:
    """K9, K21: its holder is told that it is the holder."""
    again = refused(locked, "/orders/lock", {"order_hash": HASH})
    told = {"status": "locked", "expires_at": EXPIRES_AT}
    assert (fault_of(again), details_of(again)) == (CONFLICT, told | {"locked_by": TAKER})
    other = refused(locked.as_other, "/orders/lock", {"order_hash": HASH})
    assert (fault_of(other), details_of(other)) == (CONFLICT, told)


def test_a_lock_ends_at_its_very_second(locked: Desk) -> None:
    locked.clock.advance(3599)
    assert fault_of(locked.as_other.lock(HASH)) == CONFLICT
    locked.clock.advance(1)
    assert fault_of(locked.seen(HASH)) == NOT_FOUND
    assert data_of(locked.as_other.lock(HASH))["locked_at"] == EXPIRES_AT


@pytest.mark.parametrize(
    ("members", "fields"),
    [
        ({}, ["order_hash"]),
        ({"order_hash": HASH[:-1]}, ["order_hash"]),
        ({"order_hash": 5, "lock_duration": "60"}, ["order_hash", "lock_duration"]),
        ({"order_hash": HASH, "lock_duration": 0}, ["lock_duration"]),
        ({"order_hash": HASH, "lock_duration": 3601}, ["lock_duration"]),
        ({"order_hash": HASH, "lock_duration": True}, ["lock_duration"]),
        ({"order_hash": HASH, "lock_duration": 60.0}, ["lock_duration"]),
        ({"order_hash": HASH, "taker_address": "me", "reference_id": ""}, ["taker_address", "reference_id"]),
        ({"order_hash": HASH, "reference_id": "x" * 65}, ["reference_id"]),
        ({"order_hash": HASH, "reference_id": "a b"}, ["reference_id"]),
        ({"order_hash": HASH, "reference_id": "a\n"}, ["reference_id"]),
        ({"orderHash": HASH}, ["order_hash"]),
    ],
)
def test_bad_fields_of_a_lock(desk: Desk, members: dict[str, Any], fields: list[str]) -> None:
    desk.created()
    assert faulty_fields(refused(desk, "/orders/lock", members)) == fields


def test_a_taker_locks_for_itself(desk: Desk) -> None:
    """K20: somebody else's address comes before whether there is such an order."""
    body = {"order_hash": "0x" + "5" * 64, "taker_address": OTHER_TAKER}
    assert fault_of(refused(desk, "/orders/lock", body)) == FORBIDDEN
    assert faulty_fields(refused(desk, "/orders/lock", body | {"lock_duration": 0})) == ["lock_duration"]


def test_an_order_that_is_not_there_is_not_found(desk: Desk) -> None:
    assert fault_of(refused(desk, "/orders/lock", {"order_hash": HASH})) == NOT_FOUND


@pytest.mark.parametrize("role", ["maker", "principal"])
def test_nobody_locks_an_order_of_its_own(desk: Desk, role: str) -> None:
    """It comes before the order's state."""
    address = {"maker": MAKER, "principal": TAKER}[role]
    make_key(desk.database, "own-key", address.lower())
    order_hash = desk.created(**{role: address})
    body = {"order_hash": order_hash}
    headers = {"x-api-key": "own-key"}
    assert fault_of(desk.post("/orders/lock", body, headers=headers)) == FORBIDDEN
    desk.as_other.lock(order_hash)
    assert fault_of(desk.post("/orders/lock", body, headers=headers)) == FORBIDDEN


def test_a_closed_order_is_known_to_whoever_would_lock_it(desk: Desk) -> None:
    desk.created()
    desk.cancel(HASH)
    closed = refused(desk, "/orders/lock", {"order_hash": HASH})
    assert (fault_of(closed), details_of(closed)) == (CONFLICT, {"status": "cancelled"})


# Unlock and reject


def test_an_unlocked_order_is_open_again(locked: Desk) -> None:
    assert data_of(locked.unlock(HASH)) == {"success": True, "order_hash": HASH, "message": "unlocked"}
    assert fault_of(locked.seen(HASH)) == NOT_FOUND, "K2"
    assert locked.as_other.lock(HASH).status == 200


def test_a_rejected_order_is_closed_and_its_hold_released(locked: Desk) -> None:
    _, held = locked.balance(MAKER, QUOTE)
    answer = data_of(locked.reject(HASH, reason="too small"))
    assert answer == {"success": True, "order_hash": HASH, "message": "rejected"}
    assert held
    assert locked.balance(MAKER, QUOTE)[1] == 0
    shown = data_of(locked.maker_get("/orders"))["orders"][0]
    assert (shown["status"], shown["notes"]) == ("rejected", "too small")


def test_a_reason_may_be_left_out(locked: Desk) -> None:
    assert locked.reject(HASH).status == 200
    assert data_of(locked.maker_get("/orders"))["orders"][0]["notes"] is None


def test_an_order_with_fills_cannot_be_rejected(locked: Desk) -> None:
    """K25"""
    locked.fill(HASH, 1)
    refusal = refused(locked, "/orders/reject", {"order_hash": HASH})
    assert fault_of(refusal) == CONFLICT
    assert details_of(refusal) == {"status": "partially_filled", "expires_at": EXPIRES_AT, "locked_by": TAKER}


LONG = "x" * 257


@pytest.mark.parametrize(
    ("path", "members", "fields"),
    [
        ("unlock", {"order_hash": "x"}, ["order_hash"]),
        ("unlock", {}, ["order_hash"]),
        ("reject", {"order_hash": HASH, "reason": LONG}, ["reason"]),
        ("reject", {"reason": 5}, ["order_hash", "reason"]),
        ("reject", {"order_hash": HASH, "reason": "\ud800"}, ["reason"]),
        ("cancel-result", {}, ["order_hash", "taker_address", "cancellation_success", "message"]),
        (
            "cancel-result",
            {"order_hash": HASH, "taker_address": TAKER, "cancellation_success": "true", "message": LONG},
            ["cancellation_success", "message"],
        ),
        (
            "cancel-result",
            {"order_hash": HASH, "taker_address": TAKER, "cancellation_success": 1, "message": "x"},
            ["cancellation_success"],
        ),
    ],
)
def test_bad_fields_of_the_other_commands(locked: Desk, path: str, members: dict[str, Any], fields: list[str]) -> None:
    assert faulty_fields(refused(locked, f"/orders/{path}", members)) == fields


def test_texts_of_256_characters_are_taken(locked: Desk) -> None:
    assert locked.reject(HASH, reason="\u00e9" * 256).status == 200


def test_a_cancel_result_is_the_key_holders_own_and_needs_a_request(locked: Desk) -> None:
    body = {"order_hash": HASH, "taker_address": OTHER_TAKER, "cancellation_success": True, "message": ""}
    assert fault_of(refused(locked, "/orders/cancel-result", body)) == FORBIDDEN
    unasked = refused(locked, "/orders/cancel-result", body | {"taker_address": TAKER})
    assert fault_of(unasked) == CONFLICT
    assert details_of(unasked) == {"status": "locked", "expires_at": EXPIRES_AT, "locked_by": TAKER}


# Who may know of an order


COMMANDS = ["unlock", "fill", "reject", "cancel-result"]


def command(desk: Desk, word: str, order_hash: str = HASH) -> Any:
    body = {"order_hash": order_hash, "fill_quantity": "1", "taker_address": desk.taker, "message": ""}
    return refused(desk, f"/orders/{word}", body | {"cancellation_success": True})


@pytest.mark.parametrize("word", COMMANDS)
def test_an_order_that_another_taker_has_locked_is_as_unknown_as_one_that_is_not_there(locked: Desk, word: str) -> None:
    """K8"""
    answers = [command(locked.as_other, word), command(locked.as_other, word, "0x" + "5" * 64)]
    assert [fault_of(answer) for answer in answers] == [NOT_FOUND] * 2
    assert answers[0].body == answers[1].body == '{"code":404,"message":"Order not found"}'


@pytest.mark.parametrize("word", COMMANDS)
def test_an_open_order_is_known_to_all_and_not_locked_by_the_caller(desk: Desk, word: str) -> None:
    desk.created()
    answer = command(desk, word)
    assert (fault_of(answer), details_of(answer)) == (CONFLICT, {"status": "pending"})


@pytest.mark.parametrize("word", COMMANDS)
def test_an_order_with_a_fill_of_the_caller_is_known_to_it(locked: Desk, word: str) -> None:
    locked.fill(HASH, 1)
    locked.unlock(HASH)
    locked.as_other.lock(HASH)
    answer = command(locked, word)
    told = {"status": "partially_filled", "expires_at": EXPIRES_AT}
    assert (fault_of(answer), details_of(answer)) == (CONFLICT, told)


@pytest.mark.parametrize("word", COMMANDS)
def test_a_closed_order_is_unknown_without_a_fill_of_the_caller(locked: Desk, word: str) -> None:
    locked.fill(HASH, 10 * UNIT)
    assert fault_of(command(locked.as_other, word)) == NOT_FOUND
    assert details_of(command(locked, word)) == {"status": "filled"}


@pytest.mark.parametrize("word", COMMANDS)
def test_a_lock_that_has_run_out_is_none(locked: Desk, word: str) -> None:
    locked.fill(HASH, 1)
    locked.clock.advance(3600)
    assert locked.unlock(HASH).status == 409  # writes the lapse down
    assert details_of(command(locked, word)) == {"status": "partially_filled"}


# Fill


def test_a_fill_is_answered_with_what_is_its_own(locked: Desk) -> None:
    """K23"""
    answer = data_of(locked.fill(HASH, 4 * UNIT, reference_id="REF123457"))
    assert answer == {
        "success": True,
        "order_hash": HASH,
        "filled_quantity": "4000000000000000000",
        "filled_amount": "601000000000000000000",
        "fee_amount": "0",
        "incentive_amount": "400000000000000000",
        "status": "partially_filled",
        "reference_id": "REF123457",
    }
    rest = data_of(locked.fill(HASH, 6 * UNIT, taker_incentive=str(UNIT // 2), tx_hash=TX_HASH, block_number=0))
    assert list(rest) == [*answer, "tx_hash"]
    assert (rest["filled_quantity"], rest["status"], rest["tx_hash"]) == (str(6 * UNIT), "filled", TX_HASH.lower())
    assert rest["incentive_amount"] == str(UNIT // 2)
    fills = data_of(locked.get("/orders/filled", "sort_order=asc"))["fills"]
    assert [fill.get("block_number") for fill in fills].count(0) == 1


def test_the_fee_is_the_takers_and_goes_to_the_desk(locked: Desk) -> None:
    locked.change_settings(fee_bps=100)
    before = locked.balance(TAKER, QUOTE)[0]
    answer = data_of(locked.fill(HASH, 4 * UNIT))
    assert answer["fee_amount"] == str(601 * UNIT // 100)
    assert locked.balance(TAKER, QUOTE)[0] == before + 601 * UNIT + 4 * UNIT // 10 - 601 * UNIT // 100


@pytest.mark.parametrize("request_id", ["REF-1", "a.b:c_d", "x" * 64])
def test_a_fill_without_a_reference_takes_its_requests_id(locked: Desk, request_id: str) -> None:
    """K22"""
    body = {"order_hash": HASH, "fill_quantity": "1"}
    first = locked.post("/orders/fill", body, headers={"x-request-id": request_id})
    assert data_of(first)["reference_id"] == request_id
    before = locked.tables()
    assert locked.post("/orders/fill", body, headers={"x-request-id": request_id}).body == first.body
    assert locked.tables() == before


@pytest.mark.parametrize("request_id", ["", "a b", "x" * 65, "\u00e9"])
def test_a_requests_id_that_is_no_reference_is_not_taken(locked: Desk, request_id: str) -> None:
    """K22"""
    body = {"order_hash": HASH, "fill_quantity": "1"}
    answers = [data_of(locked.post("/orders/fill", body, headers={"x-request-id": request_id})) for _ in range(2)]
    references = {answer["reference_id"] for answer in answers}
    assert len(references) == 2
    assert all(re.fullmatch(rf"Taker-{NOW_S}[0-9a-f]{{6}}", reference) for reference in references)


def test_a_reference_of_the_body_comes_before_the_requests_id(locked: Desk) -> None:
    body = {"order_hash": HASH, "fill_quantity": "1", "reference_id": "of-the-body"}
    answer = locked.post("/orders/fill", body, headers={"x-request-id": "of-the-header"})
    assert data_of(answer)["reference_id"] == "of-the-body"


def test_the_same_fill_again_is_the_same_answer_whatever_became_of_the_order(locked: Desk) -> None:
    """K24"""
    members: dict[str, Any] = {"reference_id": "R-1", "taker_incentive": "1", "tx_hash": TX_HASH}
    first = locked.fill(HASH, 4 * UNIT, **members)
    locked.cancel(HASH)
    locked.unlock(HASH)
    before = locked.tables()
    assert locked.fill(HASH, 4 * UNIT, **members | {"tx_hash": TX_HASH.lower()}).body == first.body
    for changed in (
        {"fill_quantity": str(4 * UNIT + 1)},
        {"taker_incentive": "2"},
        {"taker_incentive": None},
        {"tx_hash": "0x" + "0" * 64},
        {"tx_hash": None},
    ):
        body = {"order_hash": HASH, "fill_quantity": str(4 * UNIT)} | members | changed
        assert fault_of(locked.post("/orders/fill", body)) == CONFLICT
    assert locked.tables() == before


def test_a_reference_of_another_taker_is_told_after_command_access(locked: Desk) -> None:
    """K24"""
    locked.fill(HASH, 1, reference_id="R-1")
    locked.unlock(HASH)
    body = {"order_hash": HASH, "fill_quantity": "1", "reference_id": "R-1"}
    open_order = refused(locked.as_other, "/orders/fill", body)
    assert (fault_of(open_order), details_of(open_order)) == (CONFLICT, {"status": "partially_filled"})
    locked.as_other.lock(HASH)
    taken = refused(locked.as_other, "/orders/fill", body)
    assert (fault_of(taken), details_of(taken)["locked_by"]) == (CONFLICT, OTHER_TAKER)
    assert locked.as_other.fill(HASH, 1, reference_id="R-2").status == 200


@pytest.mark.parametrize(
    ("members", "fields"),
    [
        ({}, ["order_hash", "fill_quantity"]),
        ({"order_hash": HASH}, ["fill_quantity"]),
        ({"order_hash": HASH, "fill_quantity": 1}, ["fill_quantity"]),
        ({"order_hash": HASH, "fill_quantity": "0"}, ["fill_quantity"]),
        ({"order_hash": HASH, "fill_quantity": "1.5"}, ["fill_quantity"]),
        ({"order_hash": HASH, "fill_quantity": str(10**27 + 1)}, ["fill_quantity"]),
        ({"order_hash": HASH, "fill_quantity": "1", "taker_incentive": 0}, ["taker_incentive"]),
        ({"order_hash": HASH, "fill_quantity": "1", "taker_incentive": "-1"}, ["taker_incentive"]),
        ({"order_hash": HASH, "fill_quantity": "1", "tx_hash": "0x12"}, ["tx_hash"]),
        ({"order_hash": HASH, "fill_quantity": "1", "block_number": -1}, ["block_number"]),
        ({"order_hash": HASH, "fill_quantity": "1", "block_number": "5"}, ["block_number"]),
        ({"order_hash": HASH, "fill_quantity": "1", "block_number": True}, ["block_number"]),
        ({"order_hash": HASH, "fill_quantity": "1", "reference_id": "a b"}, ["reference_id"]),
        ({"order": ORDER, "fill_quantity": "1"}, ["signature"]),
        ({"order": ORDER | {"price": 1}, "signature": 5, "fill_quantity": "1"}, ["price", "signature"]),
        ({"signature": SIGNATURE_OF_B, "fill_quantity": "1"}, ["order_hash"]),
        (
            {"order": ORDER, "signature": SIGNATURE_OF_B, "order_hash": "0x" + "5" * 64, "fill_quantity": "1"},
            ["order_hash"],
        ),
        ({"order": ORDER, "signature": SIGNATURE_OF_B[:-2] + "00", "fill_quantity": "1"}, ["signature"]),
    ],
)
def test_bad_fields_of_a_fill(locked: Desk, members: dict[str, Any], fields: list[str]) -> None:
    """With an order, the signature must be the stored one, however good it is otherwise."""
    assert sorted(faulty_fields(refused(locked, "/orders/fill", members))) == sorted(fields)


@pytest.mark.parametrize(
    "named",
    [
        {"order_hash": HASH},
        {"order_hash": HASH.upper()},
        {"order": ORDER, "signature": SIGNATURE_OF_B},
        {"order": ORDER, "signature": SIGNATURE_OF_B[:-2] + "01"},
        {"order": ORDER, "signature": "0x" + SIGNATURE_OF_B[2:].upper(), "order_hash": HASH.upper()},
        {"order": ORDER | {"maker": MAKER.lower()}, "signature": SIGNATURE_OF_B},
        {"order_hash": HASH, "signature": "is not looked at"},
    ],
)
def test_an_order_is_named_by_its_hash_or_by_what_was_signed(locked: Desk, named: dict[str, Any]) -> None:
    assert data_of(locked.post("/orders/fill", named | {"fill_quantity": "1"}))["order_hash"] == HASH


def test_a_wrong_signature_tells_nothing_of_an_order_that_the_caller_may_not_know(locked: Desk) -> None:
    """K8"""
    body = {"order": ORDER, "signature": "0x", "fill_quantity": "1"}
    assert fault_of(refused(locked.as_other, "/orders/fill", body)) == NOT_FOUND
    locked.unlock(HASH)
    assert faulty_fields(refused(locked.as_other, "/orders/fill", body)) == ["signature"]
    locked.lock(HASH)
    locked.fill(HASH, 10 * UNIT)
    assert faulty_fields(refused(locked, "/orders/fill", body)) == ["signature"], "it has a fill of the closed order"
    assert fault_of(refused(locked.as_other, "/orders/fill", body)) == NOT_FOUND
    body["order"] = ORDER | {"nonce": 2}
    assert fault_of(refused(locked, "/orders/fill", body)) == NOT_FOUND


def test_a_fill_is_bounded_by_what_is_left_and_by_its_allowance(locked: Desk) -> None:
    locked.fill(HASH, 4 * UNIT)
    body = {"order_hash": HASH, "fill_quantity": str(6 * UNIT + 1)}
    assert faulty_fields(refused(locked, "/orders/fill", body)) == ["fill_quantity"]
    body = {"order_hash": HASH, "fill_quantity": str(UNIT), "taker_incentive": str(UNIT // 10 + 1)}
    assert faulty_fields(refused(locked, "/orders/fill", body)) == ["taker_incentive"]
    assert locked.post("/orders/fill", body | {"taker_incentive": str(UNIT // 10)}).status == 200


def test_a_taker_owns_what_it_delivers(locked: Desk) -> None:
    """K33"""
    locked.debit(TAKER, AAPL, locked.balance(TAKER, AAPL)[0] - UNIT)
    poor = refused(locked, "/orders/fill", {"order_hash": HASH, "fill_quantity": str(2 * UNIT)})
    assert fault_of(poor) == NO_FUNDS
    assert details_of(poor) == {"asset": AAPL, "required": str(2 * UNIT), "available": str(UNIT)}
    assert locked.fill(HASH, UNIT).status == 200


def test_the_first_fault_of_a_fill_wins(desk: Desk) -> None:
    """One fill with every fault there is, mended one by one."""
    desk.created()
    desk.debit(TAKER, AAPL, desk.balance(TAKER, AAPL)[0])
    body: dict[str, Any] = {"order_hash": "0x" + "5" * 64, "fill_quantity": "0", "taker_incentive": str(UNIT * 2)}
    assert faulty_fields(refused(desk, "/orders/fill", body)) == ["fill_quantity"]
    body["fill_quantity"] = str(11 * UNIT)
    assert fault_of(refused(desk, "/orders/fill", body)) == NOT_FOUND
    body["order_hash"] = HASH
    assert fault_of(refused(desk, "/orders/fill", body)) == CONFLICT
    desk.lock(HASH)
    assert faulty_fields(refused(desk, "/orders/fill", body))[0] == "fill_quantity"
    body["fill_quantity"] = str(10 * UNIT)
    assert faulty_fields(refused(desk, "/orders/fill", body)) == ["taker_incentive"]
    body["taker_incentive"] = "0"
    assert fault_of(refused(desk, "/orders/fill", body)) == NO_FUNDS
    desk.credit(TAKER, AAPL, 10 * UNIT)
    assert desk.post("/orders/fill", body).status == 200


def test_the_first_fault_of_a_lock_wins(desk: Desk) -> None:
    """A bad field, another's address, no such order, an own order, its state."""
    make_key(desk.database, "own-key", MAKER)
    own = {"x-api-key": "own-key"}
    body: dict[str, Any] = {"order_hash": HASH, "taker_address": TAKER, "lock_duration": 0}
    assert faulty_fields(desk.post("/orders/lock", body, headers=own)) == ["lock_duration"]
    body["lock_duration"] = 1
    assert fault_of(desk.post("/orders/lock", body, headers=own)) == FORBIDDEN
    body["taker_address"] = MAKER
    assert fault_of(desk.post("/orders/lock", body, headers=own)) == NOT_FOUND
    desk.created()
    desk.cancel(HASH)
    assert fault_of(desk.post("/orders/lock", body, headers=own)) == FORBIDDEN
    assert fault_of(desk.post("/orders/lock", body | {"taker_address": TAKER})) == CONFLICT


def test_an_order_may_be_bought_for_another_principal(desk: Desk) -> None:
    order_hash = desk.as_maker(OTHER_MAKER_KEY).created(principal="0x" + "9" * 40)
    desk.lock(order_hash)
    desk.fill(order_hash, UNIT)
    assert desk.balance("0x" + "9" * 40, AAPL) == (UNIT, 0)
