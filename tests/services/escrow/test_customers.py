"""Customers and wallets: who is known again, who is refused, what a deposit moves."""

from __future__ import annotations

import pytest

from chalicelib.domain.escrow.commands import CreateCustomer, Deposit
from chalicelib.domain.escrow.faults import Invalid, NotFound
from chalicelib.domain.escrow.order import Customer
from chalicelib.domain.escrow.settings import MerchantExists, UnknownCurrency
from chalicelib.domain.tenancy.instances import World
from tests.services.escrow.world import INSTANCE, MERCHANT, SANDBOX_EUR, EscrowWorld, check_all, eur


def test_a_new_customer_has_a_wallet_in_each_currency(world: EscrowWorld) -> None:
    customer = world.customer("kim@x.test")
    wallets = world.escrows.wallets_of(customer)
    assert [wallet.currency.code for wallet in wallets] == ["EUR", "JPY"]
    assert {wallet.wallet_id for wallet in wallets} == set(customer.wallets.values())
    assert world.escrows.customer(world.scope, customer.uuid) == customer
    for wallet in wallets:
        assert world.escrows.wallet(world.scope, wallet.uuid) == wallet
        assert wallet.account.customer == f"sandbox:{customer.uuid}"


def ask(world: EscrowWorld, **facts: str) -> Customer:
    return world.desk.create_customer(world.scope, CreateCustomer(**facts))  # type: ignore[arg-type]


def test_who_is_known_is_changed_with_what_is_given(world: EscrowWorld) -> None:
    """E18"""
    first = ask(world, email="Kim@x.test", name="Kim", tag="a")
    again = ask(world, email="kIM@X.test", name="Kim Lee", prefix="+34", phone="600700")
    assert (again.customer_id, again.uuid, again.created_at_s) == (first.customer_id, first.uuid, first.created_at_s)
    assert (again.name, again.tag, again.phone, again.email) == ("Kim Lee", "a", "600700", "kIM@X.test")
    moved = ask(world, email="lee@x.test", prefix="+34", phone="600700")
    assert (moved.customer_id, moved.email) == (first.customer_id, "lee@x.test")
    other = ask(world, email="kim@x.test")
    assert other.customer_id != first.customer_id
    assert world.escrows.counts(world.scope).customers == 4


def test_a_phone_of_another_customer_is_refused(world: EscrowWorld) -> None:
    ask(world, email="kim@x.test")
    ask(world, prefix="+34", phone="600700")
    before = world.tables()
    with pytest.raises(Invalid) as invalid:
        ask(world, email="kim@x.test", prefix="+34", phone="600700")
    assert (list(invalid.value.errors), world.tables()) == (["phone"], before)


def test_a_phone_that_was_given_up_is_free(world: EscrowWorld) -> None:
    first = ask(world, email="kim@x.test", prefix="+34", phone="600700")
    ask(world, email="kim@x.test", prefix="+34", phone="600701")
    other = ask(world, prefix="+34", phone="600700")
    assert other.customer_id != first.customer_id


def test_prefix_and_phone_are_two_things(world: EscrowWorld) -> None:
    assert ask(world, prefix="+1", phone="2345").customer_id != ask(world, prefix="+12", phone="345").customer_id


def test_worlds_know_nothing_of_each_other_but_share_their_counters(world: EscrowWorld) -> None:
    """E2"""
    scope = world.merchant.scope(World.PRODUCTION)
    other = world.desk.create_customer(scope, CreateCustomer(email="ann@x.test"))
    assert other.customer_id == world.seller.customer_id + 1
    assert world.escrows.customer(world.scope, other.uuid) is None
    assert world.escrows.customer_by_id(scope, world.buyer.customer_id) is None
    assert [one.customer_id for one in world.escrows.customers(scope)] == [other.customer_id]


def test_a_merchants_own_customer_is_not_listed_and_its_wallets_are(world: EscrowWorld) -> None:
    listed = [customer.customer_id for customer in world.escrows.customers(world.scope)]
    assert listed == [world.seller.customer_id, world.buyer.customer_id]
    counts = world.escrows.counts(world.scope)
    assert (counts.customers, counts.wallets) == (2, 6)
    assert len(list(world.escrows.wallets(world.scope))) == 6
    for one, uuid in world.merchant.customers.items():
        own = world.escrows.customer(world.merchant.scope(one), uuid)
        assert own is not None
        assert own.is_hidden


def test_a_merchant_is_made_once_and_with_its_currency(world: EscrowWorld) -> None:
    with pytest.raises(UnknownCurrency):
        world.desk.create_merchant(INSTANCE, "other", "CHF")
    before = {table: rows for table, rows in world.tables().items() if table == "tenants"}
    with pytest.raises(MerchantExists):
        world.desk.create_merchant(INSTANCE, MERCHANT, "EUR")
    assert {table: rows for table, rows in world.tables().items() if table == "tenants"} == before


def test_a_deposit_is_made_once_under_its_reference(world: EscrowWorld) -> None:
    (wallet, yen) = world.escrows.wallets_of(world.buyer)
    before = world.tables()
    assert world.desk.deposit(world.scope, wallet.uuid, Deposit(eur(200), "first")) == wallet
    for deposit, field in (
        (Deposit(eur(199), "first"), "amount"),
        (Deposit(0, "x"), "amount"),
        (Deposit(eur("0.001"), "x"), "amount"),
        (Deposit(10**38, "x"), "amount"),
    ):
        with pytest.raises(Invalid) as invalid:
            world.desk.deposit(world.scope, wallet.uuid, deposit)
        assert list(invalid.value.errors) == [field]
    with pytest.raises(Invalid):
        world.desk.deposit(world.scope, yen.uuid, Deposit(eur("1.5"), "x"))
    with pytest.raises(NotFound):
        world.desk.deposit(world.merchant.scope(World.PRODUCTION), wallet.uuid, Deposit(eur(1), "x"))
    assert (world.tables(), wallet.currency) == (before, SANDBOX_EUR)
    check_all(world)
