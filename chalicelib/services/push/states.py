"""States that messages show: depths, tickers, orders and balances as of an entry of a book's journal, or later.

What an entry changes can be read a moment after the journal has it: when the book's depth view shows the entry, its
money has moved and its orders and fills stand in their rows (``services.books.loading``).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from threading import Lock

from chalicelib.domain.books.config import BookConfig
from chalicelib.domain.feed.cursor import BEGINNING, Place
from chalicelib.domain.feed.logs import stamp_of
from chalicelib.domain.ledger.amounts import Side
from chalicelib.domain.ledger.owners import book_key
from chalicelib.services.books.depth import LEVELS_ALL, DepthReader, Levels
from chalicelib.services.push.recent import ENTRIES_MAX, Entry
from chalicelib.support.bounded_cache import BoundedCache
from chalicelib.support.consistency import Inconsistent
from chalicelib.support.outcomes import Unavailable
from chalicelib.tables.depth_views import DepthViews
from chalicelib.tables.dynamodb import Database

PAUSE_S, LOOKS_MAX = 0.02, 150
BOOKS_MAX = 100
"""Depths kept in memory."""
PLACES_MAX = 20
"""Depths that are kept for who goes on from there."""
Change = tuple[Side, int, int]
"""Side, price, and by how much the open quantity changed."""


class Projected:
    """Waits until an entry is projected. pause: sleeps."""

    def __init__(self, database: Database, pause: Callable[[float], None] = time.sleep) -> None:
        self._views = DepthViews(database)
        self._pause = pause
        self._known: BoundedCache[str, int] = BoundedCache(1000)
        self._being_read: set[str] = set()

    def wait(self, instance: str, book_id: str, sequence: int) -> None:
        """Return once the entry is projected. Raises Unavailable after LOOKS_MAX looks: try again."""
        book = book_key(instance, book_id)
        for _ in range(LOOKS_MAX):
            if (self._known.get(book) or 0) >= sequence:
                return
            self._look(book)
            if (self._known.get(book) or 0) < sequence:
                self._pause(PAUSE_S)
        raise Unavailable(f"{book} has not projected its entry {sequence}")

    def _look(self, book: str) -> None:
        """Read how far a book is projected, unless another thread is reading it."""
        if book not in self._being_read:
            self._being_read.add(book)
            try:
                self._known.set(book, self._views.of(book).sequence)
            finally:
                self._being_read.discard(book)


class DepthAt:
    """A book's whole depth as of one entry; moves to other entries by the changes between them."""

    def __init__(self, sequence: int, bids: Levels, asks: Levels) -> None:
        self.sequence = sequence
        self._levels = {Side.BUY: dict(bids), Side.SELL: dict(asks)}

    def move(self, entries: Iterable[Entry], sequence: int, *, backwards: bool = False) -> None:
        """Apply the changes of entries, or take them back; ``sequence``: where that leads."""
        for entry in entries:
            for side, price, change in changes_of(entry):
                levels = self._levels[side]
                levels[price] = levels.get(price, 0) + (-change if backwards else change)
                if not levels[price]:
                    del levels[price]
        self.sequence = sequence

    def quantity(self, side: Side, price: int) -> int:
        return self._levels[side].get(price, 0)

    def best(self, count: int) -> tuple[Levels, Levels]:
        """Return the best levels of bids and asks, best first."""
        bids = sorted(self._levels[Side.BUY].items(), reverse=True)[:count]
        return bids, sorted(self._levels[Side.SELL].items())[:count]


class Depths:
    """Depths as of any entry near a book's end. between: reads a log's entries (``RecentEntries.between``)."""

    def __init__(self, reader: DepthReader, between: Callable[[str, str, int, int], list[Entry]]) -> None:
        self._reader = reader
        self._between = between
        self._kept: BoundedCache[str, DepthAt] = BoundedCache(BOOKS_MAX)
        self._left: BoundedCache[tuple[str, int], DepthAt] = BoundedCache(PLACES_MAX)
        self._one_at_a_time = Lock()

    def leave(self, config: BookConfig, sequence: int, depth: DepthAt) -> None:
        """Keep a depth for the next step of who was told up to an entry: to come there from the book's end reads all
        that lies between (T182). The caller uses it no more.
        """
        self._left.set((book_key(config.instance, config.book_id), sequence), depth)

    def left(self, config: BookConfig, sequence: int) -> DepthAt | None:
        """Return the depth that was left at an entry, once."""
        return self._left.pop((book_key(config.instance, config.book_id), sequence))

    def at(self, config: BookConfig, log: str, sequence: int) -> DepthAt:
        """Return a copy of the depth as of an entry."""
        key = book_key(config.instance, config.book_id)
        with self._one_at_a_time:
            depth = self._kept.get(key)
            if depth is None or sequence > depth.sequence + ENTRIES_MAX:  # T159
                depth, _ = self.newest(config)
            if sequence > depth.sequence:
                depth.move(self._between(config.instance, log, depth.sequence, sequence), sequence)
            self._kept.set(key, depth)
            copy = DepthAt(depth.sequence, *depth.best(LEVELS_ALL))
        if sequence < copy.sequence:
            copy.move(self._between(config.instance, log, sequence, copy.sequence), sequence, backwards=True)
        return copy

    def newest(self, config: BookConfig) -> tuple[DepthAt, Place]:
        """Return the depth as of the end of the book's journal, and the place there."""
        head, bids, asks = self._reader.whole(config)
        place = Place(head.sequence, stamp_of(head.at_ms, head.hash)) if head.sequence else BEGINNING
        return DepthAt(head.sequence, bids, asks), place


def changes_of(entry: Entry) -> list[Change]:
    """Return how an entry changes the depth."""
    return [
        (Side(change["side"]), int(change["price"]), int(change["change"]))
        for event in entry.events
        if event.type == "depth.changed"
        for change in _list_of(event.body["changes"])
    ]


def _list_of(value: object) -> list[dict[str, str]]:
    if not isinstance(value, list):
        raise Inconsistent("a change of depth lists its levels")
    return value
