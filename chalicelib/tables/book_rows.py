"""Rows of the table ``books``: a book's settings, and what it is found by (``tables.books``)."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

from chalicelib.domain.books.config import BookConfig, SettlementMode, TokenType
from chalicelib.domain.books.forms import decode_terms, encode_terms
from chalicelib.domain.books.vocabulary import BookStatus, Protection, SelfTradePrevention
from chalicelib.domain.ledger.owners import book_key
from chalicelib.support.ascii_case import ascii_lower
from chalicelib.tables.read_ahead import RowAt, row_at
from chalicelib.tables.rows import Row

TABLE = "books"
LISTED = "book/"
"""Sort-key prefix of the rows that list an instance's books, under the instance's key."""
NOT_STORED = {"is_parked", "is_halted"}
"""What other attributes and rows say."""
NEWER = {
    "created_at_ms", "lot_size", "min_order_value", "quote_decimals", "stock_token_id", "token_type",
    *Protection._fields,
}  # fmt: skip
"""Attributes that rows of earlier versions lack."""
_WORDS = {
    "status": BookStatus,
    "settlement_mode": SettlementMode,
    "self_trade_prevention": SelfTradePrevention,
    "token_type": TokenType,
}


def config_key(book: str) -> Row:
    return {"book": book, "part": "config"}


def listed_key(config: BookConfig) -> Row:
    """Return the key of the row that lists a book under its instance."""
    return {"book": config.instance, "part": f"{LISTED}{config.book_id}"}


def takes_names(config: BookConfig) -> bool:
    """Return whether the book needs a unique pair and symbol: off-chain books do until they are closed (T31)."""
    return config.settlement_mode is SettlementMode.OFF_CHAIN and config.status is not BookStatus.CLOSED


def names_of(config: BookConfig) -> list[Row]:
    """Return the keys of the rows that reserve the book's pair and symbol."""
    names = f"pair/{config.base_asset}/{config.quote_asset}", symbol_part(config.symbol)
    return [{"book": config.instance, "part": name} for name in names]


def symbol_part(symbol: str) -> str:
    """Return the sort key of a symbol's row, which stands under its instance."""
    return f"symbol/{ascii_lower(symbol)}"


def config_at(book: str) -> RowAt:
    return row_at(TABLE, config_key(book))


def symbol_at(instance: str, symbol: str) -> RowAt:
    """Return where the row stands that says which open book has a symbol."""
    return row_at(TABLE, {"book": instance, "part": symbol_part(symbol)})


def row_of(config: BookConfig) -> Row:
    return config_key(book_key(config.instance, config.book_id)) | settings_of(config)


def settings_of(config: BookConfig) -> Row:
    first = None if config.first is None else encode_terms(config.first)
    settings = asdict(config) | {"first": first}
    return {name: value for name, value in settings.items() if name not in NOT_STORED}


def config_of(row: Row) -> BookConfig:
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
