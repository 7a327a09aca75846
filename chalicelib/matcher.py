"""The matcher: commands of the inbox in, journal entries and their projections out.

For each book of a batch: load (warm memory, else the journal), finish what an earlier run committed and did not
project, decide, commit (the next journal entry, on condition that it is not there: the one commit point), project.

Fencing: only one writer can create entry N+1. Who fails holds a stale book, throws it away, reloads, and finds the
commands that are decided by now. So two matchers at once, a batch delivered twice, or a crash between any two calls
change nothing but the time it takes.

Why projecting in order is safe: an account's mark and a row's sequence let an entry through once, and only upwards.
A matcher reaches entry N+1 only after N is projected (by itself or by ``_load``), so no mark ever skips an entry.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from aws_lambda_powertools import Logger

from chalicelib.core.book import Book
from chalicelib.core.config import BookConfig
from chalicelib.core.events import Event
from chalicelib.core.journal import Head, JournalEntry, draft, head_of, replay, verify
from chalicelib.core.matching import place, reject
from chalicelib.core.vocabulary import PlaceOrder
from chalicelib.projection import Projector
from chalicelib.stores.books import DEPTH_LEVELS_MAX, Books, Depth
from chalicelib.stores.dynamodb import Database
from chalicelib.stores.journal import EntryExists, Journal
from chalicelib.stores.keys import customer_key
from chalicelib.stores.orders import Orders

logger = Logger(service="tallybook-matcher")

WARM_BOOKS_MAX = 200
"""Books kept in memory; the one that was idle longest makes room."""
CONFLICTS_MAX = 5
"""How often a batch starts over because another matcher was first, before it is handed back."""
EVENTS_PER_ENTRY_GROUP = 1000
"""Decided events that are collected before they are committed; bounds an entry and what a crash leaves to finish."""
EVENTS_PER_COMMAND_MAX = 15_000
"""A command with more events is rejected: its entries might not fit one transaction (4 MB, and a trade of the largest
amounts and random ids takes 200 bytes compressed)."""


class UnknownBook(Exception):
    """Commands for a book that has no configuration."""


class CommandTooLarge(Exception):
    """The command would trade with more orders than one commit can hold."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A command as delivered. stream_sequence: None when it comes back from the inbox itself (redrive)."""

    command: PlaceOrder
    stream_sequence: int | None


@dataclass(slots=True)
class _Loaded:
    """A book in memory, every entry up to its head projected."""

    config: BookConfig
    book: Book
    head: Head = field(default_factory=Head)
    redriven: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Pending:
    """What was decided since the last commit."""

    events: list[Event] = field(default_factory=list)
    watermark: int = 0
    redriven: list[str] = field(default_factory=list)


