"""The in-memory engine: its features for tests, and random write histories compared with the embedded engine.

moto is excluded from the histories: it keeps the other clauses of an update when one fails, which most histories reach.
"""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.tables.rows import Row, decode, encode
from infra.tables import create_tables
from tests.memory import MemoryDynamoDB
from tests.tables.engines import PREFIX, Engine, Request, used_in

_histories = count(1)


@pytest.fixture
def memory() -> Engine:
    return in_memory(MemoryDynamoDB())


def in_memory(client: Any) -> Engine:
    create_tables(client, "x")
    return Engine("memory", client, "x", "ann")


def test_a_clone_is_independent(memory: Engine) -> None:
    memory.put("a", held=1)
    copy = Engine("memory", memory.client.clone(), memory.prefix, memory.owner)
    copy.update("a", "ADD #held :one", one=1)
    copy.journal(1)
    memory.put("b", held=5)
    assert memory.rows() == {"a": {"held": 1}, "b": {"held": 5}}
    assert copy.rows() == {"a": {"held": 2}}
    assert (memory.sequences(), copy.sequences()) == ([], [1])


def test_a_copy_has_a_stream_of_its_own(memory: Engine) -> None:
    table = memory.table("inbox")
    memory.client.put_item(TableName=table, Item=encode({"book": "b", "command": "1"}))
    copy = memory.client.clone()
    copy.put_item(TableName=table, Item=encode({"book": "b", "command": "2"}))
    assert [len(client.stream(table)) for client in (memory.client, copy)] == [1, 2]
    (record,) = copy.stream(table, 1)
    assert decode(record["dynamodb"]["NewImage"]) == {"book": "b", "command": "2"}
    assert len(record["dynamodb"]["SequenceNumber"]) == 24


def test_nothing_that_a_caller_holds_reaches_the_rows(memory: Engine) -> None:
    given_item = encode(memory.key("a") | {"held": 1, "levels": [{"b": 1}]})
    memory.client.put_item(TableName=memory.table("accounts"), Item=given_item)
    for item in (given_item, memory.client.get_item(**memory.at("a"))["Item"]):
        item["held"]["N"] = "2"
        item["levels"]["L"][0]["M"]["b"]["N"] = "2"
    assert memory.row("a") == {"held": 1, "levels": [{"b": 1}]}


def test_rows_expire_at_their_time_and_not_before(memory: Engine) -> None:
    for command, expires in (("a", 100), ("b", 101), ("c", None), ("d", "100")):
        row = {"book": "b", "command": command} | ({"expires": expires} if expires else {})
        memory.client.put_item(TableName=memory.table("inbox"), Item=encode(row))
    memory.journal(1, expires=1)
    assert memory.client.expire(100) == 1
    left = [decode(item)["command"] for item in memory.client.scan(TableName=memory.table("inbox"))["Items"]]
    assert (left, len(memory.client.stream(memory.table("inbox")))) == (["b", "c", "d"], 4)
    assert memory.sequences() == [1]
    assert memory.client.expire(100) == 0


def test_pages_are_cut_where_a_test_wants_them() -> None:
    memory = in_memory(MemoryDynamoDB(page_bytes_max=120))
    memory.journal(*range(1, 10), events=b"x" * 30)
    pages = list(memory.client.get_paginator("scan").paginate(TableName=memory.table("journal")))
    assert [page["Count"] for page in pages] == [2, 2, 2, 2, 1]
    assert memory.sequences(ScanIndexForward=False) == list(range(9, 0, -1))


def test_a_batch_leaves_unread_what_would_pass_16_mb(memory: Engine) -> None:
    for number in range(50):
        memory.put(f"{number}", text="x" * 390_000)
    wanted = {memory.table("accounts"): {"Keys": [encode(memory.key(f"{number}")) for number in range(50)]}}
    read = []
    while wanted:
        answer = memory.client.batch_get_item(RequestItems=wanted)
        read.append([int(decode(item)["entry"]) for item in answer["Responses"][memory.table("accounts")]])
        wanted = answer["UnprocessedKeys"]
    assert [len(batch) for batch in read] == [43, 7]
    assert sorted(read[0] + read[1]) == list(range(50))


def test_a_scan_does_not_depend_on_what_was_written_before() -> None:
    one, other = in_memory(MemoryDynamoDB()), in_memory(MemoryDynamoDB())
    owners = [Engine("memory", one.client, "x", f"owner{number}") for number in range(9)]
    for owner in owners:
        owner.put("a")
    for owner in reversed(owners):
        twin = Engine("memory", other.client, "x", owner.owner)
        twin.put("b")
        twin.put("a")
        other.client.delete_item(**twin.at("b"))
    scans = [engine.client.scan(TableName=engine.table("accounts"))["Items"] for engine in (one, other)]
    assert scans[0] == scans[1]


@pytest.mark.parametrize(
    "condition",
    ["size(#a) > :one", "contains(#a, :one)", "#a IN (:one)", "#a.#b = :one", "#a[1] = :one", "held = :one"],
)
def test_unused_expression_features_are_not_implemented(memory: Engine, condition: str) -> None:
    with pytest.raises(NotImplementedError):
        memory.client.delete_item(**memory.at("a", condition, one=1))


