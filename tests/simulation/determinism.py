"""Determinism check: replaying the commands in their decided order gives the journal's events again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from chalicelib.domain.books.book import Book
from chalicelib.domain.books.commands import decide, follow_ups
from chalicelib.domain.books.events import (
    Accepted,
    Amended,
    AmendRefused,
    BookChanged,
    CancelAllBegun,
    CancelRefused,
    Closed,
    Event,
    Resumed,
)
from chalicelib.domain.books.snapshot import BookState
from chalicelib.domain.books.vocabulary import (
    AmendOrder,
    BookStatus,
    CancelAll,
    CancelOrder,
    ChangeBook,
    CloseReason,
    Command,
    ResumeBook,
)
from chalicelib.tables.inbox import commands_of
from chalicelib.tables.rows import Row
from tests.world import Venue


def check_determinism(venue: Venue, rows: Iterable[Row] | None = None) -> None:
    """Assert that a new book decides the same events when given the journal's commands in order.

    Each command is decided at the time of its entry, after the orders that have expired by then (R24).
    rows: of the inbox, with every amendment, for the journal does not say what a refused one asked for; None: all rows
    are there.
    """
    commands = (command for row in (venue.inbox_rows() if rows is None else rows) for command in commands_of(row))
    amendments = {command.command_id: command for command in commands if isinstance(command, AmendOrder)}
    state = BookState.empty(venue.config.first_rules, venue.config.first_terms.status)
    timed = [(event, entry.at_ms) for entry in venue.journal.after(venue.book, 0) for event in state.fold(entry)]
    events = [event for event, _ in timed]
    book = Book(venue.config.first_rules, venue.config.first_terms.status)
    decided: list[Event] = []
    while len(decided) < len(events):
        at = len(decided)
        event, at_ms = timed[at]
        command = _command_of(event) or _amendment_of(events[at:], amendments)
        if command is not None:
            step = next(iter(decide(book, command, at_ms)))
            assert step.command is command, f"R24, O4: {event} while something was to be done before"
            decided += step.events
        elif isinstance(event, Closed) and event.reason is not CloseReason.EXPIRED:
            assert book.first_due(at_ms) is None, f"R24: {event} while an order was due"
            _check_closing(book, event)
            book.apply(event)
            decided.append(event)
        else:
            decided += next(follow_ups(book, at_ms)).events
        assert decided[at:] == events[at : len(decided)] != [], "the journal is not what its commands give"
    assert book.state() == state.book.state(), "6: asked again, the book is another one"


def _command_of(event: Event) -> Command | None:
    """Return the command whose first event this is; None for orders closed by expiry, book end or cancel-all."""
    match event:
        case Accepted(order):
            return order
        case Closed(order, _, CloseReason.USER_CANCELLED, _, _):
            return CancelOrder("cxl_again", order.order_id, order.customer)
        case CancelRefused(order_id, customer):
            return CancelOrder("cxl_again", order_id, customer)
        case CancelAllBegun(command_id, customer, reason):
            return CancelAll(command_id, customer, reason)
        case BookChanged(command_id, terms):
            return ChangeBook(command_id, terms)
        case Resumed(str(command_id), reference):
            return ResumeBook(command_id, reference)
    return None


def _amendment_of(events: Sequence[Event], amendments: Mapping[str, AmendOrder]) -> AmendOrder | None:
    """Return the amendment that begins here, with the dust that its new price meets; None if none does (T46, O8)."""
    for event in events:
        match event:
            case Amended(command_id) | AmendRefused(command_id):
                return amendments[command_id]
            case Closed(reason=CloseReason.DUST):
                continue
        break
    return None


def _check_closing(book: Book, event: Closed) -> None:
    """Check a book's end or a cancel-all, which close orders one by one in any order (T32, O9)."""
    if event.reason in (CloseReason.CANCEL_ALL, CloseReason.DEAD_MAN):
        assert book.cancelling is not None
        assert (event.order.customer, event.reason) == (book.cancelling.customer, book.cancelling.reason)
    else:
        assert event.reason is CloseReason.BOOK_CLOSED
        assert book.status is BookStatus.CLOSED
    order = book.open_orders[event.order.order_id]
    assert (event.remaining, event.released) == (order.remaining, order.hold)
