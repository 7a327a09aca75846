"""Disagreements between the journal and the tables: where, the expected value, the value found."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass
from types import NoneType
from typing import TypeVar

T = TypeVar("T")
NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A value in a table that differs from the journal. where: the row and the attribute."""

    where: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.where}: expected {self.expected}, found {self.found}"


class Disproved(Exception):
    """The tables do not agree with the journal."""

    def __init__(self, disagreement: Disagreement) -> None:
        super().__init__(str(disagreement))
        self.disagreement = disagreement


UNREADABLE = (LookupError, ValueError, TypeError, AttributeError, ArithmeticError, AssertionError, zlib.error)
"""Errors of reading, or using, a row that the program cannot have written."""


@contextmanager
def readable(where: str, *errors: type[Exception]) -> Iterator[None]:
    """Raise Disproved if the block reads what the program cannot have written. errors: further signs of it."""
    signs: tuple[type[Exception], ...] = (*UNREADABLE, *errors)
    try:
        yield
    except signs as error:
        raise Disproved(Disagreement(where, "what can be read", repr(error))) from error


def rows_of(table: str, rows: Iterable[T], *errors: type[Exception]) -> Iterator[T]:
    """Yield the rows of a table. Raises Disproved at one that cannot be read."""
    iterator = iter(rows)
    while True:
        with readable(f"table of {table}", *errors):
            try:
                row = next(iterator)
            except StopIteration:
                return
        yield row


_TYPES: dict[str, tuple[type, ...]] = {
    "bool": (bool,),
    "int": (int,),
    "int | None": (int, NoneType),
    "str": (str,),
    "str | None": (str, NoneType),
}
"""The types of an attribute's values, by its annotation."""


def typed(facts: T) -> T:
    """Return a dataclass read from a row. Raises TypeError where a value, also a nested one, has a wrong type."""
    for fact in fields(facts):  # type: ignore[arg-type]
        wanted, value = _TYPES.get(str(fact.type)), getattr(facts, fact.name)
        if wanted is not None and type(value) not in wanted:
            raise TypeError(f"{fact.name}: {value!r}")
        if wanted is None and is_dataclass(value):
            typed(value)
    return facts


def difference(
    where: str, expected: Mapping[str, object], found: Mapping[str, object], head: int
) -> Disagreement | None:
    """Return the first attribute of a stored row that differs from the expected row.

    head: the journal's last entry. A ``sequence`` beyond it is reported first, because it explains the others.
    """
    ahead = beyond(f"{where}, sequence", found.get("sequence"), head)
    if ahead is not None:
        return ahead
    for name in [*expected, *(name for name in found if name not in expected)]:
        if name not in expected or name not in found or not _is_same(expected[name], found[name]):
            return Disagreement(f"{where}, {name}", _text(expected, name), _text(found, name))
    return None


def _is_same(expected: object, found: object) -> bool:
    """Tell whether two values are the same; 1 and True, equal in Python, are not."""
    return expected == found and isinstance(expected, bool) is isinstance(found, bool)


def _text(row: Mapping[str, object], name: str) -> str:
    return str(row[name]) if name in row else NOTHING


def beyond(where: str, sequence: object, head: int) -> Disagreement | None:
    """Return the disagreement of a row that shows an entry after the journal's last one."""
    if not isinstance(sequence, int) or sequence <= head:
        return None
    expected = f"{head} at most, the journal's last entry"
    return Disagreement(where, expected, f"{sequence}: entries were removed from the journal's end, or it was edited")
