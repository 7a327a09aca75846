"""Parked orders: which trade triggers them, in which order, and what they do then (O1 to O5)."""

from __future__ import annotations

import random
from itertools import islice

import pytest

from chalicelib.domain.books.book import Book
from chalicelib.domain.books.commands import decide, follow_ups, give_up_queued
from chalicelib.domain.books.events import Accepted, CancelAllEnded, Closed, Event, Parked, Rested, Resumed, Triggered
from chalicelib.domain.books.matching import InvalidCommand, place
from chalicelib.domain.books.snapshot import BookState, decode_state, encode_state
from chalicelib.domain.books.vocabulary import (
    BookStatus,
    CancelAll,
    CancelOrder,
    CloseReason,
    OrderStatus,
    OrderType,
    PlaceOrder,
)
from chalicelib.domain.ledger.amounts import Side
from chalicelib.support.consistency import Inconsistent
from tests.domain.books.orders import (
    AT_MS,
    BUY,
    GTC,
    SELL,
    a_book,
    begun,
    change_to,
    decided,
    followed_up,
    limit,
    queue,
    trades,
)


def stop(
    order_id: str, side: Side, at: int, price: int, quantity: int = 1, *, of: str | None = None,
    expires_at_ms: int | None = None,
) -> PlaceOrder:  # fmt: skip
    hold = price * quantity if side is BUY else quantity
    return PlaceOrder(
        order_id, of or f"customer of {order_id}", side, OrderType.STOP_LIMIT, GTC, price, quantity, hold,
        stop_price=at, expires_at_ms=expires_at_ms,
    )  # fmt: skip


def trailing(order_id: str, side: Side, distance: int, price: int | None, quantity: int = 1) -> PlaceOrder:
    hold = quantity if side is SELL or price is None else price * quantity
    return PlaceOrder(
        order_id, f"customer of {order_id}", side, OrderType.TRAILING, GTC, price, quantity, hold, distance=distance
    )


def trade_at(book: Book, *prices: int) -> list[Event]:
    """Let one unit trade at each price, on a book that is otherwise empty there."""
    events: list[Event] = []
    for number, price in enumerate(prices):
        name = f"{price} {number} {book.triggers.turns} {random.random()}"
        events += decided(book, limit(f"maker {name}", SELL, price, 1), limit(f"taker {name}", BUY, price, 1))
    return events


def triggered(events: list[Event]) -> list[str]:
    return [event.order.order_id for event in events if isinstance(event, Triggered)]


def test_a_stop_limit_order_waits_unseen_and_rests_at_its_price_once_a_trade_reaches_its_stop() -> None:
    book = a_book()

    assert decided(book, order := stop("stop", BUY, 105, 103)) == [Accepted(order), Parked(order)]
    assert queue(book, BUY) == []
    assert triggered(trade_at(book, 104)) == []

    events = trade_at(book, 105)

    assert triggered(events) == ["stop"]
    assert events[-1] == Rested(order, 1, 1)
    assert queue(book, BUY) == [(103, "stop", 1)]


def test_a_triggered_order_names_the_trade_that_did_it() -> None:
    book = a_book()
    order = stop("stop", SELL, 95, 90)
    events = decided(book, order, limit("maker", BUY, 95, 1), limit("taker", SELL, 95, 1))
    assert Triggered(order, 95, "maker", "taker") in events


def test_an_order_that_lowers_a_reference_triggers_by_its_next_trade() -> None:
    """The stop is at 110, where 105 is far from it; the trade at 95 moves it to 105."""
    book = a_book()
    trade_at(book, 100)
    decided(book, trailing("trailing", BUY, 10, 90), limit("low", SELL, 95, 1), limit("high", SELL, 105, 1))
    events = decided(book, limit("taker", BUY, 105, 2))
    assert trades(events) == [("low", 95, 1), ("high", 105, 1)]
    assert triggered(events) == ["trailing"]


@pytest.mark.parametrize(("side", "at", "last"), [(BUY, 100, 100), (BUY, 99, 100), (SELL, 100, 100), (SELL, 101, 100)])
def test_an_order_that_the_last_trade_satisfies_triggers_at_its_own_turn(side: Side, at: int, last: int) -> None:
    book = a_book()
    trade_at(book, last)
    assert triggered(decided(book, stop("stop", side, at, 100))) == ["stop"]


