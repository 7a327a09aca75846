"""What steps of a signed order move on the ledger: worked examples, and conservation in any sequence of steps."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.domain.ledger.changes import Account, Change, Changes
from chalicelib.domain.ledger.transactions import Transaction, TransactionType
from chalicelib.domain.signed.lifecycle import FINAL, Action, Forbidden, State, Status, Step, created, lapse, take
from chalicelib.domain.signed.order import (
    AMOUNT_MAX,
    DECIMALS_MAX,
    NOTHING,
    VALUE_MAX,
    FillAmounts,
    Hold,
    SignedOrder,
    customer_of,
    fill_amounts_of,
    fill_id_of,
    order_id_of,
)
from chalicelib.domain.signed.settlement import filled, held, legs_of, released
from tests.case_tables import cases
from tests.services.signed.market import BUY, BUY_HASH, MAKER, OTHER, PRINCIPAL, QUOTE, SELL, STOCK, TAKER, UNIT

M, T, P = customer_of(MAKER), customer_of(TAKER), customer_of(PRINCIPAL)


class Books:
    """Accounts as a test keeps them: what was added to each."""

    def __init__(self) -> None:
        self.available: defaultdict[Account, int] = defaultdict(int)
        self.held: defaultdict[Account, int] = defaultdict(int)

    def apply(self, changes: Changes) -> None:
        for account, change in changes.items():
            assert change != Change(), "no account without a change"
            self.available[account] += change.available
            self.held[account] += change.held

    def of(self, customer: str, asset: str) -> tuple[int, int]:
        account = Account(customer, asset)
        return self.available[account], self.held[account]

    def total(self, asset: str) -> int:
        both = [*self.available.items(), *self.held.items()]
        return sum(amount for account, amount in both if account.asset == asset)


class Life:
    """One order, step after step, with what it moves."""

    def __init__(self, order: SignedOrder, fee_bps: int = 0, decimals: int = 18) -> None:
        self.order, self.fee_bps, self.decimals = order, fee_bps, decimals
        self.state = created(order.hold(decimals), 0)
        self.books = Books()
        self.books.apply(held(order, STOCK, self.state.hold))
        self.taken = NOTHING
        self.filled = 0

    def step(self, step: Step) -> None:
        before, amounts = self.state, step.amounts
        after = take(self.order, before, step)
        if amounts is None:
            self._release(before, after)
        else:
            taken = self.order.taken_by(amounts)
            self.books.apply(filled(self.order, STOCK, T, amounts, before.hold - taken - after.hold))
            self.taken = Hold(self.taken.quote + taken.quote, self.taken.stock + taken.stock)
            self.filled += amounts.quantity
        self.state = after

    def lapse(self, at_s: int) -> None:
        after = lapse(self.order, self.state, at_s)
        if after is not None:
            self._release(self.state, after)
            self.state = after

    def fill(self, at_s: int, quantity: int, incentive: int | None = None) -> FillAmounts:
        amounts = fill_amounts_of(self.order, self.decimals, quantity, incentive, self.fee_bps)
        self.step(Step(Action.FILL, at_s, amounts=amounts))
        return amounts

    def _release(self, before: State, after: State) -> None:
        self.books.apply(released(self.order, STOCK, before.hold - after.hold))


def test_order_b_moves_what_the_contract_says() -> None:
    life = Life(replace(BUY, principal=PRINCIPAL))
    assert life.books.of(M, QUOTE) == (-1503_500_000_000_000_000_000, 1503_500_000_000_000_000_000)
    life.step(Step(Action.LOCK, 1, TAKER, 600))
    amounts = life.fill(2, 4 * UNIT)
    assert (amounts.amount, amounts.incentive) == (601 * UNIT, 400_000_000_000_000_000)
    assert life.books.of(M, QUOTE)[1] == 902_100_000_000_000_000_000
    assert life.books.of(P, STOCK) == (4 * UNIT, 0)
    assert life.books.of(T, QUOTE) == (601_400_000_000_000_000_000, 0)
    assert life.books.of(T, STOCK) == (-4 * UNIT, 0)
    life.fill(3, 6 * UNIT, incentive=500_000_000_000_000_000)
    assert life.books.of(M, QUOTE) == (496_600_000_000_000_000_000 - 2000 * UNIT, 0)
    assert life.books.of(P, STOCK) == (10 * UNIT, 0)
    assert life.books.of(T, QUOTE) == (1503_400_000_000_000_000_000, 0)
    assert life.state.status is Status.FILLED


def test_order_c_moves_what_the_contract_says() -> None:
    life = Life(SELL)
    life.step(Step(Action.LOCK, 1, TAKER, 600))
    all_amounts = [life.fill(2, quantity) for quantity in (UNIT, 2 * UNIT, 1)]
    assert [one.amount for one in all_amounts] == [200_000_000_000_000_000_001, 400_000_000_000_000_000_002, 200]
    assert [one.incentive for one in all_amounts] == [333_333_333_333_333_333, 666_666_666_666_666_666, 0]
    assert life.books.of(M, QUOTE) == (601_000_000_000_000_000_204 - 2 * UNIT, 0)
    assert life.books.of(M, STOCK) == (1_999_999_999_999_999_999 - 5 * UNIT, 0)
    assert life.books.of(T, QUOTE) == (400_999_999_999_999_999_796 - 1000 * UNIT, 0)
    assert life.books.of(T, STOCK) == (3_000_000_000_000_000_001, 0)


def test_what_rounding_leaves_of_the_hold_goes_back_to_the_maker() -> None:
    life = Life(replace(BUY, price=3, quantity=UNIT, incentive=0))
    assert life.books.of(M, QUOTE) == (-3, 3)
    life.step(Step(Action.LOCK, 1, TAKER, 600))
    assert [life.fill(2, UNIT // 2).amount for _ in range(2)] == [1, 1]
    assert life.books.of(M, QUOTE) == (-2, 0)
    assert life.books.of(T, QUOTE) == (2, 0)


HOLDS = cases(
    # id,                      order,                                              quote held,  stock held
    ("a buy",                  BUY,                                                3007 * UNIT // 2, 0),
    ("a sell",                 SELL,                                               UNIT,        3 * UNIT + 1),
    ("a sell, no incentive",   replace(SELL, incentive=0),                         0,           3 * UNIT + 1),
    ("a buy, rounded down",    replace(BUY, price=3, quantity=UNIT // 2, incentive=0), 1,       0),
    ("the largest buy",        replace(BUY, price=AMOUNT_MAX, quantity=AMOUNT_MAX, incentive=0), VALUE_MAX, 0),
)  # fmt: skip


@pytest.mark.parametrize(("order", "quote", "stock"), HOLDS)
def test_an_order_holds_what_it_may_cost(order: SignedOrder, quote: int, stock: int) -> None:
    assert order.hold(18) == Hold(quote, stock)
    assert max(len(str(quote)), len(str(stock))) <= 38


def test_the_fee_is_a_part_of_what_is_paid_and_the_takers() -> None:
    amounts = fill_amounts_of(BUY, 18, 4 * UNIT, None, 25)
    assert amounts.fee == 601 * UNIT * 25 // 10_000
    bought = filled(BUY, STOCK, TAKER, amounts, NOTHING)
    assert bought[Account(T, QUOTE)] == Change(amounts.amount + amounts.incentive - amounts.fee)
    assert bought[Account(None, QUOTE)] == Change(amounts.fee)
    amounts = fill_amounts_of(SELL, 18, UNIT, None, 25)
    sold = filled(SELL, STOCK, TAKER, amounts, NOTHING)
    assert sold[Account(T, QUOTE)] == Change(amounts.incentive - amounts.amount - amounts.fee)
    assert sold[Account(None, QUOTE)] == Change(amounts.fee)


def test_an_account_changes_once_however_many_reasons_there_are() -> None:
    """The maker of a sell is its own principal: what is paid and what is given back of the hold are one change."""
    amounts = fill_amounts_of(SELL, 18, SELL.quantity, 0, 0)
    changes = filled(SELL, STOCK, TAKER, amounts, Hold(UNIT, 0))
    assert changes[Account(M, QUOTE)] == Change(amounts.amount + UNIT, -UNIT)
    assert len(changes) == 4


@pytest.mark.parametrize("order", [BUY, SELL, replace(BUY, principal=PRINCIPAL), replace(SELL, principal=PRINCIPAL)])
@pytest.mark.parametrize("fee_bps", [0, 30])
def test_what_customers_read_of_a_fill_adds_up_to_what_it_moved(order: SignedOrder, fee_bps: int) -> None:
    amounts = fill_amounts_of(order, 18, UNIT, None, fee_bps)
    legs = legs_of(order, STOCK, TAKER, amounts)
    kinds = [TransactionType.TRADE, TransactionType.TRADE, TransactionType.TRANSFER, TransactionType.FEE]
    assert [leg.kind for leg in legs] == kinds[: 4 if fee_bps else 3]
    rows = [Transaction("", leg.kind, leg.asset, leg.source, leg.target, leg.amount, None, None, 0) for leg in legs]
    for account, change in filled(order, STOCK, TAKER, amounts, NOTHING).items():
        if account.customer is not None:
            told = sum(row.signed(account.customer) for row in rows if row.asset == account.asset)
            assert told == change.available + change.held


def test_nothing_is_told_of_what_a_fill_does_not_move() -> None:
    legs = legs_of(BUY, STOCK, TAKER, FillAmounts(UNIT, 0, 0, 0))
    assert [(leg.kind, leg.asset) for leg in legs] == [(TransactionType.TRADE, STOCK)]


orders = st.builds(
    SignedOrder,
    maker=st.just(MAKER),
    principal=st.sampled_from([MAKER, PRINCIPAL, OTHER]),
    is_buy=st.booleans(),
    ticker=st.just("AAPL"),
    exchange=st.just(0),
    asset=st.just(QUOTE),
    price=st.one_of(st.integers(1, 5), st.integers(1, AMOUNT_MAX)),
    quantity=st.one_of(st.integers(1, 50), st.integers(1, AMOUNT_MAX)),
    incentive=st.one_of(st.integers(0, 5), st.integers(0, AMOUNT_MAX)),
    deadline=st.integers(1, 60),
    nonce=st.just(1),
)
steps = st.lists(st.tuples(st.sampled_from(Action), st.integers(0, 9), st.integers(0, 100), st.booleans()), max_size=25)


@settings(max_examples=300, deadline=None)
@given(order=orders, fee_bps=st.integers(0, 1000), decimals=st.integers(0, DECIMALS_MAX), steps=steps)
def test_no_sequence_of_steps_makes_or_loses_anything(
    order: SignedOrder, fee_bps: int, decimals: int, steps: list[tuple[Action, int, int, bool]]
) -> None:
    """The clock moves by up to 9 s before each step; a fill is of so many percent of what is left."""
    life, now_s = Life(order, fee_bps, decimals), 0
    for action, passed_s, percent, is_default in steps:
        now_s += passed_s
        life.lapse(now_s)
        try:
            if action is Action.FILL:
                quantity = max(1, (order.quantity - life.state.filled) * percent // 100)
                allowance = order.allowance_of(quantity)
                life.fill(now_s, quantity, None if is_default else allowance * percent // 100)
            else:
                life.step(Step(action, now_s, TAKER, 1 + percent))
        except Forbidden:
            continue
        _check(life)
    life.lapse(now_s + 1000)
    _check(life)


def _check(life: Life) -> None:
    order, state, books = life.order, life.state, life.books
    assert books.total(QUOTE) == books.total(STOCK) == 0
    assert min(state.hold.quote, state.hold.stock) >= 0
    assert (books.of(M, QUOTE)[1], books.of(M, STOCK)[1]) == (state.hold.quote, state.hold.stock)
    assert state.hold == (NOTHING if state.status in FINAL else order.hold(life.decimals) - life.taken)
    assert state.filled == life.filled <= order.quantity
    assert (state.status is Status.FILLED) == (state.filled == order.quantity)
    assert all(account.customer == M for account, amount in books.held.items() if amount)


def test_an_order_is_found_by_its_hash_and_by_its_id() -> None:
    assert order_id_of(BUY_HASH) == order_id_of(BUY_HASH[2:]) == "5ec4bac3-a43c-89e8-b85b-ac8c991bb90f"
    assert order_id_of(BUY_HASH.upper().replace("X", "x")) == order_id_of(BUY_HASH)


def test_a_fill_has_one_id_for_each_order_and_reference() -> None:
    ids = {fill_id_of(order_hash, name) for order_hash in (BUY_HASH, BUY_HASH[:-1] + "2") for name in ("a", "b")}
    assert len(ids) == 4
    assert fill_id_of(BUY_HASH, "a") in ids
