"""GET /orders/{id}, by id and by external id: one order and its trades; GET /orders/trades: the same, paged."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from chalicelib.apis.trade.ids import shown
from chalicelib.domain.books.orders import OrderRow
from chalicelib.domain.books.vocabulary import OrderStatus, OrderType
from chalicelib.domain.ledger.amounts import Side
from chalicelib.domain.ledger.owners import customer_key
from chalicelib.services.books.reading import BooksReading
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.external_ids import name_row
from tests.apis.trade.desk import SignedDesk, data_of, fault_of, open_trade_desk
from tests.apis.trade.lists import INVALID, NOW_MS
from tests.apis.trade.rows import a_fill, an_order, id_at, put_fills, put_orders
from tests.tables.test_listing_cost import Reads
from tests.world import INSTANCE, World

NOT_FOUND = (404, 40400, "Order not found.")
ORDER_ID = id_at("ord", NOW_MS - 1000)
TRADES = "/trade/orders/trades"
UNIT = 10**18


def detail(desk: SignedDesk, order_id: str) -> dict[str, Any]:
    data: dict[str, Any] = data_of(desk.get(f"/trade/orders/{shown(order_id)}"))
    return data


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


def test_an_order_is_shown_with_its_average_price_and_its_trades_oldest_first(desk: SignedDesk) -> None:
    put_orders(desk.world.database, [an_order()])
    traded_twice(desk, external_id="mine")
    data = detail(desk, ORDER_ID)
    assert list(data)[-3:] == ["fill_or_kill", "average_execution_price", "transactions"]
    assert len(data) == 17 + 2
    assert (data["external_id"], data["average_execution_price"], data["total_value"]) == ("mine", 4.5, 0.9)
    first, second = data["transactions"]
    assert list(first.items()) == [
        ("amount", 0.1),
        ("create_date", "2025-03-04T11:59:59.100Z"),
        ("fee", 0.00015),
        ("fee_currency", "B"),
        ("price", 5),
        ("total_value", 0.5),
    ]
    assert (second["price"], second["create_date"]) == (4, "2025-03-04T11:59:59.500Z")


def test_an_order_without_trades_has_no_average_price_and_an_empty_list(desk: SignedDesk) -> None:
    put_orders(desk.world.database, [an_order(order_id=ORDER_ID)])
    data = detail(desk, ORDER_ID)
    assert "average_execution_price" not in data
    assert data["transactions"] == []


def test_an_order_that_was_matched_is_shown_as_it_was(memory_database: Database) -> None:
    world = World(memory_database, taker_fee_bps=1000)
    desk = open_trade_desk(world)
    world.placed("ben", "BUY", 30, 5)
    order_id = world.placed("ann", "SELL", 40)
    desk.match()
    data = detail(desk, order_id)
    assert (data["status"], data["type"], data["side"]) == ("canceled", "market", "sell")
    assert (data["executed_amount"], data["remaining_amount"]) == (30, 10)
    (trade,) = data["transactions"]
    assert (trade["amount"], trade["fee_currency"]) == (30, "Q")
    assert '"price":0.000000000000000005,' in desk.get(f"/trade/orders/{shown(order_id)}").body
    (row,) = data_of(desk.get(TRADES, {"order_id": shown(order_id)}))["trades"]
    assert (row["type"], row["taker_or_maker"], row["taker_order_id"]) == ("market", "taker", shown(order_id))


@pytest.mark.parametrize("name", ["desk7-0042", "DESK7-0042"])
def test_an_order_is_found_by_its_external_id_whatever_its_case(desk: SignedDesk, name: str) -> None:
    row = traded_twice(desk, external_id="Desk7-0042")
    desk.world.database.put_many("orders", [name_row(customer_key(INSTANCE, "ann"), "Desk7-0042", row.order_id)])
    data = data_of(desk.get(f"/trade/orders/by-external-id/{name}"))
    assert (data["id"], data["external_id"], len(data["transactions"])) == (shown(row.order_id), "Desk7-0042", 2)
    assert fault_of(desk.as_customer("ben").get(f"/trade/orders/by-external-id/{name}")) == NOT_FOUND


def test_an_external_id_is_percent_decoded(desk: SignedDesk) -> None:
    row = traded_twice(desk, external_id="a/b%+c")
    desk.world.database.put_many("orders", [name_row(customer_key(INSTANCE, "ann"), "a/b%+c", row.order_id)])
    assert data_of(desk.get("/trade/orders/by-external-id/a%2Fb%25+c"))["id"] == shown(row.order_id)


@pytest.mark.parametrize("name", ["x" * 37, "%zz", "%ff", quote("é" * 37)])
def test_a_text_that_is_no_external_id_is_a_faulty_parameter(desk: SignedDesk, name: str) -> None:
    assert fault_of(desk.get(f"/v4/orders/by-external-id/{name}")) == (400, 40000, INVALID.format("external_id"))


@pytest.mark.parametrize("name", ["unknown", quote("é" * 36), "%00", "open"])
def test_an_external_id_that_no_order_has_is_not_found(desk: SignedDesk, name: str) -> None:
    assert fault_of(desk.get(f"/v4/orders/by-external-id/{name}")) == NOT_FOUND


@pytest.mark.parametrize(
    "order_id", ["123", "01563E3AB5D3D6764C61EFB99302BD5B", "%zz", "01956070-584A-82F3-E9C6-95DC6B8D1B1G"]
)
def test_a_text_that_is_no_id_is_a_faulty_parameter(desk: SignedDesk, order_id: str) -> None:
    assert fault_of(desk.get(f"/trade/orders/{order_id}")) == (400, 40000, INVALID.format("id"))
    assert fault_of(desk.get(TRADES, {"order_id": order_id})) == (400, 40000, INVALID.format("order_id"))


def test_anothers_order_is_not_found(desk: SignedDesk) -> None:
    """R16: nor one that there is not, nor one of a book that is not shown here."""
    row = traded_twice(desk)
    hidden = an_order(order_id=id_at("ord", NOW_MS - 3), book_id="ob_hidden")
    put_orders(desk.world.database, [hidden])
    ben = desk.as_customer("ben")
    for one, order_id in ((ben, row.order_id), (desk, id_at("ord", 7)), (desk, hidden.order_id)):
        assert fault_of(one.get(f"/trade/orders/{shown(order_id)}")) == NOT_FOUND
        assert fault_of(one.get(TRADES, {"order_id": shown(order_id)})) == NOT_FOUND


def test_an_id_may_be_in_lower_case(desk: SignedDesk) -> None:
    row = traded_twice(desk)
    assert data_of(desk.get(f"/v4/orders/{shown(row.order_id).lower()}")) == detail(desk, row.order_id)


def test_the_trades_of_an_order_come_in_pages_newest_first(desk: SignedDesk) -> None:
    traded_twice(desk)
    first = data_of(desk.get(TRADES, {"order_id": shown(ORDER_ID), "page_size": 1}))
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
    second = data_of(desk.get(TRADES, {"order_id": shown(ORDER_ID), "page_size": 1, "c": first["nc"]}))
    assert (second["trades"][0]["price"], second["nc"], second["pc"] is None) == (5, None, False)
    assert second["trades"][0]["taker_or_maker"] == "taker"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({}, "order_id"),
        ({"order_id": ["x", "x"]}, "order_id"),
        ({"order_id": shown(ORDER_ID), "page_size": "0"}, "page_size"),
        ({"order_id": shown(ORDER_ID), "current_page": "x", "c": "x"}, "current_page"),
        ({"order_id": shown(ORDER_ID), "c": "x"}, "c"),
    ],
)
def test_a_faulty_parameter_of_an_orders_trades_is_named(desk: SignedDesk, query: dict[str, Any], field: str) -> None:
    assert fault_of(desk.get(TRADES, query)) == (400, 40000, INVALID.format(field))


def test_an_order_is_shown_without_reading_what_was_traded_after_and_before_it(desk: SignedDesk) -> None:
    traded_twice(desk)
    later = (a_fill(NOW_MS - 400 + number, number) for number in range(300))
    earlier = (a_fill(NOW_MS - 100_000 + number, number) for number in range(800))
    put_fills(desk.world.database, [*later, *earlier])
    reads = Reads(desk.world.database)
    row = an_order(order_id=ORDER_ID, filled=20_000_000, sequence=8, updated_at_ms=NOW_MS - 500)
    assert len(BooksReading(reads.database).fills_of_order(INSTANCE, row)) == 2
    assert reads.rows <= 101


def test_a_sells_fee_is_in_quote(desk: SignedDesk) -> None:
    row = an_order(
        order_id=ORDER_ID, side=Side.SELL, order_type=OrderType.MARKET, price=None, quantity=1, filled=1,
        status=OrderStatus.FILLED, notional=5, fee=2, sequence=1, updated_at_ms=NOW_MS,
    )  # fmt: skip
    put_orders(desk.world.database, [row])
    put_fills(desk.world.database, [a_fill(NOW_MS, order_id=ORDER_ID, side=Side.SELL, fee=2)])
    response = desk.get(f"/trade/orders/{shown(ORDER_ID)}")
    assert '"fee":0.000000000000000002,"fee_currency":"Q"' in response.body
