"""Takers, makers and the sweep at the same moment on one signed order, on the embedded engine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from chalicelib.domain.signed.faults import DeskBusy, InsufficientFunds, NonceUsed, OrderNotFound, StateForbids
from chalicelib.domain.signed.lifecycle import Status
from chalicelib.domain.signed.stored import Counts, Fill, StoredOrder
from chalicelib.ops.verify.verifier import Verifier
from chalicelib.services.signed.desk import SignedOrderDesk
from chalicelib.support.outcomes import Unavailable
from chalicelib.tables.dynamodb import Database
from tests.services.books.test_races import at_once
from tests.services.signed.market import (
    BUY,
    FUNDS,
    INSTANCE,
    MAKER,
    NOW_S,
    OTHER,
    PRINCIPAL,
    QUOTE,
    SELL,
    STOCK,
    TAKER,
    UNIT,
    Market,
    open_market,
)

BUSY = (DeskBusy, Unavailable)
"""What a command may be told that others kept overtaking; it has changed nothing then."""


@pytest.fixture
def market(embedded_database: Database) -> Market:
    """A market whose desk waits between its tries, as in life."""
    market = open_market(embedded_database, fee_bps=25)
    market.desk = SignedOrderDesk(embedded_database, lambda: market.now_s)
    return market


def told(*refusals: type[Exception]) -> Callable[[Callable[[], object]], Callable[[], object]]:
    """Return what makes a command return its refusal, of one of these classes, instead of raising it."""

    def telling(command: Callable[[], object]) -> Callable[[], object]:
        def run() -> object:
            try:
                return command()
            except refusals as refusal:
                return refusal

        return run

    return telling


def kinds(outcomes: list[object]) -> Counter[type]:
    return Counter(map(type, outcomes))


def proven(market: Market) -> None:
    """Assert that all rows agree, and that nothing was made or lost."""
    Verifier(market.database).verify(None)
    for asset in (QUOTE, STOCK):
        parts = [part for customer in (MAKER, TAKER, OTHER, PRINCIPAL) for part in market.funds(customer, asset)]
        assert sum(parts) + market.fees(asset) == 3 * FUNDS
        assert min(parts) >= 0


def test_of_twenty_takers_that_lock_an_order_at_once_one_has_it(market: Market) -> None:
    market.create()
    takers = [f"0x{number:040x}" for number in range(20)]
    outcomes = at_once([told(StateForbids, *BUSY)(lambda taker=taker: market.lock(taker=taker)) for taker in takers])  # type: ignore[misc]
    assert kinds(outcomes)[StoredOrder] == 1
    assert kinds(outcomes)[StateForbids] >= 10
    lock = market.stored().state.lock
    assert lock is not None
    assert [taker for taker in takers if market.seen(taker)["locked"]] == [lock.taker]
    assert market.stored().state.version == 1
    proven(market)


def test_ten_partial_fills_at_once_fill_no_more_than_there_is(market: Market) -> None:
    """Each of 1.5 of the 10: six fit."""
    market.create()
    market.lock()
    names = [f"r{number}" for number in range(10)]
    outcomes = at_once(
        [told(Exception)(lambda name=name: market.fill(3 * UNIT // 2, name)) for name in names]  # type: ignore[misc]
    )
    done = [outcome for outcome in outcomes if isinstance(outcome, Fill)]
    assert 1 <= len(done) <= 6
    assert market.stored().state.filled == 3 * UNIT // 2 * len(done)
    assert market.orders.counts(INSTANCE, TAKER) == Counts(1, len(done))
    for name in names:  # whoever gave up comes again
        told(Exception)(lambda name=name: market.fill(3 * UNIT // 2, name))()  # type: ignore[misc]
    assert market.stored().state.filled == 9 * UNIT
    proven(market)


def test_one_fill_sent_five_times_at_once_is_one_fill(market: Market) -> None:
    """K24"""
    market.create(SELL)
    market.lock(SELL)
    outcomes = at_once([told(*BUSY)(lambda: market.fill(UNIT, "once", SELL))] * 5)
    assert len(set(outcomes) - {outcome for outcome in outcomes if isinstance(outcome, BUSY)}) == 1
    assert market.stored(SELL).state.filled == UNIT
    assert market.orders.counts(INSTANCE, TAKER) == Counts(1, 1)
    proven(market)


@pytest.mark.parametrize("seed", range(4))
def test_a_fill_an_unlock_a_cancel_and_a_sweep_at_once_come_one_after_the_other(market: Market, seed: int) -> None:
    """The lock ends at this very second for half of the desks: their clocks differ."""
    market.create()
    market.lock(seconds=60)
    late = SignedOrderDesk(market.database, lambda: NOW_S + 60)
    jobs: list[Callable[[], object]] = [
        lambda: market.fill(10 * UNIT, "whole"),
        market.unlock,
        market.cancel,
        late.sweep,
        lambda: late.lock(INSTANCE, market.settings, market.stored().order_hash, OTHER, 60, None),
    ]
    jobs = jobs[seed:] + jobs[:seed]
    at_once([told(StateForbids, OrderNotFound, *BUSY)(job) for job in jobs])
    state = market.stored().state
    assert (state.filled == BUY.quantity) == (state.status is Status.FILLED)
    proven(market)


def test_a_makers_funds_are_held_once_however_many_orders_come_at_once(market: Market) -> None:
    """Funds for three orders of eight."""
    market.fund(PRINCIPAL, QUOTE, 3 * BUY.hold(18).quote + 1)
    orders = [replace(BUY, maker=PRINCIPAL, principal=PRINCIPAL, nonce=nonce) for nonce in range(8)]
    outcomes = at_once([told(InsufficientFunds, *BUSY)(lambda order=order: market.create(order)) for order in orders])  # type: ignore[misc]
    assert kinds(outcomes)[StoredOrder] <= 3
    assert market.funds(PRINCIPAL, QUOTE)[1] == kinds(outcomes)[StoredOrder] * BUY.hold(18).quote
    assert kinds(outcomes)[StoredOrder] == 3 or any(isinstance(outcome, BUSY) for outcome in outcomes)
    Verifier(market.database).verify(None)


def test_one_nonce_used_eight_times_at_once_is_one_order(market: Market) -> None:
    orders = [replace(BUY, price=BUY.price + number) for number in range(8)]
    outcomes = at_once([told(NonceUsed, *BUSY)(lambda order=order: market.create(order)) for order in orders])  # type: ignore[misc]
    assert kinds(outcomes)[StoredOrder] == 1
    (stored,) = market.orders.orders_of_maker(INSTANCE, MAKER)
    assert {outcome.order_hash for outcome in outcomes if isinstance(outcome, NonceUsed)} <= {stored.order_hash}
    assert market.funds(MAKER, QUOTE)[1] == stored.order.hold(18).quote
    proven(market)


def test_two_sweeps_at_once_write_each_lapse_once(market: Market) -> None:
    for nonce in range(6):
        market.create(replace(BUY, nonce=nonce, deadline=NOW_S + 10))
    market.now_s += 10
    written = at_once([market.desk.sweep] * 3)
    assert sum(written) == 6  # type: ignore[arg-type]
    assert {market.stored(replace(BUY, nonce=nonce, deadline=NOW_S + 10)).state.version for nonce in range(6)} == {1}
    proven(market)
