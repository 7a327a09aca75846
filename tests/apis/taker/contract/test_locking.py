"""POST /orders/lock (K20, K21) and POST /orders/unlock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.apis.taker.cases import (
    CONFLICT,
    FORBIDDEN,
    INVALID,
    NOT_FOUND,
    UNKNOWN_HASH,
    Outcome,
    id_of,
    listed,
    listed_hashes,
    locked,
    moment,
    new_order,
    nothing_changes,
    of_maker,
    outcome_of,
    partly_filled,
    single,
    totals,
)
from tests.apis.taker.desk import MAKER, OTHER_TAKER, QUOTE, TAKER, Desk, data_of, details_of, faulty_fields, make_key
from tests.case_tables import cases


def test_the_answer_to_a_lock(shared: Desk) -> None:
    order_hash = new_order(shared)
    now_s = shared.clock.now_s
    assert list(data_of(shared.lock(order_hash)).items()) == [
        ("success", True),
        ("order_hash", order_hash),
        ("locked_by", TAKER),
        ("locked_at", moment(now_s)),
        ("expires_at", moment(now_s + 3600)),
    ]
    shown = single(shared, order_hash)
    assert (shown["status"], shown["updated_at"]) == ("locked", moment(now_s))


DURATIONS = cases(
    ("the longest by default",  3600, 10_000, None, 3600),
    ("one second",              3600, 10_000, 1,    1),
    ("the longest",             3600, 10_000, 3600, 3600),
    ("not beyond the deadline", 3600, 100,    None, 100),
    ("shorter than that",       3600, 100,    99,   99),
    ("a setting",               60,   10_000, None, 60),
    ("a setting, all of it",    60,   10_000, 60,   60),
)  # fmt: skip


@pytest.mark.parametrize(("lock_seconds", "deadline_s", "duration", "expected_s"), DURATIONS)
def test_how_long_a_lock_holds(
    desk: Desk, lock_seconds: int, deadline_s: int, duration: int | None, expected_s: int
) -> None:
    desk.change_settings(lock_seconds=lock_seconds)
    order_hash = new_order(desk, deadline=desk.clock.now_s + deadline_s)
    answer = data_of(desk.lock(order_hash, lock_duration=duration))
    assert answer["expires_at"] == moment(desk.clock.now_s + expected_s)
    desk.clock.advance(expected_s - 1)
    assert single(desk, order_hash)["status"] == "locked"
    desk.clock.advance(1)
    assert outcome_of(desk.seen(order_hash)) == NOT_FOUND


BAD: Any = cases(
    ("duration 0",                 {"lock_duration": 0},       ["lock_duration"]),
    ("duration below 0",           {"lock_duration": -1},      ["lock_duration"]),
    ("duration above the longest", {"lock_duration": 3601},    ["lock_duration"]),
    ("duration as a text",         {"lock_duration": "60"},    ["lock_duration"]),
    ("duration as a fraction",     {"lock_duration": 60.0},    ["lock_duration"]),
    ("duration as a boolean",      {"lock_duration": True},    ["lock_duration"]),
    ("an empty reference",         {"reference_id": ""},       ["reference_id"]),
    ("a reference of 65",          {"reference_id": "x" * 65}, ["reference_id"]),
    ("a reference with a blank",   {"reference_id": "a b"},    ["reference_id"]),
    ("a reference with a slash",   {"reference_id": "a/b"},    ["reference_id"]),
    ("a reference not in ASCII",   {"reference_id": "ä"},      ["reference_id"]),
    ("a number as reference",      {"reference_id": 1},        ["reference_id"]),
    ("an address that is none",    {"taker_address": "me"},    ["taker_address"]),
    ("an empty address",           {"taker_address": ""},      ["taker_address"]),
)  # fmt: skip


@pytest.mark.parametrize(("members", "fields"), BAD)
def test_bad_members_of_a_lock(shared: Desk, members: dict[str, Any], fields: list[str]) -> None:
    order_hash = new_order(shared)
    with nothing_changes(shared):
        assert faulty_fields(shared.lock(order_hash, **members)) == fields


REFERENCES = cases(
    ("one character",   "x"),
    ("64 characters",   "x" * 64),
    ("all that may be", "Aa0._:-"),
)  # fmt: skip


@pytest.mark.parametrize("reference", REFERENCES)
def test_the_reference_of_a_lock_is_shown_in_the_list(shared: Desk, reference: str) -> None:
    order_hash = new_order(shared)
    data_of(shared.lock(order_hash, reference_id=reference))
    assert next(row for row in listed(shared) if row["order_hash"] == order_hash)["reference_id"] == reference


ADDRESSES: Any = cases(
    ("K20 none",                  {},                                          200),
    ("K20 null",                  {"taker_address": None},                     200),
    ("the key's",                 {"taker_address": TAKER},                    200),
    ("the key's in another case", {"taker_address": "0x" + TAKER[2:].upper()}, 200),
    ("another's",                 {"taker_address": OTHER_TAKER},              FORBIDDEN),
)  # fmt: skip


@pytest.mark.parametrize(("members", "outcome"), ADDRESSES)
def test_k20_the_taker_is_the_keys(shared: Desk, members: dict[str, Any], outcome: Outcome) -> None:
    order_hash = new_order(shared)
    answer = shared.lock(order_hash, **members)
    assert outcome_of(answer) == outcome
    if outcome == 200:
        assert data_of(answer)["locked_by"] == TAKER


# --- K21: what can be locked -------------------------------------------------------------------------------------


def _given_back(desk: Desk) -> str:
    order_hash = partly_filled(desk)
    data_of(desk.unlock(order_hash))
    return order_hash


def _ended(desk: Desk, how: str) -> str:
    order_hash = locked(desk)
    if how == "filled":
        data_of(desk.fill(order_hash, 1000))
    elif how == "rejected":
        data_of(desk.reject(order_hash))
    elif how == "suspended":
        desk.commands().suspend(desk.instance, id_of(desk, order_hash))
    else:
        data_of(desk.unlock(order_hash))
        data_of(desk.cancel(order_hash))
    return order_hash


LOCKABLE: Any = cases(
    ("pending",                        new_order,                                 200),
    ("partially filled, given back",   _given_back,                               200),
    ("given back by another",          lambda desk: _given_back(desk.as_other),   200),
    ("locked by the caller",           locked,                                    CONFLICT),
    ("locked by another",              lambda desk: locked(desk.as_other),        CONFLICT),
    ("partially filled by the caller", partly_filled,                             CONFLICT),
    ("partially filled by another",    lambda desk: partly_filled(desk.as_other), CONFLICT),
    ("filled",                         lambda desk: _ended(desk, "filled"),       CONFLICT),
    ("cancelled",                      lambda desk: _ended(desk, "cancelled"),    CONFLICT),
    ("rejected",                       lambda desk: _ended(desk, "rejected"),     CONFLICT),
    ("suspended",                      lambda desk: _ended(desk, "suspended"),    CONFLICT),
    ("unknown",                        lambda _: UNKNOWN_HASH,                    NOT_FOUND),
)  # fmt: skip


@pytest.mark.parametrize(("prepare", "outcome"), LOCKABLE)
def test_k21_what_is_open_is_locked_and_nothing_else(
    shared: Desk, prepare: Callable[[Desk], str], outcome: Outcome
) -> None:
    order_hash = prepare(shared)
    if outcome == 200:
        before = totals(shared)
        assert outcome_of(shared.lock(order_hash)) == 200
        assert totals(shared) == before
    else:
        with nothing_changes(shared):
            assert outcome_of(shared.lock(order_hash)) == outcome


def test_k21_a_lock_is_never_made_longer(desk: Desk) -> None:
    order_hash = new_order(desk)
    ends = data_of(desk.lock(order_hash, lock_duration=100))["expires_at"]
    desk.clock.advance(99)
    answer = desk.lock(order_hash)
    assert (outcome_of(answer), details_of(answer)["expires_at"]) == (CONFLICT, ends)
    desk.clock.advance(1)
    assert data_of(desk.lock(order_hash))["locked_at"] == ends


def test_an_order_that_expired_cannot_be_locked(desk: Desk) -> None:
    order_hash = new_order(desk, deadline=desk.clock.now_s + 10)
    desk.clock.advance(10)
    assert outcome_of(desk.lock(order_hash)) == CONFLICT
    assert of_maker(desk, order_hash)["status"] == "expired"


OWN: Any = cases(
    ("as its maker",           {}),
    ("as its principal",       {"principal": "0x" + "0e" * 20}),
    ("in another letter case", {"principal": "0x" + "0E" * 20}),
)  # fmt: skip


@pytest.mark.parametrize("members", OWN)
def test_a_taker_locks_no_order_of_its_own(shared: Desk, members: dict[str, Any]) -> None:
    address = "0x" + "0e" * 20 if members else MAKER
    name = f"own {members}"
    make_key(shared.database, name, address)
    order_hash = new_order(shared, **members)
    with nothing_changes(shared):
        answer = shared.post("/orders/lock", {"order_hash": order_hash}, {"x-api-key": name})
        assert outcome_of(answer) == FORBIDDEN
    assert outcome_of(shared.lock(order_hash)) == 200


# --- unlock ------------------------------------------------------------------------------------------------------


def test_a_lock_that_is_given_back_opens_the_order_to_all(desk: Desk) -> None:
    order_hash = locked(desk)
    before, held = totals(desk), desk.balance(MAKER, QUOTE)
    desk.clock.advance(7)
    answer = data_of(desk.unlock(order_hash))
    assert list(answer.items()) == [("success", True), ("order_hash", order_hash), ("message", "unlocked")]
    assert (totals(desk), desk.balance(MAKER, QUOTE)) == (before, held)
    assert of_maker(desk, order_hash)["updated_at"] == moment(desk.clock.now_s)
    assert (of_maker(desk, order_hash)["status"], listed_hashes(desk)) == ("pending", [])
    assert outcome_of(desk.as_other.lock(order_hash)) == 200


def test_an_order_with_fills_that_is_given_back_stays_visible_and_is_open(desk: Desk) -> None:
    order_hash = _given_back(desk)
    assert (single(desk, order_hash)["status"], listed_hashes(desk)) == ("partially_filled", [order_hash])
    assert outcome_of(desk.as_other.lock(order_hash)) == 200
    assert single(desk, order_hash)["status"] == "partially_filled"


def test_unlocking_what_the_maker_wants_back_cancels_it(desk: Desk) -> None:
    available = desk.balance(MAKER, QUOTE)
    order_hash = locked(desk)
    data_of(desk.cancel(order_hash))
    assert data_of(desk.unlock(order_hash))["message"] == "cancelled"
    assert (of_maker(desk, order_hash)["status"], desk.balance(MAKER, QUOTE)) == ("cancelled", available)


def test_unlocking_twice_is_a_conflict(desk: Desk) -> None:
    order_hash = locked(desk)
    data_of(desk.unlock(order_hash))
    with nothing_changes(desk):
        assert outcome_of(desk.unlock(order_hash)) == CONFLICT


def test_an_unlock_names_its_order(shared: Desk) -> None:
    with nothing_changes(shared):
        assert faulty_fields(shared.post("/orders/unlock", {})) == ["order_hash"]
        assert outcome_of(shared.post("/orders/unlock")) == INVALID
        assert outcome_of(shared.unlock(UNKNOWN_HASH)) == NOT_FOUND
