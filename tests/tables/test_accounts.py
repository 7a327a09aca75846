"""Accounts: movements, holds and settlements are applied once and completely, or not at all."""

from __future__ import annotations

import pytest

from chalicelib.domain.ledger.accounts import Balance
from chalicelib.domain.ledger.amounts import AMOUNT_MAX
from chalicelib.domain.ledger.changes import Change
from chalicelib.domain.ledger.owners import customer_key, transactions_key
from chalicelib.domain.ledger.transactions import Movement
from chalicelib.services.ledger.movements import (
    InsufficientBalance,
    Movements,
    ReferenceTaken,
    SameCustomer,
    SupplyTooLarge,
    UnknownToken,
)
from chalicelib.support.ids import time_of
from chalicelib.support.outcomes import ReceiptExists, Unavailable
from chalicelib.tables.accounts import MARKS_IN_ROW_MAX, Accounts, LedgerBroken
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.transactions import Transactions
from chalicelib.tables.writes import Put, TransactionRefused
from tests.ordering import in_order
from tests.world import BASE, register_tokens

INSTANCE, BOOK = "inst_x", "inst_x/ob_1"
AT_MS = 1_736_937_000_000
OWNER, BEN = customer_key(INSTANCE, "ann"), customer_key(INSTANCE, "ben")


def moved(source: str | None, target: str | None, amount: int, **more: str) -> Movement:
    return Movement(INSTANCE, BASE, source, target, amount, **more)


def credited(amount: int, customer: str = "ann", **more: str) -> Movement:
    return moved(None, customer, amount, **more)


@pytest.fixture
def accounts(store: Database) -> Accounts:
    register_tokens(store, INSTANCE)
    return Accounts(store)


@pytest.fixture
def movements(accounts: Accounts, store: Database) -> Movements:  # noqa: ARG001 - the tokens are there
    return Movements(store)


def rows(store: Database) -> list[dict[str, object]]:
    return in_order(store.scan("accounts"))


def test_an_account_comes_into_being_with_its_first_credit(accounts: Accounts, movements: Movements) -> None:
    """T36"""
    assert accounts.balance(OWNER, BASE) == Balance(BASE, 0, 0)
    movements.record(credited(AMOUNT_MAX))
    assert accounts.balance(OWNER, BASE) == Balance(BASE, AMOUNT_MAX, 0)
    assert list(accounts.balances(OWNER)) == [Balance(BASE, AMOUNT_MAX, 0)]


def test_a_debit_takes_what_is_available_and_no_more(accounts: Accounts, movements: Movements, store: Database) -> None:
    movements.record(credited(10))
    store.transact([accounts.change(OWNER, BASE, -4, 4, AT_MS)])
    before = rows(store)
    for takes, amount, available in ((moved("ann", None, 7), 7, 6), (moved("nobody", None, 1), 1, 0),
                                     (moved("ann", "ben", 7), 7, 6), (moved("nobody", "ben", 1), 1, 0)):  # fmt: skip
        with pytest.raises(InsufficientBalance) as refused:
            movements.record(takes)
        assert (refused.value.required, refused.value.available) == (amount, available)
    assert rows(store) == before
    movements.record(moved("ann", None, 6))
    assert accounts.balance(OWNER, BASE) == Balance(BASE, 0, 4)


def test_a_transfer_gives_what_it_takes(accounts: Accounts, movements: Movements, store: Database) -> None:
    movements.record(credited(10))
    movements.record(moved("ann", "ben", 4))
    assert (accounts.balance(OWNER, BASE).total, accounts.balance(BEN, BASE).total) == (6, 4)
    before = rows(store)
    with pytest.raises(SameCustomer):
        movements.record(moved("ann", "ann", 99))
    with pytest.raises(UnknownToken):
        movements.record(Movement(INSTANCE, "0xnone", "ann", "ann", 99))
    assert rows(store) == before


def test_all_balances_of_an_asset_together_have_38_digits_at_most(movements: Movements, store: Database) -> None:
    """T35: so no sum of balances can ever lose a digit."""
    movements.record(credited(AMOUNT_MAX - 1))
    before = rows(store)
    with pytest.raises(SupplyTooLarge):
        movements.record(credited(2, "ben"))
    assert rows(store) == before
    movements.record(credited(1, "ben"))
    movements.record(moved("ann", None, 5))
    movements.record(credited(5, "ben"))


