"""Cancelling orders, and pausing, resuming and closing a book: what each changes, and what it leaves alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

import pytest

from chalicelib.domain.books.book import Book
from chalicelib.domain.books.commands import decide, give_up
from chalicelib.domain.books.events import (
    Accepted,
    BookChanged,
    CancelAllEnded,
    CancelRefused,
    Closed,
    Event,
    Rested,
    Traded,
)
from chalicelib.domain.books.matching import InvalidCommand, reject
from chalicelib.domain.books.vocabulary import (
    BookRules,
    BookStatus,
    CancelAll,
    CancelOrder,
    ChangeBook,
    CloseReason,
    Command,
    OrderStatus,
    PlaceOrder,
    SelfTradePrevention,
)
from chalicelib.domain.ledger.amounts import Side
from chalicelib.domain.ledger.changes import Change
from tests.domain.books.orders import (
    AT_MS,
    BUY,
    FOK,
    IOC,
    SELL,
    a_book,
    a_market,
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
    trades,
)

ACTIVE, PAUSED, CLOSED = BookStatus.ACTIVE, BookStatus.PAUSED, BookStatus.CLOSED
REJECTED = reject(limit("order", BUY, 101, 5), CloseReason.INTERNAL_ERROR)
NOT_ACTIVE = pytest.mark.parametrize("status", [PAUSED, CLOSED])


def cancel(order_id: str, of: str | None = None) -> CancelOrder:
    """A customer's wish to cancel; each order has a customer of its own unless told."""
    return CancelOrder(f"cancel {order_id}", order_id, of or f"customer of {order_id}")


def change(status: BookStatus, version: int = 1) -> ChangeBook:
    return change_to(status, version)


# --- cancelling (T29) --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("order_id", "remaining", "released"), [("bid 1", 2, 198), ("bid 3", 4, 392), ("ask 1", 5, 5), ("ask 2", 6, 6)]
)
def test_a_cancelled_order_leaves_the_book_with_its_whole_hold(order_id: str, remaining: int, released: int) -> None:
    book = a_market()
    order = book.find(order_id)
    others = {each for each in book.open_orders if each != order_id}

    events = decided(book, cancel(order_id))

    assert events == [
        Closed(order, OrderStatus.CANCELLED, CloseReason.USER_CANCELLED, remaining, released, order.price, remaining)
    ]
    assert set(book.open_orders) == others


def test_a_cancel_after_a_partial_fill_keeps_the_fill_and_releases_what_the_rest_still_holds() -> None:
    """500 held, 2 of 5 sold to it at 100: the other 3 hold 300."""
    book = a_book()
    placed(book, limit("bid", BUY, 100, 5), limit("ask", SELL, 100, 2))

    events = decided(book, cancel("bid"))

    assert closes(events) == [("bid", CloseReason.USER_CANCELLED, 3, 300)]
    assert queue(book, BUY) == []


def test_the_released_hold_of_a_partly_filled_bid_is_the_rounded_up_cost_of_what_was_open() -> None:
    """One decimal: of 15 at 7 two were bought; the open 13 held ceil(9.1)."""
    book = a_book(base_decimals=1)
    placed(book, limit("bid", BUY, 7, 15, hold=11), limit("ask", SELL, 7, 2))

    assert closes(decided(book, cancel("bid"))) == [("bid", CloseReason.USER_CANCELLED, 13, 10)]


def test_those_behind_a_cancelled_order_move_up_and_keep_their_order() -> None:
    book = a_book()
    placed(book, *(limit(name, SELL, 100, 1) for name in ("first", "second", "third")))

    decided(book, cancel("first"))

    assert queue(book, SELL) == [(100, "second", 1), (100, "third", 1)]
    assert trades(placed(book, limit("taker", BUY, 100, 1))) == [("second", 100, 1)]


def test_a_cancelled_order_trades_with_nobody() -> None:
    book = a_market()

    decided(book, cancel("ask 1"))

    assert trades(placed(book, limit("taker", BUY, 102, 6))) == [("ask 2", 102, 6)]


