"""The inbox (table ``inbox``): commands to books in the order in which they arrived. Immutable; kept for seven days.

A row stands under the time-sortable part of its command's id, whatever the command is: a book's rows by their key are
its commands as they arrived.
"""

from __future__ import annotations

from collections.abc import Iterator

from chalicelib.core.journal import decode_order, decode_terms, encode_order, encode_terms
from chalicelib.core.vocabulary import CancelOrder, ChangeBook, Command, PlaceOrder
from chalicelib.stores.dynamodb import Database, Put, Row, Write

TABLE = "inbox"
COMMAND_LIFE_S = 7 * 86_400


class MalformedCommand(Exception):
    """An inbox row that admission cannot have written."""


class Inbox:
    def __init__(self, database: Database) -> None:
        self._database = database

    def send(self, book: str, command: Command, now_s: int) -> Write:
        """Return the write that queues the command. Refused when it is queued already."""
        row = {
            "book": book,
            "command": _arrival_of(command.command_id),
            "expires": now_s + COMMAND_LIFE_S,
        } | _facts_of(command)
        command_not_queued = "attribute_not_exists(#command)"
        return Put(TABLE, row, command_not_queued)

    def placed(self, book: str, order_id: str) -> PlaceOrder | None:
        """Return the command that placed an order; None where the inbox has it no more. Raises MalformedCommand."""
        row = self._database.get(TABLE, {"book": book, "command": _arrival_of(order_id)})
        command = None if row is None else command_of(row)
        return command if isinstance(command, PlaceOrder) else None

    def rows(self, book: str) -> Iterator[Row]:
        """Yield a book's command rows in order of arrival. For ``redrive``."""
        return self._database.query(TABLE, "#book = :book", {":book": book})


def command_of(row: Row) -> Command:
    """Return the command in an inbox row. Raises MalformedCommand."""
    try:
        command = _command_of(row)
        if _arrival_of(command.command_id) != row["command"]:
            raise MalformedCommand("the command is filed under another id")
    except (KeyError, ValueError, TypeError) as error:
        raise MalformedCommand(repr(error)) from error
    return command


def _facts_of(command: Command) -> Row:
    match command:
        case PlaceOrder():
            return {"kind": "place", "order": encode_order(command)}
        case CancelOrder(command_id, order_id, customer):
            return {"kind": "cancel", "id": command_id, "order_id": order_id, "customer": customer}
        case ChangeBook(command_id, terms):
            return {"kind": "change", "id": command_id, "terms": encode_terms(terms)}


def _command_of(row: Row) -> Command:
    match row["kind"]:
        case "place":
            return decode_order(row["order"])
        case "cancel":
            return CancelOrder(str(row["id"]), str(row["order_id"]), str(row["customer"]))
        case "change":
            return ChangeBook(str(row["id"]), decode_terms(row["terms"]))
    raise MalformedCommand(f"unknown kind {row['kind']}")


def _arrival_of(command_id: str) -> str:
    """Return the part of a generated id that ascends with time: the ULID behind its prefix (T15)."""
    return command_id.partition("_")[2]