def test_a_transaction_stands_under_each_customer_and_under_the_instance(movements: Movements, store: Database) -> None:
    ids = [
        movements.record(movement).transaction_id
        for movement in (
            credited(9, metadata='{"a":0.5}'),
            moved("ann", "ben", 4, reference="x"),
            moved("ben", None, 1),
        )
    ]
    transactions = Transactions(store)
    listed = list(transactions.newest_first(transactions_key(INSTANCE), page_rows=1))
    assert [transaction.transaction_id for transaction in listed] == ids[::-1]
    assert list(transactions.newest_first(OWNER)) == listed[1:]
    assert list(transactions.newest_first(BEN)) == listed[:2]
    assert (listed[2].metadata, listed[1].reference) == ('{"a":0.5}', "x")
    assert list(transactions.newest_first(OWNER, listed[0].at_ms + 1)) == []
    assert list(transactions.newest_first(OWNER, 0, listed[2].at_ms - 1)) == []
    assert list(transactions.newest_first(BEN, listed[0].at_ms, listed[0].at_ms))[:1] == listed[:1]


def test_a_reference_moves_money_once(accounts: Accounts, movements: Movements, store: Database) -> None:
    first = movements.record(credited(10, reference="bonus"))
    taken = movements.record(moved("ann", "ben", 10, reference="bonus"))
    once = rows(store)
    again = movements.record(credited(10, reference="bonus"))
    assert (again.transaction_id, first.is_new, again.is_new) == (first.transaction_id, True, False)
    assert movements.record(moved("ann", "ben", 10, reference="bonus")).transaction_id == taken.transaction_id
    for other in (credited(11, reference="bonus"), credited(10, reference="bonus", metadata="{}")):
        with pytest.raises(ReferenceTaken):
            movements.record(other)
    assert rows(store) == once
    assert accounts.balance(BEN, BASE).available == 10


def test_a_name_that_the_operator_gives_stands_for_one_movement(movements: Movements, store: Database) -> None:
    first = movements.record(credited(10), name="txn_1")
    once = rows(store)
    assert movements.record(credited(10), name="txn_1").transaction_id == first.transaction_id
    for other in (credited(11), credited(10, "ben"), credited(10, reference="x"), moved("ann", None, 10)):
        with pytest.raises(ReferenceTaken):
            movements.record(other, name="txn_1")
    assert rows(store) == once
    movements.record(credited(10), name="txn_2")


def test_a_receipt_that_is_there_already_stops_the_movement(movements: Movements, store: Database) -> None:
    """T14"""
    receipt = Put("requests", {"scope": "s", "request": "r"}, "attribute_not_exists(#scope)")
    movements.record(credited(10, reference="x"), lambda _transaction: receipt)
    before = rows(store)
    for movement in (credited(10), moved("nobody", None, 1), credited(11, reference="x")):
        with pytest.raises(ReceiptExists):
            movements.record(movement, lambda _transaction: receipt)
    assert rows(store) == before


def test_a_hold_that_is_not_covered_is_refused_with_what_there_is(
    accounts: Accounts, movements: Movements, store: Database
) -> None:
    movements.record(credited(10))
    before = rows(store)
    with pytest.raises(TransactionRefused) as refused:
        store.transact([accounts.change(OWNER, BASE, -11, 11, AT_MS)])
    row = refused.value.refused[0]
    assert row is not None
    assert row["available"] == 10
    assert rows(store) == before


def test_a_settlement_is_applied_once_and_an_older_one_never(
    accounts: Accounts, movements: Movements, store: Database
) -> None:
    movements.record(credited(10))
    store.transact([accounts.change(OWNER, BASE, -10, 10, AT_MS)])
    accounts.settle(BOOK, 3, {(OWNER, BASE): Change(1, -4)}, AT_MS)
    once = rows(store)
    accounts.settle(BOOK, 3, {(OWNER, BASE): Change(1, -4)}, AT_MS)
    accounts.settle(BOOK, 2, {(OWNER, BASE): Change(1, -4)}, AT_MS)
    assert rows(store) == once
    assert accounts.balance(OWNER, BASE) == Balance(BASE, 1, 6)


