"""Cancelling all orders of a customer at once (O9): what it closes, group by group, and what may not come between."""

from __future__ import annotations

import pytest

from chalicelib.domain.books.book import Book, Cancelling
from chalicelib.domain.books.commands import Step, decide, follow_ups
from chalicelib.domain.books.events import (
    Accepted,
    BookChanged,
    CancelAllBegun,
    CancelAllEnded,
    CancelRefused,
    Closed,
    Event,
    Rested,
    Traded,
)
from chalicelib.domain.books.journal import BrokenJournal, Head, JournalEntry, draft, replay
from chalicelib.domain.books.snapshot import BookState, decode_state, encode_state
from chalicelib.domain.books.vocabulary import BookRules, BookStatus, CancelAll, CloseReason, OrderStatus
from tests.domain.books.orders import (
    AT_MS,
    BUY,
    SELL,
    a_book,
    begun,
    change_to,
    closes,
    decided,
    followed_up,
    limit,
    placed,
)

NAME = "inst_x/ob"
ANN = "ann"
ALL_OF_ANN = CancelAll("cxa_1", ANN)


def a_market() -> Book:
    """Three orders of Ann's on both sides, the last one with an expiry, between two others'."""
    book = a_book()
    placed(
        book,
        limit("bid 1", BUY, 99, 2, of=ANN),
        limit("bid 2", BUY, 99, 3),
        limit("ask 1", SELL, 101, 5, of=ANN),
        limit("ask 2", SELL, 101, 6),
        limit("ask 3", SELL, 102, 7, of=ANN, expires_at_ms=AT_MS + 10),
    )
    return book


@pytest.mark.parametrize("steps", range(1, 6))
def test_it_closes_every_order_of_its_customer_and_no_other_wherever_it_is_interrupted(steps: int) -> None:
    book = a_market()
    events = begun(book, ALL_OF_ANN, steps) + followed_up(book)
    assert events[0] == CancelAllBegun("cxa_1", ANN)
    assert events[-1] == CancelAllEnded("cxa_1", ANN, 3)
    assert sorted(closes(events)) == [
        ("ask 1", CloseReason.CANCEL_ALL, 5, 5),
        ("ask 3", CloseReason.CANCEL_ALL, 7, 7),
        ("bid 1", CloseReason.CANCEL_ALL, 2, 198),
    ]
    assert set(book.open_orders) == {"bid 2", "ask 2"}
    assert book.cancelling is None
    book.check()


@pytest.mark.parametrize("status", [BookStatus.ACTIVE, BookStatus.PAUSED])
def test_it_closes_them_on_a_paused_book_too(status: BookStatus) -> None:
    book = a_market()
    decided(book, change_to(status, 1), ALL_OF_ANN)
    assert set(book.open_orders) == {"bid 2", "ask 2"}


def test_it_finds_nothing_on_a_closed_book_whose_orders_are_closed_out_first() -> None:
    book = a_market()
    begun(book, change_to(BookStatus.CLOSED, 1))
    events = decided(book, ALL_OF_ANN)
    assert [reason for _, reason, _, _ in closes(events)] == [CloseReason.BOOK_CLOSED] * 5
    assert events[-2:] == [CancelAllBegun("cxa_1", ANN), CancelAllEnded("cxa_1", ANN, 0)]


def test_an_order_that_comes_before_it_is_done_waits_for_its_end() -> None:
    book = a_market()
    begun(book, ALL_OF_ANN)
    late = limit("late", BUY, 1, 1, of=ANN)
    events = decided(book, late)
    assert events.index(Accepted(late)) == 1 + next(
        at for at, event in enumerate(events) if type(event) is CancelAllEnded
    )
    assert list(book.open_orders.values())[-1].placed is late


def test_of_a_customer_without_orders_it_closes_none() -> None:
    book = a_market()
    command = CancelAll("cxa_2", "nobody")
    assert list(decide(book, command, AT_MS)) == [
        Step([CancelAllBegun("cxa_2", "nobody")], command),
        Step([CancelAllEnded("cxa_2", "nobody", 0)]),
    ]
    assert list(follow_ups(book, AT_MS)) == []


def test_what_is_due_expires_first_and_is_not_counted() -> None:
    book = a_market()
    assert len(begun(book, ALL_OF_ANN, 2)) == 2
    events = followed_up(book, AT_MS + 10)
    assert closes(events)[0] == ("ask 3", CloseReason.EXPIRED, 7, 7)
    assert events[-1] == CancelAllEnded("cxa_1", ANN, 2)