class Matcher:
    """now_ms: the time in ms; it enters the journal as a fact and decides nothing."""

    def __init__(self, database: Database, now_ms: Callable[[], int]) -> None:
        self._books = Books(database)
        self._orders = Orders(database)
        self._journal = Journal(database)
        self._projector = Projector(database)
        self._now_ms = now_ms
        self._warm: OrderedDict[str, _Loaded] = OrderedDict()
        """Books in memory, the one used last at the end."""

    def process(self, book: str, deliveries: Sequence[Delivery]) -> None:
        """Decide the commands of one book, in this order, each exactly once, whatever ran before or runs beside.

        Raises when it could not finish; then everything may be delivered again.
        """
        for _ in range(CONFLICTS_MAX):
            try:
                self._process(book, deliveries)
                return
            except EntryExists:
                logger.info("another matcher was first", book=book)
                self._warm.pop(book, None)
            except BaseException:
                self._warm.pop(book, None)
                raise
        raise EntryExists(f"{book}: other matchers were first {CONFLICTS_MAX} times")

    def _process(self, book: str, deliveries: Sequence[Delivery]) -> None:
        loaded = self._warm.get(book) or self._load(book)
        self._warm[book] = loaded
        self._warm.move_to_end(book)
        if len(self._warm) > WARM_BOOKS_MAX:
            self._warm.popitem(last=False)
        pending = _Pending()
        for delivery in self._undecided(loaded, deliveries):
            try:
                events = _decide(loaded.book, delivery.command)
            except Exception:
                logger.exception("command rejected: the core cannot decide it", command=delivery.command.order_id)
                # The core left its book half changed. What was decided before is written down; a new load projects it.
                self._append(book, loaded, pending)
                loaded = self._warm[book] = self._load(book)
                events = reject(delivery.command)
                for event in events:
                    loaded.book.apply(event)
            pending.events += events
            if delivery.stream_sequence is None:
                pending.redriven.append(delivery.command.order_id)
            else:
                pending.watermark = max(pending.watermark, delivery.stream_sequence)
            if len(pending.events) >= EVENTS_PER_ENTRY_GROUP:
                self._commit(book, loaded, pending)
        self._commit(book, loaded, pending)

    def _undecided(self, loaded: _Loaded, deliveries: Sequence[Delivery]) -> list[Delivery]:
        """Drop what the journal has decided already.

        A command above the watermark is new, unless a redrive brought it in before. One at or below it was decided,
        or overtaken when a shard split: its order rests, or its row carries a sequence, or it is still to be decided.
        """
        fresh: dict[str, Delivery] = {}
        doubtful: dict[str, Delivery] = {}
        for delivery in deliveries:
            order_id, at = delivery.command.order_id, delivery.stream_sequence
            if order_id in loaded.book.open_orders or order_id in loaded.redriven:
                continue
            fresh[order_id] = delivery
            if at is None or at <= loaded.head.watermark:
                doubtful[order_id] = delivery
        owners = [
            (customer_key(loaded.config.instance, delivery.command.customer), order_id)
            for order_id, delivery in doubtful.items()
        ]
        decided = self._orders.sequenced(owners) if owners else set()
        return [delivery for order_id, delivery in fresh.items() if order_id not in decided]

    def _commit(self, book: str, loaded: _Loaded, pending: _Pending) -> None:
        """Write the pending events down, project them, and publish the depth. Raises EntryExists: the book is stale."""
        events = iter(pending.events)
        entries = self._append(book, loaded, pending)
        for entry in entries:
            self._projector.project(loaded.config, entry, [next(events) for _ in entry.events])
            loaded.head = head_of(entry)
            loaded.redriven.update(entry.redriven)
        if entries:
            self._publish(book, loaded)

    def _append(self, book: str, loaded: _Loaded, pending: _Pending) -> list[JournalEntry]:
        """Write the pending events down and return their entries; nothing is pending then. Raises EntryExists."""
        entries = draft(book, loaded.head, self._now_ms(), pending.watermark, pending.events, pending.redriven)
        if entries:
            self._journal.append(entries)
        pending.events, pending.redriven = [], []
        return entries

    def _load(self, book: str) -> _Loaded:
        """Rebuild the book from its journal, and finish the projections of entries that an earlier run left."""
        config = self._books.config(book)
        if config is None:
            raise UnknownBook(book)
        loaded = _Loaded(config, Book(config.rules))
        projected = self._books.depth(book).sequence
        for entry in self._journal.after(book, loaded.head.sequence):
            verify(entry, loaded.head)
            events = replay(loaded.book, entry)
            if entry.sequence > projected:
                self._projector.project(config, entry, events)
            loaded.head = head_of(entry)
            loaded.redriven.update(entry.redriven)
        if loaded.head.sequence > projected:
            self._publish(book, loaded)
        return loaded

    def _publish(self, book: str, loaded: _Loaded) -> None:
        bids, asks = (tuple(side.depth(DEPTH_LEVELS_MAX)) for side in (loaded.book.bids, loaded.book.asks))
        self._books.publish_depth(book, Depth(loaded.head.sequence, bids, asks))


def _decide(book: Book, command: PlaceOrder) -> list[Event]:
    events = place(book, command)
    if len(events) > EVENTS_PER_COMMAND_MAX:
        raise CommandTooLarge(command.order_id)
    return events
