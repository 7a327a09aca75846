"""The core and the reference side by side: each step is taken by both, and then all that can be seen must agree.

A second book is built from the core's events alone, and must come to the same state. Each order's hold, and what an
amendment sets aside beside it, is credited just before it is admitted, so a single unit spent too much shows as a
negative account.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from benchmarks.subscriber import Subscriber
from chalicelib.domain.books.book import Book
from chalicelib.domain.books.commands import Step, decide, follow_ups
from chalicelib.domain.books.config import BookConfig
from chalicelib.domain.books.events import (
    Accepted,
    Amended,
    AmendRefused,
    BookChanged,
    CancelAllBegun,
    CancelAllEnded,
    CancelRefused,
    Closed,
    Event,
    Halted,
    Parked,
    Rested,
    Resumed,
    Traded,
    Triggered,
)
from chalicelib.domain.books.feed import events_of
from chalicelib.domain.books.journal import Head, draft, head_of
from chalicelib.domain.books.snapshot import BookState, decode_state, encode_state
from chalicelib.domain.books.vocabulary import (
    AmendOrder,
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
    ResumeBook,
    TimeInForce,
)
from chalicelib.domain.ledger.amounts import Side, worth
from chalicelib.domain.ledger.fees import Fee
from tests.domain.books.orders import AT_MS, moved
from tests.domain.books.reference import ReferenceMarket
from tests.domain.books.reference_orders import (
    ReferenceAmendment,
    ReferenceCancelledAll,
    ReferenceClose,
    ReferenceEvent,
    ReferenceHalt,
    ReferenceOrder,
    ReferenceResume,
    ReferenceTrade,
    ReferenceTrigger,
)

Account = tuple[str | None, Side]
CONFIG = BookConfig("inst_a", "ob", "Test", "B/Q", Side.SELL, Side.BUY)
"""The assets are named by the side that pays them."""
LIVE = {"order.rested", "order.partially_filled", "order.parked", "order.amended"}
"""The last feed event of an order that is open."""


class Comparison:
    """The core, its replay and the reference, fed with the same commands.

    restart_after: throw the core's book away after so many steps of a command or of what follows from it, and go on
    from its snapshot; 0: only when told to. tell: takes each command as text, to be read where a test fails.
    """

    def __init__(self, rules: BookRules, restart_after: int = 0, tell: Callable[[str], object] = print) -> None:
        self.rules = rules
        self.restart_after = restart_after
        self.tell = tell
        self.steps = 0
        self.at_ms = AT_MS
        self.book = Book(rules)
        self.replayed = Book(rules)
        self.reference = ReferenceMarket(rules=rules, now_ms=AT_MS)
        self.available: Counter[Account] = Counter()
        self.held: Counter[Account] = Counter()
        self.credited: Counter[Side] = Counter()
        self.quantities: dict[str, int] = {}
        self.filled: Counter[str] = Counter()
        self.dust_may_rest = False
        self.subscriber = Subscriber()
        self.head = Head()
        self.untold: Counter[Account] = Counter()
        """What was credited by account, which the feed cannot tell."""
        self.extras: dict[str, tuple[Account, int]] = {}
        """What is set aside for amendments that are under way, by order."""

    def rest_from_before(self, command: PlaceOrder) -> None:
        """Let an order rest that came before O15, whatever it is worth, if it crosses nothing on an open book."""
        if self.reference.would_cross(command) or self.reference.status is BookStatus.CLOSED:
            return
        self.tell(f"from before: {command}")
        self.dust_may_rest = True
        self._admit(command)
        self.reference.rest(command)
        events: list[Event] = [Accepted(command), Rested(command, command.quantity, command.quantity)]
        for event in events:
            self.book.apply(event)
        self._compare(events, [])

    def place(self, command: PlaceOrder) -> None:
        """Admit an order, let all of them decide it, then compare."""
        self._admit(command)
        events = self._decide(command, lambda: self.reference.place(command))
        assert events[0] == Accepted(command)
        assert sum(isinstance(event, Accepted) for event in events) == 1
        self.assert_one_outcome(command.order_id, events)
        self.assert_fok_is_exact(command, events)

    def cancel(self, command: CancelOrder) -> None:
        """Let all of them decide the cancel, then compare."""
        (event,) = self._decide(command, lambda: self.reference.cancel(command.order_id, command.customer))
        assert isinstance(event, Closed) or event == CancelRefused(command.order_id, command.customer)

    def admit_amendment(self, command: AmendOrder) -> None:
        """Set aside what an amendment needs; its turn comes with ``amend``."""
        self._set_aside((command.customer, command.side), command.extra)
        self.extras[command.order_id] = (command.customer, command.side), command.extra

    def amend(self, command: AmendOrder) -> None:
        """Let all of them decide an admitted amendment, then compare."""
        events = self._decide(command, lambda: self.reference.amend(command))
        assert sum(isinstance(event, Amended | AmendRefused) for event in events) == 1
        assert all(isinstance(event, Amended | AmendRefused | Closed) for event in events)

    def cancel_all(self, command: CancelAll) -> None:
        """Have a customer's orders closed. Which is closed when is the core's choice."""
        events = self._decide(command, lambda: self.reference.cancel_all(command))
        assert events == [CancelAllBegun(command.command_id, command.customer, command.reason)]
        assert all(order.placed.customer != command.customer for order in self.reference.open_orders)

    def change(self, command: ChangeBook) -> None:
        """Let all of them change the book's terms, then compare. A closed book closes its orders."""
        (event,) = self._decide(command, lambda: self.reference.change(command.terms))
        reference = self.reference
        terms = BookTerms(
            reference.version,
            reference.status,
            reference.rules.maker_fee_bps,
            reference.rules.taker_fee_bps,
            reference.rules.self_trade_prevention,
            reference.rules.lot_size,
            reference.rules.min_order_value,
            reference.rules.protection,
        )
        assert event == BookChanged(command.command_id, terms)
        assert reference.status is not BookStatus.CLOSED or not reference.open_orders

    def resume(self, command: ResumeBook) -> None:
        """Let all of them end a halt or take the operator's reference, then compare."""
        (event,) = self._decide(command, lambda: self.reference.resume(command))
        assert event == Resumed(command.command_id, command.reference)

    def let_pass(self, duration_ms: int) -> None:
        """Let time pass, and do what is due by then."""
        self.tell(f"{duration_ms} ms pass")
        self.at_ms += duration_ms
        self.reference.now_ms = self.at_ms
        self._take(lambda: follow_ups(self.book, self.at_ms), lambda: None)

    def go_on_from_a_snapshot(self) -> None:
        """Throw the core's book away and go on from its snapshot."""
        self.tell("snapshot")
        before = self.book.state()
        self.book = decode_state("book", self.rules, encode_state("book", BookState(self.book))).book
        self.book.check(dust_may_rest=self.dust_may_rest)
        assert self.book.state() == before

    def _admit(self, command: PlaceOrder) -> None:
        self._set_aside((command.customer, command.side), command.hold)
        self.quantities[command.order_id] = command.quantity

    def _set_aside(self, account: tuple[str, Side], amount: int) -> None:
        self.reference.credit(*account, amount)
        self.reference.set_aside(*account, amount)
        self.credited[account[1]] += amount
        self.held[account] += amount
        self.untold[account] += amount

    def _decide(self, command: Command, own: Callable[[], object]) -> list[Event]:
        """Let all of them decide a command and what follows from it; return the events of the command's own step."""
        self.tell(str(command))
        events = self._take(lambda: decide(self.book, command, self.at_ms), own)
        assert events is not None
        return events

    def _take(self, begin: Callable[[], Iterable[Step]], own: Callable[[], object]) -> list[Event] | None:
        """Take the core's steps one by one, let the reference follow (``own``: the command's step), and compare.

        After a restart ``begin`` is asked again until the command itself is decided, as a matcher would be.
        """
        of_command: list[Event] | None = None
        steps = iter(begin())
        while (step := next(steps, None)) is not None:
            told_before = len(self.reference.events)
            if step.command is None:
                closed = [event.order.order_id for event in step.events if isinstance(event, Closed)]
                assert self.reference.follow_up(closed[0] if closed else None), step.events
                for event in step.events:
                    if isinstance(event, Triggered):
                        self.assert_one_outcome(event.order.order_id, step.events)
            else:
                own()
                of_command = step.events
            self._compare(step.events, self.reference.events[told_before:])
            self.steps += 1
            if self.restart_after and self.steps % self.restart_after == 0:
                self.go_on_from_a_snapshot()
                steps = iter(begin() if of_command is None else follow_ups(self.book, self.at_ms))
        assert not self.reference.follow_up(None)
        return of_command

    def _compare(self, events: list[Event], expected: list[ReferenceEvent]) -> None:
        """Compare all that can be seen of the core and the reference after the same step."""
        self._note_amendments(events)
        for (customer, asset), change in moved(events).items():
            self.available[customer, asset] += change.available
            self.held[customer, asset] += change.held

        assert [told for event in events if (told := told_by(event)) is not None] == expected
        self.book.check(dust_may_rest=self.dust_may_rest)
        assert self.book.status is self.reference.status
        assert self.book.halted_until_ms == self.reference.halted_until_ms
        assert self.book.last_price == (self.reference.trades[-1].price if self.reference.trades else None)
        self.assert_trades_keep_the_rules(events)
        self.assert_closes_keep_the_rules(events)
        self.assert_fills_add_up(events)
        self.assert_same_queues()
        self.assert_same_parked()
        self.assert_same_balances()
        self.assert_money_is_conserved()
        self.assert_replay_agrees(events)
        self.assert_feed_agrees(events)

    def _note_amendments(self, events: list[Event]) -> None:
        for event in events:
            match event:
                case Amended():
                    del self.extras[event.order.order_id]
                    self.quantities[event.order.order_id] = event.quantity
                case AmendRefused():
                    del self.extras[event.order_id]

    def assert_trades_keep_the_rules(self, events: list[Event]) -> None:
        """What the core writes out for speed are the ledger's rules."""
        trades = [event for event in events if isinstance(event, Traded)]
        assert all(trade.released >= 0 for trade in trades)
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

    def assert_closes_keep_the_rules(self, events: list[Event]) -> None:
        ends = {CloseReason.BOOK_INACTIVE: OrderStatus.REJECTED, CloseReason.EXPIRED: OrderStatus.EXPIRED}
        for event in events:
            if isinstance(event, Closed):
                assert event.status is ends.get(event.reason, OrderStatus.CANCELLED)

    def assert_one_outcome(self, order_id: str, events: list[Event]) -> None:
        """An order whose turn came ends filled, resting, parked or closed: one of them (invariant 5)."""
        waits = [event for event in events if isinstance(event, Rested | Parked)]
        closed = [event for event in events if isinstance(event, Closed) and event.order.order_id == order_id]
        filled = [event for event in events if isinstance(event, Traded) and event.taker_remaining == 0]
        assert len(waits) + len(closed) + len(filled) == 1
        assert all(event.order.order_id == order_id for event in waits)

    def assert_fok_is_exact(self, command: PlaceOrder, events: list[Event]) -> None:
        """A FOK order is filled whole, or nothing of it is and nothing else ends."""
        if command.time_in_force is TimeInForce.FOK:
            trades = [event for event in events if isinstance(event, Traded)]
            others = [event for event in events if not isinstance(event, Halted)]
            assert (sum(trade.quantity for trade in trades) == command.quantity) or len(others) == 2

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
                case Amended(order=order, remaining=remaining):
                    assert remaining == self.quantities[order.order_id] - self.filled[order.order_id] > 0

    def assert_same_queues(self) -> None:
        """Resting orders, their priority, terms, open and shown quantity, and hold (invariant 4)."""
        for side, bids_or_asks in ((Side.BUY, self.book.bids), (Side.SELL, self.book.asks)):
            queue = [
                (order.placed.order_id, level.price, order.quantity, order.remaining, order.hold,
                 order.remaining - order.hidden)
                for level in bids_or_asks.best_first()
                for order in level
            ]  # fmt: skip
            assert queue == [(*terms_of(order), order.shown) for order in self.reference.in_priority(side)]
            shown: Counter[int] = Counter()
            for order in self.reference.in_priority(side):
                shown[order.limit] += order.shown
            assert dict(bids_or_asks.depth(len(shown) + 1)) == shown

    def assert_same_parked(self) -> None:
        """Parked orders, their terms, and the queue of those that trades have satisfied (O4)."""
        parked = [
            (order.placed.order_id, order.price, order.quantity, order.remaining, order.hold)
            for order in (waiting.order for waiting in self.book.triggers.orders.values())
        ]
        assert sorted(parked) == sorted(terms_of(order) for order in self.reference.parked)
        queued = [waiting.order.placed.order_id for waiting in self.book.triggers.queued()]
        assert queued == [order.placed.order_id for order in self.reference.trigger_queue()]

    def assert_same_balances(self) -> None:
        """Accounts agree, none is negative, and what is held is what open orders and amendments hold (invariant 2)."""
        for account, expected in self.reference.accounts.items():
            assert (self.available[account], self.held[account]) == (expected.available, expected.held), account
        assert self.available.keys() | self.held.keys() <= self.reference.accounts.keys()
        assert min((*self.available.values(), *self.held.values()), default=0) >= 0
        holds: Counter[Account] = Counter()
        for order in self.book.open_orders.values():
            holds[order.placed.customer, order.placed.side] += order.hold
        for account, extra in self.extras.values():
            holds[account] += extra
        assert +self.held == +holds

    def assert_money_is_conserved(self) -> None:
        """All accounts of an asset together hold what was credited (invariant 1)."""
        for asset in Side:
            balances = (*self.available.items(), *self.held.items())
            assert sum(amount for (_, held_in), amount in balances if held_in is asset) == self.credited[asset]

    def assert_replay_agrees(self, events: list[Event]) -> None:
        """The events alone lead a second book to the same state (invariant 6)."""
        self.replayed.begin(self.at_ms)
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
        assert {name: left for name, (kind, left) in told.orders.items() if kind in LIVE} == open_orders
        assert +told.filled == +self.filled
        # What is set aside for an amendment is told at its turn, what is set aside for an order when it is accepted.
        held, available = Counter(self.held), told.available + self.untold
        for account, extra in self.extras.values():
            held[account] -= extra
            available[account] -= extra
        assert +available == +self.available
        assert +told.held == +held


def terms_of(order: ReferenceOrder) -> tuple[str, int | None, int, int, int]:
    """An open order's id, price, quantity, open quantity and hold."""
    return order.placed.order_id, order.price, order.quantity, order.remaining, order.hold


def told_by(event: Event) -> ReferenceEvent | None:
    """The core's event as the reference tells it; None: what the reference shows by its orders alone."""
    match event:
        case Traded():
            return ReferenceTrade(
                event.maker.order_id, event.taker.order_id, event.price, event.quantity, event.notional,
                event.maker_fee, event.taker_fee,
            )  # fmt: skip
        case Closed():
            return ReferenceClose(event.order.order_id, event.reason, event.remaining, event.released)
        case Triggered():
            return ReferenceTrigger(event.order.order_id, event.price, event.maker, event.taker)
        case Amended():
            return ReferenceAmendment(event.command_id, None, event.released)
        case AmendRefused():
            return ReferenceAmendment(event.command_id, event.reason, event.extra)
        case Halted():
            return ReferenceHalt(event.until_ms, event.price)
        case Resumed():
            return ReferenceResume(event.command_id, event.reference)
        case CancelAllEnded():
            return ReferenceCancelledAll(event.command_id, event.closed)
        case _:
            return None
