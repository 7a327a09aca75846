"""The escrow desk's settings, merchants and keys, on each engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from chalicelib.domain.escrow.money import Currency
from chalicelib.domain.escrow.order import Merchant
from chalicelib.domain.escrow.settings import (
    MERCHANTS_MAX,
    CurrencyKnown,
    DeskSettings,
    MerchantExists,
    TooManyMerchants,
    UnknownMerchant,
)
from chalicelib.domain.tenancy.instances import Instance, InstanceStatus, World
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.escrow_settings import EscrowDesks
from chalicelib.tables.tenants import Tenants
from chalicelib.tables.writes import IsDone, Put, Write
from tests.world import INSTANCE, NOW_MS

NOW_S = NOW_MS // 1000
OTHER_INSTANCE = "inst_other001"
EUR = Currency("EUR", 2, "0x" + "e" * 40)


def merchant(name: str, instance: str = INSTANCE) -> Merchant:
    return Merchant(instance, name, "EUR", {world: f"uuid-of-{name}-{world.value}" for world in World}, NOW_S)


def test_a_desk_has_its_defaults_until_something_is_set(store: Database) -> None:
    desks = EscrowDesks(store)
    assert desks.settings(INSTANCE) == DeskSettings()
    chosen = DeskSettings((EUR,), 60, "https://pay.x.test", "ES00", "Shop")
    assert desks.change(INSTANCE, lambda _: chosen) == desks.settings(INSTANCE) == chosen
    assert desks.settings(OTHER_INSTANCE) == DeskSettings()


def test_two_changes_at_once_both_hold(store: Database) -> None:
    """The second is made whole between the first one's reading and its writing."""
    desks, made = EscrowDesks(store), []

    def delay(settings: DeskSettings) -> DeskSettings:
        if not made:
            made.append(desks.change(INSTANCE, lambda now: replace(now, iban="ES00")))
        return replace(settings, release_delay_seconds=60)

    changed = desks.change(INSTANCE, delay)
    assert (changed.release_delay_seconds, changed.iban) == (60, "ES00")
    assert desks.settings(INSTANCE) == changed


def test_a_currency_stays_what_it_is(store: Database) -> None:
    desks = EscrowDesks(store)
    for _ in range(2):
        desks.change(INSTANCE, lambda settings: settings.with_currency(EUR, INSTANCE))
    for other in (replace(EUR, decimals=3), replace(EUR, asset="0x" + "1" * 40), replace(EUR, code="USD")):
        with pytest.raises(CurrencyKnown):
            desks.change(INSTANCE, lambda settings, other=other: settings.with_currency(other, INSTANCE))  # type: ignore[misc]
    assert desks.settings(INSTANCE).currencies == (EUR,)
    assert (
        desks.settings(INSTANCE).currency("EUR", World.PRODUCTION),
        desks.settings(INSTANCE).currency("USD", World.SANDBOX),
    ) == (EUR, None)


def test_a_merchant_is_made_once_with_what_belongs_to_it_or_not_at_all(store: Database) -> None:
    desks = EscrowDesks(store)
    with_it = Put("tenants", {"instance": INSTANCE, "credential": "with-it"}, "attribute_not_exists(#credential)")
    desks.create_merchant(merchant("shop"), [with_it])
    assert desks.merchant(INSTANCE, "shop") == merchant("shop")
    before = sorted(map(str, store.scan("tenants")))
    for refused in (merchant("shop"), merchant("other")):
        with pytest.raises(MerchantExists):
            desks.create_merchant(refused, [with_it])
    assert sorted(map(str, store.scan("tenants"))) == before
    desks.create_merchant(merchant("abc"), [])
    assert desks.merchants(INSTANCE) == [merchant("abc"), merchant("shop")]
    assert desks.merchants(OTHER_INSTANCE) == []
    with pytest.raises(UnknownMerchant):
        desks.merchant(OTHER_INSTANCE, "shop")


def test_an_instance_has_so_many_merchants_and_no_more(memory_database: Database) -> None:
    desks = EscrowDesks(memory_database)
    for number in range(MERCHANTS_MAX):
        desks.create_merchant(merchant(f"m{number}"), [])
    with pytest.raises(TooManyMerchants):
        desks.create_merchant(merchant("one-more"), [])
    assert len(desks.merchants(INSTANCE)) == MERCHANTS_MAX


def test_merchants_that_are_made_at_once_are_counted(
    memory_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    desks, transact = EscrowDesks(memory_database), memory_database.transact
    for number in range(MERCHANTS_MAX - 1):
        desks.create_merchant(merchant(f"m{number}"), [])

    def another_one_first(writes: Sequence[Write], is_done: IsDone) -> None:
        monkeypatch.setattr(memory_database, "transact", transact)
        desks.create_merchant(merchant("another"), [])
        transact(writes, is_done)

    monkeypatch.setattr(memory_database, "transact", another_one_first)
    with pytest.raises(TooManyMerchants):
        desks.create_merchant(merchant("one-more"), [])
    assert len(desks.merchants(INSTANCE)) == MERCHANTS_MAX


def test_a_concurrent_creation_of_a_merchant_comes_second(
    memory_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    desks, transact = EscrowDesks(memory_database), memory_database.transact

    def another_one_first(writes: Sequence[Write], is_done: IsDone) -> None:
        monkeypatch.setattr(memory_database, "transact", transact)
        desks.create_merchant(merchant("another"), [])
        transact(writes, is_done)

    monkeypatch.setattr(memory_database, "transact", another_one_first)
    desks.create_merchant(merchant("one-more"), [])
    assert desks.merchants(INSTANCE) == [merchant("another"), merchant("one-more")]


def test_a_desk_is_open_for_a_merchant_that_there_is_of_an_instance_that_is_active(store: Database) -> None:
    desks, tenants = EscrowDesks(store), Tenants(store, lambda: NOW_S)
    assert desks.open_desk(INSTANCE, None) is None
    tenants.create_instance(INSTANCE.removeprefix("inst_"), ["trading"])
    desks.create_merchant(merchant("shop"), [])
    desks.change(INSTANCE, lambda settings: settings.with_currency(EUR, INSTANCE))
    opened = desks.open_desk(INSTANCE, "shop")
    assert opened is not None
    assert (opened.merchant, opened.settings.currencies) == (merchant("shop"), (EUR,))
    of_operator = desks.open_desk(INSTANCE, None)
    assert of_operator is not None
    assert of_operator.merchant is None
    assert desks.open_desk(INSTANCE, "nobody") is None

    def archived(instance: Instance) -> Instance:
        return instance.with_status(InstanceStatus.ARCHIVED)

    tenants.change(INSTANCE, archived)
    assert (desks.open_desk(INSTANCE, "shop"), desks.open_desk(INSTANCE, None)) == (None, None)
