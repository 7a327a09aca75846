"""Depths: a book's best price levels, as many as are asked for.

The matcher publishes the best ``DEPTH_LEVELS_MAX`` levels of each side; that view answers what asks for no more, and
books that have no more. For the rest the book itself is folded, from its last snapshot and the journal after it, and
kept: the next look folds only the entries since.
"""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

from chalicelib.core.config import BookConfig
from chalicelib.core.snapshot import BookState
from chalicelib.loading import book_from_snapshot
from chalicelib.stores.books import DEPTH_LEVELS_MAX, Books
from chalicelib.stores.dynamodb import Database
from chalicelib.stores.journal import Journal
from chalicelib.stores.keys import book_key
from chalicelib.stores.snapshots import Snapshots

BOOKS_KEPT_MAX = 8

Levels = list[tuple[int, int]]


class Depths:
    def __init__(self, database: Database) -> None:
        self._books = Books(database)
        self._journal = Journal(database)
        self._snapshots = Snapshots(database)
        self._kept: OrderedDict[str, BookState] = OrderedDict()
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
        state = self._kept.pop(key, None) or book_from_snapshot(self._snapshots, key, config).state
        for entry in self._journal.after(key, state.head.sequence):
            state.fold(entry)
        self._kept[key] = state
        while len(self._kept) > BOOKS_KEPT_MAX:
            self._kept.popitem(last=False)
        return state
