"""Rows of the table ``accounts`` in their types: balances, marks, and copies of transactions (``accounts``)."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.domain.ledger.accounts import Balance
from chalicelib.tables.rows import Row, whole
from chalicelib.tables.transactions import LOCK, TRANSACTION, TransactionRow, transaction_of

MARK = "mark"


class MalformedRow(Exception):
    """A row that this program cannot have written."""


@dataclass(frozen=True, slots=True)
class AccountRow:
    """An account as stored, or the counter of an asset's supply (owner: ``keys.supply_key``).

    marks: by book, the sequence of the last journal entry applied. withdrawn: as ``Balance`` has it.
    """

    owner: str
    asset: str
    available: int
    held: int
    marks: dict[str, int]
    withdrawn: int = 0


@dataclass(frozen=True, slots=True)
class MarkRow:
    """A mark in a row of its own."""

    owner: str
    asset: str
    book: str
    sequence: int


def marks_in(row: Row) -> dict[str, int]:
    """Return the marks in an account's row, by book."""
    start = f"{MARK}/"
    return {name.removeprefix(start): whole(row, name) for name in row if name.startswith(start)}


def balance_of(row: Row) -> Balance:
    """Return the balance in an account's row."""
    asset = str(row["entry"]).removeprefix("balance/")
    return Balance(asset, row["available"], row["held"], row.get("changed_at_ms"), row.get("withdrawn", 0))


def marked_of(row: Row) -> AccountRow | MarkRow:
    """Return an account, or a mark beside one, as stored."""
    owner, (kind, _, name) = row["owner"], row["entry"].partition("/")
    if kind == MARK:
        asset, _, book = name.partition("/")
        return MarkRow(owner, asset, book, whole(row, "sequence"))
    withdrawn = whole(row, "withdrawn") if "withdrawn" in row else 0
    return AccountRow(owner, name, whole(row, "available"), whole(row, "held"), marks_in(row), withdrawn)


def typed_of(row: Row) -> AccountRow | TransactionRow | MarkRow | None:
    """Return the row in its type; None for the lock of a reference."""
    owner, kind = row["owner"], row["entry"].partition("/")[0]
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
        if kind not in ("balance", MARK):
            raise ValueError("neither a balance nor a mark nor a transaction")
        if kind == "balance" and not owner.endswith("/supply"):
            whole(row, "changed_at_ms")
        if row.get("marks_beside", True) is not True:
            raise TypeError(f"marks_beside: {row['marks_beside']!r}")
        return marked_of(row)
    except (KeyError, ValueError, TypeError) as error:
        raise MalformedRow(f"{owner} {row['entry']}: {error!r}") from error
