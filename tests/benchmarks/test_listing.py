"""Costs of a list request in rows and read units, with short and long histories."""

from __future__ import annotations

import pytest

from benchmarks.core import commands
from benchmarks.histories import BOOK, write_trades
from benchmarks.listing import (
    ALL,
    FIRST_PAGES,
    LIST,
    OPEN,
    PAGE_ROWS,
    TAPE_PAGES,
    TRADES,
    Listing,
    Measured,
    check,
    customer_of,
    measure,
    write_customers,
)
from chalicelib.support.clock import now_ms
from chalicelib.tables.dynamodb import Database

HISTORIES = (100, 3000)


@pytest.fixture
def venue(memory_database: Database) -> Database:
    write_customers(memory_database, HISTORIES)
    return memory_database


def measured(database: Database, listing: Listing, history: int) -> Measured:
    return measure(database, listing, rounds=0, customerRef=customer_of(history))


def test_first_pages_cost_the_same_behind_any_history(venue: Database) -> None:
    """Those of all orders read a page of open ones and a page of closed ones."""
    first_pages = {listing: [measured(venue, listing, history) for history in HISTORIES] for listing in FIRST_PAGES}
    check(first_pages)
    assert [(one.cost.rows_read, one.cost.read_units) for one in first_pages[OPEN]] == [(PAGE_ROWS, 4.0)] * 2
    assert max(one.cost.rows_read for one in first_pages[ALL]) <= 2 * PAGE_ROWS
    assert max(one.cost.read_units for one in first_pages[ALL]) <= 9


@pytest.mark.parametrize("listing", [OPEN, ALL, TRADES])
def test_the_benchmark_fails_where_the_history_shows(venue: Database, listing: Listing) -> None:
    dearer = measured(venue, Listing("", LIST, "status=REJECTED"), 3000)
    rows_alone = {one: [measured(venue, one, 100)] for one in FIRST_PAGES}
    check(rows_alone)
    rows_alone[listing].append(Measured(PAGE_ROWS, dearer.calls, dearer.cost, 0))
    with pytest.raises(AssertionError):
        check(rows_alone)


def test_an_offset_costs_the_rows_that_it_skips(venue: Database) -> None:
    first = measured(venue, ALL, 3000)
    deep = measured(venue, Listing("", LIST, "offset=1000"), 3000)
    assert deep.rows == PAGE_ROWS
    assert 1000 + PAGE_ROWS <= deep.cost.rows_read <= 1200
    assert 7 * first.cost.read_units < deep.cost.read_units < 15 * first.cost.read_units


def test_a_status_that_no_order_has_costs_the_whole_history(venue: Database) -> None:
    none = measured(venue, Listing("", LIST, "status=REJECTED"), 3000)
    assert (none.rows, none.cost.rows_read) == (0, 3120)


def test_a_books_trades_cost_the_journal_that_they_are_read_from(memory_database: Database) -> None:
    write_customers(memory_database, ())
    write_trades(memory_database, commands(2000, seed=7), now_ms())
    first, deep, beyond = (measure(memory_database, one, rounds=0, orderBookId=BOOK.book_id) for one in TAPE_PAGES)
    assert first.rows == PAGE_ROWS
    assert first.cost.rows_read <= 51
    assert first.cost.rows_read < deep.cost.rows_read <= beyond.cost.rows_read <= 201
    assert beyond.rows == 0
