"""Books (table ``books``): each one's configuration, and the depth view that the matcher keeps beside it.

The depth view is written once for all entries that are committed together. It also holds the book's last price and
the candles that are not over: so they cost no write of their own, and count each entry once, by the view's sequence.

On the row of the configuration stands besides how often the book's batches have failed, and since when it is parked
(T53)::

    counted --note_failure: one more--> counted --note_failure: one too many--> parked --release--> (nothing)
       +------forget_failures: the batch got through------> (nothing)

Each step is written on condition that the row is as it was read. Parked books are listed under a key of their own, put
and removed with the mark in one transaction.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from typing import Any

from chalicelib.domain.books.candles import Market, market_of
from chalicelib.domain.books.config import BookConfig, SettlementMode, TokenType
from chalicelib.domain.books.forms import decode_terms, encode_terms
from chalicelib.domain.books.vocabulary import BookStatus, SelfTradePrevention
from chalicelib.domain.ledger.owners import book_key
from chalicelib.support.ascii_case import ascii_lower
from chalicelib.support.outcomes import ReceiptExists
from chalicelib.tables.dynamodb import (
    ConditionFailed,
    Database,
    Delete,
    Put,
    Row,
    TransactionRefused,
    Update,
    Write,
    as_refused,
)

TABLE = "books"
LISTED = "book/"
"""Beginning of the sort key of the rows by which an instance's books are found, under the instance's key."""
PARKED = "parked"
"""Key of the rows that list the parked books, each under its own key."""
DEPTH_LEVELS_MAX = 100
"""Published price levels of each side (T38)."""


class MalformedView(ValueError):
    """A depth view that the program cannot have written."""


class MalformedConfig(ValueError):
    """A book's row that the program cannot have written."""


class BookExists(Exception):
    """There is a book with this id already, or an open one for the pair or the symbol (T31)."""


@dataclass(frozen=True, slots=True)
class Depth:
    """A book's best price levels as (price, open quantity), best first, as of a journal entry's sequence.

    version: that of the terms that the book had come to by then. market: its last price and the candles that are not
    over, as of the same entry; None where an earlier version of the program has written the view.
    """

    sequence: int = 0
    version: int = 0
    bids: tuple[tuple[int, int], ...] = ()
    asks: tuple[tuple[int, int], ...] = ()
    market: Market | None = None


@dataclass(frozen=True, slots=True)
class Trouble:
    """What of a book's batches has failed by a fault of its own (T53).

    failed_batches: how many, since one that had failed got through. Of the last one: when it failed, its first command,
    and what it failed by. parked_at_ms: since when the book is parked; None: it is not.
    """

    failed_batches: int = 0
    failed_at_ms: int = 0
    command: str | None = None
    reason: str | None = None
    parked_at_ms: int | None = None


NO_TROUBLE = Trouble()


