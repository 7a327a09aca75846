"""Query parameters of lists: read one by one in the order of their table, so the first faulty one is answered (R10).

One value each, an empty one as if it were not there; one given twice is faulty. Lists come as one value with commas,
as a parameter given several times, with brackets, or mixed (R19).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from chalicelib.apis.trade import ids
from chalicelib.apis.trade.cursor import PAGE_MAX, NotACursor, cursor_of
from chalicelib.apis.trade.envelope import invalid
from chalicelib.apis.trade.paging import PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX, Paging
from chalicelib.apis.trade.window import FaultyEnd, Window, window_of
from chalicelib.support.ids import TIME_MS_MAX

_INTEGER = re.compile(r"[0-9]{1,9}")


class Query:
    """The parameters of one request. Every method raises Fault where the parameter is faulty."""

    def __init__(self, query: Mapping[str, list[str]]) -> None:
        self._query = query

    def text(self, name: str) -> str | None:
        values = self._query.get(name, [])
        if len(values) > 1:
            raise invalid(name)
        return values[0] if values and values[0] else None

    def required(self, name: str) -> str:
        value = self.text(name)
        if value is None:
            raise invalid(name)
        return value

    def items(self, name: str) -> list[str]:
        """Return a list's items, each once."""
        is_of_list = re.compile(re.escape(name) + r"(\[[0-9]*\])?")
        values = [value for key, sent in self._query.items() if is_of_list.fullmatch(key) for value in sent]
        items = (item.strip() for value in values for item in value.split(","))
        return list(dict.fromkeys(filter(None, items)))

    def word(self, name: str, words: frozenset[str]) -> str | None:
        """Return the parameter that must be one of these words, in exactly their letters (R20)."""
        value = self.text(name)
        if value is not None and value not in words:
            raise invalid(name)
        return value

    def words(self, name: str, words: frozenset[str]) -> frozenset[str]:
        """Return the items of a list of such words."""
        items = frozenset(self.items(name))
        if not items <= words:
            raise invalid(name)
        return items

    def integer(self, name: str, default: int, most: int) -> int:
        """Return an integer from 1 on."""
        value = self.text(name)
        if value is None:
            return default
        if not _INTEGER.fullmatch(value) or not 1 <= int(value) <= most:
            raise invalid(name)
        return int(value)

    def order_id(self, name: str) -> str | None:
        """Return the id of an order, as it is inside (R16)."""
        value = self.text(name)
        return None if value is None else order_id_of(value, name)

    def window(self, start: str, end: str, now_ms: int) -> Window:
        """Return the span of time that the two parameters name (R17).

        Where no end is given it is open above, not at ``now_ms``: what another host's clock dated a moment ahead is
        there as soon as it was answered (R21).
        """
        since, until = self.text(start), self.text(end)
        try:
            window = window_of(since, until, now_ms, (start, end))
        except FaultyEnd as error:
            raise invalid(error.name) from error
        return window if until is not None else Window(window.from_ms, TIME_MS_MAX)

    def paging(self, *, has_pages: bool = True) -> Paging:
        """Return which page is wanted (R18). has_pages: whether the list has page numbers."""
        size = self.integer("page_size", PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX)
        current_page = self.integer("current_page", 1, PAGE_MAX) if has_pages else 1
        text = self.text("c")
        try:
            return Paging(size, current_page, None if text is None else cursor_of(text))
        except NotACursor as error:
            raise invalid("c") from error


def order_id_of(shown_id: str, name: str) -> str:
    """Return the internal id of an order that is named so. Raises Fault where that is no id."""
    try:
        return ids.internal(shown_id, "ord")
    except ids.NotAnId as error:
        raise invalid(name) from error
