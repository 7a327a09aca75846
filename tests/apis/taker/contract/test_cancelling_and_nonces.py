"""POST /orders/{order_id}/cancel (K16), what a cancel request is (K26), and GET /orders/maker/next-nonce (K17)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.apis.taker.cases import (
    CONFLICT,
    FORBIDDEN,
    NOT_FOUND,
    UNKNOWN_HASH,
    id_of,
    locked,
    moment,
    new_order,
    nothing_changes,
    of_maker,
    order_body,
    outcome_of,
    partly_filled,
    single,
    totals,
)
from tests.apis.taker.desk import MAKER, OTHER_MAKER, OTHER_MAKER_KEY, QUOTE, Desk, data_of
from tests.case_tables import cases

NAMES: Any = cases(
    ("the id",                 id_of),
    ("the id in upper case",   lambda desk, one: id_of(desk, one).upper()),
    ("the hash",               lambda _, one: one),
    ("the hash in upper case", lambda _, one: "0x" + one[2:].upper()),
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_k16_an_order_is_cancelled_by_its_id_or_its_hash(shared: Desk, name: Callable[[Desk, str], str]) -> None:
    order_hash = new_order(shared)
    order_id = id_of(shared, order_hash)
    answer = data_of(shared.cancel(name(shared, order_hash)))
    assert list(answer.items()) == [("success", True), ("order_id", order_id), ("message", "cancelled")]


UNKNOWN = cases(
    ("an id that there is not",  "00000000-0000-8000-8000-000000000000"),
    ("a hash that there is not", UNKNOWN_HASH),
    ("an id without dashes",     "5ec4bac3a43c89e8b85bac8c991bb90f"),
    ("a hash that is too short", UNKNOWN_HASH[:-1]),
    ("something else",           "mine"),
    ("an id percent-encoded",    "%35ec4bac3-a43c-89e8-b85b-ac8c991bb90f"),
    ("an encoded slash",         "a%2Fb"),
    ("not ASCII",                "é"),
    ("an id in braces",          "%7B00000000-0000-8000-8000-000000000000%7D"),
)  # fmt: skip


@pytest.mark.parametrize("order_id", UNKNOWN)
def test_what_names_no_order_is_not_found(shared: Desk, order_id: str) -> None:
    with nothing_changes(shared):
        assert outcome_of(shared.cancel(order_id)) == NOT_FOUND


def test_a_hash_that_gives_the_same_id_is_another_hash(shared: Desk) -> None:
    """An id is made of a part of the hash only."""
    order_hash = new_order(shared)
    near = order_hash[:-1] + ("0" if order_hash[-1] != "0" else "1")
    with nothing_changes(shared):
        assert outcome_of(shared.cancel(near)) == NOT_FOUND
        assert outcome_of(shared.lock(near)) == NOT_FOUND


# --- by state ----------------------------------------------------------------------------------------------------


def test_an_open_order_is_cancelled_and_its_hold_released(desk: Desk) -> None:
    before, available = totals(desk), desk.balance(MAKER, QUOTE)
    order_hash = new_order(desk)
    desk.clock.advance(5)
    assert data_of(desk.cancel(order_hash))["message"] == "cancelled"
    after = of_maker(desk, order_hash)
    assert (after["status"], after["notes"], after["filled_quantity"]) == ("cancelled", None, "0")
    assert (after["created_at"], after["updated_at"]) == (moment(desk.clock.now_s - 5), moment(desk.clock.now_s))
    assert (desk.balance(MAKER, QUOTE), totals(desk)) == (available, before)


def test_a_body_of_a_cancel_is_not_looked_at(shared: Desk) -> None:
    assert outcome_of(shared.maker_post(f"/orders/{new_order(shared)}/cancel", b"no json")) == 200


def test_an_open_order_of_which_some_is_filled_keeps_what_was_filled(desk: Desk) -> None:
    order_hash = partly_filled(desk, 400)
    data_of(desk.unlock(order_hash))
    assert data_of(desk.cancel(order_hash))["message"] == "cancelled"
    after = of_maker(desk, order_hash)
    assert (after["status"], after["filled_quantity"]) == ("cancelled", "400")
    assert desk.balance(MAKER, QUOTE)[1] == 0


LOCKED: Any = cases(("no fill", locked), ("a fill", partly_filled))


@pytest.mark.parametrize("prepare", LOCKED)
def test_of_a_locked_order_the_request_is_recorded_once(desk: Desk, prepare: Callable[[Desk], str]) -> None:
    order_hash = prepare(desk)
    status = single(desk, order_hash)["status"]
    desk.clock.advance(5)
    assert data_of(desk.cancel(order_hash))["message"] == "cancellation_requested"
    asked = single(desk, order_hash)
    assert (asked["status"], asked["notes"]) == (status, "cancel_requested")
    assert asked["updated_at"] == moment(desk.clock.now_s)
    desk.clock.advance(5)
    with nothing_changes(desk):
        assert data_of(desk.cancel(order_hash))["message"] == "cancellation_requested"
    assert single(desk, order_hash) == asked


CLOSED: Any = cases(
    ("filled",    lambda desk, one: (desk.lock(one), desk.fill(one, 1000))),
    ("cancelled", lambda desk, one: desk.cancel(one)),
    ("rejected",  lambda desk, one: (desk.lock(one), desk.reject(one))),
    ("suspended", lambda desk, one: desk.commands().suspend(desk.instance, id_of(desk, one))),
)  # fmt: skip


@pytest.mark.parametrize("end", CLOSED)
def test_final_and_suspended_orders_cannot_be_cancelled(desk: Desk, end: Any) -> None:
    order_hash = new_order(desk)
    end(desk, order_hash)
    with nothing_changes(desk):
        assert outcome_of(desk.cancel(order_hash)) == CONFLICT


def test_an_expired_order_cannot_be_cancelled_though_nobody_has_written_that_down(desk: Desk) -> None:
    order_hash = new_order(desk, deadline=desk.clock.now_s + 60)
    desk.clock.advance(60)
    assert outcome_of(desk.cancel(order_hash)) == CONFLICT
    assert of_maker(desk, order_hash)["status"] == "expired"


def test_another_makers_order_is_forbidden_whatever_its_state(shared: Desk) -> None:
    other = shared.as_maker(OTHER_MAKER_KEY)
    closed = new_order(shared)
    data_of(shared.cancel(closed))
    for order_hash in (new_order(shared), locked(shared), closed):
        with nothing_changes(shared):
            assert outcome_of(other.cancel(order_hash)) == FORBIDDEN
            assert outcome_of(other.cancel(id_of(shared, order_hash))) == FORBIDDEN


# --- K26: how a request ends -------------------------------------------------------------------------------------

REQUEST_ENDS: Any = cases(
    ("granted",       lambda desk, one: desk.cancel_result(one, True, "sold out"), "cancelled",    "sold out"),
    ("refused",       lambda desk, one: desk.cancel_result(one, False, "too late"), "locked",       None),
    ("given back",    lambda desk, one: desk.unlock(one), "cancelled",    None),
    ("lapsed",        lambda desk, _: desk.clock.advance(3600), "cancelled",    None),
    ("filled",        lambda desk, one: desk.fill(one, 1000), "filled",       None),
    ("filled a part", lambda desk, one: desk.fill(one, 1), "partially_filled", "cancel_requested"),
    ("rejected",      lambda desk, one: desk.reject(one, reason="no"), "rejected",     "no"),
    ("suspended",     lambda desk, one: desk.commands().suspend(desk.instance, id_of(desk, one)), "suspended",    None),
)  # fmt: skip


@pytest.mark.parametrize(("end", "status", "notes"), REQUEST_ENDS)
def test_k26_how_a_cancel_request_ends(desk: Desk, end: Any, status: str, notes: str | None) -> None:
    before, order_hash = totals(desk), locked(desk)
    data_of(desk.cancel(order_hash))
    assert single(desk, order_hash)["notes"] == "cancel_requested"
    end(desk, order_hash)
    after = of_maker(desk, order_hash)
    assert (after["status"], after["notes"]) == (status, notes)
    desk.commands().sweep()
    held = {"locked": 1100, "partially_filled": 1099, "suspended": 1100}.get(status, 0)
    assert desk.balance(MAKER, QUOTE)[1] == held
    assert totals(desk) == before


def test_a_request_that_was_refused_may_be_made_again(desk: Desk) -> None:
    order_hash = locked(desk)
    for _ in range(2):
        assert data_of(desk.cancel(order_hash))["message"] == "cancellation_requested"
        assert data_of(desk.cancel_result(order_hash, False, "no"))["message"] == "kept"


# --- K17: nonces -------------------------------------------------------------------------------------------------


def test_k17_the_next_nonce_is_the_highest_ever_used_and_one(desk: Desk) -> None:
    def next_nonce() -> int:
        answer = data_of(desk.maker_get("/orders/maker/next-nonce"))
        assert list(answer) == ["maker", "next_nonce"]
        assert answer["maker"].lower() == MAKER.lower()
        return int(answer["next_nonce"])

    assert next_nonce() == 1
    for nonce, expected in ((0, 1), (5, 6), (3, 6), (10, 11), (9, 11), (100, 101)):
        order_hash = new_order(desk, nonce=nonce)
        assert next_nonce() == expected
        data_of(desk.cancel(order_hash))
        assert next_nonce() == expected
    new_order(desk, nonce=2**63 - 1)
    assert next_nonce() == 101, "there is none above the highest, and this one is free"
    other = desk.as_maker(OTHER_MAKER_KEY)
    answer = data_of(other.maker_get("/orders/maker/next-nonce"))
    assert (answer["maker"].lower(), answer["next_nonce"]) == (OTHER_MAKER.lower(), 1)


def test_k17_nonces_that_were_left_out_may_be_used_later(desk: Desk) -> None:
    for nonce in (9, 2, 5):
        assert outcome_of(desk.maker_post("/orders", order_body(desk, nonce=nonce))) == 200
