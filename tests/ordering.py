"""One order for rows, by what is in them: their text is none, for attributes come in any order."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from chalicelib.tables.rows import Row


def in_order(rows: Iterable[Row]) -> list[Row]:
    """Return the rows sorted by their attributes' names and values, nested ones too."""
    return sorted(rows, key=lambda row: repr(_sorted(row)))


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return [(name, _sorted(member)) for name, member in sorted(value.items())]
    return [*map(_sorted, value)] if isinstance(value, list) else value
