"""The logs of an instance as their tables keep them: journals of books, and lanes of the outbox."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from chalicelib.domain.books import feed as book_feed
from chalicelib.domain.books.config import BookConfig
from chalicelib.domain.books.journal import JournalEntry
from chalicelib.domain.feed import outbox as outbox_feed
from chalicelib.domain.feed.cursor import Place
from chalicelib.domain.feed.event import FeedEvent
from chalicelib.domain.feed.logs import book_log, stamp_of
from chalicelib.domain.ledger.owners import book_key
from chalicelib.support.bounded_cache import BoundedCache
from chalicelib.support.consistency import Inconsistent
from chalicelib.tables import journal, outbox
from chalicelib.tables.books import Books
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.numbered import NumberedRows
from chalicelib.tables.rows import Row

BOOKS_MAX = 1000
"""Books whose settings a process keeps."""


class EntryAt(NamedTuple):
    """Where an entry stands, or will."""

    rows: NumberedRows
    owner: str
    number: int


@dataclass(frozen=True, slots=True)
class StoredLog:
    """A log. name: as ``domain.feed.logs`` makes it. rows, owner: where its entries stand.

    events_of: derives the events of an entry's row. Raises UnreadableRow.
    """

    instance: str
    name: str
    rows: NumberedRows
    owner: str
    events_of: Callable[[Row], list[FeedEvent]]

    def at(self, number: int) -> EntryAt:
        return EntryAt(self.rows, self.owner, number)

    def number_of(self, row: Row) -> int:
        return int(row[self.rows.number])

    def time_of(self, row: Row) -> int:
        """Return when an entry was decided, Unix ms. Raises UnreadableRow."""
        return self.rows.time_and_mark(self.owner, row)[0]

    def stamp_of(self, row: Row) -> str:
        """Raises UnreadableRow."""
        return stamp_of(*self.rows.time_and_mark(self.owner, row))

    def behind(self, row: Row) -> Place:
        """Return the place behind an entry. row: may lack all but number, time and mark. Raises UnreadableRow."""
        return Place(self.number_of(row), self.stamp_of(row))


class BookEvents:
    """Derives the events of journal entries. Keeps books' settings as first read: what events need never changes."""

    def __init__(self, database: Database) -> None:
        self._books = Books(database)
        self._configs: BoundedCache[str, BookConfig] = BoundedCache(BOOKS_MAX)

    def of(self, entry: JournalEntry) -> list[FeedEvent]:
        config = self._configs.get(entry.book) or self._books.config(entry.book)
        if config is None:
            raise Inconsistent(f"{entry.book} has a journal and no settings")
        self._configs.set(entry.book, config)
        return book_feed.events_of(config, entry)


def log_of_book(events: BookEvents, instance: str, book_id: str) -> StoredLog:
    """Return a book's journal as a log."""

    def events_of(row: Row) -> list[FeedEvent]:
        return events.of(journal.entry_of(row))

    return StoredLog(instance, book_log(book_id), journal.ROWS, book_key(instance, book_id), events_of)


def log_of_lane(instance: str, log: str) -> StoredLog:
    """Return a lane of the outbox as a log."""

    def events_of(row: Row) -> list[FeedEvent]:
        return outbox_feed.events_of(instance, outbox.outbox_entry_of(row)[1])

    return StoredLog(instance, log, outbox.ROWS, f"{instance}/{log}", events_of)
