"""Signed orders tables: orders, nonces, takers' lists and indexes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.signed.lifecycle import FINAL, Lock, State, Status
from chalicelib.domain.signed.order import NOTHING
from chalicelib.domain.signed.stored import Counts, Fill, StoredOrder
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.signed_orders import TABLE, SignedOrders
from chalicelib.tables.writes import TransactionRefused
from tests.faults import WatchedClient
from tests.services.signed.market import BUY, INSTANCE, MAKER, NOW_S, OTHER, SELL, STOCK, TAKER, UNIT, hash_of

SHOUTED = TAKER.upper().replace("X", "x")


def an_order(
    nonce: int = 1, created_at_s: int = NOW_S, instance: str = INSTANCE, status: Status = Status.PENDING
) -> StoredOrder:
    order = replace(BUY, nonce=nonce)
    state = State(status, NOTHING if status in FINAL else order.hold(18), created_at_s)
    return StoredOrder(instance, hash_of(order), order, "0xab", STOCK, 18, created_at_s, state, True, "cmd_1")


def a_fill(stored: StoredOrder, reference: str, at_s: int = NOW_S, tx_hash: str | None = None) -> Fill:
    return Fill(
        f"fill-{reference}-{stored.order.nonce}", stored.order_id, stored.order_hash, TAKER, UNIT, 150 * UNIT, 0, 0,
        None, Status.PARTIALLY_FILLED, reference, at_s, tx_hash, 7,
    )  # fmt: skip


@pytest.fixture
def orders(store: Database) -> SignedOrders:
    return SignedOrders(store)


@pytest.fixture
def quick(memory_database: Database) -> SignedOrders:
    return SignedOrders(memory_database)


def put(orders: SignedOrders, *stored: StoredOrder) -> None:
    for one in stored:
        orders._database.transact(orders.creation(one))


def test_a_stored_order_is_found_by_its_id_as_it_is(orders: SignedOrders) -> None:
    locked = State(
        Status.LOCKED,
        BUY.hold(18),
        NOW_S,
        lock=Lock(TAKER, NOW_S, NOW_S + 60),
        is_cancel_requested=True,
        notes="n",
        version=3,
    )
    sell = StoredOrder(INSTANCE, hash_of(SELL), SELL, "0xcd", STOCK, 0, NOW_S, locked, False, "cmd_2")
    put(orders, an_order(), sell)
    assert orders.get(INSTANCE, an_order().order_id) == an_order()
    found = orders.get(INSTANCE, sell.order_id)
    assert found == sell
    assert found.written_by == "cmd_2"
    assert orders.get(INSTANCE, "nothing") is None
    assert orders.get("inst_other", sell.order_id) is None


def test_many_orders_are_read_at_once(quick: SignedOrders) -> None:
    stored = [an_order(nonce) for nonce in range(130)]
    put(quick, *stored)
    ids = [one.order_id for one in stored]
    assert quick.get_many(INSTANCE, [*ids, ids[0], "nothing"]) == {one.order_id: one for one in stored}


def test_an_order_and_its_nonce_are_stored_once(orders: SignedOrders) -> None:
    put(orders, an_order())
    with pytest.raises(TransactionRefused):
        put(orders, an_order())
    twin = replace(an_order(), order_hash="0x" + "7" * 64)
    with pytest.raises(TransactionRefused) as refused:
        put(orders, twin)
    assert refused.value.refused[1] is not None, "the row of the nonce is told"
    with pytest.raises(TransactionRefused):
        put(orders, replace(an_order(2), order_hash=an_order().order_hash))
    assert orders.get(INSTANCE, an_order().order_id) == an_order()
    assert orders.get(INSTANCE, twin.order_id) is None
    assert orders.order_of_nonce(INSTANCE, MAKER.upper().replace("X", "x"), 1) == (
        an_order().order_id,
        an_order().order_hash,
    )
    assert orders.order_of_nonce(INSTANCE, OTHER, 1) is None


def test_a_makers_orders_are_listed_by_nonce(orders: SignedOrders) -> None:
    """Nonces have up to 19 digits."""
    put(orders, *(an_order(nonce) for nonce in (9, 10, 2**63 - 1, 100)))
    assert [one.order.nonce for one in orders.orders_of_maker(INSTANCE, MAKER)] == [9, 10, 100, 2**63 - 1]


HIGHEST = 2**63 - 1


@pytest.mark.parametrize(
    ("used", "following"),
    [
        ([], 1),
        ([0], 1),
        ([1], 2),
        ([9, 10, 100], 101),
        ([HIGHEST - 1], HIGHEST),
        ([HIGHEST], 1),
        ([9, HIGHEST], 10),
        ([HIGHEST - 1, HIGHEST], 1),
        ([2**62 - 1, HIGHEST], 1),
        ([2**62, HIGHEST], 1),
        ([2**62 - 2, HIGHEST], 2**62 - 1),
        ([2**power - 1 for power in range(64)], 2),
        ([*(2**power - 1 for power in range(64)), 2, 4, 5], 6),
    ],
)
def test_the_next_nonce_is_one_that_can_be_used(quick: SignedOrders, used: list[int], following: int) -> None:
    """K17: one more than the highest; where there is none above it, of those in the lower half, and so on."""
    put(quick, *(an_order(nonce) for nonce in used))
    assert quick.next_nonce(INSTANCE, MAKER.lower()) == following
    assert quick.next_nonce("inst_other", MAKER) == 1


def test_an_order_is_written_only_from_what_was_read(orders: SignedOrders) -> None:
    before = an_order()
    put(orders, before)
    after = replace(before, state=replace(before.state, status=Status.SUSPENDED, version=1))
    orders._database.transact([orders.step(before, after)])
    assert orders.get(INSTANCE, before.order_id) == after
    for stale in (before, replace(after, state=replace(after.state, status=Status.PENDING))):
        with pytest.raises(TransactionRefused) as refused:
            orders._database.transact([orders.step(stale, before)])
        told = refused.value.refused[0]
        assert told is not None
        assert told["version"] == 1
    assert orders.get(INSTANCE, before.order_id) == after


def test_a_taker_sees_what_it_has_locked_until_it_is_hidden(orders: SignedOrders) -> None:
    stored = an_order()
    lock = Lock(TAKER, NOW_S, NOW_S + 60)
    locked = replace(stored, state=replace(stored.state, status=Status.LOCKED, lock=lock))
    orders._database.transact([orders.show_locked(locked, SHOUTED, "R1")])
    (seen,) = orders.locked_seen(INSTANCE, TAKER)
    assert (seen.order_id, seen.order_hash, seen.created_at_s) == (stored.order_id, stored.order_hash, NOW_S)
    assert (seen.ticker, seen.exchange, seen.is_buy, seen.price) == ("AAPL", 0, True, BUY.price)
    assert (seen.reference_id, seen.tx_hash, seen.is_filled, seen.lock_expires_at_s) == ("R1", None, False, NOW_S + 60)
    assert not orders.has_filled(INSTANCE, TAKER, stored)
    assert list(orders.locked_seen(INSTANCE, OTHER)) == []
    for _ in range(2):
        orders._database.transact([orders.hide_locked(stored, TAKER)])
        assert list(orders.locked_seen(INSTANCE, TAKER)) == []


def test_a_takers_first_fill_of_an_order_makes_it_seen_for_good(orders: SignedOrders) -> None:
    stored = an_order()
    lock = Lock(TAKER, NOW_S, NOW_S + 60)
    locked = replace(stored, state=replace(stored.state, status=Status.LOCKED, lock=lock))
    orders._database.transact([orders.show_locked(locked, TAKER, "L")])
    first, second = a_fill(stored, "r1", tx_hash="0x1"), a_fill(stored, "r2", NOW_S + 1)
    orders._database.transact(orders.record_fill(stored, first, is_first=True))
    assert (list(orders.locked_seen(INSTANCE, TAKER)), orders.counts(INSTANCE, SHOUTED)) == ([], Counts(1, 1))
    orders._database.transact(orders.record_fill(stored, second, is_first=False))
    assert orders.counts(INSTANCE, TAKER) == Counts(1, 2)
    (seen,) = orders.filled_seen(INSTANCE, SHOUTED)
    assert (seen.reference_id, seen.tx_hash, seen.is_filled, seen.lock_expires_at_s) == ("r2", "0x1", True, None)
    assert orders.has_filled(INSTANCE, SHOUTED, stored)
    orders._database.transact([orders.note_reference(stored, TAKER, "r3")])
    assert next(orders.filled_seen(INSTANCE, TAKER)).reference_id == "r3"
    assert orders.fill(INSTANCE, stored.order_id, "r1") == first
    assert orders.fill(INSTANCE, stored.order_id, "r9") is None
    assert list(orders.fills_of(INSTANCE, stored.order_id)) == [first, second]
    assert list(orders.fills_of_taker(INSTANCE, TAKER)) == [second, first]


def test_a_taker_finds_an_order_among_its_unfinished_ones_until_that_ends(orders: SignedOrders) -> None:
    stored = an_order().with_unfinished_taker(SHOUTED)
    orders._database.transact([*orders.creation(stored), orders.show_unfinished(stored, SHOUTED)])
    (seen,) = orders.unfinished_seen(INSTANCE, TAKER)
    assert (seen.order_id, seen.order_hash, seen.created_at_s) == (stored.order_id, stored.order_hash, NOW_S)
    assert (seen.ticker, seen.exchange, seen.is_buy, seen.price) == ("AAPL", 0, True, BUY.price)
    assert (seen.reference_id, seen.tx_hash, seen.is_filled, seen.lock_expires_at_s) == (None, None, True, None)
    assert list(orders.unfinished_seen(INSTANCE, OTHER)) == []
    found = orders.get(INSTANCE, stored.order_id)
    assert found == stored
    for _ in range(2):
        orders._database.transact(orders.hide_unfinished(found))
        assert list(orders.unfinished_seen(INSTANCE, TAKER)) == []


def test_unfinished_orders_are_found_by_when_they_were_created(quick: SignedOrders) -> None:
    stored = [an_order(nonce, NOW_S + nonce) for nonce in range(1, 5)]
    quick._database.transact([quick.show_unfinished(one, TAKER) for one in stored])
    newest_first = quick.unfinished_seen(INSTANCE, TAKER, page_rows=2)
    assert [seen.created_at_s - NOW_S for seen in newest_first] == [4, 3, 2, 1]
    within = quick.unfinished_seen(INSTANCE, TAKER, from_s=NOW_S + 2, to_s=NOW_S + 3)
    assert [seen.created_at_s - NOW_S for seen in within] == [3, 2]


def test_what_a_taker_sees_of_some_of_the_orders_that_it_has_filled(quick: SignedOrders) -> None:
    filled, other = an_order(1), an_order(2)
    quick._database.transact(quick.record_fill(filled, a_fill(filled, "r1", tx_hash="0x1"), is_first=True))
    found = quick.seen_filled(INSTANCE, SHOUTED, [filled, other])
    assert {key: (seen.reference_id, seen.tx_hash) for key, seen in found.items()} == {filled.order_hash: ("r1", "0x1")}
    assert quick.seen_filled(INSTANCE, SHOUTED, []) == {}


def test_an_order_names_fifty_takers_at_most() -> None:
    stored = an_order()
    for number in range(60):
        stored = stored.with_unfinished_taker(f"0x{number:040X}")
    assert stored.unfinished_takers == tuple(f"0x{number:040x}" for number in range(50))


def test_a_reference_is_one_fill(orders: SignedOrders) -> None:
    stored, fill = an_order(), a_fill(an_order(), "r1")
    orders._database.transact(orders.record_fill(stored, fill, is_first=True))
    with pytest.raises(TransactionRefused) as refused:
        orders._database.transact(orders.record_fill(stored, replace(fill, quantity=2), is_first=False))
    assert refused.value.refused[0] is not None, "the row of the fill is told"
    assert (orders.fill(INSTANCE, stored.order_id, "r1"), orders.counts(INSTANCE, TAKER)) == (fill, Counts(1, 1))


def test_a_first_fill_is_counted_once(orders: SignedOrders) -> None:
    stored = an_order()
    orders._database.transact(orders.record_fill(stored, a_fill(stored, "r1"), is_first=True))
    with pytest.raises(TransactionRefused):
        orders._database.transact(orders.record_fill(stored, a_fill(stored, "r2"), is_first=True))
    assert orders.counts(INSTANCE, TAKER) == Counts(1, 1)


def test_a_further_fill_needs_a_first_one(orders: SignedOrders) -> None:
    with pytest.raises(TransactionRefused):
        orders._database.transact(orders.record_fill(an_order(), a_fill(an_order(), "r1"), is_first=False))
    assert orders.counts(INSTANCE, TAKER) == Counts(0, 0)


def test_a_reference_is_noted_only_on_a_filled_order(orders: SignedOrders) -> None:
    with pytest.raises(TransactionRefused):
        orders._database.transact([orders.note_reference(an_order(), TAKER, "r1")])
    assert list(orders.filled_seen(INSTANCE, TAKER)) == []


@pytest.mark.parametrize("page_rows", [1, 2, 100])
def test_a_takers_lists_go_both_ways_and_include_both_ends_of_the_span(quick: SignedOrders, page_rows: int) -> None:
    at = [NOW_S + step for step in (0, 5, 5, 9)]
    stored = [an_order(nonce, created) for nonce, created in enumerate(at, 1)]
    for one in stored:
        quick._database.transact(quick.record_fill(one, a_fill(one, "r", one.created_at_s), is_first=True))

    def found(**span: int) -> list[int]:
        rows = list(quick.filled_seen(INSTANCE, TAKER, newest_first=False, page_rows=page_rows, **span))
        assert list(quick.filled_seen(INSTANCE, TAKER, page_rows=page_rows, **span)) == rows[::-1]
        fills = quick.fills_of_taker(INSTANCE, TAKER, newest_first=False, page_rows=page_rows, **span)
        assert [fill.created_at_s for fill in fills] == [row.created_at_s for row in rows]
        return [row.created_at_s - NOW_S for row in rows]

    assert found() == [0, 5, 5, 9]
    assert found(from_s=NOW_S + 5) == [5, 5, 9]
    assert found(to_s=NOW_S + 5) == [0, 5, 5]
    assert found(from_s=NOW_S + 1, to_s=NOW_S + 8) == [5, 5]
    assert found(from_s=NOW_S + 6, to_s=NOW_S + 5) == []
    hashes = [row.order_hash for row in quick.filled_seen(INSTANCE, TAKER, from_s=NOW_S + 5, to_s=NOW_S + 5)]
    assert hashes == sorted(hashes, reverse=True), "ties are ordered by hash"


def test_open_orders_are_found_oldest_first_while_they_are_open(orders: SignedOrders) -> None:
    stored = [an_order(nonce, NOW_S - nonce) for nonce in range(1, 5)]
    others = an_order(9, instance="inst_other")
    put(orders, *stored, others)
    assert list(orders.open_orders(INSTANCE)) == stored[::-1]
    closed = replace(stored[0], state=replace(stored[0].state, status=Status.CANCELLED, hold=NOTHING, version=1))
    halted = replace(stored[1], state=replace(stored[1].state, status=Status.SUSPENDED, version=1))
    orders._database.transact([orders.step(stored[0], closed), orders.step(stored[1], halted)])
    assert list(orders.open_orders(INSTANCE)) == [stored[3], stored[2]]
    assert orders.get(INSTANCE, closed.order_id) == closed


def test_lapsing_orders_are_found_by_when_their_lock_or_deadline_ends_in_every_shard(orders: SignedOrders) -> None:
    lock = Lock(TAKER, NOW_S, NOW_S + 50)
    stored = []
    for nonce in range(40):
        order = replace(BUY, nonce=nonce, deadline=NOW_S + 100 + nonce)
        state = State(Status.PENDING, order.hold(18), NOW_S)
        if nonce % 2:
            state = replace(state, status=Status.LOCKED, lock=lock)
        stored.append(StoredOrder(INSTANCE, hash_of(order), order, "0x", STOCK, 18, NOW_S, state, True, "cmd"))
    put(orders, *stored)
    shards = {row["lapse_shard"] for row in orders._database.scan(TABLE) if "lapse_shard" in row}
    assert shards == set("01234567")
    assert list(orders.lapsing(NOW_S + 49)) == []
    assert {row["nonce"] for row in orders.lapsing(NOW_S + 50)} == set(range(1, 40, 2))
    found = [row["nonce"] for row in orders.lapsing(NOW_S + 110)]
    assert sorted(found[:20]) == list(range(1, 40, 2)), "the first to end come first"
    assert found[20:] == [0, 2, 4, 6, 8, 10]


def test_what_an_index_names_is_read_again(quick: SignedOrders) -> None:
    """An index may trail the table: here an order is suspended after the index has named it."""
    put(quick, an_order())
    halted = replace(an_order(), state=replace(an_order().state, status=Status.SUSPENDED, version=1))

    def trail(operation: str, call: Callable[[], Any]) -> Any:
        if operation == "batch_get_item":
            quick._database.transact([quick.step(an_order(), halted)])
        return call()

    client: Any = WatchedClient(quick._database._client, trail)
    assert list(SignedOrders(Database(client, quick._database._prefix)).open_orders(INSTANCE)) == [halted]
