"""The book's state: levels, depth, priority, the fold of events, and a check that notices what is broken."""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from chalicelib.domain.books.book import Book
from chalicelib.domain.books.commands import decide
from chalicelib.domain.books.events import Accepted, Closed, Rested, Traded
from chalicelib.domain.books.levels import LEFT_SPARE, BookSide, OpenOrder, PriceLevel, opened
from chalicelib.domain.books.matching import place
from chalicelib.domain.books.vocabulary import CancelOrder, CloseReason, OrderStatus, OrderType
from chalicelib.domain.ledger.amounts import Side
from chalicelib.support.consistency import Inconsistent
from tests.domain.books.orders import AT_MS, BUY, IOC, QUIET, SELL, a_book, a_market, limit, placed, queue

NEVER_CHANGED = {
    "version": 0,
    "status": "ACTIVE",
    "maker_fee_bps": 0,
    "taker_fee_bps": 0,
    "self_trade_prevention": "NONE",
    "lot_size": 1,
    "min_order_value": 0,
    "protection": (0, 0, 0, 0),
}


def a_side(side: Side, *orders: tuple[str, int, int]) -> BookSide:
    """One side with (order, price, quantity) resting on it."""
    bids_or_asks = BookSide(side)
    for order_id, price, quantity in orders:
        bids_or_asks.rest(opened(limit(order_id, side, price, quantity)), price)
    return bids_or_asks


def ids(level: PriceLevel) -> list[str]:
    return [order.placed.order_id for order in level]


# --- one side ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("side", "best_first"), [(BUY, [102, 101, 100]), (SELL, [100, 101, 102])])
def test_levels_come_best_first(side: Side, best_first: list[int]) -> None:
    levels = a_side(side, ("b", 101, 1), ("a", 100, 1), ("c", 102, 1)).best_first()

    assert [level.price for level in levels] == best_first


def test_depth_sums_the_open_quantity_of_each_level() -> None:
    asks = a_side(SELL, ("one", 100, 2), ("two", 101, 5), ("three", 100, 3))

    assert asks.depth(10) == [(100, 5), (101, 5)]


@pytest.mark.parametrize(
    ("levels_max", "expected"),
    [(0, []), (1, [(102, 3)]), (2, [(102, 3), (101, 2)]), (3, [(102, 3), (101, 2), (100, 1)])],
)
def test_depth_shows_the_best_levels_only(levels_max: int, expected: list[tuple[int, int]]) -> None:
    bids = a_side(BUY, ("a", 100, 1), ("b", 101, 2), ("c", 102, 3))

    assert bids.depth(levels_max) == expected


def test_an_empty_side_has_no_depth() -> None:
    side = a_side(BUY)

    assert side.depth(10) == []
    assert list(side.best_first()) == []


def test_taking_part_of_an_order_lessens_its_level() -> None:
    asks = a_side(SELL, ("one", 100, 2), ("two", 100, 3))
    level = asks.levels[-100]

    asks.take(level, level.oldest(), 1)

    assert asks.depth(1) == [(100, 4)]
    assert level.oldest().remaining == 1


def test_an_order_leaves_with_its_last_unit_and_a_level_with_its_last_order() -> None:
    asks = a_side(SELL, ("one", 100, 2), ("two", 100, 3))
    level = asks.levels[-100]

    asks.take(level, level.oldest(), 2)
    assert ids(level) == ["two"]

    asks.take(level, level.oldest(), 3)
    assert asks.keys == []
    assert asks.levels == {}


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("price", [100, 101, 102])
def test_removing_the_last_order_of_any_level_drops_just_that_level(side: Side, price: int) -> None:
    bids_or_asks = a_side(side, ("a", 100, 1), ("b", 101, 1), ("c", 102, 1))
    order = bids_or_asks.levels[bids_or_asks.sign * price].oldest()

    bids_or_asks.remove(order)

    left = [each for each in (100, 101, 102) if each != price]
    assert sorted(level.price for level in bids_or_asks.best_first()) == left
    assert bids_or_asks.keys == sorted(bids_or_asks.levels)


