"""The money flows of the contract, each as it stands there: who has what after which step."""

from __future__ import annotations

import pytest

from chalicelib.domain.escrow.commands import Cancel, Reimburse
from chalicelib.domain.escrow.faults import Forbidden, Invalid
from chalicelib.domain.escrow.lifecycle import Status
from chalicelib.domain.escrow.order import Order, RefundStatus
from chalicelib.domain.escrow.payments import PayinStatus, PayoutStatus
from chalicelib.domain.ledger.owners import transactions_key
from chalicelib.domain.ledger.transactions import TransactionType
from chalicelib.domain.tenancy.instances import World
from chalicelib.services.books.statements import Selection, Statements
from chalicelib.tables.transactions import Transactions
from tests.services.escrow.world import INSTANCE, EscrowWorld, check_all, eur, fee, happened


def legs(world: EscrowWorld, order: Order) -> list[tuple[str, str | None, str | None, int]]:
    """Return the order's rows of the ledger, oldest first."""
    found = Transactions(world.database).newest_first(transactions_key(INSTANCE))
    rows = [(row.kind.value, row.source, row.target, row.amount) for row in found if row.reference == ref(order)]
    return rows[::-1]


def ref(order: Order) -> str:
    return f"order:{order.order_id}"


def test_an_order_goes_its_whole_way(world: EscrowWorld) -> None:
    order, desk, scope = world.order(150, fee_terms=fee(of="2.5")), world.desk, world.scope
    assert (world.funds(world.buyer), order.status) == ((eur(200), 0), Status.DRAFT)
    payin = world.pay(order)
    assert (payin.status, payin.amount, payin.wallet_id) == (
        PayinStatus.CONFIRMED,
        eur(150),
        world.buyer.wallets["EUR"],
    )
    assert (world.funds(world.buyer), world.now(order).status) == ((eur(50), eur(150)), Status.PUBLISHED)
    desk.accept(scope, order.order_id)
    world.now_s += 60
    shown = desk.reimburse(scope, order.order_id, Reimburse(eur(30)))
    assert (world.funds(world.buyer), shown.status) == ((eur(80), eur(120)), Status.ACCEPTED)
    assert (shown.payin_amount, shown.fee, shown.payout_amount) == (eur(150), eur(3), None)
    payout = world.pay_out(order)
    assert (payout.status, payout.wallet_id) == (PayoutStatus.CREATED, world.seller.wallets["EUR"])
    assert (world.now(order).status, world.now(order).payout_amount) == (Status.PENDING_VALIDATE, eur(117))
    shown = desk.validate(scope, order.order_id)
    assert (shown.status, shown.hold, shown.fee, shown.payout_amount) == (Status.RELEASED, 0, eur(3), eur(117))
    assert (world.funds(world.buyer), world.funds(world.seller)) == ((eur(80), 0), (eur(117), 0))
    assert world.fees() == eur(3)
    assert (world.payin_of(order).status, world.payout_of(order).status) == (
        PayinStatus.CONFIRMED,
        PayoutStatus.CONFIRMED,
    )
    buyer, seller = world.buyer.ref, world.seller.ref
    assert legs(world, order) == [("transfer", buyer, seller, eur(120)), ("fee", seller, None, eur(3))]
    assert world.events() == [
        "EscrowUpdated",
        "EscrowPublished",
        "EscrowAccepted",
        "EscrowUpdated",
        "PayoutCreated",
        "EscrowUpdated",
        "EscrowReleased",
    ]
    check_all(world)
    for customer in (world.buyer, world.seller):
        statement = list(Statements(world.database).newest_first(INSTANCE, Selection(customer.ref)))
        assert sum(row.signed(customer.ref) for row in statement) == sum(world.funds(customer))
    (taken,) = Statements(world.database).newest_first(INSTANCE, Selection(kind=TransactionType.FEE))
    assert (taken.source, taken.target, taken.amount, taken.reference) == (seller, None, eur(3), ref(order))


def test_a_wallet_that_has_too_little_is_a_failure_and_may_pay_later(world: EscrowWorld) -> None:
    """E16"""
    order = world.order(250)
    payin = world.pay(order)
    assert (payin.status, payin.error) == (PayinStatus.DENIED, "insufficient_funds")
    assert payin.denied_at_s == world.now_s
    assert (world.now(order).status, world.funds(world.buyer)) == (Status.FAILURE, (eur(200), 0))
    world.deposit(50, "more")
    assert world.pay(order).status is PayinStatus.CONFIRMED
    assert (world.now(order).status, world.now(order).payins) == (Status.PUBLISHED, 2)
    assert world.funds(world.buyer) == (0, eur(250))
    assert world.escrows.payin(world.scope, payin.payin_id) == payin
    check_all(world)


