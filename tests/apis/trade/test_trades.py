"""GET /user/trades: a customer's trades of a pair, its own side of each (R32)."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.apis.trade.ids import shown
from chalicelib.domain.books.vocabulary import BookStatus, OrderType
from chalicelib.domain.ledger.amounts import Side
from chalicelib.domain.ledger.owners import customer_key
from chalicelib.services.books.matcher import Matcher
from chalicelib.services.books.redrive import redrive
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.external_ids import name_row
from tests.apis.trade.desk import SignedDesk, data_of, fault_of, open_trade_desk
from tests.apis.trade.lists import DAY_MS, INVALID, NOW_MS
from tests.apis.trade.rows import a_fill, id_at, put_fills
from tests.world import INSTANCE, World

TRADES = "/trade/user/trades"
ORDER_ID = id_at("ord", NOW_MS - 1000)


def page(desk: SignedDesk, **query: Any) -> dict[str, Any]:
    page: dict[str, Any] = data_of(desk.get(TRADES, {"pair": "B_Q"} | query))
    assert list(page) == ["trades", "pagination", "nc", "pc"]
    return page


def put_many(desk: SignedDesk, count: int, from_ms: int, **facts: Any) -> list[str]:
    """Store so many fills of ann, a ms apart; return the trades' ids as shown, newest first."""
    fills = [a_fill(from_ms + number, number, **facts) for number in range(count)]
    put_fills(desk.world.database, fills)
    return [shown(fill.trade_id) for fill in reversed(fills)]


def ids_of(page: dict[str, Any]) -> list[str]:
    return [row["id"] for row in page["trades"]]


def test_each_customer_sees_its_own_side_of_a_trade(memory_database: Database) -> None:
    world = World(memory_database, taker_fee_bps=1000, maker_fee_bps=500)
    desk = open_trade_desk(world, clock=lambda: NOW_MS)
    matcher = Matcher(memory_database, lambda: NOW_MS)
    resting = world.placed("ann", "SELL", 40, 5)
    redrive(memory_database, matcher, world.book)
    taking = world.placed("ben", "BUY", 30)
    redrive(memory_database, matcher, world.book)
    (anns,), (bens,) = page(desk)["trades"], page(desk.as_customer("ben"))["trades"]
    assert list(anns) == [
        "amount", "id", "price", "timestamp", "total_value", "date", "side", "type", "fee", "fee_currency",
        "pair_code", "taker_or_maker", "maker_order_id", "taker_order_id",
    ]  # fmt: skip
    own = ("side", "type", "fee", "fee_currency", "taker_or_maker")
    assert {name: anns[name] for name in own} == {
        "side": "sell", "type": "limit", "fee": 7e-18, "fee_currency": "Q", "taker_or_maker": "maker",
    }  # fmt: skip
    assert {name: bens[name] for name in own} == {
        "side": "buy", "type": "market", "fee": 3, "fee_currency": "B", "taker_or_maker": "taker",
    }  # fmt: skip
    assert {name: anns[name] for name in anns if name not in own} == {n: bens[n] for n in bens if n not in own}
    assert (anns["maker_order_id"], anns["taker_order_id"]) == (shown(resting), shown(taking))
    assert (anns["timestamp"], anns["date"], anns["pair_code"]) == (NOW_MS, "2025-03-04T12:00:00.000Z", "B_Q")
    assert (anns["amount"], anns["price"], anns["total_value"]) == (30, 5e-18, 1.5e-16)


