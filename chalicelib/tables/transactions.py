"""Transactions (table ``accounts``): immutable records of what was moved, when, and by which reference.

They cover credits, debits, transfers and the fills of signed orders; trades of books are read from fills and journals.
A transaction has a copy under each customer involved and one under the instance (``keys.transactions_key``), all put in
the transaction that moves the money. Sort keys are ``transaction/txn_<ULID>``, so each list is in order of time. All of
an instance's copies share one partition: about 500 a second.

A name that must not move money twice, such as a reference, has a lock: a row with the id of the transaction that took
it and a digest of its request. Locks are permanent.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from ulid import ULID

from chalicelib.domain.ledger.owners import customer_key, transactions_key
from chalicelib.domain.ledger.transactions import Movement, Transaction, TransactionType, Withdrawal
from chalicelib.support.canonical import canonical, digest
from chalicelib.support.ids import TIME_MS_MAX, greatest_id, least_id
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.rows import Row, reads_row, whole
from chalicelib.tables.writes import Put, Write

TABLE = "accounts"
TRANSACTION, LOCK = "transaction", "once"
"""First part of each sort key."""
PAGE_ROWS = 100
PARTIES = {
    TransactionType.CREDIT: (False, True),
    TransactionType.DEBIT: (True, False),
    TransactionType.TRANSFER: (True, True),
    TransactionType.TRADE: (True, True),
    TransactionType.FEE: (True, False),
}
"""By type: whether a transaction has a source (a customer or a fee account), and whether it has a target."""


@dataclass(frozen=True, slots=True)
class TransactionRow:
    """A copy of a transaction. owner: the customer's account or the instance's list that it stands under."""

    owner: str
    transaction: Transaction


@dataclass(frozen=True, slots=True)
class Lock:
    """A name that can be used once. name: see ``reference_lock``. facts: digest of the request."""

    instance: str
    name: str
    facts: str

    @property
    def key(self) -> dict[str, str]:
        return {"owner": f"{self.instance}/locks/{self.name}", "entry": LOCK}


def reference_lock(movement: Movement) -> Lock | None:
    """Return the lock of the movement's reference; None if the reference is missing or empty.

    A reference is unique within a movement's type, customers and token: "bonus" may go to many customers, once to each.
    """
    if not movement.reference:
        return None
    name = [movement.kind.value, movement.source, movement.target, movement.asset, movement.reference]
    return Lock(movement.instance, digest(canonical(["reference", *name])), facts_of(movement))


def name_lock(movement: Movement, name: str) -> Lock:
    """Return the lock of an operator's name for a movement; unique within the instance."""
    return Lock(movement.instance, digest(canonical(["name", name])), facts_of(movement))


def facts_of(movement: Movement) -> str:
    """Return a digest of the request; the order of members in the metadata does not matter."""
    metadata = None if movement.metadata is None else json.loads(movement.metadata)
    parties = [movement.asset, movement.source, movement.target]
    return digest(canonical([*parties, str(movement.amount), movement.reference, metadata]))


def withdrawal_lock(withdrawal: Withdrawal) -> Lock:
    """Return the lock of a withdrawal's reference, unique within its fee account and asset (T95)."""
    name = ["fees", withdrawal.account, withdrawal.asset, withdrawal.reference]
    amount = None if withdrawal.amount is None else str(withdrawal.amount)
    return Lock(withdrawal.instance, digest(canonical(name)), digest(canonical([withdrawal.target, amount])))


def transaction_for(movement: Movement, transaction_id: str) -> Transaction:
    """Return the transaction that carries out the movement. Its time is its id's (T15)."""
    return Transaction(
        transaction_id,
        movement.kind,
        movement.asset,
        movement.source,
        movement.target,
        movement.amount,
        movement.reference,
        movement.metadata,
        ULID.from_str(transaction_id.partition("_")[2]).milliseconds,
    )


