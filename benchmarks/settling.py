"""Benchmark: the gain of parallel writes, in wall-clock time; the last part of ``make costs``.

Two workloads run over the embedded engine: matching a batch of orders that trade in pairs, each of another customer,
and closing as many resting orders that expire. Each call is delayed by its duration on AWS (``costs.CALL_MS``). Writes
of accounts and order rows are made once in sequence and once in parallel, as the program does. Rounds of both
alternate; the best of each counts.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.cold_load import engine_database
from benchmarks.costs import CALL_MS
from benchmarks.order_paths import BOOK, INSTANCE, PRICE, QUANTITY, Counting, Venue, open_venue
from chalicelib.domain.books.admission import OrderRequest
from chalicelib.domain.books.vocabulary import OrderType, TimeInForce
from chalicelib.domain.ledger.amounts import Side
from chalicelib.services.books.admission import Admission, Admitted
from chalicelib.services.books.expiry import Expiring
from chalicelib.services.books.matcher import Matcher
from chalicelib.services.books.stream import match_records
from chalicelib.support.clock import now_ms
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.parallel import Runner, ThreadPool, sequentially
from chalicelib.wiring import WRITES_AT_ONCE
from infra.tables import create_tables

ORDERS, ROUNDS = 100, 3
LIFE_MS = 60_000
CUSTOMERS = [f"cust_{number:06d}" for number in range(ORDERS)]
WAYS: dict[str, Runner] = {"in turn": sequentially, f"{WRITES_AT_ONCE} at once": ThreadPool(WRITES_AT_ONCE)}
Work = Callable[[Database], object]


class DelayedClient:
    """Delays the calls of a client while switched on."""

    def __init__(self, client: Any) -> None:
        self._is_on = False
        client.meta.events.register("before-send.dynamodb", self._hold_up)

    def seconds(self, work: Callable[[], object]) -> float:
        """Return how long the work takes with delayed calls."""
        self._is_on = True
        started = perf_counter()
        work()
        taken = perf_counter() - started
        self._is_on = False
        return taken

    def _hold_up(self, **_facts: Any) -> None:
        if self._is_on:
            sleep(CALL_MS / 1000)


def matched(database: Database) -> Work:
    """Place orders that trade in pairs. Return the function that matches them."""
    venue = Venue(Counting(database))
    for number, customer in enumerate(CUSTOMERS):
        venue.place(customer, ("SELL", "BUY")[number % 2])
    records = venue.records()

    def match(there: Database) -> None:
        assert match_records(Matcher(there, now_ms), records) == []

    return match


def expired(database: Database) -> Work:
    """Bring orders to rest that expire at the same time. Return the function that closes them."""
    end_ms, admission = now_ms() + LIFE_MS, Admission(database)
    for customer in CUSTOMERS:
        request = OrderRequest(
            customer, Side.SELL, OrderType.LIMIT, TimeInForce.GTC, PRICE, QUANTITY, expires_at_ms=end_ms
        )
        assert isinstance(admission.place(INSTANCE, BOOK.book_id, request), Admitted)
    assert match_records(Matcher(database, now_ms), Venue(Counting(database)).records()) == []

    def check(there: Database) -> None:
        Expiring(there, Matcher(there, lambda: end_ms), lambda: end_ms).check()
        assert {row["status"] for row in database.scan("orders")} == {"EXPIRED"}

    return check


def main() -> None:
    os.environ["POWERTOOLS_LOG_LEVEL"] = "ERROR"
    numbers = count(1)
    print(f"{ORDERS} orders of as many customers by the clock, calls of {CALL_MS:.0f} ms and the engine's own time:")
    with engine_database() as engine:
        client: Any = engine._client
        delayed = DelayedClient(client)
        for scenario in (matched, expired):
            seconds: dict[str, list[float]] = {way: [] for way in WAYS}
            for way, together in list(WAYS.items()) * ROUNDS:
                prefix = f"settling{next(numbers)}"
                create_tables(client, prefix)
                open_venue(Database(client, prefix), CUSTOMERS)
                work = scenario(Database(client, prefix))
                there = Database(client, prefix, together=together)
                seconds[way].append(delayed.seconds(lambda work=work, there=there: work(there)))  # type: ignore[misc]
            for way, taken in seconds.items():
                print(f"  {scenario.__name__}, writes {way}: {ORDERS / min(taken):.0f} orders a second")


if __name__ == "__main__":
    main()
