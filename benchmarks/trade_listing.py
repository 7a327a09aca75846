"""Benchmark: read units of the trade desk's lists, by length of the history: ``make listings``.

A customer has 2,000, then 10,000, then 100,000 filled orders and credits. Lists are requested through the desk, signed;
``units`` counts what the calls would cost on AWS, the token's row included. The check: a page costs the same behind any
history above the bound of counts (R18), and so do balances of a day since which as much has happened, and a statement.

It runs on the in-memory engine, which is exact in what is read; times would tell nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.meter import metered
from chalicelib.domain.books.vocabulary import OrderStatus
from chalicelib.domain.ledger.owners import customer_key
from chalicelib.domain.ledger.transactions import Movement
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.transactions import Transactions, transaction_for
from chalicelib.tables.writes import Put
from chalicelib.wiring.trade import new_trade_desk
from infra.tables import create_tables
from tests.apis.trade.desk import MASTER_KEY, SignedDesk, data_of, open_trade_desk
from tests.apis.trade.rows import DAY_MS, LIST, NOW_MS, an_order, id_at, put_orders
from tests.memory.client import MemoryDynamoDB
from tests.world import BASE, INSTANCE, World

HISTORIES = (2000, 10_000, 100_000)
TODAY = 300
"""Orders and credits of the last day."""
FIRST, BEHIND, SMALL = "orders, first page of 200", "orders, the page behind nc", "orders, first page of 10"
YESTERDAY, STATEMENT = "balances of yesterday", "statement, first page"


@dataclass(frozen=True, slots=True)
class Read:
    """What a request reads."""

    calls: int
    rows: int
    units: float


def venue() -> SignedDesk:
    """Return the desk over empty tables, at noon of 2025-03-04."""
    client: Any = MemoryDynamoDB()
    create_tables(client, "lists")
    database = Database(client, "lists")
    desk = open_trade_desk(World(database, base_decimals=8), clock=lambda: NOW_MS)
    accounts = [row for row in database.scan("accounts") if row["owner"] == customer_key(INSTANCE, "ann")]
    rich = [row | {"available": row["available"] + TODAY} for row in accounts if "available" in row]
    database.put_many("accounts", rich)  # what the credits of the last day come to
    return desk


def grow(desk: SignedDesk, before: int, after: int) -> None:
    """Give the customer the orders and credits with these numbers; the first TODAY are of the last day."""
    database, transactions = desk.world.database, Transactions(desk.world.database)
    for number in range(before, after):
        at_ms = NOW_MS - number * 1000 if number < TODAY else NOW_MS - 2 * DAY_MS - number * 100
        order = an_order(order_id=id_at("ord", at_ms), status=OrderStatus.FILLED, external_id=f"bot-{number:08d}")
        put_orders(database, [order])
        movement = Movement(INSTANCE, BASE, None, "ann", 1)
        copies = transactions.copies(INSTANCE, transaction_for(movement, id_at("txn", at_ms, number)))
        database.put_many("accounts", [copy.row for copy in copies if isinstance(copy, Put)])


def measured(desk: SignedDesk) -> Iterator[tuple[str, Read]]:
    """Yield each list and what it reads."""
    first = data_of(desk.get(LIST, {"pair": "B_Q"}))
    pages = {
        FIRST: (LIST, {"pair": "B_Q"}),
        BEHIND: (LIST, {"pair": "B_Q", "c": first["nc"]}),
        SMALL: (LIST, {"pair": "B_Q", "page_size": 10}),
        YESTERDAY: ("/trade/user/balances/2025-03-03", {}),
        STATEMENT: ("/trade/user/statement", {}),
    }
    for name, (path, query) in pages.items():
        database, meter = metered(desk.world.database)
        counted = new_trade_desk(database, master_key=lambda: MASTER_KEY, clock=lambda: NOW_MS)
        data_of(replace(desk, desk=counted).get(path, {key: value for key, value in query.items() if value}))
        bill = meter.take()
        yield name, Read(bill.calls, bill.total.rows_read, bill.total.read_units)


def check(histories: tuple[int, ...]) -> dict[str, Read]:
    """Print what each list reads behind each history. Raise AssertionError if that differs; else return it."""
    desk, before = venue(), 0
    seen: dict[str, set[Read]] = {}
    for history in histories:
        grow(desk, before, history)
        before = history
        for name, read in measured(desk):
            print(f"{name:<34}{history:>9,}{read.calls:>7,}{read.rows:>11,}{read.units:>12,.1f}", flush=True)
            seen.setdefault(name, set()).add(read)
    assert all(len(reads) == 1 for reads in seen.values()), seen
    return {name: reads.pop() for name, reads in seen.items()}


def main() -> None:
    print(f"{'list':<34}{'history':>9}{'calls':>7}{'rows read':>11}{'read units':>12}")
    check(HISTORIES)
    print("each list costs the same behind any history")


if __name__ == "__main__":
    main()
