"""The matching core: price, then time; trades at the maker's price (docs/book-desk.md, Matching).

``place`` is the whole of it: one order in, its events out, the book changed accordingly. Each order walks the
opposite side once: O(trades), plus O(log levels) to rest. A FOK order walks it twice.

An exception out of here means a bug or a command that admission cannot have made; the book may then be half changed
and must be thrown away (the matcher rebuilds it from the journal and calls ``reject``).
What else can be asked of a book is in ``commands``.
"""

from __future__ import annotations

from chalicelib.core.book import Book, BookSide, OpenOrder
from chalicelib.core.events import Accepted, Closed, Event, Rested, Traded
from chalicelib.core.ledger import FEE_SCALE_BPS
from chalicelib.core.vocabulary import (
    BookStatus,
    CloseReason,
    OrderStatus,
    OrderType,
    PlaceOrder,
    SelfTradePrevention,
    Side,
    TimeInForce,
)

LIMIT, MARKET = OrderType.LIMIT, OrderType.MARKET
GTC, FOK = TimeInForce.GTC, TimeInForce.FOK
BUY = Side.BUY
ACTIVE = BookStatus.ACTIVE
NO_PREVENTION = SelfTradePrevention.NONE


class InvalidCommand(Exception):
    """The command contradicts itself or the book; admission never makes such a one."""


def place(book: Book, command: PlaceOrder, at_ms: int) -> list[Event]:
    """Decide an order: match it, then rest or close what is left. Return the events, in order.

    at_ms: the time at which it is decided, that of its journal entry; nothing that is due by then may rest in the book
        (``commands.expire``), and an order that is due itself is EXPIRED, whatever the book's status (R24).
    Raises InvalidCommand when the order contradicts itself or its hold, or its id rests already; the book is unchanged.
    """
    _assert_valid(book, command)
    if command.expires_at_ms is not None and command.expires_at_ms <= at_ms:
        expired = Closed(command, OrderStatus.EXPIRED, CloseReason.EXPIRED, command.quantity, command.hold)
        return [Accepted(command), expired]
    if book.status is not ACTIVE:
        return reject(command, CloseReason.BOOK_INACTIVE)
    order = OpenOrder(command)
    events: list[Event] = [Accepted(command)]
    makers = book.asks if command.side is BUY else book.bids
    limit_key = _worst_key(makers) if command.price is None else makers.sign * command.price

    refusal: CloseReason | None = None
    if command.time_in_force is FOK and not _can_fill(book, makers, command, limit_key):
        refusal = CloseReason.FOK_UNFILLABLE
    elif makers.keys and makers.keys[-1] >= limit_key:
        if command.post_only:
            refusal = CloseReason.POST_ONLY_WOULD_CROSS
        else:
            refusal = _match(book, makers, order, limit_key, events)
            if not order.remaining:
                return events

    if refusal is None:
        if command.price is not None and command.time_in_force is GTC:
            book.rest(order, command.price)
            events.append(Rested(command, order.remaining))
            return events
        refusal = CloseReason.MARKET_REMAINDER if command.order_type is MARKET else CloseReason.IOC_REMAINDER
    events.append(Closed(command, OrderStatus.CANCELLED, refusal, order.remaining, order.hold))
    return events


def reject(command: PlaceOrder, reason: CloseReason) -> list[Event]:
    """Return the events that refuse an order its turn: REJECTED, its whole hold released (T23)."""
    return [Accepted(command), Closed(command, OrderStatus.REJECTED, reason, command.quantity, command.hold)]


