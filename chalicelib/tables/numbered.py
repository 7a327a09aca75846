"""Numbered rows: the entries 1, 2, 3, ... that stand under one key, each put on condition that it is not there.

A book's journal is such a log, and each lane of the outbox. Times of entries are in ``at_ms``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from chalicelib.support.ids import TIME_MS_MAX
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.rows import Row, reads_row, whole


@dataclass(frozen=True, slots=True)
class NumberedRows:
    """A table of such rows. owner, number: names of its key attributes. mark: of the attribute which, with the time,
    tells an entry from another of that number, in a table made anew or restored.
    """

    table: str
    owner: str
    number: str
    mark: str

    def key(self, owner: str, number: int) -> Row:
        return {self.owner: owner, self.number: number}

    def after(self, database: Database, owner: str, number: int, page_rows: int | None = None) -> Iterator[Row]:
        """Yield the rows after this number, in order, read consistently; ``page_rows`` a read (None: 1 MiB)."""
        condition = f"#{self.owner} = :owner AND #{self.number} > :number"
        options = {} if page_rows is None else {"Limit": page_rows}
        return database.query(self.table, condition, {":owner": owner, ":number": number}, **options)

    def newest_first(
        self, database: Database, owner: str, page_rows: int, to_ms: int = TIME_MS_MAX, projected: str | None = None
    ) -> Iterator[Row]:
        """Yield the rows, newest first. to_ms: leave out later ones (``last_until``). projected: attributes to read."""
        condition, values = f"#{self.owner} = :owner", Row({":owner": owner})
        if to_ms < TIME_MS_MAX:
            condition += f" AND #{self.number} <= :last"
            values[":last"] = self.last_until(database, owner, to_ms)
        options = {} if projected is None else {"ProjectionExpression": projected}
        return database.query(self.table, condition, values, ScanIndexForward=False, Limit=page_rows, **options)

    def last(self, database: Database, owner: str) -> Row | None:
        """Return number, time and mark of the last row. One read."""
        projected = f"#{self.number}, #at_ms, #{self.mark}"
        return next(self.newest_first(database, owner, 1, projected=projected), None)

    def last_until(self, database: Database, owner: str, at_ms: int) -> int:
        """Return the number of the last row up to a time; 0 for none. One read for each halving of the rows.

        Relies on times that never decrease; where they do, the result is some row between one up to the time and one
        after it.
        """
        last = self.last(database, owner)
        if last is None or self.time_and_mark(owner, last)[0] <= at_ms:
            return 0 if last is None else int(last[self.number])
        not_later, later = 0, int(last[self.number])
        while later - not_later > 1:
            middle = (not_later + later) // 2
            condition = f"#{self.owner} = :owner AND #{self.number} = :middle"
            values = {":owner": owner, ":middle": middle}
            (row,) = database.query(self.table, condition, values, ProjectionExpression="#at_ms")
            is_later = _time_of({**self.key(owner, middle), **row}) > at_ms
            not_later, later = (not_later, middle) if is_later else (middle, later)
        return not_later

    def time_and_mark(self, owner: str, row: Row) -> tuple[int, str]:
        """Return what tells an entry from another of its number (``mark``). row: may lack all else. Raises
        UnreadableRow.
        """
        read = reads_row(lambda known: (whole(known, "at_ms"), str(known[self.mark])))
        return read({self.owner: owner, **row})


@reads_row
def _time_of(row: Row) -> int:
    return whole(row, "at_ms")
