"""The taker desk's keys, settings, instruments, quote tokens and connect nonces in their tables."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chalicelib.domain.ledger.tokens import new_token
from chalicelib.domain.signed.faults import NonceSpent
from chalicelib.domain.signed.instruments import Instrument, Stock, Terms
from chalicelib.domain.signed.settings import DeskSettings, Domain, OpenDesk
from chalicelib.domain.tenancy.instances import InstanceStatus
from chalicelib.domain.tenancy.rate_limit import RateLimit
from chalicelib.support.clock import new_id
from chalicelib.support.outcomes import Unavailable
from chalicelib.tables import attempts
from chalicelib.tables.connect_nonces import ConnectNonces
from chalicelib.tables.desk_settings import TakerDesks
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.instruments import InstrumentExists, Instruments, TooManyDecimals, UnknownToken
from chalicelib.tables.tenants import Tenants
from chalicelib.tables.tokens import Tokens

INSTANCE, OTHER = "inst_test0001", "inst_test0002"
STOCK, OTHER_STOCK, QUOTE, FINE = "0x" + "a" * 40, "0x" + "b" * 40, "0x" + "c" * 40, "0x" + "d" * 40
NOW_S = 1_737_082_824


def test_a_desk_is_open_while_its_instance_is_active(store: Database) -> None:
    tenants, desks = Tenants(store, lambda: NOW_S), TakerDesks(store)
    assert desks.open_desk(INSTANCE) is None
    tenants.create_instance("test0001", {"trading"})
    assert desks.open_desk(INSTANCE) == OpenDesk(INSTANCE, frozenset({"trading"}), DeskSettings())
    settings = desks.change(INSTANCE, lambda found: replace(found, fee_bps=5))
    assert desks.open_desk(INSTANCE) == OpenDesk(INSTANCE, frozenset({"trading"}), settings)
    tenants.change(INSTANCE, lambda found: found.with_status(InstanceStatus.ARCHIVED))
    assert desks.open_desk(INSTANCE) is None


def test_settings_have_defaults_and_are_changed_from_what_they_are(store: Database) -> None:
    desks = TakerDesks(store)
    assert desks.settings(INSTANCE) == DeskSettings()
    desks.change(INSTANCE, lambda found: replace(found, fee_bps=5, domain=Domain("Other", "2", 56, STOCK)))
    rate_limit = RateLimit(bucket=1, refill_per_1000_s=1, per_day=0)
    changed = desks.change(INSTANCE, lambda found: replace(found, has_ledger_settlement=False, rate_limit=rate_limit))
    expected = DeskSettings(False, fee_bps=5, domain=Domain("Other", "2", 56, STOCK), rate_limit=rate_limit)
    assert changed == desks.settings(INSTANCE) == expected
    assert desks.settings(OTHER) == DeskSettings()


def test_of_two_changes_at_once_none_is_lost(store: Database) -> None:
    """The second is made of what the first has left, whether or not there were settings before."""
    desks, others = TakerDesks(store), TakerDesks(store)
    for fee_bps in (1, 2):
        raced: list[DeskSettings] = []

        def change(found: DeskSettings, fee_bps: int = fee_bps, raced: list[DeskSettings] = raced) -> DeskSettings:
            if not raced:
                raced.append(others.change(INSTANCE, lambda one: replace(one, lock_seconds=one.lock_seconds + 1)))
            return replace(found, fee_bps=fee_bps)

        desks.change(INSTANCE, change)
        assert desks.settings(INSTANCE) == DeskSettings(fee_bps=fee_bps, lock_seconds=3600 + fee_bps)


def test_a_change_of_settings_that_keeps_losing_races_is_given_up(store: Database) -> None:
    store.pause = attempts.at_once
    desks, others = TakerDesks(store), TakerDesks(store)

    def change(found: DeskSettings) -> DeskSettings:
        others.change(INSTANCE, lambda one: replace(one, lock_seconds=one.lock_seconds + 1))
        return replace(found, fee_bps=1)

    with pytest.raises(Unavailable):
        desks.change(INSTANCE, change)
    assert desks.settings(INSTANCE).fee_bps == 0


@pytest.fixture
def instruments(store: Database) -> Instruments:
    tokens = Tokens(store)
    for address, symbol, decimals in ((STOCK, "S", 18), (OTHER_STOCK, "O", 18), (QUOTE, "Q", 18), (FINE, "F", 19)):
        tokens.register(INSTANCE, new_token(new_id("tok"), address, symbol, symbol, decimals))
    return Instruments(store)


def test_terms_tell_what_the_instance_trades(instruments: Instruments) -> None:
    assert instruments.terms(INSTANCE, QUOTE, 0, "AAPL") == Terms(False, None)
    instruments.add_quote(INSTANCE, QUOTE)
    instruments.add(INSTANCE, 0, "AAPL", STOCK)
    assert instruments.terms(INSTANCE, "0x" + QUOTE[2:].upper(), 0, "AAPL") == Terms(True, Stock(STOCK, 18))
    assert instruments.terms(INSTANCE, STOCK, 1, "AAPL") == Terms(False, None)
    assert instruments.terms(OTHER, QUOTE, 0, "AAPL") == Terms(False, None)


def test_an_instrument_stands_for_one_stock_for_good(instruments: Instruments) -> None:
    for _ in range(2):
        instruments.add(INSTANCE, 0, "AAPL", STOCK)
    with pytest.raises(InstrumentExists):
        instruments.add(INSTANCE, 0, "AAPL", OTHER_STOCK)
    instruments.add(INSTANCE, 10, "AAPL", OTHER_STOCK)
    instruments.add(INSTANCE, 9, "B.A-9", STOCK)
    assert instruments.of_instance(INSTANCE) == [
        Instrument(0, "AAPL", Stock(STOCK, 18)),
        Instrument(9, "B.A-9", Stock(STOCK, 18)),
        Instrument(10, "AAPL", Stock(OTHER_STOCK, 18)),
    ]


@pytest.mark.parametrize("decimals", [0, 6, 17])
def test_an_instrument_knows_the_decimals_of_its_token(
    instruments: Instruments, store: Database, decimals: int
) -> None:
    """K31"""
    coarse = "0x" + "c0" * 20
    Tokens(store).register(INSTANCE, new_token(new_id("tok"), coarse, "C", "C", decimals))
    assert instruments.add(INSTANCE, 0, "C", coarse) == Instrument(0, "C", Stock(coarse, decimals))
    instruments.add_quote(INSTANCE, coarse)
    assert instruments.of_instance(INSTANCE) == [Instrument(0, "C", Stock(coarse, decimals))]
    assert instruments.terms(INSTANCE, coarse, 0, "C") == Terms(True, Stock(coarse, decimals))


def test_only_tokens_of_the_ledger_with_18_decimals_at_most_are_traded(instruments: Instruments) -> None:
    """K31"""
    with pytest.raises(UnknownToken):
        instruments.add_quote(INSTANCE, "0x" + "9" * 40)
    with pytest.raises(UnknownToken):
        instruments.add(OTHER, 0, "AAPL", STOCK)
    with pytest.raises(TooManyDecimals):
        instruments.add_quote(INSTANCE, FINE)
    with pytest.raises(TooManyDecimals):
        instruments.add(INSTANCE, 0, "AAPL", FINE)
    assert (instruments.quotes(INSTANCE), instruments.of_instance(INSTANCE)) == ([], [])
    for _ in range(2):
        instruments.add_quote(INSTANCE, QUOTE)
    assert instruments.quotes(INSTANCE) == [QUOTE]


def test_a_nonce_is_spent_once_until_it_is_forgotten(store: Database) -> None:
    connects = ConnectNonces(store)
    connects.spend("0xa", "n-1", NOW_S)
    for spent in (NOW_S, NOW_S + 86_399):
        with pytest.raises(NonceSpent):
            connects.spend("0xa", "n-1", spent)
    connects.spend("0xa", "n-2", NOW_S)
    connects.spend("0xb", "n-1", NOW_S)
    connects.spend("0xa", "n-1", NOW_S + 86_400)
