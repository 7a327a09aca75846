"""Costs of an order on AWS by unit, and of 1, 100 and 10,000 orders a second for a month: ``make costs``.

Units and calls are counted (``book_paths``, ``desk_paths``); money is computed from the prices below. Two figures
cannot be measured here and are assumptions, also below: the duration of a DynamoDB call from a function, and the size
of a log line.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from app import SWEEP_RUN_S
from benchmarks.book_paths import one_to_one, one_to_one_in_tens, rest_and_cancel, takers_against_one_maker
from benchmarks.counting import Path as OrderPath
from benchmarks.counting import Step, of_least_cpu
from benchmarks.desk_paths import escrow_path, lapse_step, release_step, signed_path
from benchmarks.engine import DelayedClient, databases, engine_database, machine
from benchmarks.figures import rounded
from benchmarks.pipeline import expired_by_the_clock, fired_by_the_clock
from chalicelib.tables.dynamodb import Database
from infra.settings import ROOT

RATES = (1, 100, 10_000)
SECONDS_A_MONTH = 30 * 86_400
MILLION, GB = 10**6, 2**30
SWEPT, ROUNDS = 100, 3

# us-east-1, USD, list prices of 2025 without free tiers and discounts; Lambda on x86.
WRITE_UNITS, READ_UNITS = 0.625 / MILLION, 0.125 / MILLION
STORED_GB_MONTH, BACKED_UP_GB_MONTH = 0.25, 0.20
GB_SECOND, CALL_OF_FUNCTION = 0.0000166667, 0.20 / MILLION
REST_API = ((333e6, 3.50 / MILLION), (1e9, 2.80 / MILLION), (20e9, 2.38 / MILLION), (float("inf"), 1.51 / MILLION))
HTTP_API = ((300e6, 1.00 / MILLION), (float("inf"), 0.90 / MILLION))
"""API Gateway's prices of a request: up to how many requests of the month, and USD each."""
LOGGED_GB = 0.50
Tiers = tuple[tuple[float, float], ...]

CALL_MS = 5.0
"""Assumption: duration of a DynamoDB call from a function, a write or a small read."""
LOG_BYTES = 600
"""Assumption: log bytes of one run of a function, with metrics and Lambda's report lines."""
FUNCTIONS = json.loads((ROOT / ".chalice" / "config.json").read_text(encoding="utf-8"))["lambda_functions"]
API_MB, MATCH_MB, SWEEP_MB = (
    FUNCTIONS[name]["lambda_memory_size"] for name in ("api_handler", "match_inbox", "sweep_signed_orders")
)
CORE_MB = 1769
"""Memory at which a function has one full core; its share of CPU is proportional."""


@dataclass(frozen=True, slots=True)
class Month:
    """Costs of a month at one rate, in USD."""

    writes: float
    reads: float
    functions: float
    gateway: float
    logs: float
    stored: float

    @property
    def total(self) -> float:
        return self.writes + self.reads + self.functions + self.gateway + self.logs + self.stored


def run_ms(step: Step, memory_mb: int) -> float:
    """Return the run time of an order's share of a step, in a function of this size."""
    return step.rounds * CALL_MS + step.cpu_ms * max(1.0, CORE_MB / memory_mb)


def gb_seconds(path: OrderPath) -> float:
    """Return an order's GB-seconds: matching in the match function, everything else in the API's."""
    total = 0.0
    for step in path.steps:
        memory_mb = MATCH_MB if step.name.startswith("matching") else API_MB
        total += run_ms(step, memory_mb) / 1000 * memory_mb / 1024
    return total


def gateway_usd(requests: float, tiers: Tiers = REST_API) -> float:
    """Return API Gateway's price for a month's requests, REST_API or HTTP_API."""
    cost, begun = 0.0, 0.0
    for end, price in tiers:
        cost += max(0.0, min(requests, end) - begun) * price
        begun = end
    return cost


def month_of(path: OrderPath, orders_a_second: float) -> Month:
    """Return the costs of a month. stored: of the month's orders, for each month that they are kept."""
    orders = orders_a_second * SECONDS_A_MONTH
    runs = orders * (path.requests + path.batches)
    return Month(
        writes=orders * path.write_units * WRITE_UNITS,
        reads=orders * path.read_units * READ_UNITS,
        functions=orders * gb_seconds(path) * GB_SECOND + runs * CALL_OF_FUNCTION,
        gateway=gateway_usd(orders * path.requests),
        logs=runs * LOG_BYTES / GB * LOGGED_GB,
        stored=orders * path.stored_bytes / GB * (STORED_GB_MONTH + BACKED_UP_GB_MONTH),
    )


def orders_a_second_and_shard(path: OrderPath) -> float:
    """Return the orders a second that one matcher decides and projects, with its calls in sequence."""
    busy_ms = sum(run_ms(step, MATCH_MB) for step in path.steps if step.name.startswith("matching"))
    return 1000 / busy_ms