class Transactions:
    def __init__(self, database: Database) -> None:
        self._database = database

    def copies(self, instance: str, transaction: Transaction) -> list[Write]:
        """Return the writes of the transaction's copies. Refused if the id is used twice: a bug."""
        transaction_not_exists = "attribute_not_exists(#entry)"
        rows = (_row_of(owner, transaction) for owner in owners(instance, transaction))
        return [Put(TABLE, row, transaction_not_exists) for row in rows]

    def take(self, lock: Lock, transaction_id: str) -> Write:
        """Return the write that takes a name. Refused (row attached) if another transaction has it."""
        name_is_free = "attribute_not_exists(#entry)"
        row = lock.key | {"facts": lock.facts, "transaction_id": transaction_id}
        return Put(TABLE, row, name_is_free)

    def taken(self, lock: Lock) -> tuple[str, bool] | None:
        """Return the id of the transaction with this name and whether its request was equal; None if it is free."""
        row = self._database.get(TABLE, lock.key)
        return (row["transaction_id"], row["facts"] == lock.facts) if row else None

    def get(self, instance: str, transaction_id: str) -> Transaction | None:
        row = self._database.get(TABLE, {"owner": transactions_key(instance), "entry": _entry(transaction_id)})
        return None if row is None else transaction_of(row)

    def newest_first(
        self, owner: str, from_ms: int = 0, to_ms: int = TIME_MS_MAX, page_rows: int = PAGE_ROWS
    ) -> Iterator[Transaction]:
        """Yield an owner's transactions in a time range, both ends included. Costs what it yields, page by page.

        owner: a customer's (``keys.customer_key``), or the instance's list of all (``keys.transactions_key``).
        """
        values = {
            ":owner": owner,
            ":first": _entry(least_id("txn", from_ms)),
            ":last": _entry(greatest_id("txn", to_ms)),
        }
        condition = "#owner = :owner AND #entry BETWEEN :first AND :last"
        rows = self._database.query(TABLE, condition, values, ScanIndexForward=False, Limit=page_rows)
        return map(transaction_of, rows)


def owners(instance: str, transaction: Transaction) -> list[str]:
    """Return the owners under which the transaction's copies stand."""
    customers = (customer for customer in (transaction.source, transaction.target) if customer is not None)
    return [transactions_key(instance), *dict.fromkeys(customer_key(instance, customer) for customer in customers)]


@reads_row
def transaction_of(row: Row) -> Transaction:
    """Return the transaction in a row. Raises UnreadableRow."""
    transaction = Transaction(
        row["entry"].removeprefix(f"{TRANSACTION}/"),
        TransactionType(row["kind"]),
        row["asset"],
        row["source"],
        row["target"],
        whole(row, "amount"),
        row["reference"],
        row["metadata"],
        whole(row, "at_ms"),
        row.get("fees"),
    )
    texts = transaction.asset, transaction.fees, *(row[name] for name in ("source", "target", "reference", "metadata"))
    if not isinstance(transaction.asset, str) or not all(text is None or isinstance(text, str) for text in texts):
        raise TypeError(f"not all texts: {texts}")
    sources, has_target = {transaction.source, transaction.fees} - {None}, transaction.target is not None
    has_source = len(sources) == 1
    if (has_source, has_target) != PARTIES[transaction.kind]:
        raise ValueError(f"{transaction.kind.value} from {transaction.source} to {transaction.target}")
    return transaction


def _entry(transaction_id: str) -> str:
    return f"{TRANSACTION}/{transaction_id}"


def _row_of(owner: str, transaction: Transaction) -> Row:
    return ({} if transaction.fees is None else {"fees": transaction.fees}) | {
        "owner": owner,
        "entry": _entry(transaction.transaction_id),
        "kind": transaction.kind.value,
        "asset": transaction.asset,
        "source": transaction.source,
        "target": transaction.target,
        "amount": transaction.amount,
        "reference": transaction.reference,
        "metadata": transaction.metadata,
        "at_ms": transaction.at_ms,
    }