@pytest.mark.parametrize(
    "text",
    [
        'UPDATE TABLE SET "held" = 1 WHERE KEY',
        "UPDATE TABLE SET held = ? WHERE KEY",
        'UPDATE TABLE SET "held" = if_not_exists("held", ?) WHERE KEY',
        'UPDATE TABLE SET "held" = ? WHERE KEY RETURNING ALL OLD *',
        "INSERT INTO TABLE VALUE {'owner': ?, 'entry': 'a'}",
        "SELECT * FROM TABLE WHERE KEY",
    ],
)
def test_unused_statement_features_are_not_implemented(memory: Engine, text: str) -> None:
    with pytest.raises(NotImplementedError):
        memory.run(memory.statement(text, "a", 1, ...))


ENTRIES = st.sampled_from(["a", "b", "c"])
NUMBERS = st.sampled_from([-3, 0, 1, 2, 5, 9, 10, 100, 10**30, -(10**30)])
ATTRIBUTES = st.sampled_from(["#available", "#held", "#mark"])
COMPARISONS = st.one_of(
    st.builds("{} {} :n".format, ATTRIBUTES, st.sampled_from(["=", "<>", "<", "<=", ">", ">="])),
    st.builds("attribute_exists({})".format, ATTRIBUTES),
    st.builds("attribute_not_exists({})".format, st.sampled_from(["#available", "#live", "#owner"])),
    st.just("#available < #held"),
    st.just("#live BETWEEN :low AND :high"),
)
CONDITIONS_AT_RANDOM = st.recursive(
    COMPARISONS,
    lambda inner: st.one_of(
        st.builds("({} AND {})".format, inner, inner),
        st.builds("({} OR {})".format, inner, inner),
        st.builds("NOT {}".format, inner),
    ),
    max_leaves=4,
)
UPDATES = st.sampled_from(
    [
        "SET #available = #available - :n, #held = #held + :n",
        "ADD #available :n, #held :m SET #mark = :m",
        "SET #live = :live, #available = if_not_exists(#available, :m) + :n",
        "SET #held = #available, #available = :n REMOVE #live",
        "SET #mark = :n REMOVE #held, #available",
    ]
)
WORDS: Row = {"low": "b", "high": "d"}


@st.composite
def actions(draw: st.DrawFn) -> tuple[str, str, Row, str | None, str, Row]:
    """Draw a write: its kind, entry, whole row, condition, update and values."""
    facts: Row = {"available": draw(NUMBERS), "held": draw(NUMBERS)} | ({"live": "c"} if draw(st.booleans()) else {})
    condition = draw(st.none() | CONDITIONS_AT_RANDOM)
    values = {"n": draw(NUMBERS), "m": draw(NUMBERS), "live": draw(st.sampled_from("abcde"))} | WORDS
    return (
        draw(st.sampled_from(["Put", "Update", "Update", "Delete"])),
        draw(ENTRIES),
        facts,
        condition,
        draw(UPDATES),
        values,
    )


HISTORIES = st.lists(st.one_of(actions(), st.lists(actions(), min_size=1, max_size=4)), min_size=1, max_size=15)


def request_of(engine: Engine, action: Any) -> tuple[str, Request]:
    kind, entry, facts, condition, update, values = action
    words = used_in(f"{condition} {update if kind == 'Update' else ''}", values)
    words["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
    if kind == "Put":
        return kind, engine.item(entry, facts, condition, **words)
    if kind == "Delete":
        return kind, engine.at(entry, condition, **words)
    return kind, engine.change(entry, update, condition, **words)


def outcome_of(engine: Engine, step: Any) -> Any:
    """Do one write or transaction; return all that its answer says, in plain values."""
    try:
        if isinstance(step, list):
            engine.transact(*(request_of(engine, action) for action in step))
            return "done"
        kind, request = request_of(engine, step)
        call = {"Put": "put_item", "Update": "update_item", "Delete": "delete_item"}[kind]
        wanted = "ALL_NEW" if kind == "Update" else "ALL_OLD"
        return engine.facts(getattr(engine.client, call)(**request, ReturnValues=wanted).get("Attributes"))
    except engine.client.exceptions.ClientError as error:
        answer: Any = error.response
        reasons = [(one["Code"], engine.facts(one.get("Item"))) for one in answer.get("CancellationReasons", [])]
        return answer["Error"]["Code"], engine.facts(answer.get("Item")), reasons


@given(history=HISTORIES)
@settings(max_examples=60, deadline=None, print_blob=True, suppress_health_check=list(HealthCheck))
def test_any_history_has_the_same_outcome_in_memory_as_on_the_embedded_engine(
    embedded_tables: Any, memory_tables: Any, history: list[Any]
) -> None:
    owner = f"history{next(_histories)}"
    memory, embedded = (Engine("", client, PREFIX, owner) for client in (memory_tables, embedded_tables))
    for step in history:
        assert outcome_of(memory, step) == outcome_of(embedded, step)
    assert memory.rows() == embedded.rows()
