"""The matching core as the candidate engine of tracebook's conformance profiles.

An event is decided as the core's commands for it. Where the vocabularies differ:

- reduce is an amendment to a lower quantity, which keeps time priority (O8); of all that is left it is a cancel.
- replace loses time priority and may trade at once. It is an amendment where that does the same: to a new price that
  does not cross, or to a higher quantity. Else it is a cancel and a new order.
- clear is a cancel-all of each customer (O9).
"""

from __future__ import annotations

from decimal import Decimal

from tracebook.conformance import (
    BookSnapshot,
    BookState,
    ConformanceConfig,
    EngineMetadata,
    Observation,
    Outcome,
    RestingOrder,
    TradeFill,
    canonical_decimal,
)
from tracebook.core.order import OrderSide, SelfTradePolicy
from tracebook.core.order import OrderType as Instruction
from tracebook.events import MarketEvent

from chalicelib.domain.books.book import Book
from chalicelib.domain.books.commands import decide
from chalicelib.domain.books.events import Amended, AmendRefused, CancelRefused, Event, Traded
from chalicelib.domain.books.levels import OpenOrder
from chalicelib.domain.books.matching import InvalidCommand
from chalicelib.domain.books.vocabulary import (
    AmendOrder,
    AmendRefusal,
    BookRules,
    CancelAll,
    CancelOrder,
    Command,
    OrderType,
    PlaceOrder,
    TimeInForce,
)
from chalicelib.domain.ledger.amounts import Side, unit
from chalicelib.domain.ledger.holds import extra_of_amendment, hold_of_limit

BASE_DECIMALS, QUOTE_DECIMALS = 12, 8
"""Enough of them that the least quantity of a trace is no dust."""
BUDGET = unit(30)
"""What a MARKET BUY may spend, quote base units: a profile sets no bound."""
AT_MS = 1_736_937_000_000
TERMS = {
    Instruction.LIMIT: (OrderType.LIMIT, TimeInForce.GTC),
    Instruction.MARKET: (OrderType.MARKET, TimeInForce.IOC),
    Instruction.IOC: (OrderType.LIMIT, TimeInForce.IOC),
    Instruction.FOK: (OrderType.LIMIT, TimeInForce.FOK),
}
APPLIED = Outcome("applied")
NOT_ACTIVE = Outcome("rejected", "ORDER_NOT_ACTIVE")
DUPLICATE = Outcome("rejected", "DUPLICATE_ORDER_ID")


class MatchingCore:
    """The core with one book for each symbol, empty at first; a book without fees, bounds or protection."""

    metadata = EngineMetadata("tallybook", "core", "Python")

    def __init__(self, config: ConformanceConfig) -> None:
        assert (config.matching_algorithm, config.self_trade_policy) == ("fifo", SelfTradePolicy.NONE)
        self.books: dict[str, Book] = {}

    def apply(self, event: MarketEvent, index: int) -> Observation:
        """Decide an event. Return its outcome, its trades, and a digest of all books after it."""
        if event.op in ("new", "clear"):
            self.books.setdefault(event.symbol, Book(BookRules(BASE_DECIMALS)))
        book = self.books.get(event.symbol)
        outcome, events = (NOT_ACTIVE, []) if book is None else decided(book, event)
        trades = tuple(fill(event.symbol, one) for one in events if isinstance(one, Traded))
        state = self.snapshot()
        return Observation(index, outcome, trades, state.digest(), state.order_count)

    def snapshot(self) -> BookState:
        """Return every resting order of every book, in priority."""
        return BookState(
            tuple(
                BookSnapshot(symbol, resting(book, Side.BUY), resting(book, Side.SELL))
                for symbol, book in sorted(self.books.items())
            )
        )

    def close(self) -> None:
        """Release nothing: the books are in memory."""


def decided(book: Book, event: MarketEvent) -> tuple[Outcome, list[Event]]:
    """Decide an event and return its outcome and all that happened."""
    order = book.open_orders.get(str(event.order_id))
    match event.op:
        case "new":
            try:
                return APPLIED, taken(book, placement(event))
            except InvalidCommand:
                assert order is not None  # the core refuses nothing else of a trace
                return DUPLICATE, []
        case "clear":
            return APPLIED, [one for name in list(book.by_customer) for one in taken(book, CancelAll("all", name))]
        case "cancel":
            customer = "nobody" if order is None else order.placed.customer
            events = taken(book, CancelOrder("cancel", str(event.order_id), customer))
            return NOT_ACTIVE if isinstance(events[0], CancelRefused) else APPLIED, events
        case _ if order is None:
            return NOT_ACTIVE, []
        case "reduce":
            return APPLIED, reduced(book, order, quantity_of(event.quantity))
        case "replace":
            return APPLIED, replaced(book, order, event)
    raise AssertionError(event.op)


