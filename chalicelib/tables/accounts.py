"""Accounts (table ``accounts``): what each owner has of each asset.

A balance row carries ``available``, ``held`` and marks of books that moved it: of each the sequence of the last
journal entry applied. An entry is applied when the mark is below it, so applying it again changes nothing. Beside it
stands when it was last changed: for its owner to see, no decision rests on it. Credits, debits and transfers stand
beside the balances: ``transactions``.

A mark is never dropped, and a row takes ``MARKS_IN_ROW_MAX`` of them (T54): so it stays small however many books its
owner trades on. Once it is full it says so (``marks_beside``), for good; from then on a book whose mark is not in the
row has it in a row of its own, which a settlement writes in one transaction with the account::

    no mark, row not full  --settle-->  mark in the row          --moved, one transaction-->  mark beside
    no mark, row full      --settle, one transaction-->                                       mark beside

Where a mark stands is told by the row alone, and every write of it has that for a condition.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from chalicelib.domain.books.vocabulary import AMOUNT_MAX
from chalicelib.domain.ledger.accounts import Balance
from chalicelib.domain.ledger.changes import Change
from chalicelib.domain.ledger.owners import supply_key
from chalicelib.support.outcomes import Unavailable
from chalicelib.tables.dynamodb import Database, Row, TransactionRefused, Update, Write, whole
from chalicelib.tables.transactions import LOCK, TRANSACTION, TransactionRow, transaction_of

TABLE = "accounts"
MARK = "mark"
MARKS_IN_ROW_MAX = 16
"""A row with so many has about 1.2 KB, so most accounts are written for one unit."""
MARKS_MOVED_AT_ONCE = 49
"""A transaction has a hundred rows at most, and an expression 4 KB."""
KNOWN_MAX = 20_000
"""Accounts of books that are known to need no room made; all are forgotten when there are more."""


class MalformedRow(Exception):
    """A row that the program cannot have written."""


class LedgerBroken(Exception):
    """A settlement would leave an account negative: a bug, or a row changed by hand."""


@dataclass(frozen=True, slots=True)
class AccountRow:
    """An account as it is stored, or the counter of an asset's supply (owner: ``keys.supply_key``).

    marks: by book, the sequence of the last journal entry that moved the account.
    """

    owner: str
    asset: str
    available: int
    held: int
    marks: dict[str, int]


@dataclass(frozen=True, slots=True)
class MarkRow:
    """A mark that stands in a row of its own."""

    owner: str
    asset: str
    book: str
    sequence: int


def _balance_key(owner: str, asset: str) -> dict[str, str]:
    return {"owner": owner, "entry": f"balance/{asset}"}


def _mark_key(owner: str, asset: str, book: str) -> dict[str, str]:
    return {"owner": owner, "entry": f"{MARK}/{asset}/{book}"}


def _marks_in(row: Row) -> dict[str, int]:
    """Return the marks that stand in an account's row, by book."""
    start = f"{MARK}/"
    return {name.removeprefix(start): whole(row, name) for name in row if name.startswith(start)}


