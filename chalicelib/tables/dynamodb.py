"""DynamoDB client: plain values (``rows``) in and out, and one exception class for each outcome of a write.

A write (``writes``) is judged by all attempts that the SDK has made at it (``attempts``). Unavailable means that none
of them changed anything. If one of them may have been carried out and a later one was refused, the row found tells
(``IsOwn``), or for a transaction what the caller reads (``IsDone``). If these cannot tell either, the outcome is
OutcomeUnknown.

The code is the same for every engine: the standard AWS variables choose it. Expressions write every attribute as
``#name``, because DynamoDB reserves hundreds of words; the map of names is derived from the expression.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from threading import local
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from uuid import uuid4

from chalicelib.support.outcomes import Unavailable
from chalicelib.support.telemetry import logger
from chalicelib.tables.attempts import REASONS, Attempts, Meaning, Pause, read_call, record_attempts, tries
from chalicelib.tables.parallel import Call, Runner, sequentially
from chalicelib.tables.read_ahead import Item, ReadAhead, RowAt, row_at
from chalicelib.tables.rows import Row, decode, encode
from chalicelib.tables.wire import write_directly
from chalicelib.tables.writes import (
    ConditionFailed,
    Delete,
    IsDone,
    IsOwn,
    Put,
    TransactionRefused,
    Update,
    Write,
    as_refused,
    names_in,
    own_of,
    request_of,
    statement_of,
)

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

T = TypeVar("T")
BATCH_GET_KEYS_MAX = 100
BATCH_WRITE_ITEMS_MAX = 25
BATCH_STATEMENTS_MAX = 25
CONFLICT_TRIES_MAX = 6
"""Tries of a write that conflicts with a transaction on one of its rows."""
BATCH_TRIES_MAX = 8


def _pages(pages: Iterable[Any]) -> Iterator[Row]:
    """Yield the rows of a paginator's pages, fetched on demand."""
    rest = iter(pages)
    while (page := read_call(lambda: next(rest, None))) is not None:
        yield from map(decode, page["Items"])


