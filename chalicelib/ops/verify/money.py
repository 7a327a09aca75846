"""Checks an instance's ledger against its books' journals and its transactions.

For each account: available + held = its transactions (credits, debits, transfers, fills of signed orders, releases of
escrow orders) + its settlements by books; and held = the holds of its resting, undecided, signed and escrow orders. So
two edits that cancel each other out are both detected. For each asset: credits - debits = the supply counter = the sum
of all accounts. All copies of a transaction must exist and be equal.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from chalicelib.domain.ledger.changes import Leg
from chalicelib.domain.ledger.owners import (
    customer_key,
    desk_fees_key,
    escrow_fees_key,
    fees_key,
    supply_key,
    transactions_key,
)
from chalicelib.domain.ledger.transactions import Transaction, TransactionType
from chalicelib.domain.tenancy.instances import World
from chalicelib.services.books.disagreements import NOTHING, Disagreement, beyond
from chalicelib.services.books.fold import Account, BookFold
from chalicelib.tables.account_rows import AccountRow, MarkRow
from chalicelib.tables.transactions import TransactionRow, owners

_FILL_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(slots=True)
class Ledger:
    """The table of accounts as read. moved: sum of the transactions of each account. beside: marks stored in rows of
    their own, by book, for the accounts that have some.

    withdrawn: sum of the withdrawals from each fee account (T95).
    legs: by instance and reference: trades, fees, and transfers whose reference may be a fill's id. escrow_legs: by
    instance and reference: transactions that may be an escrow order's. copies: of each transaction (instance, id), the
    copies found, by owner. A transaction with all copies equal is dropped, so this is empty at the end.
    """

    accounts: dict[Account, AccountRow] = field(default_factory=dict)
    supply: dict[Account, AccountRow] = field(default_factory=dict)
    moved: dict[Account, int] = field(default_factory=dict)
    withdrawn: dict[Account, int] = field(default_factory=dict)
    beside: dict[Account, dict[str, int]] = field(default_factory=dict)
    legs: dict[tuple[str, str], list[Leg]] = field(default_factory=dict)
    escrow_legs: dict[tuple[str, str], list[Leg]] = field(default_factory=dict)
    copies: dict[tuple[str, str], dict[str, Transaction]] = field(default_factory=dict)

    def add(self, row: AccountRow | TransactionRow | MarkRow) -> None:
        if isinstance(row, TransactionRow):
            self._add_copy(row.owner, row.transaction)
        elif isinstance(row, MarkRow):
            self.beside.setdefault((row.owner, row.asset), {})[row.book] = row.sequence
        elif row.owner == supply_key(instance_of(row.owner)):
            self.supply[row.owner, row.asset] = row
        else:
            self.accounts[row.owner, row.asset] = row

    def _add_copy(self, owner: str, transaction: Transaction) -> None:
        instance = instance_of(owner)
        start = customer_key(instance, "")
        if owner.startswith(start):
            account = owner, transaction.asset
            self.moved[account] = self.moved.get(account, 0) + transaction.signed(owner.removeprefix(start))
        if owner == transactions_key(instance):
            is_of_escrow = (transaction.reference or "").startswith("order:")
            if transaction.fees is not None:
                self._add_withdrawal(fees_key(instance, transaction.fees), transaction)
            else:
                (self._add_escrow_leg if is_of_escrow else self._add_signed_leg)(instance, transaction)
        key = instance, transaction.transaction_id
        found = self.copies.setdefault(key, {})
        found[owner] = transaction
        if found == dict.fromkeys(owners(instance, transaction), transaction):
            del self.copies[key]

    def _add_withdrawal(self, owner: str, transaction: Transaction) -> None:
        account, amount = (owner, transaction.asset), transaction.amount
        self.moved[account] = self.moved.get(account, 0) - amount
        self.withdrawn[account] = self.withdrawn.get(account, 0) + amount

    def _add_signed_leg(self, instance: str, transaction: Transaction) -> None:
        kind, reference = transaction.kind, transaction.reference or ""
        if kind is TransactionType.FEE:
            fees = desk_fees_key(instance), transaction.asset
            self.moved[fees] = self.moved.get(fees, 0) + transaction.amount
        is_leg = kind in (TransactionType.TRADE, TransactionType.FEE)
        if (is_leg or (kind is TransactionType.TRANSFER and _FILL_ID.fullmatch(reference))) and transaction.source:
            leg = Leg(kind, transaction.asset, transaction.source, transaction.target, transaction.amount)
            self.legs.setdefault((instance, reference), []).append(leg)

    def _add_escrow_leg(self, instance: str, transaction: Transaction) -> None:
        """Keep a transaction of an escrow order; its fee went to the fee account of its seller's world."""
        kind, asset, source, target = transaction.kind, transaction.asset, transaction.source, transaction.target
        world = (source or "").partition(":")[0]
        if kind is TransactionType.FEE and world in list(World):
            fees = escrow_fees_key(instance, world), asset
            self.moved[fees] = self.moved.get(fees, 0) + transaction.amount
        leg = Leg(kind, asset, source, target, transaction.amount)
        self.escrow_legs.setdefault((instance, str(transaction.reference)), []).append(leg)

    def totals(self) -> dict[Account, int]:
        """Return available + held over all accounts, by instance and asset."""
        return _by_instance((account, row.available + row.held) for account, row in self.accounts.items())


