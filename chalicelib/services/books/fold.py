"""Fold: compute from a book's journal the book itself, its expected rows, and the money that it moved.

Entries are folded one by one and not kept. Memory: for books whose rows are compared, about 0.7 KB for each order and
fill; for books folded for their money alone, about 0.2 KB for each order; a sum and a mark for each account; and the
candles that the tables keep, 14,000 at most plus one a day.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from chalicelib.domain.books.candles import Candle, Market, Period, trades_in
from chalicelib.domain.books.config import BookConfig
from chalicelib.domain.books.events import Accepted, CancelRefused, Closed, Event, Rested, Traded
from chalicelib.domain.books.fills import Fill
from chalicelib.domain.books.journal import BrokenJournal, JournalEntry
from chalicelib.domain.books.orders import OrderUpdate, order_updates
from chalicelib.domain.books.settlement import settle
from chalicelib.domain.books.snapshot import BookState, decode_state, encode_state
from chalicelib.domain.books.vocabulary import OrderStatus, PlaceOrder
from chalicelib.domain.ledger.owners import customer_key, owner_key
from chalicelib.services.books.disagreements import Disagreement
from chalicelib.services.books.projection import amendments_in, fills_of, progress_in
from chalicelib.support.consistency import Inconsistent
from chalicelib.tables.candles import is_kept
from chalicelib.tables.fills import key_of, packed
from chalicelib.tables.inbox import COMMAND_LIFE_S, Progress
from chalicelib.tables.order_rows import decided_row
from chalicelib.tables.rows import Row

Account = tuple[str, str]
"""Owner and asset."""
RowKey = tuple[str, str]
"""Owner and sort key: an order's id, or the newest trade of a row of fills."""


@dataclass(frozen=True, slots=True)
class ExpectedOrder:
    """An accepted order as the last entry that changed it left it."""

    book: str
    book_id: str
    placed: PlaceOrder
    update: OrderUpdate
    sequence: int
    at_ms: int

    @property
    def is_open(self) -> bool:
        """Whether its row stands among the open orders."""
        return self.update.status.is_live

    def row(self, owner: str, refused_cancel: int | None) -> Row:
        """Return the order's expected row."""
        row = decided_row(owner, self.book_id, self.placed, self.update, self.sequence, self.at_ms)
        return row if refused_cancel is None else row | {"cancel_refused": refused_cancel}


@dataclass(frozen=True, slots=True)
class ExpectedFills:
    """One row's fills, in order of trades; they are of one owner and entry."""

    book: str
    fills: list[Fill]


@dataclass(slots=True)
class ExpectedRows:
    """Expected rows of orders and fills, by the journals folded so far.

    refused_cancels: by order, the first entry that refused its cancel, as its row shows it.
    """

    orders: dict[RowKey, ExpectedOrder] = field(default_factory=dict)
    fills: dict[RowKey, ExpectedFills] = field(default_factory=dict)
    refused_cancels: dict[RowKey, int] = field(default_factory=dict)


