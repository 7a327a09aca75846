"""The price band and the circuit breaker (O11, O12)."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable

import pytest

from chalicelib.domain.books.book import Book
from chalicelib.domain.books.commands import Step, decide, follow_ups, give_up
from chalicelib.domain.books.config import BAND_BPS_MAX
from chalicelib.domain.books.events import Closed, Event, Halted, Resumed
from chalicelib.domain.books.protection import Window, calm, is_in_band
from chalicelib.domain.books.snapshot import BookState, decode_state, encode_state
from chalicelib.domain.books.vocabulary import (
    BookRules,
    BookStatus,
    CancelOrder,
    CloseReason,
    Command,
    Protection,
    ResumeBook,
    TimeInForce,
)
from tests.domain.books.orders import (
    AT_MS,
    BUY,
    FOK,
    SELL,
    change_to,
    closes,
    decided,
    limit,
    market,
    queue,
    taken,
    trades,
)
from tests.domain.books.test_parked import stop, trade_at, triggered

IOC = TimeInForce.IOC


def a_banded_book(bps: int = 1000) -> Book:
    """A book whose last trade was at 100; orders trade at 90 to 110."""
    book = Book(BookRules(base_decimals=0, protection=Protection(price_band_bps=bps)))
    trade_at(book, 100)
    return book


def a_breaking_book(bps: int = 1000, window_s: int = 60, halt_s: int = 300) -> Book:
    return Book(BookRules(base_decimals=0, protection=Protection(0, bps, window_s, halt_s)))


# --- the band ----------------------------------------------------------------------------------------------------


def test_without_a_reference_there_is_no_band() -> None:
    book = Book(BookRules(base_decimals=0, protection=Protection(price_band_bps=1)))
    decided(book, limit("ask", SELL, 10**6, 1))
    assert trades(decided(book, limit("bid", BUY, 10**6, 1))) == [("ask", 10**6, 1)]


def test_an_order_trades_at_allowed_prices_only_and_its_rest_is_closed_where_it_would_cross() -> None:
    book = a_banded_book()
    decided(book, limit("in", SELL, 110, 1), limit("out", SELL, 111, 1))
    events = decided(book, limit("taker", BUY, 120, 3))
    assert trades(events) == [("in", 110, 1)]
    assert closes(events) == [("taker", CloseReason.PRICE_BAND, 2, 240)]
    assert queue(book, SELL) == [(111, "out", 1)]


def test_the_reference_is_taken_once_at_the_orders_turn() -> None:
    """A trade at 110 moves the reference for the next order only: 121 is allowed to that one."""
    book = a_banded_book()
    decided(book, limit("in", SELL, 110, 1), limit("next", SELL, 121, 1))
    assert trades(decided(book, limit("taker", BUY, 121, 2))) == [("in", 110, 1)]
    assert trades(decided(book, limit("second", BUY, 121, 1))) == [("next", 121, 1)]


def test_an_order_may_rest_outside_the_band_where_it_crosses_nothing() -> None:
    book = a_banded_book()
    assert closes(decided(book, limit("far", BUY, 50, 1), limit("high", SELL, 500, 1))) == []


@pytest.mark.parametrize("command", [limit("taker", BUY, 120, 3, IOC), market("taker", BUY, 3, IOC)])
def test_the_rest_of_other_orders_says_the_band_too(command: object) -> None:
    book = a_banded_book()
    decided(book, limit("in", SELL, 110, 1), limit("out", SELL, 111, 1))
    events = decided(book, command)  # type: ignore[arg-type]
    assert [reason for _, reason, _, _ in closes(events)] == [CloseReason.PRICE_BAND]


def test_a_fok_order_counts_allowed_prices_only() -> None:
    book = a_banded_book()
    decided(book, limit("in", SELL, 110, 1), limit("out", SELL, 111, 1))
    assert closes(decided(book, limit("fok", BUY, 120, 2, FOK))) == [("fok", CloseReason.FOK_UNFILLABLE, 2, 240)]


def test_a_post_only_order_that_crosses_forbidden_prices_alone_would_cross() -> None:
    book = a_banded_book()
    decided(book, limit("out", SELL, 111, 1))
    events = decided(book, limit("post", BUY, 111, 1, post_only=True))
    assert closes(events) == [("post", CloseReason.POST_ONLY_WOULD_CROSS, 1, 111)]


def test_prices_below_the_band_are_forbidden_too() -> None:
    book = a_banded_book()
    decided(book, limit("cheap", SELL, 89, 1))
    assert closes(decided(book, limit("taker", BUY, 100, 1))) == [("taker", CloseReason.PRICE_BAND, 1, 100)]


def test_the_operator_sets_the_reference_until_the_next_trade() -> None:
    book = a_banded_book()
    decided(book, limit("far", SELL, 190, 1))
    assert decided(book, ResumeBook("resume", 200)) == [Resumed("resume", 200)]
    assert book.reference == 200
    assert trades(decided(book, limit("taker", BUY, 200, 1))) == [("far", 190, 1)]
    assert book.reference == 190


def test_the_operators_reference_forbids_prices_near_the_last_trade() -> None:
    book = a_banded_book()
    decided(book, limit("near", SELL, 100, 1), ResumeBook("resume", 200))
    assert closes(decided(book, limit("taker", BUY, 200, 1))) == [("taker", CloseReason.PRICE_BAND, 1, 200)]


@pytest.mark.parametrize("bps", [1, 500, 9_999, BAND_BPS_MAX])
@pytest.mark.parametrize("reference", [1, 2, 3, 7, 1_000, 99_999, 10**30 + 1])
def test_calm_prices_are_each_in_the_band_of_the_other(bps: int, reference: int) -> None:
    protection = Protection(price_band_bps=bps)
    low, high = calm(reference, Window(), 0, protection)
    assert 0 < low <= reference <= high
    assert is_in_band(low, high, protection)
    assert is_in_band(high, low, protection)


# --- the breaker -------------------------------------------------------------------------------------------------


def test_the_book_halts_before_a_trade_too_far_from_the_windows_prices() -> None:
    book = a_breaking_book()
    trade_at(book, 100)
    decided(book, limit("near", SELL, 110, 1), limit("far", SELL, 111, 1))
    events = decided(book, limit("taker", BUY, 120, 3))
    assert trades(events) == [("near", 110, 1)]
    assert events[-2] == Halted(AT_MS + 300_000, 111)
    assert closes(events) == [("taker", CloseReason.CIRCUIT_BREAKER, 2, 240)]
    assert queue(book, SELL) == [(111, "far", 1)]


def test_a_halted_book_takes_cancels_and_expiries_only() -> None:
    book = a_breaking_book()
    trade_at(book, 100)
    decided(book, limit("far", SELL, 111, 1, expires_at_ms=AT_MS + 7), limit("bid", BUY, 50, 1))
    decided(book, limit("taker", BUY, 120, 1))
    assert closes(decided(book, limit("new", BUY, 40, 1)))[0][1] is CloseReason.BOOK_INACTIVE
    assert isinstance(decided(book, CancelOrder("c", "bid", "customer of bid"))[0], Closed)
    (step,) = follow_ups(book, AT_MS + 7)
    assert isinstance(step.events[0], Closed)


def test_a_halt_ends_by_time_with_an_empty_window_and_the_same_reference() -> None:
    book = a_breaking_book()
    trade_at(book, 100)
    decided(book, limit("far", SELL, 111, 1), limit("taker", BUY, 120, 1))
    assert list(follow_ups(book, AT_MS + 299_999)) == []
    steps = list(decide(book, limit("again", BUY, 111, 1), AT_MS + 300_000))
    events = [event for step in steps for event in step.events]
    assert events[0] == Resumed(None, None)
    assert trades(events) == [("far", 111, 1)]


def test_the_operator_ends_a_halt() -> None:
    book = a_breaking_book()
    trade_at(book, 100)
    decided(book, limit("far", SELL, 111, 1), limit("taker", BUY, 120, 1))
    assert decided(book, ResumeBook("resume")) == [Resumed("resume", None)]
    assert book.trades_now
    assert book.reference == 100


def test_parked_orders_of_the_queue_wait_for_the_end_of_a_halt() -> None:
    book = a_breaking_book()
    trade_at(book, 100)
    decided(book, limit("near", SELL, 105, 1), limit("far", SELL, 200, 1))
    decided(book, stop("one", BUY, 105, 300), stop("two", BUY, 105, 104))
    events = decided(book, limit("taker", BUY, 105, 1))
    assert triggered(events) == ["one"]
    assert closes(events) == [("one", CloseReason.CIRCUIT_BREAKER, 1, 300)]
    assert triggered(decided(book, ResumeBook("resume"))) == ["two"]


def test_an_unfillable_fok_order_never_halts_and_a_fillable_one_halts_before_its_first_trade() -> None:
    book = a_breaking_book()
    trade_at(book, 100)
    decided(book, limit("near", SELL, 105, 1), limit("far", SELL, 200, 1))
    events = decided(book, limit("fok", BUY, 200, 3, FOK))
    assert closes(events) == [("fok", CloseReason.FOK_UNFILLABLE, 3, 600)]
    assert book.halted_until_ms is None
    events = decided(book, limit("fok 2", BUY, 200, 2, FOK))
    assert trades(events) == []
    assert closes(events) == [("fok 2", CloseReason.CIRCUIT_BREAKER, 2, 400)]
    assert book.halted_until_ms == AT_MS + 300_000


def test_prices_older_than_the_window_do_not_count() -> None:
    book = a_breaking_book(window_s=60)
    trade_at(book, 100)
    decided(book, limit("far", SELL, 200, 1))
    events: list[Event] = [
        event for step in decide(book, limit("taker", BUY, 200, 1), AT_MS + 60_000) for event in step.events
    ]
    assert trades(events) == [("far", 200, 1)]


def test_a_trade_at_the_price_of_an_earlier_second_counts_from_its_own() -> None:
    book = a_breaking_book(window_s=60)
    trade_at(book, 100)
    later = AT_MS + 30_000
    for command in (limit("maker", SELL, 100, 1), limit("taker", BUY, 100, 1), limit("far", SELL, 200, 1)):
        taken(book, decide(book, command, later))
    events = taken(book, decide(book, limit("too far", BUY, 200, 1), later + 59_000))
    assert closes(events) == [("too far", CloseReason.CIRCUIT_BREAKER, 1, 200)]


def test_a_fok_order_does_not_count_prices_below_the_band() -> None:
    book = a_banded_book()
    decided(book, limit("cheap", SELL, 89, 1), limit("in", SELL, 90, 1))
    assert closes(decided(book, limit("fok", BUY, 100, 2, FOK))) == [("fok", CloseReason.FOK_UNFILLABLE, 2, 200)]


def test_the_book_halts_before_a_trade_that_is_too_cheap() -> None:
    book = a_breaking_book()
    trade_at(book, 100)
    decided(book, limit("near", BUY, 90, 1), limit("far", BUY, 89, 1))
    events = decided(book, limit("taker", SELL, 80, 2))
    assert trades(events) == [("near", 90, 1)]
    assert events[-2] == Halted(AT_MS + 300_000, 89)


def test_a_halt_and_its_window_are_in_the_snapshot() -> None:
    book = a_breaking_book()
    trade_at(book, 100, 105)
    again = decode_state("b", book.rules, encode_state("b", BookState(book))).book
    assert again.state() == book.state()
    decided(again, limit("far", SELL, 200, 1), limit("taker", BUY, 200, 1))
    once_more = decode_state("b", again.rules, encode_state("b", BookState(again))).book
    assert once_more.state() == again.state()
    assert once_more.halted_until_ms is not None


@pytest.mark.parametrize("decide_or_give_up", [decide, give_up])
def test_a_refused_change_leaves_the_window_as_a_replay_does(
    decide_or_give_up: Callable[[Book, Command, int], Iterable[Step]],
) -> None:
    book, replayed = a_breaking_book(window_s=1), a_breaking_book(window_s=1)
    for one in (book, replayed):
        trade_at(one, 100)
    for step in decide_or_give_up(book, change_to(BookStatus.PAUSED, 0, "old", book.rules), AT_MS + 5_000):
        replayed.begin(AT_MS + 5_000)
        for event in step.events:
            replayed.apply(event)
    assert replayed.state()["window"] == book.state()["window"]


@pytest.mark.parametrize("seed", range(50))
def test_the_window_knows_the_lowest_and_the_highest_price_and_stays_small(seed: int) -> None:
    draw = random.Random(seed)
    window, seen, window_s, second = Window(), list[tuple[int, int]](), draw.randint(1, 9), 100
    for _ in range(300):
        second += draw.choice([0, 0, 1, draw.randrange(5)])
        inside = [price for at, price in seen if at > second - window_s]
        expected = (min(inside), max(inside)) if inside else None
        assert window.extremes(second, window_s) == expected
        price = draw.randint(1, 50)
        window.add(price, second, window_s)
        seen.append((second, price))
        assert max(len(window.lows), len(window.highs)) <= window_s