@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_a_trade_with_oneself_is_two_rows_the_takers_first_and_no_page_loses_one(
    desk: SignedDesk, side: Side, size: int
) -> None:
    """Whichever side the taker was on, and wherever a page ends."""
    other = Side.SELL if side is Side.BUY else Side.BUY
    for number in range(3):
        at_ms = NOW_MS - 10 + number
        halves = [a_fill(at_ms, side=side), a_fill(at_ms, side=other, is_maker=True, counterparty="ann")]
        put_fills(desk.world.database, halves)
    whole = page(desk)["trades"]
    assert [row["taker_or_maker"] for row in whole] == ["taker", "maker"] * 3
    assert [row["side"] for row in whole[:2]] == [side.value.lower(), other.value.lower()]
    assert whole[0]["id"] == whole[1]["id"] != whole[2]["id"]
    pages = [page(desk, page_size=size)]
    while pages[-1]["nc"]:
        pages.append(page(desk, page_size=size, c=pages[-1]["nc"]))
    assert [row for each in pages for row in each["trades"]] == whole
    back = [pages[-1]]
    while back[-1]["pc"]:
        back.append(page(desk, page_size=size, c=back[-1]["pc"]))
    assert [each["trades"] for each in reversed(back)] == [each["trades"] for each in pages]


def test_trades_may_be_limited_to_an_order(desk: SignedDesk) -> None:
    mine = put_many(desk, 2, NOW_MS - 100, order_id=ORDER_ID)
    others = put_many(desk, 2, NOW_MS - 200, order_id=id_at("ord", 5))
    name = name_row(customer_key(INSTANCE, "ann"), "Mine", ORDER_ID)
    desk.world.database.put_many("orders", [name])
    assert ids_of(page(desk)) == [*mine, *others]
    assert ids_of(page(desk, order_id=shown(ORDER_ID).lower())) == mine
    assert ids_of(page(desk, external_id="mINE")) == mine
    assert ids_of(page(desk, external_id="mine", order_id=shown(id_at("ord", 5)))) == []


@pytest.mark.parametrize(
    "query", [{"order_id": shown(id_at("ord", 77))}, {"external_id": "x"}, {"external_id": "x" * 5000}]
)
def test_a_filter_that_matches_nothing_gives_an_empty_list(desk: SignedDesk, query: dict[str, str]) -> None:
    put_many(desk, 2, NOW_MS - 100)
    found = page(desk, **query)
    assert (found["trades"], found["pagination"]["registers_count"], found["nc"], found["pc"]) == ([], 0, None, None)


def test_trades_are_found_by_the_time_of_their_execution(desk: SignedDesk) -> None:
    """R17"""
    (new,) = put_many(desk, 1, NOW_MS - 1)
    (old,) = put_many(desk, 1, NOW_MS - DAY_MS)
    put_many(desk, 1, NOW_MS - 200 * DAY_MS)
    assert ids_of(page(desk)) == [new, old]
    assert ids_of(page(desk, start_date="2025-03-04")) == [new]
    assert ids_of(page(desk, end_date="2025-03-03")) == [old]


def test_trades_of_closed_books_of_the_pair_are_there_and_of_other_pairs_not(desk: SignedDesk) -> None:
    desk.world.change_status(BookStatus.CLOSED)
    mine = put_many(desk, 1, NOW_MS - 5)
    put_many(desk, 1, NOW_MS - 6, book_id="ob_other")
    assert ids_of(page(desk)) == mine


def test_pages_are_counted_and_cut(desk: SignedDesk) -> None:
    ids = put_many(desk, 5, NOW_MS - 1000, order_type=OrderType.MARKET)
    second = page(desk, page_size=2, current_page=2)
    assert second["pagination"] == {"current_page": 2, "registers_count": 5, "total_pages": 3, "page_size": 2}
    assert ids_of(second) == ids[2:4]
    assert ids_of(page(desk, page_size=2, c=second["nc"])) == ids[4:]
    assert ids_of(page(desk, page_size=2, c=second["pc"])) == ids[:2]


def test_the_first_faulty_parameter_of_the_table_is_named(desk: SignedDesk) -> None:
    names = ["order_id", "pair", "start_date", "end_date", "page_size", "current_page", "c"]
    query: dict[str, Any] = dict.fromkeys(names, "?") | {"pair": ""}
    for name in names:
        assert fault_of(desk.get(TRADES, query)) == (400, 40000, INVALID.format(name))
        query[name] = "NOPE_Q" if name == "pair" else ""
    assert fault_of(desk.get(TRADES, query)) == (404, 40400, "Pair not found.")
