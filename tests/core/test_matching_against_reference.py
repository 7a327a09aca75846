"""Goal: the matching core and a naive matcher written from the contract agree on everything that can be seen.

Method: Hypothesis draws a book's rules and a sequence of orders of few customers, few prices and few quantities, so
that orders meet all the time. After every order both matchers must show the same trades, closed orders, queues, holds
and balances; money must be conserved; and folding the events into a second book must lead to the same state. Each
order's hold is credited just before it is admitted, so a single unit spent too much shows as a negative account.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass

from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from chalicelib.core.book import Book
from chalicelib.core.events import Accepted, Closed, Event, Rested, Traded
from chalicelib.core.ledger import settle
from chalicelib.core.matching import place
from chalicelib.core.vocabulary import (
    BookRules,
    OrderStatus,
    OrderType,
    PlaceOrder,
    SelfTradePrevention,
    Side,
    TimeInForce,
)
from tests.core.reference import ReferenceClose, ReferenceMarket, ReferenceTrade

LIMIT, MARKET = OrderType.LIMIT, OrderType.MARKET
GTC, IOC, FOK = TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK

Account = tuple[str | None, Side]


class Comparison:
    """The core, its replay and the reference, fed with the same orders."""

    def __init__(self, rules: BookRules) -> None:
        self.book = Book(rules)
        self.replayed = Book(rules)
        self.reference = ReferenceMarket(rules)
        self.available: Counter[Account] = Counter()
        self.held: Counter[Account] = Counter()
        self.credited: Counter[Side] = Counter()
        self.quantities: dict[str, int] = {}
        self.filled: Counter[str] = Counter()

    def place(self, command: PlaceOrder) -> None:
        """Let all of them decide the order, then compare."""
        note(str(command))
        account = command.customer, command.side
        self.reference.credit(command.customer, command.side, command.hold)
        self.reference.admit(command)
        self.credited[command.side] += command.hold
        self.held[account] += command.hold
        self.quantities[command.order_id] = command.quantity

        trades_before, closes_before = len(self.reference.trades), len(self.reference.closes)
        self.reference.place(command)
        events = place(self.book, command)
        for (party, asset), delta in settle(events).items():
            self.available[party.customer, asset] += delta.available
            self.held[party.customer, asset] += delta.held

        self.book.check()
        self.assert_same_trades(events, self.reference.trades[trades_before:])
        self.assert_same_closes(events, self.reference.closes[closes_before:])
        self.assert_one_outcome(command, events)
        self.assert_fills_add_up(events)
        self.assert_same_queues()
        self.assert_same_balances()
        self.assert_money_is_conserved()
        self.assert_replay_agrees(events)

    def assert_same_trades(self, events: list[Event], expected: list[ReferenceTrade]) -> None:
        trades = [event for event in events if isinstance(event, Traded)]
        assert [
            ReferenceTrade(
                trade.maker.order_id,
                trade.taker.order_id,
                trade.price,
                trade.quantity,
                trade.notional,
                trade.maker_fee,
                trade.taker_fee,
            )
            for trade in trades
        ] == expected
        assert all(trade.released >= 0 for trade in trades)

    def assert_same_closes(self, events: list[Event], expected: list[ReferenceClose]) -> None:
        closes = [event for event in events if isinstance(event, Closed)]
        assert [
            ReferenceClose(close.order.order_id, close.reason, close.remaining, close.released) for close in closes
        ] == expected
        assert all(close.status is OrderStatus.CANCELLED for close in closes)

    def assert_one_outcome(self, command: PlaceOrder, events: list[Event]) -> None:
        """An order is accepted first, and ends filled, resting or closed: one of them (invariant 5)."""
        assert events[0] == Accepted(command)
        assert sum(isinstance(event, Accepted) for event in events) == 1
        rested = [event for event in events if isinstance(event, Rested)]
        closed = [event for event in events if isinstance(event, Closed) and event.order is command]
        filled = [event for event in events if isinstance(event, Traded) and event.taker_remaining == 0]
        assert len(rested) + len(closed) + len(filled) == 1
        assert all(event.order is command for event in rested)

    def assert_fills_add_up(self, events: list[Event]) -> None:
        """What the events call unfilled is the quantity less the trades so far, and never negative (invariant 3)."""
        for event in events:
            match event:
                case Traded():
                    for order, remaining in (
                        (event.maker, event.maker_remaining),
                        (event.taker, event.taker_remaining),
                    ):
                        self.filled[order.order_id] += event.quantity
                        assert remaining == self.quantities[order.order_id] - self.filled[order.order_id] >= 0
                    assert event.quantity > 0
                case Rested(order, remaining) | Closed(order, _, _, remaining):
                    assert remaining == self.quantities[order.order_id] - self.filled[order.order_id] > 0

    def assert_same_queues(self) -> None:
        """Resting orders, their priority, open quantity and hold (invariant 4)."""
        for side, bids_or_asks in ((Side.BUY, self.book.bids), (Side.SELL, self.book.asks)):
            queue = [
                (level.price, order.placed.order_id, order.remaining, order.hold)
                for level in bids_or_asks.best_first()
                for order in level.orders.values()
            ]
            assert queue == [
                (order.placed.price, order.placed.order_id, order.remaining, order.hold)
                for order in self.reference.in_priority(side)
            ]

    def assert_same_balances(self) -> None:
        """Accounts agree, none is negative, and what is held is what open orders hold (invariant 2)."""
        for account, expected in self.reference.accounts.items():
            assert (self.available[account], self.held[account]) == (expected.available, expected.held), account
        assert self.available.keys() | self.held.keys() <= self.reference.accounts.keys()
        assert min((*self.available.values(), *self.held.values())) >= 0
        holds: defaultdict[Account, int] = defaultdict(int)
        for order in self.book.open_orders.values():
            holds[order.placed.customer, order.placed.side] += order.hold
        assert {account: held for account, held in self.held.items() if held} == holds

    def assert_money_is_conserved(self) -> None:
        """All accounts of an asset together hold what was credited (invariant 1)."""
        for asset in Side:
            balances = (*self.available.items(), *self.held.items())
            assert sum(amount for (_, held_in), amount in balances if held_in is asset) == self.credited[asset]

    def assert_replay_agrees(self, events: list[Event]) -> None:
        """The events alone lead a second book to the same state (invariant 6)."""
        for event in events:
            self.replayed.apply(event)
        self.replayed.check()
        assert self.replayed.state() == self.book.state()


@dataclass(frozen=True)
class Scale:
    """The amounts of one example: prices are multiples of a tick, quantities of a lot, so that few values collide."""

    rules: BookRules
    tick: int
    lot: int


@dataclass(frozen=True)
class Draft:
    """An order in ticks and lots. ``budget_quarters`` and ``budget_units``: a MARKET BUY's budget against its price."""

    customer: str
    side: Side
    kind: tuple[OrderType, TimeInForce, bool]
    ticks: int
    lots: int
    budget_quarters: int
    budget_units: int


