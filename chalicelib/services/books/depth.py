"""Depth: a book's best price levels, or its first resting orders, as many as are asked for.

The matcher publishes a view of the best ``DEPTH_LEVELS_MAX`` levels of each side. A request for more levels than the
view has, or for orders, folds the book itself, from its last snapshot and the journal after it. The book is cached
(``book_cache``), so the next call folds only newer entries.
"""

from __future__ import annotations

from itertools import islice
from threading import Lock
from typing import NamedTuple

from chalicelib.domain.books.config import BookConfig
from chalicelib.domain.books.journal import Head
from chalicelib.domain.books.levels import BookSide
from chalicelib.domain.books.snapshot import BookState
from chalicelib.domain.ledger.owners import book_key
from chalicelib.services.books.book_cache import BookCache, cached_orders_max
from chalicelib.services.books.loading import LoadedBook, TooFarBehind, book_from_snapshot, entries_behind
from chalicelib.tables.depth_views import DEPTH_LEVELS_MAX, DepthViews
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.journal import Journal
from chalicelib.tables.snapshots import Snapshots

Levels = list[tuple[int, int]]
LEVELS_ALL = 2**31
"""More levels than any book has."""


class RestingOrder(NamedTuple):
    """A resting order. price: quote base units for a whole base asset. quantity: what it shows, base units (O6)."""

    order_id: str
    price: int
    quantity: int


class DepthReader:
    """Reads depths. orders_max: bound of the open orders of all books cached in memory."""

    def __init__(self, database: Database, orders_max: int | None = None) -> None:
        self._views = DepthViews(database)
        self._journal = Journal(database)
        self._snapshots = Snapshots(database)
        self._kept: BookCache[LoadedBook] = BookCache(cached_orders_max() if orders_max is None else orders_max)
        self._one_at_a_time = Lock()

    def of_book(self, config: BookConfig, levels: int) -> tuple[Levels, Levels]:
        """Return bids and asks as (price, open quantity), best first, as of one journal entry."""
        key = book_key(config.instance, config.book_id)
        view = self._views.of(key)
        if levels > DEPTH_LEVELS_MAX and DEPTH_LEVELS_MAX in (len(view.bids), len(view.asks)):
            with self._one_at_a_time:
                book = self._folded(key, config).book
                return book.bids.depth(levels), book.asks.depth(levels)
        return list(view.bids[:levels]), list(view.asks[:levels])

    def orders_of_book(self, config: BookConfig, orders_max: int) -> tuple[list[RestingOrder], list[RestingOrder]]:
        """Return the first resting orders of bids and asks, by price and time, as of one journal entry."""
        with self._one_at_a_time:
            book = self._folded(book_key(config.instance, config.book_id), config).book
            return first_orders(book.bids, orders_max), first_orders(book.asks, orders_max)

    def whole(self, config: BookConfig) -> tuple[Head, Levels, Levels]:
        """Return the end of the book's journal, and all bids and asks as of it."""
        with self._one_at_a_time:
            state = self._folded(book_key(config.instance, config.book_id), config)
            bids, asks = state.book.bids.depth(LEVELS_ALL), state.book.asks.depth(LEVELS_ALL)
            return state.head, bids, asks

    def _folded(self, key: str, config: BookConfig) -> BookState:
        """Return the book as of the end of its journal."""
        kept = self._kept.get(key)
        self._kept.forget(key)  # a book on which folding fails must not be used again
        loaded = kept or book_from_snapshot(self._snapshots, key, config)
        try:
            for entry, _ in entries_behind(self._journal, loaded, is_cached=kept is not None):
                loaded.state.fold(entry)
        except TooFarBehind:
            return self._folded(key, config)
        self._kept.keep(key, loaded, loaded.state)
        return loaded.state


def first_orders(side: BookSide, orders_max: int) -> list[RestingOrder]:
    """Return the first orders of a side, by price and time. Costs what it returns."""
    orders = ((order, level.price) for level in side.best_first() for order in level)
    return [
        RestingOrder(order.placed.order_id, price, order.remaining - order.hidden)
        for order, price in islice(orders, orders_max)
    ]