@dataclass(slots=True)
class Holds:
    """The amounts that accounts hold for orders."""

    known: dict[Account, int] = field(default_factory=dict)

    def add(self, account: Account, hold: int) -> None:
        self.known[account] = self.known.get(account, 0) + hold


def instance_of(owner: str) -> str:
    return owner.partition("/")[0]


def ledger_disagreements(ledger: Ledger, folds: Mapping[str, BookFold], holds: Holds) -> Iterator[Disagreement]:
    """Yield where the ledger differs from journals and transactions: accounts first, then assets.

    folds: every book of the checked instances. holds: those of resting, undecided, signed and escrow orders.
    """
    settled: dict[Account, int] = {}
    marks: dict[Account, dict[str, int]] = {}
    for fold in folds.values():
        for account, moved in fold.settled.items():
            settled[account] = settled.get(account, 0) + moved
            marks.setdefault(account, {})[fold.key] = fold.marks[account]
    for account in sorted({*ledger.accounts, *ledger.moved, *ledger.beside, *settled, *holds.known}):
        where = f"account {account[0]} {account[1]}"
        row = ledger.accounts.get(account)
        total = ledger.moved.get(account, 0) + settled.get(account, 0)
        if row is None:
            if total or account in {*marks, *ledger.beside, *holds.known}:
                yield Disagreement(where, "the account", "no row")
            continue  # a payin whose fee takes all of it leaves the sum 0 (E25)
        beside = ledger.beside.get(account, {})
        for book in sorted(row.marks.keys() & beside.keys()):
            yield Disagreement(f"{where}, mark of {book}", "in the row or beside it", "both")
        yield from _marks(where, marks.get(account, {}), row.marks | beside, folds)
        yield from _balance(where, row, total, holds.known.get(account, 0))
        withdrawn = ledger.withdrawn.get(account, 0)
        if row.withdrawn != withdrawn:
            yield Disagreement(f"{where}, withdrawn", str(withdrawn), str(row.withdrawn))
    yield from _supply(ledger)
    yield from _copies(ledger)


def _marks(
    where: str, expected: Mapping[str, int], found: Mapping[str, int], folds: Mapping[str, BookFold]
) -> Iterator[Disagreement]:
    for book in sorted({*expected, *found}):
        mark_of = f"{where}, mark of {book}"
        ahead = beyond(mark_of, found.get(book), folds[book].head) if book in folds else None
        if ahead is not None:
            yield ahead
        elif expected.get(book) != found.get(book):
            yield Disagreement(mark_of, str(expected.get(book, NOTHING)), str(found.get(book, NOTHING)))


def _balance(where: str, row: AccountRow, total: int, held: int) -> Iterator[Disagreement]:
    for name, amount in (("available", row.available), ("held", row.held)):
        if amount < 0:
            yield Disagreement(f"{where}, {name}", "no negative amount", str(amount))
    if row.held != held:
        yield Disagreement(f"{where}, held", str(held), str(row.held))
    if row.available != total - held:
        yield Disagreement(f"{where}, available", str(total - held), str(row.available))


def _supply(ledger: Ledger) -> Iterator[Disagreement]:
    credited, totals = _by_instance(ledger.moved.items()), ledger.totals()
    counters = {(instance_of(owner), asset): row for (owner, asset), row in ledger.supply.items()}
    for instance, asset in sorted({*credited, *totals, *counters}):
        where = f"{instance} {asset}"
        expected, row = credited.get((instance, asset), 0), counters.get((instance, asset))
        if row is None or (row.available, row.held) != (expected, 0):
            found = "no row" if row is None else f"{row.available + row.held}"
            yield Disagreement(f"{where}, supply counter (credits - debits)", str(expected), found)
        total = totals.get((instance, asset), 0)
        if total != expected:
            yield Disagreement(f"{where}, sum of all accounts", str(expected), str(total))


def _copies(ledger: Ledger) -> Iterator[Disagreement]:
    """Yield missing, differing and surplus copies of transactions."""
    for (instance, transaction_id), found in sorted(ledger.copies.items()):
        listed, *_ = [*(found[owner] for owner in found if owner == transactions_key(instance)), *found.values()]
        expected = owners(instance, listed)
        for owner in sorted({*expected, *found}):
            where = f"transaction {transaction_id} of {owner}"
            if owner not in found:
                yield Disagreement(where, "a copy", "no row")
            elif owner not in expected:
                yield Disagreement(where, "no row: it is not involved", "a copy")
            elif found[owner] != listed:
                yield Disagreement(where, str(listed), str(found[owner]))


def _by_instance(amounts: Iterable[tuple[Account, int]]) -> dict[Account, int]:
    sums: dict[Account, int] = {}
    for (owner, asset), amount in amounts:
        key = instance_of(owner), asset
        sums[key] = sums.get(key, 0) + amount
    return sums
