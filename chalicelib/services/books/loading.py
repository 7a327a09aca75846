"""Loading: read a book into memory from its snapshot and journal, and write its snapshots.

Loading reads the newest complete snapshot and the entries after it, and projects the entries that an earlier run
committed and did not project. The depth view is written last, so its sequence shows how far projection came; it has the
trades up to there, too. A snapshot is written only when all entries are projected, so entries below it are never
projected again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from chalicelib.domain.books.candles import Finished, Market, trades_in
from chalicelib.domain.books.config import BookConfig
from chalicelib.domain.books.events import Event
from chalicelib.domain.books.journal import BrokenJournal, JournalEntry
from chalicelib.domain.books.snapshot import BookState, BrokenSnapshot, decode_state, encode_state, is_due
from chalicelib.services.books.parking import BookParked
from chalicelib.services.books.projection import Projector
from chalicelib.support.telemetry import logger
from chalicelib.tables.batch_failures import NO_FAILURES, BatchFailures, FailedBatches
from chalicelib.tables.books import Books, MalformedConfig
from chalicelib.tables.candles import Candles
from chalicelib.tables.depth_views import DEPTH_LEVELS_MAX, Depth, DepthViews
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.journal import Journal
from chalicelib.tables.snapshots import Snapshot, Snapshots


class UnknownBook(Exception):
    """The book has no configuration."""


class TooFarBehind(Exception):
    """A cached book lacks more than a snapshot's worth of its journal: it must be loaded anew (T159)."""


@dataclass(slots=True)
class LoadedBook:
    """A book in memory, every entry up to its head projected.

    snapshot_bytes: size of its last snapshot. journal_bytes: stored bytes of the entries since then. finished_entries:
    entries that loading projected. market: its trades up to its head. finished_candles: not written yet. failures: its
    failed batches when it was loaded.
    """

    key: str
    config: BookConfig
    state: BookState
    snapshot_bytes: int = 0
    journal_bytes: int = 0
    finished_entries: int = 0
    failures: BatchFailures = NO_FAILURES
    market: Market = field(default_factory=Market)
    finished_candles: list[Finished] = field(default_factory=list)

    def count_trades(self, entry: JournalEntry, events: Iterable[Event]) -> None:
        """Add the trades of the next entry that is projected."""
        self.finished_candles += self.market.fold(entry.sequence, entry.at_ms, trades_in(events))


class Loading:
    """Loads books. takes_parked: load parked books too, to release or rebuild them (T53)."""

    def __init__(self, database: Database, *, takes_parked: bool = False) -> None:
        self._takes_parked = takes_parked
        self._books, self._views = Books(database), DepthViews(database)
        self._failed_batches = FailedBatches(database)
        self._journal = Journal(database)
        self._snapshots = Snapshots(database)
        self._projector = Projector(database)
        self._candles = Candles(database)

    def load(self, key: str) -> LoadedBook:
        """Load the book with this key, project what was not projected, and write the snapshot if it is due.

        Raises UnknownBook, BookParked or BrokenJournal.
        """
        config, failures = self._passable(key)
        loaded = book_from_snapshot(self._snapshots, key, config)
        loaded.failures = failures
        self.catch_up(loaded)
        self.write_snapshot_if_due(loaded)
        return loaded

    def refuse_parked(self, key: str) -> None:
        """Raise BookParked if a cached book has been parked since, or UnknownBook."""
        self._passable(key)

    def _passable(self, key: str) -> tuple[BookConfig, BatchFailures]:
        try:
            found = self._books.with_failures(key)
        except MalformedConfig:
            failures = self._failed_batches.of(key)
            if failures is not None and failures.parked_at_ms is not None and not self._takes_parked:
                raise BookParked(key) from None
            raise
        if found is None:
            raise UnknownBook(key)
        if found[0].is_parked and not self._takes_parked:
            raise BookParked(key)
        return found

    def catch_up(self, loaded: LoadedBook, *, is_cached: bool = False) -> None:
        """Fold the journal's entries after the book's head, and project those that were not projected.

        is_cached: as in ``entries_behind``. Raises BrokenJournal or TooFarBehind; after a failure the loaded book must
        not be used.
        """
        key, state = loaded.key, loaded.state
        view = self._views.of(key)
        projected = view.sequence
        if state.head.sequence > projected:
            raise BrokenJournal(f"{key}: what is known of it, up to {state.head.sequence}, is ahead of its rows")
        if loaded.market.sequence < projected:
            loaded.market = view.market
        for entry, stored_bytes in entries_behind(self._journal, loaded, is_cached=is_cached):
            events = state.replay(entry)
            loaded.journal_bytes += stored_bytes
            if entry.sequence > projected:
                self._projector.project(loaded.config, entry, events, state.traded)
                loaded.count_trades(entry, events)
                loaded.finished_entries += 1
            state.advance(entry, events)
        if state.head.sequence > projected:
            self.publish(loaded)

    def publish(self, loaded: LoadedBook) -> None:
        """Write the finished candles, then the depth view, which marks all entries up to the head as projected."""
        self._candles.put(loaded.key, loaded.finished_candles)
        loaded.finished_candles.clear()
        book, sequence = loaded.state.book, loaded.state.head.sequence
        bids, asks = (tuple(side.depth(DEPTH_LEVELS_MAX)) for side in (book.bids, book.asks))
        view = Depth(sequence, book.version, bids, asks, loaded.market, book.halted_until_ms)
        self._views.publish(loaded.key, view)

    def write_snapshot_if_due(self, loaded: LoadedBook) -> None:
        """Write a snapshot if the journal has grown enough. A failure is only logged: nothing depends on it."""
        if not is_due(loaded.journal_bytes, loaded.snapshot_bytes):
            return
        try:
            content = encode_state(loaded.key, loaded.state)
            self._snapshots.write(loaded.key, Snapshot(loaded.state.head.sequence, content))
        except Exception:
            logger.warning("no snapshot this time", exc_info=True, book=loaded.key)
            return
        loaded.snapshot_bytes, loaded.journal_bytes = len(content), 0
        loaded.state.named = loaded.state.young_names()


def entries_behind(journal: Journal, loaded: LoadedBook, *, is_cached: bool) -> Iterator[tuple[JournalEntry, int]]:
    """Yield the journal's entries after the book's head, each with its stored bytes.

    is_cached: the book has been in memory. Raises TooFarBehind once it lacks so much that a snapshot is due meanwhile
    (T159): that one is less to read.
    """
    read_bytes = 0
    for entry, stored_bytes in journal.sized_after(loaded.key, loaded.state.head.sequence):
        read_bytes += stored_bytes
        if is_cached and is_due(read_bytes, loaded.snapshot_bytes):
            raise TooFarBehind(loaded.key)
        yield entry, stored_bytes


def book_from_snapshot(snapshots: Snapshots, key: str, config: BookConfig) -> LoadedBook:
    """Return the book of its newest snapshot; empty if there is none, or it cannot be read."""
    try:
        snapshot = snapshots.newest(key)
        if snapshot is not None:
            state = decode_state(key, config.first_rules, snapshot.content)
            return LoadedBook(key, config, state, snapshot_bytes=len(snapshot.content))
    except BrokenSnapshot:
        logger.exception("the snapshot cannot be read; the whole journal is", book=key)
    return LoadedBook(key, config, BookState.empty(config.first_rules, config.first_terms.status))
