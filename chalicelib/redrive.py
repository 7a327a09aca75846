"""Bring commands back from the inbox that the stream has lost (its records live a day; the inbox keeps seven)."""

from __future__ import annotations

from chalicelib.loading import UnknownBook
from chalicelib.matcher import Matcher
from chalicelib.stores.books import Books
from chalicelib.stores.dynamodb import Database, batched
from chalicelib.stores.inbox import Inbox
from chalicelib.stream import delivery_of
from chalicelib.watching import logger

BATCH_COMMANDS = 500
"""Commands given to the matcher at a time: what is read ahead, and what a fault repeats."""


def redrive(database: Database, matcher: Matcher, book: str) -> int:
    """Give every command of the book's inbox to the matcher, in order of arrival; return how many it had to decide.

    What is decided already is dropped, so this may run at any time, beside the stream too, and again after a fault.
    What an earlier run committed and did not project is projected first. Rows that were kept for a parked book are kept
    no longer once they are decided (T53). Raises what the matcher raises, BookParked among it.
    """
    inbox = Inbox(database)
    decided = matcher.process(book, [])
    for rows in batched(inbox.rows(book), BATCH_COMMANDS):
        deliveries = [delivery for delivery in (delivery_of(row, None) for row in rows) if delivery is not None]
        decided += matcher.process(book, deliveries)
        inbox.keep_no_longer(book, [row["command"] for row in rows if "kept" in row], matcher.now_ms() // 1000)
    return decided


def release(database: Database, matcher: Matcher, book: str) -> int:
    """Let a parked book match again, once all of its inbox is decided; return how many commands had to be (T53).

    matcher: one that takes parked books. First everything is redriven: what raises leaves the book parked. Then the
    mark goes, and the inbox is redriven once more: matchers that still saw the mark may have passed over what arrived
    meanwhile. A book that is not parked is redriven all the same, so this may be done again after a fault.
    """
    found = Books(database).with_trouble(book)
    if found is None:
        raise UnknownBook(book)
    decided = redrive(database, matcher, book)
    if found[1].parked_at_ms is not None:
        Books(database).release(book, found[1])
        decided += redrive(database, matcher, book)
    return decided


def redrive_all(database: Database, matcher: Matcher) -> dict[str, int | None]:
    """Redrive every book there is; return the commands decided by book, None (logged) for a book that failed."""
    decided: dict[str, int | None] = {}
    for book in sorted(Books(database).all_keys()):
        try:
            decided[book] = redrive(database, matcher, book)
        except Exception:
            logger.exception("book not redriven", book=book)
            decided[book] = None
    return decided
