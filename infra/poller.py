"""Stream poller of a local run: passes a table's stream to a function, as Lambda's event source mapping does.

Each shard is read in order from its oldest record, parents before children: INSERTs only, up to 100 records a batch. A
batch that fails, wholly or from some record on, is delivered again from there after a growing pause, and its shard
reads no further until it succeeds: delivery is at least once and in order. Engine errors are retried forever.

With a checkpoint file a poller resumes where the last one ended. After a kill, records that were delivered but not
checkpointed are delivered again.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.tables.wire import write_directly
from infra.functions import Handler, LambdaContext
from infra.shards import Record, Shard, lambda_record, records_to_redeliver

if TYPE_CHECKING:
    from types_boto3_dynamodbstreams import DynamoDBStreamsClient

BATCH_RECORDS_MAX = 100
IDLE_PAUSE_MIN_S = 0.02
IDLE_PAUSE_MAX_S = 0.05
RETRY_PAUSE_MIN_S = 0.1
RETRY_PAUSE_MAX_S = 5.0
DISCOVERY_PERIOD_S = 10.0

log = logging.getLogger(__name__)


class Checkpoint:
    """The sequence number of each shard's last processed record, in a file that is replaced atomically."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._unfinished = path.with_name(path.name + ".tmp")
        self._last_through: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}

    def last_through(self, shard_id: str) -> str | None:
        return self._last_through.get(shard_id)

    def move(self, shard_id: str, sequence_number: str) -> None:
        """Record that this record and all before it are processed."""
        self._last_through[shard_id] = sequence_number
        self._unfinished.write_text(json.dumps(self._last_through), encoding="utf-8")
        self._unfinished.replace(self._path)


