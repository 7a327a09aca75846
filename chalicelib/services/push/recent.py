"""Recent entries of logs, in memory, so that what many subscriptions need is read once.

Entries stand in a row without gaps, from ``after`` to ``until``; entries without events are covered and not kept. What
lies before is read from the log when somebody needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter
from threading import Lock
from typing import NamedTuple

from chalicelib.domain.feed.cursor import Place, behind
from chalicelib.domain.feed.event import FeedEvent
from chalicelib.support.bounded_cache import BoundedCache

ENTRIES_MAX = 500
"""Entries kept of a log."""
LOGS_MAX = 200


class Entry(NamedTuple):
    """An entry of a log with all its events, at least one."""

    sequence: int
    events: list[FeedEvent]

    @property
    def place(self) -> Place:
        """The place behind the entry."""
        return behind(self.events[-1], is_last=True)


EntriesBetween = Callable[[str, str, int, int], Iterable[list[FeedEvent]]]
"""Reads a log of an instance: the events of each entry after one sequence and up to another."""


@dataclass(slots=True)
class _Run:
    after: int
    until: int
    entries: list[Entry] = field(default_factory=list)


class RecentEntries:
    def __init__(self, read: EntriesBetween) -> None:
        self._read = read
        self._runs: BoundedCache[tuple[str, str], _Run] = BoundedCache(LOGS_MAX)
        self._lock = Lock()

    def add(self, instance: str, log: str, events: Sequence[FeedEvent]) -> int:
        """Keep the events of consecutive entries. Return the last entry's sequence."""
        entries = entries_of(events)
        first, last = entries[0].sequence, entries[-1].sequence
        with self._lock:
            run = self._runs.get((instance, log))
            if run is None or first > run.until + 1:
                run = _Run(first - 1, last, entries)
            else:
                new = [entry for entry in entries if entry.sequence > run.until]
                run = _Run(run.after, max(run.until, last), [*run.entries, *new])
            self._keep(instance, log, run)
        return last

    def between(self, instance: str, log: str, after: int, until: int) -> list[Entry]:
        """Return the entries with events after a sequence and up to another, which the log has."""
        with self._lock:
            run = self._runs.get((instance, log))
        known = run if run is not None and run.after <= until <= run.until else _Run(until, until)
        entries = known.entries
        if after < known.after:
            read = self._read(instance, log, after, known.after)
            entries = [Entry(events[0].sequence, events) for events in read if events] + entries
            with self._lock:
                self._keep(instance, log, _Run(after, known.until, entries))
        return [entry for entry in entries if after < entry.sequence <= until]

    def _keep(self, instance: str, log: str, run: _Run) -> None:
        if len(run.entries) > ENTRIES_MAX:
            run = _Run(run.entries[-ENTRIES_MAX - 1].sequence, run.until, run.entries[-ENTRIES_MAX:])
        self._runs.set((instance, log), run)


def entries_of(events: Iterable[FeedEvent]) -> list[Entry]:
    """Return a log's events by entry."""
    return [Entry(sequence, list(found)) for sequence, found in groupby(events, attrgetter("sequence"))]
