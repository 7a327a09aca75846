"""Query parameters of lists, read in the order of their table, so the first faulty one is answered (R10).

A parameter has one value; an empty value counts as absent; a repeated parameter is faulty. Lists are one value with
commas, a repeated parameter, a parameter with brackets, or a mix (R19).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from chalicelib.apis.kit.http import BadPercentEncoding, HttpRequest, percent_decoded
from chalicelib.apis.kit.times import MS, QUERY_TIME, moment_of
from chalicelib.apis.trade import ids
from chalicelib.apis.trade.cursor import PAGE_MAX, NotACursor, cursor_of
from chalicelib.apis.trade.envelope import invalid
from chalicelib.apis.trade.paging import PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX, Paging
from chalicelib.apis.trade.window import FaultyEnd, Window, window_of
from chalicelib.support.ids import TIME_MS_MAX

_INTEGER = re.compile(r"[0-9]{1,9}")


class Query:
    """The parameters of one request. Every method raises Fault for a faulty parameter."""

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
        """Return the items of a list without repeats."""
        is_of_list = re.compile(re.escape(name) + r"(\[[0-9]*\])?")
        values = [value for key, sent in self._query.items() if is_of_list.fullmatch(key) for value in sent]
        items = (item.strip() for value in values for item in value.split(","))
        return list(dict.fromkeys(filter(None, items)))

    def word(self, name: str, words: frozenset[str]) -> str | None:
        """Return a parameter that must be one of these words, case-sensitive (R20)."""
        value = self.text(name)
        if value is not None and value not in words:
            raise invalid(name)
        return value

    def words(self, name: str, words: frozenset[str]) -> frozenset[str]:
        """Return a list of such words."""
        items = frozenset(self.items(name))
        if not items <= words:
            raise invalid(name)
        return items

    def integer(self, name: str, default: int, most: int) -> int:
        """Return an integer from 1 to ``most``."""
        value = self.text(name)
        if value is None:
            return default
        if not _INTEGER.fullmatch(value) or not 1 <= int(value) <= most:
            raise invalid(name)
        return int(value)

    def order_id(self, name: str) -> str | None:
        """Return the internal id of an order (R16)."""
        value = self.text(name)
        return None if value is None else order_id_of(value, name)

    def window(self, start: str, end: str, now_ms: int) -> Window:
        """Return the span of time of two parameters (R17).

        Without an end it is unbounded, not bounded by ``now_ms``: rows dated ahead by another host's clock are included
        (R21).
        """
        since, until = self.text(start), self.text(end)
        try:
            window = window_of(since, until, now_ms, (start, end))
        except FaultyEnd as error:
            raise invalid(error.name) from error
        return window if until is not None else Window(window.from_ms, TIME_MS_MAX)

    def moment(self, name: str) -> int | None:
        """Return a time (R17) in Unix ms; the first one of a date."""
        value = self.text(name)
        try:
            return None if value is None else moment_of(value, QUERY_TIME).floor(MS)
        except ValueError as error:
            raise invalid(name) from error

    def paging(self, *, has_pages: bool = True, has_cursors: bool = True) -> Paging:
        """Return the requested page (R18). has_pages, has_cursors: whether the list has page numbers, cursors."""
        size = self.integer("page_size", PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX)
        current_page = self.integer("current_page", 1, PAGE_MAX) if has_pages else 1
        text = self.text("c") if has_cursors else None
        try:
            return Paging(size, current_page, None if text is None else cursor_of(text))
        except NotACursor as error:
            raise invalid("c") from error


def in_path(request: HttpRequest, name: str) -> str:
    """Return a decoded parameter of the path. Raises Fault for bad percent-encoding."""
    try:
        return percent_decoded(request.path_parameters[name])
    except BadPercentEncoding as error:
        raise invalid(name) from error


def order_id_of(shown_id: str, name: str) -> str:
    """Return the internal id of an order. name: the parameter. Raises Fault for a malformed id."""
    try:
        return ids.internal(shown_id, "ord")
    except ids.NotAnId as error:
        raise invalid(name) from error
