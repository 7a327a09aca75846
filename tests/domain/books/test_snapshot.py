"""Snapshots: what is written down is the whole state, and going on from it is going on from the journal."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from dataclasses import replace

import pytest

from chalicelib.domain.books.book import Book
from chalicelib.domain.books.forms import encode_order, encode_terms
from chalicelib.domain.books.journal import BrokenJournal, Head
from chalicelib.domain.books.matching import place
from chalicelib.domain.books.orders import TradeSums, order_updates
from chalicelib.domain.books.snapshot import (
    NAMED_LIFE_MS,
    SNAPSHOT_AFTER_BYTES_MIN,
    BookState,
    decode_state,
    encode_state,
    is_due,
)
from chalicelib.domain.books.vocabulary import BookRules, BookStatus, CancelAll, CancelOrder, Command
from chalicelib.domain.ledger.amounts import Side
from tests.domain.books.orders import BUY, FOK, IOC, SELL, begun, change_to, decided, followed_up, limit, market, queue
from tests.domain.books.states import (
    ACTIVE,
    AT_MS,
    CLOSED,
    NAME,
    PAUSED,
    RULES,
    a_history,
    a_state,
    assert_equal,
    go_on,
    read_back,
)


def test_folding_the_entries_gives_the_state_that_deciding_them_gave() -> None:
    """Guarantee 6."""
    state, folded = a_state(), a_state()

    for entry in a_history(state):
        events = folded.fold(entry)
        assert len(events) == len(entry.events)

    assert_equal(folded, state)
    assert folded.head == Head(3, AT_MS + 9, 14, state.head.hash)


def test_what_an_orders_trades_came_to_is_known_while_it_is_open_and_in_no_entry_after() -> None:
    state, folded = a_state(), a_state()
    entries = [go_on(state, limit("ask", SELL, 101, 2_009), limit("other", SELL, 101, 9))]
    entries.append(go_on(state, limit("one", BUY, 101, 2), limit("two", BUY, 101, 2_003), limit("never", BUY, 1, 1)))
    assert state.traded == {"ask": TradeSums(101 * 2_005, 101 * 2_003 * 5 // 10_000)}
    assert read_back(state).traded == state.traded
    last = go_on(state, limit("last", BUY, 101, 5))
    assert state.traded == {"other": TradeSums(101)}
    for entry in entries:
        folded.fold(entry)
    updates = {order.order_id: update for order, update in order_updates(folded.replay(last), folded.traded)}
    assert updates["ask"].sums == TradeSums(101 * 2_009, 101 * 2_003 * 5 // 10_000)
    assert updates["other"].sums == TradeSums(101)


def test_what_a_takers_trades_came_to_is_known_while_its_rest_is_open_and_no_longer() -> None:
    state = a_state()
    go_on(state, limit("ask", SELL, 101, 5))
    go_on(state, limit("taker", BUY, 101, 9))
    assert state.traded == {"taker": TradeSums(505)}
    go_on(state, CancelOrder("c1", "taker", "customer of taker"))
    assert state.traded == {}


def test_the_state_of_a_book_without_a_journal_is_empty_and_has_the_status_it_was_made_with() -> None:
    state = BookState.empty(RULES, PAUSED)

    assert state.book.terms == replace(change_to(PAUSED, 1, rules=RULES).terms, version=0)
    assert not state.book.open_orders
    assert state.book.rules is RULES
    assert (state.head, state.named) == (Head(), {})


def test_redriven_commands_and_changes_of_status_are_known_by_name_since_their_entry() -> None:
    state = a_state()

    a_history(state)

    assert state.named == {"pause": AT_MS + 5, "resume": AT_MS + 5, "bid 5": AT_MS + 9}


def test_an_entry_that_does_not_follow_or_was_changed_is_not_folded() -> None:
    first, second, _ = a_history(a_state())
    folded = a_state()

    with pytest.raises(BrokenJournal, match="does not follow"):
        folded.fold(second)
    with pytest.raises(BrokenJournal, match="not what was hashed"):
        folded.fold(replace(first, watermark=1))

    assert_equal(folded, a_state())


@pytest.mark.parametrize("status", BookStatus)
def test_a_state_read_back_is_the_same_state(status: BookStatus) -> None:
    state = a_state()
    a_history(state)
    go_on(state, change_to(status, 3, "last", RULES))

    again = read_back(state)

    assert_equal(again, state)
    assert again.book.rules == RULES


@pytest.mark.parametrize("status", BookStatus)
def test_an_empty_book_has_a_snapshot_too(status: BookStatus) -> None:
    assert_equal(read_back(a_state(status)), a_state(status))


def test_what_a_partly_filled_order_holds_is_the_same_after_a_snapshot_rounded_up() -> None:
    """One decimal: of 15 at 7 two were bought; the open 13 hold ceil(9.1)."""
    rules = BookRules(base_decimals=1)
    state = BookState.empty(rules, ACTIVE)
    decided(state.book, limit("bid", BUY, 7, 15, hold=11), limit("ask", SELL, 7, 2))

    again = decode_state(NAME, rules, encode_state(NAME, state))

    assert again.book.state() == state.book.state()
    assert (again.book.open_orders["bid"].remaining, again.book.open_orders["bid"].hold) == (13, 10)


@pytest.mark.parametrize(("side", "other_side"), [(BUY, SELL), (SELL, BUY)])
def test_priority_within_a_level_survives_a_snapshot(side: Side, other_side: Side) -> None:
    """Neither ids nor sizes say who came first, and who is partly filled keeps its place."""
    state = a_state()
    go_on(state, *(limit(name, side, 100, 2) for name in ("c", "a", "d", "b")), limit("taker", other_side, 100, 1))

    again = read_back(state)

    assert queue(again.book, side) == [(100, "c", 1), (100, "a", 2), (100, "d", 2), (100, "b", 2)]


def test_going_on_from_a_snapshot_is_going_on_from_the_journal() -> None:
    """The same events, entries and bytes, whatever is asked next."""
    from_journal = a_state()
    a_history(from_journal)
    from_snapshot = read_back(from_journal)
    next_commands: list[Command] = [
        limit("taker", SELL, 98, 6), limit("fok", BUY, 103, 99, FOK), market("sweep", BUY, 20, budget=900),
        CancelOrder("c2", "bid 4", "customer of bid 4"), CancelOrder("c3", "bid 1", "customer of bid 1"),
        limit("ioc", SELL, 90, 50, IOC), limit("rest", BUY, 97, 4),
    ]  # fmt: skip

    for number, command in enumerate(next_commands):
        at_ms = AT_MS + 20 + number
        assert go_on(from_snapshot, command, at_ms=at_ms) == go_on(from_journal, command, at_ms=at_ms)
        assert encode_state(NAME, from_snapshot) == encode_state(NAME, from_journal)

    assert_equal(from_snapshot, from_journal)
    assert len(from_journal.book.open_orders) > 2
    closing = change_to(CLOSED, 3, "close", RULES)
    assert begun(from_snapshot.book, closing, 2) == begun(from_journal.book, closing, 2)
    assert followed_up(read_back(from_journal).book) == followed_up(from_journal.book)
    from_snapshot = read_back(from_journal)
    assert_equal(from_snapshot, from_journal)


def test_later_entries_fold_into_a_snapshot() -> None:
    state = a_state()
    first, *later = a_history(state)
    base = a_state()
    base.fold(first)

    again = read_back(base)
    for entry in later:
        again.fold(entry)

    assert_equal(again, state)


def test_an_entry_that_does_not_follow_the_snapshot_is_not_folded_into_it() -> None:
    state = a_state()
    first, second, third = a_history(state)
    base = a_state()
    base.fold(first)
    again = read_back(base)

    for entry in (first, third):
        with pytest.raises(BrokenJournal, match="does not follow"):
            again.fold(entry)
    again.fold(second)


def test_equal_states_have_equal_snapshots_however_they_got_there() -> None:
    state, folded = a_state(), a_state()
    for entry in a_history(state):
        folded.fold(entry)

    assert encode_state(NAME, state) == encode_state(NAME, folded) == encode_state(NAME, read_back(state))


def take_back_a_unit(state: BookState) -> None:
    state.book.open_orders["bid 2"].remaining -= 1


def change_the_status(state: BookState) -> None:
    state.book.status = PAUSED


def name_a_command(state: BookState) -> None:
    state.named["another"] = AT_MS + 9


def cancel_an_order(state: BookState) -> None:
    decided(state.book, CancelOrder("c9", "bid 5", "customer of bid 5"))


def begin_a_cancel_all(state: BookState) -> None:
    decided(state.book, CancelAll("c9", "customer of bid 5"))


def move_the_head(**change: object) -> Callable[[BookState], None]:
    def move(state: BookState) -> None:
        state.head = replace(state.head, **change)  # type: ignore[arg-type]

    return move


@pytest.mark.parametrize(
    "change",
    [
        take_back_a_unit,
        change_the_status,
        name_a_command,
        cancel_an_order,
        begin_a_cancel_all,
        move_the_head(sequence=4),
        move_the_head(at_ms=AT_MS + 10),
        move_the_head(watermark=15),
        move_the_head(hash="0" * 64),
    ],
)
def test_a_state_that_differs_in_anything_has_another_snapshot(change: Callable[[BookState], None]) -> None:
    state = a_state()
    a_history(state)
    before = encode_state(NAME, state)

    change(state)

    assert encode_state(NAME, state) != before


def test_a_snapshot_is_compressed_json_with_amounts_as_strings() -> None:
    """The form on disk. A snapshot of another form is not loaded; the journal is (O17)."""
    state = a_state()
    go_on(state, limit("ask", SELL, 101, 5), limit("taker", BUY, 101, 2), change_to(PAUSED, 1, "pause", RULES))

    assert json.loads(zlib.decompress(encode_state(NAME, state))) == {
        "book": NAME, "sequence": 1, "at": AT_MS, "watermark": "3", "hash": state.head.hash,
        "terms": encode_terms(state.book.terms),
        "named": {"pause": AT_MS}, "lastTrade": ["101", "ask", "taker"], "cancelling": None,
        "reference": None, "haltedUntil": None, "window": [[], []], "turns": 0, "parked": [], "queue": [],
        "orders": [[encode_order(limit("ask", SELL, 101, 5)), "3"]], "traded": {"ask": ["202", "0"]},
    }  # fmt: skip


def test_a_name_is_written_down_for_as_long_as_its_command_could_come_back() -> None:
    """Nine days: the inbox keeps a command for seven, and expires it lazily."""
    assert NAMED_LIFE_MS == 9 * 24 * 60 * 60 * 1000
    state = a_state()
    go_on(state, change_to(PAUSED, 1, "first", RULES))
    go_on(state, change_to(ACTIVE, 2, "second", RULES), at_ms=AT_MS + 1)

    go_on(state, limit("bid", BUY, 1, 1), at_ms=AT_MS + NAMED_LIFE_MS)
    assert read_back(state).named == {"first": AT_MS, "second": AT_MS + 1}

    go_on(state, limit("bid 2", BUY, 1, 1), at_ms=AT_MS + NAMED_LIFE_MS + 1)
    assert read_back(state).named == {"second": AT_MS + 1}

    go_on(state, limit("bid 3", BUY, 1, 1), at_ms=AT_MS + NAMED_LIFE_MS + 2)
    assert read_back(state).named == {}


def test_a_book_of_a_hundred_thousand_orders_is_read_back_as_it_was() -> None:
    """Linear in the orders: a thousand levels of a hundred."""
    book = Book(RULES)
    for number in range(100_000):
        price = 1 + number * 7919 % 1000
        order = limit(f"ord_{number}", SELL if price > 500 else BUY, price, 1 + number % 9)
        place(book, order, AT_MS)
    state = BookState(book, Head(7, AT_MS, 9, "f" * 64))

    again = read_back(state)

    assert again.head == state.head
    assert again.book.state() == book.state()


@pytest.mark.parametrize(
    ("journal_bytes", "snapshot_bytes", "due"),
    [
        (0, 0, False),
        (65536, 0, False),
        (65537, 0, True),
        (65536, 100, False),
        (65537, 65536, True),
        (65537, 65537, False),
        (65538, 65537, True),
        (999_999, 1_000_000, False),
        (1_000_000, 1_000_000, False),
        (1_000_001, 1_000_000, True),
    ],
)
def test_a_snapshot_is_due_when_the_journal_since_the_last_one_outgrew_it_and_64_kib(
    journal_bytes: int, snapshot_bytes: int, due: bool
) -> None:
    assert SNAPSHOT_AFTER_BYTES_MIN == 65536
    assert is_due(journal_bytes, snapshot_bytes) is due


def test_the_last_price_is_kept_where_none_of_the_traded_orders_rests() -> None:
    state = a_state()
    go_on(state, limit("ask", SELL, 101, 5))
    assert read_back(state).book.last_price is None

    go_on(state, limit("bid", BUY, 103, 5))

    assert not state.book.open_orders
    assert read_back(state).book.last_price == state.book.last_price == 101
