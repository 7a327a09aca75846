"""Reading the feed: the events after a cursor, and waiting for the next ones.

::

    next key of each log, one BatchGetItem --> logs that go on --> their entries, merged by time --> events of a subject
            (looking.Looks)                    the next keys, one BatchGetItem; many: a query each

Entries of others are read and passed over: the cursor moves on behind them. Within a log, events come in its order;
between logs, by time, as far as one answer goes. What one answer reads is bounded, so it may have fewer events than
asked for, even none, and more behind them (``Page.has_more``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, islice

from chalicelib.domain.feed.cursor import BEGINNING, Cursor, Place, UnreadableCursor, behind
from chalicelib.domain.feed.event import FeedEvent
from chalicelib.domain.feed.logs import lanes_of, log_digest
from chalicelib.services.feed.ends import Ends
from chalicelib.services.feed.logs import BookEvents, EntryAt, StoredLog, log_of_book, log_of_lane
from chalicelib.services.feed.looking import Found, Looks
from chalicelib.services.feed.merging import Entries, merge
from chalicelib.services.polling import polls
from chalicelib.support.consistency import Inconsistent
from chalicelib.tables.books import Books
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.rows import Row

DAY_MS = 86_400_000
KEPT_DAYS = 30
"""Events are resumable for this long. A cursor is refused a day later, so that one at the oldest kept is good."""
LOGS_MAX = 350
"""Logs of a scope: as many as a cursor's text can name."""
EVENTS_MAX = 1000
"""Events of an answer."""
ENTRIES_MAX, ENTRIES_IN_ALL_MAX = 100, 1000
"""Entries that an answer takes from one log, and from all."""
PAGE_ENTRIES_MIN = 4
"""Entries of a log that are read at a time where many logs go on."""
ENTRIES_AHEAD = 3
"""Entries of a log that are looked for behind a new one. A log that has them all is queried."""


class TooManyLogs(Exception):
    """The scope has more logs than a cursor can name: it must name its books."""


class CursorGone(Exception):
    """The place is no longer resumable, or names an entry that is not there. begin: the cursor of now."""

    def __init__(self, begin: Cursor) -> None:
        super().__init__("the cursor is too old, or of other tables")
        self.begin = begin


@dataclass(frozen=True, slots=True)
class Scope:
    """Which events are asked for.

    subjects: who asks; None: the instance's operator, who sees all. books: ids; None: every book of the instance.
    areas: of the outbox (``domain.feed.logs``). types: None: all.
    """

    instance: str
    subjects: frozenset[str] | None
    books: frozenset[str] | None = None
    areas: tuple[str, ...] = ()
    types: frozenset[str] | None = None

    def shows(self, event: FeedEvent) -> bool:
        return event.is_for(self.subjects) and (self.types is None or event.type in self.types)


@dataclass(frozen=True, slots=True)
class Page:
    """Events, and the cursor behind them and behind what was passed over.

    has_more: more may follow at once. began: the cursor in front. places: behind each event, within its log.
    """

    events: list[FeedEvent]
    cursor: Cursor
    has_more: bool = False
    began: Cursor = field(default_factory=Cursor)
    places: Sequence[Place] = ()

    def cursors(self) -> Iterator[Cursor]:
        """Yield the cursor behind each event."""
        cursor = self.began
        for event, place in zip(self.events, self.places, strict=True):
            cursor = cursor.moved(event.instance, event.log, place)
            yield cursor

    def first(self, events: int) -> Page:
        """Return the page cut behind so many events, one at least."""
        if events >= len(self.events):
            return self
        *_, cursor = islice(self.cursors(), events)
        return Page(self.events[:events], cursor, True, self.began, self.places[:events])


