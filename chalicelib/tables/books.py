"""Books (table ``books``): each book's configuration, and the depth view that the matcher publishes.

The depth view is written once for all entries that are committed together. It also holds the last price and the open
candles, so these cost no write of their own, and the view's sequence makes sure that each entry is counted once.

The configuration's row also counts the book's failed batches, and says since when the book is parked (T53)::

    counted --note_failure: one more--> counted --note_failure: one too many--> parked --release--> (nothing)
       +------forget_failures: the batch got through------> (nothing)

Each step is conditional on the row as it was read. Parked books are also listed under one key; the list row is put and
removed in one transaction with the flag.
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
from chalicelib.domain.books.vocabulary import BookStatus, Protection, SelfTradePrevention
from chalicelib.domain.ledger.owners import book_key
from chalicelib.support.ascii_case import ascii_lower
from chalicelib.support.outcomes import ReceiptExists
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.read_ahead import RowAt, row_at
from chalicelib.tables.rows import Row
from chalicelib.tables.writes import ConditionFailed, Delete, Put, TransactionRefused, Update, Write, as_refused

TABLE = "books"
LISTED = "book/"
"""Sort-key prefix of the rows that list an instance's books, under the instance's key."""
PARKED = "parked"
"""Partition key of the list of parked books."""
DEPTH_LEVELS_MAX = 100
"""Number of price levels published for each side (T38)."""


class MalformedView(ValueError):
    """A depth view that this program cannot have written."""


class MalformedConfig(ValueError):
    """A book's row that this program cannot have written."""


class BookExists(Exception):
    """A book with this id exists, or an open one with the same pair or symbol (T31)."""


@dataclass(frozen=True, slots=True)
class Depth:
    """A book's best price levels as (price, open quantity), best first, as of a journal entry's sequence.

    version: of the book's terms at that entry. market: last price and open candles as of that entry; None if an earlier
    version of the program wrote the view. halted_until_ms: when the book's halt ends, Unix ms; None: no halt (O12).
    """

    sequence: int = 0
    version: int = 0
    bids: tuple[tuple[int, int], ...] = ()
    asks: tuple[tuple[int, int], ...] = ()
    market: Market | None = None
    halted_until_ms: int | None = None


@dataclass(frozen=True, slots=True)
class BatchFailures:
    """The failed batches of a book (T53).

    failed_batches: number since the last success. The other members describe the last failure: its time, first command
    and error. parked_at_ms: since when the book is parked; None: it is not.
    """

    failed_batches: int = 0
    failed_at_ms: int = 0
    command: str | None = None
    reason: str | None = None
    parked_at_ms: int | None = None


NO_FAILURES = BatchFailures()


