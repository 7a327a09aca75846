"""The local DynamoDB process: what is saved after a kill, on a full disk, and at a normal end."""

from __future__ import annotations

import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest

from infra.engine import EngineStorage, engine_answers, start_engine, unsaved_data
from infra.exact_engine import NOT_LOADED, NOT_SAVED
from infra.processes import Child
from infra.settings import HOST, free_port
from infra.state_file import FILE, UNFINISHED, SavedState, read_state, write_state

WAIT_S_MAX = 20
TABLES = ("left", "right")
KEY: Any = [{"AttributeName": "id", "KeyType": "HASH"}]
TYPES: Any = [{"AttributeName": "id", "AttributeType": "S"}]


@dataclass(frozen=True)
class Running:
    process: Child
    kept: EngineStorage
    client: Any
    streams: Any

    def make_tables(self) -> None:
        for table in TABLES:
            self.client.create_table(
                TableName=table,
                KeySchema=KEY,
                AttributeDefinitions=TYPES,
                BillingMode="PAY_PER_REQUEST",
                StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
            )

    def put(self, row: str, table: str = "left", **facts: Any) -> None:
        self.client.put_item(TableName=table, Item={"id": {"S": row}} | facts)

    def get(self, row: str, table: str = "left") -> Any:
        return self.client.get_item(TableName=table, Key={"id": {"S": row}}).get("Item")

    def records(self) -> list[Any]:
        arn = self.client.describe_table(TableName="left")["Table"]["LatestStreamArn"]
        shard = self.streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]
        where = {"StreamArn": arn, "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"}
        iterator = self.streams.get_shard_iterator(**where)["ShardIterator"]
        return list(self.streams.get_records(ShardIterator=iterator)["Records"])

    def last_number(self) -> int:
        return int(self.records()[-1]["dynamodb"]["SequenceNumber"])

    def kill(self) -> None:
        os.kill(self.process.pid, signal.SIGKILL)
        wait_for(lambda: self.process.exit_code() is not None)

    def limit_files(self, size: int) -> None:
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (size, hard))


def wait_for(ready: Callable[[], Any]) -> None:
    deadline_s = time.monotonic() + WAIT_S_MAX
    while not ready():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


@contextmanager
def running(folder: Path, monkeypatch: pytest.MonkeyPatch, every_s: float = 0.2, run: str = "one") -> Iterator[Running]:
    monkeypatch.setenv("TALLYBOOK_SAVE_EVERY_S", str(every_s))
    port = free_port(0)
    with (folder / "lock").open("w") as lock:
        kept = EngineStorage(folder, lock.fileno(), run)
        process = start_engine(port, kept)
        try:
            wait_for(lambda: engine_answers(port) or process.exit_code() is not None)
            url = f"http://{HOST}:{port}"
            clients = (boto3.client(name, endpoint_url=url) for name in ("dynamodb", "dynamodbstreams"))
            yield Running(process, kept, *clients)
        finally:
            process.stop(WAIT_S_MAX)


def saved(folder: Path) -> SavedState:
    state = read_state(folder)
    assert state is not None
    return state


def rows_saved(folder: Path) -> set[str]:
    state = read_state(folder)
    tables = state.payload["tables"] if state else []
    return {row for _, _, name, table in tables if name == "left" for row in table["items"]}


def test_what_was_saved_while_it_ran_is_there_after_a_kill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = {"__bytes__": {"S": "x"}, "__scoped__": {"M": {"__bytes__": {"B": b"\x00\xff"}}}, "n": {"N": "9" * 38}}
    with running(tmp_path, monkeypatch) as engine:
        engine.make_tables()
        engine.put("a", **odd)
        wait_for(lambda: "a" in rows_saved(tmp_path))
        engine.kill()
        assert "WHAT WAS STORED SINCE " in (unsaved_data(engine.kept, -9) or "")
    (tmp_path / UNFINISHED).write_bytes(b"a save that a kill has cut short")
    with running(tmp_path, monkeypatch, run="two") as engine:
        assert not (tmp_path / UNFINISHED).exists()
        assert engine.get("a") == {"id": {"S": "a"}} | odd
        assert "WHAT THIS RUN STORED IS LOST; what was saved at " in (unsaved_data(engine.kept, -9) or "")


def test_all_tables_are_saved_as_of_one_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(tmp_path, monkeypatch, every_s=0.05) as engine:
        engine.make_tables()
        for table in TABLES:
            engine.put("sum", table, n={"N": "0"})
        until_s, moved = time.monotonic() + 3, 0
        changes = [(table, sign) for table, sign in zip(TABLES, ("1", "-1"), strict=True)]
        while time.monotonic() < until_s:
            parts = [
                {
                    "TableName": table,
                    "Key": {"id": {"S": "sum"}},
                    "UpdateExpression": "ADD n :n",
                    "ExpressionAttributeValues": {":n": {"N": sign}},
                }
                for table, sign in changes
            ]
            engine.client.transact_write_items(TransactItems=[{"Update": part} for part in parts])
            engine.put(f"row{moved}", "right", padding={"S": "x" * 20_000})
            moved += 1
            state = read_state(tmp_path)
            if state and len(state.payload["tables"]) == 2:
                sums = [table["items"].get("sum") for _, _, _, table in state.payload["tables"]]
                found = [next(iter(rows.values()))["n"]["N"] for rows in sums if rows]
                assert sum(map(int, found)) == 0
        engine.kill()
    with running(tmp_path, monkeypatch) as engine:
        left, right = (int(engine.get("sum", table)["n"]["N"]) for table in TABLES)
        assert left == -right
        assert 0 < left <= moved


