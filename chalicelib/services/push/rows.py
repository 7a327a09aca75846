"""How the rows of the journal and of the outbox are read as entries of logs, from a stream or from their tables."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from chalicelib.domain.feed.event import FeedEvent
from chalicelib.domain.feed.logs import BOOK_AREA, book_log
from chalicelib.domain.feed.outbox import events_of as events_of_outbox
from chalicelib.domain.ledger.owners import split_book_key
from chalicelib.services.feed.logs import BookEvents, log_of_book, log_of_lane
from chalicelib.services.push.following import Log
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.journal import entry_of, is_entry
from chalicelib.tables.outbox import outbox_entry_of
from chalicelib.tables.rows import Row

ENTRIES_A_READ = 500


class JournalRows:
    """Entries of journals. The snapshots beside them are none."""

    def __init__(self, database: Database) -> None:
        self._events = BookEvents(database)

    def log_of(self, row: Row) -> Log | None:
        if not is_entry(row):
            return None
        instance, book_id = split_book_key(row["book"])
        return Log(instance, book_log(book_id))

    def events_of(self, row: Row) -> list[FeedEvent]:
        return self._events.of(entry_of(row))


class OutboxRows:
    """Entries of the outbox's lanes."""

    def log_of(self, row: Row) -> Log | None:
        instance, entry = outbox_entry_of(row)
        return Log(instance, entry.log)

    def events_of(self, row: Row) -> list[FeedEvent]:
        return events_of_outbox(*outbox_entry_of(row))


class StoredEntries:
    """Reads the entries of any log from its table."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._events = BookEvents(database)

    def between(self, instance: str, log: str, after: int, until: int) -> Iterator[list[FeedEvent]]:
        """Return the events of each entry after one sequence and up to another, in order. Reads these entries alone,
        ENTRIES_A_READ at a time.
        """
        area, _, book_id = log.partition("/")
        stored = log_of_book(self._events, instance, book_id) if area == BOOK_AREA else log_of_lane(instance, log)
        entries = until - after
        rows = stored.rows.after(self._database, stored.owner, after, min(entries, ENTRIES_A_READ))
        return map(stored.events_of, islice(rows, entries))
