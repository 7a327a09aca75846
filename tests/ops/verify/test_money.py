"""``verify`` reports edited balances, marks, counters and transactions, with their place."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chalicelib.domain.ledger.owners import customer_key, transactions_key
from chalicelib.domain.ledger.transactions import Movement, Withdrawal
from chalicelib.ops.verify.money import Holds, Ledger, ledger_disagreements
from chalicelib.services.books.disagreements import Disagreement
from chalicelib.services.books.fold import BookFold
from chalicelib.services.ledger.withdrawals import Withdrawals
from chalicelib.tables.account_rows import AccountRow
from chalicelib.tables.rows import Row
from chalicelib.tables.transactions import TransactionRow, owners, transaction_for
from tests.ops.verify.hands import FUNDS, account, disagreement, edit, journal, remove, rows, verified
from tests.world import BASE, BOOK_ID, INSTANCE, QUOTE, World


@pytest.mark.parametrize("asset", [BASE, QUOTE])
@pytest.mark.parametrize("change", [-1, 1])
@pytest.mark.parametrize("name", ["available", "held"])
def test_an_edited_balance_is_reported(world: World, name: str, change: int, asset: str) -> None:
    row = account(world, "ben" if asset == QUOTE else "cat", asset)
    edit(world, "accounts", row, **{name: row[name] + change})
    where = f"account {row['owner']} {asset}, {name}"
    assert disagreement(world) == Disagreement(where, str(row[name]), str(row[name] + change))


def test_a_balance_below_zero_is_reported(world: World) -> None:
    row = account(world, "ann", BASE)
    edit(world, "accounts", row, held=-1)
    assert disagreement(world) == Disagreement(f"account {row['owner']} {BASE}, held", "no negative amount", "-1")


def test_two_edits_that_cancel_each_other_out_are_reported(world: World) -> None:
    """The sum of all accounts is as it was."""
    ann, ben = account(world, "ann", QUOTE), account(world, "ben", QUOTE)
    edit(world, "accounts", ann, available=ann["available"] + 5)
    edit(world, "accounts", ben, available=ben["available"] - 5)
    where = f"account {ann['owner']} {QUOTE}, available"
    assert disagreement(world) == Disagreement(where, str(ann["available"]), str(ann["available"] + 5))


def test_funds_moved_from_held_to_available_are_reported(world: World) -> None:
    """The account's sum is as it was."""
    ben = account(world, "ben", QUOTE)
    edit(world, "accounts", ben, available=ben["available"] + 5, held=ben["held"] - 5)
    assert disagreement(world).where == f"account {ben['owner']} {QUOTE}, held"


def test_an_edited_fee_account_is_reported(world: World) -> None:
    (fees,) = rows(world, "accounts", owner=f"{INSTANCE}/fees/{BOOK_ID}", entry=f"balance/{QUOTE}")
    edit(world, "accounts", fees, available=fees["available"] - 1)
    assert disagreement(world).where == f"account {INSTANCE}/fees/{BOOK_ID} {QUOTE}, available"


def test_a_removed_account_is_reported(world: World) -> None:
    row = account(world, "cat", BASE)
    remove(world, "accounts", row, "owner", "entry")
    assert disagreement(world) == Disagreement(f"account {row['owner']} {BASE}", "the account", "no row")


def test_an_edited_mark_is_reported(world: World) -> None:
    row, last = account(world, "ann", BASE), journal(world)[-1].sequence
    mark = f"mark/{world.book}"
    where = f"account {row['owner']} {BASE}, mark of {world.book}"
    edit(world, "accounts", row, **{mark: row[mark] - 1})
    assert disagreement(world) == Disagreement(where, str(row[mark]), str(row[mark] - 1))
    edit(world, "accounts", row, **{mark: last + 1})
    told = disagreement(world)
    assert told.where == where
    assert told.found.startswith(f"{last + 1}: entries were removed")
    world.database.put_many("accounts", [{name: value for name, value in row.items() if name != mark}])
    assert disagreement(world) == Disagreement(where, str(row[mark]), "nothing")
    world.database.put_many("accounts", [row | {f"mark/{INSTANCE}/ob_none": 1}])
    assert disagreement(world).where == f"account {row['owner']} {BASE}, mark of {INSTANCE}/ob_none"