@pytest.mark.parametrize(("side", "at"), [(BUY, 101), (SELL, 99)])
def test_an_order_that_the_last_trade_does_not_satisfy_waits(side: Side, at: int) -> None:
    book = a_book()
    trade_at(book, 100)
    assert triggered(decided(book, stop("stop", side, at, 100))) == []


def test_a_book_without_a_trade_triggers_nothing() -> None:
    assert triggered(decided(a_book(), stop("stop", SELL, 10**9, 1), trailing("trail", BUY, 1, 5))) == []


def test_of_one_trade_buys_come_by_stop_ascending_then_sells_by_stop_descending_older_first() -> None:
    """All are satisfied at 100: the last trade was 100 for the buys that rise, so a trade at 100 must reach them."""
    book = a_book()
    trade_at(book, 99)
    orders = [
        stop("buy 100 b", BUY, 100, 1), stop("buy 100 c", BUY, 100, 1), trailing("buy 100 a", BUY, 1, 1),
    ]  # fmt: skip
    decided(book, *orders)
    assert triggered(trade_at(book, 100)) == ["buy 100 b", "buy 100 c", "buy 100 a"]

    sells = [stop("sell 98", SELL, 98, 1000), stop("sell 99 a", SELL, 99, 1000), stop("sell 99 b", SELL, 99, 1000)]
    decided(book, *sells)
    decided(book, CancelOrder("c", "sell 99 a", "customer of sell 99 a"))
    assert triggered(trade_at(book, 98)) == ["sell 99 b", "sell 98"]


def test_a_trailing_sell_follows_the_highest_trade_since_its_turn_and_never_falls() -> None:
    book = a_book()
    trade_at(book, 200, 100)
    decided(book, trailing("trail", SELL, 10, 1))
    assert triggered(trade_at(book, 120, 111, 115)) == []
    assert triggered(trade_at(book, 110)) == ["trail"]


def test_a_trailing_buy_follows_the_lowest_trade_since_its_turn_and_never_rises() -> None:
    book = a_book()
    trade_at(book, 50, 100)
    decided(book, trailing("trail", BUY, 10, 1))
    assert triggered(trade_at(book, 90, 99, 95)) == []
    assert triggered(trade_at(book, 100)) == ["trail"]


def test_a_trailing_sell_without_a_price_becomes_a_market_order() -> None:
    book = a_book()
    trade_at(book, 100)
    decided(book, trailing("trail", SELL, 10, None, quantity=5), limit("bid", BUY, 70, 3))
    events = trade_at(book, 90)
    assert trades(events)[-1] == ("bid", 70, 3)
    (closed,) = (event for event in events if isinstance(event, Closed))
    assert (closed.order.order_id, closed.reason, closed.remaining) == ("trail", CloseReason.MARKET_REMAINDER, 2)


def test_a_trailing_sell_whose_stop_is_not_above_0_never_triggers() -> None:
    book = a_book()
    trade_at(book, 100)
    decided(book, trailing("trail", SELL, 100, 1))
    assert triggered(trade_at(book, 1)) == []


def test_a_cascade_decides_one_order_wholly_before_the_next() -> None:
    """Each triggered sell trades with the next bid, which triggers the next one."""
    book = a_book()
    decided(book, *(limit(f"bid {price}", BUY, price, 1) for price in (100, 99, 98, 97)))
    decided(book, *(stop(f"stop {price}", SELL, price, 1) for price in (98, 99, 100)))
    events = decided(book, limit("first", SELL, 100, 1))
    assert triggered(events) == ["stop 100", "stop 99", "stop 98"]
    assert [price for _, price, _ in trades(events)] == [100, 99, 98, 97]


def test_the_queue_stands_while_the_book_is_paused_and_its_orders_can_be_cancelled_and_expire() -> None:
    book = a_book()
    decided(
        book,
        stop("one", SELL, 100, 99), stop("two", SELL, 100, 99), stop("late", SELL, 100, 99, expires_at_ms=AT_MS + 5),
    )  # fmt: skip
    decided(book, limit("maker", BUY, 100, 1))
    begun(book, limit("taker", SELL, 100, 1))  # the matcher dies before the cascade
    events = begun(book, change_to(BookStatus.PAUSED, 1), steps=4)
    assert triggered(events) == ["one", "two", "late"]

    book = a_book()
    decided(book, stop("one", SELL, 100, 99), stop("late", SELL, 100, 99, expires_at_ms=AT_MS + 5))
    decided(book, stop("two", SELL, 100, 99), limit("maker", BUY, 100, 1))
    begun(book, limit("taker", SELL, 100, 1))
    book.change(change_to(BookStatus.PAUSED, 1).terms)
    assert followed_up(book) == []
    (cancelled,) = decided(book, CancelOrder("c", "one", "customer of one"))
    assert isinstance(cancelled, Closed)
    assert cancelled.level is None
    (expired,) = followed_up(book, AT_MS + 5)
    assert isinstance(expired, Closed)
    assert expired.status is OrderStatus.EXPIRED
    events = decided(book, change_to(BookStatus.ACTIVE, 2))
    assert triggered(events) == ["two"]


