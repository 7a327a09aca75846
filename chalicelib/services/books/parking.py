"""Parking: a book that keeps failing is taken out of matching, so that the other books of its shard go on (T53).

A stream hands a shard's records out in their order: while one book's batch fails, no other book of the shard goes on.
So failures of a book are counted on its row. After ``FAILED_BATCHES_MAX`` the book is parked: nothing of it is loaded,
decided or expired, its clients see it paused, and its records are passed over. They stay in the inbox, and longer than
the seven days of others, until the operator releases the book: then ``redrive`` decides them, in the order in which
they arrived, before anything newer.

Only what is the book's own fault counts. Throttling, a table out of reach, an unknown outcome, another matcher that was
first, or a missing permission come from elsewhere and end by themselves, or concern every book. docs/guarantees.md goes
through every crash point.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from botocore.exceptions import ClientError

from chalicelib.domain.books.vocabulary import Command
from chalicelib.support.outcomes import OutcomeUnknown, Unavailable
from chalicelib.support.telemetry import logger
from chalicelib.tables.books import Books, Trouble
from chalicelib.tables.dynamodb import ConditionFailed, Database, TransactionRefused
from chalicelib.tables.inbox import Inbox, arrival_of
from chalicelib.tables.journal import EntryExists

FAILED_BATCHES_MAX = 5
"""How many batches of a book may fail before it is parked. The stream tries a batch again more often than that
(infra/stack.yaml), so a book is parked before its commands are given up."""
SERIES_PAUSE_MS_MAX = 3_600_000
"""What failed longer ago does not count any more: the stream comes back to a failed batch within minutes."""
REASON_CHARACTERS_MAX = 500
FAULTS_OF_A_CALL = {"ValidationException", "ItemCollectionSizeLimitExceededException"}
"""What DynamoDB says of a call that it will never take, such as a row over 400 KB. Its other refusals are about
permissions or missing tables."""


class BookParked(Exception):
    """The book is parked: nothing is matched until the operator releases it."""


class BookReleased(Exception):
    """The book is not parked any more: its commands are to be delivered again."""


def is_fault_of_book(error: Exception) -> bool:
    """Tell whether the failure is the book's own: it will recur, and for this book alone."""
    if isinstance(error, ClientError):
        return error.response["Error"]["Code"] in FAULTS_OF_A_CALL
    return not isinstance(error, Unavailable | OutcomeUnknown | EntryExists | BookReleased)


@dataclass(frozen=True, slots=True)
class Parked:
    """A book as ``Parking.count`` leaves it."""

    failed_batches: int
    is_parked: bool


class Parking:
    """now_ms: the time in ms."""

    def __init__(self, database: Database, now_ms: Callable[[], int]) -> None:
        self._books = Books(database)
        self._inbox = Inbox(database)
        self._now_ms = now_ms

    def count(self, book: str, commands: Sequence[Command], error: Exception) -> Parked | None:
        """Count a batch of a book that failed by a fault of its own; park the book where it was one too many.

        None: it could not be counted, or somebody else counted at this moment. That is no fault: the batch is handed
        back, and counted when it fails again.
        """
        try:
            before, at_ms = self._books.trouble(book), self._now_ms()
            if before is None or before.parked_at_ms is not None:
                return None
            is_series = at_ms - before.failed_at_ms <= SERIES_PAUSE_MS_MAX
            failed = before.failed_batches + 1 if is_series else 1
            parked_at_ms = at_ms if failed >= FAILED_BATCHES_MAX else None
            reason = f"{type(error).__name__}: {error}"[:REASON_CHARACTERS_MAX]
            after = Trouble(failed, at_ms, commands[0].command_id, reason, parked_at_ms)
            self._books.note_failure(book, before, after)
        except (ConditionFailed, TransactionRefused, Unavailable, OutcomeUnknown):
            logger.warning("a failed batch is not counted this time", exc_info=True, book=book)
            return None
        return Parked(failed, parked_at_ms is not None)

    def got_through(self, book: str, before: Trouble, command_ids: set[str]) -> bool:
        """Count from nothing again when the batch that failed last is the one that got through; tell whether it was.

        Other batches of the book, of another shard for instance, say nothing about that one.
        """
        if not before.failed_batches or before.command not in command_ids:
            return False
        self._books.forget_failures(book, before)
        return True

    def set_aside(self, book: str, commands: Sequence[Command]) -> None:
        """Have the commands of a parked book stay in the inbox until it is released, however long that takes.

        The book is looked at once more then: whoever releases it redrives what stands in the inbox from that moment on,
        and what is set aside later must not wait for the next release.
        Raises BookReleased where it is not parked any more, Unavailable or OutcomeUnknown: nothing may be passed over.
        """
        arrivals, now_s = [arrival_of(command.command_id) for command in commands], self._now_ms() // 1000
        self._inbox.keep(book, arrivals, now_s)
        trouble = self._books.trouble(book)
        if trouble is not None and trouble.parked_at_ms is None:
            self._inbox.keep_no_longer(book, arrivals, now_s)
            raise BookReleased(book)