class Feed:
    """Reads the feed. clock_ms: the time in ms since the epoch."""

    def __init__(self, database: Database, clock_ms: Callable[[], int]) -> None:
        self._database = database
        self._books = Books(database)
        self._book_events = BookEvents(database)
        self._looks = Looks(database)
        self._ends = Ends(database, self._looks)
        self._clock_ms = clock_ms

    def ends(self, scope: Scope) -> Cursor:
        """Return the cursor of now. Costs what ``ends.Ends.of`` says. Raises TooManyLogs, Unavailable."""
        return _cursor_of(self._ends.of(self._logs(scope)))

    def last_places(self, scope: Scope) -> dict[str, Place]:
        """Return the place behind each log's last entry, by log. As ``ends``."""
        return {log.name: end for log, end in self._ends.of(self._logs(scope)).items()}

    def longer(self, scope: Scope, than: Callable[[str], int]) -> bool:
        """Return whether a log of the scope has an entry of the sequence that ``than`` returns for it. One call for
        each hundred logs; one that was put a moment ago may be missed. Raises TooManyLogs, Unavailable.
        """
        logs = self._logs(scope)
        return bool(self._looks.at([log.at(than(log.name)) for log in logs], consistently=False))

    def resumed(self, scope: Scope, after: Cursor) -> Cursor:
        """Return the cursor, cut to the scope's logs, if it can be followed from. Raises as ``wait``.

        One call for each hundred keys, two keys a log.
        """
        logs = self._logs(scope)
        cursor = _within(logs, after)
        self._resumable(logs, cursor)
        return cursor

    def beginning(self, scope: Scope) -> Cursor:
        """Return the cursor in front of the oldest events kept. Raises TooManyLogs, Unavailable.

        Two calls for each hundred logs, and a binary search in each log that is older than KEPT_DAYS.
        """
        logs, kept_from_ms = self._logs(scope), self._clock_ms() - KEPT_DAYS * DAY_MS
        firsts = self._looks.at([log.at(1) for log in logs], consistently=True)
        older = [log for log in logs if (first := firsts.get(log.at(1))) and log.time_of(first) < kept_from_ms]
        passed: dict[StoredLog, EntryAt] = {}

        def search(log: StoredLog) -> None:
            passed[log] = log.at(log.rows.last_until(self._database, log.owner, kept_from_ms - 1))

        self._database.together([partial(search, log) for log in older])
        found = self._looks.at(passed.values(), consistently=True) if passed else {}
        return _cursor_of({log: log.behind(found[passed[log]]) if log in passed else BEGINNING for log in logs})

    def read(self, scope: Scope, after: Cursor, limit: int) -> Page:
        """Return the events after the cursor, at most ``limit``, without waiting. Raises as ``wait``."""
        return self.wait(scope, after, limit, 0)

    def wait(self, scope: Scope, after: Cursor, limit: int, wait_s: float) -> Page:
        """Return the events after the cursor, at most ``limit``, once there are any; after ``wait_s`` none.

        Raises CursorGone; UnreadableCursor if the cursor names none of the scope's logs; TooManyLogs; Unavailable.
        """
        logs = self._logs(scope)
        cursor = _within(logs, after)
        page = self._page(scope, logs, self._resumable(logs, cursor), cursor, limit)
        found: Found = {}

        def pause(duration_s: float) -> None:
            nonlocal found
            found = self._looks.news(_next_of(logs, page.cursor), duration_s)

        for poll, _ in enumerate(polls(wait_s, pause=pause)):
            if poll:
                found = found or self._looks.at(_next_of(logs, page.cursor), consistently=False)
                page = self._page(scope, logs, found, page.cursor, limit)
            if page.events:
                break
        return page

    def _logs(self, scope: Scope) -> list[StoredLog]:
        book_ids = self._books.ids(scope.instance) if scope.books is None else sorted(scope.books)
        lanes = [lane for area in scope.areas for lane in lanes_of(area)]
        if len(book_ids) + len(lanes) > LOGS_MAX:
            raise TooManyLogs(scope.instance)
        of_books = [log_of_book(self._book_events, scope.instance, book_id) for book_id in book_ids]
        return of_books + [log_of_lane(scope.instance, lane) for lane in lanes]

    def _resumable(self, logs: Sequence[StoredLog], cursor: Cursor) -> Found:
        """Return the entry after the place of each log that has one. Raises CursorGone.

        Reads the entry that each place names, too: where it is another one or missing, the cursor is of other tables.
        """
        places = [(log, cursor.place(log.instance, log.name)) for log in logs]
        passed = [log.at(place.entry) for log, place in places if place.entry and not place.part]
        found = self._looks.at([*_next_of(logs, cursor), *passed], consistently=True)
        oldest_ms = self._clock_ms() - (KEPT_DAYS + 1) * DAY_MS
        for log, place in places:
            row = found.get(log.at(place.sequence + 1))
            is_too_old = row is not None and log.time_of(row) < oldest_ms
            named = found.get(log.at(place.entry))
            fits = place == BEGINNING or (named is not None and log.stamp_of(named) == place.stamp)
            if is_too_old or not fits:
                raise CursorGone(_cursor_of(self._ends.of(logs)))
        return found

    def _page(self, scope: Scope, logs: Sequence[StoredLog], found: Found, cursor: Cursor, limit: int) -> Page:
        """Return the events after the cursor. found: has the entry after the place of each log that goes on."""
        following = zip(logs, _next_of(logs, cursor), strict=True)
        going_on = {log: found[at] for log, at in following if at in found}
        if not going_on:
            return Page([], cursor)
        places = {log.name: cursor.place(log.instance, log.name) for log in going_on}
        entries = self._entries(going_on, limit)
        events: list[FeedEvent] = []
        places_behind: list[Place] = []
        is_cut = False
        for log, row in merge(entries, ENTRIES_IN_ALL_MAX):
            place, number = places[log.name], log.number_of(row)
            if number != place.sequence + 1:
                raise Inconsistent(f"{log.owner}: entry {number} follows {place.sequence}")
            shown = [event for event in log.events_of(row)[place.part :] if scope.shows(event)]
            taken = shown[: limit - len(events)]
            places_taken = [behind(event, is_last=event is shown[-1]) for event in taken]
            is_cut = len(taken) < len(shown)
            places[log.name] = [place, *places_taken][-1] if is_cut else log.behind(row)
            events += taken
            places_behind += places_taken
            if len(events) >= limit:
                break
        has_more = is_cut or any(one.may_go_on for one in entries)
        moved = {log_digest(scope.instance, name): place for name, place in places.items()}
        return Page(events, Cursor({**cursor.places, **moved}), has_more, cursor, places_behind)

    def _entries(self, going_on: Mapping[StoredLog, Row], limit: int) -> list[Entries]:
        """Return the entries of logs from these first ones on. A few more are read by one call, many by queries."""
        at_a_time = max(PAGE_ENTRIES_MIN, min(ENTRIES_MAX, -(-limit // len(going_on))))
        ahead = [
            log.at(log.number_of(first) + more)
            for log, first in going_on.items()
            for more in range(1, ENTRIES_AHEAD + 1)
        ]
        found = self._looks.at(ahead, consistently=True)
        known = {log: [first] for log, first in going_on.items()}
        for log, rows in known.items():
            while (row := found.get(log.at(log.number_of(rows[-1]) + 1))) is not None:
                rows.append(row)
        queries = {
            log: log.rows.after(self._database, log.owner, log.number_of(rows[-1]), at_a_time)
            for log, rows in known.items()
            if len(rows) > ENTRIES_AHEAD
        }
        self._database.together([partial(known[log].extend, islice(query, 1)) for log, query in queries.items()])
        return [Entries(log, chain(rows, queries.get(log, ())), ENTRIES_MAX) for log, rows in known.items()]


def _cursor_of(places: Mapping[StoredLog, Place]) -> Cursor:
    return Cursor({log_digest(log.instance, log.name): place for log, place in places.items()})


def _within(logs: Sequence[StoredLog], cursor: Cursor) -> Cursor:
    """Return the cursor cut to these logs. Raises UnreadableCursor if it names none of them, and others."""
    cut = _cursor_of({log: cursor.place(log.instance, log.name) for log in logs})
    if cursor.places and not cursor.places.keys() & cut.places.keys():
        raise UnreadableCursor("a cursor of other logs")
    return cut


def _next_of(logs: Sequence[StoredLog], cursor: Cursor) -> list[EntryAt]:
    """Return where the entry after each log's place stands, or will."""
    return [log.at(cursor.place(log.instance, log.name).sequence + 1) for log in logs]
