"""A metering DynamoDB client: adds up what its calls would cost on AWS, with any engine behind it.

Reads are counted from requests and answers. Writes are counted from the row before and after, which the meter reads
itself, uncounted; so it supports one caller at a time. A refused write, or statement of a batch, costs as much as a
successful one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from time import process_time
from typing import Any

from benchmarks import units
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.parallel import sequentially
from chalicelib.wiring import WRITES_AT_ONCE
from infra.tables import table_definitions
from tests.memory.statements import statement_of

Answer = dict[str, Any]
Call = Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Cost:
    """rows_read: rows and index entries that reads examined."""

    rows_read: int = 0
    read_units: float = 0.0
    write_units: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.rows_read + other.rows_read,
            self.read_units + other.read_units,
            self.write_units + other.write_units,
        )


@dataclass(slots=True)
class Bill:
    """calls: requests to DynamoDB. tables: cost by table, by its short name.

    rounds: round trips in sequence; parallel calls are one round.
    """

    calls: int = 0
    rounds: int = 0
    tables: dict[str, Cost] = field(default_factory=dict)

    def of(self, table: str) -> Cost:
        return self.tables.get(table, Cost())

    @property
    def total(self) -> Cost:
        return sum(self.tables.values(), Cost())


class Meter:
    """The metering client. ``bill``: the total so far. ``own_cpu_s``: CPU time of the meter itself."""

    def __init__(self, client: Any, prefix: str) -> None:
        self._client = client
        self._prefix = prefix
        definitions = {one.name: one.create_request for one in table_definitions(prefix)}
        self._indexes = {name: units.indexes_of(request) for name, request in definitions.items()}
        self._keys = {name: [one["AttributeName"] for one in it["KeySchema"]] for name, it in definitions.items()}
        self.bill = Bill()
        self.own_cpu_s = 0.0

    def take(self) -> Bill:
        """Return the bill since the last call of this method."""
        taken, self.bill = self.bill, Bill()
        return taken

    def together(self, calls: Sequence[Call]) -> None:
        """Make parallel calls in sequence, and count them in rounds of the program's parallelism."""
        rounds = self.bill.rounds
        sequentially(calls)
        self.bill.rounds = rounds + ceil(len(calls) / WRITES_AT_ONCE)

    def _count_call(self) -> None:
        self.bill.calls += 1
        self.bill.rounds += 1

    def _count(self, table: str, cost: Cost) -> None:
        name = table.removeprefix(f"{self._prefix}-")
        self.bill.tables[name] = self.bill.of(name) + cost

    # Reads

    def get_item(self, **request: Any) -> Answer:
        answer: Answer = self._client.get_item(**_whole_rows(request))
        item = answer.get("Item")
        used = units.get_units(item, consistent=_is_consistent(request))
        self._count_call()
        self._count(request["TableName"], Cost(rows_read=int(item is not None), read_units=used))
        return answer

    def batch_get_item(self, **request: Any) -> Answer:
        answer: Answer = self._client.batch_get_item(**request)
        self._count_call()
        for table, wanted in request["RequestItems"].items():
            items = answer["Responses"].get(table, [])
            unread = len(answer.get("UnprocessedKeys", {}).get(table, {}).get("Keys", ()))
            missing = len(_whole_rows(wanted)["Keys"]) - unread - len(items)
            used = units.batch_get_units(items, missing, consistent=_is_consistent(wanted))
            self._count(table, Cost(rows_read=len(items), read_units=used))
        return answer

    def query(self, **request: Any) -> Answer:
        return self._page("query", request)

    def scan(self, **request: Any) -> Answer:
        return self._page("scan", request)

    def _page(self, operation: str, request: Mapping[str, Any]) -> Answer:
        ask = getattr(self._client, operation)
        examined: Answer = ask(**_whole_rows(_unprojected(request)))
        answer = ask(**request) if "ProjectionExpression" in request else examined
        used = units.query_units(examined["Items"], consistent=_is_consistent(request))
        self._count_call()
        self._count(request["TableName"], Cost(rows_read=len(answer["Items"]), read_units=used))
        return answer

    def get_paginator(self, operation: str) -> _Pages:
        return _Pages({"query": self.query, "scan": self.scan}[operation])

    # Writes

    def put_item(self, **request: Any) -> Answer:
        return self._write([("Put", request)], lambda: self._client.put_item(**request))

    def update_item(self, **request: Any) -> Answer:
        return self._write([("Update", request)], lambda: self._client.update_item(**request))

    def delete_item(self, **request: Any) -> Answer:
        return self._write([("Delete", request)], lambda: self._client.delete_item(**request))

    def transact_write_items(self, **request: Any) -> Answer:
        actions = [next(iter(action.items())) for action in request["TransactItems"]]
        call = lambda: self._client.transact_write_items(**request)  # noqa: E731
        return self._write(actions, call, in_transaction=True)

    def batch_write_item(self, **request: Any) -> Answer:
        actions = []
        for table, wanted in request["RequestItems"].items():
            for one in wanted:
                ((kind, body),) = one.items()
                actions.append((kind.removesuffix("Request"), {"TableName": table, **body}))
        return self._write(actions, lambda: self._client.batch_write_item(**request))

    def batch_execute_statement(self, **request: Any) -> Answer:
        actions = [self._action_of(**one) for one in request["Statements"]]
        return self._write(actions, lambda: self._client.batch_execute_statement(**request))

    def _action_of(self, *, Statement: str, Parameters: list[Any], **_rest: Any) -> tuple[str, Mapping[str, Any]]:
        """Return a PartiQL statement as the single write that costs the same."""
        statement = statement_of(Statement)
        named = {attribute: Parameters[int(parameter[1:])] for attribute, parameter in statement.equal}
        if statement.kind == "INSERT":
            return "Put", {"TableName": statement.table, "Item": named}
        return statement.kind, {"TableName": statement.table, "Key": named}

    def _write(self, actions: list[tuple[str, Any]], call: Call, *, in_transaction: bool = False) -> Answer:
        keys = [(request["TableName"], self._key_of(kind, request)) for kind, request in actions]
        before = self._rows(keys)
        refused = [request.get("Item", old) for (_, request), old in zip(actions, before, strict=True)]
        try:
            answer: Answer = call()
        except Exception:
            self._count_writes(keys, before, refused, [False] * len(keys), in_transaction=in_transaction)
            raise
        done = ["Error" not in one for one in answer.get("Responses", [{}] * len(keys))]
        after = [new if is_done else row for new, row, is_done in zip(self._rows(keys), refused, done, strict=True)]
        self._count_writes(keys, before, after, done, in_transaction=in_transaction)
        return answer

    def _count_writes(
        self, keys: list[Any], before: list[Any], after: list[Any], done: list[bool], *, in_transaction: bool
    ) -> None:
        self._count_call()
        for (table, _), old, new, is_done in zip(keys, before, after, done, strict=True):
            used = units.write_units(old, new, in_transaction=in_transaction)
            if is_done:
                used += sum(units.index_units(index, old, new) for index in self._indexes[table])
            self._count(table, Cost(write_units=used))

    def _key_of(self, kind: str, request: Mapping[str, Any]) -> units.Item:
        row = request["Item"] if kind == "Put" else request["Key"]
        return {name: row[name] for name in self._keys[request["TableName"]]}

    def _rows(self, keys: Iterable[tuple[str, units.Item]]) -> list[units.Item | None]:
        """Return the current rows, uncounted."""
        get, started = self._client.get_item, process_time()
        rows = [get(TableName=table, Key=key, ConsistentRead=True).get("Item") for table, key in keys]
        self.own_cpu_s += process_time() - started
        return rows


