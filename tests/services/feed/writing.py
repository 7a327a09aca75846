"""Logs for tests of their readers: entries in lanes and journals, and the calls that reading them makes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from chalicelib.domain.books.config import BookConfig
from chalicelib.domain.books.events import CancelRefused
from chalicelib.domain.books.journal import Head, draft, head_of
from chalicelib.domain.feed.logs import SIGNED_AREA
from chalicelib.domain.feed.outbox import OutboxEntry, OutboxEvent, packed
from chalicelib.domain.ledger.owners import book_key
from chalicelib.services.feed.reading import Feed, Page, Scope
from chalicelib.tables.books import Books
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.journal import Journal
from chalicelib.tables.outbox import Outbox
from infra.tables import create_tables
from tests.faults import Call, WatchedClient
from tests.memory import MemoryDynamoDB

INSTANCE = "inst_feed0001"
ANN, BEN = "customer/ann", "customer/ben"
NOW_MS = 1_736_937_000_000
OPERATOR = Scope(INSTANCE, None, None, (SIGNED_AREA,))
BASE, QUOTE = "0x" + "b" * 40, "0x" + "c" * 40


class Logs:
    """Lanes and journals of one instance over tables that count the calls made on them, keys and their read units.

    meanwhile: called after each call of the reader, with the operation's name.
    """

    def __init__(self, database: Database, instance: str = INSTANCE) -> None:
        self.instance = instance
        self.database = database
        self.calls: Counter[str] = Counter()
        self.keys, self.units = 0, 0.0
        self.meanwhile: Callable[[str], object] = lambda _operation: None
        self.now_ms = NOW_MS
        watched: Any = WatchedClient(database._client, self._count)
        self.feed = Feed(Database(watched, database._prefix, pause=lambda _: None), lambda: self.now_ms)
        self._heads: dict[str, Head] = {}

    def _count(self, operation: str, call: Call) -> Any:
        answer = call()
        self.calls[operation] += 1
        requested = call.arguments.get("RequestItems", {})
        for of_table in requested.values():
            self.keys += len(of_table["Keys"])
            self.units += len(of_table["Keys"]) * (1 if of_table["ConsistentRead"] else 0.5)
        self.meanwhile(operation)
        return answer

    def put(
        self,
        lane: int,
        *receivers: str,
        area: str = SIGNED_AREA,
        age_ms: int = 0,
        kind: str = "signed_order.pending",
    ) -> int:
        """Put an entry into a lane, with an event for each receiver; return its number."""
        log, outbox = f"{area}/{lane}", Outbox(self.database)
        number = outbox.end(self.instance, log) + 1
        events = [OutboxEvent(kind, frozenset({each}), {"number": number}) for each in receivers]
        entry = OutboxEntry(log, number, self.now_ms - age_ms, f"{log}/{number}", packed(events))
        self.database.write(outbox.put(self.instance, entry))
        return number

    def make_book(self, book_id: str) -> None:
        config = BookConfig(self.instance, book_id, book_id, book_id, BASE, f"{QUOTE}/{book_id}", created_at_ms=NOW_MS)
        Books(self.database).create(config)

    def journal(self, book_id: str, *customers: str, age_ms: int = 0) -> int:
        """Commit an entry to a book's journal, with a refused cancel of each customer; return its sequence."""
        book = book_key(self.instance, book_id)
        head = self._heads.get(book, Head())
        refused = [CancelRefused(f"ord_{customer}", customer) for customer in customers]
        (entry,) = draft(book, head, self.now_ms - age_ms, head.watermark + 1, refused)
        Journal(self.database).append([entry])
        self._heads[book] = head_of(entry)
        return entry.sequence


def other_tables() -> Database:
    """Return empty tables: those of an instance that is made anew or restored."""
    client: Any = MemoryDynamoDB()
    create_tables(client, "other")
    return Database(client, "other", pause=lambda _: None)


def all_of(logs: Logs, scope: Scope, limit: int, asked_max: int = 1000) -> list[Page]:
    """Return the pages up to the end of the feed."""
    pages = [logs.feed.read(scope, logs.feed.beginning(scope), limit)]
    while pages[-1].has_more:
        assert len(pages) < asked_max, "reading gets nowhere"
        pages.append(logs.feed.read(scope, pages[-1].cursor, limit))
    return pages


def stands(page: Page) -> list[tuple[str, int, int]]:
    """Return where a page's events stand."""
    return [(event.log, event.sequence, event.part) for event in page.events]
