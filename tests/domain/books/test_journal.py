"""Journal entries: what is written can be read back, folded to the same book, and not be changed unseen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from ulid import ULID

from chalicelib.domain.books import forms, journal
from chalicelib.domain.books.book import Book
from chalicelib.domain.books.commands import decide
from chalicelib.domain.books.events import BookChanged, Closed, Event
from chalicelib.domain.books.journal import (
    GENESIS_HASH,
    BrokenJournal,
    Head,
    JournalEntry,
    draft,
    head_of,
    replay,
    trade_id,
    verify,
)
from chalicelib.domain.books.matching import place, reject
from chalicelib.domain.books.vocabulary import (
    BookRules,
    BookStatus,
    CancelAll,
    CancelOrder,
    CloseReason,
    OrderType,
    PlaceOrder,
    TimeInForce,
)
from chalicelib.domain.ledger.amounts import Side
from chalicelib.support.canonical import canonical
from tests.domain.books.orders import QUIET, begun, change_to, taken

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
        events += place(book, command, AT_MS)
    refused = reject(order(6, "SELL", 4, 60), CloseReason.INTERNAL_ERROR)
    for event in refused:
        book.apply(event)
    events += refused
    for change in (
        change_to(BookStatus.PAUSED, 1, "cmd_1", RULES), order(7, "SELL", 4, 60),
        CancelOrder("cmd_2", "ord_5", "cüst 5"), CancelOrder("cmd_3", "ord_1", "cüst 1"),
        change_to(BookStatus.ACTIVE, 4, "cmd_4", RULES), order(8, "BUY", 2, 40),
    ):  # fmt: skip
        events += taken(book, decide(book, change, AT_MS))
    events += taken(book, decide(book, CancelAll("cmd_9", "cüst 8"), AT_MS))
    return book, events


def encoded(event: Event) -> Any:
    """The event as its entry has it, parsed."""
    return json.loads(forms.encode(event))


def _with_events(entry: JournalEntry, events: Sequence[object]) -> JournalEntry:
    return replace(entry, content=canonical(events).encode())


def test_an_entry_read_back_gives_the_same_events_and_the_same_book() -> None:
    book, events = decided()
    (entry,) = draft("inst_x/ob", Head(), AT_MS, 7, events)
    folded = Book(RULES)
    assert replay(folded, entry) == events
    assert folded.state() == book.state()
    folded.check()
    assert {raw["type"] for raw in entry.events} == {
        "accepted", "traded", "rested", "closed", "cancelRefused", "bookChanged",
        "cancelAllBegun", "cancelAllEnded",
    }  # fmt: skip


def test_a_closed_and_emptied_book_is_read_back_as_such() -> None:
    book, events = decided()
    events += taken(book, decide(book, change_to(BookStatus.CLOSED, 5, "cmd_5", RULES), AT_MS))
    (entry,) = draft("inst_x/ob", Head(), AT_MS, 7, events)
    folded = Book(RULES)
    assert replay(folded, entry) == events
    assert folded.state() == book.state() == QUIET | {
        "terms": asdict(book.terms), "last_trade": (51, "ord_2", "ord_4"), "reference": 51, "bids": [], "asks": [],
    }  # fmt: skip
    assert folded.status is BookStatus.CLOSED


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
        {"at_ms": AT_MS + 1}, {"watermark": 8}, {"book": "other"}, {"redriven": ("ord_1",)}, {"content": b"[]"},
        {"hash": "0" * 64}, {"previous_hash": "1" * 64}, {"sequence": 2},
    ],
)  # fmt: skip
def test_no_part_of_an_entry_can_be_changed_unseen(change: dict[str, object]) -> None:
    _, events = decided()
    (entry,) = draft("b", Head(), AT_MS, 7, events)
    verify(entry, Head())
    with pytest.raises(BrokenJournal):
        verify(replace(entry, **change), Head())  # type: ignore[arg-type]


def test_an_entry_of_another_history_does_not_follow_though_its_own_hash_is_right() -> None:
    _, events = decided()
    (first,) = draft("b", Head(), AT_MS, 7, events)
    (other_first,) = draft("b", Head(), AT_MS + 1, 7, events)
    (second,) = draft("b", head_of(other_first), AT_MS + 1, 8, events)
    verify(second, head_of(other_first))
    with pytest.raises(BrokenJournal, match=r"^b: entry 2 does not follow 1$"):
        verify(second, head_of(first))
    with pytest.raises(BrokenJournal, match=r"^b: entry 2 does not follow 2$"):
        verify(second, head_of(second))
    with pytest.raises(BrokenJournal, match=r"^b: entry 1 is not what was hashed$"):
        verify(replace(first, watermark=8), Head())


def test_the_hash_of_an_entry_is_the_one_that_the_guarantees_describe() -> None:
    """docs/guarantees.md: anybody can check a journal with SHA-256 and a JSON library, so the form must not change."""
    (first,) = draft("inst_ü/ob", Head(), AT_MS, 10**30, decided()[1], ["ord_9"])
    (second,) = draft("inst_ü/ob", head_of(first), AT_MS + 1, 10**30 + 1, decided()[1])
    for entry, previous_hash in ((first, "0" * 64), (second, first.hash)):
        content = {
            "at": entry.at_ms, "book": "inst_ü/ob", "events": entry.events, "redriven": entry.redriven,
            "sequence": entry.sequence, "watermark": str(entry.watermark),
        }  # fmt: skip
        compact = json.dumps(content, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
        assert entry.hash == hashlib.sha256((previous_hash + compact).encode()).hexdigest()


def test_an_entry_that_was_written_before_is_written_again_byte_for_byte_and_folds_to_the_same_book() -> None:
    """``recorded_entry.json`` and its hash are of the version whose events name their orders' customers and levels."""
    recorded = (Path(__file__).parent / "recorded_entry.json").read_bytes().rstrip()
    book, events = decided()
    (entry,) = draft("inst_ü/ob", Head(), AT_MS, 10**30, events, ["ord_9", 'q"'])
    assert entry.content == recorded
    assert entry.hash == "5d5b332ee514148fb6d0e644474a11fdb2522e2a0593e2fec2a4052bd3faf5f6"
    read, folded = JournalEntry(**(vars(entry) | {"content": recorded})), Book(RULES)
    verify(read, Head())
    assert replay(folded, read) == events
    assert folded.state() == book.state()


