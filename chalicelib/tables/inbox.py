"""The inbox (table ``inbox``): commands to books in order of arrival, kept for seven days.

A row has one command, or the orders of a batch, packed: one row is one record of the stream, so they are delivered
together and in order (T76). A command never changes. The progress of a cancel-all and of an amendment, which no order's
row shows, is recorded on its row (O8, O9)::

    queued --the entry with its turn is projected--> decided --the entry that ends it is projected--> ended, closed
    queued --the entry with its turn is projected--> ended, and why it was refused

The sort key is the time-sortable part of the id of its command, or of its first order, so a book's rows by key are its
commands in order of arrival. Only a cancel stands behind its order, under ``<time-sortable part of its id>/cancel``: an
order has one cancel at most (T29), and its id tells when it arrived (T70). Only the retention of a row changes, while
its book is parked (T53).
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from chalicelib.domain.books.forms import decode_order, decode_terms, encode_order, encode_terms
from chalicelib.domain.books.vocabulary import (
    AmendOrder,
    AmendRefusal,
    CancelAll,
    CancelOrder,
    ChangeBook,
    CloseReason,
    Command,
    PlaceOrder,
    ResumeBook,
)
from chalicelib.support.canonical import compact
from chalicelib.support.ids import least_id, time_of
from chalicelib.tables.amendments import amendment_of, facts_of
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.rows import Row
from chalicelib.tables.writes import Put, Update, Write

TABLE = "inbox"
COMMAND_LIFE_S = 7 * 86_400
PARKED_LIFE_S = 366 * 86_400
"""Retention of a parked book's skipped commands."""
PLACED_PAGE_ROWS = 100
BATCH_AGE_MS_MAX = 60_000
"""How much older than another order of its batch the first may be: one process makes all their ids at once."""


class MalformedCommand(Exception):
    """An inbox row that admission cannot have written."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of a cancel-all or an amendment. ended: sequence of the entry that ended it; None: not yet.

    decided: of a cancel-all, the sequence of the entry of its turn; None: not yet. closed: number of orders that it
    closed; None until it has ended. refusal: of an amendment that has ended, why it was refused; None: it was done.
    """

    decided: int | None = None
    ended: int | None = None
    closed: int | None = None
    refusal: AmendRefusal | None = None

    def joined(self, later: Progress) -> Progress:
        """Return this progress, completed by a later entry's."""
        return Progress(self.decided or later.decided, later.ended, later.closed, later.refusal)

    @property
    def attributes(self) -> Row:
        """The attributes of the command's row that record this progress."""
        refusal = None if self.refusal is None else self.refusal.value
        facts = {"decided": self.decided, "ended": self.ended, "closed": self.closed, "refusal": refusal}
        return {name: fact for name, fact in facts.items() if fact is not None}


class Inbox:
    def __init__(self, database: Database) -> None:
        self._database = database

    def send(self, book: str, command: Command, now_s: int) -> Write:
        """Return the write that queues the command. Refused if it is queued already."""
        return _queue(book, key_of(command), now_s, _facts_of(command))

    def send_orders(self, book: str, orders: Sequence[PlaceOrder], now_s: int) -> Write:
        """Return the write that queues orders to be decided in this sequence, as one row (T76). Refused as ``send``."""
        if len(orders) == 1:
            return self.send(book, orders[0], now_s)
        return _queue(book, key_of(orders[0]), now_s, {"kind": "orders", "orders": _packed(orders)})

    def amendment(self, book: str, command_id: str) -> AmendOrder | None:
        """Return a queued amendment; None if the inbox no longer has it. Raises MalformedCommand."""
        row = self._database.get(TABLE, {"book": book, "command": arrival_of(command_id)})
        commands = [] if row is None else commands_of(row)
        return next((one for one in commands if isinstance(one, AmendOrder)), None)

    def placed(self, book: str, order_id: str) -> PlaceOrder | None:
        """Return the command that placed an order; None if the inbox no longer has it. Raises MalformedCommand."""
        arrival = arrival_of(order_id)
        row = self._database.get(TABLE, {"book": book, "command": arrival})
        rows = self._batches_before(book, order_id) if row is None else [row]
        commands = (command for row in rows for command in commands_of(row))
        return next((one for one in commands if isinstance(one, PlaceOrder) and one.order_id == order_id), None)

    def _batches_before(self, book: str, order_id: str) -> Iterator[Row]:
        """Yield the batches that may have an order, newest first."""
        earliest = arrival_of(least_id("ord", max(0, time_of(order_id) - BATCH_AGE_MS_MAX)))
        values = {":book": book, ":earliest": earliest, ":order": arrival_of(order_id)}
        condition = "#book = :book AND #command BETWEEN :earliest AND :order"
        rows = self._database.query(TABLE, condition, values, ScanIndexForward=False, Limit=PLACED_PAGE_ROWS)
        return (row for row in rows if row["kind"] == "orders")

    def cancel_rows(self, orders: Iterable[tuple[str, str]]) -> list[Row]:
        """Return the rows of the queued cancels of these orders (book, order id), read consistently."""
        return self._database.get_many(
            TABLE, [{"book": book, "command": _cancel_key(order_id)} for book, order_id in orders]
        )

    def progress(self, commands: Iterable[tuple[str, str]]) -> dict[str, Progress]:
        """Return the progress of these commands (book, id) by id, read consistently; those whose row has gone lack."""
        keys = [{"book": book, "command": arrival_of(command_id)} for book, command_id in commands]
        return {row["id"]: progress_of(row) for row in self._database.get_many(TABLE, keys)}

    def note_progress(self, book: str, reached: Mapping[str, Progress]) -> None:
        """Record the progress of commands. Refused, which is no error, if a row is as far or gone."""
        self._database.write_each([_note(book, *command) for command in reached.items()])

    def keep(self, book: str, arrivals: Iterable[str], now_s: int) -> None:
        """Extend the retention of skipped commands to the longest time that their book may be parked. Skips missing
        rows.
        """
        row_is_there, values = "attribute_exists(#command)", {":kept": True, ":expires": now_s + PARKED_LIFE_S}
        changes = "SET #kept = :kept, #expires = :expires"
        keys = [{"book": book, "command": arrival} for arrival in arrivals]
        self._database.write_each([Update(TABLE, key, changes, row_is_there, values) for key in keys])

    def keep_no_longer(self, book: str, arrivals: Iterable[str], now_s: int) -> None:
        """Restore the normal retention of a parked book's commands: seven days from now."""
        row_is_there, values = "attribute_exists(#command)", {":expires": now_s + COMMAND_LIFE_S}
        changes = "SET #expires = :expires REMOVE #kept"
        keys = [{"book": book, "command": arrival} for arrival in arrivals]
        self._database.write_each([Update(TABLE, key, changes, row_is_there, values) for key in keys])

    def rows(self, book: str) -> Iterator[Row]:
        """Yield a book's command rows by key: in order of arrival, but each cancel behind its order."""
        return self._database.query(TABLE, "#book = :book", {":book": book})


