"""What everybody may see of a pair: its trades and its depth (R15, R33)."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.apis.trade.figures import Decimals
from chalicelib.apis.trade.ids import shown
from chalicelib.apis.trade.market import depth_hash
from chalicelib.desks.trade import new_trade_desk
from chalicelib.domain.books.config import OrderRequest
from chalicelib.domain.books.vocabulary import BookStatus, OrderType, TimeInForce
from chalicelib.domain.ledger.amounts import Side
from chalicelib.services.books.matcher import Matcher
from chalicelib.services.books.redrive import redrive
from chalicelib.tables.dynamodb import Database
from tests.apis.trade.desk import MASTER_KEY, SignedDesk, data_of, fault_of, open_trade_desk
from tests.apis.trade.lists import DAY_MS, INVALID, NOW_MS
from tests.apis.trade.rows import put_tape
from tests.tables.test_listing_cost import Reads
from tests.world import BASE, INSTANCE, QUOTE, World

TAPE, DEPTH = "/trade/public/trades", "/trade/public/orders/level-2"
EIGHT_TWO = Decimals(8, 2)


@pytest.fixture
def desk(memory_database: Database) -> SignedDesk:
    world = World(memory_database)
    desk = open_trade_desk(world, clock=lambda: NOW_MS)
    for customer in ("ann", "ben"):
        world.credit(customer, BASE, 10**9)
        world.credit(customer, QUOTE, 10**9)
    return desk


def match(world: World, at_ms: int = NOW_MS - 1000) -> None:
    redrive(world.database, Matcher(world.database, lambda: at_ms), world.book)


def trade(world: World, at_ms: int, price: int = 5, quantity: int = 1) -> tuple[str, str]:
    """Have ann's order trade with ben's at this time; return the orders' ids, maker first."""
    maker = world.placed("ann", "SELL", quantity, price)
    match(world, at_ms)
    taker = world.placed("ben", "BUY", quantity)
    match(world, at_ms)
    return maker, taker


def page(desk: SignedDesk, **query: Any) -> dict[str, Any]:
    page: dict[str, Any] = data_of(desk.get(TAPE, {"pair": "B_Q"} | query))
    assert list(page) == ["trades", "nc", "pc"]
    return page


def times_of(page: dict[str, Any]) -> list[int]:
    return [NOW_MS - row["timestamp"] for row in page["trades"]]


def test_a_trade_is_shown_with_both_its_orders(desk: SignedDesk) -> None:
    maker, taker = trade(desk.world, NOW_MS - 1000, price=5, quantity=3)
    (fill,) = desk.world.fills.newest_first("inst_test0001/customer/ann")
    answer = json.loads(desk.get("/v4/trades", {"pair": "b_q"}).body, parse_float=str, parse_int=str)
    assert [list(row.items()) for row in answer["data"]["trades"]] == [
        [
            ("amount", "3"),
            ("date", "2025-03-04T11:59:59.000Z"),
            ("id", shown(fill.trade_id)),
            ("maker_order_id", shown(maker)),
            ("maker_side", "sell"),
            ("maker_type", "limit"),
            ("price", "0.000000000000000005"),
            ("pair", "B_Q"),
            ("taker_order_id", shown(taker)),
            ("taker_side", "buy"),
            ("taker_type", "market"),
            ("timestamp", str(NOW_MS - 1000)),
            ("total_value", "0.000000000000000015"),
        ]
    ]


def test_public_and_private_routes_show_the_same(desk: SignedDesk) -> None:
    trade(desk.world, NOW_MS - 1000)
    assert data_of(desk.get("/trade/trades", {"pair": "B_Q"})) == page(desk)
    assert data_of(desk.get("/v4/book/orders/level-2", {"pair": "B_Q"})) == data_of(desk.get(DEPTH, {"pair": "B_Q"}))


def test_trades_come_newest_first_in_pages_that_are_not_counted(desk: SignedDesk) -> None:
    for ago_ms in (5000, 4000, 3000, 2000, 1000):
        trade(desk.world, NOW_MS - ago_ms)
    first = page(desk, page_size=2, current_page="whatever")
    trade(desk.world, NOW_MS - 500)
    second = page(desk, page_size=2, c=first["nc"])
    third = page(desk, page_size=2, c=second["nc"])
    assert list(map(times_of, (first, second, third))) == [[1000, 2000], [3000, 4000], [5000]]
    assert (first["pc"], third["nc"]) == (None, None)
    back = page(desk, page_size=2, c=third["pc"])
    assert times_of(back) == [3000, 4000]
    newest = page(desk, page_size=2, c=page(desk, page_size=2, c=back["pc"])["pc"])
    assert (times_of(newest), newest["pc"], newest["nc"] is None) == ([500], None, False)


