"""Pages of lists by what they weigh: a page has so many rows, or as many as its bytes allow, and the next one goes on.

AWS Lambda takes at most 6 MiB of an answer, and puts its body into one more JSON text, where quotes and letters beyond
ASCII take more bytes than the client gets: that text is what is counted.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Generic, TypeVar

PAGE_BYTES_MAX = 5_000_000
"""Of a page's rows; what stands around them fits into the rest of what Lambda takes."""
CHARACTER_BYTES_MAX = 12
"""Of a character in a text of JSON that stands in another one: a pair of surrogates, as in \\\\ud83d\\\\ude00."""

T = TypeVar("T")


def answer_bytes(text: str) -> int:
    """Return how many bytes a text takes in what a function returns.

    >>> answer_bytes('{"a":"é"}')
    17
    """
    return len(json.dumps(text)) - len('""')


@dataclass(frozen=True, slots=True)
class Weight(Generic[T]):
    """What a row takes in an answer. most: a bound that is had without writing it. exact: see ``answer_bytes``."""

    most: Callable[[T], int]
    exact: Callable[[T], int]


@dataclass(frozen=True, slots=True)
class Packed(Generic[T]):
    """A page. before: how many rows stand on those before it. rows: none past the end; then ``pages`` is how many
    pages there are, else the number of this one.
    """

    before: int
    rows: list[T]
    pages: int

    @property
    def end(self) -> int:
        """How many rows stand on this page and those before it."""
        return self.before + len(self.rows)


def packed(
    rows: Iterable[T], page: int, per_page: int, weight: Weight[T] | None, bytes_max: int = PAGE_BYTES_MAX
) -> Packed[T]:
    """Return a page, from 1: each has ``per_page`` rows, or as many as fit into ``bytes_max``, but one at least.

    rows: all there are, in order; read no further than to the end of the page. weight: None where they are all small.
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
    """Return the rows, from the first one on, that fit into so many bytes together, but one at least.

    exact: what a row takes, see ``answer_bytes``.
    """
    taken = 0
    for number, row in enumerate(rows):
        taken += exact(row) + len(",")
        if taken > bytes_max and number:
            return list(rows[:number])
    return list(rows)
