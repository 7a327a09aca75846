"""Benchmark: rows read by the taker desk's lists, by number of orders: ``make listings``.

Takers have filled 100, 10,000 and 100,000 orders with one fill each, and hold five live locks; every hundredth order is
still open. Lists are requested through the endpoints, twenty rows a page; ``units`` counts what that would cost on AWS.
The first page of all orders (newest or oldest first) and of all fills must cost the same with any history.

It runs on an embedded engine.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any
from urllib.parse import parse_qs

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.engine import engine_database, machine
from benchmarks.listing import HISTORIES, ROUNDS, TIMED_S_MAX, Measured
from benchmarks.meter import metered
from chalicelib.apis.kit.http import HttpRequest
from chalicelib.apis.taker.gate import Caller
from chalicelib.apis.taker.lists import ListEndpoints
from chalicelib.domain.signed.lifecycle import Lock, State, Status
from chalicelib.domain.signed.order import NOTHING, SignedOrder, fill_id_of
from chalicelib.domain.signed.settings import DeskSettings
from chalicelib.domain.signed.stored import Fill, StoredOrder
from chalicelib.services.signed.reading import SignedReading
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.rows import Row
from chalicelib.tables.signed_orders import TABLE
from chalicelib.tables.signed_rows import (
    count_key,
    fill_rows,
    filled_row,
    locked_row,
    nonce_row,
    row_of,
    unfinished_row,
)

NOW_S = 1_737_082_824
ORDER_EVERY_S = 60
LIVE_LOCKS = 5
OPEN_EVERY = 100
MAKER, TAKER = "0x" + "11" * 20, "0xabcdefabcdefabcdefabcdefabcdefabcdefabcd"
ASSET, STOCK = "0x" + "22" * 20, "0x" + "33" * 20
QUANTITY = 10 * 10**18
ORDERS, FILLS, OPEN, MAKERS = "GET /takers/orders", "GET /orders/filled", "GET /orders/available", "GET /orders"
ENDPOINTS = {
    ORDERS: ListEndpoints.takers_orders,
    FILLS: ListEndpoints.fills,
    OPEN: ListEndpoints.available,
    MAKERS: ListEndpoints.makers_orders,
}


@dataclass(frozen=True, slots=True)
class Listing:
    """One list request. histories: those it is measured with."""

    route: str
    query: str = ""
    histories: tuple[int, ...] = HISTORIES

    @property
    def name(self) -> str:
        return f"{self.route.removeprefix('GET ')}?{self.query}".removesuffix("?")

    @property
    def request(self) -> HttpRequest:
        return HttpRequest("GET", self.route, {}, parse_qs(self.query), {}, b"")


NEWEST, OLDEST = Listing(ORDERS), Listing(ORDERS, "sort_order=asc")
NEWEST_FILLS = Listing(FILLS)
FIRST_PAGES = (NEWEST, OLDEST, NEWEST_FILLS)
LOCKED = Listing(ORDERS, "status=locked")
OF_TICKER, BY_PRICE = Listing(ORDERS, "ticker=AAPL"), Listing(ORDERS, "sort_by=price")
UNFINISHED, OF_STATUS = Listing(ORDERS, "status=locked,partially_filled"), Listing(ORDERS, "status=filled")
BY_LOCK = Listing(ORDERS, "sort_by=locked_at")
LAST_DAY = Listing(ORDERS, f"created_after={NOW_S - 86_400}")
FILLS_OF_SIZE = Listing(FILLS, "fill_quantity_min=1")
OTHER_PAGES = (
    LOCKED,
    LAST_DAY,
    Listing(ORDERS, "page=51", HISTORIES[1:]),
    Listing(ORDERS, "page=501", HISTORIES[2:]),
    OF_TICKER,
    BY_PRICE,
    FILLS_OF_SIZE,
    UNFINISHED,
    OF_STATUS,
    BY_LOCK,
    Listing(OPEN),
    Listing(MAKERS, histories=HISTORIES[:2]),
)


def instance_of(history: int) -> str:
    """Return the instance of the history's taker."""
    return f"inst_takers{history:06d}"


def measure(database: Database, listing: Listing, history: int, rounds: int = ROUNDS) -> Measured:
    """Request the page once, counted; if it is fast, a few more times, for the time only."""
    through_meter, meter = metered(database)
    address = MAKER if listing.route == MAKERS else TAKER
    caller = Caller(instance_of(history), address, DeskSettings(), NOW_S * 1000)
    started = perf_counter()
    endpoint = ENDPOINTS[listing.route]
    data: Any = endpoint(ListEndpoints(SignedReading(through_meter)), listing.request, caller)
    counted_s = perf_counter() - started
    bill, lists = meter.take(), ListEndpoints(SignedReading(database))
    seconds: list[float] = []
    while len(seconds) < rounds and counted_s + sum(seconds) < TIMED_S_MAX:
        started = perf_counter()
        endpoint(lists, listing.request, caller)
        seconds.append(perf_counter() - started)
    rows = data if isinstance(data, list) else next(each for each in data.values() if isinstance(each, list))
    return Measured(len(rows), bill.calls, bill.total, median(seconds or [counted_s]) * 1000)


