"""Pages of lists (R18): rows newest first, cut by page number or by the cursor of an earlier answer.

A cursor is a position between rows, so new rows do not change its page. A page and its count are read apart: a page
behind ``nc`` from its position on, and the count from the newest row on, up to COUNT_MAX. A page by number reads what
stands before it, too, and a page behind ``pc`` all rows from the newest one down to its position.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Generic, TypeVar

from ulid import ULID

from chalicelib.apis.trade.cursor import PAGE_MAX, Cursor
from chalicelib.support.ids import TIME_MS_MAX

PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX = 200, 1000
COUNT_MAX = 1000
"""Up to here counts are exact; of more rows, one more than this is told."""
READ_ROWS = COUNT_MAX + 1
"""Rows a read where rows are counted."""

T = TypeVar("T")
RowsUntil = Callable[[int, int], Iterable[T]]
"""Returns the rows not newer than a time (Unix ms), newest first; the second number says how many will be looked at."""


@dataclass(frozen=True, slots=True)
class Paging:
    """The requested page. cursor: overrides ``current_page``."""

    page_size: int = PAGE_SIZE_DEFAULT
    current_page: int = 1
    cursor: Cursor | None = None

    @property
    def number(self) -> int:
        return self.current_page if self.cursor is None else self.cursor.page


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page. count: rows under the filters, at most COUNT_MAX + 1. nc, pc: cursors of the next older, newer page."""

    rows: list[T]
    count: int
    paging: Paging
    nc: str | None
    pc: str | None

    @property
    def cursors(self) -> dict[str, object]:
        return {"nc": self.nc, "pc": self.pc}

    @property
    def pagination(self) -> dict[str, object]:
        """Return the paging members of a counted list."""
        size = self.paging.page_size
        return {
            "current_page": self.paging.number,
            "registers_count": self.count,
            "total_pages": -(-self.count // size),
            "page_size": size,
        }


@dataclass(frozen=True, slots=True)
class _Cut(Generic[T]):
    """The rows of a page, whether there are newer and older ones, and how many rows there are if that is known."""

    rows: list[T]
    has_newer: bool
    has_older: bool
    count: int = 0


def page_of(
    rows_until: RowsUntil[T], ulid_of: Callable[[T], str], paging: Paging, *, is_counted: bool = True
) -> Page[T]:
    """Return the requested page.

    rows_until: see there. ulid_of: a row's position, unique and descending.
    """
    cursor = paging.cursor
    if cursor is None:
        cut = _by_number(iter(rows_until(TIME_MS_MAX, READ_ROWS)), paging, is_counted)
    elif cursor.is_older:
        cut = _below(rows_until, ulid_of, cursor, paging.page_size, is_counted)
    else:
        cut = _above(iter(rows_until(TIME_MS_MAX, READ_ROWS)), ulid_of, cursor, paging.page_size, is_counted)
    rows = cut.rows
    return Page(
        rows,
        min(cut.count, COUNT_MAX + 1),
        paging,
        nc=_cursor(ulid_of(rows[-1]), is_older=True, page=paging.number + 1) if rows and cut.has_older else None,
        pc=_cursor(ulid_of(rows[0]), is_older=False, page=paging.number - 1) if rows and cut.has_newer else None,
    )


def all_at_once(rows: Iterable[T]) -> RowsUntil[T]:
    """Return rows as a page takes them: a list, or what can be read once, for lists without cursors."""
    return lambda _to_ms, _wanted: rows


def _by_number(rows: Iterator[T], paging: Paging, is_counted: bool) -> _Cut[T]:
    above = _count(islice(rows, (paging.current_page - 1) * paging.page_size))
    shown = list(islice(rows, paging.page_size))
    seen = above + len(shown)
    below = _count(islice(rows, max(1, COUNT_MAX + 1 - seen) if is_counted else 1))
    return _Cut(shown, above > 0, below > 0, seen + below)


def _below(
    rows_until: RowsUntil[T], ulid_of: Callable[[T], str], cursor: Cursor, size: int, is_counted: bool
) -> _Cut[T]:
    rows = iter(rows_until(cursor.at_ms, size + 2))  # the row at the cursor, and one behind the page
    first = next(rows, None)
    has_newer = first is not None and ulid_of(first) >= cursor.ulid
    below = (row for row in chain([] if first is None else [first], rows) if ulid_of(row) < cursor.ulid)
    shown = list(islice(below, size))
    has_older = next(below, None) is not None
    count = 0
    if is_counted:
        counted = iter(rows_until(TIME_MS_MAX, READ_ROWS))
        newest = next(counted, None)
        has_newer = bool(shown) and newest is not None and ulid_of(newest) > ulid_of(shown[0])
        count = (newest is not None) + _count(islice(counted, COUNT_MAX))
    return _Cut(shown, has_newer, has_older, count)


def _above(rows: Iterator[T], ulid_of: Callable[[T], str], cursor: Cursor, size: int, is_counted: bool) -> _Cut[T]:
    shown: deque[T] = deque(maxlen=size)
    above, has_older = 0, False
    for row in rows:
        if ulid_of(row) <= cursor.ulid:
            has_older = True
            break
        above += 1
        shown.append(row)
    count = above + has_older + (_count(islice(rows, max(0, COUNT_MAX - above))) if is_counted else 0)
    return _Cut(list(shown), above > size, has_older, count)


def _count(rows: Iterable[T]) -> int:
    return sum(1 for _ in rows)


def _cursor(ulid: str, *, is_older: bool, page: int) -> str:
    """Return the cursor's text. A page above the first one (of newer rows) has number 1 too."""
    return Cursor(is_older, ULID.from_str(ulid).milliseconds, ulid, min(max(page, 1), PAGE_MAX)).text()
