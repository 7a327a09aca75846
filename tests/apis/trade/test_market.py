"""What everybody may see of a pair: its trades and its depth (R15, R33)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.books.admission import OrderRequest
from chalicelib.domain.books.vocabulary import BookStatus, OrderType, TimeInForce
from chalicelib.domain.ledger.amounts import Side
from chalicelib.services.books.matcher import Matcher
from chalicelib.services.books.redrive import redrive
from chalicelib.tables.dynamodb import Database
from chalicelib.wiring.trade import new_trade_desk
from tests.apis.trade.desk import MASTER_KEY, SignedDesk, data_of, open_trade_desk
from tests.apis.trade.rows import NOW_MS, put_tape
from tests.tables.test_listing_cost import Reads
from tests.world import BASE, INSTANCE, QUOTE, World

TAPE, DEPTH = "/trade/public/trades", "/trade/public/orders/level-2"


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


@pytest.mark.parametrize(("limit", "levels"), [("", 100), ("101", 101), ("max", 150)])
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
