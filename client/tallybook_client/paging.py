"""Lists as iterators: by limit and offset, by cursor, by number of page."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from itertools import count, islice
from typing import Any, TypeVar

from tallybook_client.transport import Session, query_of
from tallybook_client.wire import Members, member_of

Row = TypeVar("Row")


def by_offset(
    rows_of: Callable[[int, int], Sequence[Row]],
    key_of: Callable[[Row], Hashable],
    page_size: int,
    limit: int | None = None,
    *,
    may_be_short: bool = False,
) -> Iterator[Row]:
    """Yield the rows of all pages, each once.

    rows_of: returns the page of this limit and offset. limit: how many rows are wanted, None: all. may_be_short:
    whether a page may end before its limit though more rows follow, as one does whose bytes are bounded.
    """

    def rows() -> Iterator[Row]:
        size, offset = _at_most(page_size, limit), 0
        while found := rows_of(size, offset):
            yield from found
            if len(found) < size and not may_be_short:
                return
            offset += len(found)

    return islice(_once(rows(), key_of), limit)


def by_cursor(
    session: Session,
    path: str,
    asked: Mapping[str, Any],
    name: str,
    kind: type[list[Row]],
    page_size: int,
    limit: int | None = None,
) -> Iterator[Row]:
    """Yield the rows of all pages of a list of the trade desk, which follow one another by ``nc`` (R18).

    name: of the list in the answer. kind: its type. A cursor is a place between rows: new ones do not shift it.
    """

    def rows() -> Iterator[Row]:
        query, cursor = query_of(**asked, page_size=_at_most(page_size, limit)), None
        while True:
            answer = session.get(path, Members, (*query, *query_of(c=cursor)))
            yield from member_of(answer, name, kind)
            cursor = member_of(answer, "nc", str | None)  # type: ignore[arg-type]
            if cursor is None:
                return

    return islice(rows(), limit)


def by_page(
    page_of: Callable[[int, int], tuple[Sequence[Row], bool]],
    key_of: Callable[[Row], Hashable],
    page_size: int,
    limit: int | None = None,
) -> Iterator[Row]:
    """Yield the rows of all pages of a list that has numbered pages, each once.

    page_of: returns the page of this number and size, and whether it is the last one.
    """

    def rows() -> Iterator[Row]:
        size = _at_most(page_size, limit)
        for number in count(1):
            found, is_last = page_of(number, size)
            yield from found
            if is_last:
                return

    return islice(_once(rows(), key_of), limit)


def _once(rows: Iterator[Row], key_of: Callable[[Row], Hashable]) -> Iterator[Row]:
    """Yield each row once: a list that grows at its head shows the last rows of a page again on the next."""
    seen: set[Hashable] = set()
    for row in rows:
        if (key := key_of(row)) not in seen:
            seen.add(key)
            yield row


def _at_most(page_size: int, limit: int | None) -> int:
    return page_size if limit is None else max(1, min(page_size, limit))