class Books:
    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, config: BookConfig, receipt: Write | None = None) -> None:
        """Store a new book, list it under its instance and take its pair and symbol (T31).

        Raises BookExists, or ReceiptExists where the caller's own write, done with it, is refused; nothing is changed.
        """
        listed = {"book": config.instance, "part": f"{LISTED}{config.book_id}"}
        book_not_exists = "attribute_not_exists(#part)"
        writes: list[Write] = [Put(TABLE, _row_of(config), book_not_exists), Put(TABLE, listed, book_not_exists)]
        if _takes_names(config):
            name_is_free = "attribute_not_exists(#held_by)"
            values = {":book_id": config.book_id}
            for name in _names_of(config):
                writes.append(Update(TABLE, name, "SET #held_by = :book_id", name_is_free, values))
        if receipt is not None:
            writes.append(receipt)
        try:
            self._database.transact(writes, lambda: self._is_created(config))
        except TransactionRefused as error:
            if receipt is not None and len(writes) - 1 in error.refused:
                raise ReceiptExists(config.book_id) from error
            others = {row["held_by"] for row in error.refused.values() if row and "held_by" in row}
            raise BookExists(", ".join([config.book_id, *sorted(others)])) from error

    def _is_created(self, config: BookConfig) -> bool | None:
        found = self.config(book_key(config.instance, config.book_id))
        if found is not None and found.created_at_ms == config.created_at_ms:
            return True if found == config else None
        return False

    def config(self, book: str) -> BookConfig | None:
        """Return a book's configuration, or None. Raises MalformedConfig."""
        found = self.with_trouble(book)
        return None if found is None else found[0]

    def with_trouble(self, book: str) -> tuple[BookConfig, Trouble] | None:
        """Return a book's configuration, and what of it has failed; None where there is no such book.

        Raises MalformedConfig.
        """
        try:
            row = self._database.get(TABLE, _config_key(book))
            return None if row is None else (_config_of(row), _trouble_of(row))
        except (KeyError, ValueError, TypeError) as error:
            raise MalformedConfig(f"the configuration of {book} cannot be read: {error!r}") from error

    def trouble(self, book: str) -> Trouble | None:
        """Return what of a book has failed, its configuration unread; None where there is no such book."""
        condition, values = "#book = :book AND #part = :config", {":book": book, ":config": "config"}
        wanted = ", ".join(f"#{name}" for name in ("part", *TROUBLE_ATTRIBUTES))
        rows = self._database.query(TABLE, condition, values, ProjectionExpression=wanted)
        return next(map(_trouble_of, rows), None)

    def note_failure(self, book: str, before: Trouble, after: Trouble) -> None:
        """Write down that one more batch has failed, and that the book is parked where ``after`` says so (T53).

        Raises ConditionFailed or TransactionRefused where the row is not as ``before`` any more, or gone.
        """
        failures_as_read = "attribute_not_exists(#failed_batches)"
        values: Row = {
            ":failed_batches": after.failed_batches,
            ":failed_at": after.failed_at_ms,
            ":command": after.command,
            ":reason": after.reason,
        }
        if before.failed_batches:
            failures_as_read = "#failed_batches = :batches_as_read AND #failed_at_ms = :failed_at_as_read"
            values |= {":batches_as_read": before.failed_batches, ":failed_at_as_read": before.failed_at_ms}
        not_parked = "attribute_not_exists(#parked_at_ms)"
        condition = f"attribute_exists(#part) AND {failures_as_read} AND {not_parked}"
        changes = "SET #failed_batches = :failed_batches, #failed_at_ms = :failed_at, "
        changes += "#failed_command = :command, #failure = :reason"
        if after.parked_at_ms is None:
            noted = Update(TABLE, _config_key(book), changes, condition, values)
            self._database.write(noted, lambda row: row is not None and _trouble_of(row) == after)
            return
        values[":at"] = after.parked_at_ms
        mark = Update(TABLE, _config_key(book), f"{changes}, #parked_at_ms = :at", condition, values)
        self._database.transact([mark, Put(TABLE, _parked_key(book))], lambda: self._has_trouble(book, after))

    def _has_trouble(self, book: str, trouble: Trouble) -> bool:
        return self.trouble(book) == trouble

    def forget_failures(self, book: str, before: Trouble) -> None:
        """Count from nothing again: what failed last got through. No fault where somebody has counted on meanwhile."""
        as_read = "#failed_batches = :failed_batches AND #failed_command = :command"
        not_parked = "attribute_not_exists(#parked_at_ms)"
        values = {":failed_batches": before.failed_batches, ":command": before.command}
        try:
            changes = "REMOVE #failed_batches, #failed_at_ms, #failed_command, #failure"
            forgotten = Update(TABLE, _config_key(book), changes, f"{as_read} AND {not_parked}", values)
            self._database.write(forgotten, as_refused)
        except ConditionFailed:
            return

    def release(self, book: str, before: Trouble) -> None:
        """Let a parked book match again, nothing counted. No fault where it was released, or parked anew, meanwhile."""
        parked_as_read = "#parked_at_ms = :at"
        changes = "REMOVE #failed_batches, #failed_at_ms, #failed_command, #failure, #parked_at_ms"
        mark = Update(TABLE, _config_key(book), changes, parked_as_read, {":at": before.parked_at_ms})
        try:
            writes: list[Write] = [mark, Delete(TABLE, _parked_key(book))]
            self._database.transact(writes, lambda: self._has_trouble(book, NO_TROUBLE))
        except TransactionRefused:
            return

    def parked(self) -> list[str]:
        """Return the keys of all parked books of all instances, in order. Costs what it returns."""
        return [row["part"] for row in self._database.query(TABLE, "#book = :parked", {":parked": PARKED})]

    def of_symbol(self, instance: str, symbol: str) -> BookConfig | None:
        """Return the book that has this symbol, whatever its case; None where no book has it that is not closed."""
        name = self._database.get(TABLE, {"book": instance, "part": _symbol_part(symbol)})
        book_id = None if name is None else name.get("held_by")
        return None if book_id is None else self.config(book_key(instance, book_id))

    def change(self, before: BookConfig, after: BookConfig) -> list[Write]:
        """Return the writes that give a book other settings, one version on; a closed one gives its names back (T31).

        The first is refused when the book is not as ``before`` any more; the others when a name is another book's,
        which cannot be while this book is not closed. What is counted of its failures stays.
        """
        as_before = "#version = :version_before"
        settings = _settings_of(after)
        changes = "SET " + ", ".join(f"#{name} = :{name}" for name in settings)
        values: Row = {f":{name}": value for name, value in settings.items()} | {":version_before": before.version}
        key = _config_key(book_key(after.instance, after.book_id))
        writes: list[Write] = [Update(TABLE, key, changes, as_before, values)]
        if _takes_names(before) and not _takes_names(after):
            name_is_this_books = "#held_by = :book_id"
            values = {":book_id": after.book_id}
            writes += [Update(TABLE, name, "REMOVE #held_by", name_is_this_books, values) for name in _names_of(after)]
        return writes

    def all_keys(self) -> Iterator[str]:
        """Yield the key of every book of every instance. Reads the whole table; for operators."""
        return (row["book"] for row in self._database.scan(TABLE) if row["part"] == "config")

    def naming_rows(self) -> Iterator[Row]:
        """Yield every configuration as it is stored, and every row that names a book. Reads the whole table."""
        return (row for row in self._database.scan(TABLE) if row["part"] == "config" or "/" not in row["book"])

    def of_instance(self, instance: str) -> list[BookConfig]:
        """Return the configurations of an instance's books, newest first, ties by id. Costs what it returns."""
        values = {":instance": instance, ":listed": LISTED}
        condition = "#book = :instance AND begins_with(#part, :listed)"
        ids = [row["part"].removeprefix(LISTED) for row in self._database.query(TABLE, condition, values)]
        keys = [{"book": book_key(instance, book_id), "part": "config"} for book_id in ids]
        found = map(_config_of, self._database.get_many(TABLE, keys))
        return sorted(found, key=lambda config: (config.created_at_ms, config.book_id), reverse=True)

    def depth(self, book: str) -> Depth:
        """Return the depth view; an empty one of sequence 0 before the book's first command. Raises MalformedView."""
        row = self._database.get(TABLE, _depth_key(book))
        return Depth(market=Market()) if row is None else _depth_of(row)

    def depths(self, books: Iterable[str]) -> dict[str, Depth]:
        """Return the depth view of each of these books, as ``depth`` does, with one call for a hundred."""
        found = {book: Depth(market=Market()) for book in books}
        rows = self._database.get_many(TABLE, [_depth_key(book) for book in found])
        return found | {row["book"]: _depth_of(row) for row in rows}

    def drop_malformed_depth(self, book: str) -> None:
        """Remove the depth view where it cannot be read: the next load projects the whole journal again and makes it.

        That changes no account, for marks are never dropped (T54).
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
                return  # a matcher that has the book in memory has published a newer one

    def publish_depth(self, book: str, depth: Depth) -> None:
        """Replace the depth view, and with it say that every entry up to its sequence is projected.

        Refused when a newer view stands there: another matcher has projected further. That is no fault. The view of a
        sequence is always the same, so it may be written again, where it was damaged or is of an earlier version.
        """
        levels: dict[str, object] = {"bids": [*map(_texts, depth.bids)], "asks": [*map(_texts, depth.asks)]}
        if depth.market is not None:
            levels["market"] = depth.market.as_data()
        row = {
            **_depth_key(book),
            "sequence": depth.sequence,
            "version": depth.version,
            "levels": zlib.compress(json.dumps(levels, separators=(",", ":")).encode()),
        }
        no_view_yet, view_is_no_newer = "attribute_not_exists(#part)", "#sequence <= :sequence"
        condition = f"{no_view_yet} OR {view_is_no_newer}"
        try:
            self._database.write(Put(TABLE, row, condition, {":sequence": depth.sequence}))
        except ConditionFailed:
            return


def _config_key(book: str) -> dict[str, str]:
    return {"book": book, "part": "config"}


def _depth_key(book: str) -> dict[str, str]:
    return {"book": book, "part": "depth"}


def _depth_of(row: Row) -> Depth:
    try:
        levels = json.loads(zlib.decompress(row["levels"]))
        bids, asks = (tuple((int(price), int(size)) for price, size in levels[side]) for side in ("bids", "asks"))
        sequence, version = row["sequence"], row["version"]
        if not isinstance(sequence, int) or not isinstance(version, int):
            raise TypeError("sequence and version are integers")
        market = market_of(sequence, levels["market"]) if "market" in levels else None
    except (KeyError, ValueError, TypeError, AttributeError, zlib.error) as error:
        raise MalformedView(f"{row['book']}: {error!r}") from error
    return Depth(sequence, version, bids, asks, market)


def _parked_key(book: str) -> dict[str, str]:
    return {"book": PARKED, "part": book}


def _row_of(config: BookConfig) -> Row:
    return _config_key(book_key(config.instance, config.book_id)) | _settings_of(config)


def _settings_of(config: BookConfig) -> Row:
    first = None if config.first is None else encode_terms(config.first)
    settings = asdict(config) | {"first": first}
    del settings["is_parked"]
    return settings


TROUBLE_ATTRIBUTES = "failed_batches", "failed_at_ms", "failed_command", "failure", "parked_at_ms"


def _trouble_of(row: Row) -> Trouble:
    return Trouble(
        row.get("failed_batches", 0),
        row.get("failed_at_ms", 0),
        row.get("failed_command"),
        row.get("failure"),
        row.get("parked_at_ms"),
    )


def rows_that_name(config: BookConfig) -> list[Row]:
    """Return the rows by which a book is found, as they stand: in its lists, by pair and by symbol."""
    listed = {"book": config.instance, "part": f"{LISTED}{config.book_id}"}
    names = _names_of(config) if _takes_names(config) else []
    parked = [_parked_key(book_key(config.instance, config.book_id))] if config.is_parked else []
    return [listed, *(name | {"held_by": config.book_id} for name in names), *parked]


def _takes_names(config: BookConfig) -> bool:
    """Tell whether the book needs a pair and a symbol of its own: off-chain ones do, until they are closed (T31)."""
    return config.settlement_mode is SettlementMode.OFF_CHAIN and config.status is not BookStatus.CLOSED


def _names_of(config: BookConfig) -> list[dict[str, str]]:
    """Return the keys of the rows that say which book has this pair, and which has this symbol."""
    names = f"pair/{config.base_asset}/{config.quote_asset}", _symbol_part(config.symbol)
    return [{"book": config.instance, "part": name} for name in names]


def _symbol_part(symbol: str) -> str:
    return f"symbol/{ascii_lower(symbol)}"


def _texts(level: tuple[int, int]) -> tuple[str, str]:
    return str(level[0]), str(level[1])


NEWER = frozenset({"created_at_ms", "lot_size", "min_order_value", "quote_decimals", "stock_token_id", "token_type"})
"""What rows of books of earlier versions do not have."""


def _config_of(row: Row) -> BookConfig:
    """Return the configuration in a row; what one of an earlier version lacks (NEWER) is as it is by default.

    KeyError where anything else is missing.
    """
    values: dict[str, Any] = {field.name: row[field.name] for field in fields(BookConfig) if field.name in row}
    missing = {field.name for field in fields(BookConfig) if field.name != "is_parked"} - values.keys() - NEWER
    if missing:
        raise KeyError(*sorted(missing))
    for name, words in _WORDS.items():
        if name in values:
            values[name] = words(values[name])
    if values.get("first") is not None:
        values["first"] = decode_terms(values["first"])
    return BookConfig(**values, is_parked="parked_at_ms" in row)


_WORDS = {
    "status": BookStatus,
    "settlement_mode": SettlementMode,
    "self_trade_prevention": SelfTradePrevention,
    "token_type": TokenType,
}
