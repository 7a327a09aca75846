"""GET /orders/{id}, by id and by external id: one order and its trades; GET /orders/trades: the same, paged."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from chalicelib.apis.trade.ids import shown
from chalicelib.domain.books.orders import OrderRow
from chalicelib.domain.books.vocabulary import OrderStatus
from chalicelib.services.books.reading import BooksReading
from tests.apis.trade.desk import SignedDesk, data_of, fault_of
from tests.apis.trade.rows import INVALID, NOW_MS, a_fill, an_order, id_at, put_fills, put_orders
from tests.tables.test_listing_cost import Reads
from tests.world import INSTANCE

NOT_FOUND = (404, 40400, "Order not found.")
ORDER_ID = id_at("ord", NOW_MS - 1000)
TRADES = "/trade/orders/trades"
UNIT = 10**18


def traded_twice(desk: SignedDesk, **facts: Any) -> OrderRow:
    """Store an order to buy 0.3 that bought 0.1 at 5 and 0.1 at 4, among trades of another order."""
    row = an_order(
        order_id=ORDER_ID,
        price=5 * UNIT,
        quantity=30_000_000,
        filled=20_000_000,
        notional=9 * UNIT // 10,
        fee=30_000,
        status=OrderStatus.PARTIALLY_FILLED,
        sequence=8,
        updated_at_ms=NOW_MS - 500,
        **facts,
    )
    put_orders(desk.world.database, [row])
    first = {"order_id": ORDER_ID, "quantity": 10_000_000, "price": 5 * UNIT, "notional": UNIT // 2, "fee": 15_000}
    second = first | {"price": 4 * UNIT, "notional": 4 * UNIT // 10, "is_maker": True}
    put_fills(
        desk.world.database,
        [
            a_fill(NOW_MS - 900, 0, **first, sequence=7),
            a_fill(NOW_MS - 500, 1, **second, sequence=8),
            a_fill(NOW_MS - 700, 2, sequence=7),
            a_fill(NOW_MS - 500, 3, **second, sequence=9),  # a trade that the row does not show yet
        ],
    )
    return row


@pytest.mark.parametrize("name", ["x" * 37, "%zz", "%ff", quote("é" * 37)])
def test_a_text_that_is_no_external_id_is_a_faulty_parameter(archive: SignedDesk, name: str) -> None:
    assert fault_of(archive.get(f"/v4/orders/by-external-id/{name}")) == (400, 40000, INVALID.format("external_id"))


@pytest.mark.parametrize("name", ["unknown", quote("é" * 36), "%00", "open"])
def test_an_external_id_that_no_order_has_is_not_found(archive: SignedDesk, name: str) -> None:
    assert fault_of(archive.get(f"/v4/orders/by-external-id/{name}")) == NOT_FOUND


def test_anothers_order_is_not_found(archive: SignedDesk) -> None:
    """R16: nor one that there is not, nor one of a book that is not shown here."""
    row = traded_twice(archive)
    hidden = an_order(order_id=id_at("ord", NOW_MS - 3), book_id="ob_hidden")
    put_orders(archive.world.database, [hidden])
    ben = archive.as_customer("ben")
    for one, order_id in ((ben, row.order_id), (archive, id_at("ord", 7)), (archive, hidden.order_id)):
        assert fault_of(one.get(f"/trade/orders/{shown(order_id)}")) == NOT_FOUND
        assert fault_of(one.get(TRADES, {"order_id": shown(order_id)})) == NOT_FOUND


def test_the_trades_of_an_order_come_in_pages_newest_first(archive: SignedDesk) -> None:
    traded_twice(archive)
    first = data_of(archive.get(TRADES, {"order_id": shown(ORDER_ID), "page_size": 1}))
    assert list(first) == ["trades", "pagination", "nc", "pc"]
    assert first["pagination"] == {"current_page": 1, "registers_count": 2, "total_pages": 2, "page_size": 1}
    (newest,) = first["trades"]
    assert list(newest.items()) == [
        ("amount", 0.1),
        ("id", shown(id_at("trade", NOW_MS - 500, 2 * 2**40))),
        ("price", 4),
        ("timestamp", NOW_MS - 500),
        ("total_value", 0.4),
        ("date", "2025-03-04T11:59:59.500Z"),
        ("side", "buy"),
        ("type", "limit"),
        ("fee", 0.00015),
        ("fee_currency", "B"),
        ("pair_code", "B_Q"),
        ("taker_or_maker", "maker"),
        ("maker_order_id", shown(ORDER_ID)),
        ("taker_order_id", shown(id_at("ord", NOW_MS - 500, 99))),
    ]
    second = data_of(archive.get(TRADES, {"order_id": shown(ORDER_ID), "page_size": 1, "c": first["nc"]}))
    assert (second["trades"][0]["price"], second["nc"], second["pc"] is None) == (5, None, False)
    assert second["trades"][0]["taker_or_maker"] == "taker"


def test_an_order_is_shown_without_reading_what_was_traded_after_and_before_it(archive: SignedDesk) -> None:
    traded_twice(archive)
    later = (a_fill(NOW_MS - 400 + number, number) for number in range(300))
    earlier = (a_fill(NOW_MS - 100_000 + number, number) for number in range(800))
    put_fills(archive.world.database, [*later, *earlier])
    reads = Reads(archive.world.database)
    row = an_order(order_id=ORDER_ID, filled=20_000_000, sequence=8, updated_at_ms=NOW_MS - 500)
    assert len(BooksReading(reads.database).fills_of_order(INSTANCE, row)) == 2
    assert reads.rows <= 101
