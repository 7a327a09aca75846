"""Depth: a book's best price levels, as many as are asked for.

The matcher publishes the best ``DEPTH_LEVELS_MAX`` levels of each side; that view answers what asks for no more, and
books that have no more. For the rest the book itself is folded, from its last snapshot and the journal after it, and
cached (``book_cache``): the next call folds only the entries since.
"""

from __future__ import annotations

from threading import Lock

from chalicelib.domain.books.config import BookConfig
from chalicelib.domain.books.snapshot import BookState
from chalicelib.domain.ledger.owners import book_key
from chalicelib.services.books.book_cache import BookCache, cached_orders_max
from chalicelib.services.books.loading import book_from_snapshot
from chalicelib.tables.books import DEPTH_LEVELS_MAX, Books
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.journal import Journal
from chalicelib.tables.snapshots import Snapshots

Levels = list[tuple[int, int]]


class DepthReader:
    """orders_max: how many orders the books may have together that are kept in memory."""

    def __init__(self, database: Database, orders_max: int | None = None) -> None:
        self._books = Books(database)
        self._journal = Journal(database)
        self._snapshots = Snapshots(database)
        self._kept: BookCache[BookState] = BookCache(cached_orders_max() if orders_max is None else orders_max)
        self._one_at_a_time = Lock()

    def of_book(self, config: BookConfig, levels: int) -> tuple[Levels, Levels]:
        """Return bids and asks as (price, open quantity), best first, as of one journal entry."""
        key = book_key(config.instance, config.book_id)
        view = self._books.depth(key)
        if levels > DEPTH_LEVELS_MAX and DEPTH_LEVELS_MAX in (len(view.bids), len(view.asks)):
            with self._one_at_a_time:
                book = self._folded(key, config).book
                return book.bids.depth(levels), book.asks.depth(levels)
        return list(view.bids[:levels]), list(view.asks[:levels])

    def _folded(self, key: str, config: BookConfig) -> BookState:
        """Return the book as of the end of its journal."""
        state = self._kept.get(key) or book_from_snapshot(self._snapshots, key, config).state
        self._kept.forget(key)  # one that cannot be folded on is no book any more
        for entry in self._journal.after(key, state.head.sequence):
            state.fold(entry)
        self._kept.keep(key, state, state)
        return state
