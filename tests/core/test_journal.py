"""Journal entries: what is written can be read back, folded to the same book, and not be changed unseen."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from ulid import ULID

from chalicelib.core import journal
from chalicelib.core.book import Book
from chalicelib.core.events import Event
from chalicelib.core.journal import GENESIS_HASH, BrokenJournal, Head, draft, head_of, replay, trade_id, verify
from chalicelib.core.matching import place, reject
from chalicelib.core.vocabulary import BookRules, OrderType, PlaceOrder, Side, TimeInForce

RULES = BookRules(base_decimals=0, maker_fee_bps=5, taker_fee_bps=15)
AT_MS = 1_736_937_000_000


def order(number: int, side: str, quantity: int, price: int, time_in_force: str = "GTC") -> PlaceOrder:
    hold = quantity * price if side == "BUY" else quantity
    limit, force = OrderType.LIMIT, TimeInForce(time_in_force)
    return PlaceOrder(f"ord_{number}", f"cüst {number}", Side(side), limit, force, price, quantity, hold)


def decided() -> tuple[Book, list[Event]]:
    """A book after a few commands, with every kind of event."""
    book, events = Book(RULES), []
    for command in (
        order(1, "SELL", 10, 50), order(2, "SELL", 10, 51), order(3, "BUY", 15, 51), order(4, "BUY", 9, 51, "IOC"),
        order(5, "BUY", 3, 40),
    ):  # fmt: skip
        events += place(book, command)
    refused = reject(order(6, "SELL", 4, 60))
    for event in refused:
        book.apply(event)
    return book, events + refused


def test_an_entry_read_back_gives_the_same_events_and_the_same_book() -> None:
    book, events = decided()
    (entry,) = draft("inst_x/ob", Head(), AT_MS, 7, events)
    folded = Book(RULES)
    assert replay(folded, entry) == events
    assert folded.state() == book.state()
    folded.check()
    assert {raw["type"] for raw in entry.events} == {"accepted", "traded", "rested", "closed"}


def test_entries_follow_each_other_and_time_and_watermark_never_go_back() -> None:
    _, events = decided()
    (first,) = draft("b", Head(), AT_MS, 90, events)
    (second,) = draft("b", head_of(first), AT_MS - 5, 80, events)
    assert (first.sequence, first.previous_hash) == (1, GENESIS_HASH)
    assert (second.sequence, second.previous_hash) == (2, first.hash)
    assert (second.at_ms, second.watermark) == (AT_MS, 90)
    verify(first, Head())
    verify(second, head_of(first))


@pytest.mark.parametrize(
    "change",
    [
        {"at_ms": AT_MS + 1}, {"watermark": 8}, {"book": "other"}, {"redriven": ("ord_1",)}, {"events": ()},
        {"hash": "0" * 64}, {"previous_hash": "1" * 64}, {"sequence": 2},
    ],
)  # fmt: skip
def test_no_part_of_an_entry_can_be_changed_unseen(change: dict[str, object]) -> None:
    _, events = decided()
    (entry,) = draft("b", Head(), AT_MS, 7, events)
    verify(entry, Head())
    with pytest.raises(BrokenJournal):
        verify(replace(entry, **change), Head())  # type: ignore[arg-type]


def test_an_entry_that_is_too_large_is_split_without_losing_or_reordering_events(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(journal, "ENTRY_EVENT_BYTES_MAX", 500)
    book, events = decided()
    entries = draft("b", Head(), AT_MS, 7, events, ["ord_9"])
    assert len(entries) > 3
    head, folded, read = Head(), Book(RULES), []
    for entry in entries:
        verify(entry, head)
        read += replay(folded, entry)
        head = head_of(entry)
        assert len(entry.events) == 1 or sum(len(journal.canonical(event)) for event in entry.events) <= 500
    assert read == events
    assert folded.state() == book.state()
    assert [entry.redriven for entry in entries] == [("ord_9",)] + [()] * (len(entries) - 1)


def test_an_event_about_an_order_that_is_not_there_breaks_the_journal() -> None:
    _, events = decided()
    (entry,) = draft("b", Head(), AT_MS, 7, events)
    with pytest.raises(BrokenJournal, match="cannot be folded"):
        replay(Book(RULES), replace(entry, events=entry.events[2:]))
    with pytest.raises(BrokenJournal):
        replay(Book(RULES), replace(entry, events=({"type": "invented"},)))


def test_events_are_written_as_plain_json_with_amounts_as_strings() -> None:
    book = Book(RULES)
    place(book, order(1, "SELL", 10, 50))
    accepted, traded = (journal.encode(event) for event in place(book, order(2, "BUY", 10, 50)))
    assert accepted == {
        "type": "accepted",
        "order": {
            "id": "ord_2", "customer": "cüst 2", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "price": "50",
            "quantity": "10", "hold": "500", "postOnly": False,
        },
    }  # fmt: skip
    assert traded == {
        "type": "traded", "maker": "ord_1", "taker": "ord_2", "price": "50", "quantity": "10", "notional": "500",
        "makerFee": "0", "takerFee": "0", "released": "0", "makerRemaining": "0", "takerRemaining": "0",
    }  # fmt: skip
    assert journal.canonical(traded) == json.dumps(traded, separators=(",", ":"), sort_keys=True).encode()


def test_trade_ids_are_ulids_of_the_entrys_time_and_ascend_within_a_book() -> None:
    """T15"""
    _, events = decided()
    (first,) = draft("b", Head(), AT_MS, 7, events)
    (second,) = draft("b", head_of(first), AT_MS, 8, events)
    (elsewhere,) = draft("c", Head(), AT_MS, 7, events)
    ids = [trade_id(first, 1), trade_id(first, 2), trade_id(first, 300), trade_id(second, 1)]
    assert ids == sorted(ids)
    assert len({*ids, trade_id(elsewhere, 1)}) == 5
    assert all(each.startswith("trade_") and ULID.from_str(each[6:]).milliseconds == AT_MS for each in ids)
