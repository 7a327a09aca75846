"""A book's state with a history, and how it goes on."""

from __future__ import annotations

from chalicelib.domain.books.journal import JournalEntry, draft
from chalicelib.domain.books.snapshot import BookState, decode_state, encode_state
from chalicelib.domain.books.vocabulary import BookRules, BookStatus, CancelOrder, Command
from tests.domain.books.orders import BUY, SELL, change_to, decided, limit, market

NAME = "inst_x/ob"
RULES = BookRules(base_decimals=0, maker_fee_bps=5, taker_fee_bps=15)
AT_MS = 1_736_937_000_000
ACTIVE, PAUSED, CLOSED = BookStatus.ACTIVE, BookStatus.PAUSED, BookStatus.CLOSED
ACTIVE, PAUSED, CLOSED = BookStatus.ACTIVE, BookStatus.PAUSED, BookStatus.CLOSED
ACTIVE, PAUSED, CLOSED = BookStatus.ACTIVE, BookStatus.PAUSED, BookStatus.CLOSED


def a_state(status: BookStatus = ACTIVE) -> BookState:
    return BookState.empty(RULES, status)


def go_on(state: BookState, *commands: Command, at_ms: int = AT_MS, redriven: tuple[str, ...] = ()) -> JournalEntry:
    """Decide the commands as one entry of the journal, as the matcher does."""
    events = decided(state.book, *commands)
    (entry,) = draft(NAME, state.head, at_ms, state.head.watermark + len(commands), events, redriven)
    state.advance(entry, events)
    return entry


def a_history(state: BookState) -> list[JournalEntry]:
    """Three entries: queues with partial fills on both sides, a cancel, a pause and its end, a redriven order."""
    return [
        go_on(
            state,
            limit("bid 1", BUY, 99, 5), limit("bid 2", BUY, 99, 3), limit("bid 3", BUY, 98, 4),
            limit("ask 1", SELL, 101, 5, of="cüst"), limit("ask 2", SELL, 101, 6), limit("ask 3", SELL, 103, 7),
        ),
        go_on(
            state,
            limit("seller", SELL, 99, 2), market("buyer", BUY, 1), CancelOrder("c1", "bid 3", "customer of bid 3"),
            change_to(PAUSED, 1, "pause", RULES), limit("late", BUY, 101, 1), change_to(ACTIVE, 2, "resume", RULES),
            at_ms=AT_MS + 5,
        ),
        go_on(state, limit("bid 4", BUY, 99, 1), limit("bid 5", BUY, 100, 2), redriven=("bid 5",), at_ms=AT_MS + 9),
    ]  # fmt: skip


def read_back(state: BookState) -> BookState:
    return decode_state(NAME, RULES, encode_state(NAME, state))


def assert_equal(one: BookState, other: BookState) -> None:
    one.book.check()
    other.book.check()
    assert one.book.state() == other.book.state()
    assert one.book.open_orders.keys() == other.book.open_orders.keys()
    assert [one.book.find(each) for each in one.book.open_orders] == [
        other.book.find(each) for each in one.book.open_orders
    ]
    assert (one.book.status, one.head) == (other.book.status, other.head)
    assert (one.named, one.traded) == (other.named, other.traded)