def commands_of(row: Row) -> list[Command]:
    """Return the commands in an inbox row, in order: those of a batch, or one. Raises MalformedCommand."""
    try:
        commands: list[Command] = [*_unpacked(row["orders"])] if row["kind"] == "orders" else [_command_of(row)]
        if key_of(commands[0]) != row["command"]:
            raise MalformedCommand("the command is filed under another id")
    except (LookupError, ValueError, TypeError, zlib.error) as error:
        raise MalformedCommand(repr(error)) from error
    return commands


def progress_of(row: Row) -> Progress:
    """Return the progress recorded on the row of a command."""
    refusal = row.get("refusal")
    of_amendment = None if refusal is None else AmendRefusal(refusal)
    return Progress(row.get("decided"), row.get("ended"), row.get("closed"), of_amendment)


def _note(book: str, command_id: str, progress: Progress) -> Write:
    attributes = progress.attributes
    command_exists, not_as_far_yet = "attribute_exists(#command)", "attribute_not_exists(#ended)"
    if progress.ended is None:
        not_as_far_yet = "attribute_not_exists(#decided)"
    return Update(
        TABLE,
        {"book": book, "command": arrival_of(command_id)},
        "SET " + ", ".join(f"#{name} = :{name}" for name in attributes),
        f"{command_exists} AND {not_as_far_yet}",
        {f":{name}": value for name, value in attributes.items()},
    )


def _queue(book: str, key: str, now_s: int, facts: Row) -> Write:
    row = {"book": book, "command": key, "expires": now_s + COMMAND_LIFE_S} | facts
    command_not_queued = "attribute_not_exists(#command)"
    return Put(TABLE, row, command_not_queued)


def _packed(orders: Sequence[PlaceOrder]) -> str:
    """Return the orders of a batch as text: compressed JSON. Text, because Lambda's records have no binary values."""
    return base64.b64encode(zlib.compress(compact(list(map(encode_order, orders))).encode())).decode()


def _unpacked(text: str) -> list[PlaceOrder]:
    return list(map(decode_order, json.loads(zlib.decompress(base64.b64decode(text)))))


def _facts_of(command: Command) -> Row:
    match command:
        case PlaceOrder():
            return {"kind": "place", "order": encode_order(command)}
        case CancelOrder(command_id, order_id, customer):
            return {"kind": "cancel", "id": command_id, "order_id": order_id, "customer": customer}
        case CancelAll(command_id, customer, reason):
            return {"kind": "cancel_all", "id": command_id, "customer": customer, "reason": reason.value}
        case AmendOrder():
            return {"kind": "amend", "id": command.command_id, "amendment": facts_of(command)}
        case ResumeBook(command_id, reference):
            return {"kind": "resume", "id": command_id, "reference": None if reference is None else str(reference)}
        case ChangeBook(command_id, terms):
            return {"kind": "change", "id": command_id, "terms": encode_terms(terms)}


def _command_of(row: Row) -> Command:
    match row["kind"]:
        case "place":
            return decode_order(row["order"])
        case "cancel":
            return CancelOrder(str(row["id"]), str(row["order_id"]), str(row["customer"]))
        case "cancel_all":
            return CancelAll(str(row["id"]), str(row["customer"]), CloseReason(row["reason"]))
        case "amend":
            return amendment_of(row)
        case "resume":
            return ResumeBook(str(row["id"]), None if row["reference"] is None else int(row["reference"]))
        case "change":
            return ChangeBook(str(row["id"]), decode_terms(row["terms"]))
    raise MalformedCommand(f"unknown kind {row['kind']}")


def key_of(command: Command) -> str:
    """Return the sort key of a command's row; of a batch of orders that of the first."""
    if isinstance(command, CancelOrder):
        return _cancel_key(command.order_id)
    return arrival_of(command.command_id)


def _cancel_key(order_id: str) -> str:
    return f"{arrival_of(order_id)}/cancel"


def arrival_of(command_id: str) -> str:
    """Return the part of a generated id that ascends with time: the ULID after its prefix (T15)."""
    return command_id.partition("_")[2]
