"""The core and the reference side by side: each step is taken by both, and then all that can be seen must agree.

A second book is built from the core's events alone, and must come to the same state. Each order's hold is credited just
before it is admitted, so a single unit spent too much shows as a negative account.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from itertools import islice

from hypothesis import note

from benchmarks.subscriber import Subscriber
from chalicelib.domain.books.book import Book
from chalicelib.domain.books.commands import decide, follow_ups
from chalicelib.domain.books.config import BookConfig
from chalicelib.domain.books.events import (
    Accepted,
    BookChanged,
    CancelAllBegun,
    CancelAllEnded,
    CancelRefused,
    Closed,
    Event,
    Rested,
    Traded,
)
from chalicelib.domain.books.feed import events_of
from chalicelib.domain.books.journal import Head, draft, head_of
from chalicelib.domain.books.snapshot import BookState, decode_state, encode_state
from chalicelib.domain.books.vocabulary import (
    BookRules,
    BookStatus,
    BookTerms,
    CancelAll,
    CancelOrder,
    ChangeBook,
    CloseReason,
    Command,
    OrderStatus,
    PlaceOrder,
    TimeInForce,
)
from chalicelib.domain.ledger.amounts import Side, worth
from chalicelib.domain.ledger.fees import Fee
from tests.domain.books.orders import AT_MS, moved
from tests.domain.books.reference import ReferenceClose, ReferenceMarket, ReferenceTrade

Account = tuple[str | None, Side]
CONFIG = BookConfig("inst_a", "ob", "Test", "B/Q", Side.SELL, Side.BUY)
"""The assets are named by the side that pays them."""


class Comparison:
    """The core, its replay and the reference, fed with the same commands."""

    def __init__(self, rules: BookRules) -> None:
        self.rules = rules
        self.at_ms = AT_MS
        self.book = Book(rules)
        self.replayed = Book(rules)
        self.reference = ReferenceMarket(rules)
        self.available: Counter[Account] = Counter()
        self.held: Counter[Account] = Counter()
        self.credited: Counter[Side] = Counter()
        self.quantities: dict[str, int] = {}
        self.filled: Counter[str] = Counter()
        self.dust_may_rest = False
        self.subscriber = Subscriber()
        self.head = Head()
        self.admitted: Counter[Account] = Counter()
        """What was held for orders by account, without a credit that the feed could tell."""

    def rest_from_before(self, command: PlaceOrder) -> None:
        """Let an order rest that came before O15, whatever it is worth, if it crosses nothing on an open book."""
        if self.reference.would_cross(command) or self.reference.status is BookStatus.CLOSED:
            return
        note(f"from before: {command}")
        self.dust_may_rest = True
        self.reference.credit(command.customer, command.side, command.hold)
        self.reference.admit(command)
        self.reference.rest(command)
        self.credited[command.side] += command.hold
        self.held[command.customer, command.side] += command.hold
        self.admitted[command.customer, command.side] += command.hold
        self.quantities[command.order_id] = command.quantity
        events: list[Event] = [Accepted(command), Rested(command, command.quantity, command.quantity)]
        for event in events:
            self.book.apply(event)
        self._compare(events, [], [])

    def place(self, command: PlaceOrder) -> None:
        """Admit an order, let all of them decide it, then compare."""
        account = command.customer, command.side
        self.reference.credit(command.customer, command.side, command.hold)
        self.reference.admit(command)
        self.credited[command.side] += command.hold
        self.held[account] += command.hold
        self.admitted[account] += command.hold
        self.quantities[command.order_id] = command.quantity

        events = self._decide(command, lambda: self.reference.place(command, self.at_ms))
        self.assert_one_outcome(command, events)
        self.assert_fok_is_exact(command, events)

    def cancel(self, command: CancelOrder) -> None:
        """Let all of them decide the cancel, then compare."""
        (event,) = self._decide(command, lambda: self.reference.cancel(command.order_id, command.customer))
        assert isinstance(event, Closed) or event == CancelRefused(command.order_id, command.customer)

    def cancel_all(self, command: CancelAll, events_max: int) -> None:
        """Have a customer's orders closed, so many events at a time, with a restart from a snapshot after each."""
        customer = command.customer
        resting = [order for order in self.reference.resting if order.placed.customer == customer]
        events = self._decide(command, lambda: None, 1)
        assert events == [CancelAllBegun(command.command_id, customer)]
        done = self._close_in_pieces(CloseReason.CANCEL_ALL, events_max)
        closed = [event.order.order_id for event in done if isinstance(event, Closed)]
        assert sorted(closed) == sorted(order.placed.order_id for order in resting)
        assert done[-1] == CancelAllEnded(command.command_id, customer, len(closed))

    def _close_in_pieces(self, reason: CloseReason, events_max: int) -> list[Event]:
        """Go on with what was begun, so many events at a time, with a restart from a snapshot before each piece.

        Which order is closed when is the core's choice.
        """
        done: list[Event] = []
        while True:
            self.go_on_from_a_snapshot()
            steps = islice(follow_ups(self.book, self.at_ms), events_max)
            events = [event for step in steps for event in step.events]
            closes_before = len(self.reference.closes)
            closes = [event.order.order_id for event in events if isinstance(event, Closed)]
            self.reference.close(closes, reason)
            self._compare(events, [], self.reference.closes[closes_before:])
            done += events
            if not events:
                return done

    def change(self, command: ChangeBook, events_max: int) -> None:
        """Let all of them change the book's terms, then compare. A closed book closes so many orders at a time."""
        events = self._decide(command, lambda: self.reference.change(command.terms), 1)
        reference = self.reference
        terms = BookTerms(
            reference.version,
            reference.status,
            reference.rules.maker_fee_bps,
            reference.rules.taker_fee_bps,
            reference.rules.self_trade_prevention,
            reference.rules.lot_size,
            reference.rules.min_order_value,
        )
        assert events == [BookChanged(command.command_id, terms)]
        resting = [] if reference.status is not BookStatus.CLOSED else [*reference.resting]
        closed = self._close_in_pieces(CloseReason.BOOK_CLOSED, events_max)
        assert len(closed) == len(resting)
        assert reference.status is not BookStatus.CLOSED or not reference.resting

    def let_pass(self, duration_ms: int, orders_max: int) -> None:
        """Let time pass, and close what is due by then, so many orders at a time."""
        note(f"{duration_ms} ms pass, {orders_max} close at a time")
        self.at_ms += duration_ms
        while True:
            closes_before = len(self.reference.closes)
            self.reference.expire(self.at_ms, orders_max)
            events = [event for step in islice(follow_ups(self.book, self.at_ms), orders_max) for event in step.events]
            self._compare(events, [], self.reference.closes[closes_before:])
            if not events:
                return

    def go_on_from_a_snapshot(self) -> None:
        """Throw the core's book away and go on from its snapshot."""
        note("snapshot")
        before = self.book.state()
        self.book = decode_state("book", self.rules, encode_state("book", BookState(self.book))).book
        self.book.check(dust_may_rest=self.dust_may_rest)
        assert self.book.state() == before

    def _decide(
        self, command: Command, decide_by_reference: Callable[[], object], steps_max: int | None = None
    ) -> list[Event]:
        """Let all of them decide a command, the core only so many steps of it, then compare."""
        note(str(command))
        trades_before, closes_before = len(self.reference.trades), len(self.reference.closes)
        decide_by_reference()
        steps = islice(decide(self.book, command, self.at_ms), steps_max)
        events = [event for step in steps for event in step.events]
        self._compare(events, self.reference.trades[trades_before:], self.reference.closes[closes_before:])
        return events

    def _compare(self, events: list[Event], trades: list[ReferenceTrade], closes: list[ReferenceClose]) -> None:
        """Compare all that can be seen of the core and the reference after the same step."""
        for (customer, asset), change in moved(events).items():
            self.available[customer, asset] += change.available
            self.held[customer, asset] += change.held

        self.book.check(dust_may_rest=self.dust_may_rest)
        assert self.book.status is self.reference.status
        assert self.book.last_price == (self.reference.trades[-1].price if self.reference.trades else None)
        self.assert_same_trades(events, trades)
        self.assert_same_closes(events, closes)
        self.assert_fills_add_up(events)
        self.assert_same_queues()
        self.assert_same_balances()
        self.assert_money_is_conserved()
        self.assert_replay_agrees(events)
        self.assert_feed_agrees(events)

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
        # What the core writes out for speed are the ledger's rules.
        rules = self.reference.rules
        for trade in trades:
            assert trade.notional == worth(trade.price, trade.quantity, rules.base_decimals)
            received = {Side.BUY: trade.quantity, Side.SELL: trade.notional}
            assert trade.maker_fee == Fee(rules.maker_fee_bps).of(received[trade.maker.side])
            assert trade.taker_fee == Fee(rules.taker_fee_bps).of(received[trade.taker.side])
        # O15: no leg is empty, and a trade leaves no dust behind.
        assert all(trade.notional >= 1 and trade.quantity >= 1 for trade in trades)
        closed = {event.order.order_id: event.reason for event in events if isinstance(event, Closed)}
        for trade in trades:
            if trade.maker_remaining and trade.price * trade.maker_remaining < 10**self.rules.base_decimals:
                assert closed[trade.maker.order_id] is CloseReason.DUST

    def assert_same_closes(self, events: list[Event], expected: list[ReferenceClose]) -> None:
        closes = [event for event in events if isinstance(event, Closed)]
        assert [
            ReferenceClose(close.order.order_id, close.reason, close.remaining, close.released) for close in closes
        ] == expected
        for close in closes:
            ends = {CloseReason.BOOK_INACTIVE: OrderStatus.REJECTED, CloseReason.EXPIRED: OrderStatus.EXPIRED}
            assert close.status is ends.get(close.reason, OrderStatus.CANCELLED)

    def assert_one_outcome(self, command: PlaceOrder, events: list[Event]) -> None:
        """An order is accepted first, and ends filled, resting or closed: one of them (invariant 5)."""
        assert events[0] == Accepted(command)
        assert sum(isinstance(event, Accepted) for event in events) == 1
        rested = [event for event in events if isinstance(event, Rested)]
        closed = [event for event in events if isinstance(event, Closed) and event.order is command]
        filled = [event for event in events if isinstance(event, Traded) and event.taker_remaining == 0]
        assert len(rested) + len(closed) + len(filled) == 1
        assert all(event.order is command for event in rested)

    def assert_fok_is_exact(self, command: PlaceOrder, events: list[Event]) -> None:
        """A FOK order is filled whole, or nothing of it is and nothing else ends."""
        if command.time_in_force is TimeInForce.FOK:
            trades = [event for event in events if isinstance(event, Traded)]
            assert (sum(trade.quantity for trade in trades) == command.quantity) or len(events) == 2

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
                for order in level
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
        assert min((*self.available.values(), *self.held.values()), default=0) >= 0
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
        self.replayed.check(dust_may_rest=self.dust_may_rest)
        assert self.replayed.state() == self.book.state()

    def assert_feed_agrees(self, events: list[Event]) -> None:
        """The feed events of the journal, taken alone, tell the depth, every order and every balance."""
        for entry in draft("inst_a/ob", self.head, self.at_ms, 0, events):
            self.head = head_of(entry)
            for event in events_of(CONFIG, entry):
                place = {"log": event.log, "sequence": event.sequence, "part": event.part}
                assert self.subscriber.take({"id": event.event_id, "type": event.type, "body": event.body} | place)
        told = self.subscriber
        assert told.disorders == 0
        depth = {
            (side.value, level.price): level.quantity
            for side, levels in ((Side.BUY, self.book.bids), (Side.SELL, self.book.asks))
            for level in levels.best_first()
        }
        assert told.depth("ob") == depth
        open_orders = {order_id: order.remaining for order_id, order in self.book.open_orders.items()}
        live = {"order.rested", "order.partially_filled"}
        assert {name: left for name, (kind, left) in told.orders.items() if kind in live} == open_orders
        assert +told.filled == +self.filled
        accounts = told.available.keys() | self.admitted.keys()
        changed = {account: told.available[account] + self.admitted[account] for account in accounts}
        assert {account: amount for account, amount in changed.items() if amount} == +self.available
        assert +told.held == +self.held
