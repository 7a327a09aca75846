"""Benchmark: rows read and time taken by listings, by length of the history: ``make listings``.

Three customers have 100, 10,000 and 100,000 filled orders with one trade each, and 120 open orders spread among them.
Lists are requested through the endpoints; ``units`` counts what the DynamoDB calls would cost on AWS. The check: a
first page reads the same number of rows with any history, a page of open orders at most two rows for each it shows.

It runs on an embedded engine. Read units are the same on any engine.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from urllib.parse import parse_qs

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.core import commands
from benchmarks.engine import engine_database, machine
from benchmarks.histories import API_KEY, BOOK, write_history, write_trades, write_venue
from benchmarks.meter import Cost, metered
from chalicelib.apis.book.routes import LIST, TRADES_OF_BOOK, TRADES_OF_CUSTOMER
from chalicelib.apis.kit.http import HttpRequest
from chalicelib.apis.kit.routing import filled
from chalicelib.support.clock import now_ms
from chalicelib.tables import tenants
from chalicelib.tables.dynamodb import Database
from chalicelib.wiring.book import new_book_desk

HISTORIES = (100, 10_000, 100_000)
OPEN_ORDERS = 120
PAGE_ROWS = 50
TRADING_COMMANDS = 20_000
ROUNDS, TIMED_S_MAX = 5, 3.0


@dataclass(frozen=True, slots=True)
class Listing:
    """One list request. histories: those it is measured with. query: without the limit."""

    name: str
    route: str
    query: str = ""
    histories: tuple[int, ...] = HISTORIES

    def request(self, **path: str) -> HttpRequest:
        query = parse_qs(f"{self.query}&limit={PAGE_ROWS}")
        return HttpRequest("GET", None, {}, query, {"x-api-key": API_KEY}, b"", filled(self.route, path))


OPEN = Listing("orders, status OPEN", LIST, "status=OPEN")
ALL = Listing("orders", LIST)
TRADES = Listing("trades of the customer", TRADES_OF_CUSTOMER)
FIRST_PAGES = (OPEN, ALL, TRADES)
LATER_PAGES = (
    Listing("orders, status FILLED", LIST, "status=FILLED"),
    Listing("orders, status REJECTED: none", LIST, "status=REJECTED", HISTORIES[:2]),
    Listing("orders, offset 1,000", LIST, "offset=1000", HISTORIES[1:]),
    Listing("trades of the customer, offset 1,000", TRADES_OF_CUSTOMER, "offset=1000", HISTORIES[1:]),
    Listing("orders, offset 10,000", LIST, "offset=10000", HISTORIES[2:]),
    Listing("trades of the customer, offset 10,000", TRADES_OF_CUSTOMER, "offset=10000", HISTORIES[2:]),
)
TAPE_PAGES = tuple(
    Listing(f"trades of the book, offset {offset:,}", TRADES_OF_BOOK, f"offset={offset}")
    for offset in (0, 1_000, 5_000)
)


@dataclass(frozen=True, slots=True)
class Measured:
    """Measurement of one page. rows: its number of rows. The key check (one read unit) is included in the time only."""

    rows: int
    calls: int
    cost: Cost
    milliseconds: float


def measure(database: Database, listing: Listing, rounds: int = ROUNDS, **path: str) -> Measured:
    """Request the page once, counted; if it is fast, a few more times, for the time only."""
    through_meter, meter = metered(database)
    request = listing.request(**path)
    started = perf_counter()
    response = new_book_desk(through_meter).answer(request)
    counted_s = perf_counter() - started
    assert response.status == 200, response.body
    bill, desk = meter.take(), new_book_desk(database)
    seconds: list[float] = []
    while len(seconds) < rounds and counted_s + sum(seconds) < TIMED_S_MAX:
        started = perf_counter()
        desk.answer(request)
        seconds.append(perf_counter() - started)
    cost = sum((cost for table, cost in bill.tables.items() if table != tenants.TABLE), Cost())
    return Measured(response.body.count('"id":'), bill.calls - 1, cost, median(seconds or [counted_s]) * 1000)


def check(first_pages: dict[Listing, list[Measured]]) -> None:
    """Raise AssertionError unless first pages are full and read at most two pages of rows, the same with any history.

    A page of all orders reads a page of open ones and as many closed ones as stand between them, a page at most.
    """
    for listing, measured in first_pages.items():
        assert all(one.rows == PAGE_ROWS for one in measured), f"{listing.name}: a page is not full"
        rows_read = {one.cost.rows_read for one in measured}
        assert len(rows_read) == 1 or listing is ALL, f"{listing.name}: the history shows in the rows read: {rows_read}"
        assert max(rows_read) <= 2 * PAGE_ROWS, f"{listing.name}: {rows_read} rows read for {PAGE_ROWS}"
    read_units = {one.cost.read_units for one in first_pages[OPEN]}
    assert len(read_units) == 1, f"the history shows in the read units of a page of open orders: {read_units}"


def write_customers(database: Database, histories: tuple[int, ...]) -> None:
    """Write the venue and one customer for each history."""
    write_venue(database)
    for history in histories:
        write_history(database, customer_of(history), history, OPEN_ORDERS, now_ms())


def customer_of(history: int) -> str:
    return f"cust_{history:06d}"


def print_line(listing: Listing, history: str, one: Measured) -> None:
    cost = one.cost
    numbers = f"{one.calls:>7,}{cost.rows_read:>11,}{cost.read_units:>12,.1f}{one.milliseconds:>12,.1f}"
    print(f"{listing.name:<40}{history:>9}{numbers}", flush=True)


def main() -> None:
    with engine_database() as database:
        print(f"{machine()}; {PAGE_ROWS} rows a page")
        write_customers(database, HISTORIES)
        write_trades(database, commands(TRADING_COMMANDS, seed=7), now_ms())
        print(f"{'page':<40}{'history':>9}{'calls':>7}{'rows read':>11}{'read units':>12}{'ms':>12}")
        first_pages: dict[Listing, list[Measured]] = {}
        for listing in FIRST_PAGES + LATER_PAGES:
            for history in listing.histories:
                measured = measure(database, listing, customerRef=customer_of(history))
                print_line(listing, f"{history:,}", measured)
                if listing in FIRST_PAGES:
                    first_pages.setdefault(listing, []).append(measured)
        for listing in TAPE_PAGES:
            print_line(listing, "", measure(database, listing, orderBookId=BOOK.book_id))
        check(first_pages)
        print("first pages read the same behind any history, those of open orders for as many units")


if __name__ == "__main__":
    main()