class Accounts:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: set[tuple[str, tuple[str, str]]] = set()
        """Books with accounts whose row has the book's mark, or room for it, or says that it is full."""

    def balance(self, owner: str, asset: str) -> Balance:
        """Return the account as of now; zeros where there is none (T36)."""
        row = self._database.get(TABLE, _balance_key(owner, asset))
        return _balance_of(row) if row else Balance(asset, 0, 0)

    def balances(self, owner: str) -> Iterator[Balance]:
        """Yield all accounts of an owner, by asset."""
        condition = "#owner = :owner AND begins_with(#entry, :balance)"
        return map(_balance_of, self._database.query(TABLE, condition, {":owner": owner, ":balance": "balance/"}))

    def balances_of(self, accounts: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Balance]:
        """Return each of these accounts (owner, asset) as of now, zeros where there is none: a read a hundred."""
        rows = self._database.get_many(TABLE, [_balance_key(*account) for account in dict.fromkeys(accounts)])
        found = {(row["owner"], balance.asset): balance for row in rows for balance in [_balance_of(row)]}
        return {account: found.get(account, Balance(account[1], 0, 0)) for account in accounts}

    def rows(self) -> Iterator[AccountRow | TransactionRow | MarkRow]:
        """Yield every account, counter, mark beside an account, and copy of a transaction.

        For operators; its cost is the table's size. Raises MalformedRow.
        """
        return filter(None, map(_typed, self._database.scan(TABLE)))

    def change(self, owner: str, asset: str, available: int, held: int, at_ms: int) -> Write:
        """Return the write that adds to both parts of an account, which comes into being with it (T36).

        at_ms: when that was decided. Refused (row attached) when one of the two would become negative by it.
        """
        guards = []
        values = {":available": available, ":held": held, ":at": at_ms}
        if available < 0:
            enough_available = "#available >= :leaving_available"
            guards.append(enough_available)
            values[":leaving_available"] = -available
        if held < 0:
            enough_held = "#held >= :leaving_held"
            guards.append(enough_held)
            values[":leaving_held"] = -held
        changes = "ADD #available :available, #held :held SET #changed_at_ms = :at"
        return Update(TABLE, _balance_key(owner, asset), changes, " AND ".join(guards) or None, values)

    def count(self, instance: str, asset: str, amount: int) -> Write:
        """Return the write that adds a credit to the asset's supply, or takes a debit (below zero) from it.

        Refused when the supply would pass 38 digits (T35), or is less than the debit: then the ledger is broken.
        """
        key = _balance_key(supply_key(instance), asset)
        if amount < 0:
            supply_covers_it = "#available >= :amount"
            return Update(TABLE, key, "SET #available = #available - :amount", supply_covers_it, {":amount": -amount})
        nothing_yet, has_room = "attribute_not_exists(#available)", "#available <= :room"
        values = {":amount": amount, ":zero": 0, ":room": AMOUNT_MAX - amount}
        return Update(TABLE, key, "ADD #available :amount, #held :zero", f"{nothing_yet} OR {has_room}", values)

    def settle(self, book: str, sequence: int, changes: Mapping[tuple[str, str], Change], at_ms: int) -> None:
        """Apply what a journal entry moved on these accounts (owner, asset), once on each. at_ms: the entry's.

        Raises LedgerBroken; the other accounts may be settled then or not.
        """
        accounts = list(changes)
        self._make_room(book, accounts)
        writes = [_settlement(account, book, sequence, change, at_ms) for account, change in changes.items()]
        for index, row in self._database.write_each(writes).items():
            account, mark = accounts[index], None if row is None else row.get(f"{MARK}/{book}")
            if mark is not None and mark >= sequence:
                continue  # it was applied before
            if row is None or mark is not None or "marks_beside" not in row:
                raise _broken(account, book, sequence)
            self._settle_beside(account, book, sequence, changes[account], at_ms)

    def _settle_beside(self, account: tuple[str, str], book: str, sequence: int, change: Change, at_ms: int) -> None:
        """Settle an account whose row is full: its mark of the book is written with it, in a row of its own."""
        entry_not_applied = "attribute_not_exists(#sequence) OR #sequence < :sequence"
        key = _mark_key(*account, book)
        mark = Update(TABLE, key, "SET #sequence = :sequence", entry_not_applied, {":sequence": sequence})
        guards, values = _enough(change)
        mark_is_beside = "attribute_not_exists(#mark) AND attribute_exists(#marks_beside)"
        account_change = Update(
            TABLE,
            _balance_key(*account),
            "ADD #available :available, #held :held SET #changed_at_ms = :at",
            " AND ".join([mark_is_beside, *guards]),
            values | {":at": at_ms},
            {"#mark": f"{MARK}/{book}"},
        )
        try:
            self._database.transact([mark, account_change], lambda: self._is_settled_beside(account, book, sequence))
        except TransactionRefused as error:
            if 0 not in error.refused:
                raise _broken(account, book, sequence) from error

    def _is_settled_beside(self, account: tuple[str, str], book: str, sequence: int) -> bool:
        return any(row["sequence"] >= sequence for row in self._database.get_many(TABLE, [_mark_key(*account, book)]))

    def _make_room(self, book: str, accounts: Sequence[tuple[str, str]]) -> None:
        """See to it that no row of these accounts gets more marks by this book than it may have.

        Reads the accounts that are not known yet, each once for each book. Raises Unavailable or OutcomeUnknown.
        """
        unknown = [account for account in accounts if (book, account) not in self._known]
        for row in self._database.get_many(TABLE, [_balance_key(*account) for account in unknown]):
            marks = _marks_in(row)
            if book not in marks and len(marks) >= MARKS_IN_ROW_MAX:
                self._declare_full(row, sorted(marks.items())[MARKS_IN_ROW_MAX:])
        if len(self._known) + len(unknown) > KNOWN_MAX:
            self._known.clear()
        self._known.update((book, account) for account in unknown)

    def _declare_full(self, row: Row, surplus: list[tuple[str, int]]) -> None:
        """Have the row take no more marks, and move those beside that are too many: each with its own row, or not."""
        owner, asset = row["owner"], _balance_of(row).asset
        for moved in [surplus[at : at + MARKS_MOVED_AT_ONCE] for at in range(0, len(surplus), MARKS_MOVED_AT_ONCE)]:
            names = {f"#mark{number}": f"{MARK}/{book}" for number, (book, _) in enumerate(moved)}
            values: Row = {f":mark{number}": sequence for number, (_, sequence) in enumerate(moved)}
            marks_as_read = " AND ".join(f"#mark{number} = :mark{number}" for number in range(len(moved)))
            changes = f"SET #marks_beside = :yes REMOVE {', '.join(names)}"
            key = {"owner": owner, "entry": row["entry"]}
            writes: list[Write] = [Update(TABLE, key, changes, marks_as_read, values | {":yes": True}, names)]
            mark_not_beside = "attribute_not_exists(#sequence)"
            for book, sequence in moved:
                beside = _mark_key(owner, asset, book)
                writes.append(
                    Update(TABLE, beside, "SET #sequence = :sequence", mark_not_beside, {":sequence": sequence})
                )
            try:
                self._database.transact(writes)
            except TransactionRefused as error:  # another book has moved the account meanwhile
                raise Unavailable("the account's marks change") from error
        if not surplus and "marks_beside" not in row:
            account_is_there, values = "attribute_exists(#available)", {":yes": True}
            key = {"owner": owner, "entry": row["entry"]}
            self._database.write(Update(TABLE, key, "SET #marks_beside = :yes", account_is_there, values))