@pytest.mark.parametrize("closed", range(4))
def test_what_is_left_of_it_is_in_the_snapshot(closed: int) -> None:
    book = a_market()
    begun(book, ALL_OF_ANN, 1 + closed)
    assert book.cancelling == Cancelling("cxa_1", ANN, closed=closed)
    assert book.state()["cancelling"] == {
        "command_id": "cxa_1", "customer": ANN, "reason": "CANCEL_ALL", "closed": closed,
    }  # fmt: skip

    read = decode_state(NAME, book.rules, encode_state(NAME, BookState(book))).book

    assert read.state() == book.state()
    assert read.cancelling == book.cancelling
    rest = followed_up(read)
    assert rest[-1] == CancelAllEnded("cxa_1", ANN, 3)
    assert len(rest) == 4 - closed


# --- the journal -------------------------------------------------------------------------------------------------


def entry_of(events: list[Event]) -> JournalEntry:
    (entry,) = draft(NAME, Head(), AT_MS, 1, events)
    return entry


def history() -> list[Event]:
    """What led to the market, and the cancel-all's beginning with its first close."""
    book = a_book()
    events = decided(
        book,
        limit("bid 1", BUY, 99, 2, of=ANN),
        limit("bid 2", BUY, 99, 3),
        limit("ask 1", SELL, 101, 5, of=ANN, expires_at_ms=AT_MS + 10),
    )
    return events + begun(book, ALL_OF_ANN, 2)


BID_2, NEW = limit("bid 2", BUY, 99, 3), limit("new", SELL, 99, 1)
ASK_1 = limit("ask 1", SELL, 101, 5, of=ANN, expires_at_ms=AT_MS + 10)
TOO_EARLY: list[list[Event]] = [
    [Accepted(NEW)],
    [Accepted(NEW), Traded(BID_2, NEW, 99, 1, 99, 0, 0, 0, 2, 0)],
    [Accepted(NEW), Rested(NEW, 1, 1)],
    [CancelRefused("gone", ANN)],
    [Closed(BID_2, OrderStatus.CANCELLED, CloseReason.USER_CANCELLED, 3, 297, 99, 3)],
    [Closed(BID_2, OrderStatus.CANCELLED, CloseReason.CANCEL_ALL, 3, 297, 99, 3)],
    [CancelAllBegun("cxa_2", "other")],
    [CancelAllEnded("cxa_1", ANN, 1)],
    [CancelAllEnded("cxa_2", ANN, 1)],
    [BookChanged("cmd", change_to(BookStatus.PAUSED, 1).terms)],
]


@pytest.mark.parametrize("events", TOO_EARLY, ids=[type(events[-1]).__name__ for events in TOO_EARLY])
def test_nothing_newer_comes_before_it_is_done(events: list[Event]) -> None:
    rules = BookRules(base_decimals=0)
    before = history()
    replay(Book(rules), entry_of(before))
    with pytest.raises(BrokenJournal):
        replay(Book(rules), entry_of(before + events))


@pytest.mark.parametrize("ended", [CancelAllEnded("cxa_1", ANN, 1), CancelAllEnded("cxa_1", ANN, 3)])
def test_an_end_that_counts_wrongly_is_none(ended: Event) -> None:
    last: list[Event] = [Closed(ASK_1, OrderStatus.CANCELLED, CloseReason.CANCEL_ALL, 5, 5, 101, 5)]
    good: list[Event] = [CancelAllEnded("cxa_1", ANN, 2)]
    rules = BookRules(base_decimals=0)
    replay(Book(rules), entry_of(history() + last + good))
    with pytest.raises(BrokenJournal):
        replay(Book(rules), entry_of(history() + last + [ended]))


def test_what_expires_may_come_between() -> None:
    expired = Closed(ASK_1, OrderStatus.EXPIRED, CloseReason.EXPIRED, 5, 5, 101, 5)
    book = Book(BookRules(base_decimals=0))
    replay(book, entry_of([*history(), expired, CancelAllEnded("cxa_1", ANN, 1)]))
    assert book.cancelling is None
    assert set(book.open_orders) == {"bid 2"}


def test_an_order_is_not_closed_by_a_cancel_all_that_is_not_there() -> None:
    closed = Closed(BID_2, OrderStatus.CANCELLED, CloseReason.CANCEL_ALL, 3, 297, 99, 3)
    events = [Accepted(BID_2), Rested(BID_2, 3, 3), closed]
    with pytest.raises(BrokenJournal):
        replay(Book(BookRules(base_decimals=0)), entry_of(events))
