"""GET /user/balances: what a customer has, and since when (R36)."""

from __future__ import annotations

import pytest

from chalicelib.domain.ledger.tokens import new_token
from chalicelib.services.books.matcher import Matcher
from chalicelib.services.books.redrive import redrive
from chalicelib.support.clock import iso, new_id
from chalicelib.support.ids import time_of
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.tokens import Tokens
from tests.apis.trade.desk import SignedDesk, data_of, open_trade_desk
from tests.apis.trade.rows import NOW_MS
from tests.world import BASE, INSTANCE, World

BALANCES = "/trade/user/balances"
CENT_ADDRESS = "0x" + "e" * 40


@pytest.fixture
def desk(memory_database: Database) -> SignedDesk:
    desk = open_trade_desk(World(memory_database))
    cent = new_token("tok_01JNG6PKNRVDVZT0DFJNS2394R", CENT_ADDRESS, "Cent", "cent", 2)
    Tokens(memory_database).register(INSTANCE, cent)
    return desk


def rows(desk: SignedDesk, **query: object) -> dict[str, dict[str, object]]:
    return {row["currency_code"]: row for row in data_of(desk.get(BALANCES, query))}


def test_symbols_that_become_one_in_upper_case_alone_have_two_codes(desk: SignedDesk) -> None:
    """T44"""
    tokens = Tokens(desk.world.database)
    for number, symbol in enumerate(("ss", "\u00df", "k", "\u212a", "i", "\u0131", "\u017fs")):
        tokens.register(INSTANCE, new_token(new_id("tok"), f"0x{number:040x}", symbol, symbol))
    shown = [row["currency_code"] for row in data_of(desk.get(BALANCES))]
    assert sorted(shown) == sorted({"B", "CENT", "Q", "SS", "\u00df", "K", "\u212a", "I", "\u0131", "\u017fS"})
    assert list(rows(desk, currency_code="ss")) == ["SS"]
    assert list(rows(desk, currency_code="\u00df")) == ["\u00df"]


def test_the_last_update_is_the_accounts_last_change(desk: SignedDesk) -> None:
    """A credit, a hold and a trade each; another asset's account stays as it was."""
    world = desk.world
    world.credit("ann", CENT_ADDRESS, 5)
    credited = rows(desk)
    assert credited["CENT"]["last_update"] != "2025-03-04T09:10:00.120Z"
    order_id = world.placed("ann", "BUY", 10, 5)
    held = rows(desk)
    assert held["Q"]["last_update"] == iso(time_of(order_id))
    assert (held["Q"]["locked_amount"], held["B"]) == (5e-17, credited["B"])
    world.placed("ben", "SELL", 4, 5)
    redrive(world.database, Matcher(world.database, lambda: NOW_MS), world.book)
    traded = rows(desk)
    assert traded["B"]["last_update"] == traded["Q"]["last_update"] == iso(NOW_MS)
    assert (traded["B"]["available_amount"], traded["Q"]["locked_amount"]) == (1004, 3e-17)


def test_a_debit_and_a_transfer_are_changes_too(desk: SignedDesk) -> None:
    world, before = desk.world, data_of(desk.get(BALANCES, {"currency_code": "B"}))
    for source, target in (("ann", None), ("ann", "ben"), ("ben", "ann")):
        transaction_id = world.move(source, target, BASE, 7)
        (row,) = data_of(desk.get(BALANCES, {"currency_code": "B"}))
        assert row["last_update"] == iso(time_of(transaction_id))
        assert row["available_amount"] != before[0]["available_amount"]
        before = [row]
