"""Orders that expire (R24): none trades at or after its time, and what is due is closed in order, piece by piece."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from chalicelib.domain.books import forms
from chalicelib.domain.books.book import EXPIRIES_SPARE, Book
from chalicelib.domain.books.commands import decide
from chalicelib.domain.books.events import Accepted, CancelRefused, Closed, Event, Rested
from chalicelib.domain.books.matching import InvalidCommand, place
from chalicelib.domain.books.snapshot import BookState, decode_state, encode_state
from chalicelib.domain.books.vocabulary import BookRules, BookStatus, CancelOrder, CloseReason, OrderStatus
from chalicelib.domain.ledger.amounts import Side
from chalicelib.domain.ledger.changes import Change
from chalicelib.support.consistency import Inconsistent
from tests.domain.books.orders import (
    AT_MS,
    BUY,
    FOK,
    IOC,
    SELL,
    a_book,
    begun,
    change_to,
    closes,
    decided,
    followed_up,
    limit,
    market,
    moved,
    placed,
    queue,
    taken,
    trades,
)


def a_market() -> Book:
    """A bid and two asks that expire 10, 30 and 20 ms from now, and an ask that does not."""
    book = a_book()
    placed(
        book,
        limit("bid", BUY, 99, 2, expires_at_ms=AT_MS + 10),
        limit("ask 1", SELL, 101, 5, expires_at_ms=AT_MS + 30),
        limit("ask 2", SELL, 102, 6, expires_at_ms=AT_MS + 20),
        limit("ask 3", SELL, 101, 7),
    )
    return book


def expired(book: Book, at_ms: int, orders_max: int = 100) -> list[Event]:
    return followed_up(book, at_ms, orders_max)


def names(events: list[Event]) -> list[str]:
    return [order_id for order_id, *_ in closes(events)]


@pytest.mark.parametrize(
    ("after_ms", "due"),
    [(9, []), (10, ["bid"]), (19, ["bid"]), (20, ["bid", "ask 2"]), (99, ["bid", "ask 2", "ask 1"])],
)
def test_what_is_due_is_closed_from_its_very_moment_on_in_the_order_of_the_moments(
    after_ms: int, due: list[str]
) -> None:
    book = a_market()

    events = expired(book, AT_MS + after_ms)

    assert names(events) == due
    assert set(book.open_orders) == {"bid", "ask 1", "ask 2", "ask 3"} - set(due)
    assert expired(book, AT_MS + after_ms) == []


def test_what_is_due_expires_before_the_next_command_is_decided() -> None:
    book = a_market()
    taker = limit("taker", BUY, 102, 20)

    events = taken(book, decide(book, taker, AT_MS + 30))

    assert names(events) == ["bid", "ask 2", "ask 1"]
    assert events[3] == Accepted(taker)
    assert trades(events) == [("ask 3", 101, 7)]


def test_what_is_due_at_the_moment_of_a_command_expires_before_it() -> None:
    book = a_market()
    assert names(decide_at(book, AT_MS + 9)) == []
    assert names(decide_at(book, AT_MS + 10)) == ["bid"]


def decide_at(book: Book, at_ms: int) -> list[Event]:
    """Place an order that only rests, at this time; return its events and what comes before."""
    return taken(book, decide(book, limit(f"at {at_ms}", BUY, 1, 1), at_ms))


def test_an_order_that_expires_is_expired_and_gets_back_what_it_still_holds() -> None:
    book = a_book()
    bid = limit("bid", BUY, 100, 5, expires_at_ms=AT_MS + 10)
    placed(book, bid, limit("ask", SELL, 100, 2))

    events = expired(book, AT_MS + 10)

    assert events == [Closed(bid, OrderStatus.EXPIRED, CloseReason.EXPIRED, 3, 300, 100, 3)]
    assert moved(events) == {("customer of bid", BUY): Change(300, -300)}


def test_orders_of_one_moment_are_closed_by_id_a_bounded_number_at_a_time() -> None:
    book = a_book()
    placed(book, *(limit(name, SELL, 100, 1, expires_at_ms=AT_MS + 5) for name in ("c", "a", "d", "b")))

    rounds = [names(expired(book, AT_MS + 5, 3)) for _ in range(3)]

    assert rounds == [["a", "b", "c"], ["d"], []]


@pytest.mark.parametrize("late_ms", [0, 1, 10**9])
@pytest.mark.parametrize(
    "order",
    [limit("order", BUY, 101, 5), limit("order", SELL, 99, 5), limit("order", BUY, 1, 5, post_only=True)],
    ids=["buys", "sells", "rests"],
)
def test_an_order_that_is_due_at_its_turn_ends_with_its_whole_hold(order: object, late_ms: int) -> None:
    book = a_market()
    before = book.state()
    order = replace(order, expires_at_ms=AT_MS)

    events = place(book, order, AT_MS + late_ms)

    assert events == [Accepted(order), Closed(order, OrderStatus.EXPIRED, CloseReason.EXPIRED, 5, order.hold)]
    assert book.state() == before


def test_an_order_whose_turn_comes_a_moment_before_its_time_trades_and_rests() -> None:
    book = a_market()

    events = decided(book, limit("taker", BUY, 101, 20, expires_at_ms=AT_MS + 1))

    assert trades(events) == [("ask 1", 101, 5), ("ask 3", 101, 7)]
    assert events[-1] == Rested(book.find("taker"), 8, 8)
    assert names(expired(book, AT_MS + 1)) == ["taker"]


@pytest.mark.parametrize("status", [BookStatus.PAUSED, BookStatus.CLOSED])
def test_time_passes_on_a_book_that_is_not_active(status: BookStatus) -> None:
    """An order that is due is EXPIRED there too, not REJECTED: its own end came first."""
    book = a_market()
    begun(book, change_to(status, 1))

    events = expired(book, AT_MS + 20)
    assert names(events) == ["bid", "ask 2", *(["ask 1", "ask 3"] if status is BookStatus.CLOSED else [])]
    assert [event.status for event in events if isinstance(event, Closed)][:2] == [OrderStatus.EXPIRED] * 2
    (_, end) = decided(book, limit("late", BUY, 50, 1, expires_at_ms=AT_MS))
    assert isinstance(end, Closed)
    assert end.status is OrderStatus.EXPIRED
    assert names(expired(book, AT_MS + 99)) == ([] if status is BookStatus.CLOSED else ["ask 1"])


def test_an_order_that_has_left_does_not_expire_and_one_that_has_expired_cannot_be_cancelled() -> None:
    book = a_market()
    decided(book, CancelOrder("cancel", "bid", "customer of bid"), limit("taker", BUY, 101, 5))

    assert names(expired(book, AT_MS + 99)) == ["ask 2"]
    refused = decided(book, CancelOrder("cancel", "ask 2", "customer of ask 2"))
    assert refused == [CancelRefused("ask 2", "customer of ask 2")]


def test_those_behind_an_expired_order_move_up() -> None:
    book = a_market()
    expired(book, AT_MS + 30)

    assert queue(book, SELL) == [(101, "ask 3", 7)]
    assert trades(placed(book, limit("taker", BUY, 101, 9))) == [("ask 3", 101, 7)]


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("force", [IOC, FOK])
def test_only_an_order_that_can_rest_may_expire(side: Side, force: object) -> None:
    """R23: admission makes no other."""
    book = a_market()
    before = book.state()
    for order in (limit("order", side, 100, 5, force), market("order", side, 5)):  # type: ignore[arg-type]
        with pytest.raises(InvalidCommand, match="contradict"):
            place(book, replace(order, expires_at_ms=AT_MS + 5), AT_MS)
        with pytest.raises(InvalidCommand, match="contradict"):
            place(book, replace(order, expires_at_ms=AT_MS), AT_MS)
    assert book.state() == before


def test_a_book_that_is_replayed_or_read_from_a_snapshot_expires_the_same() -> None:
    rules = BookRules(base_decimals=0)
    book, replayed = a_market(), Book(rules)
    for event in placed(
        a_book(), *(order.placed for order in sorted(book.by_priority(), key=lambda order: order.placed.order_id))
    ):
        replayed.apply(event)
    read = decode_state("b", rules, encode_state("b", BookState(book))).book

    for other in (replayed, read):
        assert names(expired(other, AT_MS + 99)) == ["bid", "ask 2", "ask 1"]


def test_the_journal_has_the_time_of_orders_that_expire_and_of_no_others() -> None:
    expiring, lasting = limit("order", BUY, 100, 5, expires_at_ms=AT_MS + 7), limit("order", BUY, 100, 5)

    assert forms.encode_order(expiring) == forms.encode_order(lasting) | {"expiresAt": AT_MS + 7}
    for order in (expiring, lasting):
        assert forms.decode_order(forms.encode_order(order)) == order


def test_a_close_by_time_is_written_down_and_read_back() -> None:
    book = a_market()
    (event,) = expired(a_market(), AT_MS + 10, 1)

    raw = json.loads(forms.encode(event))

    assert (raw["status"], raw["reason"]) == ("EXPIRED", "EXPIRED")
    assert forms.decode(raw, book) == event


def test_expiries_of_orders_that_left_long_before_their_time_are_dropped() -> None:
    """A customer who places and cancels all day leaves no trace; whoever rests is found at its time all the same."""
    book = a_market()
    for number in range(10 * EXPIRIES_SPARE):
        order_id = f"order {number}"
        placed(book, limit(order_id, BUY, 50, 1, expires_at_ms=AT_MS + 10**9 - number))
        decided(book, CancelOrder("cancel", order_id, f"customer of {order_id}"))
        assert len(book.expiries) <= 2 * len(book.open_orders) + EXPIRIES_SPARE + 3

    assert names(expired(book, AT_MS + 10**9)) == ["bid", "ask 2", "ask 1"]
    assert book.expiries == []


def test_expiries_are_dropped_when_they_are_twice_the_resting_orders_and_some_more() -> None:
    book = a_book()
    placed(book, limit("stays", BUY, 40, 1), limit("stays too", BUY, 41, 1))
    left = 2 * 3 + EXPIRIES_SPARE + 1
    for number in range(left + 1):
        assert len(book.expiries) == number
        placed(book, limit(f"order {number}", BUY, 50, 1, expires_at_ms=AT_MS + 10**9))
        decided(book, CancelOrder("cancel", f"order {number}", f"customer of order {number}"))

    assert len(book.expiries) == 1


def test_check_looks_at_the_first_two_expiries_too() -> None:
    book = a_book()
    placed(
        book, limit("late", BUY, 50, 1, expires_at_ms=AT_MS + 2), limit("early", BUY, 51, 1, expires_at_ms=AT_MS + 1)
    )
    book.expiries.reverse()
    with pytest.raises(Inconsistent, match=r"^expiries are in disorder$"):
        book.check()


def test_check_notices_an_expiry_that_is_forgotten_or_out_of_order() -> None:
    book = a_market()
    book.expiries.reverse()
    with pytest.raises(Inconsistent, match=r"^expiries are in disorder$"):
        book.check()
    book = a_market()
    book.expiries.pop()
    with pytest.raises(Inconsistent, match=r"^an expiry is forgotten$"):
        book.check()