def taken(book: Book, *commands: Command) -> list[Event]:
    """Decide commands and return all that happened; the book is sound after each step."""
    events: list[Event] = []
    for command in commands:
        for step in decide(book, command, AT_MS):
            events += step.events
            book.check()
    return events


def reduced(book: Book, order: OpenOrder, quantity: int) -> list[Event]:
    """Take a quantity off what is left of the order."""
    if quantity == order.remaining:
        return taken(book, cancel(order))
    events = taken(book, amendment(order, order.price, order.remaining - quantity))
    assert isinstance(events[0], Amended)
    return events


def replaced(book: Book, order: OpenOrder, event: MarketEvent) -> list[Event]:
    """Give the order a new price, a new rest, or both, behind all others at its price."""
    price = order.price if event.price is None else price_of(event.price)
    remaining = order.remaining if event.quantity is None else quantity_of(event.quantity)
    if price != order.price or remaining > order.remaining:
        events = taken(book, amendment(order, price, remaining))
        if isinstance(events[0], Amended):
            return events
        assert isinstance(events[0], AmendRefused)
        assert events[0].reason is AmendRefusal.WOULD_CROSS
    before = order.placed
    return taken(
        book,
        cancel(order),
        placed(before.order_id, before.customer, before.side, Instruction.LIMIT, price, remaining),
    )


def cancel(order: OpenOrder) -> CancelOrder:
    return CancelOrder("cancel", order.placed.order_id, order.placed.customer)


def amendment(order: OpenOrder, price: int | None, remaining: int) -> AmendOrder:
    """Return the amendment, with what admission would set aside for it."""
    before = order.placed
    assert order.price is not None
    assert price is not None
    extra = extra_of_amendment(
        before.side, order.price, order.remaining, order.hold, price, remaining, BASE_DECIMALS
    )  # fmt: skip
    quantity = order.quantity - order.remaining + remaining
    return AmendOrder("amend", before.order_id, before.customer, before.side, price, quantity, extra)


def placement(event: MarketEvent) -> PlaceOrder:
    side = Side.BUY if event.side is OrderSide.BUY else Side.SELL
    price = None if event.order_type is Instruction.MARKET else price_of(event.price)
    return placed(str(event.order_id), str(event.owner), side, event.order_type, price, quantity_of(event.quantity))


def placed(
    order_id: str, customer: str, side: Side, instruction: Instruction, price: int | None, quantity: int
) -> PlaceOrder:
    """Return the order with its hold, as admission would."""
    order_type, time_in_force = TERMS[instruction]
    if price is not None:
        hold = hold_of_limit(side, price, quantity, BASE_DECIMALS)
    else:
        hold = BUDGET if side is Side.BUY else quantity
    return PlaceOrder(order_id, customer, side, order_type, time_in_force, price, quantity, hold)


def price_of(price: float) -> int:
    return in_units(price, QUOTE_DECIMALS)


def quantity_of(quantity: float) -> int:
    return in_units(quantity, BASE_DECIMALS)


def in_units(amount: float, decimals: int) -> int:
    """Return an amount of a trace in base units. It has no more decimals than these."""
    units = Decimal(str(amount)).scaleb(decimals)
    assert units == int(units)
    return int(units)


def whole(units: int, decimals: int) -> str:
    return canonical_decimal(Decimal(units).scaleb(-decimals))


def fill(symbol: str, trade: Traded) -> TradeFill:
    return TradeFill(
        symbol,
        int(trade.buyer.order_id),
        int(trade.seller.order_id),
        whole(trade.price, QUOTE_DECIMALS),
        whole(trade.quantity, BASE_DECIMALS),
    )


def resting(book: Book, side: Side) -> tuple[RestingOrder, ...]:
    """Return one side's orders in priority."""
    return tuple(
        RestingOrder(
            int(order.placed.order_id),
            whole(level.price, QUOTE_DECIMALS),
            whole(order.remaining, BASE_DECIMALS),
            int(order.placed.customer),
        )
        for level in book.side(side).best_first()
        for order in level
    )
