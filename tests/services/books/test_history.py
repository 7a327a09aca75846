"""Balances as of an earlier moment, and statements: exact whatever is being written meanwhile."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from chalicelib.domain.ledger.owners import customer_key
from chalicelib.domain.ledger.transactions import TransactionType
from chalicelib.services.books import history as module
from chalicelib.services.books.history import History, HistoryTooLong
from chalicelib.services.books.matcher import Matcher
from chalicelib.support.clock import now_ms
from chalicelib.support.outcomes import Unavailable
from chalicelib.tables.account_rows import AccountRow
from chalicelib.tables.accounts import MARKS_IN_ROW_MAX
from chalicelib.tables.dynamodb import Database
from tests.world import BASE, INSTANCE, QUOTE, World

CUSTOMERS = ("ann", "ben", "cem")


class LiveWorld(World):
    """A world whose matcher has the time that it is, as movements have."""

    def matcher(self) -> Matcher:
        return Matcher(self.database, now_ms)


@pytest.fixture
def world(memory_database: Database) -> World:
    world = LiveWorld(memory_database, maker_fee_bps=100, taker_fee_bps=250)
    for customer in CUSTOMERS:
        world.credit(customer, BASE, 100_000)
        world.credit(customer, QUOTE, 100_000)
    return world


def a_moment() -> int:
    """Return the time, once its millisecond is over."""
    at_ms = now_ms()
    while now_ms() == at_ms:
        pass
    return at_ms


def totals(world: World, customer: str) -> dict[str, int]:
    return {asset: sum(world.balance(customer, asset)) for asset in (BASE, QUOTE)}


def trade(world: World, buyer: str = "ann", seller: str = "ben", quantity: int = 10, price: int = 100) -> None:
    world.placed(seller, "SELL", quantity, price)
    world.placed(buyer, "BUY", quantity, price)
    assert world.deliver(world.matcher(), world.records[-2:]) == []


def test_each_moment_has_the_balances_that_there_were(world: World) -> None:
    """Trades, trades with oneself, transfers and credits at random."""
    chance, history = random.Random(19), History(world.database)
    seen: list[tuple[int, dict[str, dict[str, int]]]] = []
    for _ in range(40):
        match chance.randrange(4):
            case 0 | 1:
                trade(world, *chance.choices(CUSTOMERS, k=2), chance.randint(1, 50), chance.randint(90, 110))
            case 2:
                giver, taker = chance.sample(CUSTOMERS, 2)
                world.move(giver, taker, chance.choice((BASE, QUOTE)), chance.randint(1, 99))
            case _:
                world.credit(chance.choice(CUSTOMERS), BASE, 7)
        seen.append((a_moment(), {customer: totals(world, customer) for customer in CUSTOMERS}))
    for at_ms, then in seen:
        assert {customer: history.balances_at(INSTANCE, customer, at_ms) for customer in CUSTOMERS} == then


def test_before_its_first_row_a_customer_has_nothing(world: World) -> None:
    assert History(world.database).balances_at(INSTANCE, "ann", 0) == {BASE: 0, QUOTE: 0}
    assert History(world.database).balances_at(INSTANCE, "nobody", a_moment()) == {}


def test_a_statement_leads_from_balance_to_balance(world: World) -> None:
    began_ms = a_moment()
    trade(world, "ann", "ben", 10, 100)
    world.move("ann", None, QUOTE, 5)
    rows = list(History(world.database).statement(INSTANCE, "ann", began_ms + 1))
    assert [(row.transaction.kind, row.transaction.asset, row.amount, row.after) for row in rows] == [
        (TransactionType.DEBIT, QUOTE, -5, 98_995),
        (TransactionType.TRADE, QUOTE, -1000, 99_000),
        (TransactionType.TRADE, BASE, 10, 100_010),
    ]
    for asset in (BASE, QUOTE):
        of_asset = list(History(world.database).statement(INSTANCE, "ann", 0, asset=asset))
        assert of_asset[0].after == totals(world, "ann")[asset]
        assert all(newer.after - newer.amount == older.after for newer, older in pairwise(of_asset))
        assert of_asset[-1].after == of_asset[-1].amount == 100_000


def test_a_statement_of_an_earlier_span_has_the_balances_of_then(world: World) -> None:
    world.move("ann", "ben", QUOTE, 1)
    until_ms = a_moment()
    trade(world)
    (row, *_) = History(world.database).statement(INSTANCE, "ann", 0, until_ms)
    assert (row.amount, row.after) == (-1, 99_999)


def test_a_trade_with_oneself_is_in_a_statement_by_its_fees(world: World) -> None:
    began_ms = a_moment()
    trade(world, "ann", "ann", 100, 100)
    rows = History(world.database).statement(INSTANCE, "ann", began_ms + 1)
    assert [(row.transaction.asset, row.amount) for row in rows] == [(QUOTE, -100), (BASE, -2)]


def meanwhile(monkeypatch: pytest.MonkeyPatch, history: History, act: Callable[[], Any], times: int) -> None:
    """Have something happen after each of the first reads of the balances."""
    marked, left = history._accounts.marked, [*range(times)]

    def marked_then(owner: str) -> Any:
        rows = marked(owner)
        if left:
            left.pop()
            act()
        return rows

    monkeypatch.setattr(history._accounts, "marked", marked_then)


def test_a_movement_between_the_reads_does_not_shift_an_earlier_balance(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_ms, history = a_moment(), History(world.database)
    then = totals(world, "ann")
    meanwhile(monkeypatch, history, lambda: world.move("ann", "ben", QUOTE, 3), times=2)
    assert history.balances_at(INSTANCE, "ann", at_ms) == then
    meanwhile(monkeypatch, history, lambda: world.move("ann", "ben", QUOTE, 3), times=module.TRIES_MAX)
    with pytest.raises(Unavailable):
        history.balances_at(INSTANCE, "ann", at_ms)


def test_a_movement_whose_rows_show_it_one_by_one_does_not_shift_an_earlier_balance(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The movement's own row is there, the balance is still the one before."""
    at_ms, history = a_moment(), History(world.database)
    then, marked = totals(world, "ann"), history._accounts.marked
    late = [marked(customer_key(INSTANCE, "ann"))]
    world.move("ann", "ben", QUOTE, 3)
    monkeypatch.setattr(history._accounts, "marked", lambda owner: late.pop() if late else marked(owner))
    assert history.balances_at(INSTANCE, "ann", at_ms) == then


