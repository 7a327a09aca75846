"""``Database`` on every engine that tests use."""

from __future__ import annotations

from decimal import Inexact
from typing import Any

import pytest

from chalicelib.tables.dynamodb import Database
from chalicelib.tables.rows import decode, encode
from chalicelib.tables.writes import ConditionFailed, Put, TransactionRefused, Update, Write
from tests.faults import Call, WatchedClient

KEY = {"owner": "ann", "entry": "balance/x"}


def put(row: dict[str, object], condition: str | None = None) -> Put:
    return Put("accounts", KEY | row, condition)


def test_values_come_back_as_they_went_in() -> None:
    row = {"text": "ü", "number": 10**38 - 1, "bytes": b"\x00\xff", "none": None, "yes": True, "list": [1, {"a": 2}]}
    assert decode(encode(row)) == row
    assert type(decode(encode(row))["number"]) is int
    with pytest.raises(Inexact):
        encode({"number": 10**38 + 1})


def test_a_row_of_38_digits_is_stored_exactly(store: Database) -> None:
    store.write(put({"available": 10**38 - 1}))
    store.write(Update("accounts", KEY, "ADD #available :less", values={":less": -(10**37)}))
    row = store.get("accounts", KEY)
    assert row == KEY | {"available": 9 * 10**37 - 1}
    assert store.get("accounts", {"owner": "nobody", "entry": "x"}) is None


def test_a_refused_write_returns_the_row_found(store: Database) -> None:
    store.write(put({"available": 1}, "attribute_not_exists(#owner)"))
    with pytest.raises(ConditionFailed) as refused:
        store.write(put({"available": 2}, "attribute_not_exists(#owner)"))
    assert refused.value.row == KEY | {"available": 1}
    with pytest.raises(ConditionFailed) as refused:
        store.write(Update("accounts", {"owner": "b", "entry": "x"}, "SET #a = :a", "#a > :a", {":a": 1}))
    assert refused.value.row is None


@pytest.mark.parametrize("store", ["embedded_database", "memory_database"], indirect=True)  # moto has no statements
def test_independent_writes_report_the_refused_ones(store: Database) -> None:
    store.write(put({"available": 1}))
    not_there_yet = "attribute_not_exists(#owner)"
    owners = [f"owner {number}" for number in range(20)]
    writes: list[Write] = [Put("accounts", {"owner": owner, "entry": "x"}, not_there_yet) for owner in owners]
    writes[7] = put({"available": 2}, not_there_yet)
    writes[11] = Update("accounts", {"owner": owners[11], "entry": "x"}, "SET #a = :a", "#a > :a", {":a": 1})
    assert store.write_each(writes) == {7: KEY | {"available": 1}, 11: None}
    assert store.get("accounts", KEY) == KEY | {"available": 1}
    assert {row["owner"] for row in store.scan("accounts")} == {"ann", *owners} - {owners[7], owners[11]}
    assert store.write_each([]) == {}


def test_a_transaction_is_done_whole_or_not_at_all(store: Database) -> None:
    store.write(put({"available": 1}))
    other = Put("accounts", {"owner": "ben", "entry": "x"}, "attribute_not_exists(#owner)")
    with pytest.raises(TransactionRefused) as refused:
        store.transact([other, Update("accounts", KEY, "ADD #available :one", "#available > :one", {":one": 1})])
    assert refused.value.refused == {1: KEY | {"available": 1}}
    assert list(store.scan("accounts")) == [KEY | {"available": 1}]
    store.transact([other])
    with pytest.raises(TransactionRefused) as refused:
        store.transact([put({"available": 9}), other])
    assert refused.value.refused == {1: {"owner": "ben", "entry": "x"}}
    assert store.get("accounts", KEY) == KEY | {"available": 1}


def test_an_update_creates_the_row_it_does_not_find(store: Database) -> None:
    written = store.write(
        Update("accounts", KEY, "ADD #available :one SET #mark = :one", values={":one": 1}, names={"#mark": "mark/a/b"})
    )
    assert written == KEY | {"available": 1, "mark/a/b": 1}


def test_queries_come_in_key_order_both_ways_over_all_pages(store: Database) -> None:
    rows = [{"book": "b", "sequence": number, "events": b"x" * 60_000} for number in range(1, 41)]
    store.put_many("journal", rows)
    store.put_many("journal", [{"book": "c", "sequence": 1}])
    up = store.query("journal", "#book = :book AND #sequence > :n", {":book": "b", ":n": 3})
    assert [row["sequence"] for row in up] == list(range(4, 41))
    down = store.query("journal", "#book = :book", {":book": "b"}, ScanIndexForward=False)
    assert [row["sequence"] for row in down] == list(range(40, 0, -1))


def test_many_rows_are_read_and_written_in_batches(store: Database) -> None:
    rows = [{"owner": "ann", "fill": f"{number:04d}"} for number in range(130)]
    store.put_many("fills", rows)
    keys = [*rows, {"owner": "ann", "fill": "none"}]
    assert sorted(store.get_many("fills", keys), key=lambda row: str(row["fill"])) == rows


def test_rows_of_several_tables_are_read_together(store: Database) -> None:
    """By one call for each hundred keys, whatever their tables."""
    fills = [{"owner": "ann", "fill": f"{number:03}"} for number in range(130)]
    accounts = [{"owner": "ann", "entry": f"{number:03}", "available": number} for number in range(40)]
    for table, rows in (("fills", fills), ("accounts", accounts)):
        store.put_many(table, rows)
    calls: list[int] = []

    def count(_operation: str, call: Call) -> Any:
        calls.append(sum(len(of_table["Keys"]) for of_table in call.arguments["RequestItems"].values()))
        return call()

    client: Any = WatchedClient(store._client, count)
    keys = {
        "fills": fills,
        "accounts": [{"owner": "ann", "entry": f"{number:03}"} for number in range(60)],
        "orders": [],
    }
    found = Database(client, store._prefix).get_of_each(keys)
    assert sorted(found["fills"], key=lambda row: str(row["fill"])) == fills
    assert sorted(found["accounts"], key=lambda row: str(row["entry"])) == accounts
    assert found["orders"] == []
    assert sorted(calls) == [90, 100]


def test_the_index_of_open_signed_orders_holds_those_and_no_others(store: Database) -> None:
    for name, since in (("a", "a"), ("b", None), ("c", "c")):
        row = {"owner": "ann", "entry": name, "open_instance": "inst"} | ({"open_since": since} if since else {})
        store.write(Put("signed-orders", row))
    store.write(Update("signed-orders", {"owner": "ann", "entry": "c"}, "REMOVE #open_since"))
    rows = store.query("signed-orders", "#open_instance = :it", {":it": "inst"}, IndexName="open_orders_by_instance")
    assert [row["entry"] for row in rows] == ["a"]
