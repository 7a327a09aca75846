"""The matcher: commands of the inbox in, journal entries and their projections out.

For each book of a batch: load (warm memory, else the newest snapshot and the journal after it), finish what an earlier
run committed and did not project, decide, commit (the next journal entry, on condition that it is not there: the one
commit point), project; then write a snapshot when one is due.

Time (R24): events that are committed together (a group) are decided at one time, ``at_ms``, which their entries carry.
The clock is read when a group begins, and what is due by then expires before anything else is decided. So in the
journal, event after event: an order that is EXPIRED was due by its entry's time; nothing trades or comes to rest that
is due by then; and while anything that is due rests, nothing happens but expiry.

A command's consequence (``commands.decide``) may fill several groups. What a crash leaves of it is part of the book's
state: whoever loads the book goes on with it before anything newer.

Fencing: only one writer can create entry N+1. The other one holds a stale book, throws it away, reloads, and finds the
commands that are decided by now. So two matchers at once, a batch delivered twice, or a crash between any two calls
change nothing but the time it takes.

A book that fails again and again is parked (``parking``): loading it is refused until the operator releases it.

Projecting in order is safe: an account's mark and a row's sequence let an entry through once, and only upwards. A
matcher reaches entry N+1 only after N is projected (by itself or by loading), so no mark ever skips an entry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from chalicelib.domain.books.commands import Step, decide, follow_ups, give_up
from chalicelib.domain.books.events import Event, Traded
from chalicelib.domain.books.journal import JournalEntry, draft
from chalicelib.domain.books.vocabulary import Command
from chalicelib.services.books.book_cache import BookCache, cached_orders_max
from chalicelib.services.books.deduplication import Delivery, Undecided
from chalicelib.services.books.loading import LoadedBook, Loading
from chalicelib.services.books.parking import Parking
from chalicelib.services.books.projection import Projector
from chalicelib.services.books.telemetry import UNWATCHED, Committed, MatchObserver
from chalicelib.support.telemetry import logger
from chalicelib.tables.attempts import Contended, until_written
from chalicelib.tables.books import NO_TROUBLE
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.journal import EntryExists, Journal

CONFLICTS_MAX = 5
"""How often a batch starts over because another matcher was first, before it is handed back."""
EVENTS_PER_ENTRY_GROUP = 1000
"""Decided events that are collected before they are committed; bounds an entry and what a crash leaves to finish."""
COMMAND_BYTES_MAX = 2_500_000
"""A command whose events may take more, compressed, is rejected: its entries, and those of the commands before it that
are not committed yet, might not fit one transaction (4 MB)."""
EVENT_BYTES_MAX = 200
"""What an event takes at most, compressed, with the largest amounts and random ids, but for the maker's customerRef."""
REF_BYTES_MAX = 1024
"""The longest customerRef: 256 code points of 4 bytes."""


class Undecidable(Exception):
    """The core failed on a command, and may have left the book half changed."""


class CommandTooLarge(Exception):
    """The command would trade with more orders than one commit can hold."""


@dataclass(slots=True)
class _Group:
    """Events decided since the last commit, all of them at ``at_ms``."""

    at_ms: int
    events: list[Event] = field(default_factory=list)
    watermark: int = 0
    redriven: list[str] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)

    def add(self, step: Step, delivery: Delivery | None) -> None:
        """Add a step; delivery: how the command came that it decides, where it decides one."""
        self.events += step.events
        if step.command is None or delivery is None:
            return
        self.commands.append(delivery.command)
        if delivery.stream_sequence is None:
            self.redriven.append(delivery.command.command_id)
        else:
            self.watermark = max(self.watermark, delivery.stream_sequence)