class Database:
    """The tables of one deployment. ``prefix``: first part of their names.

    pause: sleeps between two tries of a call or a command (``attempts.tries``). together: runs calls that do not depend
    on each other.
    """

    def __init__(
        self,
        client: DynamoDBClient,
        prefix: str,
        pause: Pause = time.sleep,
        together: Runner = sequentially,
    ) -> None:
        self._client = client
        self._prefix = prefix
        self.pause = pause
        self.together = together
        self._thread = local()
        record_attempts(client)
        write_directly(client)

    def name(self, table: str) -> str:
        return f"{self._prefix}-{table}"

    @contextmanager
    def reading_ahead(self, learn: Callable[[str, Row], None]) -> Iterator[ReadAhead]:
        """Read what this thread is expected to read together, until the context ends (``read_ahead``)."""
        self._thread.ahead = ahead = ReadAhead(learn)
        try:
            yield ahead
        finally:
            self._thread.ahead = None

    @property
    def _ahead(self) -> ReadAhead | None:
        return getattr(self._thread, "ahead", None)

    def get(self, table: str, key: Mapping[str, Any]) -> Row | None:
        """Return the row, read consistently, or None."""
        item = self._taken(table, key)
        if item is None:
            request: Any = {"TableName": self.name(table), "Key": encode(key), "ConsistentRead": True}
            item = read_call(lambda: self._client.get_item(**request)).get("Item")
        return self._learnt(table, decode(item)) if item else None

    def get_many(self, table: str, keys: Sequence[Mapping[str, Any]]) -> list[Row]:
        """Return the existing rows of these keys, read consistently, in no order; 100 a call, several in parallel."""
        return self.get_of_each({table: keys})[table]

    def get_of_each(
        self, keys: Mapping[str, Sequence[Mapping[str, Any]]], *, consistently: bool = True
    ) -> dict[str, list[Row]]:
        """Return the existing rows of these keys by table, as ``get_many``; a call may read several tables.

        consistently: otherwise, at half the cost, a row may be as it was a moment ago.
        """
        taken = [(table, key, self._taken(table, key)) for table, its_keys in keys.items() for key in its_keys]
        items: list[tuple[str, Item]] = [(table, item) for table, _, item in taken if item]
        left = [(table, encode(key)) for table, key, item in taken if item is None]

        def read(wanted_keys: Sequence[tuple[str, Item]]) -> None:
            wanted: Any = {}
            for table, key in wanted_keys:
                of_table = wanted.setdefault(self.name(table), {"Keys": [], "ConsistentRead": consistently})
                of_table["Keys"].append(key)
            for _ in tries(BATCH_TRIES_MAX, self.pause):
                answer = read_call(partial(self._client.batch_get_item, RequestItems=wanted))
                items.extend((table, item) for table in keys for item in answer["Responses"].get(self.name(table), []))
                wanted = answer.get("UnprocessedKeys")
                if not wanted:
                    return
            raise Unavailable("batch reads stay unprocessed")

        self.together([partial(read, some) for some in batched(left, BATCH_GET_KEYS_MAX)])
        found: dict[str, list[Row]] = {table: [] for table in keys}
        for table, item in items:
            found[table].append(self._learnt(table, decode(item)))
        return found

    def _taken(self, table: str, key: Mapping[str, Any]) -> Item | None:
        """Return the item if it is read ahead, {} if there is none; None if it must be read from its table."""
        ahead = self._ahead
        return None if ahead is None else ahead.take(row_at(table, key), self._get_several)

    def _get_several(self, rows: Sequence[RowAt]) -> dict[RowAt, Item]:
        """Return the items of these rows of any tables, {} for missing ones, read consistently by one call.

        Leaves out unprocessed ones, and those beyond BATCH_GET_KEYS_MAX: they are read when they are asked for.
        """
        keys: dict[str, dict[RowAt, Item]] = {}
        for row in rows[:BATCH_GET_KEYS_MAX]:
            keys.setdefault(row[0], {})[row] = encode(dict(row[1]))
        wanted: Any = {
            self.name(table): {"Keys": [*of_table.values()], "ConsistentRead": True} for table, of_table in keys.items()
        }
        answer: Any = read_call(partial(self._client.batch_get_item, RequestItems=wanted))
        found: dict[RowAt, Item] = {}
        for table, of_table in keys.items():
            items = answer["Responses"].get(self.name(table), [])
            unread = answer.get("UnprocessedKeys", {}).get(self.name(table), {}).get("Keys", [])
            for row, key in of_table.items():
                if key not in unread:
                    found[row] = next((item for item in items if key.items() <= item.items()), {})
        return found

    def _read_anew(self) -> None:
        """Hand out nothing more that was read ahead: the request writes."""
        if self._ahead is not None:
            self._ahead.drop()

    def _learnt(self, table: str, row: Row) -> Row:
        """Return the row; what reads ahead for the request learns from it."""
        if self._ahead is not None:
            self._ahead.learn(table, row)
        return row

    def query(self, table: str, condition: str, values: Mapping[str, Any], **options: Any) -> Iterator[Row]:
        """Yield the rows that match the key condition, page by page. ``options``: those of Query."""
        options.setdefault("ConsistentRead", "IndexName" not in options)
        names = names_in(condition, options.get("ProjectionExpression"))
        if names:
            options["ExpressionAttributeNames"] = names
        pages = self._client.get_paginator("query").paginate(
            TableName=self.name(table),
            KeyConditionExpression=condition,
            ExpressionAttributeValues=encode(values),
            **options,
        )
        return (self._learnt(table, row) for row in _pages(pages))

    def scan(self, table: str) -> Iterator[Row]:
        """Yield every row of a table. Costs the size of the table."""
        return _pages(self._client.get_paginator("scan").paginate(TableName=self.name(table), ConsistentRead=True))

    def write(self, write: Write, is_own: IsOwn | None = None) -> Row:
        """Do one write. Return the row as an Update leaves it ({} for a Put and a Delete).

        A conflict with a concurrent transaction is retried, a bounded number of times. is_own: judges the row found by
        a refused attempt that came after one that may have been carried out. Its default None means: a Put is done if
        exactly its row is found, so that row must be unique to the write; a Delete is refused, because another may have
        removed the row (T157); an Update cannot be judged.

        Raises ConditionFailed (nothing changed), Unavailable (nothing changed) or OutcomeUnknown.
        """
        return self._write(write, is_own or own_of(write), returned="ALL_NEW")

    def _write(
        self, write: Write, is_own: IsOwn, returned: Literal["ALL_NEW", "NONE"], may_be_done: bool = False
    ) -> Row:
        self._read_anew()
        operation, attempts = self._operation(write, returned), Attempts(may_be_done)
        for _ in tries(CONFLICT_TRIES_MAX, self.pause):
            answer = attempts.call(operation)
            if attempts.meaning is not Meaning.BUSY:
                break
        if attempts.meaning is Meaning.DONE:
            return decode(answer.get("Attributes", {}))
        if attempts.meaning is not Meaning.REFUSED:
            raise attempts.outcome() from attempts.failure
        item = attempts.refusal.get("Item")
        row = decode(item) if item else None
        is_done = is_own(row) if attempts.may_be_done else False
        if is_done is None:
            raise attempts.outcome() from attempts.failure
        if not is_done:
            raise ConditionFailed(row) from attempts.failure
        return row or {}

    def _operation(self, write: Write, returned: Literal["ALL_NEW", "NONE"]) -> Callable[[], Any]:
        request = request_of(write, self.name(write.table))
        match write:
            case Put():
                return partial(self._client.put_item, **request)
            case Delete():
                return partial(self._client.delete_item, **request)
            case Update():
                return partial(self._client.update_item, **request, ReturnValues=returned)

    def write_each(self, writes: Sequence[Write], beside: Sequence[Call] = ()) -> dict[int, Row | None]:
        """Do independent writes of different rows, each on its own, in any order, several in parallel.

        Each must be of a kind that may be done twice: its condition fails once it is done. Writes that have a statement
        (``statements``) share calls; whatever a call does not say is done is written singly (T65), so each write is
        judged by its own condition. beside: other calls made at the same time.

        Return the index of each write whose condition failed, with the row found (None: none). An earlier attempt at
        the same write may have left that row, so the caller judges by the row. Raises Unavailable or OutcomeUnknown if
        one failed otherwise; any of the others may be done or not.
        """
        refused: dict[int, Row | None] = {}
        undone: dict[int, bool] = {}

        def write_of(index: int, may_be_done: bool = False) -> None:
            try:
                self._write(writes[index], as_refused, "NONE", may_be_done)
            except ConditionFailed as error:
                refused[index] = error.row

        translated = [(index, statement_of(write, self.name(write.table))) for index, write in enumerate(writes)]
        batches = list(batched([one for one in translated if one[1]], BATCH_STATEMENTS_MAX))
        shared = [partial(self._execute, batch, undone) for batch in batches if len(batch) > 1]
        single = [index for index, statement in translated if not statement]
        single += [index for batch in batches if len(batch) == 1 for index, _ in batch]
        self.together([*shared, *(partial(write_of, index) for index in single), *beside])
        self.together([partial(write_of, *each) for each in undone.items()])
        return refused

    def _execute(self, batch: Sequence[tuple[int, Any]], undone: dict[int, bool]) -> None:
        """Execute statements in one call. Add those that it does not say are done, and whether they may be.

        Raises Unavailable or OutcomeUnknown if the call is throttled.
        """
        attempts = Attempts()
        answer = attempts.call(
            partial(self._client.batch_execute_statement, Statements=[statement for _, statement in batch])
        )
        if attempts.meaning is Meaning.NOT_TAKEN:
            raise attempts.outcome() from attempts.failure
        if attempts.meaning is Meaning.FAULTY:
            logger.warning("a call of statements is refused; its writes are made singly", exc_info=attempts.failure)
        responses: list[Any] = [] if answer is None else answer.get("Responses", [])
        if len(responses) != len(batch):
            attempts.may_be_done |= answer is not None
            responses = [{"Error": {}}] * len(batch)
        for (index, _), response in zip(batch, responses, strict=True):
            if "Error" in response:
                is_lost = REASONS.get(response["Error"].get("Code")) is Meaning.PERHAPS_DONE
                undone[index] = attempts.may_be_done or is_lost

    def transact(self, writes: Sequence[Write], is_done: IsDone | None = None) -> None:
        """Do all writes or none. Conflicts and throttling are retried, a bounded number of times.

        All attempts carry one request token, which makes them idempotent for ten minutes, far longer than they take.
        is_done: called if an attempt may have been carried out and none was answered so. None: that cannot be read.

        Raises TransactionRefused (nothing changed), Unavailable (nothing changed) or OutcomeUnknown.
        """
        self._read_anew()
        items: list[Any] = [{type(write).__name__: request_of(write, self.name(write.table))} for write in writes]
        operation = partial(self._client.transact_write_items, TransactItems=items, ClientRequestToken=str(uuid4()))
        attempts = Attempts()
        for _ in tries(CONFLICT_TRIES_MAX, self.pause):
            attempts.call(operation)
            if attempts.meaning is not Meaning.BUSY:
                break
        if attempts.meaning is Meaning.DONE or (attempts.may_be_done and self._is_done(attempts, is_done)):
            return
        if attempts.meaning is not Meaning.REFUSED:
            raise attempts.outcome() from attempts.failure
        raise TransactionRefused(
            {
                index: decode(reason["Item"]) if reason.get("Item") else None
                for index, reason in enumerate(attempts.refusal["CancellationReasons"])
                if REASONS.get(reason.get("Code")) is Meaning.REFUSED
            }
        ) from attempts.failure

    def _is_done(self, attempts: Attempts, is_done: IsDone | None) -> bool:
        """Return whether a possibly done transaction was done. Raises OutcomeUnknown if that cannot be told."""
        try:
            is_there = None if is_done is None else is_done()
        except Unavailable as error:
            raise attempts.outcome() from error
        if is_there is None:
            raise attempts.outcome() from attempts.failure
        return is_there

    def put_many(self, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Write whole rows, unconditionally: only for rows with the same content whenever they are written.

        Raises Unavailable (none of them was written) or OutcomeUnknown (any of them may be): write them all again.
        """
        self._write_batches(table, ({"PutRequest": {"Item": encode(row)}} for row in rows))

    def put_calls(self, table: str, rows: Iterable[Mapping[str, Any]]) -> list[Call]:
        """Return the calls that write rows as put_many does: to make in any order, in parallel too."""
        requests = ({"PutRequest": {"Item": encode(row)}} for row in rows)
        return [partial(self._write_batches, table, chunk) for chunk in batched(requests, BATCH_WRITE_ITEMS_MAX)]

    def delete_many(self, table: str, keys: Iterable[Mapping[str, Any]]) -> None:
        """Remove rows by key, unconditionally: only for rows that are no longer needed. Raises as put_many."""
        self._write_batches(table, ({"DeleteRequest": {"Key": encode(key)}} for key in keys))

    def _write_batches(self, table: str, requests: Iterable[Any]) -> None:
        attempts = Attempts()
        for chunk in batched(requests, BATCH_WRITE_ITEMS_MAX):
            unwritten: Any = {self.name(table): chunk}
            for _ in tries(BATCH_TRIES_MAX, self.pause):
                answer = attempts.call(partial(self._client.batch_write_item, RequestItems=unwritten))
                if attempts.meaning is not Meaning.DONE:
                    raise attempts.outcome() from attempts.failure
                left = answer.get("UnprocessedItems")
                attempts.may_be_done |= left != unwritten
                unwritten = left
                if not unwritten:
                    break
            else:
                raise attempts.outcome()


def batched(values: Iterable[T], size: int) -> Iterator[list[T]]:
    """Split into lists of this size; the last one may be shorter."""
    rest = iter(values)
    while chunk := list(islice(rest, size)):
        yield chunk