@pytest.mark.parametrize("content", [b"", b"nonsense", b"7", b"\xff", b'["accepted"]', b"[[]]", b"[{}]"])
def test_an_entry_without_a_list_of_events_breaks_the_journal_though_its_hash_is_right(content: bytes) -> None:
    (entry,) = draft("b", Head(), AT_MS, 7, decided()[1])
    changed = replace(entry, content=content)
    changed = replace(changed, hash=changed.content_hash)
    verify(changed, Head())
    with pytest.raises(BrokenJournal, match=r"^b: entry 1 "):
        replay(Book(RULES), changed)


@pytest.mark.parametrize(("bytes_max", "events_of_entries"), [(0, [2, 2, 1]), (-1, [1, 1, 1, 1, 1]), (1, [2, 2, 1])])
def test_an_entry_takes_events_up_to_its_limit_counting_a_comma_for_each(
    monkeypatch: pytest.MonkeyPatch, bytes_max: int, events_of_entries: list[int]
) -> None:
    """Five events of one length, and a limit of two of them, a byte less or a byte more."""
    events: list[Event] = [BookChanged(f"cmd_{number}", Book(RULES).terms) for number in range(5)]
    two = 2 * (len(forms.encode(events[0]).encode()) + 1)
    monkeypatch.setattr(journal, "ENTRY_EVENT_BYTES_MAX", two + bytes_max)
    entries = draft("b", Head(), AT_MS, 7, events)
    assert [len(entry.events) for entry in entries] == events_of_entries