def _assert_valid(book: Book, command: PlaceOrder) -> None:
    """Raise InvalidCommand unless the command is one that admission can have made. Runs for every order."""
    price, quantity = command.price, command.quantity
    hold = command.hold if command.side is BUY else quantity  # a MARKET BUY holds a budget
    if price is None:
        is_sound = command.order_type is MARKET and not command.post_only
    else:
        is_sound = command.order_type is LIMIT and price > 0 and (not command.post_only or command.time_in_force is GTC)
        if command.side is BUY:
            hold = -(-price * quantity // book.scale)  # ledger.hold_of_limit, written out
    if command.expires_at_ms is not None and (price is None or command.time_in_force is not GTC):
        is_sound = False
    if not is_sound:
        raise InvalidCommand(f"{command.order_id} has a type, price and time in force that contradict each other")
    if command.hold != hold:
        raise InvalidCommand(f"{command.order_id} holds {command.hold}, needs {hold}")
    if quantity <= 0 or hold < 0 or command.order_id in book.open_orders:
        raise InvalidCommand(f"{command.order_id} has no quantity, a negative hold, or rests already")


def _worst_key(makers: BookSide) -> int:
    """Return the key below which no level lies: what a MARKET order accepts."""
    return makers.keys[0] if makers.keys else 0


def _match(book: Book, makers: BookSide, order: OpenOrder, limit_key: int, events: list[Event]) -> CloseReason | None:
    """Trade the order against the makers it crosses. Return why its rest must be closed, None where no rule says so."""
    command, rules, scale = order.placed, book.rules, book.scale
    prevention, keys, levels = rules.self_trade_prevention, makers.keys, makers.levels
    taker_buys = command.side is BUY
    budgeted = taker_buys and command.price is None
    while order.remaining and keys and keys[-1] >= limit_key:
        level = levels[keys[-1]]
        maker = next(iter(level.orders.values()))
        price = level.price
        quantity = wanted = order.remaining if order.remaining < maker.remaining else maker.remaining
        if budgeted:
            quantity = min(wanted, order.hold * scale // price)  # T39: never more than the budget pays
            if not quantity:
                return CloseReason.MARKET_REMAINDER
        if prevention is not NO_PREVENTION and maker.placed.customer == command.customer:
            if prevention is not SelfTradePrevention.CANCEL_TAKER:
                _cancel_own_maker(book, makers, maker, events)
            if prevention is not SelfTradePrevention.CANCEL_MAKER:
                return CloseReason.SELF_TRADE_PREVENTED
            continue
        notional = price * quantity // scale
        order.remaining -= quantity
        makers.take(level, maker, quantity)
        if not maker.remaining:
            del book.open_orders[maker.placed.order_id]

        buyer, seller = (order, maker) if taker_buys else (maker, order)
        seller.hold -= quantity
        unpaid = buyer.hold - notional
        buyer_price = buyer.placed.price
        if not buyer.remaining:
            buyer.hold = 0
        elif buyer_price is None:
            buyer.hold = unpaid
        else:
            buyer.hold = -(-buyer_price * buyer.remaining // scale)
        maker_receives, taker_receives = (notional, quantity) if taker_buys else (quantity, notional)
        events.append(
            Traded(
                maker.placed,
                command,
                price,
                quantity,
                notional,
                maker_receives * rules.maker_fee_bps // FEE_SCALE_BPS,
                taker_receives * rules.taker_fee_bps // FEE_SCALE_BPS,
                unpaid - buyer.hold,
                maker.remaining,
                order.remaining,
            )
        )
        if quantity < wanted:
            # The budget took what it pays of this maker, once (T39): by rounding, a second bite could cost nothing,
            # and going on to the next maker would pass over a better price.
            return CloseReason.MARKET_REMAINDER
    return None


def _cancel_own_maker(book: Book, makers: BookSide, maker: OpenOrder, events: list[Event]) -> None:
    makers.remove(maker)
    del book.open_orders[maker.placed.order_id]
    reason = CloseReason.SELF_TRADE_PREVENTED
    events.append(Closed(maker.placed, OrderStatus.CANCELLED, reason, maker.remaining, maker.hold))


def _can_fill(book: Book, makers: BookSide, command: PlaceOrder, limit_key: int) -> bool:
    """Tell whether the order would trade in full now: the FOK test (T24 for own orders, T39 for a budget)."""
    prevention = book.rules.self_trade_prevention
    budget = command.hold if command.side is BUY and command.price is None else None
    wanted = command.quantity
    for key in reversed(makers.keys):
        if key < limit_key:
            return False
        level = makers.levels[key]
        for maker in level.orders.values():
            if prevention is not NO_PREVENTION and maker.placed.customer == command.customer:
                if prevention is SelfTradePrevention.CANCEL_MAKER:
                    continue
                return False
            quantity = min(wanted, maker.remaining)
            if budget is not None:
                if budget * book.scale // level.price < quantity:
                    return False
                budget -= level.price * quantity // book.scale
            wanted -= quantity
            if not wanted:
                return True
    return False
