"""Pages of lists with exact totals (K13), and ranges of filters.

``page_of`` goes through all rows once and keeps those up to the page's end: n unordered rows
and a page that ends at row e take O(n log e) time and O(e) memory.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX = 20, 100
SKIM_ROWS_MAX = 1000

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Paging:
    """A requested page. number: from 1. size: rows at most. is_ascending: the direction in which rows are sorted."""

    number: int = 1
    size: int = PAGE_SIZE_DEFAULT
    is_ascending: bool = False

    @property
    def offset(self) -> int:
        """The number of rows before the page."""
        return self.end - self.size

    @property
    def end(self) -> int:
        return self.number * self.size

    @property
    def rows_at_a_time(self) -> int:
        """Rows to read in one call: as many as the page needs up to its end."""
        calls = -(-self.end // SKIM_ROWS_MAX)
        return -(-self.end // calls)


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """total: how many rows there are on all pages."""

    rows: list[T]
    total: int
    paging: Paging

    @property
    def pages(self) -> int:
        """The number of pages (K13)."""
        return -(-self.total // self.paging.size)


@dataclass(frozen=True, slots=True)
class Bounds:
    """A range with both ends included; None: no bound on this side."""

    least: int | None = None
    most: int | None = None

    def hold(self, value: int | None) -> bool:
        """Return whether a value lies within; None, a missing value, lies only within no bounds at all."""
        if value is None:
            return self == UNBOUNDED
        return (self.least is None or self.least <= value) and (self.most is None or value <= self.most)


UNBOUNDED = Bounds()


def page_of(rows: Iterable[T], place: Callable[[T], Any], paging: Paging) -> Page[T]:
    """Return the page of these rows, which come in any order. place: what they are sorted by, no two the same."""
    first, total = sorted_up_to_page(rows, place, paging)
    return Page(first[paging.offset :], total, paging)


def sorted_up_to_page(rows: Iterable[T], place: Callable[[T], Any], paging: Paging) -> tuple[list[T], int]:
    """Return the rows up to the page's end, sorted, and how many there are in all."""
    total = 0

    def counted() -> Iterator[T]:
        nonlocal total
        for row in rows:
            total += 1
            yield row

    first = (heapq.nsmallest if paging.is_ascending else heapq.nlargest)(paging.end, counted(), key=place)
    return first, total
