"""Hints about books: what rows read earlier say about the keys of rows to be read next.

A hint may be out of date, so it only names rows to read ahead (``read_ahead``). It never stands in for a row.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chalicelib.support.bounded_cache import BoundedCache
from chalicelib.tables import book_rows, settings_rows

HINTS_MAX = 10_000
"""Maximum number of hints of each kind in a process."""
RECENT_MAX = 8
"""Books of an owner that are remembered."""


class BookHints:
    def __init__(self) -> None:
        self._assets: BoundedCache[str, tuple[str, str]] = BoundedCache(HINTS_MAX)
        self._named: BoundedCache[tuple[str, str], str] = BoundedCache(HINTS_MAX)
        self._recent: BoundedCache[str, tuple[str, ...]] = BoundedCache(HINTS_MAX)
        self._frozen: BoundedCache[str, int] = BoundedCache(HINTS_MAX)

    def learn(self, table: str, row: Mapping[str, Any]) -> None:
        """Remember what a row says. Any row will do."""
        if table == book_rows.TABLE and "base_asset" in row and "quote_asset" in row:
            self._assets.set(row["book"], (row["base_asset"], row["quote_asset"]))
        elif table == book_rows.TABLE and "held_by" in row:
            self._named.set((row["book"], row["part"]), row["held_by"])
        elif table == settings_rows.TABLE and "services" in row:
            self._frozen.set(row["instance"], row.get("frozen", 0))
        elif "book_id" in row and "owner" in row:  # an order, a fill
            self.note_order(row["owner"], row["book_id"])

    def note_order(self, owner: str, book_id: str) -> None:
        """Remember that an owner has to do with a book."""
        recent = self.recent_books_of(owner)
        if book_id not in recent[:1]:
            self._recent.set(owner, (book_id, *(other for other in recent if other != book_id))[:RECENT_MAX])

    def recent_books_of(self, owner: str) -> tuple[str, ...]:
        """Return the ids of the books that an owner had to do with last, the last one first."""
        return self._recent.get(owner) or ()

    def has_frozen(self, instance: str) -> bool:
        """Return whether the instance had frozen customers when its row was read last (T96)."""
        return bool(self._frozen.get(instance))

    def assets_of(self, book: str) -> tuple[str, ...]:
        """Return the base and the quote asset of a book; nothing if they are not known."""
        return self._assets.get(book) or ()

    def book_of_symbol(self, instance: str, symbol: str) -> str | None:
        """Return the id of the book that had this symbol last, in any letter case."""
        return self._named.get((instance, book_rows.symbol_part(symbol)))
