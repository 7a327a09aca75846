"""Stream records as Lambda events, and which records of a batch are delivered again.

Both follow AWS's event source mapping: the same event, the same rule for partial batch failures.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Record = dict[str, Any]


@dataclass(slots=True)
class Shard:
    """Read position of one shard.

    ``batch``: records that were read and not processed yet; nothing more is read before they are. ``iterator``: None
    before the first read, after an error, and at the end of a closed shard (``ended``).
    """

    shard_id: str
    parent_id: str | None
    iterator: str | None = None
    sequence_read: str | None = None
    batch: list[Record] = field(default_factory=list)
    ended: bool = False
    failures: int = 0
    pause_until_s: float = 0.0

    @property
    def done(self) -> bool:
        """Whether every record is processed, so that the shard's children may be read."""
        return self.ended and not self.batch


def lambda_record(record: Mapping[str, Any], stream_arn: str) -> Record:
    """Return a GetRecords record in the form of Lambda's event: epoch seconds for times, base64 for bytes, the stream's
    ARN.
    """
    return {**_as_json(record), "eventSourceARN": stream_arn}


def records_to_redeliver(batch: Sequence[Record], answer: object) -> list[Record]:
    """Return the records of the batch to deliver again, according to the function's answer.

    The lowest sequence number among ``batchItemFailures`` is the checkpoint: it and all records after it are delivered
    again. An item without a sequence number of this batch means the whole batch. None, or no failures, means success.
    """
    if answer is None:
        return []
    if not isinstance(answer, dict):
        return list(batch)
    failures = answer.get("batchItemFailures")
    if failures is None:
        return []
    if not isinstance(failures, list):
        return list(batch)
    places = {record["dynamodb"]["SequenceNumber"]: place for place, record in enumerate(batch)}
    failed = [places.get(_identifier(item), 0) for item in failures]
    return list(batch[min(failed) :]) if failed else []


def _identifier(failure: object) -> str:
    identifier = failure.get("itemIdentifier") if isinstance(failure, dict) else None
    return identifier if isinstance(identifier, str) else ""


def _as_json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _as_json(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_as_json(member) for member in value]
    if isinstance(value, bytes):
        return b64encode(value).decode("ascii")
    if isinstance(value, datetime):
        return value.timestamp()
    return value
