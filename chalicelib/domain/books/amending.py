"""Amending: an open order gets a new price, a new quantity, or both (O8).

A lower quantity alone keeps the order's time priority; a new price or a higher quantity loses it. An order that rests
never trades by its amendment: a price that would cross is refused. Admission has set enough aside for the new terms,
however much is filled before the amendment's turn (``ledger.holds``); what is too much is released here.
"""

from __future__ import annotations

from chalicelib.domain.books.book import Book
from chalicelib.domain.books.events import Amended, AmendRefused, Event
from chalicelib.domain.books.levels import OpenOrder
from chalicelib.domain.books.matching import best_crossed, hidden_of, slices_are_sound
from chalicelib.domain.books.vocabulary import AmendOrder, AmendRefusal, CloseReason
from chalicelib.domain.ledger.amounts import Side
from chalicelib.domain.ledger.holds import hold_of_limit
from chalicelib.support.consistency import Inconsistent


def amend(book: Book, command: AmendOrder) -> list[Event]:
    """Decide an amendment and return its events; an order of which too little is left to trade is closed (T46)."""
    events: list[Event] = []
    order = book.open_order(command.order_id)
    if order is None or order.placed.customer != command.customer:
        return [_refused(command, AmendRefusal.NOT_OPEN)]
    refusal = _refusal_of(book, order, command, events)
    if refusal is not None:
        return [*events, _refused(command, refusal)]
    amended = _amended(book, order, command)
    book.amend(amended)
    events.append(amended)
    now = book.open_orders[command.order_id]
    if amended.level is not None and now.price is not None and now.price * now.remaining < book.scale:
        events.append(book.close(now, CloseReason.DUST))
    return events


def _refusal_of(book: Book, order: OpenOrder, command: AmendOrder, events: list[Event]) -> AmendRefusal | None:
    """Return why the order stays as it is; append the closes of dust that a new price meets."""
    if not book.trades_now:
        return AmendRefusal.BOOK_INACTIVE
    price, quantity = _terms(order, command)
    if quantity <= order.quantity - order.remaining:
        return AmendRefusal.QUANTITY
    if order.placed.step is not None and not slices_are_sound(quantity, order.placed.step, price, book.scale):
        return AmendRefusal.SLICES
    is_parked = order.placed.order_id in book.triggers
    if price is not None and price != order.price and not is_parked:
        makers = book.side(Side.SELL if order.placed.side is Side.BUY else Side.BUY)
        if best_crossed(book, makers, makers.sign * price, events) is not None:
            return AmendRefusal.WOULD_CROSS
    return None


def _terms(order: OpenOrder, command: AmendOrder) -> tuple[int | None, int]:
    """Return the price and the quantity that the order is to have."""
    price = order.price if command.price is None else command.price
    return price, order.quantity if command.quantity is None else command.quantity


def _amended(book: Book, order: OpenOrder, command: AmendOrder) -> Amended:
    placed, scale = order.placed, book.scale
    price, quantity = _terms(order, command)
    remaining = quantity - (order.quantity - order.remaining)
    keeps_place = price == order.price and quantity <= order.quantity
    needed = remaining if price is None else hold_of_limit(placed.side, price, remaining, book.rules.base_decimals)
    released = order.hold + command.extra - needed
    if released < 0:
        raise Inconsistent(f"{command.command_id} has set too little aside")
    is_parked = placed.order_id in book.triggers
    shown_before, shown = order.remaining - order.hidden, remaining
    if is_parked:
        shown_before = shown = 0
    elif placed.step is not None and price is not None:
        if keeps_place:  # a slice is not topped up, unless too little would stay hidden
            hidden = max(0, remaining - shown_before)
            shown = remaining - (hidden if price * hidden >= scale else 0)
        else:
            shown = remaining - hidden_of(remaining, placed.step, price, scale)
    level = None if is_parked else order.price
    return Amended(
        command.command_id, placed, price, quantity, remaining, command.extra, released,
        level, shown_before, shown, keeps_place,
    )  # fmt: skip


def _refused(command: AmendOrder, reason: AmendRefusal) -> AmendRefused:
    return AmendRefused(command.command_id, command.order_id, command.customer, command.side, command.extra, reason)
