"""Queries of the local DynamoDB that examine only what they return, however long the partition.

ministack sorts the whole partition of each query, and examines each of its rows by an expression that it parses anew.
Here each text is parsed once; and the sort keys of a long partition are kept in order, so ministack is shown only the
rows between the query's bounds, and of these only as many as a page has. What it answers stays the same.
"""

from __future__ import annotations

import re
import sys
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from threading import RLock
from typing import Any

EXPRESSIONS_MAX = 1000
"""Expressions whose parsed form is kept."""
LONG_ROWS = 64
"""Rows from which a partition is long: in a shorter one, order costs more than it saves."""
_CONDITION = re.compile(
    r"(?a)(#\w+) = (:\w+)"
    r"(?: AND (?:(#\w+) (<|<=|=|>=|>) (:\w+)|(#\w+) (BETWEEN) (:\w+) AND (:\w+)|(begins_with)\((#\w+), (:\w+)\)))?"
)
"""The conditions by which Tallybook queries. Any other is left to ministack alone."""
_SORT_KEYS: dict[str, Callable[[str], Any]] = {"N": Decimal, "S": str}
"""By the key's type: how texts of it are ordered."""
_ONE_AT_A_TIME = RLock()
"""ministack removes expired rows in a thread of its own."""

Row = dict[str, Any]


class Partition(dict[str, Row]):
    """A partition's rows by sort key, with the keys in order. shown: the rows that ``values`` returns; None: all."""

    def __init__(self, rows: dict[str, Row], kind: str) -> None:
        super().__init__(rows)
        self.sort_key = _SORT_KEYS[kind]
        self.names = sorted(rows, key=self.sort_key)
        self.shown: list[Row] | None = None

    def __reduce__(self) -> Any:
        """A copy is a plain dictionary."""
        return dict, (dict(self),)

    def __setitem__(self, name: str, row: Row) -> None:
        with _ONE_AT_A_TIME:
            if name not in self:
                insort(self.names, name, key=self.sort_key)
            super().__setitem__(name, row)

    def pop(self, name: str, *default: Any) -> Any:
        with _ONE_AT_A_TIME:
            if name in self:
                del self.names[self.before(self.sort_key(name))]
            return super().pop(name, *default)

    def values(self) -> Any:
        return super().values() if self.shown is None else self.shown

    def before(self, value: Any) -> int:
        """Return how many keys are less."""
        return bisect_left(self.names, value, key=self.sort_key)

    def up_to(self, value: Any) -> int:
        """Return how many keys are less or equal."""
        return bisect_right(self.names, value, key=self.sort_key)

    def span(self, operator: str | None, bounds: list[Any]) -> tuple[int, int]:
        """Return where the keys begin and end that a condition on them lets through."""
        match operator, bounds:
            case "=", [value]:
                return self.before(value), self.up_to(value)
            case "<", [value]:
                return 0, self.before(value)
            case "<=", [value]:
                return 0, self.up_to(value)
            case ">", [value]:
                return self.up_to(value), len(self.names)
            case ">=", [value]:
                return self.before(value), len(self.names)
            case "BETWEEN", [low, high]:
                return self.before(low), self.up_to(high)
            case "begins_with", [start]:
                return self.before(start), bisect_right(self.names, start, key=lambda name: name[: len(start)])
        return 0, len(self.names)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A query in parts. owner: names the partition. bounds: the operator's sort keys. start: it goes on behind this."""

    owner: str
    operator: str | None
    bounds: list[Any]
    start: Any
    forward: bool
    limit: int | None

    def numbers(self, partition: Partition) -> range:
        """Return the places of the keys that the query is about, in its order."""
        first, end = partition.span(self.operator, self.bounds)
        if self.start is not None and self.forward:
            first = max(first, partition.up_to(self.start))
        elif self.start is not None:
            end = min(end, partition.before(self.start))
        return range(first, end) if self.forward else range(end - 1, first - 1, -1)


