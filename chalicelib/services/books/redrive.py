"""Redrive: decide commands that the stream has lost (it keeps records for a day).

The inbox keeps commands for seven days; older ones are found on the rows of undecided orders (``lost_commands``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from heapq import heappop, heappush, merge
from itertools import groupby

from chalicelib.domain.books.vocabulary import CancelOrder
from chalicelib.domain.ledger.owners import split_book_key
from chalicelib.services.books.deduplication import Delivery
from chalicelib.services.books.loading import UnknownBook
from chalicelib.services.books.lost_commands import LostCommand, lost_by_book, without_behind
from chalicelib.services.books.matcher import Matcher
from chalicelib.services.books.stream import deliveries_of
from chalicelib.support.telemetry import logger
from chalicelib.tables.batch_failures import FailedBatches
from chalicelib.tables.books import Books
from chalicelib.tables.dynamodb import Database, batched
from chalicelib.tables.inbox import Inbox, arrival_of
from chalicelib.tables.rows import Row

BATCH_COMMANDS = 500
"""Commands given to the matcher at a time; a fault repeats at most this many."""


def redrive(
    database: Database, matcher: Matcher, book: str, waiting: Mapping[str, list[LostCommand]] | None = None
) -> int:
    """Give every command of the book's inbox, and its lost commands, to the matcher in order of arrival.

    Return how many were undecided. Decided ones are dropped, so this may run at any time, beside the stream, and again
    after a fault. First projects what an earlier run committed and did not project. Inbox rows kept for a parked book
    get their time to live back once they are decided (T53). waiting: the lost commands by book; None: read them. Raises
    what the matcher raises, BookParked among it.
    """
    inbox = Inbox(database)
    decided = matcher.process(book, [])
    lost = (lost_by_book(database, split_book_key(book)[0]) if waiting is None else waiting).get(book, [])
    asked = _by_arrival(inbox.rows(book), without_behind(database, book, lost, None))
    for batch in batched(asked, BATCH_COMMANDS):
        decided += matcher.process(book, [delivery for delivery, _ in batch if delivery is not None])
        kept = [row["command"] for _, row in batch if row is not None and "kept" in row]
        inbox.keep_no_longer(book, kept, matcher.now_ms() // 1000)
        matcher.write_snapshots()
    return decided


def release(database: Database, matcher: Matcher, book: str) -> int:
    """Redrive a parked book, then let it match again; return how many commands were undecided (T53).

    matcher: one that takes parked books. If the redrive raises, the book stays parked. After the mark is removed, the
    inbox is redriven once more: matchers that still saw the mark may have left newer commands. A book that is not
    parked is redriven too, so this may be repeated after a fault.
    """
    failures = FailedBatches(database).of(book)
    if failures is None:
        raise UnknownBook(book)
    decided = redrive(database, matcher, book)
    if failures.parked_at_ms is not None:
        FailedBatches(database).release(book, failures)
        decided += redrive(database, matcher, book)
    return decided


def redrive_all(database: Database, matcher: Matcher) -> dict[str, int | None]:
    """Redrive every book; return the commands decided by book, None (logged) for a book that failed."""
    decided: dict[str, int | None] = {}
    waiting = lost_by_book(database)
    for book in sorted(Books(database).all_keys()):
        try:
            decided[book] = redrive(database, matcher, book, waiting)
        except Exception:
            logger.exception("book not redriven", book=book)
            decided[book] = None
    return decided


def _by_arrival(rows: Iterable[Row], lost: Iterable[LostCommand]) -> Iterator[tuple[Delivery | None, Row | None]]:
    """Yield the commands of the inbox, each row with its last one, merged with the lost commands.

    A lost command that is in a row of its own comes once; one that is in a batch too is dropped by the matcher.
    """
    queued = _queued_by_arrival(rows)
    waiting = ((arrival_of(command.command_id), [Delivery(command, None)], None) for command in lost)
    for _, same in groupby(merge(queued, waiting, key=_arrival), key=_arrival):
        asked = list(same)
        deliveries = next((some for _, some, _ in asked if some), [])
        yield from ((delivery, None) for delivery in deliveries[:-1])
        yield deliveries[-1] if deliveries else None, asked[0][2]


def _queued_by_arrival(rows: Iterable[Row]) -> Iterator[tuple[str, list[Delivery], Row]]:
    """Yield the rows of the inbox, which come by key, by arrival.

    A cancel comes behind its order and is held back until its own time. As many are held at once as orders were open at
    one time and were cancelled within the days that the inbox keeps.
    """
    held: list[tuple[str, str, list[Delivery], Row]] = []
    for row in rows:
        key, deliveries = str(row["command"]), deliveries_of(row, None)
        if deliveries and isinstance(deliveries[0].command, CancelOrder):
            heappush(held, (arrival_of(deliveries[0].command.command_id), key, deliveries, row))
            continue
        while held and held[0][0] < key:
            arrival, _, cancels, cancel_row = heappop(held)
            yield arrival, cancels, cancel_row
        yield key, deliveries, row
    for arrival, _, cancels, cancel_row in sorted(held):
        yield arrival, cancels, cancel_row


def _arrival(asked: tuple[str, list[Delivery], Row | None]) -> str:
    return asked[0]
