"""Queries of the local DynamoDB: ministack's answers, without the work that grows with the partition."""

from __future__ import annotations

import copy
import importlib
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from infra.engine_queries import LONG_ROWS, Partition, examine_only_what_is_asked

ROWS = 10 * LONG_ROWS
QUERIES = 400
NAMES = {"#owner": "owner", "#key": "key"}
STATEMENTS: Any = importlib.import_module("ministack.services._dynamodb_keywords")
PATCHED = ("_tables", "_query", "_tokenize", "_condition_syntax_error", "_evaluate_condition")
CONDITIONS = (
    "#owner = :owner",
    *(f"#owner = :owner AND #key {operator} :low" for operator in ("<", "<=", "=", ">=", ">")),
    "#owner = :owner AND #key BETWEEN :low AND :high",
)


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch) -> Any:
    """ministack's module with tables of texts and of numbers, which has no other tables meanwhile."""
    module: Any = importlib.import_module("ministack.services.dynamodb")
    for name in PATCHED:
        monkeypatch.setattr(module, name, getattr(module, name))
    monkeypatch.setattr(STATEMENTS, "_tokenize", STATEMENTS._tokenize)
    monkeypatch.setattr(module, "_tables", {})
    for table, kind in (("texts", "S"), ("numbers", "N")):
        keys = [{"AttributeName": "owner", "KeyType": "HASH"}, {"AttributeName": "key", "KeyType": "RANGE"}]
        types = [{"AttributeName": "owner", "AttributeType": "S"}, {"AttributeName": "key", "AttributeType": kind}]
        facts = {"TableName": table, "KeySchema": keys, "AttributeDefinitions": types}
        module._create_table({**facts, "BillingMode": "PAY_PER_REQUEST"})
    return module


def put(dynamodb: Any, table: str, key: str, size: int = 0) -> None:
    item = {"owner": {"S": "ann"}, "key": {"S" if table == "texts" else "N": key}, "facts": {"S": "x" * size}}
    assert dynamodb._put_item({"TableName": table, "Item": item})[0] == 200


def delete(dynamodb: Any, table: str, key: str) -> None:
    of_key = {"owner": {"S": "ann"}, "key": {"S" if table == "texts" else "N": key}}
    assert dynamodb._delete_item({"TableName": table, "Key": of_key})[0] == 200


def question(table: str, condition: str, *operands: str, **options: Any) -> dict[str, Any]:
    kind = "S" if table == "texts" else "N"
    bounds = {name: {kind: one} for name, one in zip((":low", ":high"), operands, strict=False)}
    names = NAMES if "#key" in condition else {"#owner": "owner"}
    return {
        "TableName": table,
        "KeyConditionExpression": condition,
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": {":owner": {"S": "ann"}, **bounds},
        **options,
    }


def questions(table: str, keys: list[str], chance: random.Random) -> Iterator[dict[str, Any]]:
    """Yield queries of each form, with bounds that are keys and others, from either end, whole and by pages."""
    conditions = (*CONDITIONS, "#owner = :owner AND begins_with(#key, :low)") if table == "texts" else CONDITIONS
    for _ in range(QUERIES):
        condition = chance.choice(conditions)
        low, high = sorted(chance.sample(keys, 2), key=int)
        operands = [low, high][: condition.count(":") - 1]
        if "begins_with" in condition:
            operands = [low[: chance.randint(1, 3)]]
        options: dict[str, Any] = {"ScanIndexForward": chance.choice((True, False))}
        if chance.random() < 0.6:
            options["Limit"] = chance.choice((1, 2, 25, ROWS * 2))
        yield question(table, condition, *operands, **options)


def pages(query: Callable[[Any], Any], asked: dict[str, Any]) -> list[Any]:
    """Return the answers of a query page by page, three pages at most."""
    found: list[Any] = []
    while len(found) < 3:
        status, _, body = query(asked)
        found.append((status, json.loads(body)))
        if "LastEvaluatedKey" not in found[-1][1]:
            break
        asked = {**asked, "ExclusiveStartKey": found[-1][1]["LastEvaluatedKey"]}
    return found


def counted(calls: Counter[str], function: Callable[..., Any]) -> Callable[..., Any]:
    def count(*texts: Any, **options: Any) -> Any:
        calls[function.__name__] += 1
        return function(*texts, **options)

    return count


