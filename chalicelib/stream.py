"""Between the inbox's stream and the matcher: records in, batch item failures out.

Records of one book stay together and in order. A book that fails does not keep the others of the batch from being
decided; its first record is reported, so that the stream delivers again from there (what others have done by then is
dropped as decided). A record that is no command is logged and passed over: it must not block its book.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aws_lambda_powertools import Logger

from chalicelib.matcher import Matcher
from chalicelib.stores.dynamodb import Row, decode
from chalicelib.stores.inbox import MalformedCommand, command_of
from chalicelib.undecided import Delivery

logger = Logger(service="tallybook-matcher")


def match_records(matcher: Matcher, records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Decide the commands in a batch of stream records; return the sequence numbers to deliver again from."""
    batches: dict[str, list[Delivery]] = {}
    first_sequence: dict[str, str] = {}
    for record in records:
        if record["eventName"] != "INSERT":
            continue
        change = record["dynamodb"]
        row = decode(change["NewImage"])
        book = row["book"]
        first_sequence.setdefault(book, change["SequenceNumber"])
        delivery = delivery_of(row, int(change["SequenceNumber"]))
        if delivery is not None:
            batches.setdefault(book, []).append(delivery)
    failed = []
    for book, deliveries in batches.items():
        try:
            matcher.process(book, deliveries)
        except Exception:
            logger.exception("book not matched; its commands will be delivered again", book=book)
            failed.append(first_sequence[book])
    return failed


def delivery_of(row: Row, stream_sequence: int | None) -> Delivery | None:
    """Return the command in an inbox row, or None (logged) where there is none."""
    try:
        return Delivery(command_of(row), stream_sequence)
    except MalformedCommand:
        logger.exception("not a command; passed over", book=row.get("book"), command=row.get("command"))
        return None