def test_bank_money_of_another_amount_is_not_taken(world: EscrowWorld) -> None:
    order = world.order()
    payin = world.bankwire(order)
    before = world.tables()
    with pytest.raises(Invalid) as refused:
        world.desk.confirm_payin(world.scope, payin.payin_id, eur(149))
    assert list(refused.value.errors) == ["amount"]
    assert world.tables() == before


def test_bank_money_goes_straight_to_the_hold_and_back_on_a_cancel(world: EscrowWorld) -> None:
    order = world.order()
    payin = world.bankwire(order)
    assert (payin.status, payin.reference, payin.iban) == (PayinStatus.CREATED, f"PI-{payin.payin_id}", "ES00")
    assert world.now(order).status is Status.PENDING_PUBLISH
    confirmed = world.desk.confirm_payin(world.scope, payin.payin_id, eur(150))
    assert (confirmed.status, confirmed.confirmed_at_s) == (PayinStatus.CONFIRMED, world.now_s)
    assert world.funds(world.buyer) == (eur(200), eur(150))
    assert legs(world, order) == [("credit", None, world.buyer.ref, eur(150))]
    shown = world.desk.cancel(world.scope, order.order_id, Cancel())
    assert (shown.status, world.funds(world.buyer)) == (Status.CANCELLED, (eur(350), 0))
    assert world.payin_of(order).status is PayinStatus.REFUNDED
    assert (shown.refund_reference, shown.refund_status) == (f"RF-{order.order_id}-1", RefundStatus.CONFIRMED)
    assert (shown.payin_amount, shown.cancelled_at_s) == (eur(150), world.now_s)
    assert len(legs(world, order)) == 1
    check_all(world)


def test_a_rejected_order_is_paid_back_by_reimbursing_it(world: EscrowWorld) -> None:
    """E21"""
    order = world.paid()
    world.desk.reject(world.scope, order.order_id)
    with pytest.raises(Forbidden):
        world.desk.cancel(world.scope, order.order_id, Cancel())
    assert world.funds(world.buyer) == (eur(200), eur(150))
    shown = world.desk.reimburse(world.scope, order.order_id, Reimburse())
    assert (shown.status, shown.hold, world.funds(world.buyer)) == (Status.REJECTED, 0, (eur(350), 0))
    assert world.payin_of(order).status is PayinStatus.REFUNDED
    before = world.tables()
    with pytest.raises(Invalid) as refused:
        world.desk.reimburse(world.scope, order.order_id, Reimburse())
    assert list(refused.value.errors) == ["amount"]
    assert world.tables() == before
    check_all(world)


def test_an_order_that_nobody_accepted_is_validated_on_demand_only(world: EscrowWorld) -> None:
    order = world.paid()
    with pytest.raises(Forbidden):
        world.desk.validate(world.scope, order.order_id)
    shown = world.desk.validate(world.scope, order.order_id, auto_accept=True)
    times = (shown.published_at_s, shown.accepted_at_s, shown.validated_at_s, shown.released_at_s, shown.cancelled_at_s)
    assert (shown.status, times) == (Status.RELEASED, (world.now_s,) * 4 + (None,))
    assert (world.funds(world.seller), world.payout_of(order).status) == ((eur(150), 0), PayoutStatus.CONFIRMED)
    check_all(world)


def test_an_order_that_settles_at_once_is_released_with_its_payment(world: EscrowWorld) -> None:
    """E20: no other status shows in between, and all of it is one transaction."""
    order = world.order(40, is_auto_settle=True, seller_id=None, fee_terms=fee(1))
    own = world.escrows.customer(world.scope, world.merchant.customers[World.SANDBOX])
    assert own is not None
    assert order.seller == own.party("EUR")
    assert world.pay(order).status is PayinStatus.CONFIRMED
    shown = world.now(order)
    assert (shown.status, shown.version, shown.hold) == (Status.RELEASED, 2, 0)
    times = (shown.published_at_s, shown.accepted_at_s, shown.validated_at_s, shown.released_at_s)
    assert times == (world.now_s,) * 4
    assert (world.funds(own), world.fees(), world.funds(world.buyer)) == ((eur(39), 0), eur(1), (eur(160), 0))
    assert world.payout_of(order).status is PayoutStatus.CONFIRMED
    assert world.events() == ["EscrowUpdated", "EscrowPublished", "EscrowReleased"]
    told = happened(world.database, world.scope)[1:]
    assert len({one.command for one in told}) == 1, "one entry"
    assert [(one.left, one.entered) for one in told] == [
        (Status.DRAFT, Status.PUBLISHED),
        (Status.PUBLISHED, Status.RELEASED),
    ]
    check_all(world)


