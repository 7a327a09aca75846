"""The one way to DynamoDB: plain values in and out, and one exception class for each outcome of a write.

Nothing here knows which engine answers: the standard AWS variables decide.

In expressions every attribute is written ``#name``: DynamoDB reserves hundreds of words, and the map of names that it
wants is derived from the expression.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.stores.attribute_values import plain, typed
from chalicelib.stores.side_by_side import Together, in_turn

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

Value = str | int | bytes | bool | None | list["Value"] | dict[str, "Value"]
T = TypeVar("T")
Row = dict[str, Any]
"""A row as plain values: str, int, bytes, bool, None, lists and dicts of them. No floats, no Decimals."""

BATCH_GET_KEYS_MAX = 100
BATCH_WRITE_ITEMS_MAX = 25
TRANSACT_ATTEMPTS_MAX = 6
HTTP_SERVER_FAULT = 500
BATCH_ATTEMPTS_MAX = 8

_NAME = re.compile(r"#(\w+)")
_THROTTLED = {
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingException",
    "TransactionInProgressException",
}
_RETRIABLE_REASONS = {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}


class ConditionFailed(Exception):
    """A conditional write was refused by its condition; ``row`` is what stood there (None: nothing)."""

    def __init__(self, row: Row | None) -> None:
        super().__init__("the row is not as the write expects it")
        self.row = row


class TransactionRefused(Exception):
    """A transaction was refused by conditions; nothing of it was done.

    refused: index of each write whose condition failed, with what stood there (None: nothing).
    """

    def __init__(self, refused: dict[int, Row | None]) -> None:
        super().__init__(f"conditions failed at {sorted(refused)}")
        self.refused = refused


class Unavailable(Exception):
    """DynamoDB did not take the call (throttled, conflicting, out of reach); nothing was changed by it."""


class OutcomeUnknown(Exception):
    """The connection or the service failed on a write: it may or may not have been done."""


@dataclass(frozen=True, slots=True)
class Put:
    """Write a whole row. ``condition`` uses #names and :values; None: unconditional."""

    table: str
    row: Mapping[str, Any]
    condition: str | None = None
    values: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Update:
    """Change some attributes of a row; creates the row where the condition lets it.

    names: what a #name stands for, where that is not the name itself.
    """

    table: str
    key: Mapping[str, Any]
    expression: str
    condition: str | None = None
    values: Mapping[str, Any] | None = None
    names: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove a row, where the condition lets it; nothing happens where there is none."""

    table: str
    key: Mapping[str, Any]
    condition: str | None = None
    values: Mapping[str, Any] | None = None


Write = Put | Update | Delete


def encode(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row in DynamoDB's typed form. Raises decimal.Inexact for a number of over 38 digits."""
    return {name: typed(value) for name, value in row.items()}


def decode(item: Mapping[str, Any]) -> Row:
    """Return a typed item as plain values."""
    return {name: plain(value) for name, value in item.items()}


def _failure_of(error: ClientError | BotoCoreError, *, is_write: bool) -> Exception:
    """Return what a failed call means; the error itself where it is a bug or a missing table or permission."""
    if isinstance(error, BotoCoreError):
        return OutcomeUnknown(str(error)) if is_write else Unavailable(str(error))
    if error.response["Error"]["Code"] in _THROTTLED:
        return Unavailable(str(error))
    if error.response["ResponseMetadata"]["HTTPStatusCode"] >= HTTP_SERVER_FAULT:
        return OutcomeUnknown(str(error)) if is_write else Unavailable(str(error))
    return error


def _names_in(*expressions: str | None, names: Mapping[str, str] | None = None) -> dict[str, str]:
    found = {f"#{name}": name for expression in expressions if expression for name in _NAME.findall(expression)}
    return found | dict(names or {})