def test_nothing_that_happened_is_no_entry() -> None:
    assert draft("b", Head(), AT_MS, 7, []) == []


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
        assert len(entry.events) == 1 or sum(len(canonical(event).encode()) for event in entry.events) <= 500
    assert read == events
    assert folded.state() == book.state()
    assert [entry.redriven for entry in entries] == [("ord_9",)] + [()] * (len(entries) - 1)


def test_an_event_about_an_order_that_is_not_there_breaks_the_journal() -> None:
    _, events = decided()
    (entry,) = draft("b", Head(), AT_MS, 7, events)
    with pytest.raises(BrokenJournal, match="cannot be folded"):
        replay(Book(RULES), _with_events(entry, entry.events[2:]))
    with pytest.raises(BrokenJournal, match=r"^b: entry 1: unknown event invented$"):
        replay(Book(RULES), _with_events(entry, [{"type": "invented"}]))


def test_events_are_written_as_plain_json_with_amounts_as_strings() -> None:
    book = Book(RULES)
    place(book, order(1, "SELL", 10, 50), AT_MS)
    accepted, traded = (encoded(event) for event in place(book, order(2, "BUY", 10, 50), AT_MS))
    assert accepted == {
        "type": "accepted",
        "order": {
            "id": "ord_2", "customer": "cüst 2", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "price": "50",
            "quantity": "10", "hold": "500", "postOnly": False,
        },
    }  # fmt: skip
    assert traded == {
        "type": "traded", "maker": "ord_1", "taker": "ord_2", "takerSide": "BUY", "takerType": "LIMIT",
        "buyer": "cüst 2",
        "seller": "cüst 1", "price": "50", "quantity": "10", "notional": "500",
        "makerFee": "0", "takerFee": "0", "released": "0", "makerRemaining": "0", "takerRemaining": "0",
        "makerQuantity": "10", "takerQuantity": "10",
    }  # fmt: skip


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize(
    "facts",
    [
        {}, {"post_only": True}, {"time_in_force": TimeInForce.IOC}, {"time_in_force": TimeInForce.FOK},
        {"order_type": OrderType.MARKET, "price": None}, {"price": 10**38 - 1, "quantity": 10**38 - 1, "hold": 10**38},
        {"value": 10**38 - 1}, {"external_id": "café 1"}, {"expires_at_ms": AT_MS + 1},
    ],
    ids=str,
)  # fmt: skip
def test_all_facts_of_an_order_are_read_back(side: Side, facts: dict[str, Any]) -> None:
    written = structs.replace(order(1, side, 10, 50), **facts)
    assert forms.decode_order(json.loads(canonical(forms.encode_order(written)))) == written


def test_what_few_orders_have_is_written_under_its_name_and_left_out_by_the_others() -> None:
    plain = forms.encode_order(order(1, "BUY", 10, 50))
    extras = {"value": 500, "external_id": "mine", "expires_at_ms": AT_MS}
    written = forms.encode_order(structs.replace(order(1, "BUY", 10, 50), **extras))
    assert written == plain | {"value": "500", "externalId": "mine", "expiresAt": AT_MS}


def test_an_order_that_is_no_object_is_refused() -> None:
    with pytest.raises(TypeError, match=r"^an order is an object$"):
        forms.decode_order("ord_1")


def test_terms_that_are_no_object_are_refused() -> None:
    with pytest.raises(TypeError, match=r"^terms are an object$"):
        forms.decode_terms("ACTIVE")


SAID_OF_ORDERS = {
    "traded": ("takerSide", "takerType", "buyer", "seller", "makerQuantity", "takerQuantity"),
    "rested": ("customer", "side", "price", "quantity"),
    "closed": ("customer", "side", "level", "quantity"),
}
"""Members that the book knows too, by type of event: they stand in the entry so that it can be read alone."""


