"""Amendments: priority, holds, and what is refused at an order's turn (O8)."""

from __future__ import annotations

import random

import pytest

from chalicelib.domain.books.book import Book
from chalicelib.domain.books.events import Amended, AmendRefused, Closed, Event
from chalicelib.domain.books.vocabulary import AmendOrder, AmendRefusal, BookStatus, CloseReason
from chalicelib.domain.ledger.amounts import Side
from chalicelib.domain.ledger.holds import extra_of_amendment
from tests.domain.books.orders import BUY, SELL, a_book, change_to, decided, limit, moved, queue, trades
from tests.domain.books.test_iceberg import iceberg
from tests.domain.books.test_parked import stop, trade_at, trailing, triggered


def amendment(
    book: Book, order_id: str, price: int | None = None, quantity: int | None = None, of: str | None = None
) -> AmendOrder:
    """The amendment as admission would make it, of the order as it is now."""
    order = book.open_orders[order_id]
    old = order.price or 0
    filled = order.quantity - order.remaining
    extra = extra_of_amendment(
        order.placed.side, old, order.remaining, order.hold, price or old,
        (quantity or order.quantity) - filled, book.rules.base_decimals,
    )  # fmt: skip
    return AmendOrder(
        f"amend {order_id}", order_id, of or order.placed.customer, order.placed.side, price, quantity, extra
    )


def amended(book: Book, order_id: str, price: int | None = None, quantity: int | None = None) -> Amended | AmendRefused:
    events = decided(book, amendment(book, order_id, price, quantity))
    assert isinstance(events[0], Amended | AmendRefused)
    return events[0]


def three(side: Side = BUY, price: int = 100) -> Book:
    book = a_book()
    decided(book, *(limit(name, side, price, 5) for name in ("one", "two", "three")))
    return book


@pytest.mark.parametrize(
    ("price", "quantity", "expected"),
    [
        (None, 4, [(100, "one", 4), (100, "two", 5), (100, "three", 5)]),
        (None, 6, [(100, "two", 5), (100, "three", 5), (100, "one", 6)]),
        (100, 5, [(100, "one", 5), (100, "two", 5), (100, "three", 5)]),
        (99, None, [(100, "two", 5), (100, "three", 5), (99, "one", 5)]),
        (101, 4, [(101, "one", 4), (100, "two", 5), (100, "three", 5)]),
    ],
)
def test_a_lower_quantity_alone_keeps_time_priority(
    price: int | None, quantity: int | None, expected: list[tuple[int, str, int]]
) -> None:
    book = three()
    assert isinstance(amended(book, "one", price, quantity), Amended)
    assert queue(book, BUY) == expected


def test_the_hold_becomes_that_of_the_new_terms_and_the_rest_is_released() -> None:
    book = three()
    event = amended(book, "one", 110, 7)
    assert isinstance(event, Amended)
    assert book.open_orders["one"].hold == 770
    assert event.extra == 271
    assert event.released == 1
    change = moved([event])["customer of one", BUY]
    assert (change.available, change.held) == (1, -1)


def test_the_quantity_counts_what_is_filled() -> None:
    book = three(SELL)
    decided(book, limit("taker", BUY, 100, 2))
    amended(book, "one", quantity=4)
    assert queue(book, SELL)[0] == (100, "one", 2)
    assert amended(book, "one", quantity=2) == AmendRefused(
        "amend one", "one", "customer of one", SELL, 0, AmendRefusal.QUANTITY
    )


def test_a_price_that_would_cross_is_refused_and_the_order_stays() -> None:
    book = three()
    decided(book, limit("ask", SELL, 105, 1))
    refused = amended(book, "one", 105)
    assert isinstance(refused, AmendRefused)
    assert (refused.reason, refused.extra) == (AmendRefusal.WOULD_CROSS, 26)
    assert queue(book, BUY)[0] == (100, "one", 5)
    assert moved([refused])["customer of one", BUY].available == 26


@pytest.mark.parametrize(("order_id", "of"), [("gone", "ann"), ("one", "ann")])
def test_an_order_that_is_not_open_or_anothers_is_not_amended(order_id: str, of: str) -> None:
    book = three()
    command = AmendOrder("amend", order_id, of, BUY, 90, None, 0)
    assert decided(book, command) == [AmendRefused("amend", order_id, of, BUY, 0, AmendRefusal.NOT_OPEN)]


