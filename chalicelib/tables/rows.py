"""Rows as plain values, and as the typed items that DynamoDB stores."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, TypeVar

from chalicelib.tables.attribute_values import plain, typed

T = TypeVar("T")
Row = dict[str, Any]
"""A row as plain values: str, int, bytes, bool, None, lists and dicts of them. No floats, no Decimals."""

_KEY_ATTRIBUTES = (
    "owner", "entry", "order_id", "fill", "book", "part", "sequence", "command", "instance", "credential", "scope",
    "request", "minute", "look", "number",
)  # fmt: skip
"""Key attributes of all tables."""


class UnreadableRow(ValueError):
    """A row that this version cannot have written: damaged, or from an earlier version. The message names its keys."""


def encode(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row in DynamoDB's typed form. Raises decimal.Inexact for a number of more than 38 digits."""
    return {name: typed(value) for name, value in row.items()}


def decode(item: Mapping[str, Any]) -> Row:
    """Return a typed item as plain values. Raises UnreadableRow."""
    try:
        return {name: plain(value) for name, value in item.items()}
    except (ValueError, TypeError) as error:
        keys = " ".join(text for name in _KEY_ATTRIBUTES if name in item for text in item[name].values())
        raise UnreadableRow(f"{keys}: {error}") from error


def reads_row(read: Callable[[Row], T]) -> Callable[[Row], T]:
    """Decorate a function that parses a row: any failure becomes UnreadableRow, which says what to do."""

    @wraps(read)
    def reading(row: Row) -> T:
        try:
            return read(row)
        except UnreadableRow:
            raise
        except (KeyError, ValueError, TypeError, zlib.error) as error:
            keys = " ".join(str(row[name]) for name in _KEY_ATTRIBUTES if name in row)
            raise UnreadableRow(
                f"{keys}: {error!r}. The row is damaged, which 'tallybook verify' looks into, or an earlier version "
                "has written it: CHANGELOG.md says what to do with tables of earlier versions"
            ) from error

    return reading


def whole(row: Row, name: str) -> int:
    """Return an integer attribute. Raises KeyError if it is missing, TypeError if it is no number (text included)."""
    value = row[name]
    if type(value) is not int:
        raise TypeError(f"{name}: {value!r}")
    return value
