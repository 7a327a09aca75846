"""GET and DELETE /orders/{order_id} (K54): one order of a maker, by its id or its hash."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.apis.taker.cases import (
    CONFLICT,
    FORBIDDEN,
    INVALID,
    NO_SESSION,
    NOT_FOUND,
    SINGLE,
    UNKNOWN_HASH,
    id_of,
    locked,
    new_order,
    nothing_changes,
    of_maker,
    outcome_of,
    partly_filled,
)
from tests.apis.taker.desk import MAKER, OTHER_MAKER_KEY, QUOTE, Desk, data_of
from tests.case_tables import cases

NAMES: Any = cases(
    ("the id",                 id_of),
    ("the id in upper case",   lambda desk, one: id_of(desk, one).upper()),
    ("the hash",               lambda _, one: one),
    ("the hash in upper case", lambda _, one: "0x" + one[2:].upper()),
)  # fmt: skip
UNKNOWN = cases(
    ("an id that there is not",   "00000000-0000-8000-8000-000000000000"),
    ("a hash that there is not",  UNKNOWN_HASH),
    ("a hash that is too short",  UNKNOWN_HASH[:-1]),
    ("something else",            "mine"),
    ("a word of another command", "lock"),
    ("an encoded slash",          "a%2Fb"),
)  # fmt: skip


def delete(desk: Desk, order_id: str) -> Any:
    return desk.send("DELETE", f"/orders/{order_id}", headers={"authorization": f"Bearer {desk.jwt}"})


@pytest.mark.parametrize("name", NAMES)
def test_a_maker_sees_an_order_of_its_own_by_id_or_hash(shared: Desk, name: Callable[[Desk, str], str]) -> None:
    order_hash = new_order(shared)
    shown = data_of(shared.maker_get(f"/orders/{name(shared, order_hash)}"))
    assert list(shown) == SINGLE
    assert shown == of_maker(shared, order_hash)


STATES: Any = cases(
    ("locked",           locked,                                                      "locked",           None),
    ("partially filled", partly_filled,                                               "partially_filled", 1),
    ("filled",           lambda desk: partly_filled(desk, 1000),                      "filled",           1),
    ("cancelled",        lambda desk: (one := new_order(desk), desk.cancel(one))[0],  "cancelled",        None),
)  # fmt: skip


@pytest.mark.parametrize(("prepare", "status", "fills"), STATES)
def test_it_is_shown_in_each_state_as_in_the_list(
    shared: Desk, prepare: Callable[[Desk], str], status: str, fills: int | None
) -> None:
    order_hash = prepare(shared)
    shown = data_of(shared.maker_get(f"/orders/{order_hash}"))
    assert shown == of_maker(shared, order_hash)
    assert (shown["status"], len(shown["fills"]) if "fills" in shown else None) == (status, fills)


def test_it_is_shown_as_of_now(desk: Desk) -> None:
    order_hash = locked(desk)
    desk.clock.advance(3600)
    assert data_of(desk.maker_get(f"/orders/{order_hash}"))["status"] == "pending"


def test_a_page_of_its_fills_can_be_asked_for(shared: Desk) -> None:
    order_hash = partly_filled(shared)
    assert data_of(shared.maker_get(f"/orders/{order_hash}", "fills_page=2"))["fills"] == []
    assert outcome_of(shared.maker_get(f"/orders/{order_hash}", "fills_page=0")) == INVALID


@pytest.mark.parametrize("order_id", UNKNOWN)
def test_what_names_no_order_is_not_found(shared: Desk, order_id: str) -> None:
    with nothing_changes(shared):
        assert outcome_of(shared.maker_get(f"/orders/{order_id}")) == NOT_FOUND
        assert outcome_of(delete(shared, order_id)) == NOT_FOUND


def test_a_hash_that_gives_the_same_id_is_another_hash(shared: Desk) -> None:
    order_hash = new_order(shared)
    near = order_hash[:-1] + ("0" if order_hash[-1] != "0" else "1")
    assert outcome_of(shared.maker_get(f"/orders/{near}")) == NOT_FOUND
    assert outcome_of(delete(shared, near)) == NOT_FOUND


def test_another_makers_order_is_unknown_to_see_and_forbidden_to_cancel(shared: Desk) -> None:
    order_hash = new_order(shared)
    other = shared.as_maker(OTHER_MAKER_KEY)
    with nothing_changes(shared):
        for named in (order_hash, id_of(shared, order_hash)):
            assert outcome_of(other.maker_get(f"/orders/{named}")) == NOT_FOUND
            assert outcome_of(delete(other, named)) == FORBIDDEN


def test_both_ask_for_a_session(shared: Desk) -> None:
    order_hash = new_order(shared)
    for method in ("GET", "DELETE"):
        answer = shared.send(method, f"/orders/{order_hash}", headers={"x-api-key": shared.api_key})
        assert outcome_of(answer) == NO_SESSION


@pytest.mark.parametrize("name", NAMES)
def test_delete_cancels_as_post_cancel_does(desk: Desk, name: Callable[[Desk, str], str]) -> None:
    available = desk.balance(MAKER, QUOTE)
    order_hash = new_order(desk)
    order_id = id_of(desk, order_hash)
    answer = data_of(delete(desk, name(desk, order_hash)))
    assert list(answer.items()) == [("success", True), ("order_id", order_id), ("message", "cancelled")]
    assert (of_maker(desk, order_hash)["status"], desk.balance(MAKER, QUOTE)) == ("cancelled", available)
    assert outcome_of(delete(desk, order_id)) == CONFLICT


def test_delete_asks_the_holder_of_a_lock(desk: Desk) -> None:
    order_hash = locked(desk)
    for _ in range(2):
        assert data_of(delete(desk, order_hash))["message"] == "cancellation_requested"
    assert of_maker(desk, order_hash)["notes"] == "cancel_requested"