class Books:
    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, config: BookConfig, receipt: Write | None = None) -> None:
        """Store a new book, list it under its instance, and take its pair and symbol (T31).

        receipt: a write of the caller's, done in the same transaction. Raises BookExists, or ReceiptExists if the
        receipt is refused; nothing is changed then.
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
        found = self.with_failures(book)
        return None if found is None else found[0]

    def configs(self, books: Iterable[str]) -> list[BookConfig]:
        """Return the configurations of these books that there are, in no order."""
        return [_config_of(row) for row in self._database.get_many(TABLE, [_config_key(book) for book in books])]

    def with_failures(self, book: str) -> tuple[BookConfig, BatchFailures] | None:
        """Return a book's configuration and failed batches; None if there is no such book. Raises MalformedConfig."""
        try:
            row = self._database.get(TABLE, _config_key(book))
            return None if row is None else (_config_of(row), _failures_of(row))
        except (KeyError, ValueError, TypeError) as error:
            raise MalformedConfig(f"the configuration of {book} cannot be read: {error!r}") from error

    def failures(self, book: str) -> BatchFailures | None:
        """Return a book's failed batches, without parsing its configuration; None if there is no such book."""
        condition, values = "#book = :book AND #part = :config", {":book": book, ":config": "config"}
        wanted = ", ".join(f"#{name}" for name in ("part", *TROUBLE_ATTRIBUTES))
        rows = self._database.query(TABLE, condition, values, ProjectionExpression=wanted)
        return next(map(_failures_of, rows), None)

    def note_failure(self, book: str, before: BatchFailures, after: BatchFailures) -> None:
        """Count one more failed batch, and park the book if ``after`` says so (T53).

        Raises ConditionFailed or TransactionRefused if the row no longer is as ``before``, or is gone.
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
            self._database.write(noted, lambda row: row is not None and _failures_of(row) == after)
            return
        values[":at"] = after.parked_at_ms
        mark = Update(TABLE, _config_key(book), f"{changes}, #parked_at_ms = :at", condition, values)
        self._database.transact([mark, Put(TABLE, _parked_key(book))], lambda: self._has_failures(book, after))

    def _has_failures(self, book: str, failures: BatchFailures) -> bool:
        return self.failures(book) == failures

    def forget_failures(self, book: str, before: BatchFailures) -> None:
        """Reset the count after a success. Does nothing if the row has changed since ``before``."""
        as_read = "#failed_batches = :failed_batches AND #failed_command = :command"
        not_parked = "attribute_not_exists(#parked_at_ms)"
        values = {":failed_batches": before.failed_batches, ":command": before.command}
        try:
            changes = "REMOVE #failed_batches, #failed_at_ms, #failed_command, #failure"
            forgotten = Update(TABLE, _config_key(book), changes, f"{as_read} AND {not_parked}", values)
            self._database.write(forgotten, as_refused)
        except ConditionFailed:
            return

    def release(self, book: str, before: BatchFailures) -> None:
        """Unpark a book and reset its count. Does nothing if it was released or parked again since ``before``."""
        parked_as_read = "#parked_at_ms = :at"
        changes = "REMOVE #failed_batches, #failed_at_ms, #failed_command, #failure, #parked_at_ms"
        mark = Update(TABLE, _config_key(book), changes, parked_as_read, {":at": before.parked_at_ms})
        try:
            writes: list[Write] = [mark, Delete(TABLE, _parked_key(book))]
            self._database.transact(writes, lambda: self._has_failures(book, NO_FAILURES))
        except TransactionRefused:
            return

    def parked(self) -> list[str]:
        """Return the keys of all parked books of all instances, in order. Costs what it returns."""
        return [row["part"] for row in self._database.query(TABLE, "#book = :parked", {":parked": PARKED})]

    def of_symbol(self, instance: str, symbol: str) -> BookConfig | None:
        """Return the book with this symbol, in any letter case; None if no open book has it."""
        name = self._database.get(TABLE, {"book": instance, "part": symbol_part(symbol)})
        book_id = None if name is None else name.get("held_by")
        return None if book_id is None else self.config(book_key(instance, book_id))

    def change(self, before: BookConfig, after: BookConfig) -> list[Write]:
        """Return the writes that give a book new settings and the next version; a closed book releases its names (T31).

        The first is refused if the book no longer is as ``before``; the others if another book has a name, which cannot
        happen while this book is open. The count of failures stays.
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
        """Yield the key of every book of every instance. For operators: scans the table."""
        return (row["book"] for row in self._database.scan(TABLE) if row["part"] == "config")

    def naming_rows(self) -> Iterator[Row]:
        """Yield every configuration as stored, and every row that names a book. For operators: scans the table."""
        return (row for row in self._database.scan(TABLE) if row["part"] == "config" or "/" not in row["book"])

    def ids(self, instance: str) -> list[str]:
        """Return the ids of an instance's books, closed ones too, in order. Costs what it returns."""
        values = {":instance": instance, ":listed": LISTED}
        condition = "#book = :instance AND begins_with(#part, :listed)"
        return [row["part"].removeprefix(LISTED) for row in self._database.query(TABLE, condition, values)]

    def of_instance(self, instance: str) -> list[BookConfig]:
        """Return the configurations of an instance's books, newest first, ties by id. Costs what it returns."""
        found = self.configs(book_key(instance, book_id) for book_id in self.ids(instance))
        return sorted(found, key=lambda config: (config.created_at_ms, config.book_id), reverse=True)

    def depth(self, book: str) -> Depth:
        """Return the depth view; before the book's first command an empty one with sequence 0. Raises MalformedView."""
        row = self._database.get(TABLE, _depth_key(book))
        return Depth(market=Market()) if row is None else _depth_of(row)

    def depths(self, books: Iterable[str]) -> dict[str, Depth]:
        """Return the depth views of these books, with one call for each 100. Raises MalformedView."""
        found = {book: Depth(market=Market()) for book in books}
        rows = self._database.get_many(TABLE, [_depth_key(book) for book in found])
        return found | {row["book"]: _depth_of(row) for row in rows}

    def halts(self, books: Iterable[str]) -> dict[str, int]:
        """Return when the halts of these books end, Unix ms; without those whose depth view shows no halt (O12)."""
        rows = self._database.get_many(TABLE, [_depth_key(book) for book in books])
        return {row["book"]: row["halted_until_ms"] for row in rows if "halted_until_ms" in row}

    def drop_malformed_depth(self, book: str) -> None:
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

    def publish_depth(self, book: str, depth: Depth) -> None:
        """Replace the depth view. Its sequence also says that every entry up to it is projected.

        Refused, which is no error, if a newer view exists: another matcher has projected further. The view of a
        sequence is always the same, so rewriting it is safe, for example to repair it.
        """
        levels: dict[str, object] = {"bids": [*map(_texts, depth.bids)], "asks": [*map(_texts, depth.asks)]}
        if depth.market is not None:
            levels["market"] = depth.market.as_data()
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