class StreamPoller:
    """Polls one stream and calls one handler, in one thread.

    function: the handler's name. checkpoint: where to resume; None: start at the oldest record. clock: monotonic
    seconds.
    """

    def __init__(
        self,
        streams: DynamoDBStreamsClient,
        stream_arn: str,
        handler: Handler,
        function: str,
        checkpoint: Checkpoint | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        write_directly(streams)
        self._streams = streams
        self._stream_arn = stream_arn
        self._handler = handler
        self._context = LambdaContext(function)
        self._checkpoint = checkpoint
        self._clock = clock
        self._shards: dict[str, Shard] = {}
        self._discover_at_s = clock()
        self._discovery_failures = 0

    def run(self, stop: threading.Event) -> None:
        """Poll until ``stop`` is set. A batch that has begun is finished first."""
        pause_s = IDLE_PAUSE_MIN_S
        while not stop.is_set():
            delivered = self.poll()
            if delivered >= BATCH_RECORDS_MAX:
                continue
            pause_s = IDLE_PAUSE_MIN_S if delivered else min(pause_s * 1.2, IDLE_PAUSE_MAX_S)
            stop.wait(pause_s)

    def poll(self) -> int:
        """Read each due shard once and deliver its records. Return the largest batch size."""
        if self._clock() >= self._discover_at_s:
            self._discover()
        return max((self._advance(shard) for shard in self._due()), default=0)

    def _due(self) -> list[Shard]:
        now_s = self._clock()
        return [
            shard
            for shard in self._shards.values()
            if not shard.done and shard.pause_until_s <= now_s and self._parent_done(shard)
        ]

    def _parent_done(self, shard: Shard) -> bool:
        parent = self._shards.get(shard.parent_id or "")
        return parent is None or parent.done

    def _discover(self) -> None:
        """Add new shards of the stream and drop those that it no longer has."""
        found: dict[str, Shard] = {}
        page: dict[str, Any] = {"StreamArn": self._stream_arn}
        try:
            while True:
                description = self._streams.describe_stream(**page)["StreamDescription"]
                for shard in description["Shards"]:
                    name = shard["ShardId"]
                    found[name] = self._shards.get(name) or self._new_shard(name, shard.get("ParentShardId"))
                if "LastEvaluatedShardId" not in description:
                    break
                page["ExclusiveStartShardId"] = description["LastEvaluatedShardId"]
        except (ClientError, BotoCoreError) as error:
            self._discovery_failures += 1
            self._discover_at_s = self._clock() + _retry_pause_s(self._discovery_failures)
            log.warning("the stream of %s cannot be described, trying again: %s", self._context.function_name, error)
            return
        self._shards = found
        self._discovery_failures = 0
        self._discover_at_s = self._clock() + DISCOVERY_PERIOD_S

    def _new_shard(self, name: str, parent: str | None) -> Shard:
        last_through = self._checkpoint.last_through(name) if self._checkpoint else None
        return Shard(name, parent, sequence_read=last_through)

    def _advance(self, shard: Shard) -> int:
        """Deliver the shard's batch, after reading one if none is waiting. Return its number of records."""
        if not shard.batch:
            try:
                self._read(shard)
            except (ClientError, BotoCoreError) as error:
                shard.iterator = None
                self._pause(shard)
                log.warning("shard %s cannot be read, trying again: %s", shard.shard_id, error)
                return 0
        size = len(shard.batch)
        if size:
            self._deliver(shard)
        else:
            shard.failures = 0
        if shard.done:
            self._discover_at_s = self._clock()
        return size

    def _read(self, shard: Shard) -> None:
        iterator = shard.iterator or self._iterator_after(shard)
        answer = self._streams.get_records(ShardIterator=iterator, Limit=BATCH_RECORDS_MAX)
        records: list[Any] = answer["Records"]
        if records:
            shard.sequence_read = records[-1]["dynamodb"]["SequenceNumber"]
        shard.batch = [lambda_record(one, self._stream_arn) for one in records if one["eventName"] == "INSERT"]
        shard.iterator = answer.get("NextShardIterator")
        shard.ended = shard.iterator is None

    def _iterator_after(self, shard: Shard) -> str:
        """Return an iterator after the last record read; at the oldest record if none was, or if that one has been
        trimmed.
        """
        where = {"StreamArn": self._stream_arn, "ShardId": shard.shard_id}
        if shard.sequence_read is not None:
            try:
                return self._streams.get_shard_iterator(
                    **where, ShardIteratorType="AFTER_SEQUENCE_NUMBER", SequenceNumber=shard.sequence_read
                )["ShardIterator"]
            except ClientError as error:
                if error.response["Error"]["Code"] != "TrimmedDataAccessException":
                    raise
        return self._streams.get_shard_iterator(**where, ShardIteratorType="TRIM_HORIZON")["ShardIterator"]

    def _deliver(self, shard: Shard) -> None:
        """Call the handler with the batch. Checkpoint what succeeded and keep the rest for redelivery."""
        batch = shard.batch
        shard.batch = self._rejected(batch)
        through = batch[: len(batch) - len(shard.batch)]
        if through:
            shard.failures = 0
            if self._checkpoint:
                self._checkpoint.move(shard.shard_id, through[-1]["dynamodb"]["SequenceNumber"])
        if shard.batch:
            self._pause(shard)

    def _rejected(self, batch: list[Record]) -> list[Record]:
        event: dict[str, Any] = json.loads(json.dumps({"Records": batch}))
        try:
            answer = self._handler(event, self._context)
        except Exception:
            log.exception("%s failed; its batch of %d is delivered again", self._context.function_name, len(batch))
            return batch
        again = records_to_redeliver(batch, answer)
        if again:
            log.warning(
                "%s: %d of a batch of %d are delivered again", self._context.function_name, len(again), len(batch)
            )
        return again

    def _pause(self, shard: Shard) -> None:
        shard.failures += 1
        shard.pause_until_s = self._clock() + _retry_pause_s(shard.failures)


def _retry_pause_s(failures: int) -> float:
    return min(RETRY_PAUSE_MIN_S * 2.0 ** min(failures - 1, 16), RETRY_PAUSE_MAX_S)
