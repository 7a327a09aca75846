"""Lists by limit and offset as iterators."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

Row = TypeVar("Row")


def by_offset(
    rows_of: Callable[[int, int], Sequence[Row]],
    key_of: Callable[[Row], Hashable],
    page_size: int,
    limit: int | None = None,
    *,
    may_be_short: bool = False,
) -> Iterator[Row]:
    """Yield the rows of all pages, each once: a list that grows at its head shows the last rows of a page again.

    rows_of: returns the page of this limit and offset. limit: how many rows are wanted, None: all. may_be_short:
    whether a page may end before its limit though more rows follow, as one does whose bytes are bounded.
    """
    return islice(_rows(rows_of, key_of, page_size if limit is None else min(page_size, limit), may_be_short), limit)


def _rows(
    rows_of: Callable[[int, int], Sequence[Row]], key_of: Callable[[Row], Hashable], page_size: int, may_be_short: bool
) -> Iterator[Row]:
    seen: set[Hashable] = set()
    offset = 0
    while rows := rows_of(page_size, offset):
        for row in rows:
            if (key := key_of(row)) not in seen:
                seen.add(key)
                yield row
        if len(rows) < page_size and not may_be_short:
            return
        offset += len(rows)
