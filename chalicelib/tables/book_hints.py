"""Hints about books: what rows read earlier say about the keys of rows to be read next.

A hint may be out of date, so it only names rows to read ahead (``read_ahead``). It never stands in for a row.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chalicelib.support.bounded_cache import BoundedCache
from chalicelib.tables import books

HINTS_MAX = 10_000
"""Maximum number of hints of each kind in a process."""


class BookHints:
    def __init__(self) -> None:
        self._assets: BoundedCache[str, tuple[str, str]] = BoundedCache(HINTS_MAX)
        self._named: BoundedCache[tuple[str, str], str] = BoundedCache(HINTS_MAX)

    def learn(self, table: str, row: Mapping[str, Any]) -> None:
        """Remember what a row says. Any row will do."""
        if table != books.TABLE:
            return
        book, part = row["book"], row["part"]
        if "base_asset" in row and "quote_asset" in row:
            self._assets.set(book, (row["base_asset"], row["quote_asset"]))
        elif "held_by" in row:
            self._named.set((book, part), row["held_by"])

    def assets_of(self, book: str) -> tuple[str, ...]:
        """Return the base and the quote asset of a book; nothing if they are not known."""
        return self._assets.get(book) or ()

    def book_of_symbol(self, instance: str, symbol: str) -> str | None:
        """Return the id of the book that had this symbol last, in any letter case."""
        return self._named.get((instance, books.symbol_part(symbol)))
