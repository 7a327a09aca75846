"""Benchmark: CPU time and log volume of telemetry: ``python benchmarks/telemetry_cost.py``.

Batches of orders are matched over in-memory tables, where the share of telemetry is largest: without an observer, and
with the match function's log lines and metrics. Rounds alternate, measured in CPU time; the best of each counts. Bytes
are those sent to CloudWatch for a batch of one order, for a full batch, and for a placed order.
"""

from __future__ import annotations

import gc
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from functools import partial
from io import StringIO
from pathlib import Path
from time import process_time
from typing import Any, TextIO

sys.path.insert(0, str(Path(__file__).parent.parent))

from chalicelib.apis.kit.http import HttpRequest
from chalicelib.domain.books.admission import OrderRequest
from chalicelib.domain.books.vocabulary import OrderType, TimeInForce
from chalicelib.domain.ledger.amounts import Side
from chalicelib.services.books.matcher import Matcher
from chalicelib.services.books.metrics import MatchTelemetry
from chalicelib.services.books.stream import match_records
from chalicelib.services.books.telemetry import UNWATCHED, MatchObserver
from chalicelib.support.clock import now_ms
from chalicelib.support.telemetry import SERVICE, add_log_members, invocation, order_admitted
from chalicelib.tables.dynamodb import Database
from infra.tables import create_tables
from tests.memory import MemoryDynamoDB
from tests.world import BASE, INSTANCE, QUOTE, World, record_of

BATCH, BATCHES, ROUNDS = 1000, 2, 3
FUNDS = 10**12


def prepared() -> World:
    """Return a book whose stream holds the batches; every second order trades with the one before it."""
    client: Any = MemoryDynamoDB()
    create_tables(client, "telemetry")
    world = World(Database(client, "telemetry"))
    for customer in ("ann", "ben"):
        for asset in (BASE, QUOTE):
            world.credit(customer, asset, FUNDS)
    for number in range(BATCH * BATCHES):
        customer, side = (("ann", "BUY"), ("ben", "SELL"))[number % 2]
        world.admission.place(*world.book.split("/"), request_of(customer, side))
    world.records = [record_of(row, number) for number, row in enumerate(world.inbox_rows(), 1)]
    return world


def request_of(customer: str, side: str) -> OrderRequest:
    return OrderRequest(customer, Side(side), OrderType.LIMIT, TimeInForce.GTC, 50, 10)


def commands_a_second(observer: MatchObserver) -> float:
    world = prepared()
    matcher = Matcher(world.database, now_ms, observer)
    gc.collect()
    started = process_time()
    for first in range(0, len(world.records), BATCH):
        with invocation("match_inbox", None):
            failed = match_records(matcher, world.records[first : first + BATCH], observer)
        assert not failed
    return len(world.records) / (process_time() - started)


@contextmanager
def written_to(stream: TextIO) -> Iterator[None]:
    """Redirect log lines and metrics to this stream."""
    handler = logging.getLogger(SERVICE).handlers[0]
    assert isinstance(handler, logging.StreamHandler)
    before = handler.setStream(stream)
    try:
        with redirect_stdout(stream):
            yield
    finally:
        handler.setStream(before)


def bytes_of(work: Callable[[], object]) -> int:
    """Return the number of bytes that some work writes."""
    stream = StringIO()
    with written_to(stream):
        work()
    return len(stream.getvalue().encode())


def matching(world: World, records: int) -> None:
    watch = MatchTelemetry()
    with invocation("match_inbox", Context()):
        match_records(Matcher(world.database, now_ms, watch), world.records[:records], watch)


def placing() -> None:
    request = HttpRequest("POST", None, {}, {}, {}, b"")
    with invocation("api_handler", Context(), request):
        add_log_members(desk="book", instance=INSTANCE)
        order_admitted("book")


class Context:
    aws_request_id = "550e8400-e29b-41d4-a716-446655440000"


def main() -> None:
    rates: dict[str, list[float]] = {"unwatched": [], "watched": []}
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, written_to(nowhere):
        for _ in range(ROUNDS):
            for name, observer in (("unwatched", UNWATCHED), ("watched", MatchTelemetry())):
                rates[name].append(commands_a_second(observer))
    best = {name: max(found) for name, found in rates.items()}
    for name, rate in best.items():
        print(f"{name:9} {rate:8,.0f} commands/s in batches of {BATCH}")
    added_us = (1 / best["watched"] - 1 / best["unwatched"]) * 1e6
    print(f"watching adds {added_us:.1f} us a command")
    for size in (1, BATCH):
        world = prepared()
        print(f"log of a batch of {size}: {bytes_of(partial(matching, world, size))} bytes")
    print(f"log of a request that places an order: {bytes_of(placing)} bytes")


if __name__ == "__main__":
    main()
