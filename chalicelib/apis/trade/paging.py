"""Pages of lists (R18): rows newest first, cut by page number or by the cursor of an earlier answer.

A cursor is a position between rows: where it leads does not change when new rows arrive. A page that is counted has
read every row there is under the filters, for ``registers_count`` is exact; one that is not reads as far as it must to
know whether there is more on either side.
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
"""Rows that are read at a time where all are."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Paging:
    """Which page is wanted. cursor: it decides, where there is one."""

    page_size: int = PAGE_SIZE_DEFAULT
    current_page: int = 1
    cursor: Cursor | None = None

    @property
    def number(self) -> int:
        return self.current_page if self.cursor is None else self.cursor.page


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page. count: of the rows under the filters that were read. nc, pc: cursors of the next one older, newer."""

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
        """Return the members by which a counted list tells where its page stands."""
        size = self.paging.page_size
        return {
            "current_page": self.paging.number,
            "registers_count": self.count,
            "total_pages": -(-self.count // size),
            "page_size": size,
        }


def page_of(rows: Iterable[T], ulid_of: Callable[[T], str], paging: Paging, *, is_counted: bool = True) -> Page[T]:
    """Return the page that is wanted of rows that come newest first.

    ulid_of: a row's place, descending through the rows and never twice the same.
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
    """Return the cursor's text. The page above the first one, where rows arrived since, is a first one again."""
    return Cursor(is_older, ULID.from_str(ulid).milliseconds, ulid, min(max(page, 1), PAGE_MAX)).text()
