"""The logs of an instance as their tables keep them: journals of books, and lanes of the outbox."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from chalicelib.domain.books import feed as book_feed
from chalicelib.domain.books.config import BookConfig
from chalicelib.domain.feed import outbox as outbox_feed
from chalicelib.domain.feed.event import FeedEvent
from chalicelib.domain.feed.logs import book_log
from chalicelib.domain.ledger.owners import book_key
from chalicelib.support.consistency import Inconsistent
from chalicelib.tables import journal, outbox
from chalicelib.tables.books import Books
from chalicelib.tables.numbered import NumberedRows
from chalicelib.tables.rows import Row


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

    def number_of(self, row: Row) -> int:
        return int(row[self.rows.number])


def log_of_book(books: Books, instance: str, book_id: str) -> StoredLog:
    """Return a book's log. The book's settings are read when the first events are derived."""
    book = book_key(instance, book_id)

    @cache
    def config() -> BookConfig:
        found = books.config(book)
        if found is None:
            raise Inconsistent(f"{book} has a journal and no settings")
        return found

    def events_of(row: Row) -> list[FeedEvent]:
        return book_feed.events_of(config(), journal.entry_of(row))

    return StoredLog(instance, book_log(book_id), journal.ROWS, book, events_of)


def log_of_lane(instance: str, log: str) -> StoredLog:
    """Return a lane of the outbox as a log."""

    def events_of(row: Row) -> list[FeedEvent]:
        return outbox_feed.events_of(instance, outbox.outbox_entry_of(row)[1])

    return StoredLog(instance, log, outbox.ROWS, f"{instance}/{log}", events_of)
