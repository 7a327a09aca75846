"""An in-memory table: rows by key, partitions in key order, indexes, and the rules for keys.

A stored row has its size and is immutable: a write replaces it, so copies of a table share rows. Partitions are scanned
in order of a hash of their key, as on DynamoDB: tables with equal rows are read in equal order, whatever their history.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, NamedTuple

from tests.memory.parser import Predicate
from tests.memory.values import Invalid, Item, Ordered, Typed, canonical_number, number, ordered, size_of_name

HASH_KEY_BYTES_MAX, RANGE_KEY_BYTES_MAX = 2048, 1024
NO_RANGE = ""  # the sort key of every row of a table without one

Key = tuple[Ordered, Ordered]
Entry = tuple[Ordered, Key]
"""A row's place in a partition of an index: its sort key there, and its key in the table."""


class Misfit(Invalid):
    """A key does not match the schema.

    In a single write a ValidationException; in a transaction a cancellation reason.
    """


class Row(NamedTuple):
    item: Item
    size: int


@dataclass(frozen=True, slots=True)
class Schema:
    """Key attributes of a table or index, with types. ``range`` is None if there is only a partition key."""

    hash: str
    hash_type: str
    range: str | None = None
    range_type: str = "S"

    @classmethod
    def of(cls, schema: list[dict[str, str]], definitions: list[dict[str, str]]) -> Schema:
        """Return the schema that a CreateTable request describes."""
        types = {one["AttributeName"]: one["AttributeType"] for one in definitions}
        names = {one["KeyType"]: one["AttributeName"] for one in schema}
        one, other = names["HASH"], names.get("RANGE")
        return cls(one, types[one], other, types[other]) if other is not None else cls(one, types[one])

    @property
    def names(self) -> list[str]:
        return [self.hash] if self.range is None else [self.hash, self.range]

    def key_alone(self, key: Mapping[str, Any]) -> Key:
        """Return the key in a request. Raises Misfit, or Invalid for an empty value."""
        mismatch = "The provided key element does not match the schema"
        if len(key) != (1 if self.range is None else 2) or self.hash not in key:
            raise Misfit(mismatch)
        first = self.value(self.hash, self.hash_type, key[self.hash], HASH_KEY_BYTES_MAX, mismatch)
        if self.range is None:
            return first, NO_RANGE
        if self.range not in key:
            raise Misfit(mismatch)
        return first, self.value(self.range, self.range_type, key[self.range], RANGE_KEY_BYTES_MAX, mismatch)

    def key_in(self, item: Item) -> Key:
        """Return the key of a whole item. Raises Misfit, or Invalid for an empty value."""
        for name in self.names:
            if name not in item:
                raise Misfit(f"One or more parameter values were invalid: Missing the key {name} in the item")
        first = self.value(self.hash, self.hash_type, item[self.hash], HASH_KEY_BYTES_MAX)
        if self.range is None:
            return first, NO_RANGE
        return first, self.value(self.range, self.range_type, item[self.range], RANGE_KEY_BYTES_MAX)

    def refuse_change(self, attributes: Iterable[str]) -> None:
        """Raise Invalid if a key attribute is among those that an update changes."""
        for name in self.names:
            if name in attributes:
                raise Invalid(
                    f"One or more parameter values were invalid: Cannot update attribute {name}. "
                    "This attribute is part of the key"
                )

    def value(self, name: str, kind: str, value: Typed, bytes_max: int, mismatch: str | None = None) -> Ordered:
        """Return a key attribute's value in a form that can be ordered."""
        content = value.get(kind)
        if content is None or len(value) != 1:
            raise Misfit(
                mismatch
                or "One or more parameter values were invalid: "
                f"Type mismatch for key {name} expected: {kind} actual: {next(iter(value), None)}"
            )
        if kind == "N":
            return number(canonical_number(content))
        if not content:
            raise Invalid(
                "One or more parameter values are not valid. The AttributeValue for a key attribute "
                f"cannot contain an empty {'string' if kind == 'S' else 'binary'} value. Key: {name}"
            )
        if len(content) > bytes_max // 4 and (size_of_name(content) if kind == "S" else len(content)) > bytes_max:
            raise Invalid(
                f"One or more parameter values were invalid: Size of key {name} has exceeded {bytes_max} bytes"
            )
        return content  # type: ignore[no-any-return]


@dataclass(slots=True)
class Index:
    """A global secondary index: exactly the rows that have its key attributes."""

    name: str
    schema: Schema
    projected: frozenset[str] | None
    """Projected attributes; None: all."""
    partitions: dict[Ordered, list[Entry]] = field(default_factory=dict)

    def place(self, key: Key, item: Item) -> tuple[Ordered, Entry] | None:
        """Return a row's position in the index; None if it is not in it. Raises Invalid for a key of a wrong type."""
        schema = self.schema
        values: list[Ordered] = []
        for name, kind in ((schema.hash, schema.hash_type), (schema.range, schema.range_type)):
            value = item.get(name) if name is not None else None
            if value is not None and (kind not in value or value == {kind: value[kind][:0]}):
                actual = next(iter(value))
                raise Misfit(
                    f"One or more parameter values were invalid: Type mismatch for Index Key {name} "
                    f"Expected: {kind} Actual: {actual if actual != kind else 'empty'} IndexName: {self.name}"
                )
            if name is None:
                values.append(NO_RANGE)
            elif value is not None:
                values.append(ordered(value))
        return (values[0], (values[1], key)) if len(values) == 2 else None

    def copy(self) -> Index:
        partitions = {value: entries.copy() for value, entries in self.partitions.items()}
        return Index(self.name, self.schema, self.projected, partitions)


