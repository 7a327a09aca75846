"""Failed batches of books (table ``books``): how many since the last success, and since when a book is parked (T53).

They stand in the row of the book's settings::

    counted --note: one more--> counted --note: one too many--> parked --release--> (nothing)
       +------forget: the batch got through------> (nothing)

Each step is conditional on the row as it was read. Parked books are also listed under one key; the list row is put and
removed in one transaction with the flag.
"""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.tables.book_rows import TABLE, config_key
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.rows import Row
from chalicelib.tables.writes import ConditionFailed, Delete, Put, TransactionRefused, Update, Write, as_refused

PARKED = "parked"
"""Partition key of the list of parked books."""
ATTRIBUTES = "failed_batches", "failed_at_ms", "failed_command", "failure", "parked_at_ms"


@dataclass(frozen=True, slots=True)
class BatchFailures:
    """The failed batches of a book (T53).

    failed_batches: number since the last success. The other members describe the last failure: its time, first command
    and error. parked_at_ms: since when the book is parked; None: it is not.
    """

    failed_batches: int = 0
    failed_at_ms: int = 0
    command: str | None = None
    reason: str | None = None
    parked_at_ms: int | None = None


NO_FAILURES = BatchFailures()


class FailedBatches:
    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, book: str) -> BatchFailures | None:
        """Return a book's failed batches, without parsing its configuration; None if there is no such book."""
        condition, values = "#book = :book AND #part = :config", {":book": book, ":config": "config"}
        wanted = ", ".join(f"#{name}" for name in ("part", *ATTRIBUTES))
        rows = self._database.query(TABLE, condition, values, ProjectionExpression=wanted)
        return next(map(failures_of, rows), None)

    def note(self, book: str, before: BatchFailures, after: BatchFailures) -> None:
        """Count one more failed batch, and park the book if ``after`` says so (T53).

        Raises ConditionFailed or TransactionRefused if the row no longer is as ``before``, or is gone.
        """
        failures_as_read = "attribute_not_exists(#failed_batches)"
        values: Row = {
            ":failed_batches": after.failed_batches,
            ":failed_at": after.failed_at_ms,
            ":command": after.command,
            ":reason": after.reason,
        }
        if before.failed_batches:
            failures_as_read = "#failed_batches = :batches_as_read AND #failed_at_ms = :failed_at_as_read"
            values |= {":batches_as_read": before.failed_batches, ":failed_at_as_read": before.failed_at_ms}
        not_parked = "attribute_not_exists(#parked_at_ms)"
        condition = f"attribute_exists(#part) AND {failures_as_read} AND {not_parked}"
        changes = "SET #failed_batches = :failed_batches, #failed_at_ms = :failed_at, "
        changes += "#failed_command = :command, #failure = :reason"
        if after.parked_at_ms is None:
            noted = Update(TABLE, config_key(book), changes, condition, values)
            self._database.write(noted, lambda row: row is not None and failures_of(row) == after)
            return
        values[":at"] = after.parked_at_ms
        mark = Update(TABLE, config_key(book), f"{changes}, #parked_at_ms = :at", condition, values)
        self._database.transact([mark, Put(TABLE, parked_key(book))], lambda: self._has_failures(book, after))

    def _has_failures(self, book: str, failures: BatchFailures) -> bool:
        return self.of(book) == failures

    def forget(self, book: str, before: BatchFailures) -> None:
        """Reset the count after a success. Does nothing if the row has changed since ``before``."""
        as_read = "#failed_batches = :failed_batches AND #failed_command = :command"
        not_parked = "attribute_not_exists(#parked_at_ms)"
        values = {":failed_batches": before.failed_batches, ":command": before.command}
        try:
            changes = "REMOVE #failed_batches, #failed_at_ms, #failed_command, #failure"
            forgotten = Update(TABLE, config_key(book), changes, f"{as_read} AND {not_parked}", values)
            self._database.write(forgotten, as_refused)
        except ConditionFailed:
            return

    def release(self, book: str, before: BatchFailures) -> None:
        """Unpark a book and reset its count. Does nothing if it was released or parked again since ``before``."""
        parked_as_read = "#parked_at_ms = :at"
        changes = "REMOVE #failed_batches, #failed_at_ms, #failed_command, #failure, #parked_at_ms"
        mark = Update(TABLE, config_key(book), changes, parked_as_read, {":at": before.parked_at_ms})
        try:
            writes: list[Write] = [mark, Delete(TABLE, parked_key(book))]
            self._database.transact(writes, lambda: self._has_failures(book, NO_FAILURES))
        except TransactionRefused:
            return

    def parked(self) -> list[str]:
        """Return the keys of all parked books of all instances, in order. Costs what it returns."""
        return [row["part"] for row in self._database.query(TABLE, "#book = :parked", {":parked": PARKED})]


def parked_key(book: str) -> Row:
    return {"book": PARKED, "part": book}


def failures_of(row: Row) -> BatchFailures:
    return BatchFailures(
        row.get("failed_batches", 0),
        row.get("failed_at_ms", 0),
        row.get("failed_command"),
        row.get("failure"),
        row.get("parked_at_ms"),
    )
