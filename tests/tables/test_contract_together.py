"""The contract with DynamoDB, continued: transactions, batches, queries, scans and the stream, on the three engines."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ParamValidationError

from chalicelib.tables.rows import Row, decode, encode
from tests.ordering import in_order
from tests.tables.engines import CANCELLED, INVALID, Deviations, Engine, Request, code_of, expressions, refusal

ITEM_BYTES_MAX = 400 * 1024

_QUERY = "test_a_query_that_no_key_answers_is_refused"

DEVIATIONS: Deviations = {
    "moto": {
        "test_arithmetic_that_the_row_forbids_is_a_reason_of_its_own": "ValidationException for all of it",
        "test_a_key_of_another_type_is_a_reason_of_its_own": "ValidationException for all of it",
        "test_an_index_key_of_another_type_is_a_reason_of_its_own": "stores it",
        "test_a_transaction_carries_4_mb_at_most": "has no such limit",
        "test_an_unused_value_refuses_the_whole_transaction": "does not look",
        "test_a_batch_writes_25_rows_at_most": "does not count",
        "test_a_batch_writes_a_row_once": "compares puts with puts only",
        "test_a_batch_with_one_row_that_may_not_be_stored_stores_none": "stores those before it",
        f"{_QUERY}[one or the other]": "AssertionError",
        f"{_QUERY}[all but one]": "AssertionError",
        f"{_QUERY}[another type]": "finds nothing",
        f"{_QUERY}[a number that begins]": "finds nothing",
        f"{_QUERY}[bounds the wrong way round]": "finds nothing",
        f"{_QUERY}[a value that nothing uses]": "does not look",
        "test_a_limit_cuts_a_page_even_where_nothing_comes_after_it": "looks ahead",
        "test_the_stream_tells_each_new_row_once_in_the_order_of_commits": "an update tells a new row twice",
    },
    "embedded": {
        f"{_QUERY}[one or the other]": "answers",
        f"{_QUERY}[all but one]": "answers",
    },
    "dynamodb-local": {},  # none is known: it passed the whole contract
}


def test_every_known_deviation_is_of_a_test_in_this_module() -> None:
    assert [case for known in DEVIATIONS.values() for case in known if case.partition("[")[0] not in globals()] == []


# Transactions


def test_a_transaction_puts_updates_deletes_and_checks_in_one(engine: Engine) -> None:
    engine.put("old", held=1)
    engine.put("there", held=2)
    engine.put("judge", held=3)
    engine.transact(
        ("Put", engine.item("new", {"held": 0}, "attribute_not_exists(#owner)")),
        ("Update", engine.change("there", "ADD #held :one", "#held = :two", one=1, two=2)),
        ("Delete", engine.at("old", "#held = :one", one=1)),
        ("ConditionCheck", engine.at("judge", "#held = :three", three=3)),
    )
    assert engine.rows() == {"judge": {"held": 3}, "new": {"held": 0}, "there": {"held": 3}}


def test_a_transaction_that_is_refused_does_nothing_and_says_why_in_order(engine: Engine) -> None:
    engine.put("there", held=2)
    before = engine.rows()
    tells = {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    answer = refusal(
        engine.transact,
        ("Put", engine.item("new", {})),
        ("Update", engine.change("there", "ADD #held :one", "#held > :two", one=1, two=2, **tells)),
        ("Delete", engine.at("old", "attribute_exists(#owner)", **tells)),
        ("ConditionCheck", engine.at("other", "attribute_not_exists(#owner)")),
    )
    assert answer["Error"]["Code"] == CANCELLED
    reasons = answer["CancellationReasons"]
    assert [reason["Code"] for reason in reasons] == [
        "None",
        "ConditionalCheckFailed",
        "ConditionalCheckFailed",
        "None",
    ]
    assert [engine.facts(reason.get("Item")) for reason in reasons] == [None, {"held": 2}, None, None]
    assert engine.rows() == before


def test_a_transaction_tells_no_row_that_it_is_not_asked_for(engine: Engine) -> None:
    engine.put("a", held=2)
    (reason,) = refusal(engine.transact, ("Delete", engine.at("a", "#held = :one", one=1)))["CancellationReasons"]
    assert reason["Code"] == "ConditionalCheckFailed"
    assert "Item" not in reason


def test_arithmetic_that_the_row_forbids_is_a_reason_of_its_own(engine: Engine) -> None:
    answer = refusal(
        engine.transact,
        ("Put", engine.item("new", {})),
        ("Update", engine.change("none", "SET #held = #held + :one", one=1)),
    )
    assert answer["Error"]["Code"] == CANCELLED
    assert [reason["Code"] for reason in answer["CancellationReasons"]] == ["None", "ValidationError"]
    assert engine.rows() == {}


def test_a_key_of_another_type_is_a_reason_of_its_own(engine: Engine) -> None:
    wrong = engine.item("a", {}) | {"Item": encode({"owner": engine.owner, "entry": 1})}
    answer = refusal(engine.transact, ("Put", engine.item("new", {})), ("Put", wrong))
    assert answer["Error"]["Code"] == CANCELLED
    assert [reason["Code"] for reason in answer["CancellationReasons"]] == ["None", "ValidationError"]
    assert engine.rows() == {}


def test_an_index_key_of_another_type_is_a_reason_of_its_own(engine: Engine) -> None:
    wrong = encode({"owner": engine.owner, "entry": "a", "open_since": 1})
    put = ("Put", {"TableName": engine.table("signed-orders"), "Item": wrong})
    answer = refusal(engine.transact, ("Put", engine.item("new", {})), put)
    assert answer["Error"]["Code"] == CANCELLED
    assert [reason["Code"] for reason in answer["CancellationReasons"]] == ["None", "ValidationError"]
    assert engine.rows() == {}


def test_an_empty_key_refuses_the_whole_transaction(engine: Engine) -> None:
    assert code_of(engine.transact, ("Put", engine.item("new", {})), ("Put", engine.item("", {}))) == INVALID
    assert engine.rows() == {}


def test_a_row_beyond_400_kb_refuses_the_whole_transaction(engine: Engine) -> None:
    too_much = engine.item("large", {"text": "x" * ITEM_BYTES_MAX})
    assert code_of(engine.transact, ("Put", engine.item("new", {})), ("Put", too_much)) == INVALID
    assert engine.rows() == {}


def test_a_transaction_has_one_action_for_a_row(engine: Engine) -> None:
    check = ("ConditionCheck", engine.at("a", "attribute_not_exists(#owner)"))
    assert code_of(engine.transact, check, ("Put", engine.item("a", {}))) == INVALID
    put = ("Put", engine.item("a", {}))
    assert code_of(engine.transact, put, ("Put", engine.item("b", {})), put) == INVALID
    assert engine.rows() == {}


def test_a_transaction_has_100_actions_at_most(engine: Engine) -> None:
    puts = [("Put", engine.item(f"{number:03d}", {})) for number in range(101)]
    assert code_of(engine.transact, *puts) == INVALID
    assert engine.rows() == {}
    engine.transact(*puts[:100])
    assert len(engine.rows()) == 100
    with pytest.raises(ParamValidationError):
        engine.transact()


def test_a_transaction_carries_4_mb_at_most(engine: Engine) -> None:
    puts = [("Put", engine.item(f"{number}", {"text": "x" * 390_000})) for number in range(11)]
    assert code_of(engine.transact, *puts) == INVALID
    assert engine.rows() == {}


def test_an_unused_value_refuses_the_whole_transaction(engine: Engine) -> None:
    wrong = engine.item("b", {}, "attribute_not_exists(#owner)", nothing_uses_it=1)
    assert code_of(engine.transact, ("Put", engine.item("a", {})), ("Put", wrong)) == INVALID
    assert engine.rows() == {}


# Batches


def batch_of(engine: Engine, *requests: Request) -> Request:
    return {"RequestItems": {engine.table("accounts"): list(requests)}}


def put_request(engine: Engine, entry: str, **facts: Any) -> Request:
    return {"PutRequest": {"Item": encode(engine.key(entry) | facts)}}


def test_a_batch_puts_and_deletes(engine: Engine) -> None:
    engine.put("old", held=1)
    engine.put("there", held=2, more=3)
    delete = {"DeleteRequest": {"Key": encode(engine.key("old"))}}
    none = {"DeleteRequest": {"Key": encode(engine.key("none"))}}
    batch = batch_of(engine, put_request(engine, "new", held=0), delete, none, put_request(engine, "there", held=5))
    assert engine.client.batch_write_item(**batch)["UnprocessedItems"] == {}
    assert engine.rows() == {"new": {"held": 0}, "there": {"held": 5}}


def test_a_batch_writes_25_rows_at_most(engine: Engine) -> None:
    puts = [put_request(engine, f"{number:02d}") for number in range(26)]
    assert code_of(engine.client.batch_write_item, **batch_of(engine, *puts)) == INVALID
    assert engine.rows() == {}
    engine.client.batch_write_item(**batch_of(engine, *puts[:25]))
    assert len(engine.rows()) == 25


def test_a_batch_writes_a_row_once(engine: Engine) -> None:
    put = put_request(engine, "a")
    delete = {"DeleteRequest": {"Key": encode(engine.key("a"))}}
    assert code_of(engine.client.batch_write_item, **batch_of(engine, put, put_request(engine, "b"), put)) == INVALID
    assert code_of(engine.client.batch_write_item, **batch_of(engine, put, delete)) == INVALID
    assert engine.rows() == {}


def test_a_batch_with_one_row_that_may_not_be_stored_stores_none(engine: Engine) -> None:
    for wrong in (put_request(engine, ""), put_request(engine, "b", text="x" * ITEM_BYTES_MAX)):
        assert code_of(engine.client.batch_write_item, **batch_of(engine, put_request(engine, "a"), wrong)) == INVALID
    assert engine.rows() == {}


def test_a_batch_reads_the_rows_that_are_there(engine: Engine) -> None:
    for entry in "abc":
        engine.put(entry, held=1)
    keys = [encode(engine.key(entry)) for entry in ("c", "none", "a")]
    wanted = {engine.table("accounts"): {"Keys": keys, "ConsistentRead": True}}
    answer = engine.client.batch_get_item(RequestItems=wanted)
    found = sorted(decode(item)["entry"] for item in answer["Responses"][engine.table("accounts")])
    assert (found, answer["UnprocessedKeys"]) == (["a", "c"], {})


def test_a_batch_reads_100_rows_at_most_and_each_once(engine: Engine) -> None:
    keys = [encode(engine.key(f"{number}")) for number in range(101)]
    for wrong in (keys, [keys[0], keys[1], keys[0]]):
        wanted = {engine.table("accounts"): {"Keys": wrong}}
        assert code_of(engine.client.batch_get_item, RequestItems=wanted) == INVALID


# Queries and scans


def test_a_query_gives_numbers_in_their_order_and_backwards(engine: Engine) -> None:
    engine.journal(10, 9, 100, -1, 0, 10**30)
    assert engine.sequences() == [-1, 0, 9, 10, 100, 10**30]
    assert engine.sequences(ScanIndexForward=False) == [10**30, 100, 10, 9, 0, -1]


def test_a_query_gives_what_its_condition_on_the_sort_key_says(engine: Engine) -> None:
    engine.journal(1, 2, 3, 4)
    assert engine.sequences("#sequence = :two", two=2) == [2]
    assert engine.sequences("#sequence < :two", two=2) == [1]
    assert engine.sequences("#sequence <= :two", two=2) == [1, 2]
    assert engine.sequences("#sequence > :two", two=2) == [3, 4]
    assert engine.sequences("#sequence >= :two", two=2) == [2, 3, 4]
    assert engine.sequences("#sequence BETWEEN :two AND :three", two=2, three=3) == [2, 3]
    assert engine.sequences("#sequence > :four", four=4) == []
    assert engine.sequences("#sequence <= :three", three=3, ScanIndexForward=False) == [3, 2, 1]


def test_a_query_gives_what_begins_with_a_text(engine: Engine) -> None:
    for entry in ("balance/a", "balance/b", "balance", "balance0", "transaction/1"):
        engine.put(entry)
    condition = "#owner = :owner AND begins_with(#entry, :start)"
    request = expressions(None, condition, owner=engine.owner, start="balance/", KeyConditionExpression=condition)
    answer = engine.client.query(TableName=engine.table("accounts"), **request)
    assert [decode(item)["entry"] for item in answer["Items"]] == ["balance/a", "balance/b"]


WRONG_QUERIES: dict[str, tuple[str, Row]] = {
    "no partition": ("#sequence = :n", {"n": 1}),
    "another attribute": ("#book = :book AND #other = :n", {"n": 1}),
    "many partitions": ("#book > :book", {}),
    "one or the other": ("#book = :book OR #sequence = :n", {"n": 1}),
    "all but one": ("#book = :book AND #sequence <> :n", {"n": 1}),
    "another type": ("#book = :book AND #sequence = :n", {"n": "1"}),
    "a number that begins": ("#book = :book AND begins_with(#sequence, :n)", {"n": "1"}),
    "bounds the wrong way round": ("#book = :book AND #sequence BETWEEN :n AND :m", {"n": 2, "m": 1}),
    "a value that nothing uses": ("#book = :book", {"n": 1}),
}


@pytest.mark.parametrize(("condition", "words"), WRONG_QUERIES.values(), ids=WRONG_QUERIES.keys())
def test_a_query_that_no_key_answers_is_refused(engine: Engine, condition: str, words: Row) -> None:
    if ":book" in condition:
        words = words | {"book": engine.owner}
    request = expressions(None, condition, **words, KeyConditionExpression=condition)
    assert code_of(engine.client.query, TableName=engine.table("journal"), **request) == INVALID


def test_a_query_gives_only_the_attributes_that_it_asks_for(engine: Engine) -> None:
    engine.journal(1, events=b"x", hash=b"y")
    request = expressions(
        None,
        "#book, #sequence, #gone",
        book=engine.owner,
        KeyConditionExpression="#book = :book",
        ProjectionExpression="#book, #sequence, #gone",
    )
    answer = engine.client.query(TableName=engine.table("journal"), **request)
    assert [decode(item) for item in answer["Items"]] == [{"book": engine.owner, "sequence": 1}]


def test_a_page_ends_before_1_mb_and_the_next_goes_on_there(engine: Engine) -> None:
    engine.journal(*range(1, 8), events=b"x" * 300_000)
    request = expressions(None, "#book", book=engine.owner, KeyConditionExpression="#book = :book")
    for forward, first in ((True, [1, 2, 3]), (False, [7, 6, 5])):
        pages = list(
            engine.client.get_paginator("query").paginate(
                TableName=engine.table("journal"), **request, ScanIndexForward=forward
            )
        )
        numbers = [decode(item)["sequence"] for page in pages for item in page["Items"]]
        assert numbers[: pages[0]["Count"]] == first
        assert sorted(numbers) == list(range(1, 8))
        assert decode(pages[0]["LastEvaluatedKey"]) == {"book": engine.owner, "sequence": first[-1]}
        assert "LastEvaluatedKey" not in pages[-1]
    for sequence in range(1, 8):
        key = encode({"book": engine.owner, "sequence": sequence})
        engine.client.delete_item(TableName=engine.table("journal"), Key=key)


def test_a_limit_cuts_a_page_even_where_nothing_comes_after_it(engine: Engine) -> None:
    engine.journal(1, 2)
    request = expressions(None, "#book", book=engine.owner, KeyConditionExpression="#book = :book")
    request |= {"TableName": engine.table("journal"), "Limit": 1}
    first = engine.client.query(**request)
    assert [decode(item)["sequence"] for item in first["Items"]] == [1]
    second = engine.client.query(**request, ExclusiveStartKey=first["LastEvaluatedKey"])
    assert [decode(item)["sequence"] for item in second["Items"]] == [2]
    assert decode(second["LastEvaluatedKey"]) == {"book": engine.owner, "sequence": 2}
    third = engine.client.query(**request, ExclusiveStartKey=second["LastEvaluatedKey"])
    assert (third["Items"], third["Count"]) == ([], 0)
    assert "LastEvaluatedKey" not in third


def test_a_query_goes_on_behind_a_row_that_is_gone_by_then(engine: Engine) -> None:
    engine.journal(1, 3)
    request = expressions(None, "#book", book=engine.owner, KeyConditionExpression="#book = :book")
    request |= {"TableName": engine.table("journal")}
    gone = encode({"book": engine.owner, "sequence": 2})
    for forward, rest in ((True, [3]), (False, [1])):
        page = engine.client.query(**request, ExclusiveStartKey=gone, ScanIndexForward=forward)
        assert [decode(item)["sequence"] for item in page["Items"]] == rest


def open_signed_orders(engine: Engine, condition: str = "", **words: Any) -> list[Row]:
    condition = "#open_instance = :owner" + condition
    request = expressions(None, condition, owner=engine.owner, KeyConditionExpression=condition, **words)
    pages = engine.client.get_paginator("query").paginate(
        TableName=engine.table("signed-orders"), IndexName="open_orders_by_instance", **request
    )
    return [decode(item) for page in pages for item in page["Items"]]


def test_the_sparse_index_follows_each_write_and_gives_keys_only(engine: Engine) -> None:
    both = {"owner": engine.owner, "open_instance": engine.owner}
    orders = {"TableName": engine.table("signed-orders")}
    for entry, since in (("a", "2"), ("b", None), ("c", "1"), ("d", "3")):
        row = both | {"entry": entry, "quantity": 5} | ({"open_since": since} if since else {})
        engine.client.put_item(**orders, Item=encode(row))
    rows = [both | {"entry": name, "open_since": since} for name, since in (("c", "1"), ("a", "2"), ("d", "3"))]
    assert open_signed_orders(engine) == rows
    assert open_signed_orders(engine, ScanIndexForward=False, Limit=1) == rows[::-1]
    assert open_signed_orders(engine, " AND #open_since < :border", border="2") == rows[:1]
    assert open_signed_orders(engine, " AND #open_since > :border", border="2") == rows[2:]
    within = " AND #open_since BETWEEN :low AND :high"
    assert open_signed_orders(engine, within, low="1", high="2", Limit=1) == rows[:2]
    assert open_signed_orders(engine, " AND begins_with(#open_since, :start)", start="2") == rows[1:2]
    owner = {"owner": engine.owner}
    close = {"UpdateExpression": "REMOVE #open_since"} | expressions(None, "#open_since")
    engine.client.update_item(**orders, Key=encode(owner | {"entry": "a"}), **close)
    engine.client.delete_item(**orders, Key=encode(owner | {"entry": "d"}))
    engine.client.put_item(**orders, Item=encode(both | {"entry": "c", "open_since": "9"}))
    engine.client.put_item(**orders, Item=encode(both | {"entry": "b", "open_since": "8"}))
    assert [(row["entry"], row["open_since"]) for row in open_signed_orders(engine)] == [("b", "8"), ("c", "9")]


def test_an_index_is_not_read_consistently(engine: Engine) -> None:
    condition = "#open_instance = :owner"
    request = expressions(None, condition, owner=engine.owner, KeyConditionExpression=condition)
    request |= {"TableName": engine.table("signed-orders"), "IndexName": "open_orders_by_instance"}
    assert code_of(engine.client.query, **request, ConsistentRead=True) == INVALID


def test_a_scan_gives_every_row_once_over_all_pages(engine: Engine) -> None:
    rows = [{"scope": f"{engine.owner}/{n % 7}", "request": f"{n}"} for n in range(30)]
    for row in rows:
        engine.client.put_item(TableName=engine.table("requests"), Item=encode(row))
    pages = engine.client.get_paginator("scan").paginate(
        TableName=engine.table("requests"), ConsistentRead=True, Limit=4
    )
    found = [decode(item) for page in pages for item in page["Items"]]
    assert in_order(found) == in_order(rows)


# The stream


def test_the_stream_tells_each_new_row_once_in_the_order_of_commits(engine: Engine) -> None:
    table, book = engine.table("inbox"), {"book": engine.owner}
    first = book | {"command": "2", "kind": "place"}
    engine.client.put_item(TableName=table, Item=encode(first))
    engine.client.put_item(TableName=table, Item=encode(first | {"kind": "other"}))
    engine.transact(
        ("Put", {"TableName": table, "Item": encode(book | {"command": "1"})}), ("Put", engine.item("a", {}))
    )
    update = {"UpdateExpression": "SET #kind = :kind"} | expressions(None, "#kind", kind="late")
    engine.client.update_item(TableName=table, Key=encode(book | {"command": "3"}), **update)
    engine.client.delete_item(TableName=table, Key=encode(book | {"command": "1"}))
    told = [one for one in engine.inserts() if one["dynamodb"]["NewImage"]["book"] == {"S": engine.owner}]
    images = [decode(one["dynamodb"]["NewImage"]) for one in told]
    assert images == [first, book | {"command": "1"}, book | {"command": "3", "kind": "late"}]
    numbers = [int(one["dynamodb"]["SequenceNumber"]) for one in told]
    assert numbers == sorted(set(numbers))
