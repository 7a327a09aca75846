"""The streams of the journal and of the outbox, handed to a broadcaster row by row as their functions get them."""

from __future__ import annotations

from collections.abc import Iterator

from chalicelib.services.push.broadcasting import Broadcaster
from chalicelib.services.push.following import Rows, follow_records
from chalicelib.services.push.rows import JournalRows, OutboxRows
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.rows import Row
from infra.shards import lambda_record
from tests.recording import work_of
from tests.world import record_of


class Streams:
    """What is there when it is made counts as handed over."""

    def __init__(self, database: Database, broadcaster: Broadcaster) -> None:
        self._database = database
        self.broadcaster = broadcaster
        self._followed: set[tuple[str, int]] = set()
        self.miss()

    def follow(self, function: str | None = None) -> None:
        """Hand the new rows to the broadcaster, as a function's work."""
        for rows, new in self._new():
            records = [lambda_record(record_of(row, index), "arn") for index, row in enumerate(new, 1)]
            with work_of(function):
                assert follow_records(rows, {"sockets": self.broadcaster}, records) == []

    def miss(self) -> None:
        """Leave the new rows out, which a broadcaster then finds in their tables."""
        list(self._new())

    def forget(self) -> None:
        """Hand all rows over again the next time."""
        self._followed.clear()

    def _new(self) -> Iterator[tuple[Rows, list[Row]]]:
        for table, number, owner, rows in (
            ("journal", "sequence", "book", JournalRows(self._database)),
            ("outbox", "number", "owner", OutboxRows()),
        ):
            ordered = sorted(self._database.scan(table), key=lambda row: (row[owner], row[number]))
            yield rows, [row for row in ordered if (row[owner], row[number]) not in self._followed]
            self._followed |= {(row[owner], row[number]) for row in ordered}
