"""Writes of rows: what is written under which condition, as values, and the errors of a refused one."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.tables import statements
from chalicelib.tables.attribute_values import typed
from chalicelib.tables.rows import Row, decode, encode

_NAME = re.compile(r"#(\w+)")


class ConditionFailed(Exception):
    """The condition of a write failed. ``row``: the row that was found (None: none)."""

    def __init__(self, row: Row | None) -> None:
        super().__init__("the row is not as the write expects it")
        self.row = row


class TransactionRefused(Exception):
    """A condition of a transaction failed; nothing of it was done.

    refused: index of each write whose condition failed, with the row that was found (None: none).
    """

    def __init__(self, refused: dict[int, Row | None]) -> None:
        super().__init__(f"conditions failed at {sorted(refused)}")
        self.refused = refused


IsOwn = Callable[[Row | None], bool | None]
"""Judge from the row that a condition found (None: no row) whether an earlier attempt at the write was carried out.

True: the write is done. False: it is refused. None: the row does not tell.
"""


IsDone = Callable[[], bool | None]
"""Read whether a transaction was done. None: its rows have changed since and do not tell."""


def as_refused(_row: Row | None) -> bool:
    """IsOwn of a write whose refusal means the same whichever attempt was refused."""
    return False


def of_changing_row(row: Mapping[str, Any]) -> IsOwn:
    """Return the IsOwn of a Put of this row if others may have changed the row since."""
    return lambda found: found == decode(encode(row)) or None


@dataclass(frozen=True, slots=True)
class Put:
    """Write a whole row. ``condition`` uses #names and :values; None: unconditional."""

    table: str
    row: Mapping[str, Any]
    condition: str | None = None
    values: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Update:
    """Change attributes of a row; creates the row if the condition permits.

    names: what a #name stands for, if not the name itself.
    """

    table: str
    key: Mapping[str, Any]
    expression: str
    condition: str | None = None
    values: Mapping[str, Any] | None = None
    names: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove a row if the condition permits; does nothing if there is none."""

    table: str
    key: Mapping[str, Any]
    condition: str | None = None
    values: Mapping[str, Any] | None = None


Write = Put | Update | Delete


def request_of(write: Write, table: str) -> dict[str, Any]:
    """Return the request of a write, as the client takes it. table: its whole name."""
    request: dict[str, Any] = {"TableName": table}
    if isinstance(write, Put):
        request["Item"] = encode(write.row)
    else:
        request["Key"] = encode(write.key)
    if isinstance(write, Update):
        request["UpdateExpression"] = write.expression
    expression, names = (write.expression, write.names) if isinstance(write, Update) else (None, None)
    names = names_in(expression, write.condition, names=names)
    if names:
        request["ExpressionAttributeNames"] = names
    if write.condition:
        request["ConditionExpression"] = write.condition
        request["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
    if write.values:
        request["ExpressionAttributeValues"] = encode(write.values)
    return request


def statement_of(write: Write, table: str) -> Any:
    """Return a write as a statement of a batch, as the client takes it; None if it has none. table: its whole name."""
    values: Mapping[str, Any]
    match write:
        case Put(_, row, condition):
            values, statement = row, statements.insertion(table, tuple(row), condition)
        case Update(_, key, expression, condition, given, names):
            values = {**(given or {}), **key}
            named = tuple((names or {}).items())
            statement = statements.update(table, tuple(key), expression, condition, named)
        case Delete(_, key, condition):
            values, statement = key, statements.deletion(table, tuple(key), condition)
    if statement is None:
        return None
    return {"Statement": statement.text, "Parameters": [typed(values[name]) for name in statement.parameters]}


def names_in(*expressions: str | None, names: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the map of names of these expressions, in which each attribute stands as ``#name``."""
    found = {f"#{name}": name for expression in expressions if expression for name in _NAME.findall(expression)}
    return found | dict(names or {})


def own_of(write: Write) -> IsOwn:
    """Return the IsOwn of a write whose row is its own: nothing else leaves the same row.

    A Delete leaves none, so what is refused may have been removed by another (T157).
    """
    match write:
        case Put(row=row):
            return lambda found: found == decode(encode(row))
        case Delete():
            return as_refused
        case Update():
            return lambda _found: None