def config_at(book: str) -> RowAt:
    return row_at(TABLE, _config_key(book))


def depth_at(book: str) -> RowAt:
    return row_at(TABLE, _depth_key(book))


def symbol_at(instance: str, symbol: str) -> RowAt:
    """Return where the row stands that says which open book has a symbol."""
    return row_at(TABLE, {"book": instance, "part": symbol_part(symbol)})


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
    return Depth(sequence, version, bids, asks, market, row.get("halted_until_ms"))


def _parked_key(book: str) -> dict[str, str]:
    return {"book": PARKED, "part": book}


def _row_of(config: BookConfig) -> Row:
    return _config_key(book_key(config.instance, config.book_id)) | _settings_of(config)


def _settings_of(config: BookConfig) -> Row:
    first = None if config.first is None else encode_terms(config.first)
    settings = asdict(config) | {"first": first}
    return {name: value for name, value in settings.items() if name not in NOT_STORED}


TROUBLE_ATTRIBUTES = "failed_batches", "failed_at_ms", "failed_command", "failure", "parked_at_ms"


def _failures_of(row: Row) -> BatchFailures:
    return BatchFailures(
        row.get("failed_batches", 0),
        row.get("failed_at_ms", 0),
        row.get("failed_command"),
        row.get("failure"),
        row.get("parked_at_ms"),
    )


def rows_that_name(config: BookConfig) -> list[Row]:
    """Return the rows by which a book is found: in the instance's list, by pair and by symbol."""
    listed = {"book": config.instance, "part": f"{LISTED}{config.book_id}"}
    names = _names_of(config) if _takes_names(config) else []
    parked = [_parked_key(book_key(config.instance, config.book_id))] if config.is_parked else []
    return [listed, *(name | {"held_by": config.book_id} for name in names), *parked]


def _takes_names(config: BookConfig) -> bool:
    """Return whether the book needs a unique pair and symbol: off-chain books do until they are closed (T31)."""
    return config.settlement_mode is SettlementMode.OFF_CHAIN and config.status is not BookStatus.CLOSED


def _names_of(config: BookConfig) -> list[dict[str, str]]:
    """Return the keys of the rows that reserve the book's pair and symbol."""
    names = f"pair/{config.base_asset}/{config.quote_asset}", symbol_part(config.symbol)
    return [{"book": config.instance, "part": name} for name in names]


def symbol_part(symbol: str) -> str:
    """Return the sort key of a symbol's row, which stands under its instance."""
    return f"symbol/{ascii_lower(symbol)}"


def _texts(level: tuple[int, int]) -> tuple[str, str]:
    return str(level[0]), str(level[1])


NOT_STORED = {"is_parked", "is_halted"}
"""What other attributes and rows say."""
NEWER = {
    "created_at_ms", "lot_size", "min_order_value", "quote_decimals", "stock_token_id", "token_type",
    *Protection._fields,
}  # fmt: skip
"""Attributes that rows of earlier versions lack."""


def _config_of(row: Row) -> BookConfig:
    """Return the configuration in a row. Members missing in earlier versions (NEWER) get their defaults.

    Raises KeyError if anything else is missing.
    """
    names = {field.name for field in fields(BookConfig)} - NOT_STORED
    values: dict[str, Any] = {name: row[name] for name in names if name in row}
    missing = names - values.keys() - NEWER
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
