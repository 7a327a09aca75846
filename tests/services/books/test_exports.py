"""Exports add up: to balances, from balance to balance, and with each other (T99)."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.books.config import BookConfig
from chalicelib.domain.ledger.amounts import Side
from chalicelib.domain.ledger.owners import book_key, fees_key
from chalicelib.domain.ledger.transactions import Transaction, TransactionType, Withdrawal
from chalicelib.services.books.earnings import Earnings
from chalicelib.services.books.exports import Exports, Span
from chalicelib.services.books.matcher import Matcher
from chalicelib.services.books.redrive import redrive
from chalicelib.services.ledger.withdrawals import Withdrawals
from chalicelib.support.clock import now_ms
from chalicelib.tables.accounts import Accounts
from chalicelib.tables.dynamodb import Database
from tests.in_memory import database_of, empty_tables
from tests.recording import nobody
from tests.scenarios import CUSTOMERS, credit_all
from tests.world import BASE, BOOK_ID, INSTANCE, QUOTE, World, asked

OTHER_BOOK = "ob_other"
FUNDS = 10**6
Sums = Counter[tuple[str, str]]
"""By customer and asset."""


def a_moment() -> int:
    """Return the time, once its millisecond is over."""
    at_ms = now_ms()
    while now_ms() == at_ms:
        pass
    return at_ms


class Market:
    """Two books of one pair of assets, turned around, and another instance with the same customers.

    at_ms, then: a moment in between, and the balances of then.
    """

    def __init__(self, database: Database) -> None:
        self.world = World(database, maker_fee_bps=100, taker_fee_bps=250)
        self.at_ms, self.then = 0, Sums()
        turned = {"book_id": OTHER_BOOK, "symbol": "Q/B", "base_asset": QUOTE, "quote_asset": BASE}
        self.other: BookConfig = replace(self.world.config, **turned)
        self.world.books.create(self.other)
        elsewhere = World(database, instance="inst_test0002")
        elsewhere.credit("ann", BASE, 77)
        elsewhere.placed("ann", "SELL", 5, 1)

    def decide(self) -> None:
        database = self.world.database
        for book_id in (BOOK_ID, OTHER_BOOK):
            nobody(redrive)(database, Matcher(database, now_ms), book_key(INSTANCE, book_id))

    def live(self, steps: int, seed: int) -> None:
        """Place, trade (with oneself too), cancel, move, withdraw fees; at random."""
        draw, world = random.Random(seed), self.world
        for _ in range(steps):
            customer, book = draw.choice(CUSTOMERS), draw.choice((BOOK_ID, OTHER_BOOK))
            match draw.randrange(6):
                case 0:
                    giver, taker = draw.sample(CUSTOMERS, 2)
                    world.move(giver, taker, draw.choice((BASE, QUOTE)), draw.randint(1, 99), metadata='{"for":"=1"}')
                case 1:
                    world.move(customer, None, BASE, draw.randint(1, 9), reference=str(draw.random()))
                case 2:
                    self.withdraw(draw.choice([*CUSTOMERS, None]), str(draw.random()))
                case _:
                    side, price = draw.choice(("BUY", "SELL")), draw.choice([None, *range(97, 104)])
                    order = asked(customer, side, draw.randint(1, 60), price, draw.choice(("GTC", "GTC", "IOC")))
                    world.admission.place(INSTANCE, book, order)
                    self.decide()
        self.decide()

    def withdraw(self, target: str | None, reference: str) -> None:
        available = Accounts(self.world.database).balance(fees_key(INSTANCE, BOOK_ID), QUOTE).available
        if available:
            asked_for = Withdrawal(INSTANCE, BOOK_ID, QUOTE, target, (available + 1) // 2, reference)
            Withdrawals(self.world.database).take(asked_for)

    def balances(self) -> Sums:
        found = {(one, asset): sum(self.world.balance(one, asset)) for one in CUSTOMERS for asset in (BASE, QUOTE)}
        return Counter({account: total for account, total in found.items() if total})


@pytest.fixture(scope="module")
def market() -> Market:
    client = empty_tables()
    market = Market(database_of(client))
    credit_all(market.world, FUNDS)
    market.live(60, seed=19)
    market.at_ms, market.then = a_moment(), market.balances()
    market.live(60, seed=20)
    return market


@pytest.fixture(scope="module")
def exports(market: Market) -> Exports:
    return Exports(market.world.database)


def added(rows: Iterable[Transaction]) -> Sums:
    sums: Sums = Counter()
    for row in rows:
        for customer in {row.source, row.target} - {None}:
            sums[str(customer), row.asset] += row.signed(str(customer))
    return Counter({account: total for account, total in sums.items() if total})


def everything(exports: Exports) -> list[Transaction]:
    return list(exports.transactions(INSTANCE, Span()))


def test_transactions_of_an_instance_add_up_to_every_balance(market: Market, exports: Exports) -> None:
    assert added(everything(exports)) == market.balances()
    kinds = {row.kind for row in everything(exports)}
    assert kinds == set(TransactionType), "the market has lived through everything"


def test_transactions_of_each_customer_add_up_to_its_balances(market: Market, exports: Exports) -> None:
    for customer in CUSTOMERS:
        sums = dict.fromkeys((BASE, QUOTE), 0)
        for row in exports.transactions(INSTANCE, Span(customer=customer)):
            sums[row.asset] += row.signed(customer)
        assert sums == {one.asset: one.total for one in exports.balances(INSTANCE, customer)}
        assert [one.available for one in exports.balances(INSTANCE, customer)] == [
            market.world.balance(customer, asset)[0] for asset in (BASE, QUOTE)
        ]


def test_a_span_leads_from_the_balances_before_it_to_those_after(market: Market, exports: Exports) -> None:
    at_ms = market.at_ms
    then: Sums = Counter(
        {
            (customer, one.asset): one.total
            for customer in CUSTOMERS
            for one in exports.balances(INSTANCE, customer, at_ms)
        }
    )
    assert then == market.then == added(exports.transactions(INSTANCE, Span(to_ms=at_ms)))
    for account, change in added(exports.transactions(INSTANCE, Span(from_ms=at_ms + 1))).items():
        then[account] += change
    assert then == market.balances()


def test_credits_less_debits_are_all_balances_and_the_fees_that_are_there(market: Market, exports: Exports) -> None:
    signs = {TransactionType.CREDIT: 1, TransactionType.DEBIT: -1}
    supply = Counter[str]()
    for row in everything(exports):
        supply[row.asset] += signs.get(row.kind, 0) * row.amount
    held = Counter[str]()
    for (_, asset), total in market.balances().items():
        held[asset] += total
    for fees in Earnings(market.world.database).of_instance(INSTANCE):
        held[fees.asset] += fees.available
    assert supply == held


def test_fees_less_withdrawals_are_the_fees_that_are_there(market: Market, exports: Exports) -> None:
    left = Counter[str]()
    for row in everything(exports):
        left[row.asset] += row.amount * ((row.kind is TransactionType.FEE) - (row.fees is not None))
    there = Counter[str]()
    for fees in Earnings(market.world.database).of_instance(INSTANCE):
        there[fees.asset] += fees.available
    assert left == there


def test_trades_are_what_transactions_and_orders_came_to(exports: Exports) -> None:
    trades = list(exports.trades(INSTANCE, Span()))
    legs = {row.reference for row in everything(exports) if row.kind is TransactionType.TRADE}
    assert {trade.trade_id for trade in trades} == legs
    filled, notional = Counter[str](), Counter[str]()
    for trade in trades:
        for order_id in (trade.buy_order_id, trade.sell_order_id):
            filled[order_id] += trade.quantity
            notional[order_id] += trade.notional
    orders = {order.order_id: order for order in exports.orders_of_all(INSTANCE, Span())}
    assert filled == Counter({name: order.filled for name, order in orders.items() if order.filled})
    assert notional == Counter({name: order.notional for name, order in orders.items() if order.notional})
    assert {order.status.is_live for order in orders.values()} == {True, False}


def test_a_customers_trades_are_those_of_all_with_its_own_fees(exports: Exports) -> None:
    of_all = {trade.trade_id: trade for trade in exports.trades(INSTANCE, Span())}
    for customer in CUSTOMERS:
        own = list(exports.trades(INSTANCE, Span(customer=customer)))
        assert {trade.trade_id for trade in own} == {
            name for name, trade in of_all.items() if customer in (trade.buyer, trade.seller)
        }
        for trade in own:
            known = replace(
                of_all[trade.trade_id],
                buyer_fee=of_all[trade.trade_id].buyer_fee if trade.buyer == customer else None,
                seller_fee=of_all[trade.trade_id].seller_fee if trade.seller == customer else None,
            )
            assert trade == known
    assert any(trade.buyer == trade.seller for trade in of_all.values())
    assert {trade.taker_side for trade in of_all.values()} == set(Side)


def test_orders_of_all_are_those_of_each_customer(exports: Exports) -> None:
    assert exports.customers(INSTANCE) == list(CUSTOMERS)
    of_each = [order for customer in CUSTOMERS for order in exports.orders(INSTANCE, customer, Span())]
    of_all = list(exports.orders_of_all(INSTANCE, Span()))
    assert sorted(of_all, key=lambda one: one.order_id) == sorted(of_each, key=lambda one: one.order_id)
    assert len(of_all) > 40
    middle = sorted(order.created_at_ms for order in of_all)[len(of_all) // 2]
    late = {order.order_id for order in of_all if order.created_at_ms >= middle}
    assert {order.order_id for order in exports.orders_of_all(INSTANCE, Span(from_ms=middle))} == late


PAGED: list[tuple[Callable[[Exports, Span], Iterable[Any]], str]] = [
    (lambda exports, span: exports.transactions(INSTANCE, span), "transaction_id"),
    (lambda exports, span: exports.transactions(INSTANCE, replace(span, customer="ann")), "transaction_id"),
    (lambda exports, span: exports.trades(INSTANCE, span), "trade_id"),
    (lambda exports, span: exports.trades(INSTANCE, replace(span, customer="ann")), "trade_id"),
    (lambda exports, span: exports.orders(INSTANCE, "ann", span), "order_id"),
]


@pytest.mark.parametrize(("read", "name"), PAGED)
def test_whoever_goes_on_behind_a_row_gets_the_rest(
    exports: Exports, read: Callable[[Exports, Span], Iterable[Any]], name: str
) -> None:
    ids = [getattr(row, name) for row in read(exports, Span())]
    assert ids == sorted(ids, reverse=True)
    assert len(set(ids)) == len(ids) > 10
    for number, row_id in enumerate(ids, 1):
        assert [getattr(row, name) for row in read(exports, Span(after=row_id))] == ids[number:]
