"""Counts what a step of the program costs: DynamoDB calls, round trips, capacity units and CPU time.

A step is any code that runs over a metered database (``meter``); its cost is divided by the orders that it handles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from time import process_time

from benchmarks import units
from benchmarks.meter import Bill, metered
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.rows import encode
from infra.tables import table_definitions

STORED_FOR_GOOD = ("journal", "orders", "fills", "accounts", "signed-orders", "escrows", "outbox")


@dataclass(frozen=True, slots=True)
class Step:
    """One order's share of a step. cpu_ms: CPU time on this machine.

    rounds: round trips in sequence; parallel calls are one round.
    """

    name: str
    calls: float
    rounds: float
    write_units: float
    read_units: float
    cpu_ms: float
    tables: dict[str, float] = field(default_factory=dict)
    """Write units by table."""

    def times(self, number: int) -> Step:
        """Return this step repeated a number of times."""
        numbers = (self.calls, self.rounds, self.write_units, self.read_units, self.cpu_ms)
        tables = {table: used * number for table, used in self.tables.items()}
        return Step(self.name, *(value * number for value in numbers), tables)


@dataclass(frozen=True, slots=True)
class Path:
    """An order's life cycle. requests: by clients. stored_bytes: permanent rows, fills included.

    batches: an order's share of runs of the match function.
    """

    name: str
    requests: float
    steps: tuple[Step, ...]
    stored_bytes: float
    batches: float = 0.0

    @property
    def write_units(self) -> float:
        return sum(step.write_units for step in self.steps)

    @property
    def read_units(self) -> float:
        return sum(step.read_units for step in self.steps)


class Counting:
    """Runs steps over a meter and divides them by orders. The meter's own CPU time is excluded."""

    def __init__(self, database: Database) -> None:
        self.plain = database
        self.database, self._meter = metered(database)

    def step(self, name: str, orders: int, work: Callable[[], object]) -> Step:
        self._meter.take()
        started, own_before = process_time(), self._meter.own_cpu_s
        work()
        cpu_ms = (process_time() - started - (self._meter.own_cpu_s - own_before)) * 1000
        return _share(name, self._meter.take(), orders, cpu_ms)

    def stored_bytes(self, orders: int, before: int) -> float:
        return (stored_bytes(self.plain) - before) / orders


def _share(name: str, bill: Bill, orders: int, cpu_ms: float) -> Step:
    total = bill.total
    tables = {table: cost.write_units / orders for table, cost in sorted(bill.tables.items()) if cost.write_units}
    sums = (bill.calls, bill.rounds, total.write_units, total.read_units, cpu_ms)
    return Step(name, *(value / orders for value in sums), tables)


def stored_bytes(database: Database) -> int:
    """Return the bytes of all permanent rows and their index entries."""
    indexes = {one.name: units.indexes_of(one.create_request) for one in table_definitions("x")}
    found = 0
    for table in STORED_FOR_GOOD:
        for row in database.scan(table):
            item = encode(row)
            entries = (index.entry_of(item) for index in indexes[f"x-{table}"])
            found += units.item_bytes(item) + sum(units.item_bytes(entry) for entry in entries if entry)
    return found


def of_least_cpu(found: Iterable[Path]) -> Path:
    """Return one path of several runs of it, each step with its least CPU time: other load only adds time."""
    first, *others = found
    runs = zip(first.steps, *(other.steps for other in others), strict=True)
    return replace(first, steps=tuple(min(run, key=lambda step: step.cpu_ms) for run in runs))
