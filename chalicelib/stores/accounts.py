"""Accounts (table ``accounts``): what each owner has of each asset.

A balance row carries ``available``, ``held`` and a mark for each book that ever moved it: the sequence of the last
journal entry applied. An entry is applied when the mark is below it, so applying it again changes nothing. Beside it
stands when it was last changed: for its owner to see, no decision rests on it. Credits, debits and transfers stand
beside the balances: ``transactions``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from chalicelib.core.ledger import Delta
from chalicelib.core.vocabulary import AMOUNT_MAX
from chalicelib.stores.dynamodb import Database, Row, Update, Write
from chalicelib.stores.keys import supply_key
from chalicelib.stores.transactions import LOCK, TRANSACTION, TransactionRow, transaction_of

TABLE = "accounts"


class MalformedRow(Exception):
    """A row that the program cannot have written."""


class LedgerBroken(Exception):
    """A settlement would leave an account negative: a bug, or a row changed by hand."""


@dataclass(frozen=True, slots=True)
class Balance:
    """One account, in base units of its asset.

    changed_at_ms: when its last change was decided, ms since the epoch; None where there was none yet.
    """

    asset: str
    available: int
    held: int
    changed_at_ms: int | None = field(default=None, compare=False)

    @property
    def total(self) -> int:
        return self.available + self.held


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


def _balance_key(owner: str, asset: str) -> dict[str, str]:
    return {"owner": owner, "entry": f"balance/{asset}"}


class Accounts:
    def __init__(self, database: Database) -> None:
        self._database = database

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

    def rows(self) -> Iterator[AccountRow | TransactionRow]:
        """Yield every account, counter and copy of a transaction. For operators; its cost is the table's size.

        Raises MalformedRow.
        """
        return filter(None, map(_typed, self._database.scan(TABLE)))

    def hold(self, owner: str, asset: str, amount: int, at_ms: int) -> Write:
        """Return the write that sets funds aside. Refused (row attached) when less than the amount is available.

        at_ms: when that was decided, here as below.
        """
        enough_available = "#available >= :amount"
        return Update(
            TABLE,
            _balance_key(owner, asset),
            "SET #available = #available - :amount, #held = #held + :amount, #changed_at_ms = :at",
            enough_available,
            {":amount": amount, ":at": at_ms},
        )

    def take(self, owner: str, asset: str, amount: int, at_ms: int) -> Write:
        """Return the write that takes funds off. Refused (row attached) when less than the amount is available."""
        enough_available = "#available >= :amount"
        key = _balance_key(owner, asset)
        changes = "SET #available = #available - :amount, #changed_at_ms = :at"
        return Update(TABLE, key, changes, enough_available, {":amount": amount, ":at": at_ms})

    def give(self, owner: str, asset: str, amount: int, at_ms: int) -> Write:
        """Return the write that puts funds on; the account comes into being with it (T36). Never refused."""
        changes = "ADD #available :amount, #held :zero SET #changed_at_ms = :at"
        values = {":amount": amount, ":zero": 0, ":at": at_ms}
        return Update(TABLE, _balance_key(owner, asset), changes, values=values)

    def change(self, owner: str, asset: str, available: int, held: int, at_ms: int) -> Write:
        """Return the write that adds to both parts of an account, which comes into being with it.

        Refused (row attached) when one of the two would become negative by it.
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

    def count_credit(self, instance: str, asset: str, amount: int) -> Write:
        """Return the write that adds to the asset's supply. Refused when that had more than 38 digits then (T35)."""
        nothing_yet, has_room = "attribute_not_exists(#available)", "#available <= :room"
        values = {":amount": amount, ":zero": 0, ":room": AMOUNT_MAX - amount}
        key = _balance_key(supply_key(instance), asset)
        return Update(TABLE, key, "ADD #available :amount, #held :zero", f"{nothing_yet} OR {has_room}", values)

    def count_debit(self, instance: str, asset: str, amount: int) -> Write:
        """Return the write that takes from the asset's supply. Refused when there is less: the ledger is broken."""
        supply_covers_it = "#available >= :amount"
        key = _balance_key(supply_key(instance), asset)
        return Update(TABLE, key, "SET #available = #available - :amount", supply_covers_it, {":amount": amount})

    def settle(self, book: str, sequence: int, deltas: Mapping[tuple[str, str], Delta], at_ms: int) -> None:
        """Apply what a journal entry moved on these accounts (owner, asset), once on each. at_ms: the entry's.

        Raises LedgerBroken; the other accounts may be settled then or not.
        """
        writes = [_settlement(account, book, sequence, delta, at_ms) for account, delta in deltas.items()]
        accounts = list(deltas)
        for index, row in self._database.write_each(writes).items():
            # The mark is at this entry or beyond: it was applied before. Anything else is a broken ledger.
            if row is None or row.get(f"mark/{book}", 0) < sequence:
                owner, asset = accounts[index]
                raise LedgerBroken(f"{owner} {asset}: entry {sequence} of {book} takes what is not there")


def _settlement(account: tuple[str, str], book: str, sequence: int, delta: Delta, at_ms: int) -> Write:
    entry_not_applied = "(attribute_not_exists(#mark) OR #mark < :sequence)"
    guards = [entry_not_applied]
    values = {":sequence": sequence, ":available": delta.available, ":held": delta.held, ":at": at_ms}
    if delta.held < 0:
        guards.append("#held >= :leaving_held")
        values[":leaving_held"] = -delta.held
    if delta.available < 0:
        guards.append("#available >= :leaving_available")
        values[":leaving_available"] = -delta.available
    return Update(
        TABLE,
        _balance_key(*account),
        "ADD #available :available, #held :held SET #mark = :sequence, #changed_at_ms = :at",
        " AND ".join(guards),
        values,
        {"#mark": f"mark/{book}"},
    )


def _balance_of(row: Row) -> Balance:
    asset = str(row["entry"]).removeprefix("balance/")
    return Balance(asset, row["available"], row["held"], row.get("changed_at_ms"))


def _typed(row: Row) -> AccountRow | TransactionRow | None:
    """Return the row in its type; None for a lock of a reference."""
    owner, (kind, _, name) = row["owner"], row["entry"].partition("/")
    if kind == LOCK:
        return None
    if kind == TRANSACTION:
        try:
            return TransactionRow(owner, transaction_of(row))
        except (KeyError, ValueError, TypeError) as error:
            raise MalformedRow(f"{owner} {row['entry']}: {error!r}") from error
    try:
        marks = {key.removeprefix("mark/"): int(value) for key, value in row.items() if key.startswith("mark/")}
        return AccountRow(owner, name, int(row["available"]), int(row["held"]), marks)
    except (KeyError, ValueError, TypeError) as error:
        raise MalformedRow(f"{owner} {row['entry']}: {error!r}") from error
