"""Matching: price-time priority, trades at the maker's price (docs/book-desk.md, Matching).

``place`` takes one order, changes the book and returns the events. An order walks the opposite side once: O(trades),
plus O(log levels) to rest. A FOK order walks it twice.

No trade has an empty leg (T46): the seller gets at least one quote unit. An order worth less than that at its own price
is dust: it is closed where a trade leaves it, where it would come to rest, and, in books from before T46, where it is
met.

An exception means a bug, or a command that admission cannot have made. The book may be half changed then and must be
thrown away (``commands.give_up``).
The other commands are decided in ``commands``.
"""

from __future__ import annotations

from chalicelib.domain.books.book import Book
from chalicelib.domain.books.events import Accepted, Closed, Event, Rested, Traded
from chalicelib.domain.books.levels import BookSide, OpenOrder, opened
from chalicelib.domain.books.vocabulary import (
    BookStatus,
    CloseReason,
    OrderStatus,
    OrderType,
    PlaceOrder,
    SelfTradePrevention,
    TimeInForce,
)
from chalicelib.domain.ledger.amounts import Side
from chalicelib.domain.ledger.fees import BPS

LIMIT, MARKET = OrderType.LIMIT, OrderType.MARKET
GTC, FOK = TimeInForce.GTC, TimeInForce.FOK
BUY = Side.BUY
ACTIVE = BookStatus.ACTIVE
NO_PREVENTION = SelfTradePrevention.NONE


class InvalidCommand(Exception):
    """The command contradicts itself or the book; admission never makes such a command."""


def place(book: Book, command: PlaceOrder, at_ms: int) -> list[Event]:
    """Match an order, then rest or close what is left. Return the events, in order.

    at_ms: the time of the journal entry. Nothing that is due by then may still rest (``commands.follow_ups``). An order
        that is due itself is EXPIRED, whatever the book's status (R24).
    Raises InvalidCommand, the book unchanged, where the order contradicts itself or its hold, or its id rests already.
    """
    _assert_valid(book, command)
    if command.expires_at_ms is not None and command.expires_at_ms <= at_ms:
        expired = Closed(command, OrderStatus.EXPIRED, CloseReason.EXPIRED, command.quantity, command.hold)
        return [Accepted(command), expired]
    if book.status is not ACTIVE:
        return reject(command, CloseReason.BOOK_INACTIVE)
    events: list[Event] = [Accepted(command)]
    _enter(book, opened(command), events)
    return events


def _enter(book: Book, order: OpenOrder, events: list[Event]) -> None:
    """Match an order that arrives now, by its terms of now, then rest or close what is left; append the events."""
    command, price = order.placed, order.price
    makers = book.asks if command.side is BUY else book.bids
    keys = makers.keys
    limit_key = _worst_key(makers) if price is None else makers.sign * price

    refusal: CloseReason | None = None
    if command.time_in_force is FOK:
        refusal = _fok_refusal(book, makers, order, limit_key)
    elif command.post_only or book.rules.min_order_value:
        best_price = _best_crossed(book, makers, limit_key, events)
        if best_price is not None:
            if command.post_only:
                refusal = CloseReason.POST_ONLY_WOULD_CROSS
            elif book.rules.min_order_value and _is_below_minimum(book, order, best_price):
                refusal = CloseReason.BELOW_MINIMUM
    if refusal is None and keys and keys[-1] >= limit_key:
        refusal = _match(book, makers, order, limit_key, events)
        if not order.remaining:
            return

    if refusal is None:
        if price is None:
            refusal = CloseReason.MARKET_REMAINDER
        elif command.time_in_force is not GTC:
            refusal = CloseReason.IOC_REMAINDER
        elif price * order.remaining < book.scale:
            refusal = CloseReason.DUST
        else:
            book.rest(order)
            events.append(Rested(command, order.remaining))
            return
    events.append(Closed(command, OrderStatus.CANCELLED, refusal, order.remaining, order.hold))


def reject(command: PlaceOrder, reason: CloseReason) -> list[Event]:
    """Return the events that reject an order: REJECTED, its whole hold released (T23)."""
    return [Accepted(command), Closed(command, OrderStatus.REJECTED, reason, command.quantity, command.hold)]


