"""Looks at logs: which of some entries are there by now. The readers of one process share them.

A look that is under way may have begun before its entries were put. So who asks meanwhile waits for the next look, and
one call serves all who have asked by then. As far as that call has room, it also looks for what waiting readers want,
and wakes those whose entries it finds. So many readers who wait cost little more than one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from threading import Event, Lock

from chalicelib.services import polling
from chalicelib.services.feed.logs import EntryAt
from chalicelib.support.outcomes import Unavailable
from chalicelib.tables.dynamodb import BATCH_GET_KEYS_MAX, Database
from chalicelib.tables.numbered import NumberedRows
from chalicelib.tables.rows import Row

Found = dict[EntryAt, Row]


class _Look:
    """A look of several readers. failure: raised to each of them; None once the look has succeeded."""

    def __init__(self) -> None:
        self.wanted: set[EntryAt] = set()
        self.consistently = False
        self.found: Found = {}
        self.failure: Exception | None = Unavailable("a look at logs was broken off")
        self.done = Event()


class _Waiting:
    """A reader who waits."""

    def __init__(self, wanted: Collection[EntryAt]) -> None:
        self.wanted = wanted
        self.found: Found = {}
        self.woken = Event()


class Looks:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._next: _Look | None = None
        self._waiting: set[_Waiting] = set()
        self._lock = Lock()
        self._one_at_a_time = Lock()

    def at(self, wanted: Collection[EntryAt], *, consistently: bool) -> Found:
        """Return those of the entries that are there. Raises Unavailable.

        consistently: see whatever was put before the call. Otherwise, at half the cost, an entry may be missed that was
        put a moment ago.
        """
        with self._lock:
            leads = self._next is None
            look = self._next = self._next or _Look()
            look.wanted.update(wanted)
            look.consistently |= consistently
        if leads:
            self._carry_out(look)
        else:
            look.done.wait()
        if look.failure is not None:
            raise look.failure
        return _those_of(look.found, wanted)

    def news(self, wanted: Collection[EntryAt], wait_s: float) -> Found:
        """Wait, at most until another reader's look finds some of the entries; return those."""
        waiting = _Waiting(wanted)
        with self._lock:
            self._waiting.add(waiting)
        try:
            polling.until(waiting.woken, wait_s)
        finally:
            with self._lock:
                self._waiting.discard(waiting)
        return waiting.found

    def _carry_out(self, look: _Look) -> None:
        try:
            with self._one_at_a_time:
                with self._lock:
                    self._next = None
                    waiting = list(self._waiting)
                _fill(look.wanted, waiting)
                look.found = self._read(look.wanted, consistently=look.consistently)
            look.failure = None
        except Exception as error:
            look.failure = error
        finally:
            look.done.set()
        for one in waiting if look.found else ():
            one.found = _those_of(look.found, one.wanted)
            if one.found:
                one.woken.set()

    def _read(self, wanted: Iterable[EntryAt], *, consistently: bool) -> Found:
        keys: dict[NumberedRows, list[Row]] = {}
        for rows, owner, number in wanted:
            keys.setdefault(rows, []).append(rows.key(owner, number))
        by_table = {rows.table: of_table for rows, of_table in keys.items()}
        read = self._database.get_of_each(by_table, consistently=consistently)
        return {EntryAt(rows, row[rows.owner], int(row[rows.number])): row for rows in keys for row in read[rows.table]}


def _fill(wanted: set[EntryAt], waiting: Iterable[_Waiting]) -> None:
    """Add what those who wait want, as far as one call has room."""
    for one in waiting:
        if len(wanted) + len(one.wanted) <= BATCH_GET_KEYS_MAX or wanted.issuperset(one.wanted):
            wanted.update(one.wanted)


def _those_of(found: Found, wanted: Iterable[EntryAt]) -> Found:
    return {at: found[at] for at in wanted if at in found}
