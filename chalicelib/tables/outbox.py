"""Outbox (table ``outbox``): the entries of each lane under the numbers 1, 2, 3, ... without gaps; immutable.

A step puts its entry under the number after the lane's end, on condition that nothing has it, in its own transaction
(``services.ledger.posting``). Two steps that ask for one number are thus put one after the other.

**Ends.** The end of a lane is remembered for ``REMEMBERED_S`` after this process has put an entry into it, so a process
that alone uses a lane reads nothing. A lane into which others put entries too is read each time: a refused transaction
costs more than a read. The time bounds the memory of a table that is restored meanwhile: an end beyond the table's
would leave a gap.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from chalicelib.domain.feed.outbox import OutboxEntry
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.numbered import NumberedRows
from chalicelib.tables.rows import Row, reads_row, whole
from chalicelib.tables.stored_events import content_of, stored
from chalicelib.tables.writes import Put, Write

TABLE = "outbox"
ROWS = NumberedRows(TABLE, "owner", "number", "command")
PLAIN_BYTES_MAX = 768
"""Longer events are compressed, so that an entry with its other attributes stays below 1 KB: 2 write units."""
REMEMBERED_S = 60
"""Far less than it takes to restore a table under its name."""
REMEMBERED_MAX = 4096


class Outbox:
    """clock: seconds that only rise, to forget ends by."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._ends: dict[str, tuple[float, int | None]] = {}
        """By lane: until when it is remembered, and its end; None: others put entries into it."""

    def put(self, instance: str, entry: OutboxEntry) -> Write:
        """Return the write of an entry. Refused: its number is taken."""
        number_is_free = "attribute_not_exists(#number)"
        row = _key(instance, entry.log, entry.number) | {"at_ms": entry.at_ms, "command": entry.command}
        return Put(TABLE, row | stored(entry.events, PLAIN_BYTES_MAX), number_is_free)

    def has(self, instance: str, log: str, number: int, command: str) -> bool:
        """Return whether a number was taken by this command."""
        row = self._database.get(TABLE, _key(instance, log, number))
        return row is not None and row["command"] == command

    def next(self, instance: str, log: str) -> int:
        """Return the number after the lane's end, which may be taken by now."""
        until, end = self._ends.get(_owner(instance, log), (0.0, None))
        return (end if end is not None and self._clock() < until else self.end(instance, log)) + 1

    def was_put(self, instance: str, log: str, number: int) -> None:
        """Remember the end of a lane; no end where others use the lane too."""
        until, end = self._ends.get(_owner(instance, log), (0.0, number))
        if end is not None or self._clock() >= until:
            self._remember(instance, log, number)

    def was_taken(self, instance: str, log: str) -> None:
        """Remember that others put entries into a lane."""
        self._remember(instance, log, None)

    def _remember(self, instance: str, log: str, end: int | None) -> None:
        if len(self._ends) >= REMEMBERED_MAX:
            self._ends.clear()
        self._ends[_owner(instance, log)] = self._clock() + REMEMBERED_S, end

    def end(self, instance: str, log: str) -> int:
        """Return the highest number of a lane, read consistently; 0: it has no entry."""
        last = ROWS.last(self._database, _owner(instance, log))
        return 0 if last is None else whole(last, "number")

    def after(self, instance: str, log: str, number: int) -> Iterator[OutboxEntry]:
        """Yield the entries of a lane after a number, in order, read consistently, page by page."""
        return (outbox_entry_of(row)[1] for row in ROWS.after(self._database, _owner(instance, log), number))

    def rows(self) -> Iterator[Row]:
        """Yield every row. For operators: scans the table."""
        return self._database.scan(TABLE)


def _owner(instance: str, log: str) -> str:
    return f"{instance}/{log}"


def _key(instance: str, log: str, number: int) -> Row:
    return ROWS.key(_owner(instance, log), number)


@reads_row
def outbox_entry_of(row: Row) -> tuple[str, OutboxEntry]:
    """Return the instance and the entry of a row. Raises UnreadableRow."""
    instance, _, log = row["owner"].partition("/")
    return instance, OutboxEntry(log, whole(row, "number"), whole(row, "at_ms"), row["command"], content_of(row))
