"""The command ``events``: every line resumes right behind its event; following ends with Ctrl-C."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

import pytest

from chalicelib import wiring
from chalicelib.domain.feed.logs import LEDGER_AREA, escrow_area
from chalicelib.ops import cli
from chalicelib.ops.cli.failures import CommandFailed
from chalicelib.services import polling
from chalicelib.support.clock import now_ms
from chalicelib.tables.dynamodb import Database
from tests.ops.cli.merchants import make_merchants
from tests.services.feed.writing import ANN, BEN, INSTANCE, Logs
from tests.waiting import Waiting

Run = Callable[[str], dict[str, Any]]
MAKER = "0x" + "Aa" * 20
EVENTS = f"events --instance {INSTANCE}"


@pytest.fixture
def logs(memory_database: Database, monkeypatch: pytest.MonkeyPatch) -> Logs:
    monkeypatch.setattr(wiring, "database", lambda: memory_database)
    cli.run(["instance", "create", "--ref", INSTANCE.removeprefix("inst_")])
    logs = Logs(memory_database)
    logs.now_ms = now_ms()
    return logs


@pytest.fixture
def run(logs: Logs) -> Run:  # noqa: ARG001 - its tables are the deployment's
    return lambda line: cli.run(line.split())


def ids(printed: dict[str, Any]) -> list[str]:
    return [event["id"] for event in printed["events"]]


def test_each_events_cursor_resumes_right_behind_it(logs: Logs, run: Run) -> None:
    for lane in (1, 2, 1):
        logs.put(lane, ANN, BEN, ANN)
    whole = run(f"{EVENTS} --customer ann --after start")
    assert len(ids(whole)) == 6
    assert whole["has_more"] is False
    for number, event in enumerate(whole["events"], 1):
        rest = run(f"{EVENTS} --customer ann --after {event['cursor']}")
        assert ids(whole)[:number] + ids(rest) == ids(whole)
    first = run(f"{EVENTS} --customer ann --after start --limit 2")
    assert (len(ids(first)), first["has_more"]) == (2, True)
    assert ids(first) + ids(run(f"{EVENTS} --customer ann --after {first['cursor']}")) == ids(whole)


def test_without_a_place_events_are_printed_from_now_on(logs: Logs, run: Run) -> None:
    logs.put(1, ANN)
    now = run(EVENTS)
    assert now["events"] == []
    logs.put(1, BEN)
    assert len(run(f"{EVENTS} --after {now['cursor']}")["events"]) == 1


def test_each_subject_has_its_events(logs: Logs, run: Run) -> None:
    address = MAKER.lower()
    logs.put(0, f"maker/{address}", kind="signed_order.pending")
    logs.put(1, f"taker/{address}", kind="signed_order.locked")
    logs.put(2, "takers", kind="signed_order.pending")
    logs.put(3, ANN, area=LEDGER_AREA, kind="balance.changed")
    make_merchants(run, INSTANCE, "m_1")
    logs.put(4, "merchant/sandbox/m_1", area=escrow_area("sandbox", "m_1"), kind="EscrowPublished")
    logs.make_book("ob_1")
    logs.journal("ob_1", "ann")

    def types(options: str) -> list[str]:
        return sorted(event["type"] for event in run(f"{EVENTS} --after start {options}")["events"])

    assert types(f"--maker {MAKER}") == ["signed_order.pending"]
    assert types(f"--taker {MAKER}") == ["signed_order.locked", "signed_order.pending"]
    assert types("--merchant sandbox/m_1") == ["EscrowPublished"]
    assert types("--merchant production/m_1") == []
    assert types("--customer ann") == ["balance.changed", "order.cancel_refused"]
    assert types("--customer ann --book ob_1") == ["order.cancel_refused"]
    assert types("--types balance.changed,signed_order.locked") == ["balance.changed", "signed_order.locked"]
    assert len(types("")) == 5, "escrow orders are their merchants'"


def test_following_prints_lines_as_events_come_and_ends_with_ctrl_c(
    logs: Logs, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = Waiting()
    printed: list[str] = []

    def meanwhile() -> None:
        printed.append(capsys.readouterr().out)
        if clock.slept_s > 50:
            raise KeyboardInterrupt
        if len(printed) % 40 == 1:
            logs.put(len(printed) % 8, ANN)

    clock.meanwhile = meanwhile
    monkeypatch.setattr(polling, "time", clock)
    monkeypatch.setattr(polling, "until", clock.until)
    monkeypatch.setattr("sys.argv", ["tallybook", *EVENTS.split(), "--follow"])
    assert cli.main() == 0
    lines = [json.loads(line) for text in printed for line in text.splitlines()]
    assert len(lines) == -(-len(printed) // 40)
    assert [line["body"] for line in lines] == [{"number": number} for number in range(1, len(lines) + 1)]
    assert lines[0]["cursor"] != lines[1]["cursor"]


def test_following_ends_at_its_limit(
    logs: Logs, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.put(1, ANN, BEN, ANN)
    monkeypatch.setattr("sys.argv", ["tallybook", *EVENTS.split(), "--follow", "--after", "start", "--limit", "2"])
    assert cli.main() == 0
    assert len(capsys.readouterr().out.splitlines()) == 2


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ("--after nonsense", "--after must be a cursor"),
        ("--follow --json", "with --follow each line is one anyway"),
        (f"--maker {MAKER} --book ob_1", "--book is of no use there"),
        ("--book ob_9", f"no such book: {INSTANCE}/ob_9"),
        ("--merchant sandbox/m_9 --follow", "no such merchant: m_9"),
        ("--instance inst_none0001 --follow", "no such instance: inst_none0001"),
    ],
)
def test_what_cannot_be_followed_is_refused_with_a_reason(run: Run, options: str, reason: str) -> None:
    with pytest.raises(CommandFailed, match=reason):
        run(f"{EVENTS} {options}" if "--instance" not in options else f"events {options}")


@pytest.mark.parametrize("types", ["order.*", "", "order.filled,", "order.fill"])
def test_what_is_no_list_of_types_is_wrong_usage(run: Run, types: str) -> None:
    with pytest.raises(SystemExit):
        run(f"{EVENTS} --types={types}")


@pytest.mark.parametrize("options", [("--after", "start"), ("--after", "start", "--follow")])
def test_a_reader_of_the_output_that_goes_ends_the_command_quietly(
    logs: Logs, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], options: tuple[str, ...]
) -> None:
    logs.put(1, ANN)
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w", encoding="utf-8") as output:
        monkeypatch.setattr("sys.stdout", output)
        monkeypatch.setattr("sys.argv", ["tallybook", *EVENTS.split(), *options])
        assert cli.main() == cli.OUTPUT_NOT_READ
    assert capfd.readouterr().err == ""


def test_a_cursor_that_is_gone_names_the_place_from_which_to_go_on(logs: Logs, run: Run) -> None:
    logs.now_ms -= 40 * 86_400_000
    logs.put(1, ANN)
    cursor = run(EVENTS)["cursor"]
    logs.put(1, ANN)
    with pytest.raises(CommandFailed) as failed:
        run(f"{EVENTS} --after {cursor}")
    begin = str(failed.value).partition("--after ")[2].split()[0]
    assert run(f"{EVENTS} --after {begin}")["events"] == []
