"""Lapses that no command has met are written by the sweep: each once, whatever else happens meanwhile."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.ledger.owners import customer_key
from chalicelib.domain.signed.lifecycle import Status
from chalicelib.domain.signed.order import SignedOrder
from chalicelib.ops.verify.verifier import Verifier
from chalicelib.tables.dynamodb import Database
from tests.faults import WatchedClient, refusal
from tests.services.signed.market import BUY, FUNDS, INSTANCE, MAKER, NOW_S, OTHER, QUOTE, TAKER, UNIT, Market


def order_of(nonce: int, deadline_in_s: int = 10_000) -> SignedOrder:
    return replace(BUY, nonce=nonce, deadline=NOW_S + deadline_in_s)


def test_a_sweep_writes_what_the_clock_has_done_and_nothing_else(market: Market) -> None:
    """A lock that ended, a request that was not answered, a deadline; an order that nothing has happened to."""
    ended, asked, expired, calm = order_of(1), order_of(2), order_of(3, 100), order_of(4)
    for order in (ended, asked, expired, calm):
        market.create(order)
    for order in (ended, asked, calm):
        market.lock(order, seconds=50 if order is not calm else 500)
    market.cancel(asked)
    market.now_s += 100
    before = market.stored(calm)
    assert market.desk.sweep() == 3
    states = [market.stored(order).state for order in (ended, asked, expired)]
    assert [state.status for state in states] == [Status.PENDING, Status.CANCELLED, Status.EXPIRED]
    assert [state.updated_at_s for state in states] == [NOW_S + 50, NOW_S + 50, NOW_S + 100]
    assert market.stored(calm) == before
    assert market.funds(MAKER, QUOTE)[1] == 2 * BUY.hold(18).quote
    assert market.seen()["locked"] == [before.order_hash]
    Verifier(market.database).verify(None)
    assert market.desk.sweep() == 0, "a lapse is written once"


def test_a_sweep_at_the_very_second_finds_the_lapse_and_one_before_does_not(market: Market) -> None:
    market.create(order_of(1, 60))
    market.now_s = NOW_S + 59
    assert market.desk.sweep() == 0
    market.now_s = NOW_S + 60
    assert market.desk.sweep() == 1


def test_a_locked_order_lapses_by_its_deadline_too(market: Market) -> None:
    market.create(order_of(1, 60))
    market.lock(order_of(1, 60), seconds=3600)
    market.now_s += 60
    assert market.desk.sweep() == 1
    assert market.stored(order_of(1, 60)).state.status is Status.EXPIRED
    assert market.desk.sweep() == 0


def test_a_partly_filled_order_is_swept_twice_when_its_lock_ends_and_then_its_deadline(market: Market) -> None:
    order = order_of(1, 100)
    market.create(order)
    market.lock(order, seconds=50)
    market.fill(UNIT, "r1", order)
    market.now_s += 50
    assert (market.desk.sweep(), market.stored(order).state.status) == (1, Status.PARTIALLY_FILLED)
    market.now_s += 50
    assert (market.desk.sweep(), market.stored(order).state.status) == (1, Status.EXPIRED)
    assert market.funds(MAKER, QUOTE)[1] == 0
    assert market.seen()["filled"] == [market.stored(order).order_hash]


def test_a_sweep_ends_with_its_time_and_the_next_one_goes_on(market: Market) -> None:
    def sweep_four() -> int:
        time = iter([True] * 4 + [False])
        return market.desk.sweep(lambda: next(time))

    for nonce in range(10):
        market.create(order_of(nonce, 10 + nonce))
    market.now_s += 100
    assert sweep_four() == 4
    statuses = [market.stored(order_of(nonce, 10 + nonce)).state.status for nonce in range(10)]
    assert statuses == [Status.EXPIRED] * 4 + [Status.PENDING] * 6, "the first to end come first"
    assert [sweep_four() for _ in range(3)] == [4, 2, 0]


def test_the_orders_of_all_instances_are_swept(market: Market) -> None:
    market.settings = replace(market.settings, has_ledger_settlement=False)
    stored = market.create(order_of(1))
    others = [replace(stored, instance=instance) for instance in ("inst_one", "inst_two")]
    for other in others:
        market.database.transact(market.orders.creation(other))
    market.now_s += 10_000
    assert market.desk.sweep() == 3
    for one in (stored, *others):
        found = market.orders.get(one.instance, one.order_id)
        assert found is not None
        assert found.state.status is Status.EXPIRED


def test_an_order_whose_hold_is_gone_is_logged_and_stops_no_other(
    market: Market, caplog: pytest.LogCaptureFixture
) -> None:
    broken, sound = order_of(1, 10), replace(order_of(2, 20), maker=OTHER, principal=OTHER)
    market.create(broken)
    market.create(sound)
    key = {"owner": customer_key(INSTANCE, MAKER.lower()), "entry": f"balance/{QUOTE}"}
    row = market.database.get("accounts", key)
    assert row is not None
    market.database.put_many("accounts", [row | {"held": 1}])
    market.now_s += 100
    with caplog.at_level(logging.ERROR):
        assert market.desk.sweep() == 1
    assert [market.stored(broken).order_id in vars(record)["work"] for record in caplog.records] == [True]
    assert market.funds(OTHER, QUOTE) == (FUNDS, 0)
    assert market.stored(broken).state.status is Status.PENDING


def test_a_sweep_beside_a_command_that_was_first_does_nothing(market: Market) -> None:
    """Right before the sweep writes the lapse, another taker locks the order: it has written the lapse itself."""
    market.create(order_of(1))
    market.lock(order_of(1), seconds=50)
    market.now_s += 50
    after = []

    def overtake(operation: str, call: Any) -> Any:
        if operation == "transact_write_items":
            market.lock(order_of(1), OTHER)
            after.append(market.tables())
        return call()

    client: Any = WatchedClient(market.database._client, overtake)
    assert market.desk_over(Database(client, market.database._prefix)).sweep() == 0
    assert [market.tables()] == after
    assert (market.seen(TAKER)["locked"], len(market.seen(OTHER)["locked"])) == ([], 1)


class InConflict:
    """Tables in which somebody else's transactions have one order's row, for ever."""

    def __init__(self, client: Any, order_id: str) -> None:
        self._client = client
        self._order_id = order_id

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def transact_write_items(self, **arguments: Any) -> Any:
        if self._order_id in str(arguments):
            reasons = [{"Code": "TransactionConflict"}]
            raise refusal("TransactionCanceledException", "transact_write_items", CancellationReasons=reasons)
        return self._client.transact_write_items(**arguments)


def five_lapsed(market: Market) -> str:
    """Make five orders that have all lapsed; return the id of the one that ended first."""
    orders = [order_of(nonce, 10 + nonce) for nonce in range(5)]
    ids = [market.create(order).order_id for order in orders]
    market.now_s += 100
    return ids[0]


def test_an_order_that_always_conflicts_stops_no_other(market: Market) -> None:
    """K42"""
    client: Any = InConflict(market.database._client, five_lapsed(market))
    desk = market.desk_over(Database(client, market.database._prefix, pause=lambda _seconds: None))
    assert desk.sweep() == 4
    statuses = [market.stored(order_of(nonce, 10 + nonce)).state.status for nonce in range(5)]
    assert statuses == [Status.PENDING] + [Status.EXPIRED] * 4
    assert market.desk.sweep() == 1, "it is still to be swept"


def test_an_order_that_cannot_be_read_stops_no_other(market: Market) -> None:
    """K42"""
    first = five_lapsed(market)
    rows = market.tables()["signed-orders"]
    (row,) = [row for row in rows if row["owner"].endswith(first) and row["entry"] == "order"]
    market.database.put_many("signed-orders", [row | {"status": "UNKNOWN"}])
    assert market.desk.sweep() == 4