def test_removing_an_order_takes_only_its_open_quantity_off_the_level() -> None:
    bids = a_side(BUY, ("one", 100, 5), ("two", 100, 3))
    level = bids.levels[100]
    one = level.oldest()
    bids.take(level, one, 2)

    bids.remove(one)

    assert bids.depth(1) == [(100, 3)]
    assert ids(level) == ["two"]


@pytest.mark.parametrize("leave", ["filled", "cancelled", "both"])
def test_a_level_keeps_its_order_and_little_memory_whoever_leaves(leave: str) -> None:
    """Orders join at the end; the oldest fill, or every second one is cancelled: the queue holds few that have left."""
    bids, waiting, joined = a_side(BUY), deque[OpenOrder](), 0
    for _ in range(300):
        for _ in range(2):
            order = opened(limit(f"{joined}", BUY, 100, 3))
            bids.rest(order, 100)
            waiting.append(order)
            joined += 1
        level = bids.levels[100]
        assert level.oldest() is waiting[0]
        if leave != "cancelled":
            bids.take(level, waiting.popleft(), 3)
        if leave != "filled" and len(waiting) > 1:
            order = waiting[-2]
            waiting.remove(order)
            bids.remove(order)
        assert list(level) == list(waiting)
        assert level.count == len(waiting)
        assert len(level.queue) <= 2 * level.count + LEFT_SPARE


@pytest.mark.parametrize("resting", [10, 1000])
def test_a_level_is_not_rebuilt_for_each_order_that_leaves(resting: int) -> None:
    bids = a_side(BUY, *((f"{number}", 100, 3) for number in range(resting)))
    before = bids.levels[100].queue
    bids.remove(before[1])
    assert bids.levels[100].queue is before


def test_the_garbage_collector_sees_no_order_and_no_event() -> None:
    """A full collection stops a matcher for as long as it takes to go through all that is tracked (core-speed.md)."""
    book = a_book()
    seller, buyer = limit("ask", SELL, 100, 5, of="ann"), limit("bid", BUY, 100, 3, of="ben")
    events = placed(book, seller, buyer, limit("late", BUY, 90, 1, IOC, of="ben"))
    steps = list(decide(book, CancelOrder("cancel", "ask", "ann"), AT_MS))
    (open_order,) = a_side(BUY, ("open", 90, 1)).levels[90]
    assert {type(event) for event in events} == {Accepted, Rested, Traded, Closed}
    assert [each for each in (seller, buyer, open_order, *events, *steps) if gc.is_tracked(each)] == []

    gc.collect()
    before = len(gc.get_objects())
    for number in range(1000):
        events += place(book, limit(f"bid {number}", BUY, 90, 1, of="ann"), AT_MS)
    gc.collect()
    assert len(gc.get_objects()) - before < 100


# --- what a book says of itself ----------------------------------------------------------------------------------


def test_state_is_the_whole_book_as_plain_data() -> None:
    assert a_market().state() == QUIET | {
        "terms": NEVER_CHANGED,
        "last_trade": None,
        "bids": [[99, [["bid 1", 2, 198], ["bid 2", 3, 297]]], [98, [["bid 3", 4, 392]]]],
        "asks": [[101, [["ask 1", 5, 5]]], [102, [["ask 2", 6, 6]]]],
    }


def test_books_with_the_same_history_of_money_have_the_same_state_however_they_got_there() -> None:
    """What came and went leaves no trace but its trade."""
    other = a_market()

    placed(other, limit("passing ask", SELL, 100, 1), limit("passing bid", BUY, 100, 1))

    passed = {"last_trade": (100, "passing ask", "passing bid"), "reference": 100}
    assert other.state() == a_market().state() | passed


def test_state_tells_who_came_first() -> None:
    one, other = a_book(), a_book()
    first, second = limit("first", BUY, 99, 1), limit("second", BUY, 99, 1)

    placed(one, first, second)
    placed(other, second, first)

    assert one.state() != other.state()


@pytest.mark.parametrize(("field", "value"), [("remaining", 1), ("hold", 1)])
def test_state_tells_what_is_open_and_what_is_held(field: str, value: int) -> None:
    book = a_market()

    setattr(book.open_orders["bid 1"], field, value)

    assert book.state() != a_market().state()


# --- the fold ----------------------------------------------------------------------------------------------------


