"""Expiries (table ``expiries``): the time at which each expiring order is checked, also in a quiet book (R24).

A row for each order that expires, under the minute in which it is to be looked at: at first that of its expiry. It is
put with the order, and removed when the order has ended, however it did::

    (no row) --expect, with the order in one transaction--> minute of its expiry --the order has ended--> (no row)
                                                              |                                             ^
                                                              +--postpone: it has not--> a later minute ----+

What decides that an order expires is the matcher and its journal; a row that is left over, or there twice, changes
nothing. Beside them stands one row that says which minutes are swept: what was due in them has been looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from chalicelib.tables.dynamodb import ConditionFailed, Database, Put, Row, Write

TABLE = "expiries"
MINUTE_MS = 60_000
ROW_LIFE_S = 30 * 86_400
"""How long a row stays after its minute where nobody sweeps."""
SWEPT = {"minute": 0, "look": "swept"}
"""Key of the row that says how far the minutes are swept: no order expires in the first minute of 1970."""
PAGE_ROWS = 1000


@dataclass(frozen=True, slots=True)
class Expiry:
    """The check of an order that expires. look_at_ms: when it is due, Unix ms: the order's expiry, unless postponed."""

    book: str
    owner: str
    order_id: str
    look_at_ms: int

    @property
    def key(self) -> Row:
        """The row's key: rows of a minute stand in the order of their times, then of their orders."""
        return {"minute": minute_of(self.look_at_ms), "look": f"{_moment(self.look_at_ms)}/{self.order_id}"}


def minute_of(at_ms: int) -> int:
    """Return how many minutes of the epoch were over at this time."""
    return at_ms // MINUTE_MS


class Expiries:
    def __init__(self, database: Database) -> None:
        self._database = database

    def expect(self, expiry: Expiry) -> Write:
        """Return the write that schedules the order's expiry check. The row is the same whenever it is written."""
        return Put(TABLE, _row_of(expiry))

    def expect_all(self, expiries: Iterable[Expiry]) -> None:
        """Schedule the expiry checks of these orders: for ``tallybook rebuild``."""
        self._database.put_many(TABLE, map(_row_of, expiries))

    def due(self, minute: int, at_ms: int) -> Iterator[Expiry]:
        """Yield the checks of a minute that are due by this time, the earliest first. Costs what it yields."""
        condition = "#minute = :minute AND #look < :after"
        values = {":minute": minute, ":after": _moment(at_ms + 1)}
        return map(_expiry_of, self._database.query(TABLE, condition, values, Limit=PAGE_ROWS))

    def remove(self, expiries: Iterable[Expiry]) -> None:
        """Remove the rows: their orders have ended, or stand under a later minute."""
        self._database.delete_many(TABLE, [expiry.key for expiry in expiries])

    def postpone(self, expiries: Iterable[Expiry], look_at_ms: int) -> None:
        """Postpone the checks. A crash in between leaves both rows, which is no fault."""
        before = list(expiries)
        after = {expiry.order_id: replace(expiry, look_at_ms=look_at_ms) for expiry in before}
        self._database.put_many(TABLE, map(_row_of, after.values()))
        self.remove(before)

    def first_unswept(self) -> int | None:
        """Return the first minute that is not known to be swept; None before anybody has said so."""
        row = self._database.get(TABLE, SWEPT)
        return None if row is None else int(row["first_unswept"])

    def earliest(self) -> int | None:
        """Return the earliest minute that has rows. Reads the whole table: for the first look of all."""
        return min((row["minute"] for row in self._database.scan(TABLE) if row["minute"]), default=None)

    def note_swept(self, first_unswept: int) -> None:
        """Note that all minutes before this one are swept.

        Refused when as much is noted: somebody else swept as far. That is no fault.
        """
        none_noted_yet, fewer_noted = "attribute_not_exists(#minute)", "#first_unswept < :first_unswept"
        condition, values = f"{none_noted_yet} OR {fewer_noted}", {":first_unswept": first_unswept}
        try:
            self._database.write(Put(TABLE, SWEPT | {"first_unswept": first_unswept}, condition, values))
        except ConditionFailed:
            return


def _moment(at_ms: int) -> str:
    """Return a time as text that sorts as the time does."""
    return f"{at_ms:015d}"


def _row_of(expiry: Expiry) -> Row:
    return expiry.key | {
        "book": expiry.book,
        "owner": expiry.owner,
        "order_id": expiry.order_id,
        "expires": expiry.look_at_ms // 1000 + ROW_LIFE_S,
    }


def _expiry_of(row: Row) -> Expiry:
    return Expiry(row["book"], row["owner"], row["order_id"], int(row["look"].partition("/")[0]))
