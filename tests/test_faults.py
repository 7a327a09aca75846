"""The faults of a batch of statements: exactly the part is done that a test asks for, and answered as it says."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import BotoCoreError

from chalicelib.tables.rows import encode
from infra.tables import create_tables
from tests.faults import BATCH, FAULTS, RESTS, Died, FaultyClient, parts_of
from tests.lossy_endpoint import BATCH_LOSSES, NEVER_APPLIED, Endpoint, Lossy
from tests.memory import MemoryDynamoDB

COUNT = 5
TABLE = "x-accounts"
STATEMENTS = [
    {
        "Statement": f"INSERT INTO \"{TABLE}\" VALUE {{'owner': ?, 'entry': ?}}",
        "Parameters": [{"S": "ann"}, {"S": str(number)}],
    }
    for number in range(COUNT)
]


lossy = pytest.fixture(scope="module")(lambda: Lossy())


@pytest.fixture
def tables() -> MemoryDynamoDB:
    client = MemoryDynamoDB()
    create_tables(client, "x")  # type: ignore[arg-type]
    return client


def done(tables: MemoryDynamoDB) -> set[int]:
    return {int(item["entry"]["S"]) for item in tables.scan(TableName=TABLE)["Items"]}


def codes_of(answer: Any) -> list[str | None]:
    return [one.get("Error", {}).get("Code") for one in answer["Responses"]]


def test_the_parts_are_none_each_beginning_all_every_second_and_all_but_one() -> None:
    parts = parts_of(4)
    assert parts[:5] == [frozenset(range(end)) for end in range(5)]
    assert {frozenset({0, 2}), frozenset({1, 3}), frozenset({0, 1, 3})} < set(parts)
    assert len(set(parts)) == len(parts) == 10


@pytest.mark.parametrize("rest", RESTS)
@pytest.mark.parametrize("part", range(len(parts_of(COUNT))))
def test_a_part_is_done_and_the_rest_meets_its_fault(tables: MemoryDynamoDB, rest: str, part: int) -> None:
    fault = RESTS[rest](part)
    faulty: Any = FaultyClient(tables, fault, at=1, operation=BATCH)
    faulty.put_item(TableName=TABLE, Item=encode({"owner": "ann", "entry": "9"}))
    assert not faulty.has_struck
    expected = parts_of(COUNT)[part]
    if isinstance(fault.rest, str):
        codes = codes_of(faulty.batch_execute_statement(Statements=STATEMENTS))
        assert codes == [None if number in expected else fault.rest for number in range(COUNT)]
    else:
        with pytest.raises((Died, BotoCoreError)):
            faulty.batch_execute_statement(Statements=STATEMENTS)
    assert done(tables) == ({*range(COUNT)} if fault.rest_is_done else expected) | {9}
    assert (faulty.has_struck, fault.parts) == (True, len(parts_of(COUNT)))


def test_each_statement_of_a_batch_may_be_in_conflict(tables: MemoryDynamoDB) -> None:
    faulty: Any = FaultyClient(tables, FAULTS["in conflict"], at=1)
    assert codes_of(faulty.batch_execute_statement(Statements=STATEMENTS)) == ["TransactionConflict"] * COUNT
    assert done(tables) == set()


@pytest.mark.parametrize("loss", [name for name in BATCH_LOSSES if name != NEVER_APPLIED])
@pytest.mark.parametrize("part", range(len(parts_of(COUNT))))
def test_beneath_the_sdk_too_a_part_is_done_whatever_is_answered(
    lossy: Lossy, tables: MemoryDynamoDB, loss: str, part: int
) -> None:
    """An attempt that the SDK makes again finds what the first has done."""
    endpoint = Endpoint(tables, BATCH_LOSSES[loss], at=1, part=part)
    expected = parts_of(COUNT)[part]
    answer: Any = None
    with lossy.over(endpoint) as client:
        try:
            answer = client.batch_execute_statement(Statements=STATEMENTS)
        except Exception as error:
            answer = error
    assert (endpoint.has_struck, endpoint.parts) == (True, len(parts_of(COUNT)))
    if done(tables) != expected:
        codes = codes_of(answer)
        assert codes == ["DuplicateItem" if number in expected else None for number in range(COUNT)]
        assert done(tables) == {*range(COUNT)}