@pytest.mark.parametrize(
    "command",
    [cancel("nobody's"), cancel("bid 1", of="customer of bid 2"), cancel("ask 1", of="Customer of ask 1")],
    ids=["unknown order", "another customer's order", "customer in another case"],
)
def test_a_cancel_of_an_unknown_or_anothers_order_is_refused_and_changes_nothing(command: CancelOrder) -> None:
    book = a_market()
    before = book.state()

    assert decided(book, command) == [CancelRefused(command.order_id, command.customer)]
    assert book.state() == before


def test_a_second_cancel_and_a_cancel_of_a_filled_order_are_refused() -> None:
    book = a_market()
    placed(book, limit("taker", BUY, 101, 5))
    decided(book, cancel("bid 1"))
    before = book.state()

    assert decided(book, cancel("bid 1"), cancel("ask 1"), cancel("taker")) == [
        CancelRefused("bid 1", "customer of bid 1"),
        CancelRefused("ask 1", "customer of ask 1"),
        CancelRefused("taker", "customer of taker"),
    ]
    assert book.state() == before


def test_a_refused_cancel_moves_no_money() -> None:
    assert moved(decided(a_market(), cancel("nobody's"))) == {}


def test_an_order_can_be_cancelled_on_a_paused_book() -> None:
    """T32."""
    book = a_market()
    decided(book, change(PAUSED))

    events = decided(book, cancel("bid 2"))

    assert closes(events) == [("bid 2", CloseReason.USER_CANCELLED, 3, 297)]
    assert book.status is PAUSED


# --- pausing, resuming, closing (T32) ----------------------------------------------------------------------------


def test_a_new_book_is_active() -> None:
    assert a_book().status is ACTIVE


@pytest.mark.parametrize("status", BookStatus)
def test_a_book_takes_the_status_it_is_told_and_keeps_its_orders(status: BookStatus) -> None:
    book = a_market()
    before = book.state()

    events = begun(book, change(status))

    assert events == [BookChanged("change 1", change(status).terms)]
    assert book.status is status
    assert book.state() == before | {"terms": asdict(change(status).terms)}


def test_a_paused_book_can_be_resumed_and_matches_again_as_if_nothing_had_been() -> None:
    book = a_market()

    decided(book, change(PAUSED), change(ACTIVE, 2))

    assert book.state() == a_market().state() | {"terms": asdict(change(ACTIVE, 2).terms)}
    assert trades(decided(book, limit("taker", BUY, 101, 1))) == [("ask 1", 101, 1)]


@pytest.mark.parametrize("status", BookStatus)
def test_a_closed_book_stays_closed_and_says_so_to_every_later_change(status: BookStatus) -> None:
    book = a_market()
    decided(book, change(CLOSED))
    before = book.state()

    events = decided(book, change(status, 2))

    assert events == [BookChanged("change 2", change(CLOSED).terms)]
    assert book.state() == before


@pytest.mark.parametrize("version", [1, 2])
def test_a_change_that_a_later_one_has_overtaken_leaves_the_book_as_it_is_and_says_so(version: int) -> None:
    """Two records of a split shard, or one that a redrive brings back: the later version counts."""
    book = a_market()
    decided(book, change(PAUSED, 2))
    before = book.state()

    events = decided(book, change(ACTIVE, version))

    assert events == [BookChanged(f"change {version}", change(PAUSED, 2).terms)]
    assert book.state() == before


def test_trades_after_a_change_of_fees_have_the_new_ones_and_those_before_keep_theirs() -> None:
    """T33: the resting order was admitted under the old ones."""
    book = a_book(maker_fee_bps=100, taker_fee_bps=200)
    placed(book, limit("ask", SELL, 100, 2000))
    (before,) = (event for event in decided(book, limit("bid 1", BUY, 100, 1000)) if isinstance(event, Traded))

    decided(book, change_to(ACTIVE, 1, rules=BookRules(maker_fee_bps=10, taker_fee_bps=1000)))

    (after,) = (event for event in decided(book, limit("bid 2", BUY, 100, 1000)) if isinstance(event, Traded))
    assert (before.maker_fee, before.taker_fee) == (1000, 20)
    assert (after.maker_fee, after.taker_fee) == (100, 100)