@dataclass(slots=True)
class Table:
    """One table and its rows."""

    name: str
    schema: Schema
    streamed: bool
    indexes: dict[str, Index] = field(default_factory=dict)
    expiry_attribute: str | None = None
    rows: dict[Key, Row] = field(default_factory=dict)
    partitions: dict[Ordered, list[Ordered]] = field(default_factory=dict)
    ring: list[tuple[bytes, Ordered]] = field(default_factory=list)
    inserts: list[tuple[int, Item]] = field(default_factory=list)
    """Stream: each new row with its sequence number."""

    def copy(self) -> Table:
        """Return an independent table with the same rows. Takes time proportional to the rows."""
        return Table(
            self.name,
            self.schema,
            self.streamed,
            {name: index.copy() for name, index in self.indexes.items()},
            self.expiry_attribute,
            self.rows.copy(),
            {value: sorts.copy() for value, sorts in self.partitions.items()},
            self.ring.copy(),
            self.inserts.copy(),
        )

    def store(self, key: Key, row: Row | None) -> None:
        """Replace the row at a key; None: remove it."""
        old = self.rows.get(key)
        for index in self.indexes.values():
            _move(index, index.place(key, old.item) if old else None, index.place(key, row.item) if row else None)
        if row is None:
            if old is not None:
                self._forget(key)
            return
        self.rows[key] = row
        if old is None:
            sorts = self.partitions.get(key[0])
            if sorts is None:
                sorts = self.partitions[key[0]] = []
                insort(self.ring, ring_place(key[0]))
            insort(sorts, key[1])

    def description(self) -> dict[str, Any]:
        """Return the table's description, as in DescribeTable."""
        stream = {"LatestStreamArn": f"memory:{self.name}/stream"} if self.streamed else {}
        return {"TableName": self.name, "TableStatus": "ACTIVE", "ItemCount": len(self.rows), **stream}

    def _forget(self, key: Key) -> None:
        del self.rows[key]
        sorts = self.partitions[key[0]]
        del sorts[bisect_left(sorts, key[1])]
        if not sorts:
            del self.partitions[key[0]]
            del self.ring[bisect_left(self.ring, ring_place(key[0]))]


def ring_place(value: Ordered) -> tuple[bytes, Ordered]:
    """Return a partition's sort position in a scan."""
    return hashlib.md5(repr(value).encode(), usedforsecurity=False).digest(), value


def _move(index: Index, old: tuple[Ordered, Entry] | None, new: tuple[Ordered, Entry] | None) -> None:
    if old == new:
        return
    if old is not None:
        entries = index.partitions[old[0]]
        del entries[bisect_left(entries, old[1])]
        if not entries:
            del index.partitions[old[0]]
    if new is not None:
        insort(index.partitions.setdefault(new[0], []), new[1])


def bounds_of(entries: list[Any], predicate: Predicate | None, operands: list[Ordered], of_index: bool) -> range:
    """Return the range of positions whose sort keys match the predicate."""
    if predicate is None:
        return range(len(entries))
    sort_of: Any = itemgetter(0) if of_index else None
    low = bisect_left(entries, operands[0], key=sort_of)
    if predicate.operator == "begins_with":
        prefix: Any = operands[0]

        def is_beyond(entry: Any) -> bool:
            return not (entry[0] if of_index else entry).startswith(prefix)

        return range(low, bisect_left(entries, True, low, key=is_beyond))
    high = bisect_right(entries, operands[-1], key=sort_of)
    below, up_to = range(low), range(high)
    after = bisect_right(entries, operands[0], key=sort_of)
    return {
        "=": range(low, high),
        "BETWEEN": range(low, high),
        "<": below,
        "<=": up_to,
        ">": range(after, len(entries)),
        ">=": range(low, len(entries)),
    }[predicate.operator]


def empty_table(
    *,
    TableName: str,
    KeySchema: list[Any],
    AttributeDefinitions: list[Any],
    BillingMode: str,  # noqa: ARG001 - nothing is billed
    GlobalSecondaryIndexes: Iterable[Mapping[str, Any]] = (),
    StreamSpecification: Mapping[str, Any] | None = None,
) -> Table:
    """Return the table that a CreateTable request describes."""
    table = Table(TableName, Schema.of(KeySchema, AttributeDefinitions), StreamSpecification is not None)
    for one in GlobalSecondaryIndexes:
        schema, projection = Schema.of(one["KeySchema"], AttributeDefinitions), one["Projection"]
        projected = frozenset([*schema.names, *table.schema.names, *projection.get("NonKeyAttributes", ())])
        is_whole = projection["ProjectionType"] == "ALL"
        table.indexes[one["IndexName"]] = Index(one["IndexName"], schema, None if is_whole else projected)
    return table
