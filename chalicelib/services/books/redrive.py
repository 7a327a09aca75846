"""Redrive: decide commands that the stream has lost (its records live a day).

The inbox keeps commands for seven days; the rows of undecided orders tell the older ones (``lost_commands``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from heapq import merge
from itertools import groupby

from chalicelib.domain.ledger.owners import split_book_key
from chalicelib.services.books.deduplication import Delivery
from chalicelib.services.books.loading import UnknownBook
from chalicelib.services.books.lost_commands import LostCommand, lost_by_book, without_known
from chalicelib.services.books.matcher import Matcher
from chalicelib.services.books.stream import delivery_of
from chalicelib.support.telemetry import logger
from chalicelib.tables.books import Books
from chalicelib.tables.dynamodb import Database, Row, batched
from chalicelib.tables.inbox import Inbox, arrival_of
from chalicelib.tables.journal import Journal

BATCH_COMMANDS = 500
"""Commands given to the matcher at a time: what is read ahead, and what a fault repeats."""


def redrive(
    database: Database, matcher: Matcher, book: str, waiting: Mapping[str, list[LostCommand]] | None = None
) -> int:
    """Give every command of the book's inbox, and all that rows wait for, to the matcher in order of arrival.

    Returns how many it had to decide. What is decided already is dropped, so this may run at any time, beside the
    stream too, and again after a fault. What an earlier run committed and did not project is projected first. Rows that
    were kept for a parked book are kept no longer once they are decided (T53). Raises what the matcher raises,
    BookParked among it. waiting: by book, what rows wait for; None: they are read.
    """
    inbox = Inbox(database)
    decided = matcher.process(book, [])
    lost = (lost_by_book(database, split_book_key(book)[0]) if waiting is None else waiting).get(book, [])
    asked = _by_arrival(inbox.rows(book), without_known(Journal(database), book, lost, None))
    for batch in batched(asked, BATCH_COMMANDS):
        decided += matcher.process(book, [delivery for delivery, _ in batch if delivery is not None])
        kept = [row["command"] for _, row in batch if row is not None and "kept" in row]
        inbox.keep_no_longer(book, kept, matcher.now_ms() // 1000)
    return decided


def release(database: Database, matcher: Matcher, book: str) -> int:
    """Let a parked book match again, once all of its inbox is decided; return how many commands had to be (T53).

    matcher: one that takes parked books. First everything is redriven: what raises leaves the book parked. Then the
    mark goes, and the inbox is redriven once more: matchers that still saw the mark may have passed over what arrived
    meanwhile. A book that is not parked is redriven all the same, so this may be done again after a fault.
    """
    trouble = Books(database).trouble(book)
    if trouble is None:
        raise UnknownBook(book)
    decided = redrive(database, matcher, book)
    if trouble.parked_at_ms is not None:
        Books(database).release(book, trouble)
        decided += redrive(database, matcher, book)
    return decided


def redrive_all(database: Database, matcher: Matcher) -> dict[str, int | None]:
    """Redrive every book there is; return the commands decided by book, None (logged) for a book that failed."""
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
    """Yield the commands of the inbox's rows, each with its row, and those that orders' rows wait for, each once."""
    queued = ((str(row["command"]), delivery_of(row, None), row) for row in rows)
    waiting = ((arrival_of(command.command_id), Delivery(command, None), None) for command in lost)
    for _, same in groupby(merge(queued, waiting, key=_arrival), key=_arrival):
        asked = list(same)
        yield next((delivery for _, delivery, _ in asked if delivery is not None), None), asked[0][2]


def _arrival(asked: tuple[str, Delivery | None, Row | None]) -> str:
    return asked[0]
