"""Checks the rows by which books are found, and the decimals that books take from their tokens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from chalicelib.domain.books.config import BookConfig
from chalicelib.domain.ledger.tokens import Token
from chalicelib.services.books.disagreements import Disagreement, difference
from chalicelib.tables.books import rows_that_name
from chalicelib.tables.rows import Row


def name_disagreements(configs: Sequence[BookConfig], found: Sequence[Row]) -> Iterator[Disagreement]:
    """Yield books missing in their instance's list, and pairs or symbols that are not exactly one book's.

    found: all rows beside the books' own. The row of a released pair or symbol stays and names no book (T31).
    """
    expected = {(row["book"], row["part"]): row for config in configs for row in rows_that_name(config)}
    stands = {(row["book"], row["part"]): row for row in found}
    for key in sorted({*expected, *stands}):
        where = f"row {key[1]} of the books of {key[0]}"
        if key not in stands:
            yield Disagreement(where, "the row", "no row")
        elif key in expected:
            differs = difference(where, expected[key], stands[key], 0)
            if differs is not None:
                yield differs
        elif "held_by" in stands[key] or not key[1].startswith(("pair/", "symbol/")):
            yield Disagreement(where, "no row: no book is found by it", f"one that names {stands[key].get('held_by')}")


def decimals_disagreements(config: BookConfig, tokens: Mapping[str, Token]) -> Iterator[Disagreement]:
    """Yield books whose decimals differ from their tokens'. tokens: the registered ones, by address."""
    assets = {"base": (config.base_asset, config.base_decimals), "quote": (config.quote_asset, config.quote_decimals)}
    for name, (asset, decimals) in assets.items():
        where, token = f"{config.instance}/{config.book_id} {name} token {asset}", tokens.get(asset)
        if token is None:
            yield Disagreement(where, "the token", "no row")
        elif token.decimals != decimals or type(token.decimals) is not int:
            yield Disagreement(f"{where}, decimals", f"{decimals}, those of the book", repr(token.decimals))