def test_an_edited_mark_beside_its_account_is_reported(world: World) -> None:
    """T54: a mark in a row of its own is as good as one in the account's row; both at once are not."""
    row = account(world, "ann", BASE)
    mark, where = f"mark/{world.book}", f"account {row['owner']} {BASE}, mark of {world.book}"
    beside = {"owner": row["owner"], "entry": f"mark/{BASE}/{world.book}", "sequence": row[mark]}
    moved = {name: value for name, value in row.items() if name != mark} | {"marks_beside": True}
    world.database.put_many("accounts", [moved, beside])
    verified(world)
    edit(world, "accounts", beside, sequence=row[mark] - 1)
    assert disagreement(world) == Disagreement(where, str(row[mark]), str(row[mark] - 1))
    world.database.put_many("accounts", [row, beside])
    assert disagreement(world) == Disagreement(where, "in the row or beside it", "both")


def test_an_edited_supply_counter_is_reported(world: World) -> None:
    (row,) = rows(world, "accounts", owner=f"{INSTANCE}/supply", entry=f"balance/{BASE}")
    edit(world, "accounts", row, available=row["available"] + 1)
    where = f"{INSTANCE} {BASE}, supply counter (credits - debits)"
    assert disagreement(world) == Disagreement(where, str(5 * FUNDS), str(5 * FUNDS + 1))
    edit(world, "accounts", row, held=1)
    assert disagreement(world) == Disagreement(where, str(5 * FUNDS), str(5 * FUNDS + 1))
    remove(world, "accounts", row, "owner", "entry")
    assert disagreement(world) == Disagreement(where, str(5 * FUNDS), "no row")


def test_money_created_by_a_journal_is_revealed_by_the_sum(world: World) -> None:
    """Every account agrees with the journal; the journal does not with the credits."""
    fold, ledger, owner = BookFold(world.book, world.config), Ledger(), customer_key(INSTANCE, "ann")
    fold.settled[owner, BASE], fold.marks[owner, BASE] = 5, 1
    ledger.add(AccountRow(owner, BASE, 12, 0, {world.book: 1}))
    credit = transaction_for(Movement(INSTANCE, BASE, None, "ann", 7), "txn_01JHMR6K204D9DMWM0Y7FCREPF")
    for place in owners(INSTANCE, credit):
        ledger.add(TransactionRow(place, credit))
    ledger.add(AccountRow(f"{INSTANCE}/supply", BASE, 7, 0, {}))
    fold.state.head = replace(fold.state.head, sequence=1)
    (told,) = ledger_disagreements(ledger, {world.book: fold}, Holds())
    assert told == Disagreement(f"{INSTANCE} {BASE}, sum of all accounts", "7", "12")


def copies_of(world: World, customer: str, kind: str, asset: str = QUOTE) -> list[Row]:
    """Return the copies of the customer's one transaction of this type: its own, then the instance's."""
    own = rows(world, "accounts", owner=customer_key(INSTANCE, customer), kind=kind)
    (row,) = (row for row in own if row["asset"] == asset)
    (listed,) = rows(world, "accounts", owner=transactions_key(INSTANCE), entry=row["entry"])
    return [row, listed]


@pytest.mark.parametrize(("kind", "missing"), [("credit", FUNDS), ("debit", -1_000), ("transfer", -2_000)])
def test_a_removed_transaction_is_revealed_by_its_account(world: World, kind: str, missing: int) -> None:
    for row in copies_of(world, "ann", kind):
        remove(world, "accounts", row, "owner", "entry")
    ann = account(world, "ann", QUOTE)
    where = f"account {ann['owner']} {QUOTE}, available"
    assert disagreement(world) == Disagreement(where, str(ann["available"] - missing), str(ann["available"]))


