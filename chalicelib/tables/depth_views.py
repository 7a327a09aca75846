"""Depth views of books (table ``books``): the best levels of each, as the matcher publishes them.

A view is written once for all entries that are committed together. It also holds the last price and the open candles,
so these cost no write of their own, and the view's sequence makes sure that each entry is counted once.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from chalicelib.domain.books.candles import Market, market_of
from chalicelib.tables.book_rows import TABLE
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.read_ahead import RowAt, row_at
from chalicelib.tables.rows import Row
from chalicelib.tables.writes import ConditionFailed, Delete, Put

DEPTH_LEVELS_MAX = 100
"""Number of price levels published for each side (T38)."""


class MalformedView(ValueError):
    """A depth view that this program cannot have written."""


@dataclass(frozen=True, slots=True)
class Depth:
    """A book's best price levels as (price, open quantity), best first, as of a journal entry's sequence.

    version: of the book's terms at that entry. market: last price and open candles as of that entry. halted_until_ms:
    when the book's halt ends, Unix ms; None: no halt (O12).
    """

    sequence: int = 0
    version: int = 0
    bids: tuple[tuple[int, int], ...] = ()
    asks: tuple[tuple[int, int], ...] = ()
    market: Market = field(default_factory=Market)
    halted_until_ms: int | None = None


class DepthViews:
    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, book: str) -> Depth:
        """Return the depth view; before the book's first command an empty one with sequence 0. Raises MalformedView."""
        row = self._database.get(TABLE, _depth_key(book))
        return Depth() if row is None else _depth_of(row)

    def of_each(self, books: Iterable[str]) -> dict[str, Depth]:
        """Return the depth views of these books, with one call for each 100. Raises MalformedView."""
        found = {book: Depth() for book in books}
        rows = self._database.get_many(TABLE, [_depth_key(book) for book in found])
        return found | {row["book"]: _depth_of(row) for row in rows}

    def halts(self, books: Iterable[str]) -> dict[str, int]:
        """Return when the halts of these books end, Unix ms; without those whose depth view shows no halt (O12)."""
        rows = self._database.get_many(TABLE, [_depth_key(book) for book in books])
        return {row["book"]: row["halted_until_ms"] for row in rows if "halted_until_ms" in row}

    def drop_malformed(self, book: str) -> None:
        """Remove an unreadable depth view: the next load projects the whole journal again and republishes it.

        That changes no account, because marks are never dropped (T54).
        """
        row = self._database.get(TABLE, _depth_key(book))
        if row is None:
            return
        try:
            _depth_of(row)
        except MalformedView:
            if "sequence" in row:
                removal = Delete(TABLE, _depth_key(book), "#sequence = :sequence", {":sequence": row["sequence"]})
            else:
                removal = Delete(TABLE, _depth_key(book), "attribute_not_exists(#sequence)")
            try:
                self._database.write(removal)
            except ConditionFailed:
                return  # a matcher with the book in memory has published a newer one

    def publish(self, book: str, depth: Depth) -> None:
        """Replace the depth view. Its sequence also says that every entry up to it is projected.

        Refused, which is no error, if a newer view exists: another matcher has projected further. The view of a
        sequence is always the same, so rewriting it is safe, for example to repair it.
        """
        levels = {
            "bids": [*map(_texts, depth.bids)],
            "asks": [*map(_texts, depth.asks)],
            "market": depth.market.as_data(),
        }
        row: Row = {
            **_depth_key(book),
            "sequence": depth.sequence,
            "version": depth.version,
            "levels": zlib.compress(json.dumps(levels, separators=(",", ":")).encode()),
        }
        if depth.halted_until_ms is not None:
            row["halted_until_ms"] = depth.halted_until_ms
        no_view_yet, view_is_no_newer = "attribute_not_exists(#part)", "#sequence <= :sequence"
        condition = f"{no_view_yet} OR {view_is_no_newer}"
        try:
            self._database.write(Put(TABLE, row, condition, {":sequence": depth.sequence}))
        except ConditionFailed:
            return


def depth_at(book: str) -> RowAt:
    return row_at(TABLE, _depth_key(book))


def _depth_key(book: str) -> Row:
    return {"book": book, "part": "depth"}


def _depth_of(row: Row) -> Depth:
    try:
        levels = json.loads(zlib.decompress(row["levels"]))
        bids, asks = (tuple((int(price), int(size)) for price, size in levels[side]) for side in ("bids", "asks"))
        sequence, version = row["sequence"], row["version"]
        if not isinstance(sequence, int) or not isinstance(version, int):
            raise TypeError("sequence and version are integers")
        market = market_of(sequence, levels["market"])
    except (KeyError, ValueError, TypeError, AttributeError, zlib.error) as error:
        raise MalformedView(f"{row['book']}: {error!r}; 'tallybook rebuild' writes its depth view anew") from error
    return Depth(sequence, version, bids, asks, market, row.get("halted_until_ms"))


def _texts(level: tuple[int, int]) -> tuple[str, str]:
    return str(level[0]), str(level[1])
