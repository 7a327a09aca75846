"""Order rows: each shows one state, states only advance, and the index has exactly the live orders."""

from __future__ import annotations

import pytest
from ulid import ULID

from chalicelib.domain.books.orders import OrderUpdate
from chalicelib.domain.books.vocabulary import CloseReason, OrderStatus, OrderType, PlaceOrder, TimeInForce
from chalicelib.domain.ledger.amounts import Side
from chalicelib.support.ids import time_of
from chalicelib.tables.dynamodb import ConditionFailed, Database
from chalicelib.tables.orders import INDEX_LAG_MS_MAX, Orders

OWNER = "inst_x/customer/ann"
NOW_MS = 1_736_937_000_000
OPEN, PARTIALLY_FILLED, FILLED = OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED, OrderStatus.FILLED


@pytest.fixture
def orders(store: Database) -> Orders:
    return Orders(store)


def admitted(store: Database, at_ms: int = NOW_MS) -> str:
    """Store the row of a new order; return its id."""
    order_id = f"ord_{ULID.from_bytes(at_ms.to_bytes(6, 'big') + bytes(9) + b'1')}"
    limit, gtc = OrderType.LIMIT, TimeInForce.GTC
    store.transact([Orders(store).admit(OWNER, "ob", PlaceOrder(order_id, "ann", Side.SELL, limit, gtc, 5, 10, 10))])
    return order_id


def test_the_time_of_an_id_is_its_admission() -> None:
    """T15"""
    assert time_of("ord_01JHMR6K204D9DMWM0Y7FCREPF") == NOW_MS


def test_a_row_never_goes_back_to_an_earlier_entry(orders: Orders, store: Database) -> None:
    """A slow matcher may write late what another one has gone beyond."""
    order_id = admitted(store)
    orders.project({(OWNER, order_id): OrderUpdate(PARTIALLY_FILLED, 4, None)}, 2, 20)
    orders.project({(OWNER, order_id): OrderUpdate(OPEN, 0, None)}, 1, 10)
    orders.project({(OWNER, order_id): OrderUpdate(FILLED, 10, None)}, 2, 20)
    row = orders.get(OWNER, order_id)
    assert row is not None
    assert (row.status, row.filled, row.sequence, row.updated_at_ms) == (PARTIALLY_FILLED, 4, 2, 20)
    orders.project({(OWNER, order_id): OrderUpdate(OrderStatus.CANCELLED, 4, CloseReason.IOC_REMAINDER)}, 3, 30)
    row = orders.get(OWNER, order_id)
    assert row is not None
    assert (row.status, row.reason) == (OrderStatus.CANCELLED, CloseReason.IOC_REMAINDER)


def test_a_projection_makes_no_row_of_its_own(orders: Orders, store: Database) -> None:
    orders.project({(OWNER, "ord_none"): OrderUpdate(FILLED, 10, None)}, 1, 10)
    assert list(store.scan("orders")) == []


def test_rows_are_found_by_their_ids_and_tell_whether_they_were_decided(orders: Orders, store: Database) -> None:
    decided, waiting = admitted(store), admitted(store, NOW_MS + 1)
    orders.project({(OWNER, decided): OrderUpdate(OPEN, 0, None)}, 1, 10)
    rows = orders.get_many([(OWNER, decided), (OWNER, waiting), (OWNER, "ord_none")])
    assert {order_id: row.sequence for order_id, row in rows.items()} == {decided: 1, waiting: None}


def test_a_live_order_gets_one_cancel_and_a_closed_or_unknown_one_none(orders: Orders, store: Database) -> None:
    """T29"""
    live, closed = admitted(store), admitted(store, NOW_MS + 1)
    orders.project({(OWNER, closed): OrderUpdate(FILLED, 10, None)}, 1, 10)
    store.write(orders.queue_cancel(OWNER, live, "cxl_1"))
    for order_id in (live, closed, "ord_none"):
        with pytest.raises(ConditionFailed):
            store.write(orders.queue_cancel(OWNER, order_id, "cxl_2"))
    row = orders.get(OWNER, live)
    assert row is not None
    assert (row.cancel_queued, row.cancel_refused) == (True, False)


def test_a_refused_cancel_is_noted_on_the_row_and_makes_no_row_of_its_own(orders: Orders, store: Database) -> None:
    order_id = admitted(store)
    for _ in range(2):
        orders.note_refused_cancels([(OWNER, order_id)], 7)
        orders.note_refused_cancels([(OWNER, "ord_none")], 7)
    (row,) = store.scan("orders")
    assert (row["order_id"], row["cancel_refused"]) == (order_id, 7)


def test_live_orders_are_the_open_ones_young_and_old_alike(orders: Orders, store: Database) -> None:
    old_open, old_closed = (
        admitted(store, NOW_MS - INDEX_LAG_MS_MAX - 1),
        admitted(store, NOW_MS - INDEX_LAG_MS_MAX - 2),
    )
    border_open, young_closed = admitted(store, NOW_MS - INDEX_LAG_MS_MAX), admitted(store, NOW_MS)
    for closed in (old_closed, young_closed):
        orders.project({(OWNER, closed): OrderUpdate(FILLED, 10, None)}, 1, 10)
    assert [row.order_id for row in orders.live_newest_first(OWNER, NOW_MS)] == [border_open, old_open]
    everything = [young_closed, border_open, old_open, old_closed]
    assert [row.order_id for row in orders.newest_first(OWNER)] == everything