class _Pages:
    """Paginator with boto3's interface; fetches pages on demand."""

    def __init__(self, ask: Callable[..., Answer]) -> None:
        self._ask = ask

    def paginate(self, **request: Any) -> Iterator[Answer]:
        answer = self._ask(**request)
        yield answer
        while "LastEvaluatedKey" in answer:
            answer = self._ask(**request | {"ExclusiveStartKey": answer["LastEvaluatedKey"]})
            yield answer


def metered(database: Database) -> tuple[Database, Meter]:
    """Return the same tables behind a meter, and the meter."""
    meter = Meter(database._client, database._prefix)
    client: Any = meter
    return Database(client, database._prefix, together=meter.together), meter


def _is_consistent(request: Mapping[str, Any]) -> bool:
    return bool(request.get("ConsistentRead", False))


def _unprojected(request: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a query without its projection, which DynamoDB charges the same."""
    if "ProjectionExpression" not in request:
        return request
    rest = {name: value for name, value in request.items() if name != "ProjectionExpression"}
    used = request.get("KeyConditionExpression", "")
    names = {name: stands_for for name, stands_for in request["ExpressionAttributeNames"].items() if name in used}
    return rest | {"ExpressionAttributeNames": names}


def _whole_rows(request: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a read request whose answer shows every row examined. Raises ValueError for others: DynamoDB also charges
    for rows that a filter drops.
    """
    partial = request.keys() & {"ProjectionExpression", "FilterExpression", "AttributesToGet", "Select"}
    if partial:
        raise ValueError(f"what a read with {sorted(partial)} costs cannot be told from its answer")
    return request
