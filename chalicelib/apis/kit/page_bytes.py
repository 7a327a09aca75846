"""Pages bounded in bytes: a page has a number of rows, or as many as its bytes allow; the next page goes on from there.

AWS Lambda accepts an answer of 6 MiB at most, and wraps its body into a JSON text, in which quotes and non-ASCII
letters take more bytes than the client receives. The bytes of that text are counted.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Generic, TypeVar

PAGE_BYTES_MAX = 5_000_000
"""Bound of a page's rows; the rest of the answer fits into Lambda's remaining bytes."""
CHARACTER_BYTES_MAX = 12
"""Bound of a character in a nested JSON text: a pair of surrogates, as in \\\\ud83d\\\\ude00."""

T = TypeVar("T")


def answer_bytes(text: str) -> int:
    """Return how many bytes a text takes in the JSON that a function returns.

    >>> answer_bytes('{"a":"é"}')
    17
    """
    return len(json.dumps(text)) - len('""')


@dataclass(frozen=True, slots=True)
class Weight(Generic[T]):
    """Bytes of a row in an answer. most: an upper bound, cheap to compute. exact: see ``answer_bytes``."""

    most: Callable[[T], int]
    exact: Callable[[T], int]


@dataclass(frozen=True, slots=True)
class Packed(Generic[T]):
    """A page. before: number of rows on earlier pages. rows: empty past the end.

    pages: the number of this page; past the end, the number of pages.
    """

    before: int
    rows: list[T]
    pages: int

    @property
    def end(self) -> int:
        """Number of rows on this page and earlier ones."""
        return self.before + len(self.rows)


def packed(
    rows: Iterable[T], page: int, per_page: int, weight: Weight[T] | None, bytes_max: int = PAGE_BYTES_MAX
) -> Packed[T]:
    """Return a page, counted from 1. Each has ``per_page`` rows, or as many as fit ``bytes_max``, at least one.

    rows: all rows in order; read only up to the end of the page. weight: None if all rows are small.
    """
    left, held, before = iter(rows), list[T](), 0
    for number in range(1, page + 1):
        held += islice(left, per_page - len(held))
        if not held:
            return Packed(before, [], number - 1)
        shown = (
            held
            if weight is None or sum(map(weight.most, held)) <= bytes_max
            else fitting(held, weight.exact, bytes_max)
        )
        if number == page:
            return Packed(before, shown, number)
        before, held = before + len(shown), held[len(shown) :]
    raise ValueError(f"pages are counted from 1: {page}")


def fitting(rows: Sequence[T], exact: Callable[[T], int], bytes_max: int = PAGE_BYTES_MAX) -> list[T]:
    """Return the first rows that fit into ``bytes_max``, at least one. exact: bytes of a row (``answer_bytes``)."""
    taken = 0
    for number, row in enumerate(rows):
        taken += exact(row) + len(",")
        if taken > bytes_max and number:
            return list(rows[:number])
    return list(rows)