@pytest.mark.parametrize("table", ["texts", "numbers"])
def test_answers_are_ministacks_while_rows_come_and_go(dynamodb: Any, table: str) -> None:
    chance = random.Random(8)
    plainly = dynamodb._query
    examine_only_what_is_asked(dynamodb)
    keys = [str(number) for number in chance.sample(range(1000, 10_000), ROWS)]
    for key in keys:
        put(dynamodb, table, key, chance.randint(0, 300))
    for asked in questions(table, keys, chance):
        answers = pages(dynamodb._query, asked)
        assert answers == pages(plainly, asked), asked
        changed = chance.choice(keys)
        chance.choice((put, delete))(dynamodb, table, changed)
    assert isinstance(dynamodb._tables[table]["items"]["ann"], Partition)


def test_pages_of_a_mebibyte_are_ministacks(dynamodb: Any) -> None:
    plainly = dynamodb._query
    examine_only_what_is_asked(dynamodb)
    for number in range(LONG_ROWS):
        put(dynamodb, "numbers", str(number), 60_000)
    for forward in (True, False):
        asked = question("numbers", "#owner = :owner", ScanIndexForward=forward)
        answers = pages(dynamodb._query, asked)
        assert answers == pages(plainly, asked)
        assert len(answers) == 3


@pytest.mark.parametrize(
    "wrong",
    [
        {"Limit": 0},
        {"Limit": "three"},
        {"ExclusiveStartKey": {"owner": {"S": "ann"}}},
        {"ExclusiveStartKey": {"owner": {"S": "ann"}, "key": {"S": "7"}}},
        {"ExclusiveStartKey": "ann"},
        {"ExclusiveStartKey": {"owner": {"S": "ann"}, "key": {"N": "seven"}}},
        {"ExpressionAttributeValues": {":owner": {"S": "ann"}}},
        {"ExpressionAttributeValues": {":owner": {"S": "ann"}, ":low": {"S": "7"}}},
        {"ExpressionAttributeValues": {":owner": {"S": "ann"}, ":low": {"N": "seven"}}},
        {"ExpressionAttributeNames": {"#owner": "owner", "#key": "facts"}},
        {"KeyConditionExpression": "#owner = :owner AND #key <> :low"},
        {"KeyConditionExpression": None},
        {"TableName": "others"},
    ],
)
def test_a_query_with_a_fault_is_refused_as_ministack_refuses_it(dynamodb: Any, wrong: dict[str, Any]) -> None:
    plainly = dynamodb._query
    examine_only_what_is_asked(dynamodb)
    for number in range(LONG_ROWS):
        put(dynamodb, "numbers", str(number))
    asked = question("numbers", "#owner = :owner AND #key > :low", "7") | wrong

    def outcome(query: Callable[[Any], Any]) -> Any:
        try:
            return query(asked)[::2]
        except Exception as error:
            return type(error)

    assert outcome(dynamodb._query) == outcome(plainly)
    assert outcome(dynamodb._query) != (200, b"{}")


def test_a_query_parses_its_condition_once_and_examines_the_rows_it_returns(dynamodb: Any) -> None:
    calls: Counter[str] = Counter()
    for name in PATCHED[2:]:
        setattr(dynamodb, name, counted(calls, getattr(dynamodb, name)))
    examine_only_what_is_asked(dynamodb)
    for number in range(ROWS):
        put(dynamodb, "numbers", str(number))
    for condition, *operands in [(CONDITIONS[0],), ("#owner = :owner AND #key > :low", "47")]:
        calls.clear()
        status, _, body = dynamodb._query(question("numbers", condition, *operands, Limit=2, ScanIndexForward=False))
        assert (status, json.loads(body)["Count"]) == (200, 2)
        assert calls["_evaluate_condition"] == 2
        assert calls["_tokenize"] == calls["_condition_syntax_error"] == 1


def test_a_statement_is_parsed_into_words_once(dynamodb: Any) -> None:
    calls: Counter[str] = Counter()
    STATEMENTS._tokenize = counted(calls, STATEMENTS._tokenize)
    examine_only_what_is_asked(dynamodb)
    for number in range(3):
        put(dynamodb, "numbers", str(number))
        statement = 'DELETE FROM "numbers" WHERE "owner" = ? AND "key" = ?'
        parameters = [{"S": "ann"}, {"N": str(number)}]
        assert dynamodb._execute_statement({"Statement": statement, "Parameters": parameters})[0] == 200
        assert dynamodb._tables["numbers"]["ItemCount"] == 0
    assert calls == {"_tokenize": 1}


def test_a_copy_of_a_partition_is_a_plain_dictionary() -> None:
    partition = Partition({"2": {"a": {}}, "1": {}}, "N")
    copied = copy.deepcopy(partition)
    assert type(copied) is dict
    assert copied == {"2": {"a": {}}, "1": {}}
    assert copied["2"] is not partition["2"]