def test_a_trade_between_the_reads_does_not_shift_an_earlier_balance(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_ms, history = a_moment(), History(world.database)
    then = totals(world, "ann")
    meanwhile(monkeypatch, history, lambda: trade(world), times=1)
    assert history.balances_at(INSTANCE, "ann", at_ms) == then


def rows_of(world: World, table: str) -> list[Any]:
    return list(world.database.scan(table))


def test_a_trade_whose_money_moved_and_whose_fills_are_to_come_is_waited_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PROJECTED_WAIT_S", 0)
    at_ms, view = a_moment(), world.views.of(world.book)
    then = totals(world, "ann")
    trade(world)
    fills, books = rows_of(world, "fills"), rows_of(world, "books")
    world.fills.remove(fills)
    (published,) = (row for row in books if row["part"] == "depth")
    world.database.put_many("books", [published | {"sequence": view.sequence}])
    with pytest.raises(Unavailable):
        History(world.database).balances_at(INSTANCE, "ann", at_ms)
    world.fills.put_rows(fills)
    world.database.put_many("books", books)
    assert History(world.database).balances_at(INSTANCE, "ann", at_ms) == then


def test_a_fill_whose_money_is_to_move_does_not_count(world: World) -> None:
    trade(world)
    at_ms = a_moment()
    then, before = totals(world, "ann"), rows_of(world, "accounts")
    trade(world, quantity=20)
    world.database.put_many("accounts", [row for row in before if row["entry"] == f"balance/{QUOTE}"])
    paid = History(world.database).balances_at(INSTANCE, "ann", at_ms)
    assert paid == then
    assert not any(row.amount == -2000 for row in History(world.database).statement(INSTANCE, "ann", at_ms))


def test_marks_beside_the_row_count_as_those_in_it(world: World) -> None:
    marks = {f"mark/{INSTANCE}/ob_{number:02}": 1 for number in range(MARKS_IN_ROW_MAX)}
    owner = customer_key(INSTANCE, "ann")
    full = [row | marks for row in rows_of(world, "accounts") if row["owner"] == owner and "available" in row]
    world.database.put_many("accounts", full)
    world.database.put_many(
        "books", [{**_published(world), "book": f"{INSTANCE}/ob_{number:02}"} for number in range(MARKS_IN_ROW_MAX)]
    )
    at_ms = a_moment()
    then = totals(world, "ann")
    trade(world)
    assert not any(world.book in row.marks for row in world.accounts.marked(owner) if isinstance(row, AccountRow))
    assert History(world.database).balances_at(INSTANCE, "ann", at_ms) == then != totals(world, "ann")


def _published(world: World) -> dict[str, Any]:
    """Return a depth view of entry 1."""
    trade(world, "ben", "cem")
    return next(row for row in rows_of(world, "books") if row["part"] == "depth") | {"sequence": 1}


def test_a_history_ends_at_its_bound(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROWS_MAX", 3)
    history, began_ms = History(world.database), a_moment()
    for _ in range(3):
        world.move("ann", "ben", QUOTE, 1)
    assert history.balances_at(INSTANCE, "ann", began_ms)[QUOTE] == 100_000
    with pytest.raises(HistoryTooLong):
        history.balances_at(INSTANCE, "ann", 0)
