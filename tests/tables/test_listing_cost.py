"""A listing costs what it returns, however long the history, counted in rows read."""

from __future__ import annotations

from itertools import islice
from typing import Any

import pytest
from ulid import ULID

from chalicelib.tables.dynamodb import Database
from chalicelib.tables.orders import INDEX_LAG_MS_MAX, Orders
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


def history(database: Database, closed: int, live: int, young: int = 0) -> None:
    """Give the owner old orders: every so many is live still. young: how many of the newest came in the last second."""
    order = {
        "owner": OWNER, "book_id": "ob", "customer": "ann", "side": "BUY", "order_type": "LIMIT", "price": 5,
        "time_in_force": "GTC", "quantity": 10, "filled": 0, "sequence": 1, "updated_at_ms": NOW_MS, "reason": None,
    }  # fmt: skip
    rows = []
    for number in range(closed + live):
        at_ms = NOW_MS - number if number < young else NOW_MS - INDEX_LAG_MS_MAX - 1 - number
        order_id = f"ord_{ULID.from_bytes(at_ms.to_bytes(6, 'big') + bytes(10))}"
        is_live = number % ((closed + live) // live) == 0
        status = {"status": "OPEN", "live": order_id} if is_live else {"status": "FILLED"}
        rows.append(order | {"order_id": order_id} | status)
    database.put_many("orders", rows)


@pytest.mark.parametrize("closed", [100, 3000])
def test_the_first_page_of_open_orders_reads_at_most_twice_its_rows(memory_database: Database, closed: int) -> None:
    """Once in the index, once in the table, whatever has closed in between and however many are open."""
    history(memory_database, closed, live=100)
    reads = Reads(memory_database)
    page = list(islice(Orders(reads.database).live_newest_first(OWNER, NOW_MS, PAGE_ROWS), PAGE_ROWS))
    assert len(page) == PAGE_ROWS
    assert reads.rows <= 2 * PAGE_ROWS


@pytest.mark.parametrize("young", [1, 20, 49, 50, 51, 99])
def test_a_page_that_begins_with_young_orders_reads_at_most_twice_its_rows_too(
    memory_database: Database, young: int
) -> None:
    """Young ones are read from the table at once; only what the page lacks then is read through the index."""
    history(memory_database, closed=0, live=200, young=young)
    reads = Reads(memory_database)
    page = list(islice(Orders(reads.database).live_newest_first(OWNER, NOW_MS, PAGE_ROWS), PAGE_ROWS))
    assert [order.order_id for order in page] == sorted((order.order_id for order in page), reverse=True)
    assert len(page) == PAGE_ROWS
    assert reads.rows <= 2 * PAGE_ROWS


@pytest.mark.parametrize("young", [0, 1, 49, 50, 51, 120])
def test_each_live_order_is_listed_once_however_many_are_young(memory_database: Database, young: int) -> None:
    history(memory_database, closed=0, live=200, young=young)
    listed = [order.order_id for order in Orders(memory_database).live_newest_first(OWNER, NOW_MS, PAGE_ROWS)]
    assert listed == sorted((row["order_id"] for row in memory_database.scan("orders")), reverse=True)
    assert len(listed) == 200


def test_the_first_page_of_all_orders_reads_its_rows(memory_database: Database) -> None:
    history(memory_database, 3000, live=100)
    reads = Reads(memory_database)
    assert len(list(islice(Orders(reads.database).newest_first(OWNER, PAGE_ROWS), PAGE_ROWS))) == PAGE_ROWS
    assert reads.rows == PAGE_ROWS


def test_a_deep_offset_reads_what_it_skips(memory_database: Database) -> None:
    history(memory_database, 3000, live=100)
    reads = Reads(memory_database)
    assert len(list(islice(Orders(reads.database).newest_first(OWNER, PAGE_ROWS), 1000, 1000 + PAGE_ROWS))) == PAGE_ROWS
    assert reads.rows == 1000 + PAGE_ROWS
