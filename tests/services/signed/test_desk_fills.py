"""Fills, over tables: what they move, of whom, and what is refused; a refusal changes nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.ledger.transactions import TransactionType
from chalicelib.domain.signed.faults import BadAmount, InsufficientFunds, OrderNotFound, ReferenceTaken, StateForbids
from chalicelib.domain.signed.lifecycle import Lock, Status
from chalicelib.domain.signed.stored import Counts
from chalicelib.services.books.statements import Selection, Statements
from tests.case_tables import cases
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
    hash_of,
    proven,
    refused,
)

SHOUTED = TAKER.upper().replace("X", "x")


def test_order_b_is_settled_as_in_the_example(market: Market) -> None:
    order = replace(BUY, principal=PRINCIPAL)
    market.create(order)
    market.lock(order)
    assert market.fill(4 * UNIT, "r1", order).status is Status.PARTIALLY_FILLED
    assert market.funds(MAKER, QUOTE) == (FUNDS - 3007 * UNIT // 2, 902 * UNIT + UNIT // 10)
    assert market.funds(PRINCIPAL, STOCK) == (4 * UNIT, 0)
    assert market.funds(TAKER, QUOTE) == (FUNDS + 601 * UNIT + 4 * UNIT // 10, 0)
    assert market.funds(TAKER, STOCK) == (FUNDS - 4 * UNIT, 0)
    proven(market)
    assert market.fill(6 * UNIT, "r2", order, incentive=UNIT // 2).status is Status.FILLED
    assert market.funds(MAKER, QUOTE) == (FUNDS - 1503 * UNIT - 4 * UNIT // 10, 0)
    assert market.funds(PRINCIPAL, STOCK) == (10 * UNIT, 0)
    assert market.funds(TAKER, QUOTE) == (FUNDS + 1503 * UNIT + 4 * UNIT // 10, 0)
    assert market.stored(order).state.lock == Lock(TAKER, NOW_S, NOW_S + 600)
    assert market.seen() == {"locked": [], "filled": [hash_of(order)]}
    proven(market)


def test_order_c_is_settled_as_in_the_example(market: Market) -> None:
    market.create(SELL)
    market.lock(SELL)
    fills = [market.fill(quantity, f"r{quantity}", SELL) for quantity in (UNIT, 2 * UNIT, 1)]
    assert [fill.amount for fill in fills] == [200_000_000_000_000_000_001, 400_000_000_000_000_000_002, 200]
    assert [fill.incentive for fill in fills] == [333_333_333_333_333_333, 666_666_666_666_666_666, 0]
    assert market.funds(MAKER, QUOTE) == (FUNDS - 2 * UNIT + 601_000_000_000_000_000_204, 0)
    assert market.funds(MAKER, STOCK) == (FUNDS - 5 * UNIT + 1_999_999_999_999_999_999, 0)
    assert market.funds(TAKER, QUOTE) == (FUNDS - 1000 * UNIT + 400_999_999_999_999_999_796, 0)
    assert market.funds(TAKER, STOCK) == (FUNDS + 3_000_000_000_000_000_001, 0)
    proven(market)


def test_the_fee_goes_to_the_desk_at_the_rate_of_the_fill(market: Market) -> None:
    market.create()
    market.lock()
    market.settings = replace(market.settings, fee_bps=25)
    first = market.fill(4 * UNIT, "r1")
    market.settings = replace(market.settings, fee_bps=0)
    market.fill(6 * UNIT, "r2")
    assert (first.fee, market.fees()) == (601 * UNIT * 25 // 10_000, 601 * UNIT * 25 // 10_000)
    assert market.funds(TAKER, QUOTE)[0] == FUNDS + 3007 * UNIT // 2 - first.fee
    proven(market)


def test_a_taker_pays_with_the_incentive_that_the_fill_brings(market: Market) -> None:
    """K33"""
    market.create(SELL)
    market.fund(PRINCIPAL, QUOTE, 200 * UNIT + 1 - UNIT // 3 - 1)
    market.lock(SELL, PRINCIPAL)
    told = refused(market, InsufficientFunds, lambda: market.fill(UNIT, "r1", SELL, PRINCIPAL))
    assert (told.asset, told.required, told.available) == (QUOTE, told.available + 1, 200 * UNIT - UNIT // 3)
    market.fund(PRINCIPAL, QUOTE, 1)
    market.fill(UNIT, "r1", SELL, PRINCIPAL)
    assert market.funds(PRINCIPAL, QUOTE) == (0, 0)


def test_a_taker_delivers_only_what_it_has(market: Market) -> None:
    market.create()
    market.lock(taker=PRINCIPAL)
    told = refused(market, InsufficientFunds, lambda: market.fill(UNIT, taker=PRINCIPAL))
    assert (told.asset, told.required, told.available) == (STOCK, UNIT, 0)


AMOUNTS = cases(
    # id,                   quantity,     incentive,          fields
    ("more than is left",   6 * UNIT + 1, None,               ["fill_quantity"]),
    ("nothing",             0,            None,               ["fill_quantity"]),
    ("less than nothing",   -1,           None,               ["fill_quantity"]),
    ("above the allowance", 6 * UNIT,     6 * UNIT // 10 + 1, ["taker_incentive"]),
    ("below nothing",       6 * UNIT,     -1,                 ["taker_incentive"]),
    ("both",                6 * UNIT + 1, 7 * UNIT // 10,     ["fill_quantity", "taker_incentive"]),
    ("more for nothing",    0,            1,                  ["fill_quantity", "taker_incentive"]),
)  # fmt: skip


@pytest.mark.parametrize(("quantity", "incentive", "fields"), AMOUNTS)
def test_a_fill_takes_no_more_than_the_order_lets_it(
    market: Market, quantity: int, incentive: int | None, fields: list[str]
) -> None:
    market.create()
    market.lock()
    market.fill(4 * UNIT, "r1")
    told = refused(market, BadAmount, lambda: market.fill(quantity, "r2", incentive=incentive))
    assert list(told.faults) == fields
    market.fill(6 * UNIT, "r2", incentive=6 * UNIT // 10)


def test_a_fill_sent_again_is_the_first_fill_whatever_became_of_the_order(market: Market) -> None:
    """K24"""
    market.create()
    market.lock()
    first = market.fill(4 * UNIT, "r1", tx_hash="0x" + "1" * 64)
    before = market.tables()
    assert market.fill(4 * UNIT, "r1", tx_hash="0x" + "1" * 64, taker=SHOUTED) == first
    assert market.tables() == before
    market.fill(6 * UNIT, "r2")
    assert market.fill(4 * UNIT, "r1", tx_hash="0x" + "1" * 64) == first
    market.settings = replace(market.settings, fee_bps=100)
    assert market.fill(4 * UNIT, "r1", tx_hash="0x" + "1" * 64) == first
    assert market.orders.counts(INSTANCE, TAKER) == Counts(1, 2)


OTHERWISE: list[dict[str, Any]] = [
    {"quantity": 3 * UNIT},
    {"incentive": 4 * UNIT // 10},
    {"tx_hash": None},
    {"tx_hash": "0x" + "2" * 64},
]


@pytest.mark.parametrize("change", OTHERWISE, ids=str)
@pytest.mark.parametrize("is_unlocked", [False, True])
def test_a_reference_is_one_fill(market: Market, change: dict[str, Any], is_unlocked: bool) -> None:
    """K24: an incentive that is named is not the allowance that was left open, whatever its amount."""
    market.create()
    market.lock()
    asked: dict[str, Any] = {"quantity": 4 * UNIT, "incentive": None, "tx_hash": "0x" + "1" * 64}
    market.fill(reference="r1", **asked)
    if is_unlocked:
        market.unlock()
    told = refused(market, ReferenceTaken, lambda: market.fill(reference="r1", **asked | change))
    assert told.locked_by == (None if is_unlocked else TAKER)


def test_another_takers_reference_is_taken_and_told_to_the_holder_only(market: Market) -> None:
    market.create()
    market.lock()
    market.fill(4 * UNIT, "r1")
    market.unlock()
    refused(market, StateForbids, lambda: market.fill(4 * UNIT, "r1", taker=OTHER))
    market.lock(taker=OTHER)
    refused(market, ReferenceTaken, lambda: market.fill(4 * UNIT, "r1", taker=OTHER))
    market.unlock(taker=OTHER)
    market.lock()
    refused(market, OrderNotFound, lambda: market.fill(4 * UNIT, "r1", taker=OTHER))


def test_what_a_taker_sees_of_an_order_follows_its_last_lock_and_fill(market: Market) -> None:
    market.create()
    market.lock(reference="L1")
    market.fill(UNIT, "r1", tx_hash="0x" + "1" * 64)
    market.fill(UNIT, "r2")
    market.unlock()

    def seen() -> tuple[str | None, str | None]:
        (only,) = market.orders.filled_seen(INSTANCE, TAKER)
        assert only.is_filled
        assert list(market.orders.locked_seen(INSTANCE, TAKER)) == []
        return only.reference_id, only.tx_hash

    assert seen() == ("r2", "0x" + "1" * 64)
    market.lock(reference=None)
    assert seen() == ("r2", "0x" + "1" * 64)
    market.unlock()
    market.lock(reference="L2")
    assert seen() == ("L2", "0x" + "1" * 64)
    market.fill(UNIT, "r3", tx_hash="0x" + "3" * 64)
    assert seen() == ("r3", "0x" + "3" * 64)
    assert market.orders.counts(INSTANCE, TAKER) == Counts(1, 3)
    proven(market)


def test_two_takers_fill_one_order_after_each_other(market: Market) -> None:
    market.create()
    for taker, quantity in ((TAKER, 4 * UNIT), (OTHER, 6 * UNIT)):
        market.lock(taker=taker)
        market.fill(quantity, f"r{quantity}", taker=taker)
        if taker == TAKER:
            market.unlock()
    assert market.stored().state.status is Status.FILLED
    assert [market.orders.counts(INSTANCE, taker).fills for taker in (TAKER, OTHER)] == [1, 1]
    assert {fill.taker for fill in market.orders.fills_of(INSTANCE, market.stored_id())} == {TAKER, OTHER}
    proven(market)


def test_what_customers_read_of_fills_adds_up_to_their_balances(market: Market) -> None:
    """T37, for trades and fees too, by customer and for the whole instance."""
    market.settings = replace(market.settings, fee_bps=30)
    for order in (replace(BUY, principal=PRINCIPAL), SELL):
        market.create(order)
        market.lock(order)
        market.fill(UNIT, "r1", order)
    statements = Statements(market.database)
    for customer in (MAKER, TAKER, PRINCIPAL):
        rows = list(statements.newest_first(INSTANCE, Selection(customer.lower())))
        for asset in (QUOTE, STOCK):
            told = sum(row.signed(customer.lower()) for row in rows if row.asset == asset)
            assert told == sum(market.funds(customer, asset))
    trades = list(statements.newest_first(INSTANCE, Selection(kind=TransactionType.TRADE)))
    assert len(trades) == 4
    fees = list(statements.newest_first(INSTANCE, Selection(TAKER.lower(), kind=TransactionType.FEE)))
    assert sum(fee.amount for fee in fees) == market.fees() > 0
    ids = {fill.fill_id for fill in market.orders.fills_of_taker(INSTANCE, TAKER)}
    assert {row.reference for row in [*trades, *fees]} == ids
    assert list(statements.newest_first(INSTANCE, Selection(MAKER.lower(), kind=TransactionType.FEE))) == []
