"""What listings read and how long they take, by the length of the history behind them: ``make listings``.

Three customers have 100, 10,000 and 100,000 filled orders, a trade for each, and 120 open orders spread among them.
Their lists are asked for through the endpoints; what the calls to DynamoDB would cost on AWS is counted by ``units``.
A first page must read as many rows whatever the history, one of open orders at most twice its own, for as many units.

It runs over an embedded engine started for this, whose queries take longer the more rows a customer has. With
``DYNAMODB_ENDPOINT=http://...`` it runs over the engine there, in tables of its own that it drops in the end. Read
units are the same over any engine; milliseconds are flat over one whose queries are.
"""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter, time_ns
from urllib.parse import parse_qs

sys.path.insert(0, str(Path(__file__).parent.parent))

import boto3

from benchmarks.cold_load import engine_database
from benchmarks.core import commands
from benchmarks.histories import API_KEY, BOOK, write_history, write_tape, write_venue
from benchmarks.meter import Cost, metered
from chalicelib.apis.book.routes import LIST, TRADES_OF_BOOK, TRADES_OF_CUSTOMER
from chalicelib.apis.kit.http import HttpRequest
from chalicelib.apis.kit.routing import filled
from chalicelib.support.clock import now_ms
from chalicelib.tables import tenants
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.orders import INDEX_LAG_MS_MAX
from chalicelib.wiring.book import new_book_desk
from infra.tables import table_definitions

HISTORIES = (100, 10_000, 100_000)
OPEN_ORDERS = 120
PAGE_ROWS = 50
TAPE_COMMANDS = 20_000
ROUNDS, TIMED_S_MAX = 5, 3.0
ENDPOINT = "DYNAMODB_ENDPOINT"


@dataclass(frozen=True, slots=True)
class Listing:
    """A page that is asked for. histories: behind which ones it is. query: without the limit."""

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
    """What a page took. rows: how many it has. Of the check of the key, one read unit, only the time is in here."""

    rows: int
    calls: int
    cost: Cost
    milliseconds: float


def measure(database: Database, listing: Listing, rounds: int = ROUNDS, **path: str) -> Measured:
    """Ask for the page, counted once; where that does not take long, time it a few times more, not counted."""
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
    """Raise AssertionError unless first pages are full and read the same behind any history."""
    for listing, measured in first_pages.items():
        assert all(one.rows == PAGE_ROWS for one in measured), f"{listing.name}: a page is not full"
        rows_read = {one.cost.rows_read for one in measured}
        assert len(rows_read) == 1, f"{listing.name}: the history shows in the rows read: {rows_read}"
        assert max(rows_read) <= 2 * PAGE_ROWS, f"{listing.name}: {rows_read} rows read for {PAGE_ROWS}"
    read_units = {one.cost.read_units for one in first_pages[OPEN]}
    assert len(read_units) == 1, f"the history shows in the read units of a page of open orders: {read_units}"


def write_customers(database: Database, histories: tuple[int, ...]) -> None:
    """Make the venue and a customer with each history; no order is so young that the index may trail it."""
    write_venue(database)
    for history in histories:
        write_history(database, customer_of(history), history, OPEN_ORDERS, now_ms() - 2 * INDEX_LAG_MS_MAX)


def customer_of(history: int) -> str:
    return f"cust_{history:06d}"


@contextmanager
def chosen_engine() -> Iterator[tuple[str, Database]]:
    """Yield an engine's name and empty tables there: where DYNAMODB_ENDPOINT says, else in an embedded one."""
    endpoint = os.environ.get(ENDPOINT)
    if endpoint is None:
        with engine_database() as database:
            yield "embedded", database
        return
    for name, value in (("ACCESS_KEY_ID", "local"), ("SECRET_ACCESS_KEY", "local"), ("DEFAULT_REGION", "us-east-1")):
        os.environ.setdefault(f"AWS_{name}", value)
    client = boto3.client("dynamodb", endpoint_url=endpoint)
    prefix = f"listings{time_ns()}"
    tables = table_definitions(prefix)
    try:
        for table in tables:
            client.create_table(**table.create_request)
            client.get_waiter("table_exists").wait(TableName=table.name, WaiterConfig={"Delay": 1})
        yield endpoint, Database(client, prefix)
    finally:
        for name in {table.name for table in tables} & set(client.list_tables()["TableNames"]):
            client.delete_table(TableName=name)


def machine() -> str:
    """Return the machine in words: processor, cores, Python."""
    described = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.+)", described.read_text(encoding="utf-8")) if described.exists() else None
    processor = found[1] if found else platform.processor() or platform.machine()
    return f"{processor}, {os.cpu_count()} cores, Python {platform.python_version()}"


def print_line(listing: Listing, history: str, one: Measured) -> None:
    cost = one.cost
    numbers = f"{one.calls:>7,}{cost.rows_read:>11,}{cost.read_units:>12,.1f}{one.milliseconds:>12,.1f}"
    print(f"{listing.name:<40}{history:>9}{numbers}", flush=True)


def main() -> None:
    with chosen_engine() as (engine, database):
        print(f"{machine()}; engine: {engine}; {PAGE_ROWS} rows a page")
        write_customers(database, HISTORIES)
        write_tape(database, commands(TAPE_COMMANDS, seed=7), now_ms())
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