def test_a_cancel_all_closes_parked_orders_too() -> None:
    book = a_book()
    decided(book, stop("stop", BUY, 100, 99, of="ann"), limit("bid", BUY, 98, 1, of="ann"))
    events = decided(book, CancelAll("all", "ann"))
    assert [event.order.order_id for event in events if isinstance(event, Closed)] == ["stop", "bid"]
    assert not book.open_orders


def test_when_a_halt_ends_the_queue_is_decided_before_an_unfinished_cancel_all() -> None:
    book = a_book()
    decided(book, stop("stop", SELL, 100, 99, of="ann"), limit("maker", BUY, 100, 1))
    begun(book, limit("taker", SELL, 100, 1))  # the matcher dies before the cascade
    book.halt(AT_MS + 5)
    begun(book, CancelAll("all", "ann"))  # and before the cancel-all closes anything
    events = followed_up(book, AT_MS + 5)
    assert [type(event) for event in events] == [Resumed, Triggered, Rested, Closed, CancelAllEnded]


def test_a_closed_book_closes_parked_orders_after_those_that_rest() -> None:
    book = a_book()
    decided(book, stop("stop", BUY, 100, 99), limit("bid", BUY, 98, 1))
    events = decided(book, change_to(BookStatus.CLOSED, 1))
    assert [event.order.order_id for event in events if isinstance(event, Closed)] == ["bid", "stop"]


def test_a_queued_order_that_cannot_be_decided_is_rejected_and_the_next_one_goes_on() -> None:
    book = a_book()
    decided(book, stop("one", SELL, 100, 99), stop("two", SELL, 100, 99), limit("maker", BUY, 100, 1))
    begun(book, limit("taker", SELL, 100, 1))
    (closed,) = give_up_queued(book).events
    assert isinstance(closed, Closed)
    assert (closed.order.order_id, closed.status, closed.reason) == (
        "one", OrderStatus.REJECTED, CloseReason.INTERNAL_ERROR,
    )  # fmt: skip
    book.check()
    assert triggered(followed_up(book)) == ["two"]


@pytest.mark.parametrize(
    "order",
    [
        PlaceOrder("o", "ann", BUY, OrderType.STOP_LIMIT, GTC, 5, 1, 5),
        PlaceOrder("o", "ann", BUY, OrderType.STOP_LIMIT, GTC, 5, 1, 5, stop_price=0),
        PlaceOrder("o", "ann", BUY, OrderType.STOP_LIMIT, GTC, 5, 1, 5, stop_price=3, post_only=True),
        PlaceOrder("o", "ann", BUY, OrderType.TRAILING, GTC, None, 1, 5, distance=3),
        PlaceOrder("o", "ann", SELL, OrderType.TRAILING, GTC, None, 1, 1, distance=0),
        PlaceOrder("o", "ann", SELL, OrderType.LIMIT, GTC, None, 1, 1),
        PlaceOrder("o", "ann", SELL, OrderType.ICEBERG, GTC, 5, 11, 11, step=1),
        PlaceOrder("o", "ann", SELL, OrderType.CEILING, GTC, None, 11, 11),
        PlaceOrder("o", "ann", SELL, OrderType.MARKET, GTC, 5, 11, 11),
    ],
)
def test_an_order_with_members_of_another_type_is_no_command(order: PlaceOrder) -> None:
    with pytest.raises(InvalidCommand):
        place(a_book(), order, AT_MS)


