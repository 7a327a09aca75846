"""Short ways to write orders and to read what became of them, for the stories of the core's tests."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from chalicelib.domain.books.book import Book
from chalicelib.domain.books.commands import Step, decide, follow_ups
from chalicelib.domain.books.events import Closed, Event, Rested, Traded
from chalicelib.domain.books.matching import place
from chalicelib.domain.books.settlement import settle
from chalicelib.domain.books.vocabulary import (
    BookRules,
    BookStatus,
    BookTerms,
    ChangeBook,
    CloseReason,
    Command,
    OrderType,
    PlaceOrder,
    SelfTradePrevention,
    TimeInForce,
)
from chalicelib.domain.ledger.amounts import Side
from chalicelib.domain.ledger.changes import Change

BUY, SELL = Side.BUY, Side.SELL
QUIET: dict[str, object] = {
    "reference": None, "halted_until_ms": None, "window": [[], []], "parked": [], "turns": 0, "queue": [],
    "cancelling": None,
}  # fmt: skip
"""What of a book's state is empty where nothing is parked, halted or under way, and nothing was traded."""
GTC, IOC, FOK = TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK
AT_MS = 1_736_937_000_000
"""When all of it is decided, unless the story is about time."""


def a_book(
    base_decimals: int = 0,
    maker_fee_bps: int = 0,
    taker_fee_bps: int = 0,
    self_trade_prevention: SelfTradePrevention = SelfTradePrevention.NONE,
    lot_size: int = 1,
    min_order_value: int = 0,
) -> Book:
    """An empty book; whole units, no fees and no bounds unless the story is about them."""
    return Book(
        BookRules(base_decimals, maker_fee_bps, taker_fee_bps, self_trade_prevention, lot_size, min_order_value)
    )


def change_to(
    status: BookStatus, version: int, command_id: str | None = None, rules: BookRules | None = None
) -> ChangeBook:
    """The wish to change a book for the ``version``-th time: to this status, and these rules' fees and self-trades."""
    wanted = rules or BookRules()
    terms = BookTerms(
        version, status, wanted.maker_fee_bps, wanted.taker_fee_bps, wanted.self_trade_prevention,
        wanted.lot_size, wanted.min_order_value,
    )  # fmt: skip
    return ChangeBook(command_id or f"change {version}", terms)


def limit(
    order_id: str,
    side: Side,
    price: int,
    quantity: int,
    time_in_force: TimeInForce = GTC,
    *,
    of: str | None = None,
    hold: int | None = None,
    post_only: bool = False,
    expires_at_ms: int | None = None,
) -> PlaceOrder:
    """A LIMIT order; ``of`` names its customer (each order has its own unless told), ``hold`` is for whole units."""
    if hold is None:
        hold = price * quantity if side is BUY else quantity
    customer = of or f"customer of {order_id}"
    return PlaceOrder(
        order_id, customer, side, OrderType.LIMIT, time_in_force, price, quantity, hold, post_only,
        expires_at_ms=expires_at_ms,
    )  # fmt: skip


def market(
    order_id: str,
    side: Side,
    quantity: int,
    time_in_force: TimeInForce = IOC,
    *,
    of: str | None = None,
    budget: int = 10**9,
    value: int | None = None,
) -> PlaceOrder:
    """A MARKET order; ``budget`` is what a BUY may spend, ``value`` what it was asked to come to."""
    hold = budget if side is BUY else quantity
    customer = of or f"customer of {order_id}"
    return PlaceOrder(order_id, customer, side, OrderType.MARKET, time_in_force, None, quantity, hold, value=value)


def placed(book: Book, *commands: PlaceOrder) -> list[Event]:
    """Place the commands one after the other and return all that happened; the book is sound after each."""
    events: list[Event] = []
    for command in commands:
        events += place(book, command, AT_MS)
        book.check()
    return events


def a_market() -> Book:
    """Two bids at one price and one below, two asks; all of different customers."""
    book = a_book()
    placed(
        book,
        limit("bid 1", BUY, 99, 2),
        limit("bid 2", BUY, 99, 3),
        limit("bid 3", BUY, 98, 4),
        limit("ask 1", SELL, 101, 5),
        limit("ask 2", SELL, 102, 6),
    )
    return book


def decided(book: Book, *commands: Command) -> list[Event]:
    """Decide any commands one after the other and return all that happened; the book is sound after each step."""
    return [event for command in commands for event in taken(book, decide(book, command, AT_MS))]


def begun(book: Book, command: Command, steps: int = 1) -> list[Event]:
    """Take only the first steps of a command's consequence, as a matcher does that dies then."""
    return taken(book, islice(decide(book, command, AT_MS), steps))


def followed_up(book: Book, at_ms: int = AT_MS, steps_max: int | None = None) -> list[Event]:
    """Take what is to be done without a command, at most so many steps, and return what happened."""
    return taken(book, islice(follow_ups(book, at_ms), steps_max))


def taken(book: Book, steps: Iterable[Step]) -> list[Event]:
    """Take the steps and return their events; the book is sound after each."""
    events: list[Event] = []
    for step in steps:
        events += step.events
        book.check()
    return events


def trades(events: Iterable[Event]) -> list[tuple[str, int, int]]:
    """(maker, price, quantity) of each trade, in order."""
    return [(event.maker.order_id, event.price, event.quantity) for event in events if isinstance(event, Traded)]


def rests(events: Iterable[Event]) -> list[tuple[str, int]]:
    """(order, what of it went into the book)."""
    return [(event.order.order_id, event.remaining) for event in events if isinstance(event, Rested)]


def closes(events: Iterable[Event]) -> list[tuple[str, CloseReason, int, int]]:
    """(order, reason, unfilled quantity, released hold) of each order that was closed."""
    return [
        (event.order.order_id, event.reason, event.remaining, event.released)
        for event in events
        if isinstance(event, Closed)
    ]


def moved(events: Iterable[Event]) -> dict[tuple[str | None, Side], Change]:
    """What the events move, by customer (None: the fees) and by the side that holds the asset."""
    changes = settle(events, base=SELL.value, quote=BUY.value)
    return {(account.customer, Side(account.asset)): change for account, change in changes.items()}


def queue(book: Book, side: Side) -> list[tuple[int, str, int]]:
    """(price, order, remaining) of a side's resting orders in priority."""
    return [
        (level.price, order.placed.order_id, order.remaining)
        for level in book.side(side).best_first()
        for order in level
    ]


def the_trade(events: list[Event]) -> Traded:
    """The only trade among the events."""
    (trade,) = (event for event in events if isinstance(event, Traded))
    return trade
