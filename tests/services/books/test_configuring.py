"""A book's settings change at the command's turn: pauses, closing, fees, versions that arrive swapped."""

from __future__ import annotations

import pytest

from chalicelib.domain.books.admission import Refusal, RefusalCode
from chalicelib.domain.books.vocabulary import BookStatus, CloseReason, OrderStatus
from chalicelib.services.books import matcher as matcher_module
from chalicelib.services.books.redrive import redrive
from tests.invariants import check_invariants
from tests.scenarios import CREDITED, FUNDS
from tests.world import BASE, World


def test_what_comes_after_a_pause_is_rejected_and_what_came_before_is_matched(world: World) -> None:
    """T23, T32: two were admitted before the pause; the turn of one comes after it."""
    world.placed("ann", "SELL", 10, 50)
    before = world.placed("ben", "BUY", 4, 50)
    after = world.placed("ben", "BUY", 4, 50)
    world.change_status(BookStatus.PAUSED)
    world.records[-2:] = reversed(world.records[-2:])
    assert world.deliver() == []
    assert world.order("ben", before).status is OrderStatus.FILLED
    row = world.order("ben", after)
    assert (row.status, row.reason, row.filled) == (OrderStatus.REJECTED, CloseReason.BOOK_INACTIVE, 0)
    refused = world.place("ben", "BUY", 4, 50)
    assert isinstance(refused, Refusal)
    assert refused.code is RefusalCode.ORDER_BOOK_INACTIVE
    world.change_status(BookStatus.ACTIVE)
    assert world.deliver() == []
    resumed = world.placed("ben", "BUY", 6, 50)
    assert world.deliver() == []
    assert world.order("ben", resumed).status is OrderStatus.FILLED
    check_invariants(world, CREDITED)


def test_a_closed_book_cancels_what_rests_and_stays_closed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """T32"""
    monkeypatch.setattr(matcher_module, "EVENTS_PER_ENTRY_GROUP", 2)
    resting = [world.placed("ann", "SELL", 10, price) for price in range(50, 55)]
    world.change_status(BookStatus.CLOSED)
    reopened = world.change(status=BookStatus.ACTIVE)
    assert isinstance(reopened, Refusal)
    assert reopened.code is RefusalCode.INVALID_CONFIG
    assert world.deliver() == []
    assert {world.order("ann", each).reason for each in resting} == {CloseReason.BOOK_CLOSED}
    assert world.balance("ann", BASE) == (FUNDS, 0)
    config = world.books.config(world.book)
    assert config is not None
    assert config.status is BookStatus.CLOSED
    once = world.tables()
    assert world.deliver() == []
    assert world.tables() == once
    check_invariants(world, CREDITED)


def test_of_two_changes_that_arrive_swapped_the_later_version_counts(world: World) -> None:
    """T33: both have their one outcome in the journal."""
    world.change(maker_fee_bps=10)
    world.change(maker_fee_bps=20)
    assert world.deliver(records=world.records[1:]) == []
    assert world.deliver(records=world.records[:1]) == []
    assert world.folded().book.terms.maker_fee_bps == 20
    assert world.views.of(world.book).version == 2
    check_invariants(world, CREDITED)
    assert world.deliver() == []
    check_invariants(world, CREDITED)


def test_a_change_that_a_redrive_brings_back_late_undoes_nothing(world: World) -> None:
    world.change(status=BookStatus.PAUSED)
    world.change(status=BookStatus.ACTIVE)
    assert world.deliver(records=world.records[1:]) == []
    redrive(world.database, world.matcher(), world.book)
    assert world.folded().book.status is BookStatus.ACTIVE
    check_invariants(world, CREDITED)