def naively_triggered(prices: list[int], orders: list[tuple[int, PlaceOrder]]) -> list[list[str]]:
    """For each trade, the orders that it triggers, by the words of the contract. orders: with the trades before it."""
    waiting = list(orders)
    found = []
    for number, price in enumerate(prices):
        satisfied = []
        for age, (since, order) in enumerate(orders):
            if (since, order) not in waiting or since > number:
                continue
            stop_price = order.stop_price
            if order.distance is not None:
                seen = prices[max(0, since - 1) : number + 1]
                edge = max(seen) - order.distance if order.side is SELL else min(seen) + order.distance
                stop_price = edge
            assert stop_price is not None
            if price >= stop_price if order.side is BUY else stop_price > 0 and price <= stop_price:
                satisfied.append((order.side is SELL, stop_price if order.side is BUY else -stop_price, age, order))
                waiting.remove((since, order))
        found.append([order.order_id for *_, order in sorted(satisfied, key=lambda one: one[:3])])
    return found


@pytest.mark.parametrize("seed", range(60))
def test_any_trades_trigger_what_the_words_of_the_contract_say(seed: int) -> None:
    """Prices walk; orders park, some leave; a restart from a snapshot in between. The limits never meet anything."""
    draw = random.Random(seed)
    book = a_book()
    prices: list[int] = []
    orders: list[tuple[int, PlaceOrder]] = []
    seen: list[list[str]] = []
    price = 1000
    for number in range(120):
        for _ in range(draw.randrange(3)):
            side = draw.choice([BUY, SELL])
            order_id, limit_price = f"o{len(orders)}", 1 if side is BUY else 10**6
            if draw.random() < 0.5:
                at = price + draw.randint(1, 30) * (1 if side is BUY else -1)
                order = stop(order_id, side, at, limit_price)
            else:
                order = trailing(order_id, side, draw.randint(1, 30), limit_price)
            decided(book, order)
            orders.append((number, order))
            if draw.random() < 0.2:
                decided(book, CancelOrder(f"c{order_id}", order_id, order.customer))
                orders.pop()
        if draw.random() < 0.2:
            book = decode_state("b", book.rules, encode_state("b", BookState(book))).book
        price = max(40, price + draw.randint(-12, 12))
        prices.append(price)
        seen.append(triggered(trade_at(book, price)))
    assert seen == naively_triggered(prices, orders)


def test_a_cascade_goes_on_where_the_journal_ends_after_any_step() -> None:
    def story(steps_max: int) -> tuple[Book, list[Event]]:
        book = a_book()
        decided(book, *(limit(f"bid {price}", BUY, price, 1) for price in (100, 99, 98)))
        decided(book, *(stop(f"stop {price}", SELL, price, 1) for price in (99, 100)))
        events = begun(book, limit("first", SELL, 100, 1), steps_max)
        book = decode_state("b", book.rules, encode_state("b", BookState(book))).book
        events += [event for step in islice(follow_ups(book, AT_MS), 99) for event in step.events]
        return book, events

    whole, all_events = story(99)
    for steps in range(1, 4):
        book, events = story(steps)
        assert events == all_events
        assert book.state() == whole.state()


def test_deciding_a_command_decides_the_standing_queue_before_it() -> None:
    book = a_book()
    decided(book, stop("stop", SELL, 100, 99), limit("maker", BUY, 100, 1))
    begun(book, limit("taker", SELL, 100, 1))
    steps = list(decide(book, limit("next", BUY, 99, 1), AT_MS))
    assert [type(step.events[0]) for step in steps] == [Triggered, Accepted]


def test_an_order_with_the_id_of_a_parked_one_is_invalid() -> None:
    """Whether or not it is the newest of them, also after a snapshot."""
    book = a_book()
    for order_id in ("stop 1", "stop 3", "stop 2"):
        decided(book, stop(order_id, BUY, 110, 120))
    loaded = decode_state("b", book.rules, encode_state("b", BookState(book))).book
    for each in (book, loaded):
        each.check()
        for order_id in ("stop 1", "stop 2", "stop 3"):
            with pytest.raises(InvalidCommand, match=order_id):
                place(each, limit(order_id, BUY, 90, 1), AT_MS)
        decided(each, limit("stop 0", BUY, 90, 1))
        assert list(each.open_orders) == ["stop 0", "stop 1", "stop 3", "stop 2"]
        assert len(each.open_orders) == 4


def test_check_notices_that_a_parked_order_could_be_taken_for_none() -> None:
    book = a_book()
    decided(book, stop("stop 1", BUY, 110, 120))
    book.triggers.newest = "stop 0"
    with pytest.raises(Inconsistent, match="newer than the newest"):
        book.check()