def test_an_accepted_order_is_on_its_way_until_its_events_end() -> None:
    book, order = a_book(), limit("order", BUY, 100, 5)

    book.apply(Accepted(order))
    assert book.find("order") is order
    with pytest.raises(Inconsistent, match="on its way"):
        book.check()

    book.apply(Rested(order, 5, 5))
    assert book.find("order") is order
    book.check()
    assert queue(book, BUY) == [(100, "order", 5)]


def test_a_replayed_trade_takes_from_both_orders_what_it_says() -> None:
    """T42: 500 held, 180 paid, 20 released, 300 left."""
    book, ask, bid = a_book(), limit("ask", SELL, 90, 2), limit("bid", BUY, 100, 5)
    trade = Traded(ask, bid, 90, 2, 180, 0, 0, 20, 0, 3)

    for event in (Accepted(ask), Rested(ask, 2, 2), Accepted(bid), trade, Rested(bid, 3, 3)):
        book.apply(event)

    book.check()
    assert book.state() == QUIET | {
        "terms": NEVER_CHANGED, "last_trade": (90, "ask", "bid"), "reference": 90,
        "bids": [[100, [["bid", 3, 300]]]], "asks": [],
    }  # fmt: skip


def test_a_replayed_trade_follows_its_price_not_the_best_one() -> None:
    """The fold looks at no rule: it does what was decided, so an old journal replays under new rules."""
    book = a_book()
    better, worse, bid = limit("better", SELL, 100, 1), limit("worse", SELL, 101, 1), limit("bid", BUY, 101, 1)
    placed(book, better, worse)

    book.apply(Accepted(bid))
    book.apply(Traded(worse, bid, 101, 1, 101, 0, 0, 0, 0, 0))

    book.check()
    assert queue(book, SELL) == [(100, "better", 1)]


def test_a_replayed_close_ends_the_order_it_names_resting_or_on_its_way() -> None:
    book = a_market()
    resting, incoming = book.find("bid 1"), limit("incoming", SELL, 99, 1)
    prevented = (OrderStatus.CANCELLED, CloseReason.SELF_TRADE_PREVENTED)

    book.apply(Accepted(incoming))
    book.apply(Closed(resting, *prevented, 2, 198))
    assert "bid 1" not in book.open_orders
    assert book.find("incoming") is incoming

    book.apply(Closed(incoming, *prevented, 1, 1))
    book.check()
    assert queue(book, BUY) == [(99, "bid 2", 3), (98, "bid 3", 4)]


def test_an_order_that_is_not_there_cannot_be_found_closed_or_traded_with() -> None:
    """KeyError: the journal is broken."""
    book, gone, taker = a_market(), limit("gone", SELL, 101, 1), limit("taker", BUY, 101, 1)

    with pytest.raises(KeyError, match="gone"):
        book.find("gone")
    with pytest.raises(KeyError, match="gone"):
        book.apply(Closed(gone, OrderStatus.CANCELLED, CloseReason.SELF_TRADE_PREVENTED, 1, 1))
    book.apply(Accepted(taker))
    with pytest.raises(KeyError, match="gone"):
        book.apply(Traded(gone, taker, 101, 1, 101, 0, 0, 0, 0, 0))


# --- check -------------------------------------------------------------------------------------------------------


def leave_an_order_on_its_way(book: Book) -> None:
    book.incoming = opened(limit("incoming", BUY, 97, 1))


def cross(book: Book) -> None:
    order = opened(limit("too high", BUY, 101, 1))
    book.bids.rest(order, 101)
    book.resting["too high"] = order


def forget_a_key(book: Book) -> None:
    book.bids.keys.remove(98)


def shuffle_the_keys(book: Book) -> None:
    book.asks.keys.reverse()


def empty_a_level(book: Book) -> None:
    level = book.bids.levels[98]
    level.quantity = level.count = 0
    level.queue.clear()
    del book.resting["bid 3"]


def miscount_a_level(book: Book) -> None:
    book.asks.levels[-102].quantity += 1


def count_an_order_too_many(book: Book) -> None:
    book.asks.levels[-102].count += 1


def owe_a_quantity(book: Book) -> None:
    book.open_orders["bid 3"].remaining = -1
    book.bids.levels[98].quantity = -1


def forget_an_open_order(book: Book) -> None:
    del book.resting["bid 2"]