def test_books_settle_on_one_account_side_by_side(accounts: Accounts) -> None:
    accounts.settle(BOOK, 5, {(OWNER, BASE): Change(1, 0)}, AT_MS)
    accounts.settle("inst_x/ob_2", 1, {(OWNER, BASE): Change(2, 0)}, AT_MS)
    assert accounts.balance(OWNER, BASE) == Balance(BASE, 3, 0)


@pytest.mark.parametrize("change", [Change(0, -1), Change(-11, 0)])
def test_a_settlement_that_would_leave_less_than_nothing_is_a_broken_ledger(
    accounts: Accounts, movements: Movements, store: Database, change: Change
) -> None:
    """Guarantee 2"""
    movements.record(credited(10))
    before = rows(store)
    with pytest.raises(LedgerBroken):
        accounts.settle(BOOK, 1, {(OWNER, BASE): change}, AT_MS)
    assert rows(store) == before


def test_less_supply_than_balances_is_a_broken_ledger(movements: Movements, store: Database) -> None:
    movements.record(credited(10))
    (supply,) = (row for row in store.scan("accounts") if row["owner"] == f"{INSTANCE}/supply")
    store.put_many("accounts", [supply | {"available": 3}])
    before = rows(store)
    with pytest.raises(LedgerBroken):
        movements.record(moved("ann", None, 5))
    assert rows(store) == before


def test_an_account_tells_when_it_last_changed(accounts: Accounts, movements: Movements, store: Database) -> None:
    """R36: by a movement, a hold or a settlement; an entry that was applied before changes nothing."""
    assert accounts.balance(OWNER, BASE).changed_at_ms is None
    transaction_id = movements.record(credited(10)).transaction_id
    assert accounts.balance(OWNER, BASE).changed_at_ms == time_of(transaction_id)
    store.transact([accounts.change(OWNER, BASE, -10, 10, AT_MS)])
    assert accounts.balance(OWNER, BASE).changed_at_ms == AT_MS
    accounts.settle(BOOK, 3, {(OWNER, BASE): Change(1, -4)}, AT_MS + 1)
    accounts.settle(BOOK, 3, {(OWNER, BASE): Change(1, -4)}, AT_MS + 2)
    assert [balance.changed_at_ms for balance in accounts.balances(OWNER)] == [AT_MS + 1]


def marks_of(store: Database, asset: str = BASE) -> tuple[dict[str, int], dict[str, int]]:
    """Return ann's marks that stand in her account's row, and those beside it."""
    row = store.get("accounts", {"owner": OWNER, "entry": f"balance/{asset}"})
    assert row is not None
    inside = {name.removeprefix("mark/"): value for name, value in row.items() if name.startswith("mark/")}
    start = f"mark/{asset}/"
    beside = store.query(
        "accounts", "#owner = :owner AND begins_with(#entry, :start)", {":owner": OWNER, ":start": start}
    )
    return inside, {row["entry"].removeprefix(start): row["sequence"] for row in beside}


def settle_one(accounts: Accounts, book: str, sequence: int, available: int = 1, held: int = 0) -> None:
    accounts.settle(book, sequence, {(OWNER, BASE): Change(available, held)}, AT_MS)


def test_an_account_of_many_books_keeps_a_small_row_and_takes_each_entry_once(
    accounts: Accounts, movements: Movements, store: Database
) -> None:
    """T54: the first books' marks stand in the row, the others' beside it; each applies an entry once, in both places,
    whether the settling process knows the account or not."""
    movements.record(credited(1_000))
    books = [f"{INSTANCE}/ob_{number:02}" for number in range(MARKS_IN_ROW_MAX + 5)]
    for sequence in (1, 2):
        for book in books:
            settle_one(accounts, book, sequence)
            settle_one(accounts, book, sequence)
            settle_one(Accounts(store), book, sequence)
            settle_one(Accounts(store), book, 1)
    assert accounts.balance(OWNER, BASE) == Balance(BASE, 1_000 + 2 * len(books), 0)
    assert marks_of(store) == (dict.fromkeys(books[:MARKS_IN_ROW_MAX], 2), dict.fromkeys(books[MARKS_IN_ROW_MAX:], 2))