class Database:
    """The tables of one deployment. ``prefix`` is the first part of their names.

    pause: waits so many seconds before a call is tried again. together: makes the writes of ``write_each``.
    """

    def __init__(
        self,
        client: DynamoDBClient,
        prefix: str,
        pause: Callable[[float], None] = time.sleep,
        together: Together = in_turn,
    ) -> None:
        self._client = client
        self._prefix = prefix
        self._pause = pause
        self._together = together

    def name(self, table: str) -> str:
        return f"{self._prefix}-{table}"

    def get(self, table: str, key: Mapping[str, Any]) -> Row | None:
        """Return the row as of now (consistent), or None."""
        try:
            answer = self._client.get_item(TableName=self.name(table), Key=encode(key), ConsistentRead=True)
        except (ClientError, BotoCoreError) as error:
            raise _failure_of(error, is_write=False) from error
        item = answer.get("Item")
        return decode(item) if item else None

    def get_many(self, table: str, keys: Sequence[Mapping[str, Any]]) -> list[Row]:
        """Return the rows that exist of these keys as of now, in no order."""
        rows: list[Row] = []
        for start in range(0, len(keys), BATCH_GET_KEYS_MAX):
            chunk = [encode(key) for key in keys[start : start + BATCH_GET_KEYS_MAX]]
            wanted: Any = {self.name(table): {"Keys": chunk, "ConsistentRead": True}}
            for attempt in range(BATCH_ATTEMPTS_MAX):
                try:
                    answer = self._client.batch_get_item(RequestItems=wanted)
                except (ClientError, BotoCoreError) as error:
                    raise _failure_of(error, is_write=False) from error
                rows.extend(decode(item) for item in answer["Responses"].get(self.name(table), []))
                wanted = answer.get("UnprocessedKeys")
                if not wanted:
                    break
                self._back_off(attempt)
            else:
                raise Unavailable("batch reads stay unprocessed")
        return rows

    def query(self, table: str, condition: str, values: Mapping[str, Any], **options: Any) -> Iterator[Row]:
        """Yield the rows that the key condition names, page after page; ``options`` are those of Query."""
        options.setdefault("ConsistentRead", "IndexName" not in options)
        names = _names_in(condition, options.get("ProjectionExpression"))
        if names:
            options["ExpressionAttributeNames"] = names
        pages = self._client.get_paginator("query").paginate(
            TableName=self.name(table),
            KeyConditionExpression=condition,
            ExpressionAttributeValues=encode(values),
            **options,
        )
        try:
            for page in pages:
                yield from map(decode, page["Items"])
        except (ClientError, BotoCoreError) as error:
            raise _failure_of(error, is_write=False) from error

    def scan(self, table: str) -> Iterator[Row]:
        """Yield every row of a table. For operators and tests; its cost is the table's size."""
        try:
            for page in self._client.get_paginator("scan").paginate(TableName=self.name(table), ConsistentRead=True):
                yield from map(decode, page["Items"])
        except (ClientError, BotoCoreError) as error:
            raise _failure_of(error, is_write=False) from error

    def write(self, write: Write) -> Row:
        """Do one write; return the row as an Update leaves it ({} for a Put and for a Delete).

        A conflict with a transaction that runs at that moment is tried again, a bounded number of times.
        Raises ConditionFailed (nothing changed), Unavailable (nothing changed) or OutcomeUnknown.
        """
        return self._write(write, returned="ALL_NEW")

    def _write(self, write: Write, returned: Literal["ALL_NEW", "NONE"]) -> Row:
        request = self._request(write)
        for attempt in range(TRANSACT_ATTEMPTS_MAX):
            try:
                if isinstance(write, Put):
                    self._client.put_item(**request)
                    return {}
                if isinstance(write, Delete):
                    self._client.delete_item(**request)
                    return {}
                return decode(self._client.update_item(**request, ReturnValues=returned).get("Attributes", {}))
            except ClientError as error:
                code = error.response["Error"]["Code"]
                if code == "ConditionalCheckFailedException":
                    item: Any = error.response.get("Item")
                    raise ConditionFailed(decode(item) if item else None) from error
                if code != "TransactionConflictException":
                    raise _failure_of(error, is_write=True) from error
            except BotoCoreError as error:
                raise _failure_of(error, is_write=True) from error
            self._back_off(attempt)
        raise Unavailable("transactions on this row keep conflicting")

    def write_each(self, writes: Sequence[Write]) -> dict[int, Row | None]:
        """Do writes that have nothing to do with each other, each on its own and in any order, several at once.

        Returns the index of each write that its condition refused, with what stood there (None: nothing). Raises
        Unavailable or OutcomeUnknown where one failed otherwise; then any of the others may be done or not.
        """
        refused: dict[int, Row | None] = {}

        def write_of(index: int, write: Write) -> None:
            try:
                self._write(write, returned="NONE")
            except ConditionFailed as error:
                refused[index] = error.row

        self._together([partial(write_of, index, write) for index, write in enumerate(writes)])
        return refused

    def transact(self, writes: Sequence[Write]) -> None:
        """Do all writes or none. Conflicts and throttles are tried again, a bounded number of times.

        Raises TransactionRefused (nothing changed), Unavailable (nothing changed) or OutcomeUnknown.
        """
        items: list[Any] = [{type(write).__name__: self._request(write)} for write in writes]
        for attempt in range(TRANSACT_ATTEMPTS_MAX):
            try:
                self._client.transact_write_items(TransactItems=items)
                return
            except ClientError as error:
                reasons: Any = error.response.get("CancellationReasons", [])
                refused = {
                    index: decode(reason["Item"]) if reason.get("Item") else None
                    for index, reason in enumerate(reasons)
                    if reason.get("Code") == "ConditionalCheckFailed"
                }
                if refused:
                    raise TransactionRefused(refused) from error
                if not any(reason.get("Code") in _RETRIABLE_REASONS for reason in reasons):
                    raise _failure_of(error, is_write=True) from error
            except BotoCoreError as error:
                raise _failure_of(error, is_write=True) from error
            self._back_off(attempt)
        raise Unavailable("transactions on these rows keep conflicting")

    def put_many(self, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Write whole rows, unconditionally: only for rows that are the same whenever they are written."""
        self._write_batches(table, ({"PutRequest": {"Item": encode(row)}} for row in rows))

    def delete_many(self, table: str, keys: Iterable[Mapping[str, Any]]) -> None:
        """Remove the rows of these keys, unconditionally: only rows that nobody needs any more."""
        self._write_batches(table, ({"DeleteRequest": {"Key": encode(key)}} for key in keys))

    def _write_batches(self, table: str, requests: Iterable[Any]) -> None:
        for chunk in batched(requests, BATCH_WRITE_ITEMS_MAX):
            unwritten: Any = {self.name(table): chunk}
            for attempt in range(BATCH_ATTEMPTS_MAX):
                try:
                    unwritten = self._client.batch_write_item(RequestItems=unwritten).get("UnprocessedItems")
                except (ClientError, BotoCoreError) as error:
                    raise _failure_of(error, is_write=True) from error
                if not unwritten:
                    break
                self._back_off(attempt)
            else:
                raise Unavailable("batch writes stay unprocessed")

    def _back_off(self, attempt: int) -> None:
        """Wait a random moment, longer with each attempt (full jitter, 1 s at most)."""
        self._pause(random.uniform(0, min(1.0, 0.02 * 2**attempt)))

    def _request(self, write: Write) -> dict[str, Any]:
        request: dict[str, Any] = {"TableName": self.name(write.table)}
        if isinstance(write, Put):
            request["Item"] = encode(write.row)
        else:
            request["Key"] = encode(write.key)
        if isinstance(write, Update):
            request["UpdateExpression"] = write.expression
        expression, names = (write.expression, write.names) if isinstance(write, Update) else (None, None)
        names = _names_in(expression, write.condition, names=names)
        if names:
            request["ExpressionAttributeNames"] = names
        if write.condition:
            request["ConditionExpression"] = write.condition
            request["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        if write.values:
            request["ExpressionAttributeValues"] = encode(write.values)
        return request


def batched(values: Iterable[T], size: int) -> Iterator[list[T]]:
    """Cut into lists of this size; the last one may be shorter."""
    rest = iter(values)
    while chunk := list(islice(rest, size)):
        yield chunk