def test_bank_money_for_an_order_that_settles_at_once_goes_through(world: EscrowWorld) -> None:
    order = world.order(40, is_auto_settle=True, fee_terms=fee(1))
    world.desk.confirm_payin(world.scope, world.bankwire(order).payin_id, eur(40))
    assert world.now(order).status is Status.RELEASED
    assert (world.funds(world.buyer), world.funds(world.seller)) == ((eur(200), 0), (eur(39), 0))
    assert [kind for kind, *_ in legs(world, order)] == ["credit", "transfer", "fee"]
    check_all(world)


def test_a_release_that_waits_can_be_stopped_and_cancelled(world: EscrowWorld) -> None:
    """E22"""
    world.set_delay(60)
    order = world.paid()
    world.desk.accept(world.scope, order.order_id)
    shown = world.desk.validate(world.scope, order.order_id)
    assert (shown.status, shown.release_at_s) == (Status.PENDING_RELEASE, world.now_s + 60)
    shown = world.desk.block(world.scope, order.order_id)
    assert (shown.status, shown.release_at_s) == (Status.BLOCKED_RELEASE, None)
    shown = world.desk.cancel(world.scope, order.order_id, Cancel())
    assert (shown.status, world.funds(world.buyer)) == (Status.CANCELLED, (eur(350), 0))
    assert world.payout_of(order).status is PayoutStatus.CANCELLED
    check_all(world)


def test_what_is_over_stays_so(world: EscrowWorld) -> None:
    draft, released, cancelled = world.order(), world.paid(10), world.order()
    world.desk.validate(world.scope, released.order_id, auto_accept=True)
    world.desk.cancel(world.scope, cancelled.order_id, Cancel())
    before = world.tables()
    for refused, text in (
        (lambda: world.desk.accept(world.scope, draft.order_id), "accepted while its status is DRAFT"),
        (lambda: world.desk.cancel(world.scope, released.order_id, Cancel()), "cancelled while its status is RELEASED"),
        (
            lambda: world.desk.reimburse(world.scope, cancelled.order_id, Reimburse()),
            "reimbursed while its status is CANCELLED",
        ),
    ):
        with pytest.raises(Forbidden, match=text):
            refused()
    assert world.tables() == before


def test_an_order_for_nothing_goes_its_whole_way_and_moves_nothing(world: EscrowWorld) -> None:
    """E12"""
    order = world.order(0, fee_terms=fee(of=10))
    assert (order.fee, world.pay(order).status) == (0, PayinStatus.CONFIRMED)
    world.desk.accept(world.scope, order.order_id)
    shown = world.desk.validate(world.scope, order.order_id)
    assert (shown.status, shown.payin_amount, shown.payout_amount, shown.fee) == (Status.RELEASED, 0, 0, 0)
    assert legs(world, order) == []
    again = world.order(0)
    world.pay(again)
    shown = world.desk.reimburse(world.scope, again.order_id, Reimburse())
    assert (shown.status, shown.refund_reference) == (Status.CANCELLED, f"RF-{again.order_id}-1")
    check_all(world)


def test_reimbursing_all_that_is_left_cancels_the_order(world: EscrowWorld) -> None:
    order = world.paid()
    world.desk.accept(world.scope, order.order_id)
    world.pay_out(order)
    world.desk.reimburse(world.scope, order.order_id, Reimburse(eur(100)))
    with pytest.raises(Invalid) as refused:
        world.desk.reimburse(world.scope, order.order_id, Reimburse(eur("50.01")))
    assert list(refused.value.errors) == ["amount"]
    shown = world.desk.reimburse(world.scope, order.order_id, Reimburse(eur(50)))
    assert (shown.status, shown.refund_reference) == (Status.CANCELLED, f"RF-{order.order_id}-2")
    assert world.payout_of(order).status is PayoutStatus.CANCELLED
    assert world.payin_of(order).status is PayinStatus.REFUNDED
    assert world.funds(world.buyer) == (eur(350), 0)
    check_all(world)


def test_who_sells_to_itself_has_its_money_back_less_the_fee(world: EscrowWorld) -> None:
    order = world.order(100, seller_id=world.buyer.customer_id, fee_terms=fee(3))
    world.pay(order)
    world.desk.validate(world.scope, order.order_id, auto_accept=True)
    assert (world.funds(world.buyer), world.fees()) == ((eur(197), 0), eur(3))
    ann = world.buyer.ref
    assert legs(world, order) == [("transfer", ann, ann, eur(100)), ("fee", ann, None, eur(3))]
    check_all(world)
