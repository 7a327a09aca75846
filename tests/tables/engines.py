"""A concise client for the contract suite: one engine, its tables, and a partition for each test.

Rows stand in the table ``accounts`` under the test's own owner, so that tests share tables but no rows. A #name stands
for itself; :values are passed by name; words with a capital letter are DynamoDB's own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from chalicelib.tables.rows import Row, decode, encode
from tests.endpoint import own_prefix
from tests.memory import MemoryDynamoDB

PREFIX = own_prefix("contract")
Request = dict[str, Any]
Deviations = dict[str, dict[str, str]]
"""Known deviations from DynamoDB: by engine, the test that shows each, and how the engine behaves."""
EVERY_TEST = "*"
"""In Deviations: all tests of a module."""

INVALID, FAILED = "ValidationException", "ConditionalCheckFailedException"
CANCELLED, NOT_FOUND = "TransactionCanceledException", "ResourceNotFoundException"


def expressions(condition: str | None = None, *others: str, **words: Any) -> Request:
    """Return the expression members of a request, plus DynamoDB's own parameters."""
    values = {f":{word}": value for word, value in words.items() if not word[0].isupper()}
    request: Request = {"ConditionExpression": condition} if condition is not None else {}
    if names := {name for text in (condition or "", *others) for name in re.findall(r"#(\w+)", text)}:
        request["ExpressionAttributeNames"] = {f"#{name}": name for name in names}
    if values:
        request["ExpressionAttributeValues"] = encode(values)
    return request | {word: value for word, value in words.items() if word[0].isupper()}


def used_in(text: str | None, values: Row) -> Row:
    """Return the values that an expression uses."""
    return {name: values[name] for name in re.findall(r":(\w+)", text or "")}


def refusal(call: Any, *arguments: Any, **words: Any) -> dict[str, Any]:
    """Return the error answer of a call that must be refused."""
    __tracebackhide__ = True
    with pytest.raises(ClientError) as refused:
        call(*arguments, **words)
    answer: Any = refused.value.response
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 400
    return answer  # type: ignore[no-any-return]


def code_of(call: Any, *arguments: Any, **words: Any) -> str:
    """Return the error code of a call that must be refused."""
    __tracebackhide__ = True
    return str(refusal(call, *arguments, **words)["Error"]["Code"])


@dataclass(frozen=True)
class Engine:
    """A client of one engine, with its table prefix and an owner of its own."""

    name: str
    client: Any
    prefix: str
    owner: str

    def table(self, name: str) -> str:
        return f"{self.prefix}-{name}"

    def key(self, entry: str) -> Row:
        return {"owner": self.owner, "entry": entry}

    def facts(self, item: Any) -> Row | None:
        """Return a row without its key; None if there is none."""
        return None if not item else {name: value for name, value in decode(item).items() if name not in self.key("")}

    def row(self, entry: str) -> Row | None:
        answer = self.client.get_item(**self.at(entry), ConsistentRead=True)
        return self.facts(answer.get("Item"))

    def rows(self) -> dict[str, Row | None]:
        """Return all rows of this owner, by entry."""
        wanted = expressions(None, "#owner", owner=self.owner, KeyConditionExpression="#owner = :owner")
        answer = self.client.query(TableName=self.table("accounts"), **wanted, ConsistentRead=True)
        return {decode(item)["entry"]: self.facts(item) for item in answer["Items"]}

    # Requests: alone, or as actions of a transaction.

    def at(self, entry: str, condition: str | None = None, **words: Any) -> Request:
        return {"TableName": self.table("accounts"), "Key": encode(self.key(entry))} | expressions(condition, **words)

    def item(self, entry: str, facts: Row, condition: str | None = None, **words: Any) -> Request:
        item = encode(self.key(entry) | facts)
        return {"TableName": self.table("accounts"), "Item": item} | expressions(condition, **words)

    def change(self, entry: str, update: str, condition: str | None = None, **words: Any) -> Request:
        key = {"TableName": self.table("accounts"), "Key": encode(self.key(entry))}
        return key | {"UpdateExpression": update} | expressions(condition, update, **words)

    # Writes

    def put(self, entry: str, **facts: Any) -> None:
        self.client.put_item(**self.item(entry, facts))

    def update(self, entry: str, update: str, condition: str | None = None, **words: Any) -> Any:
        return self.client.update_item(**self.change(entry, update, condition, **words))

    def transact(self, *actions: tuple[str, Request]) -> None:
        self.client.transact_write_items(TransactItems=[{kind: request} for kind, request in actions])

    def inserts(self) -> list[Any]:
        """Return the INSERTs of the inbox's stream."""
        if isinstance(self.client, MemoryDynamoDB):
            return self.client.stream(self.table("inbox"))
        endpoint = None if self.name == "moto" else self.client.meta.endpoint_url
        streams = boto3.client("dynamodbstreams", endpoint_url=endpoint)
        arn = self.client.describe_table(TableName=self.table("inbox"))["Table"]["LatestStreamArn"]
        records: list[Any] = []
        for shard in streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
            where = {"StreamArn": arn, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
            iterator = streams.get_shard_iterator(**where)["ShardIterator"]
            records += streams.get_records(ShardIterator=iterator)["Records"]
        return [record for record in records if record["eventName"] == "INSERT"]

    # Statements

    def statement(self, text: str, entry: str, *parameters: Any, table: str = "accounts") -> Request:
        """Return a PartiQL statement. TABLE and KEY stand for the table and the condition that names the row at
        ``entry``; ``...`` among the parameters stands for the values of that condition.
        """
        key = self.key(entry)
        text = text.replace("TABLE", f'"{self.table(table)}"').replace("KEY", '"owner" = ? AND "entry" = ?')
        values = [one for value in parameters for one in (key.values() if value is ... else [value])]
        request = {"Statement": text, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
        return request | ({"Parameters": list(encode(dict(enumerate(values))).values())} if values else {})  # type: ignore[arg-type]

    def run(self, *statements: Request) -> list[Any]:
        """Run statements in one call; return for each its error code, or None."""
        answer = self.client.batch_execute_statement(Statements=list(statements))
        return [one.get("Error", {}).get("Code") for one in answer["Responses"]]

    # The journal: rows whose sort key is a number, in the partition of this owner.

    def journal(self, *sequences: int, **facts: Any) -> None:
        for sequence in sequences:
            item = encode({"book": self.owner, "sequence": sequence} | facts)
            self.client.put_item(TableName=self.table("journal"), Item=item)

    def sequences(self, condition: str = "", ScanIndexForward: bool = True, **words: Any) -> list[int]:
        """Return the sequence numbers in a query's result, over all pages."""
        condition = f"#book = :book AND {condition}" if condition else "#book = :book"
        request = expressions(None, condition, book=self.owner, **words, KeyConditionExpression=condition)
        pages = self.client.get_paginator("query").paginate(
            TableName=self.table("journal"), **request, ConsistentRead=True, ScanIndexForward=ScanIndexForward
        )
        return [decode(item)["sequence"] for page in pages for item in page["Items"]]