def keep_an_order_that_rests_nowhere(book: Book) -> None:
    book.resting["ghost"] = opened(limit("ghost", BUY, 97, 1))


def replace_an_open_order_by_its_double(book: Book) -> None:
    book.resting["bid 2"] = opened(book.open_orders["bid 2"].placed)


def leave_a_filled_order(book: Book) -> None:
    book.open_orders["bid 3"].remaining = 0
    book.bids.levels[98].quantity = 0


def grow_an_order(book: Book) -> None:
    book.open_orders["bid 3"].remaining += 1
    book.bids.levels[98].quantity += 1


def rest_a_market_order(book: Book) -> None:
    order = opened(replace(limit("market", SELL, 103, 1), order_type=OrderType.MARKET))
    book.asks.rest(order, 103)
    book.resting["market"] = order


def rest_an_order_without_a_price(book: Book) -> None:
    order = opened(replace(limit("any price", SELL, 103, 1), price=None))
    book.asks.rest(order, 103)
    book.resting["any price"] = order


def file_a_level_under_another_price(book: Book) -> None:
    level = book.bids.levels.pop(98)
    book.bids.levels[97] = level
    book.bids.keys[book.bids.keys.index(98)] = 97


def rest_on_the_other_side(book: Book) -> None:
    order = opened(limit("turned", SELL, 97, 1))
    book.bids.rest(order, 97)
    book.resting["turned"] = order


def rest_at_another_price(book: Book) -> None:
    order = opened(limit("moved", BUY, 96, 1))
    book.bids.rest(order, 97)
    book.resting["moved"] = order


def rest_twice(book: Book) -> None:
    book.bids.rest(book.open_orders["bid 1"], 97)


def hold_too_little(book: Book) -> None:
    book.open_orders["bid 1"].hold -= 1


def hold_too_much(book: Book) -> None:
    book.open_orders["ask 2"].hold += 1


def forget_whose_an_order_is(book: Book) -> None:
    del book.by_customer["customer of bid 2"]


def keep_a_customer_without_orders(book: Book) -> None:
    book.by_customer["nobody"] = {}


@pytest.mark.parametrize(
    ("corrupt", "complaint"),
    [
        (leave_an_order_on_its_way, "an order is still on its way"),
        (cross, "crossed at rest"),
        (forget_a_key, "keys and levels differ"),
        (shuffle_the_keys, "keys and levels differ"),
        (empty_a_level, "empty level"),
        (miscount_a_level, "level sum is wrong"),
        (forget_an_open_order, "open orders, levels and parked orders differ"),
        (keep_an_order_that_rests_nowhere, "open orders, levels and parked orders differ"),
        (replace_an_open_order_by_its_double, "open orders, levels and parked orders differ"),
        (leave_a_filled_order, "empty level"),
        (count_an_order_too_many, "level count is wrong"),
        (owe_a_quantity, "remaining out of range"),
        (grow_an_order, "remaining out of range"),
        (rest_a_market_order, "a MARKET order rests"),
        (rest_an_order_without_a_price, "an order rests at no price"),
        (file_a_level_under_another_price, "a level under another price's key"),
        (rest_on_the_other_side, "an order rests at another's place"),
        (rest_at_another_price, "an order rests at another's place"),
        (rest_twice, "an order rests twice"),
        (hold_too_little, "hold is not what the order needs"),
        (hold_too_much, "hold is not what the order needs"),
        (forget_whose_an_order_is, "a customer's orders are not what is open of it"),
        (keep_a_customer_without_orders, "a customer's orders are not what is open of it"),
    ],
)
def test_check_notices_a_corrupted_state(corrupt: Callable[[Book], None], complaint: str) -> None:
    book = a_market()
    book.check()

    corrupt(book)

    with pytest.raises(Inconsistent) as caught:
        book.check()
    assert str(caught.value) == complaint


def test_check_takes_equal_prices_on_both_sides_for_crossed_but_not_neighbours() -> None:
    book = a_book()
    placed(book, limit("bid", BUY, 100, 1), limit("ask", SELL, 101, 1))
    book.check()

    touching = opened(limit("touching", SELL, 100, 1))
    book.asks.rest(touching, 100)
    book.resting["touching"] = touching

    with pytest.raises(Inconsistent, match="crossed at rest"):
        book.check()
