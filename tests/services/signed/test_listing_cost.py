"""What the taker desk's lists cost, in calls, rows and read units, behind few orders and behind many."""

from __future__ import annotations

import pytest

from benchmarks.listing import Measured
from benchmarks.taker_listing import (
    BY_LOCK,
    BY_PRICE,
    FILLS,
    FILLS_OF_SIZE,
    FIRST_PAGES,
    LAST_DAY,
    LIVE_LOCKS,
    LOCKED,
    NEWEST,
    NEWEST_FILLS,
    OF_STATUS,
    OF_TICKER,
    OLDEST,
    OPEN_EVERY,
    ORDERS,
    UNFINISHED,
    Listing,
    check,
    measure,
    write_takers,
)
from chalicelib.tables.dynamodb import Database
from tests.in_memory import database_of, empty_tables

FEW, MANY = 100, 3000
PAGE_ROWS = 20
ORDERS_OF_A_DAY = 86_400 // 60


@pytest.fixture(scope="module")
def takers() -> Database:
    """Written once: nothing here changes them."""
    client = empty_tables()
    database = database_of(client)
    write_takers(database, (FEW, MANY))
    return database


def measured(database: Database, listing: Listing, history: int) -> Measured:
    return measure(database, listing, history, rounds=0)


@pytest.mark.parametrize("listing", [NEWEST, OLDEST])
def test_the_first_page_costs_the_same_behind_any_number_of_orders(takers: Database, listing: Listing) -> None:
    """Two reads of the counters, one of the locks, one or two of filled rows, and one for each order of the page."""
    few, many = measured(takers, listing, FEW), measured(takers, listing, MANY)
    assert few.cost == many.cost
    assert few.calls == many.calls == 5
    assert few.cost.rows_read == 2 + LIVE_LOCKS + PAGE_ROWS + PAGE_ROWS
    assert few.cost.read_units <= PAGE_ROWS + 5


def test_the_first_page_of_fills_costs_the_same_behind_any_number_of_them(takers: Database) -> None:
    few, many = measured(takers, NEWEST_FILLS, FEW), measured(takers, NEWEST_FILLS, MANY)
    assert few.cost == many.cost
    assert (few.calls, few.cost.rows_read) == (3, 2 + PAGE_ROWS)


def test_the_benchmark_fails_where_the_history_shows(takers: Database) -> None:
    first_pages = {listing: [measured(takers, listing, history) for history in (FEW, MANY)] for listing in FIRST_PAGES}
    check(first_pages)
    first_pages[NEWEST].append(measured(takers, BY_PRICE, MANY))
    with pytest.raises(AssertionError):
        check(first_pages)


def test_a_status_that_only_locked_orders_have_costs_the_locks(takers: Database) -> None:
    few, many = measured(takers, LOCKED, FEW), measured(takers, LOCKED, MANY)
    assert (few.rows, few.cost) == (many.rows, many.cost)
    assert many.cost.rows_read == 2 * LIVE_LOCKS


@pytest.mark.parametrize("history", [FEW, MANY])
def test_statuses_of_orders_that_have_not_ended_cost_the_unfinished_ones(takers: Database, history: int) -> None:
    """Rows of locks and of unfinished orders, the orders of both; of the page's filled ones the filled row."""
    unfinished, page = history // OPEN_EVERY, measured(takers, UNFINISHED, history)
    assert page.rows == min(LIVE_LOCKS + unfinished, PAGE_ROWS)
    assert page.cost.rows_read == 2 * (LIVE_LOCKS + unfinished) + (page.rows - LIVE_LOCKS)
    assert page.cost.read_units < 1.2 * (LIVE_LOCKS + unfinished) + page.rows
    assert page.calls == 4


@pytest.mark.parametrize("listing", [OF_TICKER, BY_PRICE])
def test_what_never_changes_is_filtered_and_sorted_without_reading_orders(takers: Database, listing: Listing) -> None:
    """The taker's own rows are read, many of which share a unit; of the orders those of the page."""
    many = measured(takers, listing, MANY)
    assert many.cost.rows_read == LIVE_LOCKS + MANY + PAGE_ROWS
    assert many.cost.read_units < MANY / 10


def test_created_within_bounds_costs_the_rows_within(takers: Database) -> None:
    many = measured(takers, LAST_DAY, MANY)
    assert many.rows == PAGE_ROWS
    assert ORDERS_OF_A_DAY - 10 <= many.cost.rows_read - PAGE_ROWS <= ORDERS_OF_A_DAY


@pytest.mark.parametrize(("listing", "locks"), [(OF_STATUS, 0), (BY_LOCK, LIVE_LOCKS)])
def test_what_changes_costs_a_read_of_each_order(takers: Database, listing: Listing, locks: int) -> None:
    many = measured(takers, listing, MANY)
    assert many.cost.rows_read == 2 * (locks + MANY)
    assert MANY < many.cost.read_units < 1.1 * MANY


def test_a_filter_on_fills_costs_all_fills(takers: Database) -> None:
    assert measured(takers, FILLS_OF_SIZE, MANY).cost.rows_read == MANY


def test_a_deep_page_costs_the_rows_that_it_skips(takers: Database) -> None:
    first, deep = measured(takers, NEWEST, MANY), measured(takers, Listing(ORDERS, "page=51"), MANY)
    assert deep.rows == PAGE_ROWS
    assert deep.cost.rows_read == first.cost.rows_read + 50 * PAGE_ROWS
    assert first.cost.read_units + 50 < deep.cost.read_units < first.cost.read_units + 100


def test_a_page_beyond_the_end_costs_the_counting(takers: Database) -> None:
    beyond = measured(takers, Listing(ORDERS, "page=501"), MANY)
    assert (beyond.rows, beyond.cost.rows_read) == (0, 2 + LIVE_LOCKS)
    beyond = measured(takers, Listing(FILLS, "page=501"), MANY)
    assert (beyond.rows, beyond.cost.rows_read) == (0, 2)
