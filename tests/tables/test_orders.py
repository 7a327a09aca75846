"""Order rows: each shows one state, states only advance, and an order is open until it is closed, for all readers."""

from __future__ import annotations

from typing import Any

import pytest
from ulid import ULID

from chalicelib.domain.books.orders import OrderUpdate, TradeSums
from chalicelib.domain.books.vocabulary import CloseReason, OrderStatus, OrderType, PlaceOrder, TimeInForce
from chalicelib.domain.ledger.amounts import Side
from chalicelib.support.ids import time_of
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.orders import OPEN_TABLE, TABLE, Orders
from chalicelib.tables.rows import UnreadableRow
from tests.faults import Call, WatchedClient

OWNER = "inst_x/customer/ann"
NOW_MS = 1_736_937_000_000
OPEN, FILLED = OrderUpdate(OrderStatus.OPEN, 0, None), OrderUpdate(OrderStatus.FILLED, 10, None, TradeSums(50, 1))
PARTLY = OrderUpdate(OrderStatus.PARTIALLY_FILLED, 4, None, TradeSums(20))
CANCELLED = OrderUpdate(OrderStatus.CANCELLED, 4, CloseReason.USER_CANCELLED, TradeSums(20))


@pytest.fixture
def orders(store: Database) -> Orders:
    return Orders(store)


def order_at(at_ms: int = NOW_MS) -> PlaceOrder:
    order_id = f"ord_{ULID.from_bytes(at_ms.to_bytes(6, 'big') + bytes(9) + b'1')}"
    return PlaceOrder(order_id, "ann", Side.SELL, OrderType.LIMIT, TimeInForce.GTC, 5, 10, 10)


def admitted(store: Database, at_ms: int = NOW_MS) -> PlaceOrder:
    """Store the row of a new order; return the order."""
    order = order_at(at_ms)
    store.transact([Orders(store).admit(OWNER, "ob", order)])
    return order


def project(orders: Orders, order: PlaceOrder, update: OrderUpdate, sequence: int) -> None:
    orders.project("ob", [(OWNER, order, update)], sequence, 10 * sequence)


def test_the_time_of_an_id_is_its_admission() -> None:
    """T15"""
    assert time_of("ord_01JHMR6K204D9DMWM0Y7FCREPF") == NOW_MS


def test_a_row_never_goes_back_to_an_earlier_entry(orders: Orders, store: Database) -> None:
    """A slow matcher may write late what another one has gone beyond."""
    order = admitted(store)
    project(orders, order, PARTLY, 2)
    project(orders, order, OPEN, 1)
    row = orders.get(OWNER, order.order_id)
    assert row is not None
    assert (row.status, row.filled, row.notional, row.sequence) == (OrderStatus.PARTIALLY_FILLED, 4, 20, 2)
    project(orders, order, CANCELLED, 3)
    project(orders, order, PARTLY, 2)
    row = orders.get(OWNER, order.order_id)
    assert row is not None
    assert (row.status, row.reason, row.sequence) == (OrderStatus.CANCELLED, CloseReason.USER_CANCELLED, 3)
    assert list(store.scan(OPEN_TABLE)) == []


def test_a_closed_row_has_all_of_the_order_and_is_put_once(orders: Orders, store: Database) -> None:
    """Whoever closes it a second time, a note meanwhile, leaves it as it is."""
    order = admitted(store)
    project(orders, order, CANCELLED, 3)
    orders.note_refused_cancels([(OWNER, order.order_id)], 5)
    project(orders, order, CANCELLED, 3)
    assert list(store.scan(TABLE)) == [
        {
            "owner": OWNER, "order_id": order.order_id, "book_id": "ob", "customer": "ann", "side": "SELL",
            "order_type": "LIMIT", "time_in_force": "GTC", "price": 5, "quantity": 10, "hold": 10, "post_only": False,
            "status": "CANCELLED", "filled": 4, "notional": 20, "fee": 0, "reason": "USER_CANCELLED",
            "sequence": 3, "updated_at_ms": 30, "cancel_refused": 5,
        }
    ]  # fmt: skip


def test_an_update_makes_no_open_row_of_its_own(orders: Orders, store: Database) -> None:
    project(orders, order_at(), OPEN, 1)
    project(orders, order_at(), PARTLY, 2)
    assert list(store.scan(OPEN_TABLE)) == list(store.scan(TABLE)) == []