def test_self_trades_are_treated_as_the_book_says_when_the_orders_turn_comes() -> None:
    book = a_book()
    placed(book, limit("ask", SELL, 100, 5, of="ann"))

    decided(book, change_to(ACTIVE, 1, rules=BookRules(self_trade_prevention=SelfTradePrevention.CANCEL_TAKER)))

    events = decided(book, limit("bid", BUY, 100, 5, of="ann"))
    assert closes(events) == [("bid", CloseReason.SELF_TRADE_PREVENTED, 5, 500)]


@NOT_ACTIVE
@pytest.mark.parametrize(
    "order",
    [
        limit("order", BUY, 101, 5),
        limit("order", SELL, 99, 5),
        limit("order", BUY, 50, 5),
        limit("order", BUY, 101, 5, IOC),
        limit("order", BUY, 101, 500, FOK),
        limit("order", SELL, 99, 5, post_only=True),
        market("order", BUY, 5, budget=700),
        market("order", SELL, 5),
    ],
    ids=lambda order: f"{order.order_type} {order.side} {order.price} {order.time_in_force}",
)
def test_an_order_whose_turn_comes_on_an_inactive_book_is_rejected_with_its_whole_hold(
    status: BookStatus, order: PlaceOrder
) -> None:
    """T23: whether it would have traded, rested or been cancelled."""
    book = a_market()
    decided(book, change(status))
    before = book.state()

    events = decided(book, order)

    assert events == [
        Accepted(order),
        Closed(order, OrderStatus.REJECTED, CloseReason.BOOK_INACTIVE, order.quantity, order.hold),
    ]
    assert book.state() == before


def test_the_step_that_decides_a_command_names_it() -> None:
    book = a_market()
    for command in (limit("one", BUY, 1, 1), cancel("one"), cancel("one"), change(PAUSED), limit("two", BUY, 1, 1)):
        assert [step.command for step in decide(book, command, AT_MS)] == [command]


@pytest.mark.parametrize("status", BookStatus)
def test_an_order_that_contradicts_itself_is_refused_on_a_book_of_any_status(status: BookStatus) -> None:
    book = a_market()
    decided(book, change(status))
    before = book.state()

    with pytest.raises(InvalidCommand):
        list(decide(book, limit("order", BUY, 100, 5, hold=499), AT_MS))

    assert book.state() == before


# --- closing out (T32) -------------------------------------------------------------------------------------------


def test_a_closed_book_is_emptied_a_bounded_number_of_orders_at_a_time() -> None:
    book = a_market()
    begun(book, change(CLOSED))
    rounds = []

    while events := followed_up(book, steps_max=2):
        rounds.append(closes(events))

    assert [len(each) for each in rounds] == [2, 2, 1]
    assert sorted(close for each in rounds for close in each) == [
        ("ask 1", CloseReason.BOOK_CLOSED, 5, 5),
        ("ask 2", CloseReason.BOOK_CLOSED, 6, 6),
        ("bid 1", CloseReason.BOOK_CLOSED, 2, 198),
        ("bid 2", CloseReason.BOOK_CLOSED, 3, 297),
        ("bid 3", CloseReason.BOOK_CLOSED, 4, 392),
    ]
    assert book.state() == a_book().state() | {"terms": asdict(change(CLOSED).terms)}
    assert book.open_orders == {}


def test_closed_out_orders_end_cancelled() -> None:
    _, *events = decided(a_market(), change(CLOSED))

    assert len(events) == 5
    assert all(isinstance(event, Closed) and event.status is OrderStatus.CANCELLED for event in events)