def test_nothing_is_saved_again_when_nothing_has_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(tmp_path, monkeypatch, every_s=0.05) as engine:
        engine.make_tables()
        engine.put("a")
        wait_for(lambda: "a" in rows_saved(tmp_path))
        time.sleep(0.2)
        at = saved(tmp_path).at
        engine.get("a")
        time.sleep(0.3)
        assert saved(tmp_path).at == at
        engine.put("b")
        wait_for(lambda: "b" in rows_saved(tmp_path))
        assert engine.process.stop(WAIT_S_MAX)
        assert engine.process.exit_code() == 0
        assert unsaved_data(engine.kept, 0) is None
    assert saved(tmp_path).final


@pytest.mark.parametrize("ahead", [0, 10**28])
def test_stream_numbers_go_on_above_all_earlier_ones_whatever_the_clock_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ahead: int
) -> None:
    with running(tmp_path, monkeypatch) as engine:
        engine.make_tables()
        engine.put("a")
        before = engine.last_number()
    assert saved(tmp_path).last_sequence == before
    floor = before + ahead  # the clock was ahead by so much
    write_state(tmp_path, replace(saved(tmp_path), last_sequence=floor))
    for row in ("b", "c"):
        with running(tmp_path, monkeypatch) as engine:
            engine.put(row)
            assert engine.last_number() > floor
            floor = engine.last_number()


def test_stream_records_that_no_poller_may_have_delivered_are_there_after_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = {"__bytes__": {"B": b"\x00\xff"}, "n": {"N": "9" * 38}}
    with running(tmp_path, monkeypatch) as engine:
        engine.make_tables()
        engine.put("a", **odd)
        engine.put("b")
        before = [one["dynamodb"] for one in engine.records()]
    state = saved(tmp_path)
    ((*_, records),) = [table for table in state.payload["stream_records"] if table[2] == "left"]
    for record in records:
        record["dynamodb"]["ApproximateCreationDateTime"] -= 2 * 86_400  # the run was down for two days
    write_state(tmp_path, state)
    with running(tmp_path, monkeypatch) as engine:
        engine.put("c")
        again = [one["dynamodb"] for one in engine.records()]
    assert [one["NewImage"]["id"]["S"] for one in again] == ["a", "b", "c"]
    for was, is_now in zip(before, again, strict=False):
        assert is_now["SequenceNumber"] == was["SequenceNumber"]
        assert is_now["NewImage"] == was["NewImage"]


def test_a_state_that_cannot_be_read_ends_the_engine_and_stays_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(tmp_path, monkeypatch) as engine:
        engine.make_tables()
    content = (tmp_path / FILE).read_bytes()[:-100]
    (tmp_path / FILE).write_bytes(content)
    with running(tmp_path, monkeypatch) as engine:
        assert engine.process.exit_code() == NOT_LOADED
    assert (tmp_path / FILE).read_bytes() == content


def test_a_newer_engines_state_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(tmp_path, monkeypatch) as engine:
        engine.make_tables()
    write_state(tmp_path, replace(saved(tmp_path), engine_format=99))
    with running(tmp_path, monkeypatch) as engine:
        assert engine.process.exit_code() == NOT_LOADED


@pytest.mark.skipif(sys.platform != "linux", reason="limits of another process are Linux's")
def test_a_save_that_fails_is_tried_again_and_one_that_fails_at_the_end_is_no_success(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with running(tmp_path, monkeypatch) as engine:
        engine.make_tables()
        engine.put("a")
        wait_for(lambda: "a" in rows_saved(tmp_path))
        engine.limit_files(1000)
        engine.put("b")
        wait_for(lambda: "could not be saved (File too large)" in capfd.readouterr().err)
        assert engine.get("b")
        assert rows_saved(tmp_path) == {"a"}
        engine.limit_files(10**8)
        wait_for(lambda: "b" in rows_saved(tmp_path))
        engine.limit_files(1000)
        engine.put("c")
        engine.process.stop(WAIT_S_MAX)
        assert engine.process.exit_code() == NOT_SAVED
        assert "COULD NOT SAVE: WHAT WAS STORED SINCE " in (unsaved_data(engine.kept, NOT_SAVED) or "")
    assert rows_saved(tmp_path) == {"a", "b"}


def test_a_run_has_saved_when_its_last_save_is_in_the_file_whatever_the_engine_says(tmp_path: Path) -> None:
    kept = EngineStorage(tmp_path, 0, "mine")
    assert "WHAT THIS RUN STORED IS LOST; nothing was saved before." in (unsaved_data(kept, 0) or "")
    last = SavedState(2, "mine", datetime.now(UTC), True, 0, {})
    write_state(tmp_path, replace(last, run="another's"))
    assert "WHAT THIS RUN STORED IS LOST; what was saved at " in (unsaved_data(kept, 0) or "")
    write_state(tmp_path, replace(last, final=False))
    assert "WHAT WAS STORED SINCE " in (unsaved_data(kept, 0) or "")
    write_state(tmp_path, last)
    assert unsaved_data(kept, 0) is None
    assert "COULD NOT SAVE" in (unsaved_data(kept, NOT_SAVED) or "")
    (tmp_path / FILE).write_bytes(b"")
    assert "it is empty" in (unsaved_data(kept, 0) or "")
