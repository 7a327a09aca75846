"""GET orders/available: all open orders, oldest first."""

from __future__ import annotations

import pytest

from tests.apis.taker.desk import UNIT, Desk, data_of, fault_of, faulty_fields
from tests.apis.taker.test_lists_single import MEMBERS

PATH = "/orders/available"


def nonces(desk: Desk, query: str = "") -> list[int]:
    return [order["nonce"] for order in data_of(desk.get(PATH, query))]


def test_open_orders_are_a_bare_array_of_single_objects_oldest_first(desk: Desk) -> None:
    for nonce in (3, 1, 2):
        desk.created(nonce=nonce)
        desk.clock.advance(1)
    orders = data_of(desk.get(PATH))
    assert [list(order) for order in orders] == [MEMBERS] * 3
    assert [order["nonce"] for order in orders] == [3, 1, 2]
    assert {(order["status"], order["filled_quantity"], order["notes"]) for order in orders} == {("pending", "0", None)}


def test_ties_are_in_the_order_of_their_hashes(desk: Desk) -> None:
    hashes = [desk.created(nonce=nonce) for nonce in range(1, 6)]
    assert [order["order_hash"] for order in data_of(desk.get(PATH))] == sorted(hashes)


def test_there_is_an_empty_array_where_no_order_is(desk: Desk) -> None:
    assert desk.get(PATH).body == '{"code":0,"data":[]}'


def test_every_taker_sees_the_same(desk: Desk) -> None:
    desk.created()
    assert desk.get(PATH) == desk.as_other.get(PATH)
    assert fault_of(desk.maker_get(PATH)) == (401, 10010012)


def test_a_locked_order_is_left_out_for_everybody_until_its_lock_ends(desk: Desk) -> None:
    order_hash = desk.created()
    desk.lock(order_hash, lock_duration=60)
    assert nonces(desk) == nonces(desk.as_other) == []
    desk.clock.advance(59)
    assert nonces(desk) == []
    desk.clock.advance(1)
    assert nonces(desk) == [1]
    (order,) = data_of(desk.get(PATH))
    assert (order["status"], order["updated_at"]) == ("pending", "2025-01-17T03:01:24Z")


def test_partially_filled_orders_are_in_it_when_they_are_open_again(desk: Desk) -> None:
    order_hash = desk.created()
    desk.lock(order_hash)
    desk.fill(order_hash, UNIT)
    assert nonces(desk) == []
    desk.unlock(order_hash)
    (order,) = data_of(desk.get(PATH))
    assert (order["status"], order["filled_quantity"]) == ("partially_filled", str(UNIT))


@pytest.mark.parametrize("end", ["cancelled", "rejected", "filled", "suspended", "expired", "lapsed after a request"])
def test_an_order_that_ended_is_not_in_it(desk: Desk, end: str) -> None:
    order_hash = desk.created(deadline=desk.clock.now_s + 7200)
    if end == "cancelled":
        desk.cancel(order_hash)
    else:
        desk.lock(order_hash)
    if end == "rejected":
        desk.reject(order_hash)
    if end == "filled":
        desk.fill(order_hash, 10 * UNIT)
    if end == "suspended":
        desk.commands().suspend(desk.instance, data_of(desk.seen(order_hash))["id"])
    if end == "expired":
        desk.clock.advance(7200)
    if end == "lapsed after a request":
        desk.cancel(order_hash)
        desk.clock.advance(3600)
    assert nonces(desk) == []


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("ticker=tsla", [2]),
        ("is_buy=true", [1]),
        ("is_buy=0", [2]),
        ("exchange=0", [1, 2]),
        ("exchange=1", []),
        ("ticker=AAPL&is_buy=false", []),
        ("ticker=&status=locked&page=x", [1, 2]),
    ],
)
def test_it_filters_as_the_list_does(desk: Desk, query: str, expected: list[int]) -> None:
    desk.created(nonce=1)
    desk.clock.advance(1)
    desk.created(nonce=2, ticker="TSLA", is_buy=False)
    assert nonces(desk, query) == expected


def test_bad_filters_are_named(desk: Desk) -> None:
    assert faulty_fields(desk.get(PATH, "exchange=x&is_buy=2")) == ["exchange", "is_buy"]
