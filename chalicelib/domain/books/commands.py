"""Deciding a command: its own events, and everything that comes due before it or follows from it.

``decide`` gives the whole consequence of a command as steps; ``follow_ups`` gives what needs no command: orders that
expire (R24), the end of a halt (O12), parked orders that trades have satisfied (O4), a cancel-all that is not finished
(O9), the orders of a book that was closed (T32). Each step changes the book, and the journal may end after any of them.
What is left then is part of the book's state, and the next matcher goes on with it before anything newer. Matching
itself is in ``matching``, amending in ``amending``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

import msgspec

from chalicelib.domain.books.amending import amend
from chalicelib.domain.books.book import Book, Cancelling
from chalicelib.domain.books.events import (
    AmendRefused,
    BookChanged,
    CancelAllBegun,
    CancelAllEnded,
    CancelRefused,
    Event,
    Resumed,
)
from chalicelib.domain.books.matching import place, reject, trigger
from chalicelib.domain.books.vocabulary import (
    AmendOrder,
    AmendRefusal,
    BookStatus,
    CancelAll,
    CancelOrder,
    ChangeBook,
    CloseReason,
    Command,
    OrderStatus,
    PlaceOrder,
    ResumeBook,
)
from chalicelib.support.consistency import Inconsistent


class Step(msgspec.Struct, frozen=True, gc=False):
    """Events that belong together: the journal may end before and after them, never among them.

    command: the command that they decide; None for what comes due or follows by itself.
    """

    events: list[Event]
    command: Command | None = None


class QueuedUndecidable(Exception):
    """The core failed on an order of the trigger queue, and may have left the book half changed (O4)."""


def decide(book: Book, command: Command, at_ms: int) -> Iterable[Step]:
    """Decide a command and yield its whole consequence; the book changes with each step that is taken.

    In order: what is still to be done before it (``follow_ups``), its own step, what follows from it. Where nothing is
    to be done before it, the call itself decides a placement or a cancel, which is then the first step.

    at_ms: the time of the journal entries, ms since the epoch.
    Raises InvalidCommand where an order contradicts itself; the book is unchanged then. QueuedUndecidable: an order of
    the trigger queue is at fault (``give_up_queued``). Any other exception is a bug of the core: the book may be half
    changed and must be thrown away (``give_up``).
    """
    expiries = book.expiries
    if (
        (expiries and expiries[0][0] <= at_ms)
        or book.triggers.queue
        or book.cancelling is not None
        or not book.trades_now
    ):
        return _decide_between_follow_ups(book, command, at_ms)
    if type(command) is PlaceOrder:
        step = Step(place(book, command, at_ms), command)
        return chain((step,), follow_ups(book, at_ms)) if book.triggers.queue else (step,)
    if type(command) is CancelOrder:
        return (Step([_cancel(book, command)], command),)
    return _decide_between_follow_ups(book, command, at_ms)


def _decide_between_follow_ups(book: Book, command: Command, at_ms: int) -> Iterator[Step]:
    yield from follow_ups(book, at_ms)
    yield Step(_own_events(book, command, at_ms), command)
    yield from follow_ups(book, at_ms)


def follow_ups(book: Book, at_ms: int) -> Iterator[Step]:
    """Yield what is to be done before any newer command, on a book of any status; nothing where nothing is.

    1. Orders that are due by ``at_ms`` expire, in order of expiry, then of id (R24).
    2. A halt whose time is over ends (O12).
    3. While the book trades, the orders that trades have satisfied are matched, one wholly before the next (O4).
    4. A cancel-all whose turn has come closes its customer's orders and ends (O9).
    5. A closed book closes its orders: those that rest by priority, then the parked ones (T32).
    """
    if at_ms != book.at_ms:
        book.begin(at_ms)
    while (due := book.first_due(at_ms)) is not None:
        yield Step([book.close(due, CloseReason.EXPIRED, OrderStatus.EXPIRED)])
    if book.halted_until_ms is not None and book.halted_until_ms <= at_ms:
        book.set_halt(None)
        yield Step([Resumed(None, None)])
    while book.trades_now and (head := book.triggers.head()) is not None:
        order, trade = head
        try:
            step = Step(trigger(book, order.placed.order_id, trade))
        except Exception as error:
            raise QueuedUndecidable(order.placed.order_id) from error
        yield step
    if book.cancelling is not None:
        for order in list(book.by_customer.get(book.cancelling.customer, {}).values()):
            book.cancelling = book.cancelling._replace(closed=book.cancelling.closed + 1)
            yield Step([book.close(order, book.cancelling.reason)])
        ended = book.cancelling.ended
        book.cancelling = None
        yield Step([ended])
    if book.status is BookStatus.CLOSED:
        parked = [waiting.order for waiting in book.triggers.orders.values()]
        for order in [*book.by_priority(), *parked]:
            yield Step([book.close(order, CloseReason.BOOK_CLOSED)])


def give_up_queued(book: Book) -> Step:
    """Close the first order of the trigger queue, which the core cannot decide (O4)."""
    head = book.triggers.head()
    if head is None:
        raise Inconsistent("the trigger queue is empty")
    return Step([book.close(head[0], CloseReason.INTERNAL_ERROR, OrderStatus.REJECTED)])


def give_up(book: Book, command: Command, at_ms: int) -> Iterator[Step]:
    """Decide a command that the core cannot decide: what it asked for does not happen, and the book stays as it is."""
    yield from follow_ups(book, at_ms)
    events: list[Event]
    match command:
        case PlaceOrder():
            events = reject(command, CloseReason.INTERNAL_ERROR)
        case CancelOrder(_, order_id, customer):
            events = [CancelRefused(order_id, customer)]
        case CancelAll(command_id, customer, reason):
            events = [CancelAllEnded(command_id, customer, 0, reason)]
        case AmendOrder(command_id, order_id, customer, side):
            refusal = AmendRefusal.INTERNAL_ERROR
            events = [AmendRefused(command_id, order_id, customer, side, command.extra, refusal)]
        case ResumeBook(command_id):
            events = [Resumed(command_id, None)]
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
        case CancelAll(command_id, customer, reason):
            book.cancelling = Cancelling(command_id, customer, reason)
            return [CancelAllBegun(command_id, customer, reason)]
        case AmendOrder():
            return amend(book, command)
        case ChangeBook():
            return [_change(book, command)]
        case ResumeBook():
            return [_resume(book, command)]


def _cancel(book: Book, command: CancelOrder) -> Event:
    """Close what is left of the order, on a book of any status (T29, T32)."""
    order = book.open_order(command.order_id)
    if order is None or order.placed.customer != command.customer:
        return CancelRefused(command.order_id, command.customer)
    return book.close(order, CloseReason.USER_CANCELLED)


def _change(book: Book, command: ChangeBook) -> Event:
    """Give the book the command's terms, unless it is closed or has later ones (T32)."""
    if book.status is not BookStatus.CLOSED and command.terms.version > book.terms.version:
        book.change(command.terms)
    return BookChanged(command.command_id, book.terms)


def _resume(book: Book, command: ResumeBook) -> Event:
    """End a halt, if there is one, and set the price band's reference, if the operator names one (O11, O12)."""
    book.set_halt(None)
    if command.reference is not None:
        book.refer_to(command.reference)
    return Resumed(command.command_id, command.reference)