@pytest.mark.parametrize("halted", [False, True])
def test_a_paused_or_halted_book_amends_nothing(halted: bool) -> None:
    book = three()
    if halted:
        book.halt(10**15)
    else:
        decided(book, change_to(BookStatus.PAUSED, 1))
    refused = amended(book, "one", 90)
    assert isinstance(refused, AmendRefused)
    assert refused.reason is AmendRefusal.BOOK_INACTIVE


def test_a_parked_orders_limit_may_lie_anywhere_and_it_stays_parked() -> None:
    book = a_book()
    decided(book, limit("ask", SELL, 105, 1), stop("stop", BUY, 110, 100))
    assert isinstance(amended(book, "stop", 120, 3), Amended)
    assert queue(book, BUY) == []
    assert book.open_orders["stop"].hold == 360


def test_a_parked_order_loses_its_place_among_equal_stops_but_a_trailing_one_keeps_its_reference() -> None:
    book = a_book()
    trade_at(book, 100)
    decided(book, stop("one", BUY, 103, 1), trailing("trail", BUY, 3, 1), stop("two", BUY, 103, 1))
    trade_at(book, 101)
    amended(book, "one", 2)
    amended(book, "trail", None, 2)
    assert triggered(trade_at(book, 103)) == ["two", "one", "trail"]


def test_a_lower_quantity_keeps_a_parked_orders_place() -> None:
    book = a_book()
    decided(book, stop("one", BUY, 103, 1, 5), stop("two", BUY, 103, 1))
    amended(book, "one", None, 2)
    assert triggered(trade_at(book, 103)) == ["one", "two"]


def test_an_iceberg_order_keeps_its_slice_when_lowered_and_shows_a_new_one_when_raised() -> None:
    book = a_book()
    decided(book, iceberg("ice", SELL, 100, 10, 4), limit("taker", BUY, 100, 1))
    amended(book, "ice", quantity=9)
    assert book.asks.depth(9) == [(100, 3)]
    amended(book, "ice", quantity=3)
    assert book.asks.depth(9) == [(100, 2)]
    amended(book, "ice", quantity=12)
    assert book.asks.depth(9) == [(100, 4)]
    refused = amended(book, "ice", quantity=41)
    assert isinstance(refused, AmendRefused)
    assert refused.reason is AmendRefusal.SLICES


def test_what_is_worth_nothing_after_an_amendment_is_closed() -> None:
    """One decimal: at price 3 a quantity of 3 is worth less than one quote unit."""
    book = a_book(base_decimals=1)
    decided(book, limit("ask", SELL, 3, 20, hold=20), limit("taker", BUY, 3, 10, hold=3))
    events = decided(book, amendment(book, "ask", quantity=12))
    closed = events[-1]
    assert isinstance(closed, Closed)
    assert (closed.reason, closed.remaining, closed.released) == (CloseReason.DUST, 2, 2)


@pytest.mark.parametrize("seed", range(200))
def test_the_extra_is_enough_however_much_fills_before_its_turn(seed: int) -> None:
    draw = random.Random(seed)
    decimals = draw.choice([0, 1, 3])
    book = a_book(base_decimals=decimals)
    unit = 10**decimals
    side, price, quantity = draw.choice([BUY, SELL]), draw.randint(1, 50), draw.randint(unit, 30 * unit)
    hold = quantity if side is SELL else -(-price * quantity // unit)
    decided(book, limit("order", side, price, quantity, hold=hold))
    if "order" not in book.open_orders:
        return
    taken = draw.randint(0, quantity - 1)

    def take(name: str, amount: int) -> None:
        other = SELL if side is BUY else BUY
        if amount:
            held = amount if other is SELL else -(-price * amount // unit)
            decided(book, limit(name, other, price, amount, hold=held))

    take("before", taken // 2)
    if "order" not in book.open_orders:
        return
    command = amendment(book, "order", draw.choice([None, draw.randint(1, 60)]), draw.randint(1, 40 * unit))
    take("between", taken - taken // 2)
    events: list[Event] = decided(book, command)
    final = [event for event in events if isinstance(event, Amended | AmendRefused)]
    assert len(final) == 1
    assert trades(events) == []
