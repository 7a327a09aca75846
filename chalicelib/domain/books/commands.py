"""What can be asked of a book, decided: ``decide`` takes any command and gives its one outcome as events.

Placing is the work of ``matching``. Cancelling and changing the terms are here: they touch no price.
An order that expires (R24) is closed by ``expire``, which whoever decides asks before anything else of each moment: so
no order trades at or after its time, however late somebody looks.
A closed book still holds its orders for a moment: ``close_out`` closes them, a bounded number at a time, because there
may be more of them than one entry can hold. Being closed with orders left is a state like any other, so whoever reads
the journal knows that there is something left to do. So is a cancel-all whose orders are not all closed:
``carry_on`` goes on with it, and until it is done nothing newer is decided.
"""

from __future__ import annotations

from itertools import islice

from chalicelib.domain.books.book import Book, Cancelling, OpenOrder
from chalicelib.domain.books.events import BookChanged, CancelAllBegun, CancelAllEnded, CancelRefused, Closed, Event
from chalicelib.domain.books.matching import place
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


def decide(book: Book, command: Command, at_ms: int) -> list[Event]:
    """Decide a command: change the book and return what happened, in order, never nothing.

    Of a cancel-all only the beginning: ``carry_on`` closes the orders.

    at_ms: the time of its journal entry; nothing that is due by then may rest in the book (``expire``).
    Raises InvalidCommand where an order contradicts itself; the book is unchanged then.
    """
    if isinstance(command, PlaceOrder):
        return place(book, command, at_ms)
    if isinstance(command, CancelOrder):
        return [_cancel(book, command)]
    if isinstance(command, CancelAll):
        return [_begin_cancel_all(book, command)]
    return [_change(book, command)]


def _cancel(book: Book, command: CancelOrder) -> Event:
    """Close what is left of the order, on a book of any status (T29, T32)."""
    order = book.open_orders.get(command.order_id)
    if order is None or order.placed.customer != command.customer:
        return CancelRefused(command.order_id, command.customer)
    return _close(book, order, CloseReason.USER_CANCELLED)


def _begin_cancel_all(book: Book, command: CancelAll) -> Event:
    """Have what rests of the customer closed, on a book of any status, before anything newer is decided (O9)."""
    book.cancelling = Cancelling(command.command_id, command.customer)
    return CancelAllBegun(command.command_id, command.customer)


def _change(book: Book, command: ChangeBook) -> Event:
    if book.status is not BookStatus.CLOSED and command.terms.version > book.terms.version:
        book.change(command.terms)
    return BookChanged(command.command_id, book.terms)


def expire(book: Book, at_ms: int, orders_max: int) -> list[Event]:
    """Close up to so many orders that are due at this time, in order of expiry, then of id; [] where none is (R24).

    A book of any status: time passes on a paused book too.
    """
    events: list[Event] = []
    while len(events) < orders_max and (order := book.first_due(at_ms)) is not None:
        events.append(_close(book, order, CloseReason.EXPIRED, OrderStatus.EXPIRED))
    return events


def carry_on(book: Book, at_ms: int, events_max: int) -> list[Event]:
    """Do what comes before any newer command: have what is due expire, then go on with a cancel-all (R24, O9).

    events_max: at least 1. Fewer events than that: there is nothing left to do.
    """
    events = expire(book, at_ms, events_max)
    running = book.cancelling
    if running is None or len(events) == events_max:
        return events
    orders = list(islice(book.by_customer.get(running.customer, {}).values(), events_max - len(events)))
    events += [_close(book, order, CloseReason.CANCEL_ALL) for order in orders]
    book.cancelling = running = running._replace(closed=running.closed + len(orders))
    if len(events) < events_max:
        book.cancelling = None
        events.append(CancelAllEnded(*running))
    return events


def close_out(book: Book, orders_max: int) -> list[Event]:
    """Close up to so many orders of a closed book, by priority; [] when there are none or it is not closed (T32)."""
    if book.status is not BookStatus.CLOSED:
        return []
    orders = list(islice(book.by_priority(), orders_max))
    return [_close(book, order, CloseReason.BOOK_CLOSED) for order in orders]


def _close(book: Book, order: OpenOrder, reason: CloseReason, status: OrderStatus = OrderStatus.CANCELLED) -> Closed:
    book.side(order.placed.side).remove(order)
    book.forget(order)
    return Closed(order.placed, status, reason, order.remaining, order.hold)
