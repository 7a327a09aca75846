"""Tables that tests use in turn: behind each, what it has written is deleted, which costs less than new tables.

botocore tells of the requests of every client, so that nothing is looked for in tables that nobody has written to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from botocore.handlers import BUILTIN_HANDLERS

from chalicelib.tables.dynamodb import Database
from infra.tables import create_tables, table_definitions

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

READING = ("Get", "Query", "Scan", "BatchGet", "TransactGet", "Describe", "List")
"""How the operations begin that change nothing."""
OF_ROWS = frozenset(
    ("PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems", "BatchExecuteStatement")
)
"""The operations that change rows; any other that is none of reading makes a table another one."""
DELETED_AT_ONCE = 25
ROWS_MAX = 200
"""Of a table that is emptied row by row; one with more rows is made anew."""
_NAME = re.compile(r'[^"]*"([^"]+)"')

_written: set[str] = set()
_altered: set[str] = set()


def install() -> None:
    """Have every client tell of its requests from here on; call it once, before there is a client."""
    BUILTIN_HANDLERS.append(("provide-client-params.dynamodb", _note))


def _note(params: dict[str, Any], model: Any, **_rest: Any) -> None:
    if not model.name.startswith(READING):
        (_written if model.name in OF_ROWS else _altered).update(_tables_of(params))


def _tables_of(request: dict[str, Any]) -> set[str]:
    """Return the names of the tables that a request names."""
    if "TransactItems" in request:
        return {one["TableName"] for item in request["TransactItems"] for one in item.values()}
    if "Statements" in request:
        return {match[1] for one in request["Statements"] if (match := _NAME.match(one["Statement"]))}
    return set(request["RequestItems"]) if "RequestItems" in request else {request["TableName"]}


class KeptTables:
    """All tables under one prefix, made here."""

    def __init__(self, client: DynamoDBClient, prefix: str) -> None:
        self._client: Any = client
        self._prefix = prefix
        self._keys = {
            one.name: [key["AttributeName"] for key in one.create_request["KeySchema"]]
            for one in table_definitions(prefix)
        }
        create_tables(client, prefix)
        self._forget()

    @contextmanager
    def turn(self) -> Iterator[Database]:
        """Lend the tables, which are empty, and empty them again at the end."""
        try:
            yield Database(self._client, self._prefix)
        finally:
            self._empty()

    def _empty(self) -> None:
        ours = self._keys.keys()
        again = _altered & ours
        for name in _written & ours - again:
            if not self._has_been_emptied(name):
                again.add(name)
        for name in again:
            with suppress(self._client.exceptions.ResourceNotFoundException):
                self._client.delete_table(TableName=name)
        if again:
            create_tables(self._client, self._prefix)
        self._forget()

    def _has_been_emptied(self, name: str) -> bool:
        """Delete the rows of a table; tell whether it had few enough."""
        names = {f"#{at}": key for at, key in enumerate(self._keys[name])}
        wanted = {"ProjectionExpression": ",".join(names), "ExpressionAttributeNames": names}
        rows = self._client.scan(TableName=name, ConsistentRead=True, Limit=ROWS_MAX + 1, **wanted)["Items"]
        if len(rows) > ROWS_MAX:
            return False
        for at in range(0, len(rows), DELETED_AT_ONCE):
            deletes = [{"DeleteRequest": {"Key": row}} for row in rows[at : at + DELETED_AT_ONCE]]
            self._client.batch_write_item(RequestItems={name: deletes})
        return True

    def _forget(self) -> None:
        _written.difference_update(self._keys)
        _altered.difference_update(self._keys)
