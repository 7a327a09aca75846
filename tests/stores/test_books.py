"""Books in their table: one for a pair and for a symbol, until it is closed (T31)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.core.config import BookConfig, SettlementMode
from chalicelib.core.vocabulary import BookStatus
from chalicelib.stores.books import BookExists, Books
from chalicelib.stores.dynamodb import Database

BASE, QUOTE = "0x" + "b" * 40, "0x" + "c" * 40
FIRST = BookConfig("inst_test0001", "ob_1", "One", "B/Q", BASE, QUOTE)
CLASHES: list[dict[str, Any]] = [{"symbol": "C/Q"}, {"base_asset": "0x" + "d" * 40}, {"quote_asset": "0x" + "d" * 40}]
"""Other books that share something with the first one: the pair; the symbol, twice."""


@pytest.fixture
def books(store: Database) -> Books:
    books = Books(store)
    books.create(FIRST)
    return books


@pytest.mark.parametrize("clash", CLASHES)
def test_a_pair_or_a_symbol_that_is_taken_makes_no_book(books: Books, store: Database, clash: dict[str, Any]) -> None:
    before = sorted(store.scan("books"), key=repr)
    with pytest.raises(BookExists, match="ob_1"):
        books.create(replace(FIRST, book_id="ob_2", **clash))
    with pytest.raises(BookExists, match="ob_1"):
        books.create(replace(FIRST, book_id="ob_2", **({"symbol": "b/q"} | clash)))
    assert sorted(store.scan("books"), key=repr) == before


def test_a_book_id_is_given_once(books: Books) -> None:
    with pytest.raises(BookExists, match="ob_1"):
        books.create(replace(FIRST, base_asset="0x" + "d" * 40, symbol="D/Q"))


def test_other_instances_and_on_chain_books_take_nothing_away(books: Books) -> None:
    books.create(replace(FIRST, instance="inst_other001"))
    books.create(replace(FIRST, book_id="ob_2", settlement_mode=SettlementMode.ON_CHAIN))
    books.create(replace(FIRST, book_id="ob_3", status=BookStatus.CLOSED))
    assert {book.book_id for book in books.of_instance(FIRST.instance)} == {"ob_1", "ob_2", "ob_3"}


def test_a_closed_book_gives_its_names_back_once(books: Books) -> None:
    """A projection that is repeated after another book took the names leaves them to that one."""
    second, third = replace(FIRST, book_id="ob_2"), replace(FIRST, book_id="ob_3")
    books.change_status(FIRST, BookStatus.PAUSED, 1)
    with pytest.raises(BookExists):
        books.create(second)
    books.change_status(FIRST, BookStatus.CLOSED, 2)
    books.create(second)
    books.change_status(FIRST, BookStatus.CLOSED, 2)
    with pytest.raises(BookExists, match="ob_2"):
        books.create(third)


def test_a_row_of_an_earlier_version_has_defaults_for_what_it_lacks(books: Books, store: Database) -> None:
    (row,) = (row for row in store.scan("books") if row["part"] == "config")
    for name in ("token_type", "stock_token_id", "created_at_ms"):
        del row[name]
    store.put_many("books", [row])
    assert books.config(f"{FIRST.instance}/{FIRST.book_id}") == FIRST