def usd(amount: float) -> str:
    """Return an amount as text, rounded to three digits: CPU time, a part of it, varies by more."""
    return f"${rounded(amount):,.{2 if amount < 100 else 0}f}"


def unit_lines(found: list[OrderPath]) -> Iterator[str]:
    yield "| path, step | calls | rounds | write units | read units | ms of a core | of the write units, by table |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for path in found:
        yield (
            f"| **{path.name}** | {sum(step.calls for step in path.steps):.1f} | "
            f"{sum(step.rounds for step in path.steps):.1f} | {path.write_units:.1f} | "
            f"{path.read_units:.1f} | {sum(step.cpu_ms for step in path.steps):.1f} | "
            f"{path.stored_bytes:,.0f} bytes stay |"
        )
        for step in path.steps:
            tables = ", ".join(f"{table} {used:.2g}" for table, used in step.tables.items())
            shares = (step.calls, step.rounds, step.write_units, step.read_units)
            yield f"| {step.name} | {' | '.join(f'{share:.1f}' for share in shares)} | {step.cpu_ms:.1f} | {tables} |"


def month_lines(found: list[OrderPath]) -> Iterator[str]:
    yield "| path | orders a second | writes | reads | functions | gateway | logs | stored | total a month |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    for path in found:
        for rate in RATES:
            month = month_of(path, rate)
            parts = (month.writes, month.reads, month.functions, month.gateway, month.logs, month.stored, month.total)
            yield f"| {path.name} | {rate:,} | " + " | ".join(map(usd, parts)) + " |"


def million_lines(found: list[OrderPath]) -> Iterator[str]:
    yield "| path | writes | reads | functions | gateway | logs | a million orders | orders a second and matcher |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
    for path in found:
        month = month_of(path, 1)
        share = MILLION / SECONDS_A_MONTH
        parts = (month.writes, month.reads, month.functions, month.gateway, month.logs)
        speed = f"{rounded(orders_a_second_and_shard(path)):,.0f}" if path.batches else ""
        cells = [usd(part * share) for part in (*parts, sum(parts))]
        yield f"| {path.name} | " + " | ".join(cells) + f" | {speed} |"


def sweep_lines(steps: list[Step]) -> Iterator[str]:
    yield "| an order that is swept | calls | rounds | write units | read units | ms of a core | orders a second |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for step in steps:
        shares = (step.calls, step.rounds, step.write_units, step.read_units)
        speed = 1000 / run_ms(step, SWEEP_MB) * SWEEP_RUN_S / 60
        yield f"| {step.name} | {' | '.join(f'{share:.1f}' for share in shares)} | {step.cpu_ms:.1f} | {speed:.0f} |"


def paths(empty: Iterator[Database], orders: int = 100) -> list[OrderPath]:
    """Return the paths, each of the least CPU time of some runs, each run over its own empty tables.

    orders: number in each path; even, and too few for a snapshot.
    """
    runs: list[Callable[[Database], OrderPath]] = [
        lambda tables: one_to_one(tables, "book, one by one", orders, 1),
        lambda tables: one_to_one(tables, "book, batches of 10", orders, 10),
        lambda tables: one_to_one(tables, "book, batches of 100", orders, 100),
        lambda tables: one_to_one(tables, "book, batches of 100, 20 customers", orders, 100, customers=20),
        lambda tables: takers_against_one_maker(tables, "book, takers against one maker, batches of 100", orders, 100),
        lambda tables: one_to_one_in_tens(tables, "book, ten orders a request, batches of 100", orders, 100),
        lambda tables: rest_and_cancel(tables, "book, rests and is cancelled, batches of 100", orders, 100),
        lambda tables: signed_path(tables, "signed order, filled at once", orders),
        lambda tables: escrow_path(tables, "escrow order, paid and released", orders),
    ]
    return [of_least_cpu([run(next(empty)) for _ in range(ROUNDS)]) for run in runs]


def main() -> None:
    os.environ["POWERTOOLS_LOG_LEVEL"] = "ERROR"
    with engine_database() as engine:
        empty = databases(engine)
        found = paths(empty)
        swept = [lapse_step(next(empty), SWEPT), release_step(next(empty), SWEPT)]
        delayed = DelayedClient(engine._client, CALL_MS)
        expired = max(expired_by_the_clock(empty, delayed) for _ in range(ROUNDS))
        fired = max(fired_by_the_clock(empty, delayed) for _ in range(ROUNDS))
    print(f"{machine()}\n")
    for lines in (unit_lines(found), million_lines(found), month_lines(found), sweep_lines(swept)):
        print("\n".join(lines), end="\n\n")
    print(f"of orders that expire together, {expired:.0f} a second end, with calls of {CALL_MS:.0f} ms")
    print(f"of switches that are due together, {fired:.0f} a second fire")


if __name__ == "__main__":
    main()
