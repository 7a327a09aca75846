"""Matching: price-time priority, trades at the maker's price (docs/book-desk.md, Matching).

``place`` takes one order, changes the book and returns the events. An order walks the opposite side once: O(trades),
plus O(log levels) to rest. A FOK order walks it twice. What the trades trigger is decided afterwards (``commands``).

No trade has an empty leg (T46): the seller gets at least one quote unit. An order worth less than that at its own price
is dust: it is closed where a trade leaves it, where it would come to rest, and, in books from before T46, where it is
met.

An exception means a bug, or a command that admission cannot have made. The book may be half changed then and must be
thrown away (``commands.give_up``).
The other commands are decided in ``commands``.
"""

from __future__ import annotations

from collections.abc import Iterator

from chalicelib.domain.books.book import Book
from chalicelib.domain.books.events import Accepted, Closed, Event, Halted, Parked, Rested, Sliced, Traded, Triggered
from chalicelib.domain.books.levels import BookSide, OpenOrder, opened
from chalicelib.domain.books.protection import CALM_NONE, is_in_band, is_too_far
from chalicelib.domain.books.triggers import Trade
from chalicelib.domain.books.vocabulary import (
    SLICES_MAX,
    CloseReason,
    OrderStatus,
    OrderType,
    PlaceOrder,
    SelfTradePrevention,
    TimeInForce,
)
from chalicelib.domain.ledger.amounts import Side
from chalicelib.domain.ledger.fees import BPS

LIMIT = OrderType.LIMIT
GTC, FOK = TimeInForce.GTC, TimeInForce.FOK
BUY = Side.BUY
NO_PREVENTION = SelfTradePrevention.NONE


class InvalidCommand(Exception):
    """The command contradicts itself or the book; admission never makes such a command."""


def place(book: Book, command: PlaceOrder, at_ms: int) -> list[Event]:
    """Match an order, then rest, park or close what is left. Return the events, in order.

    at_ms: the time of the journal entry. Nothing that is due by then may still be open (``commands.follow_ups``). An
        order that is due itself is EXPIRED, whatever the book's status (R24).
    Raises InvalidCommand, the book unchanged, where the order contradicts itself or its hold, or its id is open.
    """
    _assert_valid(book, command)
    if at_ms != book.at_ms:
        book.begin(at_ms)
    if command.expires_at_ms is not None and command.expires_at_ms <= at_ms:
        expired = Closed(command, OrderStatus.EXPIRED, CloseReason.EXPIRED, command.quantity, command.hold)
        return [Accepted(command), expired]
    if not book.trades_now:
        return reject(command, CloseReason.BOOK_INACTIVE)
    events: list[Event] = [Accepted(command)]
    if command.order_type is LIMIT or not command.order_type.is_parked:
        _enter(book, opened(command), events)
    else:
        events.append(Parked(command))
        book.park(opened(command))
    return events


def trigger(book: Book, order_id: str, trade: Trade) -> list[Event]:
    """Match a parked order that a trade has satisfied, as an order that arrives now (O3). Return the events."""
    order = book.unpark(order_id)
    events: list[Event] = [Triggered(order.placed, *trade)]
    _enter(book, order, events)
    return events


def _enter(book: Book, order: OpenOrder, events: list[Event]) -> None:
    """Match an order that arrives now, by its terms of now, then rest or close what is left; append the events."""
    command = order.placed
    price = command.price
    makers = book.asks if command.side is BUY else book.bids
    keys = makers.keys
    limit_key = _worst_key(makers) if price is None else makers.sign * price

    refusal: CloseReason | None = None
    if command.time_in_force is FOK:
        refusal = _fok_refusal(book, makers, order, limit_key, events)
    elif command.post_only or book.rules.min_order_value:
        best_price = best_crossed(book, makers, limit_key, events)
        if best_price is not None:
            if command.post_only:
                refusal = CloseReason.POST_ONLY_WOULD_CROSS
            elif _is_below_minimum(book, order, best_price):
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
            remaining = shown = order.remaining
            if command.step is not None:
                order.hidden = hidden_of(remaining, command.step, price, book.scale)
                shown -= order.hidden
            book.rest(order)
            events.append(Rested(command, remaining, shown))
            return
    events.append(Closed(command, OrderStatus.CANCELLED, refusal, order.remaining, order.hold))


def hidden_of(remaining: int, step: int, price: int, scale: int) -> int:
    """Return what an iceberg order hides behind its next slice; nothing where that is worth no quote unit (O6)."""
    hidden = remaining - step
    return hidden if hidden > 0 and price * hidden >= scale else 0