@st.composite
def scales(draw: st.DrawFn) -> Scale:
    """Rules with a tick and a lot that make roundings bite: thirds of a unit, single base units, whole units."""
    rules = draw(
        st.builds(
            BookRules,
            base_decimals=st.sampled_from([0, 1, 8, 18]),
            maker_fee_bps=st.integers(0, 1000),
            taker_fee_bps=st.integers(0, 1000),
            self_trade_prevention=st.sampled_from(SelfTradePrevention),
        )
    )
    unit = 10**rules.base_decimals
    return Scale(
        rules,
        tick=draw(st.sampled_from([1, unit // 3 + 1, unit, 7 * unit])),
        lot=draw(st.sampled_from([1, unit // 3 + 1, unit, 1000 * unit])),
    )


KINDS = [
    (LIMIT, GTC, False),
    (LIMIT, GTC, False),
    (LIMIT, GTC, False),
    (LIMIT, GTC, False),
    (LIMIT, GTC, True),
    (LIMIT, IOC, False),
    (LIMIT, FOK, False),
    (MARKET, GTC, False),
    (MARKET, IOC, False),
    (MARKET, FOK, False),
]

drafts = st.builds(
    Draft,
    customer=st.sampled_from(["ann", "bob", "cleo"]),
    side=st.sampled_from(Side),
    kind=st.sampled_from(KINDS),
    ticks=st.integers(1, 4),
    lots=st.integers(1, 5),
    budget_quarters=st.integers(0, 5),
    budget_units=st.integers(-1, 1),
)


sequences = st.integers(1, 40).flatmap(lambda length: st.lists(drafts, min_size=length, max_size=length))
"""As many long sequences as short ones: deep queues need many orders."""


def command_of(number: int, draft: Draft, scale: Scale) -> PlaceOrder:
    """The draft as admission would make it: with its id and its hold (5.3)."""
    price, quantity = draft.ticks * scale.tick, draft.lots * scale.lot
    order_type, time_in_force, post_only = draft.kind
    cost = -(-price * quantity // 10**scale.rules.base_decimals)
    hold = quantity if draft.side is Side.SELL else cost
    if order_type is MARKET and draft.side is Side.BUY:
        hold = max(0, cost * draft.budget_quarters // 4 + draft.budget_units)
    return PlaceOrder(
        order_id=f"order {number}",
        customer=draft.customer,
        side=draft.side,
        order_type=order_type,
        time_in_force=time_in_force,
        price=price if order_type is LIMIT else None,
        quantity=quantity,
        hold=hold,
        post_only=post_only,
    )


@given(scales(), sequences)
@settings(max_examples=1000, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
def test_the_core_agrees_with_the_reference_after_every_order(scale: Scale, sequence: list[Draft]) -> None:
    comparison = Comparison(scale.rules)
    for number, draft in enumerate(sequence, start=1):
        comparison.place(command_of(number, draft, scale))