def _settlement(account: tuple[str, str], book: str, sequence: int, change: Change, at_ms: int) -> Write:
    mark_is_older = "#mark < :sequence"
    room_for_mark = "attribute_not_exists(#mark) AND attribute_not_exists(#marks_beside)"
    guards, values = _enough(change)
    return Update(
        TABLE,
        _balance_key(*account),
        "ADD #available :available, #held :held SET #mark = :sequence, #changed_at_ms = :at",
        " AND ".join([f"({mark_is_older} OR ({room_for_mark}))", *guards]),
        values | {":sequence": sequence, ":at": at_ms},
        {"#mark": f"{MARK}/{book}"},
    )


def _enough(change: Change) -> tuple[list[str], Row]:
    """Return the conditions that an account has what a settlement takes, and the values of its changes."""
    guards, values = [], Row({":available": change.available, ":held": change.held})
    if change.held < 0:
        guards.append("#held >= :leaving_held")
        values[":leaving_held"] = -change.held
    if change.available < 0:
        guards.append("#available >= :leaving_available")
        values[":leaving_available"] = -change.available
    return guards, values


def _broken(account: tuple[str, str], book: str, sequence: int) -> LedgerBroken:
    owner, asset = account
    return LedgerBroken(f"{owner} {asset}: entry {sequence} of {book} takes what is not there")


def _balance_of(row: Row) -> Balance:
    asset = str(row["entry"]).removeprefix("balance/")
    return Balance(asset, row["available"], row["held"], row.get("changed_at_ms"))


def _typed(row: Row) -> AccountRow | TransactionRow | MarkRow | None:
    """Return the row in its type; None for a lock of a reference."""
    owner, (kind, _, name) = row["owner"], row["entry"].partition("/")
    if kind == LOCK:
        if not isinstance(row.get("facts"), str) or not isinstance(row.get("transaction_id"), str):
            raise MalformedRow(f"{owner} {row['entry']}: a lock names what was asked for, and its transaction")
        return None
    if kind == TRANSACTION:
        try:
            return TransactionRow(owner, transaction_of(row))
        except (KeyError, ValueError, TypeError) as error:
            raise MalformedRow(f"{owner} {row['entry']}: {error!r}") from error
    try:
        if kind == MARK:
            asset, _, book = name.partition("/")
            return MarkRow(owner, asset, book, whole(row, "sequence"))
        if kind != "balance":
            raise ValueError("neither a balance nor a mark nor a transaction")
        if not owner.endswith("/supply"):
            whole(row, "changed_at_ms")
        if row.get("marks_beside", True) is not True:
            raise TypeError(f"marks_beside: {row['marks_beside']!r}")
        return AccountRow(owner, name, whole(row, "available"), whole(row, "held"), _marks_in(row))
    except (KeyError, ValueError, TypeError) as error:
        raise MalformedRow(f"{owner} {row['entry']}: {error!r}") from error