def test_trades_of_one_moment_are_told_apart(desk: SignedDesk) -> None:
    """One journal entry, five trades, ties by id descending."""
    for price in range(5, 10):
        desk.world.placed("ann", "SELL", 1, price)
    desk.world.placed("ben", "BUY", 5, 9)
    match(desk.world)
    whole = page(desk)["trades"]
    assert [row["price"] for row in whole] == [9e-18, 8e-18, 7e-18, 6e-18, 5e-18]
    pages, cursor = [], ""
    while cursor is not None:
        found = page(desk, page_size=2, c=cursor)
        pages += found["trades"]
        cursor = found["nc"]
    assert pages == whole


def test_trades_are_found_by_their_time(desk: SignedDesk) -> None:
    """R17, on start_time and end_time."""
    for days in (200, 3, 2, 1):
        trade(desk.world, NOW_MS - days * DAY_MS)
    assert times_of(page(desk)) == [DAY_MS, 2 * DAY_MS, 3 * DAY_MS]
    assert times_of(page(desk, start_time="2025-03-02")) == [DAY_MS, 2 * DAY_MS]
    assert times_of(page(desk, end_time="2025-03-02T12:00:00.000Z")) == [2 * DAY_MS, 3 * DAY_MS]
    assert times_of(page(desk, end_time="2025-03-02T11:59:59.999Z")) == [3 * DAY_MS]
    assert times_of(page(desk, start_time="2024-08-01", end_time="2024-09-01")) == [200 * DAY_MS]
    assert times_of(page(desk, start_time="2024-07-01", end_time="2024-07-02")) == []


def test_trades_of_closed_books_of_the_pair_are_there_too(desk: SignedDesk) -> None:
    trade(desk.world, NOW_MS - 3000)
    desk.world.change_status(BookStatus.CLOSED)
    match(desk.world, NOW_MS - 2500)
    successor = replace(desk.world.config, book_id="ob_next", created_at_ms=1)
    desk.world.books.create(successor)
    other = desk.world.over(desk.world.database)
    other.book = f"{INSTANCE}/ob_next"
    for customer, side in (("ann", "SELL"), ("ben", "BUY")):
        place(other, customer, side)
    match(other, NOW_MS - 2000)
    assert times_of(page(desk)) == [2000, 3000]
    assert times_of(page(desk, page_size=1, c=page(desk, page_size=1)["nc"])) == [3000]


def place(world: World, customer: str, side: str) -> None:
    request = OrderRequest(customer, Side(side), OrderType.LIMIT, TimeInForce.GTC, 5, 1)
    world.admission.place(INSTANCE, "ob_next", request)


def test_a_page_deep_in_the_past_is_found_without_reading_what_came_since(desk: SignedDesk) -> None:
    put_tape(desk.world, [(NOW_MS - 1000 * ago_s, [(5, 1)]) for ago_s in range(1000, 0, -1)])
    cursor = page(desk, page_size=900)["nc"]
    reads = Reads(desk.world.database)
    inner = new_trade_desk(
        reads.database, master_key=lambda: MASTER_KEY, public_instance=INSTANCE, clock=lambda: NOW_MS
    )
    counted = replace(desk, desk=inner)
    assert times_of(page(counted, page_size=2, c=cursor)) == [901_000, 902_000]
    assert times_of(page(counted, page_size=2, end_time="2025-03-04T11:53:30Z")) == [390_000, 391_000]
    assert reads.rows < 200


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"pair": ""}, "pair"),
        ({"start_time": "x", "end_time": "x"}, "start_time"),
        ({"end_time": "x", "page_size": "0"}, "end_time"),
        ({"start_time": "2025-01-02", "end_time": "2025-01-01"}, "end_time"),
        ({"page_size": "0", "c": "x"}, "page_size"),
        ({"c": "x"}, "c"),
    ],
)
def test_a_faulty_parameter_of_the_tape_is_named(desk: SignedDesk, query: dict[str, str], field: str) -> None:
    assert fault_of(desk.get(TAPE, {"pair": "B_Q"} | query)) == (400, 40000, INVALID.format(field))


def test_depth_is_summed_by_price_best_first(desk: SignedDesk) -> None:
    for side, quantity, price in [("SELL", 1, 9), ("SELL", 2, 8), ("SELL", 3, 9), ("BUY", 4, 5), ("BUY", 5, 6)]:
        desk.world.placed("ann", side, quantity, price)
    match(desk.world)
    response = desk.get(DEPTH, {"pair": "b_q"})
    shown_depth = json.loads(response.body, parse_float=str, parse_int=str)["data"]
    assert list(shown_depth) == ["timestamp", "asks", "bids", "hash"]
    assert shown_depth["timestamp"] == str(NOW_MS)
    tiny = "0.00000000000000000"
    assert shown_depth["asks"] == [{"amount": "2", "price": f"{tiny}8"}, {"amount": "4", "price": f"{tiny}9"}]
    assert shown_depth["bids"] == [{"amount": "5", "price": f"{tiny}6"}, {"amount": "4", "price": f"{tiny}5"}]
    assert '"asks":[{"amount":' in response.body
    desk.world.change_status(BookStatus.PAUSED)
    match(desk.world)
    assert data_of(desk.get(DEPTH, {"pair": "B_Q", "limit": "1"}))["asks"] == [{"amount": 2, "price": 8e-18}]


