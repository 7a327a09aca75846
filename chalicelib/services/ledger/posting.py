"""Posting: one transaction with everything that a command writes, money included.

::

    the desk's rows + one change an account + ledger rows + their supply + the answer under the caller's key
    + an entry of the outbox under the next number of its lane
        --> written        all of it
        --> Refused        nothing; it says which conditions failed, and each desk decides what that means

DynamoDB need not name all conditions that failed. A desk that must tell reasons apart reads its rows again.

**The number.** If nothing but the number is named, another step has taken it: the posting is tried again under the next
one, and then all its other conditions are judged anew. One number is taken by one transaction, for ever. So after a
lost answer the entry under that number tells whether the posting was written, whatever has happened to its rows since.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from chalicelib.domain.feed.outbox import Announcement
from chalicelib.domain.ledger.changes import Change
from chalicelib.domain.ledger.transactions import Transaction, TransactionType
from chalicelib.support.outcomes import OutcomeUnknown, Unavailable
from chalicelib.tables.accounts import Accounts
from chalicelib.tables.attempts import tries
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.outbox import Outbox
from chalicelib.tables.rows import Row
from chalicelib.tables.transactions import Transactions
from chalicelib.tables.writes import IsDone, TransactionRefused, Write

NUMBER_TRIES_MAX, NUMBER_PAUSE_MAX_S = 100, 0.05
"""Tries of a posting whose number others take, and the longest pause before one: some seconds in all. Who pauses
longer loses to those who come later; of eight writers that never rest, each try is one of eight."""

AccountKey = tuple[str, str]
"""An account: the key of its owner (``domain.ledger.owners``), and its asset."""


@dataclass(frozen=True, slots=True)
class Posting:
    """The content of one transaction.

    rows: the desk's own. changes: of accounts, at ``at_ms`` (Unix ms). transactions: rows of the ledger (T37); a credit
    or debit also changes its asset's supply. receipt: keeps the answer under the caller's key. announcement: what it
    puts into the outbox.
    """

    instance: str
    rows: Sequence[Write]
    changes: Mapping[AccountKey, Change] = field(default_factory=dict)
    at_ms: int = 0
    transactions: Sequence[Transaction] = ()
    receipt: Write | None = None
    announcement: Announcement | None = None


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


class EntryUnknown(OutcomeUnknown):
    """Nothing tells whether a posting with an entry was written; the entry under its number will (``is_posted``)."""

    def __init__(self, number: int, lost: OutcomeUnknown) -> None:
        super().__init__(str(lost))
        self.number = number


class Postings:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._accounts = Accounts(database)
        self._transactions = Transactions(database)
        self._outbox = Outbox(database)

    def post(self, posting: Posting, is_done: IsDone | None = None) -> None:
        """Write all of the posting, or nothing.

        is_done: of a posting that announces nothing, tells whether it was written, after a lost answer. Raises Refused
        or Unavailable (nothing written), OutcomeUnknown, or in its place EntryUnknown.
        """
        if posting.announcement is not None:
            return self._post_numbered(posting, posting.announcement)
        parts = self._parts(posting)
        try:
            self._transact(parts, is_done)
        except TransactionRefused as error:
            raise Refused(posting, parts, error.refused) from error

    def _post_numbered(self, posting: Posting, announced: Announcement) -> None:
        for _ in tries(NUMBER_TRIES_MAX, self._database.pause, NUMBER_PAUSE_MAX_S):
            number = self._outbox.next(posting.instance, announced.log)
            entry = self._outbox.put(posting.instance, announced.entry(number, posting.at_ms))
            parts = self._parts(posting, [entry])
            try:
                self._transact(parts, partial(self.is_posted, posting, number))
            except TransactionRefused as error:
                if [parts.writes[index] for index in error.refused] != [entry]:
                    raise Refused(posting, parts, error.refused) from error
                self._outbox.was_taken(posting.instance, announced.log)
            except OutcomeUnknown as lost:
                raise EntryUnknown(number, lost) from lost
            else:
                self._outbox.was_put(posting.instance, announced.log, number)
                return
        raise Unavailable(f"{posting.instance}/{announced.log}: others take each number")

    def _transact(self, parts: _Parts, is_done: IsDone | None) -> None:
        self._database.transact(parts.writes, is_done)

    def is_posted(self, posting: Posting, number: int) -> bool:
        """Return whether a posting was written under a number of its lane."""
        announced = posting.announcement
        return announced is not None and self._outbox.has(posting.instance, announced.log, number, announced.command)

    def _parts(self, posting: Posting, entry: Sequence[Write] = ()) -> _Parts:
        changes: list[Write] = [
            self._accounts.change(*account, change.available, change.held, posting.at_ms)
            for account, change in posting.changes.items()
        ]
        supply = [self._accounts.count(posting.instance, *credit) for credit in _supply(posting.transactions)]
        copies = [copy for one in posting.transactions for copy in self._transactions.copies(posting.instance, one)]
        receipt = [] if posting.receipt is None else [posting.receipt]
        return _Parts(posting.rows, changes, supply, copies, entry, receipt)


@dataclass(frozen=True, slots=True)
class _Parts:
    """The writes of a posting."""

    rows: Sequence[Write]
    changes: Sequence[Write]
    supply: Sequence[Write]
    copies: Sequence[Write]
    entry: Sequence[Write]
    receipt: Sequence[Write]

    @property
    def writes(self) -> list[Write]:
        return [*self.rows, *self.changes, *self.supply, *self.copies, *self.entry, *self.receipt]


def _supply(transactions: Iterable[Transaction]) -> list[tuple[str, int]]:
    """Return the change of each asset's supply: credits less debits."""
    signs = {TransactionType.CREDIT: 1, TransactionType.DEBIT: -1}
    amounts: Counter[str] = Counter()
    for one in transactions:
        amounts[one.asset] += signs.get(one.kind, 0) * one.amount
    return [(asset, amount) for asset, amount in amounts.items() if amount]