def test_a_transaction_removed_with_what_it_credited_is_revealed_by_the_supply(world: World) -> None:
    for row in copies_of(world, "dan", "credit", BASE):
        remove(world, "accounts", row, "owner", "entry")
    dan = account(world, "dan", BASE)
    edit(world, "accounts", dan, available=dan["available"] - FUNDS)
    where = f"{INSTANCE} {BASE}, supply counter (credits - debits)"
    assert disagreement(world) == Disagreement(where, str(4 * FUNDS), str(5 * FUNDS))


@pytest.mark.parametrize("kind", ["credit", "debit", "transfer"])
def test_a_transaction_that_the_instances_list_lacks_is_reported(world: World, kind: str) -> None:
    own, listed = copies_of(world, "ann", kind)
    remove(world, "accounts", listed, "owner", "entry")
    transaction_id = own["entry"].removeprefix("transaction/")
    where = f"transaction {transaction_id} of {transactions_key(INSTANCE)}"
    assert disagreement(world) == Disagreement(where, "a copy", "no row")


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize(("name", "value"), [("reference", "other"), ("metadata", "{}"), ("at_ms", 7)])
def test_an_edited_copy_of_a_transaction_is_reported(world: World, which: int, name: str, value: object) -> None:
    row = copies_of(world, "ann", "transfer")[which]
    edit(world, "accounts", row, **{name: value})
    told = disagreement(world)
    assert told.where.startswith(f"transaction {row['entry'].removeprefix('transaction/')} of {INSTANCE}/customer/")
    assert told.expected != told.found


def test_an_edited_amount_in_the_instances_list_is_reported(world: World) -> None:
    _, listed = copies_of(world, "ann", "debit")
    edit(world, "accounts", listed, amount=1_001)
    told = disagreement(world)
    assert ("amount=1001" in told.expected, "amount=1000" in told.found) == (True, True)


def test_a_copy_at_an_uninvolved_customer_is_reported(world: World) -> None:
    row, _ = copies_of(world, "ann", "debit")
    world.database.put_many("accounts", [row | {"owner": customer_key(INSTANCE, "dan")}])
    told = disagreement(world)
    assert told.where.endswith(customer_key(INSTANCE, "dan"))
    assert told.expected.startswith("no row")


@pytest.mark.parametrize(("name", "value"), [("kind", "x"), ("kind", "transfer"), ("kind", "trade"), ("amount", "x")])
def test_a_transaction_that_cannot_be_read_is_reported(world: World, name: str, value: object) -> None:
    row, _ = copies_of(world, "ann", "debit")
    edit(world, "accounts", row, **{name: value})
    told = disagreement(world)
    assert told.where == "table of accounts"
    assert row["entry"] in told.found


@pytest.mark.parametrize("target", ["ann", None])
def test_an_edited_withdrawal_of_fees_is_reported(world: World, target: str | None) -> None:
    """T95: what was withdrawn is counted beside the balance; both must be what the transactions give."""
    owner = f"{INSTANCE}/fees/{BOOK_ID}"
    asked = Withdrawal(INSTANCE, BOOK_ID, QUOTE, target, 3, "november")
    transaction_id = Withdrawals(world.database).take(asked).transaction.transaction_id
    verified(world)
    (fees,) = rows(world, "accounts", owner=owner, entry=f"balance/{QUOTE}")
    where = f"account {owner} {QUOTE}"
    edit(world, "accounts", fees, withdrawn=2)
    assert disagreement(world) == Disagreement(f"{where}, withdrawn", "3", "2")
    edit(world, "accounts", fees, available=fees["available"] + 3, withdrawn=0)
    told = disagreement(world)
    assert told.where == f"{where}, available"
    world.database.put_many("accounts", [fees])
    (listed,) = rows(world, "accounts", owner=transactions_key(INSTANCE), entry=f"transaction/{transaction_id}")
    edit(world, "accounts", listed, fees="taker-desk")
    assert disagreement(world).where.startswith(f"account {INSTANCE}/fees/")


def test_a_withdrawal_of_a_customer_and_of_fees_at_once_cannot_be_read(world: World) -> None:
    row, listed = copies_of(world, "ann", "debit")
    for one in (row, listed):
        world.database.put_many("accounts", [one | {"fees": BOOK_ID}])
    assert disagreement(world).where == "table of accounts"
