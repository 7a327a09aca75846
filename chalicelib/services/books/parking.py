"""Parking: a book that keeps failing is taken out of matching, so that the other books of its shard go on (T53).

A stream hands a shard's records out in their order: while one book's batch fails, no other book of the shard goes on.
So failures of a book are counted on its row. After ``FAILED_BATCHES_MAX`` the book is parked: it is not loaded, decided
or expired, its clients see it paused, and its records are left in the inbox. They stay there, longer than the usual
seven days, until the operator releases the book; then ``redrive`` decides them in order of arrival, before newer ones.

Only the book's own faults count. Throttling, unreachable tables, an unknown outcome, another matcher that was first, or
a missing permission end by themselves or concern every book. docs/guarantees.md lists every crash point.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from botocore.exceptions import ClientError

from chalicelib.support.outcomes import OutcomeUnknown, Unavailable
from chalicelib.support.telemetry import logger
from chalicelib.tables.batch_failures import BatchFailures, FailedBatches
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.inbox import Inbox
from chalicelib.tables.journal import EntryExists
from chalicelib.tables.writes import ConditionFailed, TransactionRefused

FAILED_BATCHES_MAX = 5
"""Failed batches after which a book is parked. The stream retries a batch more often (infra/stack.yaml), so a book is
parked before its commands are given up."""
SERIES_PAUSE_MS_MAX = 3_600_000
"""Older failures do not count: the stream retries a failed batch within minutes."""
REASON_CHARACTERS_MAX = 500
FAULTS_OF_A_CALL = {"ValidationException", "ItemCollectionSizeLimitExceededException"}
"""Errors of calls that DynamoDB will never accept, such as a row over 400 KB. Its other errors are about permissions or
missing tables."""


class BookParked(Exception):
    """The book is parked: it matches nothing until the operator releases it."""


class BookReleased(Exception):
    """The book is no longer parked: its commands must be delivered again."""


def is_fault_of_book(error: Exception) -> bool:
    """Tell whether the failure is the book's own: it will recur, and for this book alone."""
    if isinstance(error, ClientError):
        return error.response["Error"]["Code"] in FAULTS_OF_A_CALL
    return not isinstance(error, Unavailable | OutcomeUnknown | EntryExists | BookReleased)


@dataclass(frozen=True, slots=True)
class Parked:
    """The result of ``Parking.count``: the book's failed batches, and whether it is parked now."""

    failed_batches: int
    is_parked: bool


class Parking:
    """Counts failures of books and parks them. now_ms: the time in ms."""

    def __init__(self, database: Database, now_ms: Callable[[], int]) -> None:
        self._failed_batches = FailedBatches(database)
        self._inbox = Inbox(database)
        self._now_ms = now_ms

    def count(self, book: str, first_command: str, error: Exception) -> Parked | None:
        """Count a batch that failed by the book's own fault; park the book at ``FAILED_BATCHES_MAX``.

        first_command: id of the batch's first command. None: the failure was not counted, because a table failed or
        another process counted at the same moment. The batch is counted when it fails again.
        """
        try:
            before, at_ms = self._failed_batches.of(book), self._now_ms()
            if before is None or before.parked_at_ms is not None:
                return None
            is_series = at_ms - before.failed_at_ms <= SERIES_PAUSE_MS_MAX
            failed = before.failed_batches + 1 if is_series else 1
            parked_at_ms = at_ms if failed >= FAILED_BATCHES_MAX else None
            reason = f"{type(error).__name__}: {error}"[:REASON_CHARACTERS_MAX]
            after = BatchFailures(failed, at_ms, first_command, reason, parked_at_ms)
            self._failed_batches.note(book, before, after)
        except (ConditionFailed, TransactionRefused, Unavailable, OutcomeUnknown):
            logger.warning("a failed batch is not counted this time", exc_info=True, book=book)
            return None
        return Parked(failed, parked_at_ms is not None)

    def got_through(self, book: str, before: BatchFailures, command_ids: set[str]) -> bool:
        """Reset the count if the batch that failed last has succeeded; return whether it was reset.

        Other batches of the book, such as those of another shard, do not reset it.
        """
        if not before.failed_batches or before.command not in command_ids:
            return False
        self._failed_batches.forget(book, before)
        return True

    def set_aside(self, book: str, arrivals: Sequence[str]) -> None:
        """Keep these rows of a parked book in the inbox, without time to live, until it is released.

        Then read the book again: if it was released meanwhile, that release may not have redriven these commands.
        Raises BookReleased in this case, Unavailable or OutcomeUnknown; then the commands must be delivered again.
        """
        now_s = self._now_ms() // 1000
        self._inbox.keep(book, arrivals, now_s)
        failures = self._failed_batches.of(book)
        if failures is not None and failures.parked_at_ms is None:
            self._inbox.keep_no_longer(book, arrivals, now_s)
            raise BookReleased(book)
