"""What people and programs see of results and failures."""

from __future__ import annotations

import io
import json
import re

import pytest
from rich.console import Console

from chalicelib.ops.cli.failures import INTERRUPTED, OUTPUT_NOT_READ, Code, CommandFailed
from chalicelib.ops.cli.output import How, show, show_failure, show_tables
from infra.settings import ROOT

FOR_PROGRAMS, AS_IT_COMES = How(wants_json=True), How(wants_json=False)


def shown(printed: dict[str, object], width: int = 80) -> list[str]:
    """Return the lines that a terminal of this width shows."""
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    show_tables(printed, console)
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines() if line.strip()]


def test_members_are_named_and_lists_of_objects_are_tables() -> None:
    keys = [{"key_id": "key_1", "limit": 0, "ends_at": None}, {"key_id": "key_2", "limit": 200, "ends_at": "2027"}]
    instance, head, rule, first, second = shown({"instance": "inst_demo0001", "keys": keys})
    assert instance == "instance: inst_demo0001"
    assert head.split() == ["key_id", "limit", "ends_at"]
    assert set(rule) == {"─"}
    assert (first.split(), second.split()) == (["key_1", "0", "-"], ["key_2", "200", "2027"])
    assert first.index("0") > second.index("2"), "numbers stand to the right"


def test_rows_that_are_wider_than_the_terminal_are_members_by_their_names() -> None:
    rows = [{"id": letter * 30, "name": letter * 30} for letter in "ab"]
    assert shown({"rows": rows}, width=40) == [
        f"{name}: {letter * 30}" for letter in "ab" for name in ("id", "name")
    ]  # fmt: skip
    assert len(shown({"rows": rows}, width=80)) == 4


def test_a_secret_is_one_line_however_narrow_the_terminal_and_nothing_in_it_is_markup() -> None:
    secret = "[red]" + "x" * 200
    assert shown({"secret": secret}, width=20) == [f"secret: {secret}"]
    assert shown({"rows": [{"name": "[b]x"}]})[-1].strip() == "[b]x"


def test_an_empty_list_is_said_to_be_empty() -> None:
    assert shown({"instance": "inst_demo0001", "keys": []}) == ["instance: inst_demo0001", "no keys"]


@pytest.mark.parametrize("is_terminal", [True, False])
def test_json_is_one_object_on_a_terminal_and_what_a_pipe_gets_unasked(
    is_terminal: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: is_terminal)
    show({"books": []}, FOR_PROGRAMS if is_terminal else AS_IT_COMES, None)
    assert json.loads(capsys.readouterr().out) == {"books": []}


def test_a_failure_is_words_on_a_terminal_and_an_envelope_otherwise(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    failure = CommandFailed("at work, [sic] do it again", Code.BUSY)
    show_failure(failure, AS_IT_COMES)
    envelope = {"error": {"code": "BUSY", "message": "at work, [sic] do it again", "retryable": True}}
    assert json.loads(capsys.readouterr().err) == envelope
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    show_failure(failure, FOR_PROGRAMS)
    assert json.loads(capsys.readouterr().err) == envelope
    show_failure(failure, AS_IT_COMES)
    words = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().err)
    assert words == "tallybook: at work, [sic] do it again\n"


def test_the_page_has_every_code_under_its_exit_status() -> None:
    page = (ROOT / "docs/command-line.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| ([^|]*) \| ?([^|]*?) ?\|$", page, re.MULTILINE)
    named = {code: int(status) for status, _, codes in rows for code in re.findall(r"`([A-Z_]+)`", codes)}
    assert named == {code.value: code.exit_status for code in Code}
    assert {int(status) for status, _, _ in rows} == {0, *named.values(), INTERRUPTED, OUTPUT_NOT_READ}
    (retryable,) = [status for status, meaning, _ in rows if "`retryable`" in meaning]
    assert {code for code in Code if code.is_retryable} == {code for code in Code if code.exit_status == int(retryable)}
