"""Books (table ``books``): each one's configuration, and the depth view that the matcher keeps beside it."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from typing import Any

from chalicelib.core.config import BookConfig, SettlementMode
from chalicelib.core.vocabulary import BookStatus, SelfTradePrevention
from chalicelib.stores.dynamodb import ConditionFailed, Database, Put, Row, Update
from chalicelib.stores.keys import book_key

TABLE = "books"
DEPTH_LEVELS_MAX = 100
"""Published price levels of each side (T38)."""


class BookExists(Exception):
    """There is a book with this id already, or an open one for the pair or the symbol (T31)."""


@dataclass(frozen=True, slots=True)
class Depth:
    """A book's best price levels as (price, open quantity), best first, as of a journal entry's sequence."""

    sequence: int = 0
    bids: tuple[tuple[int, int], ...] = ()
    asks: tuple[tuple[int, int], ...] = ()


class Books:
    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, config: BookConfig) -> None:
        """Store a new book. Raises BookExists (T31).

        The pair and the symbol are looked up before, not locked: books are made by an operator, one at a time.
        """
        for other in self.of_instance(config.instance):
            is_open = other.status is not BookStatus.CLOSED and other.settlement_mode is config.settlement_mode
            same_pair = (other.base_asset, other.quote_asset) == (config.base_asset, config.quote_asset)
            if is_open and (same_pair or other.symbol.casefold() == config.symbol.casefold()):
                raise BookExists(f"{other.book_id} has this pair or symbol")
        row = {"book": book_key(config.instance, config.book_id), "part": "config"} | asdict(config)
        book_not_exists = "attribute_not_exists(#part)"
        try:
            self._database.write(Put(TABLE, row, book_not_exists))
        except ConditionFailed as error:
            raise BookExists(config.book_id) from error

    def config(self, book: str) -> BookConfig | None:
        row = self._database.get(TABLE, {"book": book, "part": "config"})
        return _config_of(row) if row else None

    def change_status(self, book: str, status: BookStatus, sequence: int) -> None:
        """Show the status that journal entry ``sequence`` gave the book.

        Refused when a later entry's status stands there: another run projected it. That is no fault.
        """
        book_exists, older = "attribute_exists(#part)", "(attribute_not_exists(#sequence) OR #sequence < :sequence)"
        update = Update(
            TABLE,
            {"book": book, "part": "config"},
            "SET #status = :status, #sequence = :sequence",
            f"{book_exists} AND {older}",
            {":status": status.value, ":sequence": sequence},
        )
        try:
            self._database.write(update)
        except ConditionFailed:
            return

    def status_sequence(self, book: str) -> int:
        """Return the journal entry that gave the book the status shown; 0: none did, it is as the book was made."""
        row = self._database.get(TABLE, {"book": book, "part": "config"})
        return 0 if row is None else row.get("sequence", 0)

    def all_keys(self) -> Iterator[str]:
        """Yield the key of every book of every instance. Reads the whole table; for operators."""
        return (row["book"] for row in self._database.scan(TABLE) if row["part"] == "config")

    def of_instance(self, instance: str) -> Iterator[BookConfig]:
        """Yield the configurations of an instance's books. Reads the whole table; for operators."""
        for row in self._database.scan(TABLE):
            if row["part"] == "config" and row["instance"] == instance:
                yield _config_of(row)

    def depth(self, book: str) -> Depth:
        """Return the depth view; an empty one of sequence 0 before the book's first command."""
        row = self._database.get(TABLE, {"book": book, "part": "depth"})
        if row is None:
            return Depth()
        levels = json.loads(zlib.decompress(row["levels"]))
        bids, asks = (tuple((int(price), int(size)) for price, size in levels[side]) for side in ("bids", "asks"))
        return Depth(row["sequence"], bids, asks)

    def publish_depth(self, book: str, depth: Depth) -> None:
        """Replace the depth view, and with it say that every entry up to its sequence is projected.

        Refused when a view as new stands there: another matcher has projected as far. That is no fault.
        """
        levels = {"bids": [*map(_texts, depth.bids)], "asks": [*map(_texts, depth.asks)]}
        row = {
            "book": book,
            "part": "depth",
            "sequence": depth.sequence,
            "levels": zlib.compress(json.dumps(levels, separators=(",", ":")).encode()),
        }
        no_view_yet, view_is_older = "attribute_not_exists(#part)", "#sequence < :sequence"
        condition = f"{no_view_yet} OR {view_is_older}"
        try:
            self._database.write(Put(TABLE, row, condition, {":sequence": depth.sequence}))
        except ConditionFailed:
            return


def _texts(level: tuple[int, int]) -> tuple[str, str]:
    return str(level[0]), str(level[1])


def _config_of(row: Row) -> BookConfig:
    values: dict[str, Any] = {field.name: row.get(field.name) for field in fields(BookConfig)}
    values["status"] = BookStatus(row["status"])
    values["settlement_mode"] = SettlementMode(row["settlement_mode"])
    values["self_trade_prevention"] = SelfTradePrevention(row["self_trade_prevention"])
    return BookConfig(**values)