def test_a_settlement_beside_the_row_takes_only_what_is_there(
    accounts: Accounts, movements: Movements, store: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chalicelib.tables.accounts.MARKS_IN_ROW_MAX", 0)
    movements.record(credited(10))
    settle_one(accounts, BOOK, 1)
    before = rows(store)
    for change in (Change(-12, 0), Change(0, -1)):
        with pytest.raises(LedgerBroken):
            accounts.settle(BOOK, 2, {(OWNER, BASE): change}, AT_MS)
    assert rows(store) == before
    assert marks_of(store) == ({}, {BOOK: 1})


def test_an_account_with_more_marks_than_a_row_may_have_gives_them_to_rows_of_their_own(
    accounts: Accounts,  # noqa: ARG001 - the tokens are there
    movements: Movements,
    store: Database,
) -> None:
    movements.record(credited(10))
    check_that_marks_are_moved(store, 120)


def test_an_account_of_8000_marks_wedges_no_book(memory_database: Database) -> None:
    """A row of near 400 KB, as earlier versions made them, becomes a small one."""
    register_tokens(memory_database, INSTANCE)
    Movements(memory_database).record(credited(10))
    check_that_marks_are_moved(memory_database, 8_000)


def check_that_marks_are_moved(store: Database, marks: int) -> None:
    """Settle an account with marks of so many other books for one more, and for two of the others."""
    books = [f"{INSTANCE}/ob_01JHMR6K204D9DMWM0Y7F{number:05}" for number in range(marks)]
    (row,) = [row for row in store.scan("accounts") if (row["owner"], row["entry"]) == (OWNER, f"balance/{BASE}")]
    store.put_many("accounts", [row | {f"mark/{book}": 7 for book in books}])
    accounts = Accounts(store)
    settle_one(accounts, BOOK, 1)
    inside, beside = marks_of(store)
    assert len(inside) == MARKS_IN_ROW_MAX
    assert inside | beside == dict.fromkeys(books, 7) | {BOOK: 1}
    for book in (books[0], books[-1]):
        settle_one(accounts, book, 7)
        settle_one(Accounts(store), book, 8)
    assert accounts.balance(OWNER, BASE).available == 10 + 1 + 2


def test_a_row_that_became_full_since_it_was_read_takes_no_mark(
    accounts: Accounts, movements: Movements, store: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A matcher that knows the account settles after another has set its mark beside: the entry is applied once."""
    movements.record(credited(10))
    late = Accounts(store)
    late._known.add((BOOK, (OWNER, BASE)))
    monkeypatch.setattr("chalicelib.tables.accounts.MARKS_IN_ROW_MAX", 0)
    settle_one(accounts, BOOK, 1)
    settle_one(late, BOOK, 1)
    assert accounts.balance(OWNER, BASE).available == 11
    assert marks_of(store) == ({}, {BOOK: 1})


def test_a_mark_in_the_row_is_not_set_beside_it(
    accounts: Accounts, movements: Movements, store: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is told that the row is full, and comes late, finds the mark that another has set there."""
    movements.record(credited(10))
    settle_one(accounts, BOOK, 1)
    monkeypatch.setattr("chalicelib.tables.accounts.MARKS_IN_ROW_MAX", 1)
    settle_one(accounts, f"{BOOK}/2", 1)
    with pytest.raises(LedgerBroken):
        accounts._settle_beside((OWNER, BASE), BOOK, 1, Change(1, 0), AT_MS)
    assert accounts.balance(OWNER, BASE).available == 12
    assert marks_of(store) == ({BOOK: 1}, {f"{BOOK}/2": 1})


def test_marks_that_another_book_moves_meanwhile_are_not_moved(
    accounts: Accounts, movements: Movements, store: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    movements.record(credited(10))
    for book in ("a/1", "a/2", "a/3"):
        settle_one(accounts, book, 1)
    (row,) = [row for row in store.scan("accounts") if "mark/a/1" in row]
    settle_one(accounts, "a/3", 2)
    monkeypatch.setattr("chalicelib.tables.accounts.MARKS_IN_ROW_MAX", 1)
    with pytest.raises(Unavailable):
        accounts._declare_full(row, [("a/2", 1), ("a/3", 1)])
    assert marks_of(store) == ({"a/1": 1, "a/2": 1, "a/3": 2}, {})
