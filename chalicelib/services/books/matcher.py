"""The matcher: commands of the inbox in, journal entries and their projections out.

For each book of a batch, the matcher loads the book (from memory, else from the newest snapshot and the journal after
it), projects what an earlier run committed and did not project, decides, commits (writes the next journal entry on
condition that it does not exist: the one commit point) and projects. Snapshots wait for the end of the batch.

Time (R24): events committed together (a group) are decided at one time, ``at_ms``, which their entries carry. The clock
is read when a group begins, and due orders expire before anything else is decided. So in the journal an EXPIRED order
was due by its entry's time, no due order trades or comes to rest, and while a due order rests, nothing but expiry
happens.

A command's consequence (``commands.decide``) may fill several groups. What a crash leaves of it is part of the book's
state; the next matcher that loads the book finishes it before anything newer.

Fencing: only one writer can create entry N+1. Any other has a stale book: it drops it, loads again, and finds which
commands are decided by now. So two matchers at once, a batch delivered twice, or a crash between any two calls cost
time and change nothing.

A book that fails again and again is parked (``parking``): loading it is refused until the operator releases it.

Projecting in order is safe: an account's mark and a row's sequence let an entry through once, and only upwards. A
matcher reaches entry N+1 only after N is projected (by itself or by loading), so no mark ever skips an entry.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from chalicelib.domain.books.commands import QueuedUndecidable, Step, follow_ups, give_up, give_up_queued
from chalicelib.domain.books.events import Event
from chalicelib.domain.books.journal import JournalEntry, draft
from chalicelib.domain.books.vocabulary import Command
from chalicelib.services.books.book_cache import BookCache, cached_orders_max
from chalicelib.services.books.deciding import Undecidable, sized, steps_of
from chalicelib.services.books.deduplication import Deduplication, Delivery
from chalicelib.services.books.loading import LoadedBook, Loading, TooFarBehind
from chalicelib.services.books.parking import Parking
from chalicelib.services.books.projection import Projector
from chalicelib.services.books.telemetry import UNWATCHED, Committed, MatchObserver
from chalicelib.support.telemetry import logger
from chalicelib.tables.attempts import Contended, until_written
from chalicelib.tables.batch_failures import NO_FAILURES
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.journal import EntryExists, Journal

CONFLICTS_MAX = 5
"""Restarts of a batch because another matcher was first, before the batch is handed back to the stream."""
EVENTS_PER_ENTRY_GROUP = 1000
"""Events of a group; bounds a commit and what a crash leaves to finish."""


@dataclass(slots=True)
class _Group:
    """Events decided since the last commit, all at ``at_ms``."""

    at_ms: int
    events: list[Event] = field(default_factory=list)
    watermark: int = 0
    redriven: list[str] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    steps: int = 0
    """How many steps it has collected, those committed since too."""

    def add(self, step: Step, delivery: Delivery | None) -> None:
        """Add a step. delivery: of the command that the step decides, if it decides one."""
        self.steps += 1
        self.events += step.events
        if step.command is None or delivery is None:
            return
        self.commands.append(delivery.command)
        if delivery.stream_sequence is None:
            self.redriven.append(delivery.command.command_id)
        else:
            self.watermark = max(self.watermark, delivery.stream_sequence)


class Matcher:
    """Matches books. now_ms: clock in ms; recorded in each entry; decides which orders have expired (R24).

    observer: telemetry. takes_parked: whether it matches parked books, as the operator's release does. orders_max:
    bound of the open orders of all books cached in memory.
    """

    def __init__(
        self,
        database: Database,
        now_ms: Callable[[], int],
        observer: MatchObserver = UNWATCHED,
        *,
        takes_parked: bool = False,
        orders_max: int | None = None,
    ) -> None:
        self.now_ms = now_ms
        self.parking = Parking(database, now_ms)
        self._pause = database.pause
        self._loading = Loading(database, takes_parked=takes_parked)
        self._deduplication = Deduplication(database)
        self._journal = Journal(database)
        self._projector = Projector(database)
        self._observer = observer
        self._warm: BookCache[LoadedBook] = BookCache(cached_orders_max() if orders_max is None else orders_max)
        self._decided: set[str] = set()
        """Ids of the commands committed by the present call of ``process``."""

    def process(self, book: str, deliveries: Sequence[Delivery]) -> int:
        """Decide the commands of one book in this order, each exactly once; return how many were undecided.

        First projects what an earlier run committed and did not project, also if there are no commands. A call that
        raises may be repeated. Raises UnknownBook or BookParked where the book is not to be matched (nothing changed).
        """
        self._decided.clear()
        self._fenced(book, lambda: self._process(book, deliveries))
        named = {delivery.command.command_id for delivery in deliveries}
        if repeated := len(deliveries) - len(named & self._decided):
            self._observer.redelivered(repeated)
        return len(self._decided)

    def expire_due(self, book: str) -> int:
        """Close the due orders of a book, one group at most; return how many (R24).

        First reads what other matchers have committed. Raises as ``process`` does.
        """
        return self._fenced(book, lambda: self._expire_due(book))

    def write_snapshots(self) -> None:
        """Write the snapshots that are due. For the end of a batch: until then, other books' commands wait.

        A book that is no longer cached by then gets its snapshot when it is loaded again.
        """
        for loaded in self._warm.values():
            self._loading.write_snapshot_if_due(loaded)

    def _fenced(self, book: str, work: Callable[[], int]) -> int:
        """Do work on a book; repeat it if another matcher was first. Drops the cached book when the work fails."""

        def once() -> int:
            try:
                return work()
            except EntryExists as error:
                self._observer.lost_fencing(book)
                self._warm.forget(book)
                raise Contended from error
            except BaseException:
                self._warm.forget(book)
                raise

        busy = EntryExists(f"{book}: other matchers were first {CONFLICTS_MAX} times")
        return until_written(once, CONFLICTS_MAX, self._pause, busy)

    def _process(self, book: str, deliveries: Sequence[Delivery]) -> int:
        loaded = self._warm.get(book) or self._loading.load(book)
        self._keep(loaded)
        self._tell_finished(loaded)
        undecided = self._deduplication.undecided(deliveries, loaded.state, loaded.config)
        loaded, group = self._decide(loaded, _Group(self._time_of_next(loaded)))
        for delivery in undecided:
            loaded, group = self._decide(loaded, group, delivery)
            if not group.events:
                group.at_ms = self._time_of_next(loaded)
        self._commit(loaded, group)
        if self.parking.got_through(book, loaded.failures, {delivery.command.command_id for delivery in deliveries}):
            loaded.failures = NO_FAILURES
        return len(self._decided)

    def _expire_due(self, book: str) -> int:
        loaded = self._caught_up(book) or self._loading.load(book)
        self._keep(loaded)
        self._tell_finished(loaded)
        loaded, group = self._decide(loaded, _Group(self._time_of_next(loaded)), steps_max=EVENTS_PER_ENTRY_GROUP)
        self._commit(loaded, group)
        return group.steps

    def _caught_up(self, book: str) -> LoadedBook | None:
        """Return a cached book, with what other matchers have committed since; None if it is quicker to load it."""
        loaded = self._warm.get(book)
        if loaded is None:
            return None
        self._loading.refuse_parked(book)
        try:
            self._loading.catch_up(loaded, is_cached=True)
        except TooFarBehind:
            return None
        return loaded

    def _decide(
        self, loaded: LoadedBook, group: _Group, delivery: Delivery | None = None, steps_max: int | None = None
    ) -> tuple[LoadedBook, _Group]:
        """Collect the steps of a command, or of what needs none, and commit each full group; return what goes on.

        A crash between two commits loses nothing: the next matcher that loads the book finishes the consequence. What
        the core cannot decide is given up, on the book as it was before: a command, or an order of the trigger queue,
        which is closed in an entry of its own (O4).
        """
        waiting = delivery
        while True:
            book, at_ms = loaded.state.book, group.at_ms
            steps = follow_ups(book, at_ms) if waiting is None else steps_of(book, waiting.command, at_ms)
            try:
                for step in sized(islice(steps, steps_max)):
                    group.add(step, waiting)
                    waiting = waiting if step.command is None else None
                    self._commit_if_full(loaded, group)
                return loaded, group
            except QueuedUndecidable as error:
                logger.exception("the core cannot decide a triggered order; rejected", order=str(error))
                loaded, group = self._as_before(loaded, group)
                group.add(give_up_queued(loaded.state.book), None)
                self._commit(loaded, group)
            except Undecidable:
                if waiting is None:
                    raise
                command = waiting.command
                logger.exception("the core cannot decide a command; given up", command=command.command_id)
                loaded, group = self._as_before(loaded, group)
                named = replace(waiting, stream_sequence=None)  # no order's row shows a cancel that is given up
                for step in give_up(loaded.state.book, command, group.at_ms):
                    group.add(step, named)
                    self._commit_if_full(loaded, group)
                return loaded, group

    def _as_before(self, loaded: LoadedBook, group: _Group) -> tuple[LoadedBook, _Group]:
        """Write the events decided before a failure, and load the book again, which projects them."""
        own_entries = len(self._append(loaded, group))
        loaded = self._loading.load(loaded.key)
        self._keep(loaded)
        self._tell_finished(loaded, own_entries)
        return loaded, _Group(self._time_of_next(loaded))

    def _commit_if_full(self, loaded: LoadedBook, group: _Group) -> None:
        if len(group.events) >= EVENTS_PER_ENTRY_GROUP:
            self._commit(loaded, group)

    def _time_of_next(self, loaded: LoadedBook) -> int:
        """Return the time of a group that begins now, never earlier than the book's last entry."""
        return max(self.now_ms(), loaded.state.head.at_ms)

    def _keep(self, loaded: LoadedBook) -> None:
        self._warm.keep(loaded.key, loaded, loaded.state)

    def _tell_finished(self, loaded: LoadedBook, own_entries: int = 0) -> None:
        """Report entries of other matchers that loading found unprojected. own_entries: this matcher's own."""
        if finished := loaded.finished_entries - own_entries:
            self._observer.finished_for_others(loaded.key, finished)
        loaded.finished_entries = 0

    def _commit(self, loaded: LoadedBook, group: _Group) -> None:
        """Write the group, project it, publish the depth and empty the group. Raises EntryExists: stale book."""
        events = iter(group.events)
        entries = self._append(loaded, group)
        for entry in entries:
            of_entry = list(events if entry is entries[-1] else islice(events, len(entry.events)))
            self._projector.project(loaded.config, entry, of_entry, loaded.state.traded)
            loaded.state.advance(entry, of_entry)
            loaded.count_trades(entry, of_entry)
        if entries:
            self._loading.publish(loaded)

    def _append(self, loaded: LoadedBook, group: _Group) -> list[JournalEntry]:
        """Write the group, empty it and return its entries. Raises EntryExists."""
        head = loaded.state.head
        entries = draft(loaded.key, head, group.at_ms, group.watermark, group.events, group.redriven)
        if entries:
            loaded.journal_bytes += self._journal.append(entries)
            self._decided.update(command.command_id for command in group.commands)
            self._observer.committed(
                Committed(
                    loaded.key,
                    entries[-1].sequence,
                    len(entries),
                    group.events,
                    group.commands,
                    self.now_ms(),
                )
            )
        group.events, group.redriven, group.commands = [], [], []
        return entries
