"""Pages of lists (R18): rows newest first, cut by page number or by the cursor of an earlier answer.

A cursor is a position between rows, so new rows do not change its page. A counted page reads all rows under the
filters, because ``registers_count`` is exact. An uncounted page reads only as far as needed to know whether there are
more rows on either side.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from ulid import ULID

from chalicelib.apis.trade.cursor import PAGE_MAX, Cursor

PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX = 200, 1000
READ_ROWS = 1000
"""Rows a read where all rows are read."""

T = TypeVar("T")


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
    """One page. count: rows read under the filters. nc, pc: cursors of the next older and newer page."""

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


def page_of(rows: Iterable[T], ulid_of: Callable[[T], str], paging: Paging, *, is_counted: bool = True) -> Page[T]:
    """Return the requested page of rows, newest first.

    ulid_of: a row's position, unique and descending.
    """
    cursor, size = paging.cursor, paging.page_size
    skipped = (paging.current_page - 1) * size
    reads_up = cursor is not None and not cursor.is_older
    above: deque[T] = deque(maxlen=size if reads_up else 0)
    below: list[T] = []
    above_count = below_count = 0
    for row in rows:
        if cursor is None:
            is_above = above_count < skipped
        else:
            is_above = ulid_of(row) > cursor.ulid or (cursor.is_older and ulid_of(row) == cursor.ulid)
        if is_above:
            above_count += 1
            above.append(row)
        else:
            below_count += 1
            if below_count <= size and not reads_up:
                below.append(row)
            elif not is_counted:
                break
    shown = list(above) if reads_up else below
    has_newer, has_older = (above_count > size, below_count > 0) if reads_up else (above_count > 0, below_count > size)
    return Page(
        shown,
        above_count + below_count,
        paging,
        nc=_cursor(ulid_of(shown[-1]), is_older=True, page=paging.number + 1) if shown and has_older else None,
        pc=_cursor(ulid_of(shown[0]), is_older=False, page=paging.number - 1) if shown and has_newer else None,
    )


def _cursor(ulid: str, *, is_older: bool, page: int) -> str:
    """Return the cursor's text. A page above the first one (of newer rows) has number 1 too."""
    return Cursor(is_older, ULID.from_str(ulid).milliseconds, ulid, min(max(page, 1), PAGE_MAX)).text()
