"""A listing costs what it returns, however long the history, counted in rows read."""

from __future__ import annotations

from itertools import islice
from typing import Any

import pytest
from ulid import ULID

from chalicelib.tables.dynamodb import Database
from chalicelib.tables.orders import OPEN_TABLE, TABLE, Orders
from chalicelib.tables.rows import Row
from tests.faults import Call, WatchedClient

OWNER = "inst_x/customer/ann"
NOW_MS = 1_736_937_000_000
PAGE_ROWS = 50


class Reads:
    """Counts the rows that queries and reads by key go through."""

    def __init__(self, database: Database) -> None:
        self.rows = 0
        self.database = Database(WatchedClient(database._client, self._count), database._prefix)  # type: ignore[arg-type]

    def _count(self, _operation: str, call: Call) -> Any:
        answer = call()
        self.rows += answer.get("ScannedCount", 0) + sum(map(len, answer.get("Responses", {}).values()))
        return answer


def history(database: Database, closed: int, opened: int) -> None:
    """Give the owner orders: every so many is open still."""
    order = {
        "owner": OWNER, "book_id": "ob", "customer": "ann", "side": "BUY", "order_type": "LIMIT", "price": 5,
        "time_in_force": "GTC", "quantity": 10, "filled": 0, "sequence": 1, "updated_at_ms": NOW_MS,
    }  # fmt: skip
    rows: dict[str, list[Row]] = {OPEN_TABLE: [], TABLE: []}
    for number in range(closed + opened):
        order_id = f"ord_{ULID.from_bytes((NOW_MS - number).to_bytes(6, 'big') + bytes(10))}"
        is_open = number % ((closed + opened) // opened) == 0
        rows[OPEN_TABLE if is_open else TABLE].append(
            order | {"order_id": order_id, "status": "OPEN" if is_open else "FILLED"}
        )
    for table, of_table in rows.items():
        database.put_many(table, of_table)


@pytest.mark.parametrize("closed", [100, 3000])
def test_the_first_page_of_open_orders_reads_its_rows(memory_database: Database, closed: int) -> None:
    """Whatever has closed in between and however many are open."""
    history(memory_database, closed, opened=100)
    reads = Reads(memory_database)
    page = list(islice(Orders(reads.database).open_newest_first(OWNER, PAGE_ROWS), PAGE_ROWS))
    assert len(page) == PAGE_ROWS == reads.rows


@pytest.mark.parametrize(("closed", "opened"), [(0, 200), (49, 1), (300, 100), (100, 300), (50, 50), (51, 49)])
def test_each_order_is_listed_once_newest_first(memory_database: Database, closed: int, opened: int) -> None:
    history(memory_database, closed, opened)
    orders = Orders(memory_database)
    opens = [row["order_id"] for row in memory_database.scan(OPEN_TABLE)]
    everything = opens + [row["order_id"] for row in memory_database.scan(TABLE)]
    for page_rows in (1, 7, 50, 1000):
        listed = [order.order_id for order in orders.newest_first(OWNER, page_rows)]
        assert listed == sorted(everything, reverse=True)
        assert [order.order_id for order in orders.open_newest_first(OWNER, page_rows)] == sorted(opens, reverse=True)


def test_the_first_page_of_all_orders_reads_at_most_twice_its_rows(memory_database: Database) -> None:
    """A page of open orders, and a page of closed ones."""
    history(memory_database, 3000, opened=100)
    reads = Reads(memory_database)
    assert len(list(islice(Orders(reads.database).newest_first(OWNER, PAGE_ROWS), PAGE_ROWS))) == PAGE_ROWS
    assert reads.rows == 2 * PAGE_ROWS


def test_a_deep_offset_reads_what_it_skips(memory_database: Database) -> None:
    history(memory_database, 3000, opened=100)
    reads = Reads(memory_database)
    assert len(list(islice(Orders(reads.database).newest_first(OWNER, PAGE_ROWS), 1000, 1000 + PAGE_ROWS))) == PAGE_ROWS
    assert 1000 + PAGE_ROWS <= reads.rows <= 1000 + 3 * PAGE_ROWS