def reject(command: PlaceOrder, reason: CloseReason) -> list[Event]:
    """Return the events that reject an order: REJECTED, its whole hold released (T23)."""
    return [Accepted(command), Closed(command, OrderStatus.REJECTED, reason, command.quantity, command.hold)]


def _assert_valid(book: Book, command: PlaceOrder) -> None:
    """Raise InvalidCommand unless admission can have made the command. Runs for every order, here alone."""
    price, quantity, hold = command.price, command.quantity, command.hold
    needed = quantity
    if price is None:
        is_sound = not command.post_only
        if command.side is BUY:
            needed = hold  # a budget
    else:
        may_rest = command.time_in_force is GTC or (not command.post_only and command.expires_at_ms is None)
        is_sound = price > 0 and may_rest
        if command.side is BUY:
            needed = -(-price * quantity // book.scale)  # holds.hold_of_limit, written out for speed
    if not is_sound or ((price is None or command.order_type is not LIMIT) and not _is_sound(command, book.scale)):
        raise InvalidCommand(f"{command.order_id} has a type, price and time in force that contradict each other")
    if hold != needed:
        raise InvalidCommand(f"{command.order_id} holds {hold}, needs {needed}")
    order_id, triggers = command.order_id, book.triggers
    is_parked = order_id <= triggers.newest and order_id in triggers.orders
    if quantity <= 0 or hold < 0 or is_parked or order_id in book.resting:
        raise InvalidCommand(f"{command.order_id} has no quantity, a negative hold, or is open already")


def _is_sound(command: PlaceOrder, scale: int) -> bool:
    """Return whether an order that is no LIMIT order has the members of its type, and no other."""
    price, stop, distance, step = command.price, command.stop_price, command.distance, command.step
    may_trail = price is not None or command.side is not BUY
    is_plain = command.time_in_force is GTC and not command.post_only
    match command.order_type:
        case OrderType.MARKET:
            return price is stop is distance is step is None and command.expires_at_ms is None
        case OrderType.CEILING:
            budget_only = price is stop is distance is step is None and command.expires_at_ms is None
            return budget_only and command.value is not None
        case OrderType.STOP_LIMIT:
            return price is not None and distance is step is None and stop is not None and stop > 0 and is_plain
        case OrderType.TRAILING:
            return may_trail and stop is step is None and distance is not None and distance > 0 and is_plain
        case OrderType.ICEBERG:
            is_iceberg = price is not None and stop is distance is None and command.time_in_force is GTC
            return is_iceberg and slices_are_sound(command.quantity, step, price, scale)
    return False


def slices_are_sound(quantity: int, step: int | None, price: int | None, scale: int) -> bool:
    """Return whether an iceberg order has few enough slices, and each is worth one quote unit at least (O6)."""
    return (
        step is not None and price is not None and step > 0 and quantity <= SLICES_MAX * step and price * step >= scale
    )


def _worst_key(makers: BookSide) -> int:
    """Return the worst level's key: the limit of a MARKET order."""
    return makers.keys[0] if makers.keys else 0


def best_crossed(book: Book, makers: BookSide, limit_key: int, events: list[Event]) -> int | None:
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
    if order.placed.side is not BUY or not is_in_band(best_price, book.reference, rules.protection):
        return False
    quantity = order.quantity if order.placed.value is None else order.quantity + rules.lot_size
    return best_price * quantity < rules.min_order_value * book.scale


def _match(book: Book, makers: BookSide, order: OpenOrder, limit_key: int, events: list[Event]) -> CloseReason | None:
    """Trade the order against the makers it crosses. Return why its remainder must be closed, None: it may rest.

    Only trades that are not calm (``Book.calm``) are held against the band and the breaker, and noted: the first of an
    order, and all after it.
    """
    command, rules, scale = order.placed, book.rules, book.scale
    prevention, keys, levels = rules.self_trade_prevention, makers.keys, makers.levels
    taker_buys = command.side is BUY
    budgeted = taker_buys and command.price is None
    reference, (calm_low, calm_high) = book.reference, book.calm
    while order.remaining and keys and keys[-1] >= limit_key:
        level = levels[keys[-1]]
        maker = level.oldest()
        price = level.price
        if price * maker.remaining < scale:  # dust from before T46
            events.append(book.close(maker, CloseReason.DUST))
            continue
        is_calm = calm_low <= price <= calm_high
        if not is_calm and not is_in_band(price, reference, rules.protection):
            return CloseReason.PRICE_BAND
        shown = maker.remaining - maker.hidden
        quantity = wanted = order.remaining if order.remaining < shown else shown
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
        if not is_calm and _is_halting(book, price):
            events.append(_halt(book, price))
            return CloseReason.CIRCUIT_BREAKER
        order.remaining -= quantity
        makers.take(level, maker, quantity)
        if not maker.remaining:
            book.forget(maker)
        if is_calm:
            book.last_trade, book.reference = (price, maker.placed.order_id, command.order_id), price
        else:
            book.note_trade(price, maker.placed.order_id, command.order_id)
            calm_low, calm_high = CALM_NONE

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
        if maker.remaining and price * (maker.remaining - maker.hidden) < scale:
            events.append(_next_slice(book, maker, price) if maker.hidden else book.close(maker, CloseReason.DUST))
        if quantity < wanted:
            # The budget took what it pays of this maker, once (T39): a second bite could only be a smaller one, and
            # going on to the next maker would pass over a better price.
            return CloseReason.MARKET_REMAINDER
    return None


def _next_slice(book: Book, maker: OpenOrder, price: int) -> Sliced:
    """Let an iceberg order show its next slice, behind all orders at its price, with what the last one left (O6)."""
    left = maker.remaining - maker.hidden
    hidden = hidden_of(maker.remaining, maker.placed.step or maker.remaining, price, book.scale)
    fresh = book.show_next(maker, maker.remaining - hidden)
    return Sliced(fresh.placed, fresh.remaining - fresh.hidden, left)


def _is_halting(book: Book, price: int) -> bool:
    protection = book.rules.protection
    if not protection.halt_bps:
        return False
    return is_too_far(price, book.window.extremes(book.at_ms // 1000, protection.halt_window_s), protection)


def _halt(book: Book, price: int) -> Halted:
    until_ms = book.at_ms + 1000 * book.rules.protection.halt_s
    book.halt(until_ms)
    return Halted(until_ms, price)


def _fok_refusal(
    book: Book, makers: BookSide, order: OpenOrder, limit_key: int, events: list[Event]
) -> CloseReason | None:
    """Return why a FOK order cannot fill now, None where it can; the book is unchanged, unless it halts.

    The same walk as ``_match``: dust is skipped (T46), slices of iceberg orders come in turn (O6), own orders count as
    T24 says, only prices of the band count (O11), a budget must pay for all of it (T39), the last trade must not be
    empty (T46), and the order must be worth the minimum at the best ask (T45). Where it could fill, and one of its
    trades would halt the book, the book halts before the first of them (O12).
    """
    prevention, scale = book.rules.self_trade_prevention, book.scale
    customer, wanted = order.placed.customer, order.remaining
    budget = order.hold if order.placed.side is BUY and order.price is None else None
    best_price: int | None = None
    protection, halts_at = book.rules.protection, None
    extremes = book.window.extremes(book.at_ms // 1000, protection.halt_window_s) if protection.halt_bps else None
    for price, maker, shown in _in_turn(makers, limit_key, scale):
        if not is_in_band(price, book.reference, protection):
            return CloseReason.FOK_UNFILLABLE
        if best_price is None:
            best_price = price
        if prevention is not NO_PREVENTION and maker.placed.customer == customer:
            if prevention is SelfTradePrevention.CANCEL_MAKER:
                continue
            return CloseReason.FOK_UNFILLABLE
        quantity = min(wanted, shown)
        notional = price * quantity // scale
        if not notional:
            return CloseReason.FOK_UNFILLABLE
        if budget is not None:
            if budget * scale // price < quantity:
                return CloseReason.FOK_UNFILLABLE
            budget -= notional
        wanted -= quantity
        if protection.halt_bps:
            halts_at = price if halts_at is None and is_too_far(price, extremes, protection) else halts_at
            extremes = (price, price) if extremes is None else (min(extremes[0], price), max(extremes[1], price))
        if not wanted:
            if _is_below_minimum(book, order, best_price):
                return CloseReason.BELOW_MINIMUM
            if halts_at is None:
                return None
            events.append(_halt(book, halts_at))
            return CloseReason.CIRCUIT_BREAKER
    return CloseReason.FOK_UNFILLABLE


def _in_turn(makers: BookSide, limit_key: int, scale: int) -> Iterator[tuple[int, OpenOrder, int]]:
    """Yield price, maker and quantity of each bite that an order of any size would take, without dust."""
    for key in reversed(makers.keys):
        if key < limit_key:
            return
        level = makers.levels[key]
        price = level.price
        again: list[tuple[OpenOrder, int]] = []
        for maker in level:
            if price * maker.remaining >= scale:
                yield price, maker, maker.remaining - maker.hidden
                if maker.hidden:
                    again.append((maker, maker.hidden))
        while again:
            turn, again = again, []
            for maker, remaining in turn:
                hidden = hidden_of(remaining, maker.placed.step or remaining, price, scale)
                yield price, maker, remaining - hidden
                if hidden:
                    again.append((maker, hidden))
