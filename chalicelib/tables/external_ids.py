"""External ids (table ``orders``): the customers' own names for their orders; each is used once, for ever (R31).

A name is a row beside its owner's orders, under a sort key that no order has. It is put in its order's transaction.
"""

from __future__ import annotations

from chalicelib.support.ascii_case import ascii_lower
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.orders import TABLE
from chalicelib.tables.read_ahead import RowAt, row_at
from chalicelib.tables.rows import Row
from chalicelib.tables.writes import Put, Write

NAMED = "external/"
"""Sort-key prefix of names."""


class ExternalIds:
    def __init__(self, database: Database) -> None:
        self._database = database

    def take(self, owner: str, external_id: str, order_id: str) -> Write:
        """Return the write that gives the name to an order. Refused if another order of the owner has it."""
        name_is_free = "attribute_not_exists(#order_id)"
        return Put(TABLE, name_row(owner, external_id, order_id), name_is_free)

    def order_of(self, owner: str, external_id: str) -> str | None:
        """Return the id of the order with this name, in any letter case."""
        row = self._database.get(TABLE, {"owner": owner, "order_id": _key(external_id)})
        return None if row is None else str(row["names"])


def name_at(owner: str, external_id: str) -> RowAt:
    return row_at(TABLE, {"owner": owner, "order_id": _key(external_id)})


def name_row(owner: str, external_id: str, order_id: str) -> Row:
    """Return a name's row as stored."""
    return {"owner": owner, "order_id": _key(external_id), "names": order_id}


def is_name(row: Row) -> bool:
    """Return whether a row of the table is a name, not an order."""
    return str(row["order_id"]).startswith(NAMED)


def _key(external_id: str) -> str:
    return f"{NAMED}{ascii_lower(external_id)}"
