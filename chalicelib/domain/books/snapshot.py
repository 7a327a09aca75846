"""A book's whole state at a sequence: the fold of its journal, and its form as a snapshot.

The matcher, the verifier and the tests all fold journals into a ``BookState``. Folding from the first entry and folding
from a snapshot give equal states (guarantee 6).

A snapshot is compressed JSON: the resting orders in their priority, the parked ones in the order of their turns, the
trigger queue, what the trades of each order came to, the journal's head, the book's terms, the names below, the last
trade, the halt and its window, and the cancel-all in progress, if there is one. Decimals come from the book's
configuration, depth from the orders.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from chalicelib.domain.books.book import Book, Cancelling
from chalicelib.domain.books.events import Amended, AmendRefused, BookChanged, Closed, Event, Resumed, Traded
from chalicelib.domain.books.forms import decode_order, decode_terms, encode_order, encode_terms, order_text
from chalicelib.domain.books.journal import Head, JournalEntry, head_of, replay, verify
from chalicelib.domain.books.levels import opened
from chalicelib.domain.books.orders import NO_TRADES, TradeSums
from chalicelib.domain.books.triggers import Trade, Waiting
from chalicelib.domain.books.vocabulary import BookRules, BookStatus, CloseReason
from chalicelib.domain.ledger.holds import hold_of_limit
from chalicelib.support.canonical import canonical
from chalicelib.support.consistency import Inconsistent

SNAPSHOT_AFTER_BYTES_MIN = 64 * 1024
"""Journal bytes after which a book without a snapshot, or with a small one, gets one."""
NAMED_LIFE_MS = 9 * 86_400_000
"""How long a command is known by its id: longer than the inbox keeps it (seven days, and DynamoDB's late expiry)."""


class BrokenSnapshot(Exception):
    """The bytes are not a snapshot of this book."""


@dataclass(slots=True)
class BookState:
    """A book with its place in the journal.

    named: ids of decided commands that no order shows, with the time of their entry, ms: commands that were redriven
        from the inbox (their stream number is unknown), changes of terms, amendments and the operator's resumes.
    traded: what the trades of each open order came to, by id; orders that never traded have no entry.
    """

    book: Book
    head: Head = field(default_factory=Head)
    named: dict[str, int] = field(default_factory=dict)
    traded: dict[str, TradeSums] = field(default_factory=dict)

    def young_names(self) -> dict[str, int]:
        """Return the names without those that are too old to be delivered again."""
        alive_since_ms = self.head.at_ms - NAMED_LIFE_MS
        return {name: at_ms for name, at_ms in self.named.items() if at_ms >= alive_since_ms}

    @classmethod
    def empty(cls, rules: BookRules, status: BookStatus) -> BookState:
        return cls(Book(rules, status))

    def fold(self, entry: JournalEntry) -> list[Event]:
        """Fold in the next entry and return its events. Raises BrokenJournal."""
        events = self.replay(entry)
        self.advance(entry, events)
        return events

    def replay(self, entry: JournalEntry) -> list[Event]:
        """Fold the next entry into the book and return its events; ``advance`` completes it. Raises BrokenJournal."""
        verify(entry, self.head)
        return replay(self.book, entry)

    def advance(self, entry: JournalEntry, events: Iterable[Event]) -> None:
        """Move everything but the book to an entry whose events are in the book already."""
        self.head = head_of(entry)
        for name in entry.redriven:
            self.named[name] = entry.at_ms
        for event in events:
            if isinstance(event, Traded):
                self._count(event.maker.order_id, event.maker_remaining, event.notional, event.maker_fee)
                self._count(event.taker.order_id, event.taker_remaining, event.notional, event.taker_fee)
            elif isinstance(event, Closed):
                self.traded.pop(event.order.order_id, None)
            elif isinstance(event, BookChanged | Amended | AmendRefused | Resumed) and event.command_id is not None:
                self.named[event.command_id] = entry.at_ms

    def _count(self, order_id: str, remaining: int, notional: int, fee: int) -> None:
        """Add a trade to its order's sums; drop them once the order is filled."""
        if remaining:
            self.traded[order_id] = self.traded.get(order_id, NO_TRADES).plus(notional, fee)
        else:
            self.traded.pop(order_id, None)


def is_due(journal_bytes: int, snapshot_bytes: int) -> bool:
    """Return whether a snapshot is due: the journal since the last one outgrew it, or a minimum. Stored bytes.

    So snapshots never cost more than the journal, and a cold start reads at most about one snapshot's worth of entries.
    """
    return journal_bytes > max(SNAPSHOT_AFTER_BYTES_MIN, snapshot_bytes)


def encode_state(name: str, state: BookState) -> bytes:
    """Return the snapshot of the book with this name: the same bytes for the same state."""
    head, book = state.head, state.book
    content = {
        "book": name,
        "sequence": head.sequence,
        "at": head.at_ms,
        "watermark": str(head.watermark),
        "hash": head.hash,
        "terms": encode_terms(book.terms),
        "named": state.young_names(),
        "lastTrade": None if book.last_trade is None else [str(book.last_trade[0]), *book.last_trade[1:]],
        "reference": None if book.reference == book.last_price else str(book.reference),
        "haltedUntil": book.halted_until_ms,
        "window": [[[second, str(price)] for second, price in kept] for kept in (book.window.lows, book.window.highs)],
        "turns": book.triggers.turns,
        "parked": [_parked_row(waiting, reference) for waiting, reference in book.triggers.rows()],
        "queue": [waiting.order.placed.order_id for waiting in book.triggers.queued()],
        "cancelling": None if book.cancelling is None else list(book.cancelling),
        "traded": {order_id: list(map(str, sums)) for order_id, sums in state.traded.items()},
    }
    orders = ",".join(
        f'[{order_text(order.placed)},"{order.remaining}"' + (f',"{order.hidden}"]' if order.hidden else "]")
        for order in book.by_priority()
    )
    return zlib.compress(f'{canonical(content)[:-1]},"orders":[{orders}]}}'.encode(), level=1)


def decode_state(name: str, rules: BookRules, snapshot: bytes) -> BookState:
    """Return the state that ``encode_state`` wrote. Raises BrokenSnapshot where it is none, or no sound one."""
    try:
        content: dict[str, Any] = json.loads(zlib.decompress(snapshot))
        if content["book"] != name:
            raise BrokenSnapshot(f"a snapshot of {content['book']}, not of {name}")
        if "parked" not in content:
            raise BrokenSnapshot(f"{name}: of an earlier form; the journal is read instead until a new one replaces it")
        head = Head(int(content["sequence"]), int(content["at"]), int(content["watermark"]), str(content["hash"]))
        book = Book(rules)
        book.change(decode_terms(content["terms"]))
        if content["lastTrade"] is not None:
            price, maker, taker = content["lastTrade"]
            book.last_trade = int(price), str(maker), str(taker)
        book.reference = book.last_price if content["reference"] is None else int(content["reference"])
        book.set_halt(None if content["haltedUntil"] is None else int(content["haltedUntil"]))
        for kept, rows in zip((book.window.lows, book.window.highs), content["window"], strict=True):
            kept.extend((int(second), int(price)) for second, price in rows)
        for facts, remaining, *hidden in content["orders"]:
            _rest(book, facts, int(remaining), int(*hidden))
        parked = [_waiting(row, book.rules.base_decimals) for row in content["parked"]]
        for waiting, _ in parked:
            book.index(waiting.order)
        book.triggers.load(parked, [str(order_id) for order_id in content["queue"]], int(content["turns"]))
        book.find_calm()
        if content["cancelling"] is not None:
            command_id, customer, reason, closed = content["cancelling"]
            book.cancelling = Cancelling(str(command_id), str(customer), CloseReason(reason), int(closed))
        book.check(dust_may_rest=True)
        named = {str(command_id): int(at_ms) for command_id, at_ms in content["named"].items()}
        traded = {str(order_id): TradeSums(*map(int, sums)) for order_id, sums in content["traded"].items()}
        return BookState(book, head, named, traded)
    except (zlib.error, ValueError, KeyError, TypeError, AttributeError, OverflowError, Inconsistent) as error:
        raise BrokenSnapshot(f"{name}: {error!r}") from error


def _rest(book: Book, facts: object, remaining: int, hidden: int = 0) -> None:
    order = opened(decode_order(facts))
    if order.price is None or order.placed.order_id in book.open_orders:
        raise BrokenSnapshot(f"{order.placed.order_id} rests at no price, or twice")
    order.remaining, order.hidden = remaining, hidden
    order.hold = hold_of_limit(order.placed.side, order.price, remaining, book.rules.base_decimals)
    book.rest(order)


def _parked_row(waiting: Waiting, reference: int | None) -> list[object]:
    trade = None if waiting.trade is None else [str(waiting.trade.price), waiting.trade.maker, waiting.trade.taker]
    seen = None if reference is None else str(reference)
    return [encode_order(waiting.order.placed), waiting.since, waiting.place, trade, seen]


def _waiting(row: list[Any], base_decimals: int) -> tuple[Waiting, int | None]:
    facts, since, place, trade, reference = row
    seen = None if trade is None else Trade(int(trade[0]), str(trade[1]), str(trade[2]))
    order = opened(decode_order(facts))
    if order.price is not None:  # what was set aside for an amended order is not what was for the order as placed
        order.hold = hold_of_limit(order.placed.side, order.price, order.quantity, base_decimals)
    else:
        order.hold = order.quantity
    waiting = Waiting(order, int(since), int(place), seen)
    return waiting, None if reference is None else int(reference)
