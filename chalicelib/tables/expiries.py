"""Expiries (table ``expiries``): schedule of expiry checks, so that orders expire even if nobody trades (R24).

Each order that expires has one row, under the minute of its next check; at first that is the minute of its expiry. The
row is put with the order and removed once the order has ended, for whatever reason::

    (no row) --schedule, with the order in one transaction--> minute of its expiry --the order has ended--> (no row)
                                                                |                                             ^
                                                                +--postpone: it has not--> a later minute ----+

A halt of a book has a row too, so that it ends even if nobody trades (O12). Its row is put once the halt is decided.
A dead man's switch (``switches``) has one no later than its time (O10).

The matcher and its journal decide whether an order has expired; a stale or duplicate row does no harm. One more row
records which minutes are swept: all checks due in them are done.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from chalicelib.domain.tenancy.credentials import digest_of
from chalicelib.support.telemetry import logger
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.rows import Row, UnreadableRow, reads_row
from chalicelib.tables.writes import ConditionFailed, Put, Write

TABLE = "expiries"
MINUTE_MS = 60_000
ROW_LIFE_S = 30 * 86_400
"""How long DynamoDB keeps a row after its minute if no sweep removes it."""
SWEPT = {"minute": 0, "look": "swept"}
"""Key of the row that records the swept minutes: no order expires in the first minute of 1970."""
PAGE_ROWS = 1000
HALT, SWITCH = "halt/", "switch/"
"""What the names of the rows of halts and of switches begin with; no order's id does."""


@dataclass(frozen=True, slots=True)
class Expiry:
    """An order that expires, a halt that ends (``halt_end``), or a switch that fires (``switch_time``).

    check_at_ms: time of its next check, ms since the epoch: its expiry or end, unless postponed.
    """

    book: str
    owner: str
    order_id: str
    check_at_ms: int

    @property
    def key(self) -> Row:
        """The row's key: rows of a minute are sorted by time, then by order id."""
        return {"minute": minute_of(self.check_at_ms), "look": f"{_moment(self.check_at_ms)}/{self.order_id}"}

    @property
    def is_halt(self) -> bool:
        """Whether it is a halt that ends."""
        return self.order_id.startswith(HALT)

    @property
    def is_switch(self) -> bool:
        """Whether it is a dead man's switch."""
        return self.order_id.startswith(SWITCH)


def halt_end(book: str, until_ms: int) -> Expiry:
    """Return the end of a book's halt as it is scheduled: of no owner, and named after the book."""
    return Expiry(book, "", f"{HALT}{book}", until_ms)


def switch_time(owner: str, check_at_ms: int) -> Expiry:
    """Return the check of an owner's switch as it is scheduled: of no book.

    An owner's name may be longer than a sort key can be, so its digest stands for it.
    """
    return Expiry("", owner, f"{SWITCH}{digest_of(owner)}", check_at_ms)


def minute_of(at_ms: int) -> int:
    """Return the number of full minutes from the epoch to this time."""
    return at_ms // MINUTE_MS


class Expiries:
    def __init__(self, database: Database) -> None:
        self._database = database

    def schedule(self, expiry: Expiry) -> Write:
        """Return the write that schedules the order's expiry check. Idempotent."""
        return Put(TABLE, _row_of(expiry))

    def schedule_all(self, expiries: Iterable[Expiry]) -> None:
        """Schedule expiry checks, by writes of their own."""
        self._database.put_many(TABLE, map(_row_of, expiries))

    def due(self, minute: int, at_ms: int) -> Iterator[Expiry]:
        """Yield a minute's checks that are due by this time, earliest first. Costs what it yields.

        A row that cannot be read is passed over (T158).
        """
        condition = "#minute = :minute AND #look < :after"
        values = {":minute": minute, ":after": _moment(at_ms + 1)}
        for row in self._database.query(TABLE, condition, values, Limit=PAGE_ROWS):
            try:
                yield _expiry_of(row)
            except UnreadableRow:
                logger.exception("not a check; passed over")

    def remove(self, expiries: Iterable[Expiry]) -> None:
        """Remove rows whose orders have ended or were postponed."""
        self._database.delete_many(TABLE, [expiry.key for expiry in expiries])

    def postpone(self, expiries: Iterable[Expiry], check_at_ms: int) -> None:
        """Reschedule the checks. A crash in between leaves both rows, which does no harm."""
        before = list(expiries)
        after = {expiry.order_id: replace(expiry, check_at_ms=check_at_ms) for expiry in before}
        self._database.put_many(TABLE, map(_row_of, after.values()))
        self.remove(before)

    def first_unswept(self) -> int | None:
        """Return the first minute that is not recorded as swept; None if nothing is recorded yet."""
        row = self._database.get(TABLE, SWEPT)
        return None if row is None else int(row["first_unswept"])

    def earliest(self) -> int | None:
        """Return the earliest minute with rows. Scans the table: only for the very first check."""
        return min((row["minute"] for row in self._database.scan(TABLE) if row["minute"]), default=None)

    def note_swept(self, first_unswept: int) -> None:
        """Record that all minutes before this one are swept.

        Refused, which is no error, if another process has recorded as much.
        """
        none_noted_yet, fewer_noted = "attribute_not_exists(#minute)", "#first_unswept < :first_unswept"
        condition, values = f"{none_noted_yet} OR {fewer_noted}", {":first_unswept": first_unswept}
        try:
            self._database.write(Put(TABLE, SWEPT | {"first_unswept": first_unswept}, condition, values))
        except ConditionFailed:
            return


def _moment(at_ms: int) -> str:
    """Return a time as text that sorts like the time."""
    return f"{at_ms:015d}"


def _row_of(expiry: Expiry) -> Row:
    return expiry.key | {
        "book": expiry.book,
        "owner": expiry.owner,
        "order_id": expiry.order_id,
        "expires": expiry.check_at_ms // 1000 + ROW_LIFE_S,
    }


@reads_row
def _expiry_of(row: Row) -> Expiry:
    return Expiry(row["book"], row["owner"], row["order_id"], int(row["look"].partition("/")[0]))
