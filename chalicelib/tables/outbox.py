"""Outbox of escrow order events (table ``outbox``): one immutable row for each transition, in its transaction (E24).

Rows stand by merchant and world, in order of the command ids (ULIDs). Two commands on one order may have been carried
out in another order; ``version`` tells which. The table has a stream, but nothing is delivered yet.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from chalicelib.domain.escrow.lifecycle import Status
from chalicelib.domain.escrow.order import Scope
from chalicelib.support.consistency import Inconsistent
from chalicelib.tables.dynamodb import Database, Put, Row, Write, reads_row

TABLE = "outbox"
NUMBERS_MAX = 10
"""Maximum number of rows of one command."""


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """left: status before; None for a new order. version: the order's version after the transition."""

    order_id: int
    event: str
    left: Status | None
    entered: Status
    at_s: int
    version: int


class Outbox:
    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, scope: Scope, command: str, number: int, happened: OutboxRow) -> Write:
        """Return the write of a command's event; number: its index from 0. Refused: the command is done already."""
        command_not_done = "attribute_not_exists(#entry)"
        row = _key(scope, command, number) | {
            "order_id": happened.order_id,
            "event": happened.event,
            "from": happened.left.value if happened.left else None,
            "to": happened.entered.value,
            "at": happened.at_s,
            "version": happened.version,
        }
        return Put(TABLE, row, command_not_done)

    def has(self, scope: Scope, command: str) -> bool:
        """Return whether a command that puts events was done."""
        return self._database.get(TABLE, _key(scope, command, 0)) is not None

    def rows(self) -> Iterator[Row]:
        """Yield every row. For operators: scans the table."""
        return self._database.scan(TABLE)

    def of_scope(self, scope: Scope) -> Iterator[OutboxRow]:
        """Yield a merchant's rows, oldest command first."""
        return map(outbox_row_of, self._database.query(TABLE, "#owner = :owner", {":owner": _owner(scope)}))


def _owner(scope: Scope) -> str:
    return f"{scope.instance}/{scope.world.value}/{scope.merchant}"


def _key(scope: Scope, command: str, number: int) -> Row:
    if not (0 <= number < NUMBERS_MAX):
        raise Inconsistent("one digit, so that a command's events stand in their order")
    return {"owner": _owner(scope), "entry": f"{command}/{number}"}


@reads_row
def outbox_row_of(row: Row) -> OutboxRow:
    """Return the event in a row. Raises UnreadableRow."""
    left = None if row["from"] is None else Status(row["from"])
    return OutboxRow(row["order_id"], row["event"], left, Status(row["to"]), row["at"], row["version"])
