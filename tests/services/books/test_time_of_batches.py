"""What is decided together has one time, and time does not go back in a book (R24)."""

from __future__ import annotations

from itertools import count

import pytest

from chalicelib.domain.books.vocabulary import OrderStatus
from chalicelib.services.books import matcher as matcher_module
from chalicelib.services.books.matcher import Matcher
from tests.invariants import check_invariants
from tests.scenarios import CREDITED
from tests.world import World


def test_what_is_committed_together_has_the_time_at_which_it_was_decided(world: World) -> None:
    """R24: while it is decided the clock goes on, past the time of an order that has traded."""
    expires_at_ms = world.now_ms + 1_000
    ask = world.placed("ann", "SELL", 10, 50, expires_at_ms=expires_at_ms)
    world.deliver()
    world.placed("ben", "BUY", 10, 50)
    clock = count(expires_at_ms - 1)
    assert world.deliver(Matcher(world.database, lambda: next(clock)), world.records[1:]) == []
    assert world.order("ann", ask).status is OrderStatus.FILLED
    assert world.folded().head.at_ms == expires_at_ms - 1
    check_invariants(world, CREDITED)


def test_a_clock_that_is_behind_the_journal_brings_no_order_back(world: World) -> None:
    """R24: another matcher's clock was ahead; time does not go back in a book."""
    ask = world.placed("ann", "SELL", 10, 50, expires_at_ms=world.now_ms + 1_000)
    world.placed("ben", "BUY", 1, 10)
    ahead = Matcher(world.database, lambda: world.now_ms + 1_000)
    assert world.deliver(ahead) == []
    assert world.order("ann", ask).status is OrderStatus.EXPIRED
    late = world.placed("ann", "SELL", 10, 10, expires_at_ms=world.now_ms + 999)
    assert world.deliver(records=world.records[2:]) == []
    assert world.order("ann", late).status is OrderStatus.EXPIRED
    check_invariants(world, CREDITED)


def test_more_orders_than_an_entry_holds_expire_in_many(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """R24: all of them before the next order has its turn."""
    monkeypatch.setattr(matcher_module, "EVENTS_PER_ENTRY_GROUP", 3)
    asks = [world.placed("ann", "SELL", 1, 50, expires_at_ms=world.now_ms + 5) for _ in range(10)]
    world.deliver()
    entries = world.folded().head.sequence
    world.now_ms += 5
    bid = world.placed("ben", "BUY", 10, 50)
    assert world.deliver(records=world.records[-1:]) == []
    assert {world.order("ann", ask).status for ask in asks} == {OrderStatus.EXPIRED}
    assert world.order("ben", bid).filled == 0
    assert world.folded().head.sequence == entries + 4
    check_invariants(world, CREDITED)
