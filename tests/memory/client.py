"""The client: the boto3 operations that the program uses, over in-memory tables."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError, ParamValidationError

from tests.memory.errors import CONDITION_FAILED, EXCEPTIONS, ConditionFailed, Refused, operation
from tests.memory.reads import Paginator, query_page, scan_page
from tests.memory.statements import response_to, statements_of
from tests.memory.tables import Key, Misfit, Row, Table, empty_table
from tests.memory.values import Invalid, Item, copied_item, number
from tests.memory.writes import READERS, Write

PAGE_BYTES_MAX = 1024 * 1024
TRANSACTION_ACTIONS_MAX = 100
TRANSACTION_BYTES_MAX = 4 * 1024 * 1024
BATCH_GET_KEYS_MAX = 100
BATCH_GET_BYTES_MAX = 16 * 1024 * 1024
BATCH_WRITES_MAX = 25
TOKENS_MAX = 100
"""Maximum number of request tokens kept."""

_BATCH_WRITES = {"PutRequest": "Put", "DeleteRequest": "Delete"}
_DUPLICATES = "Provided list of item keys contains duplicates"
_NOT_FOUND = "Requested resource not found"


class MemoryDynamoDB:
    """The tables of one account. ``page_bytes_max``: size of a page of queries and scans, 1 MB on DynamoDB.

    knows_tokens: whether a repeated transaction is recognized by its request token. DynamoDB does so for ten minutes,
    this client for a hundred transactions, the embedded engine never.
    """

    exceptions = SimpleNamespace(ClientError=ClientError, **EXCEPTIONS)

    def __init__(self, page_bytes_max: int = PAGE_BYTES_MAX, *, knows_tokens: bool = True) -> None:
        self._page_bytes_max = page_bytes_max
        self.knows_tokens = knows_tokens
        self._done: dict[str, list[Any]] = {}
        """The last transactions done, by request token."""
        self._tables: dict[str, Table] = {}
        self._sequence = 0

    # For tests alone

    def clone(self) -> MemoryDynamoDB:
        """Return an independent copy."""
        other = MemoryDynamoDB(self._page_bytes_max, knows_tokens=self.knows_tokens)
        other._tables = {name: table.copy() for name, table in self._tables.items()}
        other._sequence = self._sequence
        return other

    def stream(self, table_name: str, start: int = 0) -> list[dict[str, Any]]:
        """Return the INSERTs of a table's stream in commit order, as Lambda events, from index ``start``. They are kept
        for ever.
        """
        return [
            {
                "eventName": "INSERT",
                "dynamodb": {"NewImage": copied_item(item), "SequenceNumber": f"{sequence:024d}"},
            }
            for sequence, item in self._tables[table_name].inserts[start:]
        ]

    def expire(self, now_s: int) -> int:
        """Remove rows whose time to live is at or before now, as DynamoDB does some time later. Return their number."""
        removed = 0
        for table in self._tables.values():
            if table.expiry_attribute is None:
                continue
            for key, row in list(table.rows.items()):
                expiry = row.item.get(table.expiry_attribute, {})
                if "N" in expiry and number(expiry["N"]) <= now_s:
                    self._commit(table, key, None)
                    removed += 1
        return removed

    # Reads

    @operation
    def get_item(
        self,
        *,
        TableName: str,
        Key: Mapping[str, Any],
        ConsistentRead: bool = False,  # noqa: ARG002
    ) -> dict[str, Any]:
        table = self._table(TableName)
        row = table.rows.get(table.schema.key_alone(Key))
        return {"Item": copied_item(row.item)} if row else {}

    @operation
    def batch_get_item(self, *, RequestItems: Mapping[str, Any]) -> dict[str, Any]:
        wanted: list[tuple[Table, Key, Any]] = []
        for name, request in RequestItems.items():
            table = self._table(name)
            keys = request["Keys"]
            if not keys or request.keys() - {"Keys", "ConsistentRead"}:
                raise ParamValidationError(report=f"Keys of {name}: {request}")
            wanted.extend((table, table.schema.key_alone(key), key) for key in keys)
        if len(wanted) > BATCH_GET_KEYS_MAX:
            raise Invalid("Too many items requested for the BatchGetItem call")
        _refuse_repetitions([(table, key) for table, key, _ in wanted], _DUPLICATES)
        answers: dict[str, list[Item]] = {name: [] for name in RequestItems}
        unread: dict[str, Any] = {}
        bytes_read = 0
        for table, key, asked in reversed(wanted):
            row = table.rows.get(key)
            bytes_read += row.size if row else 0
            if bytes_read > BATCH_GET_BYTES_MAX:
                rest = unread.setdefault(table.name, {**RequestItems[table.name], "Keys": []})
                rest["Keys"].append(asked)
            elif row:
                answers[table.name].append(copied_item(row.item))
        return {"Responses": answers, "UnprocessedKeys": unread}

    @operation
    def query(self, *, TableName: str, **request: Any) -> dict[str, Any]:
        return query_page(self._table(TableName), self._page_bytes_max, **request)

    @operation
    def scan(self, *, TableName: str, **request: Any) -> dict[str, Any]:
        return scan_page(self._table(TableName), self._page_bytes_max, **request)

    def get_paginator(self, name: str) -> Paginator:
        return Paginator({"query": self.query, "scan": self.scan}[name])

    # Writes

    @operation
    def put_item(self, *, ReturnValues: str = "NONE", **request: Any) -> dict[str, Any]:
        return self._write_alone(self._read_write("Put", **request), ReturnValues, ("NONE", "ALL_OLD"))

    @operation
    def update_item(self, *, ReturnValues: str = "NONE", **request: Any) -> dict[str, Any]:
        return self._write_alone(self._read_write("Update", **request), ReturnValues, ("NONE", "ALL_OLD", "ALL_NEW"))

    @operation
    def delete_item(self, *, ReturnValues: str = "NONE", **request: Any) -> dict[str, Any]:
        return self._write_alone(self._read_write("Delete", **request), ReturnValues, ("NONE", "ALL_OLD"))

    @operation
    def transact_write_items(self, *, TransactItems: list[Any], ClientRequestToken: str = "") -> dict[str, Any]:
        if ClientRequestToken in self._done:
            if self._done[ClientRequestToken] != TransactItems:
                raise Refused("IdempotentParameterMismatchException", "The token stands for another transaction")
            return {}
        if not TransactItems:
            raise ParamValidationError(report="Invalid length for parameter TransactItems, value: 0, min length: 1")
        if len(TransactItems) > TRANSACTION_ACTIONS_MAX:
            raise Invalid(
                "1 validation error detected: Value at 'transactItems' failed to satisfy constraint: "
                f"Member must have length less than or equal to {TRANSACTION_ACTIONS_MAX}"
            )
        writes: list[Write] = []
        reasons: list[dict[str, Any]] = [{"Code": "None"} for _ in TransactItems]
        for index, action in enumerate(TransactItems):
            ((kind, request),) = action.items()
            try:
                writes.append(self._read_write(kind, **request))
            except Misfit as error:
                if all(reason["Code"] == "None" for reason in reasons):  # DynamoDB reports only the first misfit
                    reasons[index] = {"Code": "ValidationError", "Message": str(error)}
        _refuse_repetitions(
            [(write.table, write.key) for write in writes],
            "Transaction request cannot include multiple operations on one item",
        )
        if sum(write.payload_bytes() for write in writes) > TRANSACTION_BYTES_MAX:
            raise Invalid(f"Transaction payload size cannot exceed {TRANSACTION_BYTES_MAX} bytes")
        if len(writes) < len(TransactItems):
            raise _cancelled(reasons)
        outcomes: list[Row | None] = []
        for write, reason in zip(writes, reasons, strict=True):
            try:
                outcomes.append(write.outcome(write.table.rows.get(write.key)))
            except ConditionFailed as error:
                reason.update(Code="ConditionalCheckFailed", Message=CONDITION_FAILED, **error.more)
            except Invalid as error:
                reason.update(Code="ValidationError", Message=str(error))
        if len(outcomes) < len(writes):
            raise _cancelled(reasons)
        for write, row in zip(writes, outcomes, strict=True):
            if not write.is_check:
                self._commit(write.table, write.key, row)
        if ClientRequestToken and self.knows_tokens:
            self._done[ClientRequestToken] = TransactItems
            if len(self._done) > TOKENS_MAX:
                del self._done[next(iter(self._done))]
        return {}

    @operation
    def batch_write_item(self, *, RequestItems: Mapping[str, Any]) -> dict[str, Any]:
        writes: list[Write] = []
        for name, requests in RequestItems.items():
            if not requests:
                raise ParamValidationError(report=f"Invalid length for parameter RequestItems.{name}, min length: 1")
            for request in requests:
                ((kind, body),) = request.items()
                writes.append(self._read_write(_BATCH_WRITES[kind], TableName=name, **body))
        if len(writes) > BATCH_WRITES_MAX:
            raise Invalid("Too many items requested for the BatchWriteItem call")
        _refuse_repetitions([(write.table, write.key) for write in writes], _DUPLICATES)
        rows = [write.outcome(None) for write in writes]
        for write, row in zip(writes, rows, strict=True):
            self._commit(write.table, write.key, row)
        return {"UnprocessedItems": {}}

    @operation
    def batch_execute_statement(self, *, Statements: list[Any]) -> dict[str, Any]:
        """Run PartiQL writes, each by itself. Two on one row: DynamoDB does not document what happens; refused here."""
        runs = statements_of(Statements, self._table)
        _refuse_repetitions([(write.table, write.key) for write in runs if isinstance(write, Write)], _DUPLICATES)
        return {"Responses": [response_to(one, self._commit) if isinstance(one, Write) else one for one in runs]}

    def _read_write(self, kind: str, *, TableName: str, **request: Any) -> Write:
        """Return a write, checked as far as possible without its row. Raises Invalid, Misfit or Refused."""
        return READERS[kind](self._table(TableName), **request)

    def _write_alone(self, write: Write, wanted: str, allowed: tuple[str, ...]) -> dict[str, Any]:
        if wanted not in allowed:
            raise Invalid(f"ReturnValues can only be one of {', '.join(allowed)}")
        old = write.table.rows.get(write.key)
        new = write.outcome(old)
        self._commit(write.table, write.key, new)
        told = {"NONE": None, "ALL_OLD": old, "ALL_NEW": new}[wanted]
        return {"Attributes": copied_item(told.item)} if told else {}

    def _commit(self, table: Table, key: Key, row: Row | None) -> None:
        """Store or remove a row. A new row also goes to the stream."""
        self._sequence += 1
        if table.streamed and row is not None and key not in table.rows:
            table.inserts.append((self._sequence, row.item))
        table.store(key, row)

    # Tables

    @operation
    def create_table(self, **request: Any) -> dict[str, Any]:
        name = request["TableName"]
        if name in self._tables:
            raise Refused("ResourceInUseException", f"Table already exists: {name}")
        table = self._tables[name] = empty_table(**request)
        return {"TableDescription": table.description()}

    @operation
    def describe_table(self, *, TableName: str) -> dict[str, Any]:
        return {"Table": self._table(TableName).description()}

    @operation
    def delete_table(self, *, TableName: str) -> dict[str, Any]:
        description = self._table(TableName).description()
        del self._tables[TableName]
        return {"TableDescription": description}

    @operation
    def list_tables(self) -> dict[str, Any]:
        return {"TableNames": sorted(self._tables)}

    @operation
    def describe_time_to_live(self, *, TableName: str) -> dict[str, Any]:
        attribute = self._table(TableName).expiry_attribute
        if attribute is None:
            return {"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED"}}
        return {"TimeToLiveDescription": {"TimeToLiveStatus": "ENABLED", "AttributeName": attribute}}

    @operation
    def update_time_to_live(self, *, TableName: str, TimeToLiveSpecification: Mapping[str, Any]) -> dict[str, Any]:
        specification = TimeToLiveSpecification
        table = self._table(TableName)
        table.expiry_attribute = specification["AttributeName"] if specification["Enabled"] else None
        return {"TimeToLiveSpecification": dict(specification)}

    def get_waiter(self, name: str) -> SimpleNamespace:
        """Return a waiter that returns at once if the table exists, or raises DescribeTable's error."""
        if name != "table_exists":
            raise NotImplementedError(f"the waiter {name}")
        return SimpleNamespace(wait=lambda TableName, **_: self.describe_table(TableName=TableName))

    def _table(self, name: str) -> Table:
        table = self._tables.get(name)
        if table is None:
            raise Refused("ResourceNotFoundException", _NOT_FOUND)
        return table


def _refuse_repetitions(keys: list[tuple[Table, Key]], message: str) -> None:
    if len({(table.name, *key) for table, key in keys}) < len(keys):
        raise Invalid(message)


def _cancelled(reasons: list[dict[str, Any]]) -> Refused:
    codes = ", ".join(reason["Code"] for reason in reasons)
    message = f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]"
    return Refused("TransactionCanceledException", message, CancellationReasons=reasons)
