"""Entries of several logs, merged by time: read on demand, and at most so many of each log and of all."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence

from chalicelib.services.feed.logs import StoredLog
from chalicelib.tables.rows import Row


class Entries:
    """The entries of a log. rows: read on demand, the first at once. most: bound of the entries taken."""

    def __init__(self, log: StoredLog, rows: Iterator[Row], most: int) -> None:
        self.log = log
        self._rows = rows
        self._left = most
        self.next = next(rows, None)

    @property
    def may_go_on(self) -> bool:
        """Whether there are entries that were not taken, or may be."""
        return self.next is not None or not self._left

    def take(self) -> Row | None:
        row = self.next
        if row is not None:
            self._left -= 1
            self.next = next(self._rows, None) if self._left else None
        return row


def merge(entries: Sequence[Entries], most: int) -> Iterator[tuple[StoredLog, Row]]:
    """Yield the entries, at most so many, the oldest next one first, ties by log.

    The entries of one log stay in its order, whatever their times.
    """
    by_name = {one.log.name: one for one in entries}
    waiting = [(one.log.time_of(one.next), name) for name, one in by_name.items() if one.next is not None]
    heapq.heapify(waiting)
    for _ in range(most):
        if not waiting:
            return
        one = by_name[heapq.heappop(waiting)[1]]
        row = one.take()
        if one.next is not None:
            heapq.heappush(waiting, (one.log.time_of(one.next), one.log.name))
        if row is not None:
            yield one.log, row
