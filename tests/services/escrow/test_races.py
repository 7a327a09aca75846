"""Commands at the same time on the embedded engine: money moves once, and who comes too late is told why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from chalicelib.domain.escrow.commands import Cancel, CreateCustomer, Deposit, OpenPayin, Reimburse
from chalicelib.domain.escrow.faults import Forbidden, Invalid
from chalicelib.domain.escrow.lifecycle import Status
from chalicelib.domain.escrow.order import Merchant, Order
from chalicelib.domain.escrow.payments import PayinStatus, PayinType
from chalicelib.domain.escrow.settings import MERCHANTS_MAX, TooManyMerchants
from chalicelib.services.escrow.desk import EscrowDesk, Swept
from chalicelib.support.outcomes import Unavailable
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.escrow_settings import EscrowDesks
from tests.services.books.test_races import at_once
from tests.services.escrow.world import INSTANCE, EscrowWorld, check_all, eur

THREADS = 6


@pytest.fixture
def world(embedded_database: Database) -> EscrowWorld:
    world = EscrowWorld(embedded_database)
    world.deposit(200)
    world.desk = EscrowDesk(embedded_database, lambda: world.now_s)  # which waits between its tries
    return world


def outcomes(jobs: list[Callable[[], object]]) -> list[object]:
    """Run the jobs at once; return what each gave, or the refusal that it was told."""

    def run(job: Callable[[], object]) -> object:
        try:
            return job()
        except (Forbidden, Invalid) as refusal:
            return refusal

    return at_once([partial(run, job) for job in jobs])


def texts(found: list[object]) -> set[str]:
    return {str(one) for one in found if isinstance(one, Forbidden)}


def test_an_order_that_is_paid_many_times_at_once_is_paid_once(world: EscrowWorld) -> None:
    order = world.order(30)
    found = outcomes([lambda: world.pay(order)] * THREADS)
    assert sum(not isinstance(one, Forbidden) for one in found) == 1
    assert texts(found) == {"The order cannot be paid while its status is PUBLISHED."}
    assert (world.now(order).hold, world.now(order).payins) == (eur(30), 1)
    assert world.funds(world.buyer) == (eur(170), eur(30))
    check_all(world)


def test_merchants_that_are_made_at_once_are_no_more_than_there_may_be(world: EscrowWorld) -> None:
    desks = EscrowDesks(world.database)
    for number in range(MERCHANTS_MAX - 3):
        desks.create_merchant(replace(world.merchant, merchant=f"m{number}"), [])

    def make(name: str) -> object:
        try:
            return world.desk.create_merchant(INSTANCE, name, "EUR")
        except (TooManyMerchants, Unavailable) as refusal:  # those whose turn never came may try again
            return refusal

    found = at_once([partial(make, f"at-once-{number}") for number in range(THREADS)])
    made = sum(isinstance(one, Merchant) for one in found)
    assert 0 < made <= 2
    assert len(desks.merchants(INSTANCE)) == MERCHANTS_MAX - 2 + made


def test_orders_that_one_wallet_pays_at_once_hold_no_more_than_it_has(world: EscrowWorld) -> None:
    """E16: whoever finds the funds gone is denied."""
    orders = [world.order(60) for _ in range(THREADS)]
    found = outcomes([partial(world.pay, order) for order in orders])
    statuses = [one.status for one in found]  # type: ignore[attr-defined]
    assert (statuses.count(PayinStatus.CONFIRMED), statuses.count(PayinStatus.DENIED)) == (3, 3)
    assert sorted(world.now(order).status for order in orders) == [Status.FAILURE] * 3 + [Status.PUBLISHED] * 3
    assert world.funds(world.buyer) == (eur(20), eur(180))
    check_all(world)


def test_bank_money_that_is_confirmed_many_times_at_once_comes_in_once(world: EscrowWorld) -> None:
    order = world.order(30)
    payin = world.bankwire(order)
    found = outcomes([lambda: world.desk.confirm_payin(world.scope, payin.payin_id, eur(30))] * THREADS)
    assert sum(not isinstance(one, Forbidden) for one in found) == 1
    assert texts(found) == {"The payin cannot be confirmed while its status is CONFIRMED."}
    assert world.funds(world.buyer) == (eur(200), eur(30))
    check_all(world)


def test_a_payin_of_another_kind_at_once_leaves_one_hold(world: EscrowWorld) -> None:
    """A bank-wire payin is confirmed while the wallet pays: whoever is second is refused, and its money stays."""
    order = world.order(30)
    payin = world.bankwire(order)
    found = outcomes([lambda: world.desk.confirm_payin(world.scope, payin.payin_id, eur(30)), lambda: world.pay(order)])
    assert sum(isinstance(one, Forbidden) for one in found) == 1
    assert world.now(order).hold == world.funds(world.buyer)[1] == eur(30)
    check_all(world)


def waiting(world: EscrowWorld, value: int = 100) -> Order:
    """Return an order that is due for release, the sweep not having been there yet."""
    order = world.paid(value)
    world.set_delay(60)
    order = world.desk.validate(world.scope, order.order_id, auto_accept=True)
    world.now_s += 60
    return order


def test_an_order_that_is_released_many_times_at_once_is_released_once(world: EscrowWorld) -> None:
    order = waiting(world)
    found = outcomes([world.desk.sweep] * (THREADS - 2) + [lambda: world.desk.release(world.scope, order.order_id)] * 2)
    released = sum(one.released if isinstance(one, Swept) else one is not None for one in found)
    failed = sum(one.failed for one in found if isinstance(one, Swept))
    assert (released, failed, world.now(order).status) == (1, 0, Status.RELEASED)
    assert (world.funds(world.buyer), world.funds(world.seller)) == ((eur(200), 0), (eur(100), 0))
    check_all(world)


def test_of_a_cancel_and_a_release_at_once_exactly_one_wins(world: EscrowWorld) -> None:
    orders = [waiting(world, 10) for _ in range(4)]
    for order in orders:
        cancelled, released = outcomes(
            [
                partial(world.desk.cancel, world.scope, order.order_id, Cancel()),
                partial(world.desk.release, world.scope, order.order_id),
            ]
        )
        status = world.now(order).status
        if status is Status.RELEASED:
            assert str(cancelled) == "The order cannot be cancelled while its status is RELEASED."
        else:
            assert (status, released) == (Status.CANCELLED, None)
    check_all(world)


def test_of_a_reimbursement_and_a_validation_at_once_each_moves_what_the_other_leaves(world: EscrowWorld) -> None:
    for _ in range(4):
        order = world.paid(100)
        world.desk.accept(world.scope, order.order_id)
        before = world.funds(world.buyer)[0]
        reimbursed, validated = outcomes(
            [
                partial(world.desk.reimburse, world.scope, order.order_id, Reimburse(eur(40))),
                partial(world.desk.validate, world.scope, order.order_id),
            ]
        )
        shown = world.now(order)
        assert (shown.status, shown.hold) == (Status.RELEASED, 0)
        assert not isinstance(validated, Forbidden)
        assert shown.released is not None
        given_back = world.funds(world.buyer)[0] - before
        assert given_back == (0 if isinstance(reimbursed, Forbidden) else eur(40))
        assert shown.released.paid == eur(100) - given_back
    check_all(world)


def test_reimbursements_at_once_give_back_no_more_than_was_paid(world: EscrowWorld) -> None:
    order = world.paid(100)
    reject = world.desk.reject(world.scope, order.order_id)
    ask = partial(world.desk.reimburse, world.scope, reject.order_id, Reimburse(eur(30)))
    found = outcomes([ask] * 5)
    assert sum(isinstance(one, Invalid) for one in found) == 2
    assert (world.now(order).hold, world.now(order).refunds) == (eur(10), 3)
    assert world.funds(world.buyer) == (eur(290), eur(10))
    check_all(world)


def test_one_email_that_comes_many_times_at_once_is_one_customer(world: EscrowWorld) -> None:
    """E18"""
    ask = partial(world.desk.create_customer, world.scope, CreateCustomer(email="new@x.test"))
    found = outcomes([ask] * THREADS)
    assert len({one.customer_id for one in found}) == 1  # type: ignore[attr-defined]
    assert world.escrows.counts(world.scope).customers == 3
    assert len(list(world.escrows.customers(world.scope))) == 3


def test_orders_that_are_made_at_once_are_counted_and_in_order(world: EscrowWorld) -> None:
    """Ids are each one's own, the total is exact, and creation times never go back by id, whatever each clock says."""

    def create(number: int) -> object:
        desk = EscrowDesk(world.database, lambda: world.now_s + number % 3)
        other = world.over(world.database)
        other.desk = desk
        return other.order(number)

    at_once([partial(create, number) for number in range(THREADS)])
    orders = list(world.escrows.orders(world.scope))
    assert [order.order_id for order in orders] == list(range(THREADS, 0, -1))
    times = [order.created_at_s for order in orders]
    assert times == sorted(times, reverse=True)
    assert world.escrows.counts(world.scope).orders == THREADS


def test_one_deposit_that_comes_many_times_at_once_is_one(world: EscrowWorld) -> None:
    (wallet, _) = world.escrows.wallets_of(world.buyer)
    ask = partial(world.desk.deposit, world.scope, wallet.uuid, Deposit(eur(7), "again"))
    assert outcomes([ask] * THREADS) == [wallet] * THREADS
    assert world.funds(world.buyer) == (eur(207), 0)
    check_all(world)


def test_a_bank_wire_payin_that_is_replaced_at_once_is_not_confirmed(world: EscrowWorld) -> None:
    order = world.order(30)
    first = world.bankwire(order)
    request = OpenPayin(order.order_id, PayinType.BANKWIRE)
    confirmed, opened = outcomes(
        [
            partial(world.desk.confirm_payin, world.scope, first.payin_id, eur(30)),
            partial(world.desk.open_payin, world.scope, request),
        ]
    )
    assert [isinstance(one, Forbidden) for one in (confirmed, opened)].count(True) == 1
    assert world.funds(world.buyer)[1] == world.now(order).hold
    check_all(world)
