"""The journal (table ``journal``): append-only; putting the next entry is a book's commit point.

Entries stand under the book's key by sequence, beside its snapshots (``snapshots``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from chalicelib.domain.books.journal import JournalEntry
from chalicelib.support.ids import TIME_MS_MAX
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.numbered import NumberedRows
from chalicelib.tables.rows import Row, reads_row, whole
from chalicelib.tables.stored_events import content_of, stored, stored_bytes
from chalicelib.tables.writes import ConditionFailed, Put, TransactionRefused

TABLE = "journal"
ROWS = NumberedRows(TABLE, "book", "sequence", "hash")
PAGE_ENTRIES = 25
"""Entries read at a time from the end: a page of trades seldom needs more."""


class EntryExists(Exception):
    """Another matcher has written this entry: the caller's copy of the book is stale."""


class Journal:
    def __init__(self, database: Database) -> None:
        self._database = database

    def append(self, entries: Sequence[JournalEntry]) -> int:
        """Commit the entries, all or none. Return the size of their events as stored, in bytes.

        An existing entry that is equal in all members counts as this one. Raises EntryExists if a different one exists;
        nothing is changed then. Raises OutcomeUnknown too: the caller must read the journal again.
        """
        entry_not_exists = "attribute_not_exists(#book)"
        puts = [Put(TABLE, _row_of(entry), entry_not_exists) for entry in entries]
        try:
            if len(puts) == 1:
                self._database.write(puts[0])
            else:
                self._database.transact(puts, lambda: self._has(puts[-1].row))
        except (ConditionFailed, TransactionRefused) as error:
            raise EntryExists(f"{entries[0].book} {entries[0].sequence}") from error
        return sum(stored_bytes(put.row) for put in puts)

    def _has(self, row: Mapping[str, Any]) -> bool:
        return self._database.get(TABLE, {"book": row["book"], "sequence": row["sequence"]}) == row

    def after(self, book: str, sequence: int) -> Iterator[JournalEntry]:
        """Yield the entries after this sequence, in order, read consistently."""
        return (entry for entry, _ in self.sized_after(book, sequence))

    def newest_first(self, book: str, to_ms: int = TIME_MS_MAX) -> Iterator[JournalEntry]:
        """Yield the book's entries, newest first. Reads a page at a time.

        to_ms: skip later entries, by binary search: one read for each halving of their number.
        """
        return map(entry_of, ROWS.newest_first(self._database, book, PAGE_ENTRIES, to_ms))

    def sized_after(self, book: str, sequence: int) -> Iterator[tuple[JournalEntry, int]]:
        """Yield the entries after this sequence, each with the size of its events as stored, in bytes."""
        for row in ROWS.after(self._database, book, sequence):
            yield entry_of(row), stored_bytes(row)


def _row_of(entry: JournalEntry) -> Row:
    row = stored(entry.content)
    if entry.redriven:
        row["redriven"] = list(entry.redriven)
    return row | {
        "book": entry.book,
        "sequence": entry.sequence,
        "at_ms": entry.at_ms,
        "watermark": str(entry.watermark),
        "previous_hash": entry.previous_hash,
        "hash": entry.hash,
    }


@reads_row
def entry_of(row: Row) -> JournalEntry:
    """Return the entry in a row. Raises UnreadableRow."""
    return JournalEntry(
        book=row["book"],
        sequence=row["sequence"],
        at_ms=whole(row, "at_ms"),
        watermark=int(row["watermark"]),
        previous_hash=row["previous_hash"],
        hash=row["hash"],
        content=content_of(row),
        redriven=tuple(row.get("redriven", ())),
    )


def is_entry(row: Row) -> bool:
    """Return whether a row of the table is an entry; snapshots stand there too."""
    return "previous_hash" in row
