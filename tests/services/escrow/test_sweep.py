"""Releases that wait: when they are due, how many at a time, and what stands in their way."""

from __future__ import annotations

import pytest

from chalicelib.domain.escrow.commands import Cancel
from chalicelib.domain.escrow.lifecycle import Status
from chalicelib.domain.escrow.order import Order
from chalicelib.domain.ledger.owners import customer_key
from chalicelib.services.escrow.desk import Swept
from tests.services.escrow.world import INSTANCE, SANDBOX_EUR, EscrowWorld, check_all, eur

DELAY_S = 60


@pytest.fixture
def waiting(world: EscrowWorld) -> EscrowWorld:
    world.set_delay(DELAY_S)
    return world


def validated(world: EscrowWorld, value: int = 10) -> Order:
    order = world.paid(value)
    return world.desk.validate(world.scope, order.order_id, auto_accept=True)


def test_a_release_is_due_when_its_delay_is_over_and_not_before(waiting: EscrowWorld) -> None:
    """E22"""
    order = validated(waiting)
    waiting.now_s += DELAY_S - 1
    assert waiting.desk.sweep() == Swept(0, 0)
    assert waiting.desk.release(waiting.scope, order.order_id) is None
    waiting.now_s += 1
    assert waiting.desk.sweep() == Swept(1, 0)
    shown = waiting.now(order)
    assert (shown.status, shown.released_at_s) == (Status.RELEASED, order.validated_at_s + DELAY_S)  # type: ignore[operator]
    assert waiting.desk.sweep() == Swept(0, 0)
    check_all(waiting)


def test_a_blocked_release_waits_its_whole_delay_again(waiting: EscrowWorld) -> None:
    order = validated(waiting)
    waiting.now_s += DELAY_S - 1
    waiting.desk.block(waiting.scope, order.order_id)
    waiting.now_s += 2
    assert waiting.desk.sweep() == Swept(0, 0)
    shown = waiting.desk.unblock(waiting.scope, order.order_id)
    assert (shown.status, shown.validated_at_s) == (Status.PENDING_RELEASE, order.validated_at_s)
    waiting.now_s += DELAY_S - 1
    assert waiting.desk.sweep() == Swept(0, 0)
    waiting.now_s += 1
    assert waiting.desk.sweep() == Swept(1, 0)


def test_a_cancelled_release_does_not_happen(waiting: EscrowWorld) -> None:
    order = validated(waiting)
    waiting.desk.cancel(waiting.scope, order.order_id, Cancel())
    waiting.now_s += DELAY_S
    assert waiting.desk.sweep() == Swept(0, 0)
    assert waiting.funds(waiting.seller) == (0, 0)
    check_all(waiting)


def test_a_sweep_releases_all_that_is_due(waiting: EscrowWorld) -> None:
    orders = [validated(waiting, 1) for _ in range(21)]
    waiting.now_s += DELAY_S
    assert waiting.desk.sweep() == Swept(len(orders), 0)
    assert waiting.funds(waiting.seller) == (eur(21), 0)


def test_a_sweep_ends_with_its_time_and_the_next_one_goes_on_with_what_was_due_first(waiting: EscrowWorld) -> None:
    orders = []
    for _ in range(5):
        orders.append(validated(waiting, 1))
        waiting.now_s += 1
    waiting.now_s += DELAY_S
    for left in (3, 1, 0):
        time = iter([True, True, False])
        waiting.desk.sweep(lambda time=time: next(time))  # type: ignore[misc]
        released = [waiting.now(order).status is Status.RELEASED for order in orders]
        assert released == [True] * (5 - left) + [False] * left


def test_one_order_that_cannot_be_released_does_not_keep_the_others(waiting: EscrowWorld) -> None:
    """Its hold was edited by hand: the ledger has not what the order says."""
    broken, sound = validated(waiting, 10), validated(waiting, 10)
    row = waiting.database.get("escrows", {"owner": f"{INSTANCE}/escrow/sandbox/shop", "entry": "order/000000000001"})
    assert row is not None
    waiting.database.put_many("escrows", [row | {"hold": eur(1_000)}])
    waiting.now_s += DELAY_S
    assert waiting.desk.sweep() == Swept(1, 1)
    assert [waiting.now(order).status for order in (broken, sound)] == [Status.PENDING_RELEASE, Status.RELEASED]
    assert waiting.desk.sweep() == Swept(0, 0), "it is left alone for a while"
    waiting.now_s += 30
    assert waiting.desk.sweep() == Swept(0, 1)
    balance = waiting.accounts.balance(customer_key(INSTANCE, waiting.buyer.ref), SANDBOX_EUR.asset)
    assert (balance.available, balance.held) == (eur(200), eur(10))
