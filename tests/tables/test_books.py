"""Books table: a pair and a symbol belong to one open book (T31)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.books.config import BookConfig, SettlementMode
from chalicelib.domain.books.vocabulary import BookStatus
from chalicelib.tables.books import BookExists, Books
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.writes import TransactionRefused
from tests.ordering import in_order

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
    before = in_order(store.scan("books"))
    with pytest.raises(BookExists, match="ob_1"):
        books.create(replace(FIRST, book_id="ob_2", **clash))
    with pytest.raises(BookExists, match="ob_1"):
        books.create(replace(FIRST, book_id="ob_2", **({"symbol": "b/q"} | clash)))
    assert in_order(store.scan("books")) == before


def test_a_symbol_that_differs_in_more_than_the_case_of_a_to_z_is_another(books: Books) -> None:
    """T31"""
    others = {"SS/Q": ("ob_2", "d"), "\u00df/Q": ("ob_3", "e")}
    for symbol, (book_id, digit) in others.items():
        books.create(replace(FIRST, book_id=book_id, base_asset="0x" + digit * 40, symbol=symbol))
    for symbol, (book_id, _) in others.items():
        found = books.of_symbol(FIRST.instance, symbol)
        assert found is not None
        assert found.book_id == book_id


def test_a_book_id_is_given_once(books: Books) -> None:
    with pytest.raises(BookExists, match="ob_1"):
        books.create(replace(FIRST, base_asset="0x" + "d" * 40, symbol="D/Q"))


def test_other_instances_and_on_chain_books_take_nothing_away(books: Books) -> None:
    books.create(replace(FIRST, instance="inst_other001"))
    books.create(replace(FIRST, book_id="ob_2", settlement_mode=SettlementMode.ON_CHAIN))
    books.create(replace(FIRST, book_id="ob_3", status=BookStatus.CLOSED))
    assert {book.book_id for book in books.of_instance(FIRST.instance)} == {"ob_1", "ob_2", "ob_3"}


def changed(books: Books, store: Database, before: BookConfig, **settings: Any) -> BookConfig:
    after = replace(before, version=before.version + 1, first=before.first_terms, **settings)
    store.transact(books.change(before, after))
    return after


def test_a_closed_book_gives_its_names_back_and_a_paused_one_does_not(books: Books, store: Database) -> None:
    """T31"""
    second = replace(FIRST, book_id="ob_2")
    paused = changed(books, store, FIRST, status=BookStatus.PAUSED)
    with pytest.raises(BookExists):
        books.create(second)
    changed(books, store, paused, status=BookStatus.CLOSED)
    books.create(second)
    with pytest.raises(BookExists, match="ob_2"):
        books.create(replace(FIRST, book_id="ob_3"))


def test_a_book_remembers_what_it_was_made_with(books: Books, store: Database) -> None:
    after = changed(books, store, FIRST, maker_fee_bps=7, tick_size=5)
    last = changed(books, store, after, order_size_max=9, status=BookStatus.CLOSED)
    stored = books.config(f"{FIRST.instance}/{FIRST.book_id}")
    assert stored is not None
    assert stored == last
    assert (stored.version, stored.maker_fee_bps, stored.tick_size, stored.first_terms) == (2, 7, 5, FIRST.terms)


def test_of_two_changes_at_once_the_second_is_refused_and_changes_nothing(books: Books, store: Database) -> None:
    changed(books, store, FIRST, maker_fee_bps=7)
    before = in_order(store.scan("books"))
    with pytest.raises(TransactionRefused):
        changed(books, store, FIRST, status=BookStatus.CLOSED)
    assert in_order(store.scan("books")) == before


def test_a_row_of_an_earlier_version_has_defaults_for_what_it_lacks(books: Books, store: Database) -> None:
    (row,) = (row for row in store.scan("books") if row["part"] == "config")
    for name in ("token_type", "stock_token_id", "created_at_ms"):
        del row[name]
    store.put_many("books", [row])
    assert books.config(f"{FIRST.instance}/{FIRST.book_id}") == FIRST


def test_the_book_of_a_symbol_is_found_in_any_case_until_it_is_closed(books: Books, store: Database) -> None:
    assert books.of_symbol(FIRST.instance, "b/q") == FIRST
    assert books.of_symbol(FIRST.instance, "B/X") is None
    assert books.of_symbol("inst_other001", "B/Q") is None
    closed = changed(books, store, FIRST, status=BookStatus.CLOSED)
    assert books.of_symbol(FIRST.instance, "B/Q") is None
    successor = replace(closed, book_id="ob_2", status=BookStatus.ACTIVE)
    books.create(successor)
    assert books.of_symbol(FIRST.instance, "B/q") == successor
