"""POST /orders/reject (K25) and POST /orders/cancel-result (K26)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.apis.taker.cases import (
    CONFLICT,
    FORBIDDEN,
    NOT_FOUND,
    UNKNOWN_HASH,
    listed_hashes,
    locked,
    new_order,
    nothing_changes,
    of_maker,
    outcome_of,
    partly_filled,
    single,
    totals,
)
from tests.apis.taker.desk import MAKER, OTHER_TAKER, QUOTE, TAKER, Desk, data_of, details_of, faulty_fields
from tests.case_tables import cases

# --- K25: reject -------------------------------------------------------------------------------------------------

REASONS: Any = cases(
    ("none",           {},                     None),
    ("null",           {"reason": None},       None),
    ("a reason",       {"reason": "too dear"}, "too dear"),
    ("an empty one",   {"reason": ""},         ""),
    ("256 characters", {"reason": "ä" * 256},  "ä" * 256),
)  # fmt: skip


@pytest.mark.parametrize(("members", "notes"), REASONS)
def test_a_rejected_order_has_the_reason_as_its_notes(desk: Desk, members: dict[str, Any], notes: str | None) -> None:
    before, available = totals(desk), desk.balance(MAKER, QUOTE)
    order_hash = locked(desk)
    answer = data_of(desk.reject(order_hash, **members))
    assert list(answer.items()) == [("success", True), ("order_hash", order_hash), ("message", "rejected")]
    after = of_maker(desk, order_hash)
    assert (after["status"], after["notes"]) == ("rejected", notes)
    assert (totals(desk), desk.balance(MAKER, QUOTE)) == (before, available)
    assert (listed_hashes(desk), outcome_of(desk.seen(order_hash))) == ([], NOT_FOUND)


@pytest.mark.parametrize("reason", cases(
    ("257 characters",  "x" * 257),
    ("a number",        5),
    ("a list",          ["no"]),
    ("half a letter",   "\ud83d"),
))  # fmt: skip
def test_what_is_no_reason(shared: Desk, reason: object) -> None:
    order_hash = locked(shared)
    with nothing_changes(shared):
        assert faulty_fields(shared.reject(order_hash, reason=reason)) == ["reason"]


def test_k25_an_order_with_a_fill_cannot_be_rejected_and_can_be_unlocked(desk: Desk) -> None:
    order_hash = partly_filled(desk, 1)
    with nothing_changes(desk):
        answer = desk.reject(order_hash)
        assert (outcome_of(answer), details_of(answer)["status"]) == (CONFLICT, "partially_filled")
    assert outcome_of(desk.unlock(order_hash)) == 200


def test_k25_another_takers_fill_counts_too(desk: Desk) -> None:
    order_hash = partly_filled(desk.as_other, 1)
    data_of(desk.as_other.unlock(order_hash))
    data_of(desk.lock(order_hash))
    with nothing_changes(desk):
        assert outcome_of(desk.reject(order_hash)) == CONFLICT


ACCESS: Any = cases(
    ("open",              new_order,                              CONFLICT),
    ("locked by another", lambda desk: locked(desk.as_other),     NOT_FOUND),
    ("filled",            lambda desk: partly_filled(desk, 1000), CONFLICT),
    ("unknown",           lambda _: UNKNOWN_HASH,                 NOT_FOUND),
)  # fmt: skip


@pytest.mark.parametrize(("prepare", "outcome"), ACCESS)
def test_only_the_holder_of_the_lock_rejects_or_answers(
    shared: Desk, prepare: Callable[[Desk], str], outcome: Any
) -> None:
    order_hash = prepare(shared)
    with nothing_changes(shared):
        assert outcome_of(shared.reject(order_hash)) == outcome
        assert outcome_of(shared.cancel_result(order_hash, True)) == outcome


def test_a_rejected_order_is_final(desk: Desk) -> None:
    order_hash = locked(desk)
    data_of(desk.reject(order_hash))
    with nothing_changes(desk):
        assert outcome_of(desk.as_other.lock(order_hash)) == CONFLICT
        assert outcome_of(desk.cancel(order_hash)) == CONFLICT
        assert outcome_of(desk.reject(order_hash)) == NOT_FOUND


# --- K26: cancel-result ------------------------------------------------------------------------------------------


def _requested(desk: Desk) -> str:
    order_hash = locked(desk)
    data_of(desk.cancel(order_hash))
    return order_hash


def test_k26_a_request_that_is_granted_cancels_the_order(desk: Desk) -> None:
    before, available = totals(desk), desk.balance(MAKER, QUOTE)
    order_hash = _requested(desk)
    answer = data_of(desk.cancel_result(order_hash, True, "as you wish"))
    assert list(answer.items()) == [("success", True), ("message", "cancelled"), ("order_hash", order_hash)]
    after = of_maker(desk, order_hash)
    assert (after["status"], after["notes"]) == ("cancelled", "as you wish")
    assert (totals(desk), desk.balance(MAKER, QUOTE)) == (before, available)
    assert outcome_of(desk.seen(order_hash)) == NOT_FOUND


def test_k26_a_request_that_is_refused_leaves_the_lock(desk: Desk) -> None:
    order_hash = _requested(desk)
    held = desk.balance(MAKER, QUOTE)
    answer = data_of(desk.cancel_result(order_hash, False, "no"))
    assert list(answer.items()) == [("success", True), ("message", "kept"), ("order_hash", order_hash)]
    after = single(desk, order_hash)
    assert (after["status"], after["notes"], desk.balance(MAKER, QUOTE)) == ("locked", None, held)
    assert data_of(desk.fill(order_hash, 1000))["status"] == "filled"


def test_k26_with_fills_the_cancelled_order_stays_visible_with_its_notes(desk: Desk) -> None:
    order_hash = partly_filled(desk)
    data_of(desk.cancel(order_hash))
    data_of(desk.cancel_result(order_hash, True, "rest given back"))
    after = single(desk, order_hash)
    assert (after["status"], after["notes"], after["filled_quantity"]) == ("cancelled", "rest given back", "400")


def test_k26_a_request_is_read_from_the_notes(desk: Desk) -> None:
    order_hash = locked(desk)
    assert single(desk, order_hash)["notes"] is None
    data_of(desk.cancel(order_hash))
    assert single(desk, order_hash)["notes"] == "cancel_requested"


def test_without_a_request_there_is_nothing_to_answer(desk: Desk) -> None:
    order_hash = locked(desk)
    for succeeded in (True, False):
        with nothing_changes(desk):
            assert outcome_of(desk.cancel_result(order_hash, succeeded)) == CONFLICT
    data_of(desk.cancel(order_hash))
    data_of(desk.cancel_result(order_hash, False))
    assert outcome_of(desk.cancel_result(order_hash, True)) == CONFLICT


MEMBERS: Any = cases(
    ("no order_hash",               {"order_hash": None},                        ["order_hash"]),
    ("no taker_address",            {"taker_address": None},                     ["taker_address"]),
    ("no cancellation_success",     {"cancellation_success": None},              ["cancellation_success"]),
    ("no message",                  {"message": None},                           ["message"]),
    ("nothing",                      dict.fromkeys(("order_hash", "taker_address", "cancellation_success", "message")),
     ["order_hash", "taker_address", "cancellation_success", "message"]),
    ("success as a text",           {"cancellation_success": "true"},            ["cancellation_success"]),
    ("success as a number",         {"cancellation_success": 1},                 ["cancellation_success"]),
    ("a message of 257 characters", {"message": "x" * 257},                      ["message"]),
    ("a message that is a number",  {"message": 5},                              ["message"]),
    ("an address that is none",     {"taker_address": "me"},                     ["taker_address"]),
    ("another taker's address",     {"taker_address": OTHER_TAKER},              FORBIDDEN),
    ("the own address otherwise",   {"taker_address": "0x" + TAKER[2:].upper()}, 200),
    ("an empty message",            {"message": ""},                             200),
    ("a message of 256 characters", {"message": "x" * 256},                      200),
)  # fmt: skip


@pytest.mark.parametrize(("members", "outcome"), MEMBERS)
def test_members_of_a_cancel_result(shared: Desk, members: dict[str, Any], outcome: Any) -> None:
    usual = {"order_hash": _requested(shared), "taker_address": TAKER, "cancellation_success": True, "message": "yes"}
    body = usual | members
    if outcome == 200:
        assert outcome_of(shared.post("/orders/cancel-result", body)) == 200
        assert of_maker(shared, usual["order_hash"])["notes"] == body["message"]
        return
    with nothing_changes(shared):
        answer = shared.post("/orders/cancel-result", body)
        if isinstance(outcome, list):
            assert faulty_fields(answer) == outcome
        else:
            assert outcome_of(answer) == outcome
