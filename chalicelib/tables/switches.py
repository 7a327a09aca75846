"""Dead man's switches (table ``requests``): a row for each customer whose orders are cancelled unless it renews (O10).

::

    (no row) --set--> armed --set again--> armed until later, or earlier
    armed --set to 0, or it fires--> (no row)
    armed --it fires, in more books than one transaction takes--> firing --...--> (no row)

Every step is on condition that the row is as it was read, so renewing and firing exclude each other. The row of an
armed switch is beside rows in ``expiries`` that have it checked: one of them is no later than its time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from chalicelib.tables.dynamodb import Database
from chalicelib.tables.expiries import ROW_LIFE_S
from chalicelib.tables.read_ahead import RowAt, row_at
from chalicelib.tables.requests import TABLE
from chalicelib.tables.rows import Row, reads_row
from chalicelib.tables.writes import Delete, Put, Write

_REQUEST = "switch"
_START = f"{_REQUEST}/"


@dataclass(frozen=True, slots=True)
class Switch:
    """An armed switch.

    cancel_at_ms: when it fires, ms since the epoch. step: id of the step that left it so.
    told_books: while it fires, the last book whose command is queued, in order of id; "": none is.
    """

    owner: str
    cancel_at_ms: int
    step: str
    told_books: str = ""


class Switches:
    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, owner: str) -> Switch | None:
        """Return the owner's armed switch, read consistently."""
        row = self._database.get(TABLE, _key_of(owner))
        return None if row is None else _switch_of(row)

    def of_each(self, owners: Iterable[str]) -> dict[str, Switch]:
        """Return the armed ones of these owners' switches, by owner, read consistently."""
        rows = self._database.get_many(TABLE, [_key_of(owner) for owner in dict.fromkeys(owners)])
        return {switch.owner: switch for switch in map(_switch_of, rows)}

    def every(self) -> Iterator[Switch]:
        """Yield every armed switch. For operators: scans the table."""
        return (_switch_of(row) for row in self._database.scan(TABLE) if str(row["scope"]).startswith(_START))

    def replace(self, before: Switch | None, after: Switch) -> Write:
        """Return the write that makes a step. Refused if the switch is not as it was before."""
        expires = after.cancel_at_ms // 1000 + ROW_LIFE_S
        row = _key_of(after.owner) | {
            "cancel_at_ms": after.cancel_at_ms,
            "step": after.step,
            "told_books": after.told_books,
            "expires": expires,
        }
        if before is None:
            not_armed = "attribute_not_exists(#request)"
            return Put(TABLE, row, not_armed)
        return Put(TABLE, row, _AS_READ, {":before": before.step})

    def remove(self, switch: Switch) -> Write:
        """Return the write that turns a switch off. Refused if it is not as it was read."""
        return Delete(TABLE, _key_of(switch.owner), _AS_READ, {":before": switch.step})


_AS_READ = "#step = :before"


def switch_at(owner: str) -> RowAt:
    """Return where an owner's switch stands."""
    return row_at(TABLE, _key_of(owner))


def _key_of(owner: str) -> Row:
    return {"scope": f"{_START}{owner}", "request": _REQUEST}


@reads_row
def _switch_of(row: Row) -> Switch:
    owner = str(row["scope"]).removeprefix(_START)
    return Switch(owner, row["cancel_at_ms"], row["step"], row["told_books"])