@pytest.mark.parametrize(
    ("limit", "levels"), [("", 100), ("1", 1), ("100", 100), ("101", 101), ("1000", 150), ("max", 150)]
)
def test_as_many_levels_are_shown_as_asked_for(desk: SignedDesk, limit: str, levels: int) -> None:
    """Also more than the matcher publishes, as of now: the second look folds what came in between."""
    desk.world.placed("ben", "BUY", 3, 4)
    for price in range(10, 160):
        desk.world.placed("ann", "SELL", 1, price)
    match(desk.world)
    depth = data_of(desk.get(DEPTH, {"pair": "B_Q", "limit": limit}))
    assert [level["price"] for level in depth["asks"]] == [float(f"{price}e-18") for price in range(10, 10 + levels)]
    assert len(depth["bids"]) == 1
    desk.world.placed("ann", "SELL", 1, 9)
    match(desk.world)
    again = data_of(desk.get(DEPTH, {"pair": "B_Q", "limit": limit}))
    assert (again["asks"][0]["price"], again["bids"]) == (9e-18, depth["bids"])
    assert len(again["asks"]) == (151 if levels == 150 else levels)
    assert again["hash"] != depth["hash"]


def test_the_hash_is_of_ten_levels_a_side_however_many_are_shown(desk: SignedDesk) -> None:
    """R33"""
    for number in range(12):
        desk.world.placed("ben", "BUY", 3, 20 - number)
        desk.world.placed("ann", "SELL", 1, 30 + number)
    match(desk.world)
    shown = [data_of(desk.get(DEPTH, {"pair": "B_Q", "limit": limit})) for limit in ("1", "9", "10", "11", "max")]
    assert [len(depth["bids"]) for depth in shown] == [len(depth["asks"]) for depth in shown] == [1, 9, 10, 11, 12]
    assert len({depth["hash"] for depth in shown}) == 1


@pytest.mark.parametrize("limit", ["0", "1001", "MAX", "ten", "-1", ["1", "2"]])
def test_a_faulty_number_of_levels_is_named(desk: SignedDesk, limit: Any) -> None:
    assert fault_of(desk.get(DEPTH, {"pair": "B_Q", "limit": limit})) == (400, 40000, INVALID.format("limit"))


def test_a_missing_pair_is_named_before_a_faulty_limit(desk: SignedDesk) -> None:
    assert fault_of(desk.get(DEPTH, {"limit": "0"})) == (400, 40000, INVALID.format("pair"))
    assert fault_of(desk.get(DEPTH, {"limit": "0", "pair": "NOPE_Q"})) == (400, 40000, INVALID.format("limit"))


def test_of_a_closed_book_there_is_no_depth_but_there_are_trades(desk: SignedDesk) -> None:
    trade(desk.world, NOW_MS - 1000)
    desk.world.change_status(BookStatus.CLOSED)
    assert fault_of(desk.get(DEPTH, {"pair": "B_Q"})) == (404, 40400, "Pair not found.")
    assert len(page(desk)["trades"]) == 1


@pytest.mark.parametrize(
    ("bids", "asks", "hashed"),
    [
        ([], [], "0"),
        ([], [("0.15", "16015.39")], "3417282216"),
        ([("1", "0.99")], [("2", "1.01")], "2111165642"),
        ([("0.03", "349900"), ("0.4", "349850.5")], [("0.01", "350000"), ("0.02", "351000")], "4151136558"),
    ],
)
def test_the_hash_of_a_depth_is_the_documented_check_sum(
    bids: list[tuple[str, str]], asks: list[tuple[str, str]], hashed: str
) -> None:
    """R33"""
    sides = [[(units(price, 2), units(amount, 8)) for amount, price in side] for side in (bids, asks)]
    assert depth_hash(*sides, EIGHT_TWO) == hashed


def test_the_hash_is_of_the_ten_best_levels_a_side() -> None:
    levels = [(100 + number, 5) for number in range(11)]
    assert depth_hash(levels, levels, EIGHT_TWO) == depth_hash(levels[:10], levels[:10], EIGHT_TWO)
    assert depth_hash(levels[:9], [], EIGHT_TWO) != depth_hash(levels[:10], [], EIGHT_TWO)


def units(text: str, decimals: int) -> int:
    whole, _, fraction = text.partition(".")
    return int(whole + fraction.ljust(decimals, "0"))