def test_rows_are_found_by_their_ids_and_tell_whether_they_were_decided(orders: Orders, store: Database) -> None:
    resting, waiting, closed = (admitted(store, NOW_MS + number) for number in range(3))
    project(orders, resting, OPEN, 1)
    project(orders, closed, FILLED, 2)
    ids = [order.order_id for order in (resting, waiting, closed)]
    rows = orders.get_many([(OWNER, order_id) for order_id in (*ids, "ord_none", "external/x")])
    assert {order_id: row.sequence for order_id, row in rows.items()} == dict(zip(ids, (1, None, 2), strict=True))
    assert orders.open_ids([(OWNER, order_id) for order_id in ids]) == set(ids[:2])
    assert orders.get_open(OWNER, ids[2]) is None
    assert orders.placed(OWNER, ids[1]) == waiting


def test_a_crash_half_way_through_a_close_leaves_the_order_open_for_every_reader(
    orders: Orders, store: Database
) -> None:
    """T68: the open row counts until it is deleted, so no reader sees the order closed before another sees it open."""
    newer, order = admitted(store, NOW_MS + 1), admitted(store)
    (_, before) = sorted(store.scan(OPEN_TABLE), key=lambda row: row["order_id"], reverse=True)
    project(orders, order, FILLED, 1)
    store.put_many(OPEN_TABLE, [before])
    both = [newer.order_id, order.order_id]
    for page_rows in (1, 2, 3):
        listed = list(orders.newest_first(OWNER, page_rows))
        assert [(row.order_id, row.status) for row in listed] == [(one, OrderStatus.OPEN) for one in both]
        assert [row.order_id for row in orders.open_newest_first(OWNER, page_rows)] == both
    row = orders.get(OWNER, order.order_id)
    assert row is not None
    assert orders.get_many([(OWNER, order.order_id)]) == {order.order_id: row}
    assert row.status is OrderStatus.OPEN
    project(orders, order, FILLED, 1)
    row = orders.get(OWNER, order.order_id)
    assert row is not None
    assert row.status is OrderStatus.FILLED
    assert [one.status for one in orders.newest_first(OWNER)] == [OrderStatus.OPEN, OrderStatus.FILLED]


@pytest.mark.parametrize("calls", range(1, 8))
def test_an_order_that_closes_while_a_list_is_read_is_not_missed(memory_database: Database, calls: int) -> None:
    """After whichever call: closed rows are read after the open ones of the same ids."""
    placed = [admitted(memory_database, NOW_MS + number) for number in range(4)][::-1]
    made = []

    def close_all_after(_operation: str, call: Call) -> object:
        answer = call()
        made.append(answer)
        if len(made) == calls:
            for order in placed:
                project(Orders(memory_database), order, FILLED, 1)
        return answer

    watched: Any = WatchedClient(memory_database._client, close_all_after)
    rows = Orders(Database(watched, memory_database._prefix)).newest_first(OWNER, 2)
    assert [row.order_id for row in rows] == [order.order_id for order in placed]


def test_a_refused_cancel_is_noted_on_the_row_and_makes_no_row_of_its_own(orders: Orders, store: Database) -> None:
    closed, still_open = admitted(store), admitted(store, NOW_MS + 1)
    project(orders, closed, FILLED, 6)
    for _ in range(2):
        for order_id in (closed.order_id, still_open.order_id, "ord_none"):
            orders.note_refused_cancels([(OWNER, order_id)], 7)
    for table, order in ((TABLE, closed), (OPEN_TABLE, still_open)):
        (row,) = store.scan(table)
        assert (row["order_id"], row["cancel_refused"]) == (order.order_id, 7)


def test_a_cancel_that_was_refused_before_the_close_is_not_noted_after_it(orders: Orders, store: Database) -> None:
    """A slow matcher: the row is what the events that closed the order make it."""
    order = admitted(store)
    project(orders, order, FILLED, 6)
    orders.note_refused_cancels([(OWNER, order.order_id)], 5)
    assert "cancel_refused" not in next(iter(store.scan(TABLE)))


def test_an_open_order_among_the_closed_ones_is_refused_with_words(orders: Orders, store: Database) -> None:
    """Earlier versions had both in one table."""
    order = admitted(store)
    (row,) = store.scan(OPEN_TABLE)
    store.put_many(TABLE, [row | {"live": order.order_id}])
    store.delete_many(OPEN_TABLE, [{"owner": OWNER, "order_id": order.order_id}])
    with pytest.raises(UnreadableRow, match=r"CHANGELOG\.md"):
        orders.get(OWNER, order.order_id)
    with pytest.raises(UnreadableRow, match=r"CHANGELOG\.md"):
        project(orders, order, FILLED, 3)
