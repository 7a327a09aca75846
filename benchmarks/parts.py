"""The parts of ``make bench``: each measures some figures over empty tables, with the functions of its module."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TypeVar

from benchmarks import cold_start, core_types, journal_bytes
from benchmarks.book_paths import (
    LEVELS,
    one_to_one,
    one_to_one_in_tens,
    open_venue,
    rest_and_cancel,
    takers_against_one_maker,
)
from benchmarks.cold_load import seconds_to_load
from benchmarks.core import BRISK, DEEP, PEER_INSTALL, compare, resting
from benchmarks.costs import CALL_MS, MATCH_MB, orders_a_second_and_shard
from benchmarks.counting import Path as OrderPath
from benchmarks.counting import of_least_cpu
from benchmarks.engine import DelayedClient
from benchmarks.figures import Figure
from benchmarks.histories import write_history
from benchmarks.listing import OPEN, PAGE_ROWS
from benchmarks.local_cpu import local_run_cpu_ms
from benchmarks.meter import Bill, metered
from benchmarks.over_http import placement_and_listing
from benchmarks.pipeline import against_puts, decided_by_the_clock
from chalicelib.support.clock import now_ms
from chalicelib.tables import tenants
from chalicelib.tables.dynamodb import Database
from chalicelib.wiring.book import new_book_desk
from infra.settings import ROOT

PARTITION_UNITS = 1000
"""Write units a second of one partition of DynamoDB."""
LARGE = 1000
"""Orders of a pipeline that is measured once."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured.

    orders: of each path. rounds: repetitions, of which the best or the median counts. batches: of the pipeline, each
    with the number of its orders. puts: of the engine, each time that its rate is taken. requests: over HTTP, of each
    kind. commands: of the core. resting: orders in its books. open_orders: in the book that is loaded. feed_s: seconds
    of load while subscribers follow.
    """

    orders: int = 100
    rounds: int = 3
    levels: int = LEVELS
    batches: tuple[tuple[int, int], ...] = ((1, 50), (10, 100), (100, 200), (1000, 1000))
    puts: int = 200
    requests: int = 300
    commands: int = 100_000
    resting: tuple[int, ...] = (1_000, 10_000, 100_000, 1_000_000)
    open_orders: int = 100_000
    feed_s: int = 40


ALONE = """
import pickle, sys
measure, arguments = pickle.load(sys.stdin.buffer)
sys.stdout.buffer.write(pickle.dumps(measure(*arguments)))
"""

T = TypeVar("T")
Empty = Iterator[Database]
Part = Callable[[Empty, Scale], Iterator[Figure]]


def alone(measure: Callable[..., T], *arguments: object) -> T:
    """Call a module's function in a new process that has imported this module alone, as a stranger would.

    The garbage collector goes through everything that a process has imported.
    """
    call = pickle.dumps((measure, arguments))
    done = subprocess.run([sys.executable, "-c", ALONE], cwd=ROOT, input=call, stdout=subprocess.PIPE, check=True)
    found: T = pickle.loads(done.stdout)
    return found


def core(_empty: Empty, scale: Scale) -> Iterator[Figure]:
    how = f"{scale.commands:,} commands built, events kept; median of {scale.rounds}"
    for name, kind in (("brisk", BRISK), ("deep", DEEP)):
        found = alone(compare, kind, scale.commands, scale.rounds)
        yield Figure(f"core.{name}.per_second", found.core, "commands/s", how)
        against = f"without it: {PEER_INSTALL}" if found.ratio is None else f"same process; {how}"
        yield Figure(f"core.{name}.of_peer", found.ratio, "of the peer", against)
    for orders in scale.resting:
        book = alone(resting, orders, scale.commands // 5)
        how = f"beside {orders:,} resting orders; once"
        yield Figure(f"core.resting_{orders}.bytes_per_order", book.bytes_per_order, "bytes", how)
        yield Figure(f"core.resting_{orders}.per_second", book.commands_per_second, "commands/s", how)
        yield Figure(f"core.resting_{orders}.collection_s", book.collection_s, "s", f"a full garbage collection, {how}")
    parked = max(scale.resting[-2:][0], 1)
    cost = alone(core_types.measure, parked, scale.commands // 5, scale.rounds)
    how = f"{scale.commands // 5:,} commands; medians of {scale.rounds} rounds"
    yield Figure("core.stop_limit.of_plain", cost.stop_limit, "of the time", f"beside {parked:,} parked; {how}")
    yield Figure("core.trailing.of_plain", cost.trailing, "of the time", f"beside {parked:,} parked; {how}")
    yield Figure("core.protected.of_plain", cost.protected, "of the time", f"price band and circuit breaker; {how}")


def journal(_empty: Empty, scale: Scale) -> Iterator[Figure]:
    cost = alone(journal_bytes.measure, max(1, scale.orders // 3), 5 * scale.rounds)
    how = f"encode, hash, compress, in batches of {journal_bytes.BATCH}; best of {5 * scale.rounds}"
    yield Figure("journal.us_per_order", cost.us, "us/order", how)
    yield Figure("journal.stored_bytes_per_order", cost.stored_bytes, "bytes/order", "random ids, compressed")


BOOK_PATHS: dict[str, Callable[..., OrderPath]] = {
    "one_to_one": one_to_one,
    "takers_against_one_maker": takers_against_one_maker,
    "rest_and_cancel": rest_and_cancel,
    "batch_of_ten": one_to_one_in_tens,
}


def paths(empty: Empty, scale: Scale) -> Iterator[Figure]:
    """Units, trips, CPU time and the orders a second that follow from them."""
    found = {
        name: of_least_cpu(
            [run(next(empty), name, scale.orders, 100, levels=scale.levels) for _ in range(scale.rounds)]
        )
        for name, run in BOOK_PATHS.items()
    }
    pairs = found["one_to_one"]
    admission, matching = pairs.steps
    counted = f"counted, batches of 100, book of {scale.levels} levels"
    cpu = f"CPU of Python and the SDK an order, batches of 100; least of {scale.rounds} runs of {scale.orders} orders"
    arithmetic = f"each another customer's: rounds x {CALL_MS:.0f} ms + CPU at {MATCH_MB:,} MB, computed"
    yield Figure("one_book_orders_per_second", orders_a_second_and_shard(pairs), "orders/s", arithmetic)
    bound = f"{PARTITION_UNITS:,} units a second of the inbox's partition / its units an order"
    for name, path in (("one_to_one", pairs), ("batch_of_ten", found["batch_of_ten"])):
        admitted = PARTITION_UNITS / path.steps[0].tables["inbox"]
        yield Figure(f"one_book_admissions_per_second.{name}", admitted, "orders/s", bound, is_count=True)
    for name, path in found.items():
        yield Figure(f"write_units.{name}", path.write_units, "units/order", counted, is_count=True)
    yield Figure("cpu_ms.admission", admission.cpu_ms, "ms/order", cpu)
    yield Figure("cpu_ms.matching", matching.cpu_ms, "ms/order", cpu)
    for name, path in found.items():
        yield Figure(f"path_cpu_ms.{name}", sum(step.cpu_ms for step in path.steps), "ms/order", f"{cpu}, all steps")
    yield Figure("trips.placement", admission.rounds, "round trips", "counted, mean", is_count=True)


def listing_bill(database: Database) -> Bill:
    """Return what a page of open orders costs, with its key check and its count."""
    open_venue(database, [])
    write_history(database, "cust_000100", 100, 2 * PAGE_ROWS, now_ms())
    served, meter = metered(database)
    desk = new_book_desk(served)
    for _ in range(2):
        meter.take()
        response = desk.answer(OPEN.request(customerRef="cust_000100"))
        assert response.body.count('"id":') == PAGE_ROWS, response.body
    return meter.take()


def listing(empty: Empty, _scale: Scale) -> Iterator[Figure]:
    bill = listing_bill(next(empty))
    read = bill.total.read_units - bill.of(tenants.TABLE).read_units
    page = f"counted, a page of {PAGE_ROWS} open orders"
    yield Figure("listing_read_units", read, "units", f"{page}, without the key check", is_count=True)
    yield Figure("trips.listing", bill.rounds, "round trips", page, is_count=True)


def pipeline(empty: Empty, scale: Scale) -> Iterator[Figure]:
    how = "orders/s / conditional puts/s, one after the other, of the same engine in the same run"
    admitted = []
    for batch, orders in scale.batches:
        found = [
            against_puts(empty, orders, batch, scale.puts, scale.levels) for _ in range(2 if orders < LARGE else 1)
        ]
        admitted += [admission for admission, _ in found]
        matched = max(matching for _, matching in found)
        yield Figure(f"pipeline.batches_of_{batch}", matched, "of puts", f"matching {orders}: {how}")
    yield Figure("pipeline.admission", median(admitted), "of puts", f"one after the other: {how}")


def clock(empty: Empty, scale: Scale) -> Iterator[Figure]:
    delayed = DelayedClient(next(empty)._client, CALL_MS)
    rates = [decided_by_the_clock(empty, delayed, scale.orders) for _ in range(scale.rounds)]
    how = f"by the clock, {CALL_MS:.0f} ms added to each call of the embedded engine; best of {scale.rounds}"
    yield Figure("one_book_orders_per_second_by_the_clock", max(rates), "orders/s", how)


def http(empty: Empty, scale: Scale) -> Iterator[Figure]:
    names = ("placement", "listing")
    for name, latency in zip(names, placement_and_listing(next(empty), scale.requests), strict=True):
        how = f"{scale.requests} requests on one connection, local server, embedded engine"
        yield Figure(f"http.{name}.p50_ms", latency.p50_ms, "ms", how)
        yield Figure(f"http.{name}.p99_ms", latency.p99_ms, "ms", how)
        yield Figure(f"http.{name}.outside_share", latency.outside_share, "", "of the time, outside DynamoDB's client")


def load(empty: Empty, scale: Scale) -> Iterator[Figure]:
    how = f"a book of {scale.open_orders:,} open orders from an embedded engine, median of {scale.rounds}"
    yield Figure("book_load_s", seconds_to_load(next(empty), scale.open_orders, scale.rounds), "s", how)


def local(_empty: Empty, scale: Scale) -> Iterator[Figure]:
    found = local_run_cpu_ms(scale.requests)
    how = f"a placement and its cancel, all processes of a local run; {scale.requests} of each, less what it uses idle"
    yield Figure("local_cpu_ms.place_and_cancel", found.total_ms, "ms", how)
    yield Figure("local_cpu_ms.place", sum(found.place.values()), "ms", how)
    yield Figure("local_cpu_ms.cancel", sum(found.cancel.values()), "ms", how)


def start(_empty: Empty, scale: Scale) -> Iterator[Figure]:
    runs = 2 * scale.rounds
    with tempfile.TemporaryDirectory() as folder:
        try:
            made = cold_start.package(Path(folder))
        except (AssertionError, subprocess.TimeoutExpired) as failure:
            reason = f"not measured: no package ({str(failure).strip().splitlines()[-1][:80]})"
            yield from (Figure(name, None, "", reason) for name in ("cold_start_ms", "cold_start_cpu_ms", "package_mb"))
            return
        for function in cold_start.TARGETS_MS:
            steps = cold_start.starts(made.folder, function, isolated=True, runs=runs)
            how = f"from the package in a new process; best of {runs}"
            yield Figure(f"cold_start_ms.{function}", min(step.wall_ms for step in steps), "ms", f"by the clock, {how}")
            yield Figure(f"cold_start_cpu_ms.{function}", min(step.cpu_ms for step in steps), "ms", f"CPU, {how}")
        yield Figure("package_mb.trimmed", made.trimmed / 1e6, "MB", "the functions' package", is_count=True)
        yield Figure("package_mb.unpacked", made.unpacked / 1e6, "MB", "the functions' package", is_count=True)


def feed(_empty: Empty, scale: Scale) -> Iterator[Figure]:
    """From decided to received, while nothing is killed or cut; empty if nothing came by a way."""
    command = [sys.executable, "benchmarks/feed.py", "--seconds", str(scale.feed_s), "--json"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    report = json.loads(done.stdout)
    how = f"make feed SECONDS={scale.feed_s}: 20 subscribers, 4 clients, 35 orders a second, before any kill or cut"
    for way, name in (("long poll", "long_poll"), ("WebSocket", "websocket")):
        delays = report["decided to received, ms"].get(f"{way}, undisturbed", {})
        for percent in ("p50", "p99"):
            yield Figure(f"feed.{name}.{percent}_ms", delays.get(percent), "ms", f"by {way}; {how}")
    yield Figure("feed.orders_per_second", report["orders a second"], "1/s", f"{how}, and as fast as may be after")


PARTS: dict[str, Part] = {
    "core": core,
    "journal": journal,
    "paths": paths,
    "listing": listing,
    "pipeline": pipeline,
    "clock": clock,
    "http": http,
    "load": load,
    "local": local,
    "feed": feed,
    "start": start,
}