def check(first_pages: dict[Listing, list[Measured]]) -> None:
    """Raise AssertionError unless first pages are full and cost the same with any history."""
    for listing, measured in first_pages.items():
        assert all(one.rows == 20 for one in measured), f"{listing.name}: a page is not full"
        costs = {(one.calls, one.cost) for one in measured}
        assert len(costs) == 1, f"{listing.name}: the history shows in what a page costs: {costs}"


def write_takers(database: Database, histories: tuple[int, ...]) -> None:
    """Write a taker for each history, in the program's formats."""
    for history in histories:
        database.put_many(TABLE, _rows(history))


def _rows(history: int) -> Iterator[Row]:
    """Yield the rows, newest order first: locked ones, then filled ones."""
    for number in range(LIVE_LOCKS):
        locked = _order(history, number, Status.LOCKED)
        yield from (row_of(locked), nonce_row(locked), locked_row(locked, TAKER, f"ref-{number:06d}", NOW_S + 3600))
    for number in range(LIVE_LOCKS, LIVE_LOCKS + history):
        is_open = number % OPEN_EVERY == 0
        filled = _order(history, number, Status.PARTIALLY_FILLED if is_open else Status.FILLED)
        fill = _fill(filled, f"ref-{number:06d}")
        if is_open:
            filled = filled.with_unfinished_taker(TAKER)
            yield unfinished_row(filled, TAKER)
        yield from (row_of(filled), nonce_row(filled), filled_row(filled, fill), *fill_rows(filled, fill))
    yield count_key(instance_of(history), TAKER) | {"filled_orders": history, "fills": history}


def _order(history: int, number: int, status: Status) -> StoredOrder:
    """Return an order. All differ only in creation time, so rows of one kind have the same size."""
    order = SignedOrder(
        MAKER, MAKER, True, "AAPL", 0, ASSET, 150 * 10**18, QUANTITY, 10**18, 4_102_444_800, 10**6 + number
    )
    filled = {Status.LOCKED: 0, Status.PARTIALLY_FILLED: QUANTITY // 2, Status.FILLED: QUANTITY}[status]
    created_at_s = NOW_S - 60 - number * ORDER_EVERY_S
    lock = None if status is Status.PARTIALLY_FILLED else Lock(TAKER, created_at_s + 30, NOW_S + 3600)
    state = State(status, NOTHING, created_at_s + 40, filled, lock, version=2)
    order_hash = f"0x{number + 2**20:032x}{history:032x}"
    return StoredOrder(
        instance_of(history),
        order_hash,
        order,
        "0x" + "ab" * 65,
        STOCK,
        18,
        created_at_s,
        state,
        True,
        "cmd_" + "0" * 26,
    )


def _fill(stored: StoredOrder, reference_id: str) -> Fill:
    return Fill(
        fill_id=fill_id_of(stored.order_hash, reference_id),
        order_id=stored.order_id,
        order_hash=stored.order_hash,
        taker=TAKER,
        quantity=stored.state.filled,
        amount=stored.order.value(18),
        fee=0,
        incentive=10**17,
        asked_incentive=None,
        status=stored.state.status,
        reference_id=reference_id,
        created_at_s=stored.state.updated_at_s,
        tx_hash=None,
        block_number=None,
    )


def print_line(listing: Listing, history: int, one: Measured) -> None:
    cost = one.cost
    numbers = f"{one.rows:>6}{one.calls:>8,}{cost.rows_read:>11,}{cost.read_units:>12,.1f}{one.milliseconds:>12,.1f}"
    print(f"{listing.name:<52}{history:>9,}{numbers}", flush=True)


def main() -> None:
    with engine_database() as database:
        print(f"{machine()}; 20 rows a page")
        write_takers(database, HISTORIES)
        print(f"{'page':<52}{'history':>9}{'rows':>6}{'calls':>8}{'rows read':>11}{'read units':>12}{'ms':>12}")
        first_pages: dict[Listing, list[Measured]] = {}
        for listing in FIRST_PAGES + OTHER_PAGES:
            for history in listing.histories:
                measured = measure(database, listing, history)
                print_line(listing, history, measured)
                if listing in FIRST_PAGES:
                    first_pages.setdefault(listing, []).append(measured)
        check(first_pages)
        print("first pages of all orders and of all fills cost the same whatever lies behind them")


if __name__ == "__main__":
    main()