class BookFold:
    """One book, folded from its first entry.

    snapshot_sequence: the entry after which a copy of the state is kept (0: none). rows: collects the expected rows;
    None if they are not compared.
    """

    def __init__(self, key: str, config: BookConfig, snapshot_sequence: int = 0, rows: ExpectedRows | None = None):
        self.key = key
        self.config = config
        self.state = BookState.empty(config.first_rules, config.first_terms.status)
        self.events = 0
        self.decided: set[str] = set()
        """Ids of all accepted orders."""
        self.progress: dict[str, tuple[Progress, int]] = {}
        """Progress of each decided cancel-all and amendment by id, with the time of its last entry in ms."""
        self.amended: set[RowKey] = set()
        """Keys of the orders with a decided amendment."""
        self.settled: dict[Account, int] = {}
        """Net change of each account, available and held together."""
        self.marks: dict[Account, int] = {}
        """The last entry that changed each account."""
        self.market = Market()
        self.candles: dict[Period, dict[int, Candle]] = {period: {} for period in Period}
        """Finished candles by period and start, as far as they are kept at the last entry's time."""
        self.at_snapshot: BookState | None = None
        self._snapshot_sequence = snapshot_sequence
        self._rows = rows

    @property
    def head(self) -> int:
        """The sequence of the last entry folded."""
        return self.state.head.sequence

    def holds(self) -> dict[Account, int]:
        """Return what each account holds for its resting orders."""
        holds: dict[Account, int] = {}
        for order in self.state.book.open_orders.values():
            placed = order.placed
            account = customer_key(self.config.instance, placed.customer), self.config.asset_held(placed.side)
            holds[account] = holds.get(account, 0) + order.hold
        return holds

    def fold(self, entry: JournalEntry) -> Disagreement | None:
        """Fold the next entry in, or say why it cannot be the next one."""
        try:
            events = self.state.replay(entry)
        except (BrokenJournal, ValueError, TypeError) as error:
            return self._fault_of(entry, error)
        updates = [] if self._rows is None else order_updates(events, self.state.traded)
        self.state.advance(entry, events)
        self.events += len(events)
        for event in events:
            if isinstance(event, Accepted):
                if event.order.order_id in self.decided:
                    where = f"{self.key} entry {entry.sequence}, order {event.order.order_id}"
                    return Disagreement(where, "one acceptance in the journal", "a second one")
                self.decided.add(event.order.order_id)
        for command_id, reached in progress_in(events, entry.sequence).items():
            before, _ = self.progress.get(command_id, (Progress(), 0))
            if (before.decided is not None and reached.decided is not None) or before.ended is not None:
                where = f"{self.key} entry {entry.sequence}, command {command_id}"
                return Disagreement(where, "one turn in the journal", "a second one")
            self.progress[command_id] = before.joined(reached), entry.at_ms
        self.amended.update(key for key, _ in amendments_in(self.config.instance, events))
        untimely = _untimely(f"{self.key} entry {entry.sequence}", entry.at_ms, events)
        if untimely is not None:
            return untimely
        for (customer, asset), change in settle(events, self.config.base_asset, self.config.quote_asset).items():
            account = owner_key(self.key, customer), asset
            self.settled[account] = self.settled.get(account, 0) + change.available + change.held
            self.marks[account] = entry.sequence
        if self._rows is not None:
            self._expect(self._rows, entry, events, updates)
            self._expect_candles(entry, events)
        if entry.sequence == self._snapshot_sequence:
            self.at_snapshot = decode_state(self.key, self.config.first_rules, encode_state(self.key, self.state))
        return None

    def young_progress(self) -> dict[str, Progress]:
        """Return the progress of commands that may still be in the inbox, by id."""
        since_ms = self.state.head.at_ms - 1000 * COMMAND_LIFE_S
        return {command_id: reached for command_id, (reached, at_ms) in self.progress.items() if at_ms >= since_ms}

    def fault_at_rest(self) -> Disagreement | None:
        """Return the fault of the book after its last entry, if any: crossed prices, or a wrong hold."""
        try:
            self.state.book.check(dust_may_rest=True)
        except Inconsistent as error:
            return Disagreement(f"{self.key} after entry {self.head}", "a sound book", str(error))
        return None

    def _expect(
        self,
        rows: ExpectedRows,
        entry: JournalEntry,
        events: Sequence[Event],
        updates: Sequence[tuple[PlaceOrder, OrderUpdate]],
    ) -> None:
        instance, book_id = self.config.instance, self.config.book_id
        for order, update in updates:
            key = customer_key(instance, order.customer), order.order_id
            rows.orders[key] = ExpectedOrder(self.key, book_id, order, update, entry.sequence, entry.at_ms)
            if not update.status.is_live:  # the closed row is made of the events that closed it
                rows.refused_cancels.pop(key, None)
        for fills in packed(fills_of(self.config, entry, events)):
            rows.fills[key_of(fills)] = ExpectedFills(self.key, fills)
        for event in events:
            if isinstance(event, CancelRefused):
                key = customer_key(instance, event.customer), event.order_id
                rows.refused_cancels.setdefault(key, entry.sequence)

    def _expect_candles(self, entry: JournalEntry, events: Sequence[Event]) -> None:
        for period, candle in self.market.fold(entry.sequence, entry.at_ms, trades_in(events)):
            of_period = self.candles[period]
            of_period[candle.start_ms] = candle
            while not is_kept(period, next(iter(of_period), entry.at_ms), entry.at_ms):
                del of_period[next(iter(of_period))]

    def _fault_of(self, entry: JournalEntry, error: Exception) -> Disagreement:
        head, where = self.state.head, f"{self.key} entry {entry.sequence}"
        if entry.sequence != head.sequence + 1:
            found = f"entry {entry.sequence} in its place"
            return Disagreement(f"{self.key} entry {head.sequence + 1}", "the entry", found)
        if entry.previous_hash != head.hash:
            return Disagreement(f"{where}, previous hash", head.hash, entry.previous_hash)
        if entry.content_hash != entry.hash:
            return Disagreement(f"{where}, hash of its content", entry.hash, entry.content_hash)
        return Disagreement(f"{where}, events", "events that follow from the book", str(error))


def _untimely(where: str, at_ms: int, events: Sequence[Event]) -> Disagreement | None:
    """Return the first order that traded or rested when due, or expired when not due, at the entry's time (R24)."""
    for event in events:
        for order, should_be_due in _timed(event):
            is_due = order.expires_at_ms is not None and order.expires_at_ms <= at_ms
            if is_due is not should_be_due:
                expected = f"a time {'not ' if should_be_due else ''}after that of the entry, {at_ms}"
                return Disagreement(f"{where}, expiry of order {order.order_id}", expected, str(order.expires_at_ms))
    return None


def _timed(event: Event) -> list[tuple[PlaceOrder, bool]]:
    """Return the orders of an event, each with whether it must be due at the event's time."""
    match event:
        case Traded():
            return [(event.maker, False), (event.taker, False)]
        case Rested(order):
            return [(order, False)]
        case Closed(order, OrderStatus.EXPIRED):
            return [(order, True)]
    return []