class Queries:
    """Queries of one engine. dynamodb: ministack's module."""

    def __init__(self, dynamodb: Any) -> None:
        self._dynamodb = dynamodb
        self._query = dynamodb._query

    def query(self, asked: Row) -> Any:
        """Answer a query as ministack does."""
        partition = self._narrowed(asked)
        try:
            return self._query(asked)
        finally:
            if partition is not None:
                partition.shown = None

    def _narrowed(self, asked: Row) -> Partition | None:
        """Have the query's partition show only what the query is about. None: it shows all."""
        table = self._dynamodb._tables.get(asked.get("TableName"))
        if not table or not table["sk_name"]:
            return None
        kind = self._dynamodb._get_attr_type(table, table["sk_name"])
        parts = _parts_of(asked, table["pk_name"], table["sk_name"], kind) if kind in _SORT_KEYS else None
        if parts is None:
            return None
        with self._dynamodb._lock, _ONE_AT_A_TIME:
            partition = table["items"].get(parts.owner, {})
            if len(partition) < LONG_ROWS:
                return None
            if not isinstance(partition, Partition):
                partition = table["items"][parts.owner] = Partition(partition, kind)
            rows = (partition[partition.names[number]] for number in parts.numbers(partition))
            partition.shown = list(self._page(rows, parts.limit))
        return partition

    def _page(self, rows: Iterator[Row], limit: int | None) -> Iterator[Row]:
        """Yield as many rows as a page has, and the one that makes it full."""
        left = self._dynamodb._DDB_PAGE_SIZE_BYTES
        for number, row in enumerate(rows, 1):
            yield row
            left -= self._dynamodb._item_size_bytes(row) if limit is None else 0
            if left < 0 or number == limit:
                return


def _parts_of(asked: Row, pk_name: str, sk_name: str, kind: str) -> _Asked | None:
    """Return a query in parts; None: it has another form than Tallybook's, or a fault, of which ministack speaks."""
    found = _CONDITION.fullmatch(asked.get("KeyConditionExpression") or "")
    if found is None or "IndexName" in asked:
        return None
    pk, owner, *rest = (group for group in found.groups() if group is not None)
    names, values = asked.get("ExpressionAttributeNames", {}), asked.get("ExpressionAttributeValues", {})
    operator = next((part for part in rest if part[0] not in "#:"), None)
    bounds = [_sort_key(values.get(part), kind) for part in rest if part.startswith(":")]
    of_key = [names.get(part) for part in rest if part.startswith("#")]
    partition, after, limit = values.get(owner), asked.get("ExclusiveStartKey"), asked.get("Limit")
    start = _sort_key(after.get(sk_name), kind) if isinstance(after, dict) else None
    if (
        (names.get(pk), of_key) not in ((pk_name, []), (pk_name, [sk_name]))
        or not isinstance(partition, dict)
        or None in bounds
        or (after is not None and start is None)
        or not (limit is None or (isinstance(limit, int) and limit > 0))
    ):
        return None
    return _Asked(str(partition.get("S")), operator, bounds, start, bool(asked.get("ScanIndexForward", True)), limit)


def _sort_key(value: Any, kind: str) -> Any:
    """Return what a value of that type is ordered by; None: it is no such value."""
    try:
        return _SORT_KEYS[kind](value[kind])
    except (KeyError, TypeError, ArithmeticError):
        return None


def examine_only_what_is_asked(dynamodb: Any) -> None:
    """Have ministack parse each text once, and examine only the rows of a page. dynamodb: its module, whose parsed
    forms nobody changes.
    """
    statements = sys.modules[dynamodb.PartiqlError.__module__]
    for module, parse in (
        (dynamodb, "_tokenize"),
        (dynamodb, "_condition_syntax_error"),
        (statements, "_tokenize"),
    ):
        setattr(module, parse, lru_cache(EXPRESSIONS_MAX)(getattr(module, parse)))
    dynamodb._query = Queries(dynamodb).query
