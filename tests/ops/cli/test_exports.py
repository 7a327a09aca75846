"""The command ``export``: files that are whole, streams, and exports that add up as printed (T99)."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chalicelib import wiring
from chalicelib.apis.book.export_rows import BALANCES
from chalicelib.ops import cli
from chalicelib.ops.cli.failures import CommandFailed
from chalicelib.services.books import history
from chalicelib.services.books.exports import Exports
from chalicelib.support.outcomes import Unavailable
from chalicelib.tables.dynamodb import Database
from tests.world import BASE, INSTANCE, QUOTE, World

Run = Callable[[str], dict[str, Any]]
OF = f"--instance {INSTANCE}"
EVERY = ("transactions", "trades", "orders", "balances")


@pytest.fixture
def world(memory_database: Database, monkeypatch: pytest.MonkeyPatch) -> World:
    """A world in which ann and ben have traded, and ann's order rests."""
    monkeypatch.setattr(wiring, "database", lambda: memory_database)
    world = World(memory_database, taker_fee_bps=500)
    world.tenants().create_instance("test0001", {"trading"})
    world.credit("ann", BASE, 1000)
    world.credit("ben", QUOTE, 1000)
    world.placed("ann", "SELL", 100, 5)
    world.placed("ben", "BUY", 60, 5)
    world.deliver()
    return world


@pytest.fixture
def run(world: World) -> Run:  # noqa: ARG001 - the tables that the commands work on
    return lambda line: cli.run(line.split())


def printed(line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    monkeypatch.setattr("sys.argv", ["tallybook", *line.split()])
    assert cli.main() == 0
    return capsys.readouterr().out


def csv_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_exported_transactions_sum_to_exported_balances(run: Run, tmp_path: Path) -> None:
    for name in ("transactions", "balances"):
        told = run(f"export {name} {OF} --output {tmp_path / name}.csv")
        assert told == {"output": f"{tmp_path / name}.csv", "rows": len(csv_rows(tmp_path / f"{name}.csv"))}
    sums = Counter[tuple[str, str]]()
    for row in csv_rows(tmp_path / "transactions.csv"):
        sums[row["toCustomerRef"], row["tokenAddress"]] += int(row["amount"])
        sums[row["fromCustomerRef"], row["tokenAddress"]] -= int(row["amount"])
    balances = {
        (row["customerRef"], row["tokenAddress"]): int(row["balance"]) for row in csv_rows(tmp_path / "balances.csv")
    }
    assert balances == {account: total for account, total in sums.items() if account[0]}
    assert balances["ben", BASE] == 57


@pytest.mark.parametrize("name", EVERY)
def test_a_customers_rows_are_among_those_of_all_and_a_stream_is_the_file(
    run: Run, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(f"export {name} {OF} --format jsonl --output {tmp_path}/all")
    streamed = printed(f"export {name} {OF} --format jsonl", monkeypatch, capsys)
    as_of = [{**json.loads(line), "at": ""} for line in streamed.splitlines()]
    assert [{**json.loads(line), "at": ""} for line in (tmp_path / "all").read_text().splitlines()] == as_of
    text = printed(f"export {name} {OF} --customer ben --format jsonl", monkeypatch, capsys)
    own = [json.loads(line) for line in text.splitlines()]
    of_ben = [row for row in as_of if "ben" in row.values()]
    compared = ("id", "tokenAddress")
    assert own
    assert [[row.get(one) for one in compared] for row in own] == [[row.get(one) for one in compared] for row in of_ben]


def test_csv_is_the_usual_form_and_begins_with_its_columns(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(f"export balances {OF}") == {}
    capsys.readouterr()
    text = printed(f"export balances {OF} --customer ben", monkeypatch, capsys)
    header, *rows = text.splitlines()
    assert header == ",".join(BALANCES)
    assert len(rows) == 2


def test_a_span_and_a_moment_leave_out_what_is_later(run: Run, tmp_path: Path) -> None:
    for name in ("transactions", "trades", "orders"):
        assert run(f"export {name} {OF} --to 2020-01-01 --output {tmp_path}/x")["rows"] == 0
        assert run(f"export {name} {OF} --from 2020-01-01 --to 2099-12-31 --output {tmp_path}/x")["rows"] > 0
    run(f"export balances {OF} --at 2020-01-01 --output {tmp_path}/then.csv")
    assert {row["balance"] for row in csv_rows(tmp_path / "then.csv")} == {"0"}
    with pytest.raises(SystemExit):
        run(f"export balances {OF} --at 2099-01-01")
    for faulty in ("--from x", "--to 2025-02-30", "--format xls"):
        with pytest.raises(SystemExit):
            run(f"export trades {OF} {faulty}")


def test_an_export_that_fails_leaves_the_file_as_it_was(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "balances.csv"
    file.write_text("of yesterday")

    def failing(*_arguments: object) -> object:
        raise Unavailable("the table is throttled")

    monkeypatch.setattr(Exports, "balances", failing)
    with pytest.raises(CommandFailed, match="did not answer"):
        run(f"export balances {OF} --output {file}")
    assert file.read_text() == "of yesterday"


def test_what_cannot_be_exported_is_said(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CommandFailed, match="no such instance: inst_none0001"):
        run("export trades --instance inst_none0001")
    with pytest.raises(CommandFailed, match="--output names a file"):
        run(f"export trades {OF} --json")
    monkeypatch.setattr(history, "ROWS_MAX", 1)
    with pytest.raises(CommandFailed, match="too long ago"):
        run(f"export balances {OF} --at 2020-01-01")
    with pytest.raises(CommandFailed, match="no/such"):
        run(f"export trades {OF} --output no/such/file")
