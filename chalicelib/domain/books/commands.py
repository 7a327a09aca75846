"""Deciding a command: its own events, and everything that comes due before it or follows from it.

``decide`` gives the whole consequence of a command as steps; ``follow_ups`` gives what needs no command: orders that
expire (R24), a cancel-all that is not finished (O9), the orders of a book that was closed (T32). Each step changes the
book, and the journal may end after any of them. What is left then is part of the book's state, and the next matcher
goes on with it before anything newer. Matching itself is in ``matching``.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from chalicelib.domain.books.book import Book, Cancelling
from chalicelib.domain.books.events import BookChanged, CancelAllBegun, CancelAllEnded, CancelRefused, Event
from chalicelib.domain.books.matching import place, reject
from chalicelib.domain.books.vocabulary import (
    BookStatus,
    CancelAll,
    CancelOrder,
    ChangeBook,
    CloseReason,
    Command,
    OrderStatus,
    PlaceOrder,
)

CLOSED = BookStatus.CLOSED


class Step(msgspec.Struct, frozen=True, gc=False):
    """Events that belong together: the journal may end before and after them, never among them.

    command: the command that they decide; None for what comes due or follows by itself.
    """

    events: list[Event]
    command: Command | None = None


def decide(book: Book, command: Command, at_ms: int) -> Iterator[Step]:
    """Decide a command and yield its whole consequence; the book changes with each step that is taken.

    In order: what is still to be done before it (``follow_ups``), its own step, what follows from it. Where nothing is
    to be done before it, the call itself decides a placement or a cancel, which is then the only step.

    at_ms: the time of the journal entries, ms since the epoch.
    Raises InvalidCommand where an order contradicts itself; the book is unchanged then. Any other exception is a bug of
    the core: the book may be half changed and must be thrown away (``give_up``).
    """
    expiries = book.expiries
    is_due = bool(expiries) and expiries[0][0] <= at_ms
    if is_due or book.cancelling is not None or book.status is CLOSED:
        return _decide_between_follow_ups(book, command, at_ms)
    if type(command) is PlaceOrder:
        return iter((Step(place(book, command, at_ms), command),))
    if type(command) is CancelOrder:
        return iter((Step([_cancel(book, command)], command),))
    return _decide_between_follow_ups(book, command, at_ms)


def _decide_between_follow_ups(book: Book, command: Command, at_ms: int) -> Iterator[Step]:
    yield from follow_ups(book, at_ms)
    yield Step(_own_events(book, command, at_ms), command)
    yield from follow_ups(book, at_ms)


def follow_ups(book: Book, at_ms: int) -> Iterator[Step]:
    """Yield what is to be done before any newer command, on a book of any status; nothing where nothing is.

    1. Orders that are due by ``at_ms`` expire, in order of expiry, then of id (R24).
    2. A cancel-all whose turn has come closes its customer's orders and ends (O9).
    3. A closed book closes its orders, by priority (T32).
    """
    while (due := book.first_due(at_ms)) is not None:
        yield Step([book.close(due, CloseReason.EXPIRED, OrderStatus.EXPIRED)])
    if book.cancelling is not None:
        for order in list(book.by_customer.get(book.cancelling.customer, {}).values()):
            book.cancelling = book.cancelling._replace(closed=book.cancelling.closed + 1)
            yield Step([book.close(order, CloseReason.CANCEL_ALL)])
        ended = CancelAllEnded(*book.cancelling)
        book.cancelling = None
        yield Step([ended])
    if book.status is BookStatus.CLOSED:
        for order in list(book.by_priority()):
            yield Step([book.close(order, CloseReason.BOOK_CLOSED)])


def give_up(book: Book, command: Command, at_ms: int) -> Iterator[Step]:
    """Decide a command that the core cannot decide: what it asked for does not happen, and the book stays as it is."""
    yield from follow_ups(book, at_ms)
    events: list[Event]
    match command:
        case PlaceOrder():
            events = reject(command, CloseReason.INTERNAL_ERROR)
        case CancelOrder(_, order_id, customer):
            events = [CancelRefused(order_id, customer)]
        case CancelAll(command_id, customer):
            events = [CancelAllEnded(command_id, customer, 0)]
        case ChangeBook(command_id, _):
            events = [BookChanged(command_id, book.terms)]
    yield Step(events, command)


def _own_events(book: Book, command: Command, at_ms: int) -> list[Event]:
    """Decide the command itself and return its events, never none. Of a cancel-all only its beginning."""
    match command:
        case PlaceOrder():
            return place(book, command, at_ms)
        case CancelOrder():
            return [_cancel(book, command)]
        case CancelAll(command_id, customer):
            book.cancelling = Cancelling(command_id, customer)
            return [CancelAllBegun(command_id, customer)]
        case ChangeBook():
            return [_change(book, command)]


def _cancel(book: Book, command: CancelOrder) -> Event:
    """Close what is left of the order, on a book of any status (T29, T32)."""
    order = book.open_orders.get(command.order_id)
    if order is None or order.placed.customer != command.customer:
        return CancelRefused(command.order_id, command.customer)
    return book.close(order, CloseReason.USER_CANCELLED)


def _change(book: Book, command: ChangeBook) -> Event:
    """Give the book the command's terms, unless it is closed or has later ones (T32)."""
    if book.status is not BookStatus.CLOSED and command.terms.version > book.terms.version:
        book.change(command.terms)
    return BookChanged(command.command_id, book.terms)
