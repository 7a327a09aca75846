"""Accounts (table ``accounts``): each owner's balance of each asset.

A balance row has ``available``, ``held`` and marks. A mark is the sequence of the last journal entry of a book that was
applied to this account: an entry at or below the mark is skipped, so applying an entry twice changes nothing. The row
also has the time of its last change, for display only. Credits, debits and transfers stand beside the balances: see
``transactions``.

Marks are never dropped. To bound the row, it holds at most ``MARKS_IN_ROW_MAX`` of them (T54). A row that is full is
flagged for good (``marks_beside``); from then on, a book without a mark in the row keeps its mark in a row of its own,
which a settlement writes in one transaction with the account::

    no mark, row not full  --settle-->  mark in the row          --moved, one transaction-->  mark beside
    no mark, row full      --settle, one transaction-->                                       mark beside

The row alone decides where a mark stands, and every write of the row is conditional on that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from chalicelib.domain.ledger.accounts import Balance
from chalicelib.domain.ledger.amounts import AMOUNT_MAX
from chalicelib.domain.ledger.changes import Change
from chalicelib.domain.ledger.owners import supply_key
from chalicelib.support.outcomes import Unavailable
from chalicelib.tables.account_rows import MARK, AccountRow, MarkRow, balance_of, marked_of, marks_in, typed_of
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.parallel import Call
from chalicelib.tables.read_ahead import RowAt, row_at
from chalicelib.tables.rows import Row, reads_row
from chalicelib.tables.transactions import TransactionRow
from chalicelib.tables.writes import TransactionRefused, Update, Write

TABLE = "accounts"
MARKS_IN_ROW_MAX = 16
"""Marks in one row: it then has about 1.2 KB, so most accounts cost one write unit."""
MARKS_MOVED_AT_ONCE = 49
"""Marks moved at once: a transaction has at most 100 rows, and an expression 4 KB."""
KNOWN_MAX = 20_000
"""Size of the cache of accounts that need no room made; the cache is cleared when it is full."""


class LedgerBroken(Exception):
    """A settlement would make an account negative: a bug, or a row edited by hand."""


def balance_at(owner: str, asset: str) -> RowAt:
    return row_at(TABLE, _balance_key(owner, asset))


def _balance_key(owner: str, asset: str) -> dict[str, str]:
    return {"owner": owner, "entry": f"balance/{asset}"}


def _mark_key(owner: str, asset: str, book: str) -> dict[str, str]:
    return {"owner": owner, "entry": f"{MARK}/{asset}/{book}"}


class Accounts:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: set[tuple[str, tuple[str, str]]] = set()
        """(book, account) pairs whose row has the book's mark, has room for it, or is flagged as full."""

    def balance(self, owner: str, asset: str) -> Balance:
        """Return the account, read consistently; zeros if there is none (T36)."""
        row = self._database.get(TABLE, _balance_key(owner, asset))
        return balance_of(row) if row else Balance(asset, 0, 0)

    def balances(self, owner: str) -> Iterator[Balance]:
        """Yield all accounts of an owner, by asset."""
        condition = "#owner = :owner AND begins_with(#entry, :balance)"
        return map(balance_of, self._database.query(TABLE, condition, {":owner": owner, ":balance": "balance/"}))

    def marked(self, owner: str) -> list[AccountRow | MarkRow]:
        """Return all accounts of an owner with their marks, those beside included."""
        condition = "#owner = :owner AND #entry BETWEEN :first AND :last"
        values = {":owner": owner, ":first": "balance/", ":last": f"{MARK}0"}  # in order of bytes, 0 follows the slash
        return list(map(reads_row(marked_of), self._database.query(TABLE, condition, values)))

    def balances_of(self, accounts: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Balance]:
        """Return these accounts (owner, asset), read consistently, zeros for missing ones. One read for each 100
        accounts.
        """
        rows = self._database.get_many(TABLE, [_balance_key(*account) for account in dict.fromkeys(accounts)])
        found = {(row["owner"], balance.asset): balance for row in rows for balance in [balance_of(row)]}
        return {account: found.get(account, Balance(account[1], 0, 0)) for account in accounts}

    def rows(self) -> Iterator[AccountRow | TransactionRow | MarkRow]:
        """Yield every account, counter, mark row, and copy of a transaction.

        For operators: scans the table. Raises MalformedRow.
        """
        return filter(None, map(typed_of, self._database.scan(TABLE)))

    def holders(self, instance: str, asset: str) -> Iterator[tuple[str, Balance]]:
        """Yield each owner in an instance with an account in an asset, and the account. For operators: scans the table.

        Owners are customers and fee accounts, by their keys.
        """
        start, entry = f"{instance}/", f"balance/{asset}"
        for row in self._database.scan(TABLE):
            owner = row["owner"]
            if row["entry"] == entry and owner.startswith(start) and owner != supply_key(instance):
                yield owner, balance_of(row)

    def change(self, owner: str, asset: str, available: int, held: int, at_ms: int) -> Write:
        """Return the write that adds to both parts of an account, creating it if it is missing (T36).

        at_ms: time of the decision. Refused (row attached) if one of the two would become negative.
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

    def withdraw(self, owner: str, asset: str, amount: int, at_ms: int) -> Write:
        """Return the write that takes fees off a fee account and counts them as withdrawn (T95).

        at_ms: time of the decision. Refused (row attached) if the account has less, or if all that was ever withdrawn
        would exceed 38 digits.
        """
        fees_cover_it = "#available >= :amount"
        has_room = "(attribute_not_exists(#withdrawn) OR #withdrawn <= :room)"
        changes = "SET #available = #available - :amount, #changed_at_ms = :at ADD #withdrawn :amount"
        values = {":amount": amount, ":at": at_ms, ":room": AMOUNT_MAX - amount}
        return Update(TABLE, _balance_key(owner, asset), changes, f"{fees_cover_it} AND {has_room}", values)

    def count(self, instance: str, asset: str, amount: int) -> Write:
        """Return the write that adds a credit (or a debit, negative) to the asset's supply.

        Refused if the supply would exceed 38 digits (T35), or is less than the debit: then the ledger is broken.
        """
        key = _balance_key(supply_key(instance), asset)
        if amount < 0:
            supply_covers_it = "#available >= :amount"
            return Update(TABLE, key, "SET #available = #available - :amount", supply_covers_it, {":amount": -amount})
        nothing_yet, has_room = "attribute_not_exists(#available)", "#available <= :room"
        values = {":amount": amount, ":zero": 0, ":room": AMOUNT_MAX - amount}
        return Update(TABLE, key, "ADD #available :amount, #held :zero", f"{nothing_yet} OR {has_room}", values)

    def settle(
        self,
        book: str,
        sequence: int,
        changes: Mapping[tuple[str, str], Change],
        at_ms: int,
        beside: Sequence[Call] = (),
    ) -> None:
        """Apply a journal entry's changes to these accounts (owner, asset), once to each.

        at_ms: the entry's time. beside: calls made at the same time.

        Raises LedgerBroken; any of the other accounts may be settled by then.
        """
        accounts = list(changes)
        self._make_room(book, accounts)
        writes = [_settlement(account, book, sequence, change, at_ms) for account, change in changes.items()]
        for index, row in self._database.write_each(writes, beside).items():
            account, mark = accounts[index], None if row is None else row.get(f"{MARK}/{book}")
            if mark is not None and mark >= sequence:
                continue  # applied before
            if row is None or mark is not None or "marks_beside" not in row:
                raise _broken(account, book, sequence)
            self._settle_beside(account, book, sequence, changes[account], at_ms)

    def _settle_beside(self, account: tuple[str, str], book: str, sequence: int, change: Change, at_ms: int) -> None:
        """Settle an account whose row is full, with the book's mark in its own row."""
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
        """Make sure that these accounts' rows have room for the book's mark, or are flagged as full.

        Reads each account once for each book. Raises Unavailable or OutcomeUnknown.
        """
        unknown = [account for account in accounts if (book, account) not in self._known]
        for row in self._database.get_many(TABLE, [_balance_key(*account) for account in unknown]):
            marks = marks_in(row)
            if book not in marks and len(marks) >= MARKS_IN_ROW_MAX:
                self._declare_full(row, sorted(marks.items())[MARKS_IN_ROW_MAX:])
        if len(self._known) + len(unknown) > KNOWN_MAX:
            self._known.clear()
        self._known.update((book, account) for account in unknown)

    def _declare_full(self, row: Row, surplus: list[tuple[str, int]]) -> None:
        """Flag the row as full, and move surplus marks to rows of their own, in one transaction."""
        owner, asset = row["owner"], balance_of(row).asset
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
            except TransactionRefused as error:  # another book has changed the account since
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
    """Return the conditions that the account covers a settlement, and the values of its changes."""
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
