"""The feed of a desk as an iterator that resumes (T84 to T88)."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct, field

START = "start"
"""The place before the oldest events that are kept."""
WAIT_S = 20
NOTHING_NEW_S = 1.0
"""Least time between two requests where nothing is new, should the service answer without waiting."""


class Event(Struct, frozen=True):
    """id: for ever that of this event. log, sequence, part: the entry that it comes from, and its place there.

    body: what changed, as docs/events.md says for its type; new types and members may come.
    """

    id: str
    type: str
    time: datetime
    log: str
    sequence: int
    part: int
    body: Mapping[str, Any]


class EventPage(Struct, frozen=True):
    """Events after a cursor. cursor: behind them. has_more: whether more of them are there already."""

    events: tuple[Event, ...]
    cursor: str
    has_more: bool


class CamelEventPage(EventPage, frozen=True):
    """The same as the book desk writes it."""

    has_more: bool = field(name="hasMore")


PageOf = Callable[[str | None, int], EventPage]
"""Returns the page after a cursor (None: from now), having waited so many seconds for its first event."""


class Feed(Iterator[Event]):
    """Yields events in the order of each log, and waits for new ones; with ``wait_s=0`` it ends where none is left.

    ``cursor`` is a place in front of which every event has been handled: it moves on when the event after is asked for.
    Whoever stores it, and opens a feed ``after`` it, gets every event behind it at least once; repeated ones have the
    same id. A request that fails leaves the feed where it is, so it can be iterated on. Raises the desk's CursorGone
    where a cursor is too old, or of other tables: read anew what you keep, then open a feed after the error's cursor.
    """

    def __init__(
        self,
        page_of: PageOf,
        after: str | None,
        wait_s: int = WAIT_S,
        *,
        pause: Callable[[float], None] = time.sleep,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._page_of, self._pause, self._clock_s = page_of, pause, clock_s
        self._wait_s = wait_s
        self._left: deque[Event] = deque()
        self.cursor = page_of(None, 0).cursor if after is None else after
        self._behind_left = self.cursor
        self._has_ended = False

    def __next__(self) -> Event:
        while not self._left:
            self.cursor = self._behind_left
            if self._has_ended:
                self._has_ended = False
                raise StopIteration
            asked_s = self._clock_s()
            page = self._page_of(self.cursor, self._wait_s)
            if self._wait_s and not page.events and not page.has_more:
                self._pause(max(0.0, asked_s + NOTHING_NEW_S - self._clock_s()))
            self._left.extend(page.events)
            self._behind_left = page.cursor
            self._has_ended = not self._wait_s and not page.has_more
        return self._left.popleft()
