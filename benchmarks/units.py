"""DynamoDB capacity units of a call: a pure function of the rows that it reads or writes.

The rules are the developer guide's ("Item sizes and formats", "Read and write operations", "Global secondary indexes");
rows are in typed form, ``{"N": "1"}``. Local engines count some of this wrong, so the project counts itself.

| call | units |
| --- | --- |
| GetItem | one for each 4 KB begun |
| Query, a page | one for each 4 KB begun of all rows examined, taken together |
| BatchGetItem | as separate GetItems: each row is rounded up by itself |
| any read | half if eventually consistent; a missing row costs as much as a small one |
| Put, Update, Delete | one for each KB begun of the larger of the row before and after |
| in a transaction | twice that; the cost of its indexes is unchanged |
| each index of a write | none if its entry is unchanged; else one for each KB; for both entries if its key changes |
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Item = Mapping[str, Mapping[str, Any]]
"""A row in DynamoDB's typed form."""

READ_BYTES, WRITE_BYTES = 4096, 1024
TRANSACTION_FACTOR = 2
LIST_OR_MAP_BYTES, MEMBER_BYTES = 3, 1


@dataclass(frozen=True, slots=True)
class Index:
    """A secondary index: it has an entry for each row with its key.

    projected: attributes of an entry, with its own and the table's key; None: all of the row's.
    """

    name: str
    key: tuple[str, ...]
    projected: frozenset[str] | None

    def entry_of(self, item: Item | None) -> Item | None:
        """Return the row's entry; None if it has none."""
        if item is None or any(name not in item for name in self.key):
            return None
        return {name: value for name, value in item.items() if self.projected is None or name in self.projected}

    def key_of(self, entry: Item) -> list[Mapping[str, Any]]:
        return [entry[name] for name in self.key]


def indexes_of(create_request: Mapping[str, Any]) -> list[Index]:
    """Return the indexes in a CreateTable request."""
    table_key = _key_names(create_request)
    indexes = []
    for one in create_request.get("GlobalSecondaryIndexes", ()):
        key, projection = _key_names(one), one["Projection"]
        projected = frozenset([*table_key, *key, *projection.get("NonKeyAttributes", ())])
        is_whole = projection["ProjectionType"] == "ALL"
        indexes.append(Index(one["IndexName"], key, None if is_whole else projected))
    return indexes


def _key_names(described: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(one["AttributeName"] for one in described["KeySchema"])


def item_bytes(item: Item) -> int:
    """Return a row's size: names and values of its attributes."""
    return sum(len(name.encode()) + value_bytes(value) for name, value in item.items())


def value_bytes(value: Mapping[str, Any]) -> int:
    """Return the size of one typed value."""
    ((kind, content),) = value.items()
    match kind:
        case "S":
            return len(content.encode())
        case "N":
            return number_bytes(content)
        case "B":
            return len(content)
        case "L":
            return LIST_OR_MAP_BYTES + sum(MEMBER_BYTES + value_bytes(member) for member in content)
        case "M":
            return LIST_OR_MAP_BYTES + MEMBER_BYTES * len(content) + item_bytes(content)
        case "BOOL" | "NULL":
            return 1
    raise ValueError(f"no size rule for values of type {kind}")


def number_bytes(text: str) -> int:
    """Return an integer's size: one byte, one for a minus, one for each pair of digits; trailing pairs of zeros are
    free.

    Pairs are counted from the decimal point: 1200 is stored as one pair, 120 as two. The guide says "approximately".
    """
    digits = text.lstrip("-")
    if not digits.isdigit():
        raise ValueError(f"{text} is no whole number")
    significant = digits.strip("0")
    trailing_zeros = len(digits) - len(digits.rstrip("0"))
    is_split = trailing_zeros % 2  # its last digit shares a pair with a dropped zero
    pairs = -(-(len(significant) + is_split) // 2) if significant else 0
    return 1 + text.startswith("-") + pairs


def read_units(bytes_read: int, *, consistent: bool) -> float:
    """Return the units of one read of this many bytes."""
    whole = max(1, -(-bytes_read // READ_BYTES))
    return float(whole) if consistent else whole / 2


def get_units(item: Item | None, *, consistent: bool) -> float:
    return read_units(item_bytes(item) if item else 0, consistent=consistent)


def query_units(items: Iterable[Item], *, consistent: bool) -> float:
    """Return the units of one page. items: all rows examined, whole, or their index entries."""
    return read_units(sum(map(item_bytes, items)), consistent=consistent)


def batch_get_units(items: Iterable[Item], missing: int, *, consistent: bool) -> float:
    """Return the units of the rows found and of the missing keys."""
    return sum(get_units(item, consistent=consistent) for item in [*items, *[None] * missing])


def transact_get_units(items: Iterable[Item | None]) -> float:
    """Return the units of a transaction's reads; None: a missing row."""
    return TRANSACTION_FACTOR * sum(get_units(item, consistent=True) for item in items)


def write_units(before: Item | None, after: Item | None, *, in_transaction: bool = False) -> float:
    """Return the units of a write to its table, done or refused; None: no row. Its indexes cost extra."""
    larger = max(item_bytes(item) if item else 0 for item in (before, after))
    return _started(larger) * (TRANSACTION_FACTOR if in_transaction else 1)


def index_units(index: Index, before: Item | None, after: Item | None) -> float:
    """Return the units of a write to an index, in a transaction or not."""
    old, new = index.entry_of(before), index.entry_of(after)
    if old == new:
        return 0.0
    if old is None or new is None or index.key_of(old) != index.key_of(new):
        return sum(_started(item_bytes(entry)) for entry in (old, new) if entry is not None)
    return max(_started(item_bytes(old)), _started(item_bytes(new)))


def _started(bytes_written: int) -> float:
    return float(max(1, -(-bytes_written // WRITE_BYTES)))
