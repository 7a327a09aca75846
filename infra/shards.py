"""What a stream's records become on their way to the match function, and which of them it gets again.

Both as AWS's event source mapping does it: the same event, the same rule for partial failures.
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
    """How far one shard is read.

    ``batch`` is what was read and is not through yet; nothing more is read before it is. ``iterator`` is None before
    the first read, after an error and at a closed shard's end (``ended``).
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
        """Whether everything in the shard is through, so that its children may be read."""
        return self.ended and not self.batch


def lambda_record(record: Mapping[str, Any], stream_arn: str) -> Record:
    """Return a record of GetRecords as Lambda's event has it: numbers for times, base64 for bytes, its stream named."""
    return {**_as_json(record), "eventSourceARN": stream_arn}


def to_deliver_again(batch: Sequence[Record], answer: object) -> list[Record]:
    """Return what of the batch has to be delivered again, by what the function answered.

    The lowest sequence number among ``batchItemFailures`` is the checkpoint: it and all after it. An item without a
    sequence number of this batch makes it the whole batch. Nothing, or no failures, means that all went through.
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
