"""The inbox (table ``inbox``): commands to books in the order in which they arrived. Immutable; kept for seven days."""

from __future__ import annotations

from collections.abc import Iterator

from chalicelib.core.journal import decode_order, encode_order
from chalicelib.core.vocabulary import PlaceOrder
from chalicelib.stores.dynamodb import Database, Put, Row, Write

TABLE = "inbox"
COMMAND_LIFE_S = 7 * 86_400


class MalformedCommand(Exception):
    """An inbox row that admission cannot have written."""


class Inbox:
    def __init__(self, database: Database) -> None:
        self._database = database

    def send(self, book: str, order: PlaceOrder, now_s: int) -> Write:
        """Return the write that queues the command. Refused when it is queued already."""
        row = {
            "book": book,
            "command": order.order_id,
            "kind": "place",
            "order": encode_order(order),
            "expires": now_s + COMMAND_LIFE_S,
        }
        command_not_queued = "attribute_not_exists(#command)"
        return Put(TABLE, row, command_not_queued)

    def all_rows(self) -> Iterator[Row]:
        """Yield every command row there is, each book's in order of arrival. For ``redrive``."""
        yield from sorted(self._database.scan(TABLE), key=lambda row: (row["book"], row["command"]))


def command_of(row: Row) -> PlaceOrder:
    """Return the command in an inbox row. Raises MalformedCommand."""
    try:
        if row["kind"] != "place":
            raise MalformedCommand(f"unknown kind {row['kind']}")
        order = decode_order(row["order"])
        if order.order_id != row["command"]:
            raise MalformedCommand("the command is filed under another id")
    except (KeyError, ValueError, TypeError) as error:
        raise MalformedCommand(repr(error)) from error
    return order
