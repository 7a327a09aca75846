"""Posting: one transaction with everything that a command writes, money included.

::

    the desk's rows + one change an account + ledger rows + their supply + the answer under the caller's key
        --> written        all of it
        --> Refused        nothing; it says which conditions failed, and each desk decides what that means

DynamoDB need not name all conditions that failed. A desk that must tell reasons apart reads its rows again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from chalicelib.domain.ledger.changes import Change
from chalicelib.domain.ledger.transactions import Transaction, TransactionType
from chalicelib.tables.accounts import Accounts
from chalicelib.tables.dynamodb import Database, IsDone, Row, TransactionRefused, Write
from chalicelib.tables.transactions import Transactions

AccountKey = tuple[str, str]
"""An account: the key of its owner (``domain.ledger.owners``), and its asset."""


@dataclass(frozen=True, slots=True)
class Posting:
    """The content of one transaction.

    rows: the desk's own. changes: of accounts, at ``at_ms`` (Unix ms). transactions: rows of the ledger (T37); a credit
    or debit also changes its asset's supply. receipt: keeps the answer under the caller's key.
    """

    instance: str
    rows: Sequence[Write]
    changes: Mapping[AccountKey, Change] = field(default_factory=dict)
    at_ms: int = 0
    transactions: Sequence[Transaction] = ()
    receipt: Write | None = None


@dataclass(frozen=True, slots=True)
class Shortage:
    """An account whose available balance is less than the change takes."""

    account: AccountKey
    required: int
    available: int


class Refused(Exception):
    """Conditions failed, and nothing was written.

    rows: the desk's writes that were refused. accounts: those refused, with the stored row (None: there is none).
    is_supply: a supply has no room for a credit, or is less than a debit. is_transaction: a transaction id exists.
    is_receipt: the caller's key has an answer already.
    """

    def __init__(self, posting: Posting, parts: _Parts, refused: Mapping[int, Row | None]) -> None:
        super().__init__(f"conditions failed at {sorted(refused)}")
        self._changes = posting.changes
        found = {id(parts.writes[index]): row for index, row in refused.items()}
        self.rows = [write for write in parts.rows if id(write) in found]
        changes = zip(posting.changes, parts.changes, strict=True)
        self.accounts = {account: found[id(change)] for account, change in changes if id(change) in found}
        self.is_supply = any(id(write) in found for write in parts.supply)
        self.is_transaction = any(id(write) in found for write in parts.copies)
        self.is_receipt = any(id(write) in found for write in parts.receipt)

    @property
    def shortage(self) -> Shortage | None:
        """The first account whose available balance is less than its change takes."""
        for account, row in self.accounts.items():
            required, available = -self._changes[account].available, row["available"] if row else 0
            if available < required:
                return Shortage(account, required, available)
        return None

    @property
    def is_unheld(self) -> bool:
        """Whether a change that releases held funds was refused."""
        return any(self._changes[account].held < 0 for account in self.accounts)

    @property
    def is_of_accounts_alone(self) -> bool:
        return not (self.rows or self.is_supply or self.is_transaction or self.is_receipt)


class Postings:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._accounts = Accounts(database)
        self._transactions = Transactions(database)

    def post(self, posting: Posting, is_done: IsDone | None = None) -> None:
        """Write all of the posting, or nothing.

        is_done: tells whether it was written, after a lost answer. Raises Refused or Unavailable (nothing written), or
        OutcomeUnknown.
        """
        parts = self._parts(posting)
        try:
            self._database.transact(parts.writes, is_done)
        except TransactionRefused as error:
            raise Refused(posting, parts, error.refused) from error

    def _parts(self, posting: Posting) -> _Parts:
        changes: list[Write] = [
            self._accounts.change(*account, change.available, change.held, posting.at_ms)
            for account, change in posting.changes.items()
        ]
        supply = [self._accounts.count(posting.instance, *credit) for credit in _supply(posting.transactions)]
        copies = [copy for one in posting.transactions for copy in self._transactions.copies(posting.instance, one)]
        return _Parts(posting.rows, changes, supply, copies, [posting.receipt] if posting.receipt is not None else [])


@dataclass(frozen=True, slots=True)
class _Parts:
    """The writes of a posting."""

    rows: Sequence[Write]
    changes: Sequence[Write]
    supply: Sequence[Write]
    copies: Sequence[Write]
    receipt: Sequence[Write]

    @property
    def writes(self) -> list[Write]:
        return [*self.rows, *self.changes, *self.supply, *self.copies, *self.receipt]


def _supply(transactions: Iterable[Transaction]) -> list[tuple[str, int]]:
    """Return the change of each asset's supply: credits less debits."""
    signs = {TransactionType.CREDIT: 1, TransactionType.DEBIT: -1}
    amounts: Counter[str] = Counter()
    for one in transactions:
        amounts[one.asset] += signs.get(one.kind, 0) * one.amount
    return [(asset, amount) for asset, amount in amounts.items() if amount]
