"""Bring commands back from the inbox that the stream has lost (its records live a day; the inbox keeps seven)."""

from __future__ import annotations

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
    What an earlier run committed and did not project is projected first. Raises what the matcher raises.
    """
    decided = matcher.process(book, [])
    for rows in batched(Inbox(database).rows(book), BATCH_COMMANDS):
        deliveries = [delivery for delivery in (delivery_of(row, None) for row in rows) if delivery is not None]
        decided += matcher.process(book, deliveries)
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
