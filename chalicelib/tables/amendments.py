"""Amendments under way: from their admission until their outcome is projected (table ``open-orders``, O8).

An order has one at most, under ``amendment/<its id>``, beside the open orders of its owner. The row is put by the
transaction that queues the amendment, and removed as the last thing that its entry changes. So it stays if the order
closes meanwhile, and says what is set aside until the outcome gives that back.
"""

from __future__ import annotations

from collections.abc import Iterable

from chalicelib.domain.books.vocabulary import AmendOrder
from chalicelib.domain.ledger.amounts import Side
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.read_ahead import RowAt, row_at
from chalicelib.tables.rows import Row, reads_row
from chalicelib.tables.writes import Delete, Put, Write

TABLE = "open-orders"
_PREFIX = "amendment/"

Key = tuple[str, str]
"""Owner and order id."""


def is_amendment(sort_key: str) -> bool:
    """Return whether a sort key of the open orders' table names an amendment."""
    return sort_key.startswith(_PREFIX)


def amendment_at(owner: str, order_id: str) -> RowAt:
    """Return where the row of an order's amendment stands."""
    return row_at(TABLE, key_of(owner, order_id))


def key_of(owner: str, order_id: str) -> dict[str, str]:
    return {"owner": owner, "order_id": f"{_PREFIX}{order_id}"}


def row_of(owner: str, book_id: str, command: AmendOrder) -> Row:
    """Return the row of an amendment under way, as stored."""
    stored = {"book_id": book_id, "id": command.command_id, "amendment": facts_of(command)}
    return key_of(owner, command.order_id) | stored


def facts_of(command: AmendOrder) -> Row:
    """Return what an amendment asks, without its id, as it is stored. Amounts are texts."""
    amounts = {"price": command.price, "quantity": command.quantity, "extra": command.extra}
    texts = {name: None if amount is None else str(amount) for name, amount in amounts.items()}
    return {"order_id": command.order_id, "customer": command.customer, "side": command.side.value} | texts


@reads_row
def amendment_of(row: Row) -> AmendOrder:
    """Return the amendment that is stored with its id in a row of this table or of the inbox. Raises UnreadableRow."""
    facts = row["amendment"]
    price, quantity = (None if facts[name] is None else int(facts[name]) for name in ("price", "quantity"))
    return AmendOrder(
        str(row["id"]), str(facts["order_id"]), str(facts["customer"]), Side(facts["side"]), price, quantity,
        int(facts["extra"]),
    )  # fmt: skip


class Amendments:
    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, owner: str, book_id: str, command: AmendOrder) -> Write:
        """Return the write that notes an amendment. Refused while the order has another one."""
        none_under_way = "attribute_not_exists(#order_id)"
        return Put(TABLE, row_of(owner, book_id, command), none_under_way)

    def under_way(self, owner: str, order_id: str) -> AmendOrder | None:
        """Return the order's amendment under way; None if there is none. The order's id may be any text."""
        row = self._database.get(TABLE, key_of(owner, order_id))
        return None if row is None else amendment_of(row)

    def ids_under_way(self, orders: Iterable[Key]) -> set[str]:
        """Return the ids of the amendments of these orders that are under way, read consistently."""
        keys = [key_of(*order) for order in dict.fromkeys(orders)]
        return {str(row["id"]) for row in self._database.get_many(TABLE, keys)}

    def stored(self, orders: Iterable[Key]) -> dict[Key, Row]:
        """Return the existing rows of these orders' amendments, as stored, read consistently."""
        keys = {(owner, key_of(owner, order_id)["order_id"]): (owner, order_id) for owner, order_id in orders}
        rows = self._database.get_many(TABLE, [{"owner": owner, "order_id": name} for owner, name in keys])
        return {keys[row["owner"], row["order_id"]]: row for row in rows}

    def end(self, amendments: Iterable[tuple[str, str, str]]) -> None:
        """Remove amendments, each by owner, order id and its own id. Refused, which is no error, where it has gone."""
        its_own = "#id = :id"
        self._database.write_each(
            [Delete(TABLE, key_of(owner, order_id), its_own, {":id": name}) for owner, order_id, name in amendments]
        )
