"""Feed events of a book follow from an entry alone: examples. The reference's random flows rebuild all from them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from chalicelib.domain.books import journal
from chalicelib.domain.books.book import Book
from chalicelib.domain.books.commands import decide, give_up
from chalicelib.domain.books.config import BookConfig
from chalicelib.domain.books.events import Event
from chalicelib.domain.books.feed import TYPES, events_of
from chalicelib.domain.books.journal import Head, JournalEntry, draft
from chalicelib.domain.books.vocabulary import AmendOrder, BookStatus, CancelAll, CancelOrder, SelfTradePrevention
from chalicelib.domain.feed.event import FeedEvent
from tests.domain.books.orders import AT_MS, BUY, FOK, IOC, SELL, a_book, change_to, limit

CONFIG = BookConfig("inst_a", "ob", "Test", "B/Q", "BASE", "QUOTE", base_decimals=0)


def entry_of(events: Iterable[Event], at: int = 1) -> JournalEntry:
    (entry,) = draft("inst_a/ob", Head(sequence=at - 1), AT_MS, 7, events)
    return entry


def told(book: Book, *commands: Any, decided: Callable[..., Any] = decide) -> list[FeedEvent]:
    """Return the feed events of an entry in which these commands are decided."""
    steps = (step for command in commands for step in decided(book, command, AT_MS))
    return events_of(CONFIG, entry_of(event for step in steps for event in step.events))


def short(events: Iterable[FeedEvent]) -> list[tuple[str, str]]:
    return [(event.name, event.type) for event in events]


def test_an_order_that_rests_is_accepted_and_rested_and_holds_its_money() -> None:
    events = told(a_book(), limit("bid", BUY, 100, 5, of="ann"))
    assert short(events)[:3] == [
        ("0-order", "order.accepted"), ("1-order", "order.rested"), ("depth", "depth.changed"),
    ]  # fmt: skip
    accepted, rested, depth, balance = events
    assert accepted.body == {
        "orderId": "bid", "bookId": "ob", "customerRef": "ann", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC",
        "price": "100", "quantity": "5", "postOnly": False, "value": None, "externalId": None, "expiresAt": None,
        "stopPrice": None, "distance": None, "step": None,
    }  # fmt: skip
    assert rested.body == {
        "orderId": "bid", "bookId": "ob", "customerRef": "ann", "side": "BUY", "quantity": "5", "price": "100",
        "remainingQuantity": "5",
    }  # fmt: skip
    assert depth.body == {"bookId": "ob", "changes": [{"side": "BUY", "price": "100", "change": "5"}]}
    assert balance.type == "balance.changed"
    assert balance.body == {
        "customerRef": "ann", "asset": "QUOTE", "available": "-500", "held": "500", "bookId": "ob",
    }  # fmt: skip
    assert [event.part for event in events] == [0, 1, 2, 3]
    assert {event.at_ms for event in events} == {AT_MS}
    assert [event.receivers for event in events] == [
        {"customer/ann"}, {"customer/ann"}, {"public"}, {"customer/ann"},
    ]  # fmt: skip


def test_a_trade_tells_everybody_the_trade_and_each_side_its_order_fill_and_balances() -> None:
    book = a_book(maker_fee_bps=1000, taker_fee_bps=1000)
    told(book, limit("ask", SELL, 100, 10, of="ann"))
    events = told(book, limit("bid", BUY, 100, 30, of="bob"))
    assert short(events)[:7] == [
        ("0-order", "order.accepted"), ("1-trade", "trade.executed"), ("1-maker", "order.filled"),
        ("1-maker-fill", "fill.created"), ("1-taker", "order.partially_filled"), ("1-taker-fill", "fill.created"),
        ("2-order", "order.rested"),
    ]  # fmt: skip
    by_name = {event.name: event for event in events}
    trade = by_name["1-trade"]
    assert trade.receivers == {"public"}
    assert "customerRef" not in trade.body
    assert {name: trade.body[name] for name in ("price", "quantity", "notional", "takerSide", "makerOrderId")} == {
        "price": "100", "quantity": "10", "notional": "1000", "takerSide": "BUY", "makerOrderId": "ask",
    }  # fmt: skip
    taker, fill = by_name["1-taker"], by_name["1-taker-fill"]
    assert taker.receivers == fill.receivers == {"customer/bob"}
    assert (taker.body["filledQuantity"], taker.body["remainingQuantity"]) == ("10", "20")
    assert (fill.body["role"], fill.body["side"], fill.body["fee"]) == ("taker", "BUY", "1")
    assert by_name["depth"].body["changes"] == [
        {"side": "SELL", "price": "100", "change": "-10"}, {"side": "BUY", "price": "100", "change": "20"},
    ]  # fmt: skip
    balances = {
        (event.body["customerRef"], event.body["asset"]): (event.body["available"], event.body["held"])
        for event in events
        if event.type == "balance.changed"
    }
    assert balances == {
        ("bob", "QUOTE"): ("-3000", "2000"), ("bob", "BASE"): ("9", "0"), ("ann", "BASE"): ("0", "-10"),
        ("ann", "QUOTE"): ("900", "0"), (None, "BASE"): ("1", "0"), (None, "QUOTE"): ("100", "0"),
    }  # fmt: skip
    assert {event.receivers for event in events if event.body.get("customerRef", "") is None} == {frozenset()}, (
        "what the fee accounts take is for the operator alone"
    )


@pytest.mark.parametrize(
    ("force", "reason"), [(FOK, "FOK_UNFILLABLE"), (IOC, "IOC_REMAINDER")], ids=["a kill", "a remainder"]
)
def test_an_order_that_never_rested_changes_no_depth(force: Any, reason: str) -> None:
    events = told(a_book(), limit("bid", BUY, 100, 5, time_in_force=force))
    assert [event.type for event in events] == ["order.accepted", "order.cancelled", "balance.changed"]
    assert events[1].body["reason"] == reason


@pytest.mark.parametrize("reason", ["accepted and cancelled", "given up", "an amendment refused"])
def test_a_balance_whose_changes_add_up_to_nothing_is_told(reason: str) -> None:
    """Its hold stood in the account before the entry, for whoever read the balance then."""
    book = a_book()
    if reason == "accepted and cancelled":
        events = told(book, limit("bid", BUY, 100, 5, time_in_force=IOC, of="ann"))
    elif reason == "given up":
        events = told(book, limit("bid", BUY, 100, 5, of="ann"), decided=give_up)
    else:
        events = told(book, AmendOrder("a", "gone", "ann", BUY, None, 7, extra=200))
    (balance,) = (event.body for event in events if event.type == "balance.changed")
    assert balance == {"customerRef": "ann", "asset": "QUOTE", "available": "0", "held": "0", "bookId": "ob"}


def test_an_account_that_is_not_moved_is_not_told() -> None:
    """Nor a fee account that takes nothing."""
    book = a_book()
    told(book, limit("ask", SELL, 100, 10, of="ann"))
    events = told(book, limit("bid", BUY, 100, 10, of="bob"))
    balances = {event.body["customerRef"] for event in events if event.type == "balance.changed"}
    assert balances == {"ann", "bob"}
    refused = told(book, AmendOrder("a", "gone", "ann", BUY, None, 7, extra=0))
    assert [event.type for event in refused] == ["order.amend_refused"]


def test_own_orders_that_are_kept_apart_leave_the_depth_only_where_they_rested() -> None:
    book = a_book(self_trade_prevention=SelfTradePrevention.CANCEL_BOTH)
    told(book, limit("ask", SELL, 100, 5, of="ann"))
    events = told(book, limit("bid", BUY, 100, 7, of="ann"))
    (depth,) = (event for event in events if event.type == "depth.changed")
    assert depth.body["changes"] == [{"side": "SELL", "price": "100", "change": "-5"}]
    assert [event.body["orderId"] for event in events if event.type == "order.cancelled"] == ["ask", "bid"]


def test_a_cancel_its_refusal_an_expiry_and_a_rejection_have_events_of_their_own() -> None:
    book = a_book()
    told(book, limit("bid", BUY, 100, 5, of="ann"), limit("late", BUY, 99, 5, expires_at_ms=AT_MS + 1))
    cancel = CancelOrder("c", "bid", "ann")
    events = told(book, cancel, CancelOrder("d", "bid", "ann"), change_to(BookStatus.PAUSED, 1))
    assert [event.type for event in events] == [
        "order.cancelled", "order.cancel_refused", "book.changed", "depth.changed", "balance.changed",
    ]  # fmt: skip
    assert events[1].body == {"orderId": "bid", "customerRef": "ann", "bookId": "ob"}
    assert (events[2].body["status"], events[2].body["version"]) == ("PAUSED", 1)
    rejected = told(book, limit("next", BUY, 100, 5, of="ann"))
    assert [event.type for event in rejected] == ["order.accepted", "order.rejected", "balance.changed"]
    expired = list(decide(book, CancelAll("x", "ann"), AT_MS + 1))
    events = events_of(CONFIG, entry_of(event for step in expired for event in step.events))
    assert [event.type for event in events] == ["order.expired", "depth.changed", "balance.changed"]


def test_names_are_words_for_ids_and_every_type_is_listed() -> None:
    book = a_book(maker_fee_bps=10)
    events = told(book, limit("ask", SELL, 100, 10, of="ann"), limit("bid", BUY, 100, 30, of="bob"))
    events += told(book, limit("ask 2", SELL, 101, 1), decided=give_up)
    assert all(re.fullmatch(r"[a-z0-9-]+", event.name) for event in events)
    assert {event.type for event in events} <= set(TYPES)
    assert len({event.event_id for event in events[:10]}) == 10


def test_an_entry_that_is_split_tells_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def types(entries: list[JournalEntry]) -> list[str]:
        events = [event for entry in entries for event in events_of(CONFIG, entry)]
        return [event.type for event in events if event.type not in ("depth.changed", "balance.changed")]

    steps = list(decide(a_book(), limit("bid", BUY, 100, 5, of="ann"), AT_MS))
    events = [event for step in steps for event in step.events]
    whole = draft("inst_a/ob", Head(), AT_MS, 7, events)
    monkeypatch.setattr(journal, "ENTRY_EVENT_BYTES_MAX", 1)
    split = draft("inst_a/ob", Head(), AT_MS, 7, events)
    assert (len(whole), len(split)) == (1, 2)
    assert types(split) == types(whole)
