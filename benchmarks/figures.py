"""The numbers of ``make bench``: one row of the table and one member of the JSON each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import floor, log10
from typing import Any

DIGITS = 3


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number. name: the path of its JSON member, with dots. how: how it was taken.

    value: None if it was not measured; ``how`` then says why. is_count: the same in every run but for some bytes of
    random ids, so rounded to a tenth; others are rounded to three digits.
    """

    name: str
    value: float | None
    unit: str
    how: str
    is_count: bool = False

    @property
    def rounded(self) -> float | None:
        if self.value is None:
            return None
        value = round(self.value, 1) if self.is_count else rounded(self.value)
        return int(value) if value == int(value) else value


def rounded(value: float) -> float:
    """Return a number rounded to three digits."""
    return round(value, DIGITS - 1 - floor(log10(abs(value)))) if value else 0.0


def members_of(figures: Iterable[Figure]) -> dict[str, Any]:
    """Return the JSON members: numbers under their names, ``how`` for each name."""
    members: dict[str, Any] = {"how": {}}
    for figure in figures:
        *outer, last = figure.name.split(".")
        inner = members
        for name in outer:
            inner = inner.setdefault(name, {})
        inner[last] = figure.rounded
        members["how"][figure.name] = f"{figure.unit}: {figure.how}" if figure.unit else figure.how
    return members


def numbers_in(members: dict[str, Any]) -> Iterator[tuple[str, float | None]]:
    """Yield name and value of every number of a JSON document of figures."""
    for name in members["how"]:
        value: Any = members
        for part in name.split("."):
            value = value[part]
        yield name, value


def table_line(figure: Figure) -> str:
    value = "-" if figure.rounded is None else f"{figure.rounded:,}"
    return f"{figure.name:<46}{value:>12} {figure.unit:<16} {figure.how}"
