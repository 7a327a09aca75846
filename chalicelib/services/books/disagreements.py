"""Disagreements between the journal and the tables: where, what the journal gives, what the row says."""

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
    """where: the row and the attribute. expected: what the journal gives. found: what stands there."""

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
"""What reading a row raises that the program cannot have written, or using what was read of it."""


@contextmanager
def readable(where: str, *errors: type[Exception]) -> Iterator[None]:
    """Raise Disproved where what is read in here cannot be what the program has written. errors: other signs of it."""
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
"""Which values an attribute may have, by how it is annotated."""


def typed(facts: T) -> T:
    """Return what a row says, dataclasses in it too. Raises TypeError where a value is not of its type."""
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
    """Return the first attribute in which a row that stands there is not as the journal gives it.

    head: the journal's last entry; a ``sequence`` beyond it comes first, because it tells more than the others.
    """
    ahead = beyond(f"{where}, sequence", found.get("sequence"), head)
    if ahead is not None:
        return ahead
    for name in [*expected, *(name for name in found if name not in expected)]:
        if name not in expected or name not in found or not _is_same(expected[name], found[name]):
            return Disagreement(f"{where}, {name}", _text(expected, name), _text(found, name))
    return None


def _is_same(expected: object, found: object) -> bool:
    """Tell whether two values are the same; to Python, 1 and True are equal."""
    return expected == found and isinstance(expected, bool) is isinstance(found, bool)


def _text(row: Mapping[str, object], name: str) -> str:
    return str(row[name]) if name in row else NOTHING


def beyond(where: str, sequence: object, head: int) -> Disagreement | None:
    """Return the disagreement of a row that shows an entry after the journal's last one."""
    if not isinstance(sequence, int) or sequence <= head:
        return None
    expected = f"{head} at most, the journal's last entry"
    return Disagreement(where, expected, f"{sequence}: entries were removed from the journal's end, or it was edited")
