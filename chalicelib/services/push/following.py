"""Stream handlers of the feed: new entries of logs in, each receiver told of their events, batch item failures out.

Entries of one log stay in order. Their events are derived once, and told together with those of the instance's other
logs, so that a receiver makes its calls once a batch. A receiver that fails keeps neither the other receivers nor the
other instances of the batch from being served: the instance's first record is reported, so the stream delivers again
from there, to every receiver. A log is told up to an entry whose events cannot be derived, and that entry's record is
reported; the instance's other logs are told whole. A row that no version can read is logged and skipped, so it does not
block its shard.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from chalicelib.domain.feed.event import FeedEvent
from chalicelib.support.telemetry import logger
from chalicelib.tables.rows import Row, UnreadableRow, decode


class Log(NamedTuple):
    """A log of an instance. name: as ``domain.feed.logs`` makes it."""

    instance: str
    name: str


class Receiver(Protocol):
    """What is told of new events: the connections of clients, the endpoints of webhooks."""

    def receive(self, instance: str, events: list[FeedEvent]) -> None:
        """Take the events of some new entries of an instance's logs, each log's in order. Called again with the same
        events after a failure, its own or another's, and possibly in parallel with itself. Raises if it must be called
        again.
        """


class Rows(Protocol):
    """How the rows of a table are read as entries of logs."""

    def log_of(self, row: Row) -> Log | None:
        """Return the log of an entry; None if the row is no entry. Raises UnreadableRow."""

    def events_of(self, row: Row) -> list[FeedEvent]:
        """Return the events of an entry."""


_News = list[tuple[str, Row]]
"""What a batch has of one log: its entries' rows, each with the sequence number of its stream record."""


@dataclass(slots=True)
class _Told:
    """What an instance's receivers are told. first: the sequence number of its first stream record."""

    first: str
    events: list[FeedEvent] = field(default_factory=list)


def follow_records(rows: Rows, receivers: Mapping[str, Receiver], records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Tell the receivers, by name, of the entries in a batch of stream records. Return the sequence numbers to deliver
    again from.
    """
    if not receivers:
        return []
    failed: list[str] = []
    told: dict[str, _Told] = {}
    for log, news in _by_log(rows, records).items():
        first, _ = news[0]
        of_instance = told.setdefault(log.instance, _Told(first))
        for number, row in news:
            try:
                of_instance.events += rows.events_of(row)
            except Exception:
                logger.exception("events not derived; delivered again", instance=log.instance, log=log.name)
                failed.append(number)
                break
    for instance, of_instance in told.items():
        events = of_instance.events
        done = [_tell(name, receiver, instance, events) for name, receiver in receivers.items()] if events else []
        if not all(done):
            failed.append(of_instance.first)
    return failed


def _by_log(rows: Rows, records: Sequence[Mapping[str, Any]]) -> dict[Log, _News]:
    found: dict[Log, _News] = {}
    for record in records:
        if record["eventName"] != "INSERT":
            continue
        change = record["dynamodb"]
        try:
            row = decode(_with_bytes(change["NewImage"]))
            log = rows.log_of(row)
        except UnreadableRow:
            logger.exception("not an entry of a log; passed over")
            continue
        if log is not None:
            found.setdefault(log, []).append((change["SequenceNumber"], row))
    return found


def _with_bytes(image: Mapping[str, Any]) -> dict[str, Any]:
    """Return the image of a row as DynamoDB answers it: in Lambda's events bytes are Base64."""
    return {name: {"B": b64decode(value["B"])} if "B" in value else value for name, value in image.items()}


def _tell(name: str, receiver: Receiver, instance: str, events: list[FeedEvent]) -> bool:
    """Return whether the receiver took the events."""
    try:
        receiver.receive(instance, events)
    except Exception:
        logger.exception("events not taken; delivered again", receiver=name, instance=instance)
        return False
    return True
