"""The journal explains itself: asked again in the order in which they were decided, the commands give its events."""

from __future__ import annotations

from chalicelib.core.book import Book
from chalicelib.core.commands import decide
from chalicelib.core.events import Accepted, BookChanged, CancelRefused, Closed, Event
from chalicelib.core.snapshot import BookState
from chalicelib.core.vocabulary import BookStatus, CancelOrder, ChangeBook, CloseReason, Command
from tests.world import Venue


def check_determinism(venue: Venue) -> None:
    """Assert that a new book, asked what the journal's book was asked, decides the same, event for event."""
    state = BookState.empty(venue.config.first_rules, venue.config.first_terms.status)
    events = [event for entry in venue.journal.after(venue.book, 0) for event in state.fold(entry)]
    book = Book(venue.config.first_rules, venue.config.first_terms.status)
    decided: list[Event] = []
    at = 0
    while at < len(events):
        command = _command_of(events[at])
        if command is None:
            _check_closing(book, events[at])
            book.apply(events[at])
            decided.append(events[at])
        else:
            decided += decide(book, command)
        assert decided[at:] == events[at : len(decided)], "the journal is not what its commands give"
        at = len(decided)
    assert book.state() == state.book.state(), "6: asked again, the book is another one"


def _command_of(event: Event) -> Command | None:
    """Return the command whose first event this is; None for an order that its book's end has closed."""
    match event:
        case Accepted(order):
            return order
        case Closed(order, _, CloseReason.USER_CANCELLED, _, _):
            return CancelOrder("cxl_again", order.order_id, order.customer)
        case CancelRefused(order_id, customer):
            return CancelOrder("cxl_again", order_id, customer)
        case BookChanged(command_id, terms):
            return ChangeBook(command_id, terms)
    return None


def _check_closing(book: Book, event: Event) -> None:
    """Orders of a closed book are closed one by one, in any order (T32)."""
    assert isinstance(event, Closed), f"no command begins with {event}"
    assert event.reason is CloseReason.BOOK_CLOSED
    assert book.status is BookStatus.CLOSED
    order = book.open_orders[event.order.order_id]
    assert (event.remaining, event.released) == (order.remaining, order.hold)
