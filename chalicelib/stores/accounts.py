"""Accounts (table ``accounts``): what each owner has of each asset, and the credits and debits that brought it there.

A balance row carries ``available``, ``held`` and a mark for each book that ever moved it: the sequence of the last
journal entry applied. An entry is applied when the mark is below it, so applying it again changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from chalicelib.core.ledger import Delta
from chalicelib.core.vocabulary import AMOUNT_MAX
from chalicelib.stores.dynamodb import ConditionFailed, Database, Put, Row, TransactionRefused, Update, Write
from chalicelib.stores.keys import customer_key, supply_key

TABLE = "accounts"


class InsufficientBalance(Exception):
    """The account has less available than the debit takes."""

    def __init__(self, available: int) -> None:
        super().__init__(f"available {available}")
        self.available = available


class SupplyTooLarge(Exception):
    """The credit would lift the sum of all balances of the asset above 38 digits (T35)."""


class TransactionMismatch(Exception):
    """A transaction with this id is on record with other facts."""


class MalformedRow(Exception):
    """A row that this module cannot have written."""


class LedgerBroken(Exception):
    """A settlement would leave an account negative: a bug, or a row changed by hand."""


class TransactionType(StrEnum):
    CREDIT = "credit"
    DEBIT = "debit"


@dataclass(frozen=True, slots=True)
class Balance:
    """One account, in base units of its asset."""

    asset: str
    available: int
    held: int


@dataclass(frozen=True, slots=True)
class Transaction:
    """A credit or debit as asked for by the operator."""

    transaction_id: str
    kind: TransactionType
    instance: str
    customer: str
    asset: str
    amount: int
    reference: str | None = None


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
class TransactionRow:
    """A credit (amount above 0) or debit (below) as it is stored."""

    owner: str
    asset: str
    amount: int


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

    def rows(self) -> Iterator[AccountRow | TransactionRow]:
        """Yield every account, counter, credit and debit of every owner. For operators; its cost is the table's size.

        Raises MalformedRow.
        """
        return map(_typed, self._database.scan(TABLE))

    def hold(self, owner: str, asset: str, amount: int) -> Write:
        """Return the write that sets funds aside. Refused (row attached) when less than the amount is available."""
        enough_available = "#available >= :amount"
        return Update(
            TABLE,
            _balance_key(owner, asset),
            "SET #available = #available - :amount, #held = #held + :amount",
            enough_available,
            {":amount": amount},
        )

    def settle(self, owner: str, asset: str, book: str, sequence: int, delta: Delta) -> None:
        """Apply what a journal entry moved on this account, once. Raises LedgerBroken."""
        entry_not_applied = "(attribute_not_exists(#mark) OR #mark < :sequence)"
        guards = [entry_not_applied]
        values: dict[str, int] = {":sequence": sequence, ":available": delta.available, ":held": delta.held}
        if delta.held < 0:
            guards.append("#held >= :leaving_held")
            values[":leaving_held"] = -delta.held
        if delta.available < 0:
            guards.append("#available >= :leaving_available")
            values[":leaving_available"] = -delta.available
        update = Update(
            TABLE,
            _balance_key(owner, asset),
            "ADD #available :available, #held :held SET #mark = :sequence",
            " AND ".join(guards),
            values,
            {"#mark": f"mark/{book}"},
        )
        try:
            self._database.write(update)
        except ConditionFailed as error:
            # The mark is at this entry or beyond: it was applied before. Anything else is a broken ledger.
            if error.row is None or error.row.get(f"mark/{book}", 0) < sequence:
                raise LedgerBroken(f"{owner} {asset}: entry {sequence} of {book} takes what is not there") from error

    def record(self, transaction: Transaction) -> None:
        """Credit or debit an account and the asset's supply, in one transaction; a second time changes nothing.

        Raises InsufficientBalance, SupplyTooLarge or TransactionMismatch; nothing is changed then.
        """
        is_credit = transaction.kind is TransactionType.CREDIT
        asset, amount = transaction.asset, transaction.amount
        owner = customer_key(transaction.instance, transaction.customer)
        account_key, supply_row_key = _balance_key(owner, asset), _balance_key(supply_key(transaction.instance), asset)
        row: Row = {
            "owner": owner,
            "entry": f"transaction/{transaction.transaction_id}",
            "kind": transaction.kind.value,
            "asset": asset,
            "amount": amount,
            "reference": transaction.reference,
        }
        signed = amount if is_credit else -amount
        supply_has_room = "attribute_not_exists(#available) OR #available <= :room"
        supply_covers_it = enough_available = "#available >= :amount"
        supply_values = {":signed": signed, ":zero": 0} | (
            {":room": AMOUNT_MAX - amount} if is_credit else {":amount": amount}
        )
        account_values = {":signed": signed, ":zero": 0} | ({} if is_credit else {":amount": amount})
        add = "ADD #available :signed, #held :zero"
        writes: list[Write] = [
            Put(TABLE, row, "attribute_not_exists(#entry)"),
            Update(TABLE, account_key, add, None if is_credit else enough_available, account_values),
            Update(TABLE, supply_row_key, add, supply_has_room if is_credit else supply_covers_it, supply_values),
        ]
        try:
            self._database.transact(writes)
        except TransactionRefused as error:
            if 0 in error.refused:
                if error.refused[0] != row:
                    raise TransactionMismatch(transaction.transaction_id) from error
                return
            if is_credit:
                raise SupplyTooLarge(asset) from error
            account = error.refused.get(1)
            raise InsufficientBalance(account["available"] if account else 0) from error


def _balance_of(row: Row) -> Balance:
    return Balance(str(row["entry"]).removeprefix("balance/"), row["available"], row["held"])


def _typed(row: Row) -> AccountRow | TransactionRow:
    owner, (kind, _, name) = row["owner"], row["entry"].partition("/")
    try:
        if kind == "balance":
            marks = {key.removeprefix("mark/"): int(value) for key, value in row.items() if key.startswith("mark/")}
            return AccountRow(owner, name, int(row["available"]), int(row["held"]), marks)
        sign = 1 if TransactionType(row["kind"]) is TransactionType.CREDIT else -1
        return TransactionRow(owner, row["asset"], sign * int(row["amount"]))
    except (KeyError, ValueError, TypeError) as error:
        raise MalformedRow(f"{owner} {row['entry']}: {error!r}") from error
