"""An in-memory stream with the calls of DynamoDB Streams that the poller makes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

ARN = "arn:aws:dynamodb:us-east-1:000000000000:table/tallybook-inbox/stream/1"
Row = dict[str, Any]


class FakeStream:
    """Shards with records. An iterator is "shard position"; the last page of a closed shard has no next iterator."""

    def __init__(self) -> None:
        self.records: dict[str, list[Row]] = {}
        self.parents: dict[str, str | None] = {}
        self.closed: set[str] = set()
        self.trimmed: set[str] = set()
        self.errors: list[Exception] = []
        self.page_shards = 1
        self.reads = 0
        self._last_sequence = 0

    def add_shard(self, shard: str, parent: str | None = None) -> None:
        self.records[shard], self.parents[shard] = [], parent

    def write(self, shard: str, *commands: str, event: str = "INSERT") -> None:
        """Append a record for each command, with ascending sequence numbers."""
        for command in commands:
            self._last_sequence += 1
            self.records[shard].append(_record(command, event, f"{self._last_sequence:024d}"))

    def describe_stream(self, **request: Any) -> dict[str, Any]:
        self._fail()
        names = list(self.records)
        after = request.get("ExclusiveStartShardId")
        start = names.index(after) + 1 if after else 0
        page = names[start : start + self.page_shards]
        shards = [{"ShardId": name} | self._parent(name) for name in page]
        last = {"LastEvaluatedShardId": page[-1]} if start + self.page_shards < len(names) else {}
        return {"StreamDescription": {"Shards": shards, **last}}

    def get_shard_iterator(self, **request: Any) -> dict[str, str]:
        shard, kind = request["ShardId"], request["ShardIteratorType"]
        if kind == "TRIM_HORIZON":
            return {"ShardIterator": f"{shard} 0"}
        assert kind == "AFTER_SEQUENCE_NUMBER"
        numbers = [record["dynamodb"]["SequenceNumber"] for record in self.records[shard]]
        if shard in self.trimmed:
            raise error_named("TrimmedDataAccessException")
        return {"ShardIterator": f"{shard} {numbers.index(request['SequenceNumber']) + 1}"}

    def get_records(self, **request: Any) -> dict[str, Any]:
        self.reads += 1
        self._fail()
        shard, start = request["ShardIterator"].split()
        end = int(start) + request["Limit"]
        page = self.records[shard][int(start) : end]
        at_end = shard in self.closed and end >= len(self.records[shard])
        following = {} if at_end else {"NextShardIterator": f"{shard} {int(start) + len(page)}"}
        return {"Records": page, **following}

    def _parent(self, shard: str) -> dict[str, str]:
        parent = self.parents[shard]
        return {"ParentShardId": parent} if parent else {}

    def _fail(self) -> None:
        if self.errors:
            raise self.errors.pop(0)


def error_named(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "as told"}}, "GetRecords")


def _record(command: str, event: str, sequence: str) -> Row:
    image = {"book": {"S": "b"}, "command": {"S": command}, "expires": {"N": "7"}, "facts": {"B": b"\x00\xff"}}
    change = {
        "ApproximateCreationDateTime": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        "Keys": {"book": {"S": "b"}, "command": {"S": command}},
        "NewImage": image,
        "SequenceNumber": sequence,
        "SizeBytes": 40,
        "StreamViewType": "NEW_IMAGE",
    }
    head = {"eventID": sequence, "eventName": event, "eventVersion": "1.1", "eventSource": "aws:dynamodb"}
    return {**head, "awsRegion": "us-east-1", "dynamodb": change}
