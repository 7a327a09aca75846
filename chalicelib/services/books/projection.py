"""Projection: write what a journal entry changes in accounts, fills, order rows and the inbox.

All of it follows from the entry's events, so a second matcher, or the same one after a crash, writes the same rows.
Each write is idempotent by the entry's sequence. Money moves and fills are written first, at the same time. Order rows
come after both, so an order that shows FILLED has moved its money. Outcomes in the inbox come last, and the row of an
amendment under way goes before: whoever is told an outcome may amend the order again (O23).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from chalicelib.domain.books.config import BookConfig
from chalicelib.domain.books.events import (
    Amended,
    AmendRefused,
    CancelAllBegun,
    CancelAllEnded,
    CancelRefused,
    Event,
    Halted,
    Traded,
)
from chalicelib.domain.books.fills import Fill
from chalicelib.domain.books.journal import JournalEntry, trade_id
from chalicelib.domain.books.orders import TradeSums, order_updates
from chalicelib.domain.books.settlement import settle
from chalicelib.domain.ledger.owners import customer_key, owner_key
from chalicelib.tables.accounts import Accounts
from chalicelib.tables.amendments import Amendments
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.expiries import Expiries, halt_end
from chalicelib.tables.fills import Fills
from chalicelib.tables.inbox import Inbox, Progress
from chalicelib.tables.orders import Orders


class Projector:
    def __init__(self, database: Database) -> None:
        self._orders = Orders(database)
        self._fills = Fills(database)
        self._accounts = Accounts(database)
        self._inbox = Inbox(database)
        self._amendments = Amendments(database)
        self._expiries = Expiries(database)

    def project(
        self, config: BookConfig, entry: JournalEntry, events: Sequence[Event], traded: Mapping[str, TradeSums]
    ) -> None:
        """Write what the entry changed. Entries of a book must be projected in order, without gaps.

        traded: as in BookState, before the entry. A row that shows this entry or a later one is left unchanged.
        """
        instance, sequence, at_ms = config.instance, entry.sequence, entry.at_ms
        moved = settle(events, config.base_asset, config.quote_asset).items()
        changes = {(owner_key(entry.book, account.customer), account.asset): change for account, change in moved}
        updates = [
            (customer_key(instance, order.customer), order, update) for order, update in order_updates(events, traded)
        ]
        refused = [event for event in events if isinstance(event, CancelRefused)]
        not_cancelled = [(customer_key(instance, event.customer), event.order_id) for event in refused]
        fills = self._fills.puts(fills_of(config, entry, events))
        self._accounts.settle(entry.book, sequence, changes, at_ms, beside=fills)
        self._orders.project(config.book_id, updates, sequence, at_ms)
        self._orders.note_refused_cancels(not_cancelled, sequence)
        if reached := progress_in(events, sequence):
            self._amendments.end((*key, command_id) for key, command_id in amendments_in(instance, events))
            self._inbox.note_progress(entry.book, reached)
        if halts := [event for event in events if isinstance(event, Halted)]:
            # A book that the operator resumes in between halts twice in an entry, often until the same time.
            self._expiries.schedule_all({halt_end(entry.book, halt.until_ms) for halt in halts})


def progress_in(events: Iterable[Event], sequence: int) -> dict[str, Progress]:
    """Return the progress of cancel-alls and amendments by this entry's events, by id."""
    reached: dict[str, Progress] = {}
    for event in events:
        match event:
            case CancelAllBegun():
                reached[event.command_id] = Progress(decided=sequence)
            case CancelAllEnded():
                before = reached.get(event.command_id, Progress())
                reached[event.command_id] = before.joined(Progress(ended=sequence, closed=event.closed))
            case Amended():
                reached[event.command_id] = Progress(ended=sequence)
            case AmendRefused():
                reached[event.command_id] = Progress(ended=sequence, refusal=event.reason)
    return reached


def amendments_in(instance: str, events: Iterable[Event]) -> list[tuple[tuple[str, str], str]]:
    """Return the amendments that these events decide: the key of each one's order (owner, id), and its own id."""
    decided = []
    for event in events:
        match event:
            case Amended(command_id, order):
                decided.append(((customer_key(instance, order.customer), order.order_id), command_id))
            case AmendRefused(command_id, order_id, customer):
                decided.append(((customer_key(instance, customer), order_id), command_id))
    return decided


def fills_of(config: BookConfig, entry: JournalEntry, events: Sequence[Event]) -> list[Fill]:
    """Return both halves of each of the entry's trades."""
    fills = []
    for number, event in enumerate(events):
        if not isinstance(event, Traded):
            continue
        name = trade_id(entry, number)
        halves = (event.maker, event.taker, event.maker_fee), (event.taker, event.maker, event.taker_fee)
        for order, other, fee in halves:
            fills.append(
                Fill(
                    owner=customer_key(config.instance, order.customer),
                    trade_id=name,
                    order_id=order.order_id,
                    book_id=config.book_id,
                    side=order.side,
                    is_maker=order is event.maker,
                    order_type=order.order_type,
                    other_order_id=other.order_id,
                    counterparty=other.customer,
                    price=event.price,
                    quantity=event.quantity,
                    notional=event.notional,
                    fee=fee,
                    sequence=entry.sequence,
                    at_ms=entry.at_ms,
                )
            )
    return fills
