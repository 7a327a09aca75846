"""Iceberg orders: what they show, in which order their slices trade, and what of them is closed (O6)."""

from __future__ import annotations

import pytest

from chalicelib.domain.books.commands import decide
from chalicelib.domain.books.events import Closed, Rested, Sliced
from chalicelib.domain.books.matching import InvalidCommand
from chalicelib.domain.books.snapshot import BookState, decode_state, encode_state
from chalicelib.domain.books.vocabulary import (
    CancelOrder,
    CloseReason,
    OrderType,
    PlaceOrder,
    SelfTradePrevention,
    TimeInForce,
)
from chalicelib.domain.ledger.amounts import Side
from tests.domain.books.orders import AT_MS, BUY, FOK, GTC, SELL, a_book, closes, decided, limit, market, queue, trades


def iceberg(
    order_id: str, side: Side, price: int, quantity: int, step: int, *, of: str | None = None, post_only: bool = False
) -> PlaceOrder:
    hold = price * quantity if side is BUY else quantity
    return PlaceOrder(
        order_id, of or f"customer of {order_id}", side, OrderType.ICEBERG, GTC, price, quantity, hold, post_only,
        step=step,
    )  # fmt: skip


def test_it_rests_showing_one_slice() -> None:
    book = a_book()
    order = iceberg("ice", SELL, 100, 10, 3)
    assert decided(book, order)[-1] == Rested(order, 10, 3)
    assert book.asks.depth(9) == [(100, 3)]
    assert queue(book, SELL) == [(100, "ice", 10)]


def test_it_takes_with_its_whole_amount_and_shows_a_slice_of_what_is_left() -> None:
    book = a_book()
    decided(book, limit("ask", SELL, 100, 6))
    events = decided(book, iceberg("ice", BUY, 100, 10, 3))
    assert trades(events) == [("ask", 100, 6)]
    assert book.bids.depth(9) == [(100, 3)]


def test_a_filled_slice_is_followed_by_the_next_one_at_the_end_of_its_level_in_the_same_command() -> None:
    book = a_book()
    order = iceberg("ice", SELL, 100, 7, 3)
    decided(book, order, limit("plain", SELL, 100, 2))
    events = decided(book, limit("taker", BUY, 100, 8))
    assert trades(events) == [("ice", 100, 3), ("plain", 100, 2), ("ice", 100, 3)]
    assert [event for event in events if isinstance(event, Sliced)] == [Sliced(order, 3, 0), Sliced(order, 1, 0)]
    assert book.asks.depth(9) == [(100, 1)]


def test_a_partly_filled_slice_keeps_its_place_and_is_not_topped_up() -> None:
    book = a_book()
    decided(book, iceberg("ice", SELL, 100, 9, 3), limit("plain", SELL, 100, 2), limit("taker", BUY, 100, 1))
    assert book.asks.depth(9) == [(100, 4)]
    assert trades(decided(book, limit("next", BUY, 100, 3))) == [("ice", 100, 2), ("plain", 100, 1)]


def test_a_smaller_last_slice_that_is_worth_nothing_joins_the_one_before() -> None:
    """One decimal: at price 3 a quantity of 3 is worth less than one quote unit, one of 4 is worth it."""
    book = a_book(base_decimals=1)
    order = PlaceOrder("ice", "ann", SELL, OrderType.ICEBERG, GTC, 3, 11, 11, step=4)
    decided(book, order)
    assert book.asks.depth(9) == [(3, 4)]
    decided(book, limit("taker", BUY, 3, 4, hold=2))
    assert book.asks.depth(9) == [(3, 7)]


@pytest.mark.parametrize(("price", "step", "is_sound"), [(3, 4, True), (3, 3, False), (2, 4, False)])
def test_an_order_whose_slices_are_worth_nothing_is_no_command(price: int, step: int, is_sound: bool) -> None:
    book = a_book(base_decimals=1)
    order = PlaceOrder("ice", "ann", SELL, OrderType.ICEBERG, GTC, price, 12, 12, step=step)
    if is_sound:
        decided(book, order)
    else:
        with pytest.raises(InvalidCommand):
            decided(book, order)
    assert ("ice" in book.open_orders) is is_sound


def test_what_a_trade_leaves_of_a_slice_that_is_worth_nothing_goes_into_the_next_one() -> None:
    book = a_book(base_decimals=1)
    order = PlaceOrder("ice", "ann", SELL, OrderType.ICEBERG, GTC, 3, 20, 20, step=5)
    plain = PlaceOrder("plain", "bob", SELL, OrderType.LIMIT, GTC, 3, 4, 4)
    decided(book, order, plain)
    events = decided(book, limit("taker", BUY, 3, 4, hold=2))
    assert events[-1] == Sliced(order, 5, 1)
    assert queue(book, SELL) == [(3, "plain", 4), (3, "ice", 16)]


def test_a_cancel_closes_all_of_it_and_the_depth_loses_what_it_showed() -> None:
    book = a_book()
    decided(book, iceberg("ice", SELL, 100, 9, 3), limit("plain", SELL, 100, 2))
    (closed,) = decided(book, CancelOrder("c", "ice", "customer of ice"))
    assert isinstance(closed, Closed)
    assert (closed.remaining, closed.released, closed.shown) == (9, 9, 3)
    assert book.asks.depth(9) == [(100, 2)]


def test_self_trade_prevention_closes_it_whole() -> None:
    book = a_book(self_trade_prevention=SelfTradePrevention.CANCEL_MAKER)
    decided(book, iceberg("ice", SELL, 100, 9, 3, of="ann"))
    events = decided(book, limit("taker", BUY, 100, 1, of="ann"))
    assert closes(events) == [("ice", CloseReason.SELF_TRADE_PREVENTED, 9, 9)]


@pytest.mark.parametrize(("wanted", "is_filled"), [(12, True), (13, False)])
def test_the_fok_test_counts_every_slice(wanted: int, is_filled: bool) -> None:
    book = a_book()
    decided(book, iceberg("ice", SELL, 100, 10, 3), limit("plain", SELL, 100, 2))
    events = decided(book, limit("fok", BUY, 100, wanted, FOK))
    assert (sum(quantity for _, _, quantity in trades(events)) == wanted) is is_filled
    assert bool(closes(events)) is not is_filled


def test_a_fok_budget_pays_slices_in_the_order_in_which_they_trade() -> None:
    book = a_book()
    decided(book, iceberg("ice", SELL, 100, 4, 2), limit("dear", SELL, 101, 5))
    assert trades(decided(book, market("short", BUY, 5, FOK, budget=500))) == []
    assert trades(decided(book, market("enough", BUY, 5, FOK, budget=501))) == [
        ("ice", 100, 2), ("ice", 100, 2), ("dear", 101, 1),
    ]  # fmt: skip


def test_a_post_only_one_never_takes() -> None:
    book = a_book()
    decided(book, limit("ask", SELL, 100, 1))
    events = decided(book, iceberg("ice", BUY, 100, 4, 2, post_only=True))
    assert closes(events) == [("ice", CloseReason.POST_ONLY_WOULD_CROSS, 4, 400)]


def test_a_restart_from_a_snapshot_goes_on_with_the_same_slices() -> None:
    book = a_book()
    decided(book, iceberg("ice", SELL, 100, 9, 4), limit("plain", SELL, 100, 2), limit("taker", BUY, 100, 1))
    again = decode_state("b", book.rules, encode_state("b", BookState(book))).book
    command = limit("next", BUY, 100, 8, TimeInForce.IOC)
    assert list(decide(again, command, AT_MS)) == list(decide(book, command, AT_MS))
    assert again.state() == book.state()
