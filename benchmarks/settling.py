"""What writing side by side is worth, by the clock: ``make costs`` prints it last.

A batch of orders that trade one to one, each another customer's, is matched over the embedded engine while each call to
it is held up by what a call takes on AWS (``costs.CALL_MS``): once with the writes of accounts and order rows in turn,
once as the program does them. Rounds of both in turn; the best of each counts.
"""

from __future__ import annotations

import os
import sys
from itertools import count
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.cold_load import engine_database
from benchmarks.costs import CALL_MS
from benchmarks.order_paths import Counting, Venue, open_venue
from chalicelib.clock import now_ms
from chalicelib.matcher import Matcher
from chalicelib.stores.dynamodb import Database
from chalicelib.stores.side_by_side import SideBySide, Together, in_turn
from chalicelib.stream import match_records
from chalicelib.wiring import WRITES_AT_ONCE
from infra.tables import create_tables

ORDERS, ROUNDS = 100, 3
WAYS: dict[str, Together] = {
    "in turn": in_turn,
    f"{WRITES_AT_ONCE} at once": SideBySide(WRITES_AT_ONCE),
}


class HeldUp:
    """Holds up the calls of a client, while it is told to."""

    def __init__(self, client: Any) -> None:
        self.is_on = False
        self.calls = 0
        client.meta.events.register("before-send.dynamodb", self._hold_up)

    def _hold_up(self, **_facts: Any) -> None:
        if self.is_on:
            self.calls += 1
            sleep(CALL_MS / 1000)


def batch_seconds(client: Any, prefix: str, together: Together, held_up: HeldUp) -> float:
    """Return how long a matcher takes for the batch; its book and its customers are new."""
    create_tables(client, prefix)
    database = Database(client, prefix)
    customers = [f"cust_{number:06d}" for number in range(ORDERS)]
    open_venue(database, customers)
    venue = Venue(Counting(database))
    for number, customer in enumerate(customers):
        venue.place(customer, ("SELL", "BUY")[number % 2])
    records = venue.records()
    matcher = Matcher(Database(client, prefix, together=together), now_ms)
    held_up.is_on, held_up.calls = True, 0
    started = perf_counter()
    failed = match_records(matcher, records)
    seconds = perf_counter() - started
    held_up.is_on = False
    assert not failed
    return seconds


def main() -> None:
    os.environ["POWERTOOLS_LOG_LEVEL"] = "ERROR"
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    numbers = count(1)
    with engine_database() as engine:
        client: Any = engine._client
        held_up = HeldUp(client)
        for _ in range(ROUNDS):
            for way, together in WAYS.items():
                seconds[way].append(batch_seconds(client, f"settling{next(numbers)}", together, held_up))
    print(
        f"A batch of {ORDERS} orders by the clock, {held_up.calls} calls of {CALL_MS:.0f} ms and the engine's own time:"
    )
    for way, taken in seconds.items():
        print(
            f"  writes {way}: {min(taken) / ORDERS * 1000:.1f} ms an order, {ORDERS / min(taken):.0f} orders a second"
        )


if __name__ == "__main__":
    main()
