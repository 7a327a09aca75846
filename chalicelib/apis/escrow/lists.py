"""Lists: match, sort, count and page their rows (E6 to E10, E34). Pure. ``list_query`` has their parameters.

Rows come sorted by id, which is by creation time. A list in this order without filters reads only up to the end of the
page; every other list reads all rows of its kind, because totals are exact.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import takewhile
from typing import Generic, TypeVar

from chalicelib.apis.escrow.list_query import ID, METADATA, Asked, Listing, Match
from chalicelib.apis.kit.page_bytes import Packed, packed
from chalicelib.domain.escrow.order import Json
from chalicelib.services.escrow.reading import Source
from chalicelib.support.canonical import exact
from chalicelib.support.consistency import Inconsistent

T = TypeVar("T")

ROWS_AT_ONCE_MAX = 1000
"""Bound of the rows of a read; DynamoDB ends a read at 1 MiB anyway."""
ROWS_OF_A_PAGE_MIN = 3
"""Rows that always fit into a page's bytes (E34)."""
ROWS_BETWEEN_DATES = 100
"""Rows of a read between dates, where the number of matching rows is unknown."""
_INTEGER = re.compile(r"[0-9]{1,15}")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A page. before: number of rows on earlier pages. total: on all pages.

    pages: the number of pages with rows; None if it follows from the total.
    """

    asked: Asked
    rows: Sequence[T]
    before: int
    total: int
    pages: int | None = None

    @property
    def last_page(self) -> int:
        """The number of the last page, if none after this one is cut short (E34)."""
        if self.rows:
            left = max(0, self.total - self.before - len(self.rows))
            return self.asked.page + -(-left // self.asked.per_page)
        return max(1, -(-self.total // self.asked.per_page) if self.pages is None else self.pages)

    def body(self, data: Sequence[Mapping[str, Json]]) -> dict[str, object]:
        """Return the answer (E10). data: the rows as JSON objects."""
        asked, first = self.asked, self.before + 1
        return {
            "current_page": asked.page,
            "last_page": self.last_page,
            "per_page": asked.per_page,
            "total": self.total,
            "from": first if self.rows else None,
            "to": first + len(self.rows) - 1 if self.rows else None,
            "data": list(data),
        }


def page_by_id(listing: Listing[T], asked: Asked, rows: Iterator[T], total: int | None) -> Page[T]:
    """Return a page of rows in the requested direction, reading only as far as needed.

    total: of all rows, if there are no dates; None: count the rows within the dates.
    """
    if total is not None:
        if asked.page > -(-total // min(asked.per_page, ROWS_OF_A_PAGE_MIN)):
            return Page(asked, [], total, total)
        return _page(asked, packed(rows, asked.page, asked.per_page, listing.weight), total)
    in_time = _InTime(listing, asked, rows)
    page = packed(in_time, asked.page, asked.per_page, listing.weight)
    for _ in in_time:
        pass
    return _page(asked, page, in_time.count)


class _InTime(Iterator[T]):
    """Iterates over the rows within the dates, and counts them."""

    def __init__(self, listing: Listing[T], asked: Asked, rows: Iterator[T]) -> None:
        self._created_at_s, self._asked = listing.created_at_s, asked
        self._rows = takewhile(lambda row: not asked.is_beyond(listing.created_at_s(row)), rows)
        self.count = 0

    def __next__(self) -> T:
        row = next(row for row in self._rows if self._asked.is_in_time(self._created_at_s(row)))
        self.count += 1
        return row


def page_of(listing: Listing[T], asked: Asked, rows: Iterable[T]) -> Page[T]:
    """Return a page of the matching rows, sorted as requested."""
    found = [row for row in rows if asked.is_in_time(listing.created_at_s(row)) and matches(listing, asked, row)]
    found = sorted_as_asked(listing, asked, found)
    return _page(asked, packed(found, asked.page, asked.per_page, listing.weight), len(found))


def _page(asked: Asked, page: Packed[T], total: int) -> Page[T]:
    return Page(asked, page.rows, page.before, total, page.pages)


def sorted_as_asked(listing: Listing[T], asked: Asked, rows: Iterable[T]) -> list[T]:
    key, is_descending = listing.sorts[asked.order], not asked.is_ascending
    by_id = sorted(rows, key=listing.row_id, reverse=is_descending)
    having = sorted((row for row in by_id if key(row) is not None), key=key, reverse=is_descending)
    return having + [row for row in by_id if key(row) is None]


def matches(listing: Listing[T], asked: Asked, row: T) -> bool:
    """Tell whether a row matches the search; without a search every row does."""
    if asked.search is None or asked.query is None:
        return True
    searched = listing.searches.get(asked.search)
    if searched is None:
        if listing.metadata is None:
            raise Inconsistent("a field that cannot be searched is refused")
        value = listing.metadata(row).get(asked.search.removeprefix(METADATA))
        return _contains(_metadata_text(value), asked.query)
    return any(_is_match(searched.match, value, asked.query) for value in searched.values(row))


def id_searched_for(asked: Asked) -> int | None:
    """Return the id of a search by id; None for other requests; 0 if the query is no id."""
    if asked.search != ID or asked.query is None:
        return None
    return int(asked.query) if _INTEGER.fullmatch(asked.query) else 0


def only_by_id(asked: Asked) -> bool:
    """Tell whether the list is sorted by id without a search. It may have dates."""
    return asked.is_by_id and asked.search is None


def _is_match(match: Match, value: str | int | None, query: str) -> bool:
    if value is None:
        return False
    if match is Match.INTEGER:
        return bool(_INTEGER.fullmatch(query)) and int(query) == value
    if match is Match.STATUS:
        return value == query.upper()
    return _contains(str(value), query)


def _contains(value: str | None, query: str) -> bool:
    return value is not None and query.casefold() in value.casefold()


def _metadata_text(value: Json) -> str | None:
    """Return the searched text of a metadata member: its JSON without quotes; None for null and nested values."""
    if isinstance(value, str):
        return value
    return exact(value) if isinstance(value, bool | int | Decimal) else None


def page_from(source: Source[T], listing: Listing[T], asked: Asked, keep: Callable[[T], bool] | None = None) -> Page[T]:
    """Return the requested page, read as cheaply as possible. keep: a further filter of rows."""
    number = id_searched_for(asked)
    if number is not None:
        found = source.one(number)
        return page_of(listing, asked, [] if found is None else _kept([found], keep))
    if keep is not None or not only_by_id(asked):
        return page_of(listing, asked, _kept(source.rows(True, ROWS_AT_ONCE_MAX), keep))
    newest_first, has_dates = not asked.is_ascending, (asked.from_s, asked.before_s) != (None, None)
    needed = ROWS_BETWEEN_DATES if has_dates else min(asked.skipped + asked.per_page, ROWS_AT_ONCE_MAX)
    return page_by_id(listing, asked, source.rows(newest_first, needed), None if has_dates else source.count())


def _kept(rows: Iterable[T], keep: Callable[[T], bool] | None) -> Iterable[T]:
    return rows if keep is None else filter(keep, rows)
