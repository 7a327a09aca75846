"""The reference's table of races and access, one command after the other; side by side they are in ``tests/whole``.

Besides: bad input by name, each of which changes no table, and that no command of any kind makes or loses money.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.apis.taker.cases import (
    CONFLICT,
    INVALID,
    NOT_FOUND,
    UNKNOWN_HASH,
    Outcome,
    listed_hashes,
    locked,
    new_order,
    nothing_changes,
    of_maker,
    order_body,
    outcome_of,
    partly_filled,
    single,
    totals,
)
from tests.apis.taker.desk import (
    AAPL,
    MAKER,
    NOW_S,
    OTHER_MAKER_KEY,
    QUOTE,
    Desk,
    data_of,
    details_of,
    faulty_fields,
    new_desk,
    sign_order,
)
from tests.case_tables import cases

# --- the table ---------------------------------------------------------------------------------------------------


def test_of_two_takers_who_lock_one_order_the_first_gets_it(desk: Desk) -> None:
    order_hash = new_order(desk)
    assert [outcome_of(taker.lock(order_hash)) for taker in (desk, desk.as_other)] == [200, CONFLICT]


def test_the_holder_locks_again(desk: Desk) -> None:
    order_hash = locked(desk)
    answer = desk.lock(order_hash)
    assert outcome_of(answer) == CONFLICT
    assert {"locked_by", "expires_at"} <= set(details_of(answer))


def test_at_the_locks_end_without_a_fill(desk: Desk) -> None:
    order_hash = locked(desk)
    desk.clock.advance(3600)
    assert outcome_of(desk.seen(order_hash)) == NOT_FOUND
    assert outcome_of(desk.as_other.lock(order_hash)) == 200


def test_at_the_locks_end_with_a_fill(desk: Desk) -> None:
    order_hash = partly_filled(desk)
    desk.clock.advance(3600)
    assert single(desk, order_hash)["status"] == "partially_filled"
    assert outcome_of(desk.fill(order_hash, 1)) == CONFLICT
    assert outcome_of(desk.as_other.lock(order_hash)) == 200


FOREIGN: Any = cases(
    ("unlock",        lambda desk, one: desk.unlock(one)),
    ("fill",          lambda desk, one: desk.fill(one, 1)),
    ("reject",        lambda desk, one: desk.reject(one)),
    ("cancel-result", lambda desk, one: desk.cancel_result(one, True)),
)  # fmt: skip


@pytest.mark.parametrize("ask", FOREIGN)
def test_commands_on_an_order_that_another_has_locked(shared: Desk, ask: Callable[[Desk, str], Any]) -> None:
    order_hash = locked(shared.as_other)
    with nothing_changes(shared):
        assert outcome_of(ask(shared, order_hash)) == NOT_FOUND


def test_a_fill_above_the_remaining_quantity(shared: Desk) -> None:
    order_hash = partly_filled(shared, 400)
    with nothing_changes(shared):
        assert faulty_fields(shared.fill(order_hash, 601)) == ["fill_quantity"]


def test_the_same_fill_twice(desk: Desk) -> None:
    order_hash = locked(desk)
    first = desk.fill(order_hash, 400, reference_id="r")
    with nothing_changes(desk):
        assert desk.fill(order_hash, 400, reference_id="r").body == first.body
        assert outcome_of(desk.fill(order_hash, 401, reference_id="r")) == CONFLICT
    assert data_of(desk.get("/orders/filled"))["total"] == 1


def test_a_maker_cancels_and_the_holder_unlocks(desk: Desk) -> None:
    available = desk.balance(MAKER, QUOTE)
    order_hash = locked(desk)
    data_of(desk.cancel(order_hash))
    data_of(desk.unlock(order_hash))
    assert (of_maker(desk, order_hash)["status"], desk.balance(MAKER, QUOTE)) == ("cancelled", available)


def test_a_maker_cancels_and_the_holder_fills_all(desk: Desk) -> None:
    order_hash = locked(desk)
    data_of(desk.cancel(order_hash))
    data_of(desk.fill(order_hash, 1000))
    assert single(desk, order_hash)["status"] == "filled"


def test_a_hash_in_upper_case(shared: Desk) -> None:
    order_hash = locked(shared)
    assert shared.seen("0x" + order_hash[2:].upper()).body == shared.seen(order_hash).body


# --- bad input by name -------------------------------------------------------------------------------------------


def _forged(desk: Desk) -> Any:
    return desk.maker_post("/orders", order_body(desk) | {"signature": "0x" + "5a" * 64 + "1c"})


def _anothers_signature(desk: Desk) -> Any:
    order = order_body(desk)["order"]
    return desk.maker_post("/orders", {"order": order, "signature": sign_order(order, OTHER_MAKER_KEY, desk.settings)})


def _create(desk: Desk, **members: Any) -> Any:
    return desk.maker_post("/orders", order_body(desk, **members))


def _other_chain(desk: Desk) -> Any:
    elsewhere = replace(desk, settings=replace(desk.settings, domain=replace(desk.settings.domain, chain_id=1)))
    return desk.maker_post("/orders", order_body(elsewhere))


def _nothing(_desk: Desk) -> None:
    """There is nothing to prepare."""


def _nonce_3(desk: Desk) -> str:
    return new_order(desk, nonce=3)


BY_NAME: Any = cases(
    ("a forged signature",          _nothing,    lambda desk, _: _forged(desk), INVALID),
    ("another wallet's signature",  _nothing,    lambda desk, _: _anothers_signature(desk), INVALID),
    ("another chain's signature",   _nothing,    lambda desk, _: _other_chain(desk), INVALID),
    ("a nonce again",               _nonce_3,    lambda desk, _: _create(desk, nonce=3), CONFLICT),
    ("a deadline in the past",      _nothing,    lambda desk, _: _create(desk, deadline=NOW_S - 1), INVALID),
    ("another taker's order",       lambda desk: locked(desk.as_other), lambda desk, one: desk.seen(one), NOT_FOUND),
    ("status foo",                  _nothing,    lambda desk, _: desk.get("/takers/orders", "status=foo"), INVALID),
    ("is_buy maybe",                _nothing,    lambda desk, _: desk.get("/takers/orders", "is_buy=maybe"), INVALID),
    ("page size 101 is 100",        _nothing,    lambda desk, _: desk.get("/takers/orders", "page_size=101"), 200),
    ("an unknown hash, upper case", _nothing,    lambda desk, _: desk.seen("0X" + UNKNOWN_HASH[2:].upper()), NOT_FOUND),
)  # fmt: skip


@pytest.mark.parametrize(("prepare", "ask", "outcome"), BY_NAME)
def test_bad_input_gets_its_error_and_changes_no_table(
    desk: Desk, prepare: Callable[[Desk], Any], ask: Callable[[Desk, Any], Any], outcome: Outcome
) -> None:
    prepared = prepare(desk)
    with nothing_changes(desk):
        assert outcome_of(ask(desk, prepared)) == outcome


def test_another_takers_order_is_as_unknown_as_any(shared: Desk) -> None:
    known, unknown = shared.seen(locked(shared.as_other)), shared.seen(UNKNOWN_HASH)
    assert (known.status, known.body, known.headers) == (unknown.status, unknown.body, unknown.headers)


# --- conservation ------------------------------------------------------------------------------------------------


def _some_command(desk: Desk, draw: random.Random, orders: list[str]) -> None:
    """Give any command, by any taker, to any of the orders; most of them are refused."""
    order_hash = draw.choice(orders)
    taker = draw.choice([desk, desk.as_other])
    quantity = draw.choice([1, 7, 250, 999])
    commands: list[Callable[[], Any]] = [
        lambda: orders.append(new_order(desk, is_buy=draw.random() < 0.5, deadline=desk.clock.now_s + 900)),
        lambda: taker.lock(order_hash, lock_duration=draw.choice([10, 300])),
        lambda: taker.lock(order_hash),
        lambda: taker.fill(order_hash, quantity),
        lambda: taker.fill(order_hash, quantity, reference_id="often", taker_incentive="0"),
        lambda: taker.unlock(order_hash),
        lambda: taker.reject(order_hash),
        lambda: desk.cancel(order_hash),
        lambda: taker.cancel_result(order_hash, draw.random() < 0.5),
        lambda: desk.clock.advance(draw.choice([1, 10, 200])),
        lambda: desk.commands().sweep(),
    ]
    weights = [2, 4, 4, 8, 2, 1, 1, 1, 2, 3, 1]
    draw.choices(commands, weights)[0]()


@pytest.mark.parametrize("seed", cases(*((f"seed {seed}", seed) for seed in range(4))))
def test_no_command_makes_or_loses_money_and_held_is_what_live_orders_hold(seed: int) -> None:
    desk, draw = new_desk(), random.Random(seed)
    desk.change_settings(fee_bps=37)
    orders = [new_order(desk, deadline=desk.clock.now_s + 900)]
    before = totals(desk)
    for _ in range(120):
        _some_command(desk, draw, orders)
        assert totals(desk) == before
        live = [row for row in desk.database.scan("signed-orders") if row["entry"] == "order"]
        assert desk.balance(MAKER, QUOTE)[1] == sum(row["hold_quote"] for row in live)
        assert desk.balance(MAKER, AAPL)[1] == sum(row["hold_stock"] for row in live)
    for order_hash in orders:
        row = of_maker(desk, order_hash)
        assert int(row["filled_quantity"]) <= int(row["quantity"])
    mine = listed_hashes(desk, "page_size=100")
    assert len(mine) == len(set(mine)) == data_of(desk.get("/takers/orders"))["total"]
