"""Cancels and cancel-alls close what came before them, once, in whatever order the stream brings them."""

from __future__ import annotations

import pytest

from chalicelib.domain.books.vocabulary import CloseReason, OrderStatus
from chalicelib.services.books import matcher as matcher_module
from chalicelib.services.books.redrive import redrive
from tests.invariants import check_invariants
from tests.scenarios import CREDITED, FUNDS
from tests.world import BASE, QUOTE, World


def test_two_cancels_of_an_order_are_one_command_with_one_outcome(world: World) -> None:
    """T29: the second request joins the first one's. T70: also while the order waits for its turn."""
    orders = [world.placed("ann", "BUY", 10, 50)]
    world.deliver()
    orders.append(world.placed("ann", "BUY", 10, 49))
    for order in orders * 2:
        assert world.cancel("ann", order)
        assert not world.cancel("ben", order)
    assert [row["order_id"] for row in world.inbox_rows() if row["kind"] == "cancel"] == orders
    assert world.deliver() == []
    assert {world.order("ann", order).reason for order in orders} == {CloseReason.USER_CANCELLED}
    assert not world.cancel("ann", orders[0])
    check_invariants(world, CREDITED)


def test_a_cancelled_order_gets_its_hold_back_and_keeps_what_was_filled(world: World) -> None:
    """T29"""
    order = world.placed("ann", "BUY", 10, 50)
    world.placed("ben", "SELL", 4, 50)
    assert world.cancel("ann", order)
    assert world.deliver() == []
    row = world.order("ann", order)
    assert (row.status, row.reason, row.filled) == (OrderStatus.CANCELLED, CloseReason.USER_CANCELLED, 4)
    assert world.balance("ann", QUOTE) == (FUNDS - 200, 0)
    assert world.cancel("ann", order) is False
    check_invariants(world, CREDITED)


def test_a_cancel_that_comes_after_the_fill_is_refused_once(world: World) -> None:
    order = world.placed("ann", "BUY", 10, 50)
    world.placed("ben", "SELL", 10, 50)
    assert world.cancel("ann", order)
    for _ in range(2):
        assert world.deliver() == []
        assert world.deliver(records=world.records[2:]) == []
    row = world.order("ann", order)
    assert (row.status, row.cancel_refused) == (OrderStatus.FILLED, True)
    check_invariants(world, CREDITED)


def test_a_cancel_that_comes_without_its_order_finds_it_by_its_row(world: World) -> None:
    """A shard split lets the cancel overtake its order by a whole batch: the order has its turn before all the same."""
    order = world.placed("ann", "BUY", 10, 50)
    world.cancel("ann", order)
    placing, cancelling = world.records
    assert world.deliver(records=[cancelling]) == []
    assert world.order("ann", order).reason is CloseReason.USER_CANCELLED
    assert world.deliver(records=[placing]) == []
    assert world.deliver(records=[cancelling]) == []
    check_invariants(world, CREDITED)


def test_a_cancel_all_closes_what_came_before_it_group_by_group_and_nothing_after(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """O9"""
    monkeypatch.setattr(matcher_module, "EVENTS_PER_ENTRY_GROUP", 4)
    before = [world.placed("ann", "SELL", 10, 50 + number) for number in range(9)]
    before.append(world.placed("ann", "BUY", 10, 40))
    other = world.placed("cat", "SELL", 10, 70)
    world.cancel_all("ann")
    after = world.placed("ann", "SELL", 10, 60)
    world.placed("ben", "BUY", 10, 55)
    assert world.deliver() == []
    rows = [world.order("ann", order) for order in before]
    assert {(row.status, row.reason) for row in rows} == {(OrderStatus.CANCELLED, CloseReason.CANCEL_ALL)}
    assert [world.order(*one).status for one in (("ann", after), ("cat", other))] == [OrderStatus.OPEN] * 2
    assert world.balance("ann", BASE) == (FUNDS - 10, 10)
    ((decided, ended, closed),) = world.cancel_alls()
    assert closed == 10
    assert decided is not None
    assert ended is not None
    assert ended > decided, "ten orders need more than one group of four"
    check_invariants(world, CREDITED)


def test_a_cancel_all_that_comes_again_closes_nothing_that_came_after_it(world: World) -> None:
    """By the stream, from the inbox, by a matcher that remembers nothing, after its row has gone."""
    world.placed("ann", "SELL", 10, 50)
    world.cancel_all("ann")
    world.placed("ann", "SELL", 10, 60)
    assert world.deliver() == []
    once = world.tables()
    assert world.deliver() == []
    assert world.deliver(records=world.records[1:2]) == []
    assert redrive(world.database, world.matcher(), world.book) == 0
    assert world.tables() == once
    (row,) = (row for row in world.inbox_rows() if row["kind"] == "cancel_all")
    world.database.delete_many("inbox", [{"book": row["book"], "command": row["command"]}])
    assert world.deliver(records=world.records[1:2]) == []
    assert world.balance("ann", BASE) == (FUNDS - 10, 10)


def test_a_cancel_all_that_a_redrive_brought_in_is_not_done_again_when_the_stream_brings_it_late(world: World) -> None:
    world.placed("ann", "SELL", 10, 50)
    world.cancel_all("ann")
    assert redrive(world.database, world.matcher(), world.book) == 2
    late = world.placed("ann", "SELL", 10, 60)
    assert world.deliver() == []
    assert world.order("ann", late).status is OrderStatus.OPEN
    assert world.cancel_alls()[0][2] == 1
    check_invariants(world, CREDITED)


def test_a_cancel_that_meets_an_order_of_a_cancel_all_is_refused(world: World) -> None:
    order = world.placed("ann", "SELL", 10, 50)
    world.cancel_all("ann")
    assert world.cancel("ann", order)
    assert world.deliver() == []
    row = world.order("ann", order)
    assert (row.reason, row.cancel_refused) == (CloseReason.CANCEL_ALL, True)
    check_invariants(world, CREDITED)