@pytest.mark.parametrize(("kind", "member"), [(kind, name) for kind, names in SAID_OF_ORDERS.items() for name in names])
@pytest.mark.parametrize("said", ["SELL", "BUY", "MARKET", "7", None])
def test_an_event_that_says_of_an_order_what_its_book_does_not_breaks_the_journal(
    kind: str, member: str, said: str | None
) -> None:
    (entry,) = draft("b", Head(), AT_MS, 7, decided()[1])
    for number, raw in enumerate(entry.events):
        if raw["type"] == kind and raw[member] != said:
            changed = [*entry.events[:number], raw | {member: said}, *entry.events[number + 1 :]]
            with pytest.raises(BrokenJournal, match="cannot be folded"):
                replay(Book(RULES), _with_events(entry, changed))


@pytest.mark.parametrize("kind", SAID_OF_ORDERS)
def test_an_event_of_an_earlier_version_is_refused_with_what_to_do(kind: str) -> None:
    (entry,) = draft("b", Head(), AT_MS, 7, decided()[1])
    later = {"traded": ("makerQuantity", "takerQuantity")}.get(kind, SAID_OF_ORDERS[kind])
    events = [
        {name: said for name, said in raw.items() if raw["type"] != kind or name not in later} for raw in entry.events
    ]
    with pytest.raises(BrokenJournal, match=rf"^b: entry 1: {kind} of an earlier version: create the tables anew"):
        replay(Book(RULES), _with_events(entry, events))


def test_a_close_names_the_level_that_its_order_leaves_and_none_where_it_never_rested() -> None:
    events = decided()[1]
    levels = {event.order.order_id: event.level for event in events if isinstance(event, Closed)}
    assert levels == {"ord_4": None, "ord_6": None, "ord_7": None, "ord_5": 40, "ord_8": 40}


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


def test_a_trade_id_is_made_of_the_entrys_time_and_sequence_the_events_number_and_the_book() -> None:
    """So whoever folds the entry gives the trade the same id; a sequence beyond 32 bits wraps."""
    (entry,) = draft("b", Head(), AT_MS, 7, decided()[1])
    book_digest = hashlib.sha256(b"b").digest()[:4]
    for sequence, number, tail in (
        (1, 2, b"\0\0\0\1\0\2"), (0x01020304, 0x0506, b"\1\2\3\4\5\6"), (2**32 + 7, 0, b"\0\0\0\7\0\0"),
    ):  # fmt: skip
        ulid = ULID.from_str(trade_id(replace(entry, sequence=sequence), number).removeprefix("trade_"))
        assert ulid.bytes == AT_MS.to_bytes(6, "big") + tail + book_digest


def test_cancels_refusals_and_changes_of_terms_are_written_with_all_that_they_say() -> None:
    book = Book(RULES)
    place(book, order(1, "BUY", 10, 50), AT_MS)
    commands = (
        CancelOrder("cmd_1", "ord_1", "cüst 1"), CancelOrder("cmd_2", "ord_1", "cüst 1"),
        change_to(BookStatus.CLOSED, 3, "cmd_3", RULES), change_to(BookStatus.ACTIVE, 4, "cmd_4", RULES),
    )  # fmt: skip
    closed = {
        "version": 3, "status": "CLOSED", "makerFeeBps": RULES.maker_fee_bps, "takerFeeBps": RULES.taker_fee_bps,
        "selfTradePrevention": RULES.self_trade_prevention.value,
    }  # fmt: skip
    assert [encoded(event) for command in commands for event in begun(book, command)] == [
        {
            "type": "closed", "order": "ord_1", "customer": "cüst 1", "side": "BUY", "quantity": "10", "level": "50",
            "status": "CANCELLED", "reason": "USER_CANCELLED", "remaining": "10", "released": "500",
        },
        {"type": "cancelRefused", "order": "ord_1", "customer": "cüst 1"},
        {"type": "bookChanged", "command": "cmd_3"} | closed,
        {"type": "bookChanged", "command": "cmd_4"} | closed,
    ]  # fmt: skip
