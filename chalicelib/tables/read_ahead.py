"""Reading ahead: rows that a request will read are read together, by one BatchGetItem.

::

    expected --the first of them is asked for--> read with all others --asked for--> handed out

Each row is handed out as often as it was expected; after that, and after the request's first write, it is read from its
table again. So a poll, or a look at what became of a write, never sees a row of before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

RowAt = tuple[str, tuple[tuple[str, Any], ...]]
"""Where a row stands: its table, and its key's attributes by name."""
Item = dict[str, Any]
"""A row in DynamoDB's typed form; empty: there is no such row."""


def row_at(table: str, key: Mapping[str, Any]) -> RowAt:
    return table, tuple(sorted(key.items()))


class ReadAhead:
    """The rows that one request is expected to read. learn: called with the table and each row read."""

    def __init__(self, learn: Callable[[str, dict[str, Any]], None]) -> None:
        self.learn = learn
        self._expected: Counter[RowAt] = Counter()
        self._items: dict[RowAt, Item] = {}

    def expect(self, rows: Iterable[RowAt]) -> None:
        """Expect one more read of each of these rows."""
        self._expected.update(rows)

    def drop(self) -> None:
        """Expect nothing more."""
        self._expected.clear()

    def take(self, row: RowAt, read: Callable[[Sequence[RowAt]], Mapping[RowAt, Item]]) -> Item | None:
        """Return an expected row; None if it was not expected, or could not be read with the others.

        read: returns the rows that it could read.
        """
        if not self._expected[row]:
            return None
        self._expected[row] -= 1
        if row not in self._items:
            self._items |= read([one for one in self._expected if one not in self._items])
        return self._items.get(row)