def _assert_valid(book: Book, command: PlaceOrder) -> None:
    """Raise InvalidCommand unless admission can have made the command. Runs for every order, here alone."""
    price, quantity, hold = command.price, command.quantity, command.hold
    needed = quantity
    if price is None:
        is_sound = command.order_type is MARKET and not command.post_only and command.expires_at_ms is None
        if command.side is BUY:
            needed = hold  # a budget
    else:
        may_rest = command.time_in_force is GTC or (not command.post_only and command.expires_at_ms is None)
        is_sound = command.order_type is LIMIT and price > 0 and may_rest
        if command.side is BUY:
            needed = -(-price * quantity // book.scale)  # holds.hold_of_limit, written out for speed
    if not is_sound:
        raise InvalidCommand(f"{command.order_id} has a type, price and time in force that contradict each other")
    if hold != needed:
        raise InvalidCommand(f"{command.order_id} holds {hold}, needs {needed}")
    if quantity <= 0 or hold < 0 or command.order_id in book.open_orders:
        raise InvalidCommand(f"{command.order_id} has no quantity, a negative hold, or rests already")


def _worst_key(makers: BookSide) -> int:
    """Return the worst level's key: the limit of a MARKET order."""
    return makers.keys[0] if makers.keys else 0


def _best_crossed(book: Book, makers: BookSide, limit_key: int, events: list[Event]) -> int | None:
    """Return the best price that the limit crosses, None for none; close the dust in front of it."""
    while makers.keys and makers.keys[-1] >= limit_key:
        level = makers.levels[makers.keys[-1]]
        maker = level.oldest()
        if level.price * maker.remaining >= book.scale:
            return level.price
        events.append(book.close(maker, CloseReason.DUST))
    return None


def _is_below_minimum(book: Book, order: OpenOrder, best_price: int) -> bool:
    """Return whether a BUY that can trade is worth less than the book's minimum at the best ask (T45).

    An order by value counts with one lot more, because its quantity was rounded down (R25): an order of just the
    minimum would be refused otherwise.
    """
    rules = book.rules
    if order.placed.side is not BUY:
        return False
    quantity = order.quantity if order.placed.value is None else order.quantity + rules.lot_size
    return best_price * quantity < rules.min_order_value * book.scale


def _match(book: Book, makers: BookSide, order: OpenOrder, limit_key: int, events: list[Event]) -> CloseReason | None:
    """Trade the order against the makers it crosses. Return why its remainder must be closed, None: it may rest."""
    command, rules, scale = order.placed, book.rules, book.scale
    prevention, keys, levels = rules.self_trade_prevention, makers.keys, makers.levels
    taker_buys = command.side is BUY
    budgeted = taker_buys and order.price is None
    while order.remaining and keys and keys[-1] >= limit_key:
        level = levels[keys[-1]]
        maker = level.oldest()
        price = level.price
        if price * maker.remaining < scale:  # dust from before T46
            events.append(book.close(maker, CloseReason.DUST))
            continue
        quantity = wanted = order.remaining if order.remaining < maker.remaining else maker.remaining
        if budgeted:
            quantity = min(wanted, order.hold * scale // price)  # T39: never more than the budget pays
            if not quantity:
                return CloseReason.MARKET_REMAINDER
            if quantity < wanted:
                quantity -= quantity % rules.lot_size  # T45: a budget takes whole lots
        if prevention is not NO_PREVENTION and maker.placed.customer == command.customer:
            if prevention is not SelfTradePrevention.CANCEL_TAKER:
                events.append(book.close(maker, CloseReason.SELF_TRADE_PREVENTED))
            if prevention is not SelfTradePrevention.CANCEL_MAKER:
                return CloseReason.SELF_TRADE_PREVENTED
            continue
        notional = price * quantity // scale
        if not notional:
            return CloseReason.DUST if quantity == wanted else CloseReason.MARKET_REMAINDER
        book.last_price = price
        order.remaining -= quantity
        makers.take(level, maker, quantity)
        if not maker.remaining:
            book.forget(maker)

        buyer, seller = (order, maker) if taker_buys else (maker, order)
        seller.hold -= quantity
        unpaid = buyer.hold - notional
        buyer_price = buyer.price
        if not buyer.remaining:
            buyer.hold = 0
        elif buyer_price is None:
            buyer.hold = unpaid
        else:
            buyer.hold = -(-buyer_price * buyer.remaining // scale)
        # The ledger's rules are written out for speed: worth (notional), hold_of_limit (hold), Fee(bps).of (fees).
        maker_receives, taker_receives = (notional, quantity) if taker_buys else (quantity, notional)
        events.append(
            Traded(
                maker.placed,
                command,
                price,
                quantity,
                notional,
                maker_receives * rules.maker_fee_bps // BPS,
                taker_receives * rules.taker_fee_bps // BPS,
                unpaid - buyer.hold,
                maker.remaining,
                order.remaining,
            )
        )
        if maker.remaining and price * maker.remaining < scale:
            events.append(book.close(maker, CloseReason.DUST))
        if quantity < wanted:
            # The budget took what it pays of this maker, once (T39): a second bite could only be a smaller one, and
            # going on to the next maker would pass over a better price.
            return CloseReason.MARKET_REMAINDER
    return None


def _fok_refusal(book: Book, makers: BookSide, order: OpenOrder, limit_key: int) -> CloseReason | None:
    """Return why a FOK order cannot fill now, None where it can; the book is unchanged.

    The same walk as ``_match``: dust is skipped (T46), own orders count as T24 says, a budget must pay for all of it
    (T39), the last trade must not be empty (T46), and the order must be worth the minimum at the best ask (T45).
    """
    prevention, scale = book.rules.self_trade_prevention, book.scale
    customer, wanted = order.placed.customer, order.remaining
    budget = order.hold if order.placed.side is BUY and order.price is None else None
    best_price: int | None = None
    for key in reversed(makers.keys):
        if key < limit_key:
            break
        price = makers.levels[key].price
        for maker in makers.levels[key]:
            if price * maker.remaining < scale:
                continue
            if best_price is None:
                best_price = price
            if prevention is not NO_PREVENTION and maker.placed.customer == customer:
                if prevention is SelfTradePrevention.CANCEL_MAKER:
                    continue
                return CloseReason.FOK_UNFILLABLE
            quantity = min(wanted, maker.remaining)
            notional = price * quantity // scale
            if not notional:
                return CloseReason.FOK_UNFILLABLE
            if budget is not None:
                if budget * scale // price < quantity:
                    return CloseReason.FOK_UNFILLABLE
                budget -= notional
            wanted -= quantity
            if not wanted:
                return CloseReason.BELOW_MINIMUM if _is_below_minimum(book, order, best_price) else None
    return CloseReason.FOK_UNFILLABLE
