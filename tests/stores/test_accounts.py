"""Accounts: credits, debits, holds and settlements; each is done once and whole, or not at all."""

from __future__ import annotations

import pytest

from chalicelib.core.ledger import Delta
from chalicelib.core.vocabulary import AMOUNT_MAX
from chalicelib.stores.accounts import (
    Accounts,
    Balance,
    InsufficientBalance,
    LedgerBroken,
    SupplyTooLarge,
    Transaction,
    TransactionMismatch,
    TransactionType,
)
from chalicelib.stores.dynamodb import Database, TransactionRefused
from chalicelib.stores.keys import customer_key

INSTANCE, GOLD, BOOK = "inst_x", "0xgold", "inst_x/ob_1"
OWNER = customer_key(INSTANCE, "ann")


def transaction(kind: str, amount: int, number: int = 1, customer: str = "ann") -> Transaction:
    return Transaction(f"txn_{number}", TransactionType(kind), INSTANCE, customer, GOLD, amount)


@pytest.fixture
def accounts(store: Database) -> Accounts:
    return Accounts(store)


def rows(store: Database) -> list[dict[str, object]]:
    return sorted(store.scan("accounts"), key=repr)


def test_an_account_comes_into_being_with_its_first_credit(accounts: Accounts) -> None:
    """T36"""
    assert accounts.balance(OWNER, GOLD) == Balance(GOLD, 0, 0)
    accounts.record(transaction("credit", AMOUNT_MAX))
    assert accounts.balance(OWNER, GOLD) == Balance(GOLD, AMOUNT_MAX, 0)
    assert list(accounts.balances(OWNER)) == [Balance(GOLD, AMOUNT_MAX, 0)]


def test_a_transaction_is_recorded_once_however_often_it_is_sent(accounts: Accounts, store: Database) -> None:
    accounts.record(transaction("credit", 10))
    once = rows(store)
    accounts.record(transaction("credit", 10))
    assert rows(store) == once
    with pytest.raises(TransactionMismatch):
        accounts.record(transaction("credit", 11))
    assert rows(store) == once


def test_a_debit_takes_what_is_available_and_no_more(accounts: Accounts, store: Database) -> None:
    accounts.record(transaction("credit", 10))
    store.transact([accounts.hold(OWNER, GOLD, 4)])
    before = rows(store)
    with pytest.raises(InsufficientBalance) as refused:
        accounts.record(transaction("debit", 7, 2))
    assert refused.value.available == 6
    with pytest.raises(InsufficientBalance) as refused:
        accounts.record(transaction("debit", 1, 2, "nobody"))
    assert refused.value.available == 0
    assert rows(store) == before
    accounts.record(transaction("debit", 6, 2))
    assert accounts.balance(OWNER, GOLD) == Balance(GOLD, 0, 4)


def test_all_balances_of_an_asset_together_have_38_digits_at_most(accounts: Accounts, store: Database) -> None:
    """T35: so no sum of balances can ever lose a digit."""
    accounts.record(transaction("credit", AMOUNT_MAX - 1))
    before = rows(store)
    with pytest.raises(SupplyTooLarge):
        accounts.record(transaction("credit", 2, 2, "ben"))
    assert rows(store) == before
    accounts.record(transaction("credit", 1, 2, "ben"))
    accounts.record(transaction("debit", 5, 3))
    accounts.record(transaction("credit", 5, 4, "ben"))


def test_a_hold_that_is_not_covered_is_refused_with_what_there_is(accounts: Accounts, store: Database) -> None:
    accounts.record(transaction("credit", 10))
    before = rows(store)
    with pytest.raises(TransactionRefused) as refused:
        store.transact([accounts.hold(OWNER, GOLD, 11)])
    row = refused.value.refused[0]
    assert row is not None
    assert row["available"] == 10
    assert rows(store) == before


def test_a_settlement_is_applied_once_and_an_older_one_never(accounts: Accounts, store: Database) -> None:
    accounts.record(transaction("credit", 10))
    store.transact([accounts.hold(OWNER, GOLD, 10)])
    accounts.settle(OWNER, GOLD, BOOK, 3, Delta(1, -4))
    once = rows(store)
    accounts.settle(OWNER, GOLD, BOOK, 3, Delta(1, -4))
    accounts.settle(OWNER, GOLD, BOOK, 2, Delta(1, -4))
    assert rows(store) == once
    assert accounts.balance(OWNER, GOLD) == Balance(GOLD, 1, 6)


def test_books_settle_on_one_account_side_by_side(accounts: Accounts) -> None:
    accounts.settle(OWNER, GOLD, BOOK, 5, Delta(1, 0))
    accounts.settle(OWNER, GOLD, "inst_x/ob_2", 1, Delta(2, 0))
    assert accounts.balance(OWNER, GOLD) == Balance(GOLD, 3, 0)


@pytest.mark.parametrize("delta", [Delta(0, -1), Delta(-11, 0)])
def test_a_settlement_that_would_leave_less_than_nothing_is_a_broken_ledger(
    accounts: Accounts, store: Database, delta: Delta
) -> None:
    """Guarantee 2"""
    accounts.record(transaction("credit", 10))
    before = rows(store)
    with pytest.raises(LedgerBroken):
        accounts.settle(OWNER, GOLD, BOOK, 1, delta)
    assert rows(store) == before
