"""The metering client returns the same answers, and counts their cost on AWS."""

from __future__ import annotations

import pytest

from benchmarks.meter import Bill, Cost, metered
from chalicelib.tables.attribute_values import typed
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.writes import ConditionFailed, Put, TransactionRefused, Update

NOT_THERE = "attribute_not_exists(#entry)"
INDEX = "open_orders_by_instance"


def order(number: int, **attributes: object) -> dict[str, object]:
    return {"owner": "ann", "entry": f"{number:03d}", "open_instance": "x", "padding": "x" * 400, **attributes}


def bill(calls: int, **cost: float) -> Bill:
    return Bill(calls, calls, {"signed-orders": Cost(**cost)})  # type: ignore[arg-type]


def test_reads_are_answered_and_counted_by_the_rows_they_go_through(memory_database: Database) -> None:
    database, meter = metered(memory_database)
    memory_database.put_many("signed-orders", [order(number, open_since="1") for number in range(50)])
    keys = [{"owner": "ann", "entry": f"{number:03d}"} for number in range(48, 52)]
    of_ann, values = "#owner = :owner", {":owner": "ann"}
    assert database.get("signed-orders", keys[0]) == order(48, open_since="1")
    assert meter.take() == bill(1, rows_read=1, read_units=1)
    assert database.get("signed-orders", keys[-1]) is None
    assert meter.take() == bill(1, rows_read=0, read_units=1)
    assert len(database.get_many("signed-orders", keys)) == 2
    assert meter.take() == bill(1, rows_read=2, read_units=4)
    assert len(list(database.query("signed-orders", of_ann, values))) == 50
    assert meter.take() == bill(1, rows_read=50, read_units=6)
    indexed = {"IndexName": INDEX}
    assert len(list(database.query("signed-orders", "#open_instance = :x", {":x": "x"}, **indexed))) == 50
    assert meter.take() == bill(1, rows_read=50, read_units=0.5)
    assert len(list(database.query("signed-orders", of_ann, values, Limit=20))) == 50
    assert meter.take() == bill(3, rows_read=50, read_units=3 + 3 + 2)
    assert len(list(database.scan("signed-orders"))) == 50
    assert meter.take().total.rows_read == 50


def test_pages_are_asked_for_when_they_are_wanted(memory_database: Database) -> None:
    memory_database.put_many("signed-orders", [order(number) for number in range(50)])
    database, meter = metered(memory_database)
    rows = database.query("signed-orders", "#owner = :owner", {":owner": "ann"}, Limit=20)
    assert next(rows)["entry"] == "000"
    assert meter.bill.calls == 1


def test_writes_cost_their_table_and_its_index(memory_database: Database) -> None:
    database, meter = metered(memory_database)
    key = {"owner": "ann", "entry": "001"}
    database.write(Put("signed-orders", order(1, open_since="1")))
    assert meter.take() == bill(1, write_units=1 + 1)
    database.write(Update("signed-orders", key, "SET #filled = :filled", None, {":filled": 5}))
    assert meter.take() == bill(1, write_units=1)
    database.transact(
        [Update("signed-orders", key, "REMOVE #open_since"), Put("signed-orders", order(2, open_since="2"))]
    )
    assert meter.take() == bill(1, write_units=(2 + 1) + (2 + 1))
    database.put_many("signed-orders", [order(3), order(4, open_since="4")])
    assert meter.take() == bill(1, write_units=1 + 2)
    database.delete_many("signed-orders", [key, {"owner": "ann", "entry": "004"}])
    assert meter.take() == bill(1, write_units=1 + 2)


def test_a_refused_write_costs_its_table_what_it_would_have_cost_and_its_index_nothing(
    memory_database: Database,
) -> None:
    memory_database.write(Put("signed-orders", order(1)))
    database, meter = metered(memory_database)
    with pytest.raises(ConditionFailed):
        database.write(Put("signed-orders", order(1, open_since="1", more="x" * 1100), NOT_THERE))
    assert meter.take() == bill(1, write_units=2)
    with pytest.raises(TransactionRefused):
        database.transact(
            [Put("signed-orders", order(1), NOT_THERE), Put("signed-orders", order(2, open_since="2"), NOT_THERE)]
        )
    assert meter.take() == bill(1, write_units=2 + 2)


def test_statements_cost_what_single_writes_do_and_all_of_them_one_call(memory_database: Database) -> None:
    memory_database.put_many(
        "signed-orders", [order(1, open_since="1"), order(2, open_since="2"), order(3, open_since="3")]
    )
    _, meter = metered(memory_database)
    table = memory_database.name("signed-orders")
    key, text = '"owner" = ? AND "entry" = ?', "x" * 1100
    statements: list[tuple[str, list[object]]] = [
        (f'UPDATE "{table}" SET "filled" = ? WHERE {key}', [1, "ann", "001"]),
        (f'UPDATE "{table}" REMOVE "open_since" WHERE {key} AND "filled" IS MISSING', ["ann", "002"]),
        (f'UPDATE "{table}" REMOVE "open_since" WHERE {key} AND "filled" = ?', ["ann", "003", 1]),
        (f'UPDATE "{table}" SET "filled" = ? WHERE {key}', [1, "ann", "none"]),
        (
            f"INSERT INTO \"{table}\" VALUE {{'owner': ?, 'entry': ?, 'open_instance': ?, 'open_since': ?}}",
            ["ann", "004", "x", "4"],
        ),
        (f"INSERT INTO \"{table}\" VALUE {{'owner': ?, 'entry': ?, 'more': ?}}", ["ann", "001x", text]),
        (f'DELETE FROM "{table}" WHERE {key}', ["ann", "005"]),
    ]
    answer = meter.batch_execute_statement(
        Statements=[{"Statement": text, "Parameters": list(map(typed, values))} for text, values in statements]
    )
    refused = [one["Error"]["Code"] for one in answer["Responses"] if "Error" in one]
    assert refused == ["ConditionalCheckFailed"] * 2
    assert meter.take() == bill(1, write_units=1 + (1 + 1) + 1 + 1 + (1 + 1) + 2 + 1)


def test_a_refused_insert_costs_what_it_would_have_cost(memory_database: Database) -> None:
    memory_database.put_many("signed-orders", [order(1)])
    _, meter = metered(memory_database)
    text = f"INSERT INTO \"{memory_database.name('signed-orders')}\" VALUE {{'owner': ?, 'entry': ?, 'more': ?}}"
    insert = {"Statement": text, "Parameters": list(map(typed, ["ann", "001", "x" * 1100]))}
    (response,) = meter.batch_execute_statement(Statements=[insert])["Responses"]
    assert response["Error"]["Code"] == "DuplicateItem"
    assert meter.take() == bill(1, write_units=2)


def test_a_projection_changes_what_is_answered_and_not_what_is_charged(memory_database: Database) -> None:
    database, meter = metered(memory_database)
    memory_database.put_many("signed-orders", [order(number) for number in range(50)])
    key = "#owner = :o", {":o": "ann"}
    whole = list(database.query("signed-orders", *key))
    charged = meter.take()
    assert list(database.query("signed-orders", *key, ProjectionExpression="#entry")) == [
        {"entry": row["entry"]} for row in whole
    ]
    assert meter.take() == charged
    assert charged == bill(1, rows_read=50, read_units=6)


def test_a_read_that_hides_the_rows_examined_is_refused(memory_database: Database) -> None:
    _, meter = metered(memory_database)
    with pytest.raises(ValueError, match="FilterExpression"):
        meter.scan(TableName=memory_database.name("signed-orders"), FilterExpression="attribute_exists(nothing)")