class Matcher:
    """now_ms: the time in ms; it enters the journal as a fact, and of what is decided it decides what is due (R24).

    observer: is told what happens; nothing depends on it. takes_parked: whether it matches parked books too: the one
    that releases them. orders_max: how many orders the books may have together that it keeps in memory.
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
        self._undecided = Undecided(database)
        self._journal = Journal(database)
        self._projector = Projector(database)
        self._observer = observer
        self._warm: BookCache[LoadedBook] = BookCache(cached_orders_max() if orders_max is None else orders_max)
        self._decided: set[str] = set()
        """Names of the commands that the present call of ``process`` has committed."""

    def process(self, book: str, deliveries: Sequence[Delivery]) -> int:
        """Decide the commands of one book, in this order, each exactly once, whatever ran before or runs beside.

        Return how many were not decided before. What an earlier run committed and did not project is projected first,
        with no commands at all too. Raises when it could not finish; then everything may be delivered again.
        Raises UnknownBook or BookParked where the book is not to be matched: nothing is changed.
        """
        self._decided.clear()
        self._fenced(book, lambda: self._process(book, deliveries))
        named = {delivery.command.command_id for delivery in deliveries}
        if repeated := len(deliveries) - len(named & self._decided):
            self._observer.redelivered(repeated)
        return len(self._decided)

    def expire_due(self, book: str) -> int:
        """Close orders of a book that are due, one group at most; return how many (R24).

        No matcher need have looked at the book for long, and others may have: whatever they committed is read before.
        Raises as ``process`` does.
        """
        return self._fenced(book, lambda: self._expire_due(book))

    def _fenced(self, book: str, work: Callable[[], int]) -> int:
        """Do some work on a book, again where another matcher was first; forget the book when it fails."""

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
        undecided = self._undecided.among(deliveries, loaded.state, loaded.config)
        group = _Group(self._time_of_next(loaded))
        self._take(loaded, group, follow_ups(loaded.state.book, group.at_ms))
        for delivery in undecided:
            try:
                self._take(loaded, group, _steps(decide(loaded.state.book, delivery.command, group.at_ms)), delivery)
            except Undecidable:
                logger.exception("the core cannot decide a command; given up", command=delivery.command.command_id)
                # What was decided before is written down; a new load projects it.
                own_entries = len(self._append(loaded, group))
                loaded = self._loading.load(book)
                self._keep(loaded)
                self._tell_finished(loaded, own_entries)
                group = _Group(self._time_of_next(loaded))
                self._take(loaded, group, give_up(loaded.state.book, delivery.command, group.at_ms), delivery)
            if not group.events:
                group.at_ms = self._time_of_next(loaded)
        self._commit(loaded, group)
        self._loading.write_snapshot_if_due(loaded)
        if self.parking.got_through(book, loaded.trouble, {delivery.command.command_id for delivery in deliveries}):
            loaded.trouble = NO_TROUBLE
        return len(self._decided)

    def _expire_due(self, book: str) -> int:
        loaded = self._warm.get(book)
        if loaded is None:
            loaded = self._loading.load(book)
        else:
            self._loading.refuse_parked(book)
            self._loading.catch_up(loaded)
        self._keep(loaded)
        self._tell_finished(loaded)
        group = _Group(self._time_of_next(loaded))
        steps = list(islice(follow_ups(loaded.state.book, group.at_ms), EVENTS_PER_ENTRY_GROUP))
        self._take(loaded, group, steps)
        self._commit(loaded, group)
        self._loading.write_snapshot_if_due(loaded)
        return len(steps)

    def _take(self, loaded: LoadedBook, group: _Group, steps: Iterable[Step], delivery: Delivery | None = None) -> None:
        """Collect steps into the group, and commit it each time it is full.

        delivery: of the command whose consequence they are. A crash between two commits loses nothing: whoever loads
        the book goes on with what is left of a consequence.
        """
        for step in steps:
            group.add(step, delivery)
            if len(group.events) >= EVENTS_PER_ENTRY_GROUP:
                self._commit(loaded, group)

    def _time_of_next(self, loaded: LoadedBook) -> int:
        """Return the time of a group that begins now: never before that of the book's last entry."""
        return max(self.now_ms(), loaded.state.head.at_ms)

    def _keep(self, loaded: LoadedBook) -> None:
        self._warm.keep(loaded.key, loaded, loaded.state)

    def _tell_finished(self, loaded: LoadedBook, own_entries: int = 0) -> None:
        """Tell of entries that loading found committed and not projected, but for those that this matcher left so."""
        if finished := loaded.finished_entries - own_entries:
            self._observer.finished_for_others(loaded.key, finished)
        loaded.finished_entries = 0

    def _commit(self, loaded: LoadedBook, group: _Group) -> None:
        """Write the group down, project it, and publish the depth; it is empty then. Raises EntryExists: stale book."""
        events = iter(group.events)
        entries = self._append(loaded, group)
        for entry in entries:
            of_entry = [next(events) for _ in entry.events]
            self._projector.project(loaded.config, entry, of_entry)
            loaded.state.advance(entry, of_entry)
            loaded.count_trades(entry, of_entry)
        if entries:
            self._loading.publish(loaded)

    def _append(self, loaded: LoadedBook, group: _Group) -> list[JournalEntry]:
        """Write the group down and return its entries; it is empty then. Raises EntryExists."""
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


def _steps(steps: Iterable[Step]) -> Iterator[Step]:
    """Yield the steps of a command. Raises Undecidable from what the core raises before the command is decided.

    A step whose events are too large for a commit counts as undecidable too. What fails after the command's own step is
    not the command's fault, and is raised as it is.
    """
    is_decided = False
    try:
        for step in steps:
            if _may_be_too_large(step.events):
                raise CommandTooLarge(f"{len(step.events)} events")
            is_decided = is_decided or step.command is not None
            yield step
    except Exception as error:
        if is_decided:
            raise
        raise Undecidable from error


def _may_be_too_large(events: list[Event]) -> bool:
    if len(events) * (EVENT_BYTES_MAX + REF_BYTES_MAX) <= COMMAND_BYTES_MAX:
        return False
    makers = sum(len(event.maker.customer.encode()) for event in events if isinstance(event, Traded))
    return len(events) * EVENT_BYTES_MAX + makers > COMMAND_BYTES_MAX
