"""Stream handler of the matcher: inbox records in, batch item failures out.

Records of one book stay together and in order, and so do the orders of a record (T76). If a book fails, the other
books of the batch are decided, and the failed book's first record is reported, so the stream delivers again from there
(commands decided by then are dropped). A record that is no command is logged and skipped, so it does not block its
book. A book that fails again and again is parked, and its records are left in the inbox, so it does not block its shard
(T53).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chalicelib.domain.ledger.owners import split_book_key
from chalicelib.services.books.deduplication import Delivery
from chalicelib.services.books.loading import UnknownBook
from chalicelib.services.books.matcher import Matcher
from chalicelib.services.books.parking import BookParked, is_fault_of_book
from chalicelib.services.books.telemetry import UNWATCHED, MatchObserver
from chalicelib.support.telemetry import logger
from chalicelib.tables.inbox import MalformedCommand, commands_of
from chalicelib.tables.rows import Row, UnreadableRow, decode


def match_records(
    matcher: Matcher, records: Sequence[Mapping[str, Any]], observer: MatchObserver = UNWATCHED
) -> list[str]:
    """Decide the commands in a batch of stream records; return the sequence numbers to deliver again from.

    observer: telemetry of the batch and of what is handed back.
    """
    observer.delivered(len(records))
    batches: dict[str, list[Delivery]] = {}
    first_sequence: dict[str, str] = {}
    for record in records:
        if record["eventName"] != "INSERT":
            continue
        change = record["dynamodb"]
        try:
            row = decode(change["NewImage"])
        except UnreadableRow:
            logger.exception("not a command; passed over")
            continue
        book = row["book"]
        first_sequence.setdefault(book, change["SequenceNumber"])
        deliveries = deliveries_of(row, int(change["SequenceNumber"]))
        if deliveries:
            batches.setdefault(book, []).extend(deliveries)
    failed = []
    for book, deliveries in batches.items():
        try:
            _match(matcher, book, deliveries, observer)
        except Exception:
            instance, _ = split_book_key(book)
            logger.exception("book not matched; its commands will be delivered again", instance=instance, book=book)
            observer.left_unfinished(len(deliveries))
            failed.append(first_sequence[book])
    matcher.write_snapshots()
    return failed


def _match(matcher: Matcher, book: str, deliveries: Sequence[Delivery], observer: MatchObserver) -> None:
    """Decide the commands of one book, or keep them if it is parked. Raises if they must be delivered again."""
    try:
        matcher.process(book, deliveries)
    except (BookParked, UnknownBook) as error:
        matcher.parking.set_aside(book, list(dict.fromkeys(delivery.arrival for delivery in deliveries)))
        instance, _ = split_book_key(book)
        if isinstance(error, UnknownBook):
            logger.error("no such book; its commands are left", instance=instance, book=book, commands=len(deliveries))
        else:
            logger.warning("parked; its commands are left", instance=instance, book=book, commands=len(deliveries))
        observer.passed_over(len(deliveries))
    except Exception as error:
        if is_fault_of_book(error):
            _count(matcher, book, deliveries[0].command.command_id, error)
        raise


def _count(matcher: Matcher, book: str, first_command: str, error: Exception) -> None:
    counted = matcher.parking.count(book, first_command, error)
    if counted is not None and counted.is_parked:
        logger.error(
            "the book is parked until the operator releases it (tallybook book release)",
            instance=split_book_key(book)[0],
            book=book,
            failed_batches=counted.failed_batches,
        )


def deliveries_of(row: Row, stream_sequence: int | None) -> list[Delivery]:
    """Return the commands in an inbox row, in order; none (logged) for a malformed one."""
    try:
        return [Delivery(command, stream_sequence, row["command"]) for command in commands_of(row)]
    except MalformedCommand:
        logger.exception("not a command; passed over", book=row.get("book"), command=row.get("command"))
        return []
