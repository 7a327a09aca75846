"""Reading ahead, on every engine that tests use: what is handed out is what each read by itself would find."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.meter import Meter, metered
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.read_ahead import RowAt, row_at
from chalicelib.tables.rows import Row
from chalicelib.tables.writes import Put
from tests.faults import Call, WatchedClient

ANN, BEN = {"owner": "ann", "entry": "balance/x"}, {"owner": "ben", "entry": "balance/x"}
BOOK = {"book": "b", "part": "config"}
ACCOUNTS, EVERY = [row_at("accounts", ANN), row_at("accounts", BEN)], 3


def learn_nothing(_table: str, _row: Row) -> None:
    pass


@pytest.fixture
def rows(store: Database) -> list[RowAt]:
    """Ann's account and a book are there, ben's account is not."""
    store.put_many("accounts", [ANN | {"available": 1}])
    store.put_many("books", [BOOK | {"status": "ACTIVE", "version": 10**20}])
    return [*ACCOUNTS, row_at("books", BOOK)]


def read(database: Database) -> list[Row | None]:
    return [database.get("accounts", ANN), database.get("accounts", BEN), database.get("books", BOOK)]


def test_rows_of_several_tables_are_read_by_one_call_at_the_first_that_is_asked_for(
    store: Database, rows: list[RowAt]
) -> None:
    database, meter = metered(store)
    alone = read(database)
    assert meter.take().calls == EVERY
    with database.reading_ahead(learn_nothing) as ahead:
        ahead.expect(rows)
        assert meter.take().calls == 0
        assert read(database) == alone
        bill = meter.take()
    assert (bill.calls, bill.total.read_units) == (1, EVERY)


def test_a_row_is_handed_out_as_often_as_it_was_expected_and_then_read_again(
    store: Database, rows: list[RowAt]
) -> None:
    database, meter = metered(store)
    with database.reading_ahead(learn_nothing) as ahead:
        ahead.expect([*rows, rows[0]])
        database.get("accounts", ANN)
        store.put_many("accounts", [ANN | {"available": 2}])
        assert database.get("accounts", ANN) == ANN | {"available": 1}
        assert database.get("accounts", ANN) == ANN | {"available": 2}
    assert meter.take().calls == 1 + 1


@pytest.mark.parametrize("is_transaction", [True, False], ids=["transaction", "put"])
def test_after_a_write_every_row_is_read_again(store: Database, rows: list[RowAt], is_transaction: bool) -> None:
    put = Put("accounts", ANN | {"available": 2})
    with store.reading_ahead(learn_nothing) as ahead:
        ahead.expect(rows)
        store.get("accounts", BEN)
        if is_transaction:
            store.transact([put])
        else:
            store.write(put)
        assert store.get("accounts", ANN) == ANN | {"available": 2}


def test_rows_expected_later_are_read_together_too(store: Database, rows: list[RowAt]) -> None:
    database, meter = metered(store)
    with database.reading_ahead(learn_nothing) as ahead:
        ahead.expect(rows[:1])
        database.get("accounts", ANN)
        ahead.expect(rows)
        assert read(database) == read(store)
    assert meter.take().calls == 1 + 1


def test_many_rows_are_handed_out_and_only_the_others_are_read(store: Database, rows: list[RowAt]) -> None:
    store.put_many("accounts", [{"owner": "cid", "entry": "balance/x"}])
    keys = [ANN, BEN, {"owner": "cid", "entry": "balance/x"}]
    database, meter = metered(store)
    with database.reading_ahead(learn_nothing) as ahead:
        ahead.expect(rows)
        found = database.get_many("accounts", keys)
    assert sorted(found, key=lambda row: str(row["owner"])) == [ANN | {"available": 1}, keys[2]]
    bill = meter.take()
    assert (bill.calls, bill.of("accounts").read_units) == (1 + 1, 3)


def test_every_row_that_is_read_is_learnt_from(store: Database, rows: list[RowAt]) -> None:
    learnt: list[tuple[str, Row]] = []
    with store.reading_ahead(lambda table, row: learnt.append((table, row))) as ahead:
        ahead.expect(rows[1:])
        expected = [("accounts", store.get("accounts", ANN)), ("books", store.get("books", BOOK))]
        assert store.get("accounts", BEN) is None
        expected += [("accounts", row) for row in store.query("accounts", "#owner = :owner", {":owner": "ann"})]
    store.get("accounts", ANN)
    assert learnt == expected


def test_rows_that_are_not_processed_are_read_when_they_are_asked_for(store: Database, rows: list[RowAt]) -> None:
    """All that is handed out is true, whichever rows of the call the table had no capacity for."""
    alone = read(store)
    for unread in ("accounts", "books"):
        meter = Meter(WatchedClient(store._client, leaving_out(store.name(unread))), store._prefix)
        client: Any = meter
        database = Database(client, store._prefix)
        with database.reading_ahead(learn_nothing) as ahead:
            ahead.expect(rows)
            assert read(database) == alone
        assert 1 < meter.take().calls <= 1 + 2 * len(rows)


def leaving_out(table: str) -> Any:
    """Return a fault by which batch reads have no capacity for one table."""

    def fault(operation: str, call: Call) -> Any:
        answer = call()
        if operation == "batch_get_item" and table in answer["Responses"]:
            left = answer["Responses"].pop(table)
            keys = [{name: item[name] for name in KEYS[table.rpartition("-")[2]]} for item in left]
            answer["UnprocessedKeys"] = {table: {"Keys": keys}}
        return answer

    return fault


KEYS = {"accounts": ("owner", "entry"), "books": ("book", "part")}


def test_a_thread_does_not_see_what_another_reads_ahead(store: Database, rows: list[RowAt]) -> None:
    from threading import Thread

    found: list[Row | None] = []
    with store.reading_ahead(learn_nothing) as ahead:
        ahead.expect(rows)
        store.get("accounts", BEN)
        store.put_many("accounts", [ANN | {"available": 2}])
        thread = Thread(target=lambda: found.append(store.get("accounts", ANN)))
        thread.start()
        thread.join()
        assert store.get("accounts", ANN) == ANN | {"available": 1}
    assert found == [ANN | {"available": 2}]
    assert store.get("accounts", ANN) == ANN | {"available": 2}