@pytest.mark.parametrize("status", [ACTIVE, PAUSED])
def test_a_book_that_is_not_closed_is_not_emptied(status: BookStatus) -> None:
    book = a_market()
    decided(book, change(status))
    before = book.state()

    assert followed_up(book) == []
    assert book.state() == before


def test_a_half_emptied_book_is_emptied_before_the_next_command() -> None:
    """O4: the cancel of an order comes after the end of its book, and finds nothing to cancel."""
    book = a_market()
    begun(book, change(CLOSED), 3)
    left = next(iter(book.open_orders))

    events = decided(book, cancel(left), limit("late", BUY, 50, 1))

    assert [reason for _, reason, _, _ in closes(events)] == [CloseReason.BOOK_CLOSED] * 3 + [CloseReason.BOOK_INACTIVE]
    assert [event for event in events if isinstance(event, CancelRefused)] == [
        CancelRefused(left, f"customer of {left}")
    ]


@pytest.mark.parametrize(
    ("command", "outcome"),
    [
        (limit("order", BUY, 101, 5), REJECTED),
        (cancel("bid 1"), [CancelRefused("bid 1", "customer of bid 1")]),
        (CancelAll("all", "customer of bid 1"), [CancelAllEnded("all", "customer of bid 1", 0)]),
        (change(PAUSED), [BookChanged(change(PAUSED).command_id, a_book().terms)]),
    ],
    ids=["order", "cancel", "cancel-all", "change"],
)
def test_a_command_that_is_given_up_changes_nothing_but_what_is_due(command: Command, outcome: list[Event]) -> None:
    book, late = a_market(), limit("late", SELL, 110, 1, expires_at_ms=AT_MS)
    for event in (Accepted(late), Rested(late, 1, 1)):
        book.apply(event)

    due, own = give_up(book, command, AT_MS)

    assert closes(due.events) == [("late", CloseReason.EXPIRED, 1, 1)]
    assert (own.events, own.command) == (outcome, command)
    assert book.state() == a_market().state()


# --- money and replay --------------------------------------------------------------------------------------------


def test_cancels_rejections_and_closing_give_every_customer_back_what_was_held() -> None:
    """Guarantee 1: what leaves held arrives in available, account by account, and nothing else moves."""
    book = a_market()
    late = limit("late", BUY, 101, 7)

    events = decided(book, cancel("bid 2"), cancel("ask 1"), change(CLOSED), late)

    assert moved(events) == {
        ("customer of bid 1", BUY): Change(198, -198),
        ("customer of bid 2", BUY): Change(297, -297),
        ("customer of bid 3", BUY): Change(392, -392),
        ("customer of ask 1", SELL): Change(5, -5),
        ("customer of ask 2", SELL): Change(6, -6),
        ("customer of late", BUY): Change(707, -707),
    }


@pytest.mark.parametrize(
    "story",
    [
        lambda book: decided(book, cancel("bid 1")),
        lambda book: decided(book, cancel("nobody's")),
        lambda book: decided(book, change(PAUSED), limit("late", BUY, 101, 1), cancel("ask 2")),
        lambda book: decided(book, change(PAUSED), change(ACTIVE), limit("taker", BUY, 101, 1)),
        lambda book: begun(book, change(CLOSED), 4),
        lambda book: decided(book, change(CLOSED), change(ACTIVE)),
    ],
    ids=["cancel", "refused cancel", "pause", "resume", "half closed out", "closed out"],
)
def test_replaying_what_was_decided_gives_the_same_book(story: Callable[[Book], list[Event]]) -> None:
    """Guarantee 6."""
    decided_on, replayed = a_market(), a_market()

    for event in story(decided_on):
        replayed.apply(event)

    replayed.check()
    assert replayed.state() == decided_on.state()


@pytest.mark.parametrize("side", Side)
def test_placing_through_decide_is_placing(side: Side) -> None:
    order = limit("order", side, 100, 5)

    assert decided(a_book(), order) == [Accepted(order), Rested(order, 5, 5)]
