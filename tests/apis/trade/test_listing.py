"""GET /orders: the list of a customer's orders, member by member, filter by filter, page by page (R15 to R22)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks import trade_listing
from chalicelib.apis.trade.ids import shown
from chalicelib.apis.trade.paging import COUNT_MAX
from chalicelib.domain.books.orders import OrderRow
from chalicelib.domain.books.vocabulary import BookStatus, OrderStatus
from chalicelib.tables.dynamodb import Database
from chalicelib.wiring.trade import new_trade_desk
from tests.apis.trade.desk import MASTER_KEY, SignedDesk, fault_of, open_trade_desk
from tests.apis.trade.rows import (
    DAY_MS,
    INVALID,
    LIST,
    NOW_MS,
    OPEN_LIST,
    an_order,
    id_at,
    ids_of,
    page,
    put_many,
    put_orders,
)
from tests.tables.test_listing_cost import Reads
from tests.world import BOOK_ID, World


def put(desk: SignedDesk, *rows: OrderRow) -> None:
    put_orders(desk.world.database, rows)


def test_an_order_is_listed_as_soon_as_its_creation_was_answered(memory_database: Database) -> None:
    """R21: of either desk, before it was matched, and whatever another host's clock said."""
    world = World(memory_database)
    desk = open_trade_desk(world, clock=lambda: NOW_MS)
    order_id = world.placed("ann", "BUY", 10, 5)  # dated by the real clock: long after the desk's
    (row,) = page(desk)["orders"]
    assert (row["id"], row["status"], row["executed_amount"]) == (shown(order_id), "open", 0)
    assert row["create_date"] == row["update_date"]
    assert "external_id" not in row


def test_a_customer_sees_its_own_orders_only(archive: SignedDesk) -> None:
    put_orders(archive.world.database, [an_order(order_id=id_at("ord", NOW_MS - 1), customer="ben")], customer="ben")
    put_orders(archive.world.database, [an_order(order_id=id_at("ord", NOW_MS - 2))], instance="inst_other000")
    assert page(archive)["orders"] == []
    assert len(page(archive.as_customer("ben"))["orders"]) == 1


def test_the_first_faulty_parameter_of_the_table_is_named_and_before_an_unknown_pair(archive: SignedDesk) -> None:
    """R10: form before existence."""
    faults = [
        "status",
        "side",
        "type",
        "ids",
        "start_date",
        "end_date",
        "updated_since",
        "page_size",
        "current_page",
        "c",
    ]
    query = dict.fromkeys(reversed(faults), "?")
    for field in faults:
        assert fault_of(archive.get(LIST, query | {"pair": "NOPE_Q"})) == (400, 40000, INVALID.format(field))
        del query[field]
    assert fault_of(archive.get(LIST, {"pair": "NOPE_Q"})) == (404, 40400, "Pair not found.")


def test_a_list_covers_every_book_that_has_or_had_the_pair_and_no_other(archive: SignedDesk) -> None:
    """R15: closed books too."""
    other = replace(archive.world.config, book_id="ob_closed", status=BookStatus.CLOSED)
    hidden = replace(archive.world.config, book_id="ob_hidden", symbol="B-Q", quote_asset="0x" + "d" * 40)
    for book in (other, hidden):
        archive.world.books.create(book)
    times = {BOOK_ID: NOW_MS - 1, "ob_closed": NOW_MS - 2, "ob_hidden": NOW_MS - 3}
    put(archive, *(an_order(order_id=id_at("ord", at_ms), book_id=book) for book, at_ms in times.items()))
    ids = [shown(id_at("ord", NOW_MS - 1)), shown(id_at("ord", NOW_MS - 2))]
    assert (
        ids_of(page(archive)) == ids_of(page(archive, OPEN_LIST)) == ids_of(page(archive, OPEN_LIST, pair="b_q")) == ids
    )


@pytest.mark.parametrize("query", [{"status": "open"}, {"status": "open,executed_partially", "type": "limit"}])
def test_live_orders_are_counted_without_reading_the_history(archive: SignedDesk, query: dict[str, str]) -> None:
    put_many(archive, 500, status=OrderStatus.FILLED)
    put_many(archive, 5, NOW_MS - 2 * DAY_MS)
    reads = Reads(archive.world.database)
    counted = replace(archive, desk=new_trade_desk(reads.database, master_key=lambda: MASTER_KEY, clock=lambda: NOW_MS))
    assert page(counted, **query)["pagination"]["registers_count"] == 5
    assert reads.rows < 20


def counting(desk: SignedDesk) -> tuple[SignedDesk, Reads]:
    """Return the same desk, and what it reads from now on."""
    reads = Reads(desk.world.database)
    counted = new_trade_desk(reads.database, master_key=lambda: MASTER_KEY, clock=lambda: NOW_MS)
    return replace(desk, desk=counted), reads


def test_a_list_costs_the_same_however_many_orders_there_are() -> None:
    """R18: the first page, one behind a cursor, balances of a day, a statement."""
    reads = trade_listing.check((1400, 2600))
    assert reads[trade_listing.FIRST].units <= 65
    assert reads[trade_listing.BEHIND].rows <= COUNT_MAX + 250
    assert reads[trade_listing.YESTERDAY].rows <= 3 * trade_listing.TODAY + 20


def test_what_has_changed_costs_what_the_books_have_decided_since(memory_database: Database) -> None:
    """R63: not the customer's history."""
    desk = open_trade_desk(World(memory_database), clock=lambda: NOW_MS)
    put_many(desk, 1500, status=OrderStatus.FILLED)
    world = desk.world
    world.now_ms = NOW_MS - 10
    changed = [world.placed("ann", "BUY", 10, 5) for _ in range(3)]
    world.deliver()
    counted, reads = counting(desk)
    found = page(counted, updated_since="2025-03-04T11:59:59.990Z")
    assert ids_of(found) == [shown(order_id) for order_id in reversed(changed)]
    assert reads.rows < 30
