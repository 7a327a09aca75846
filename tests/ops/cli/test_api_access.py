"""Where commands that act as a client go, with which key, and what failures there mean."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chalicelib.ops import cli
from chalicelib.ops.cli.api_access import Access, failure_of
from chalicelib.ops.cli.failures import Code, CommandFailed
from infra.settings import ROOT
from tallybook_client import OutcomeUnknown, TallybookError, TlsFailed, Unreachable, Unreadable
from tallybook_client.book import errors

LOCAL, OTHER = "http://127.0.0.1:8000", "https://venue.example"


@pytest.fixture
def sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What the client is made with, beside a local run."""
    (tmp_path / ".local").mkdir()
    run = {"base_url": LOCAL, "book_desk": {"api_key": "demo"}}
    (tmp_path / ".local/demo.json").write_text(json.dumps(run), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    made: list[tuple[Any, ...]] = []
    monkeypatch.setattr("chalicelib.ops.cli.api_access.BookDesk", lambda *given: made.append(given))
    return made


def test_beside_a_local_run_its_address_and_key_are_taken(sent: list[tuple[Any, ...]]) -> None:
    with Access().desk():
        pass
    with Access(url=LOCAL).desk():
        pass
    with Access(api_key="own").desk():
        pass
    assert sent == [(LOCAL, "demo"), (LOCAL, "demo"), (LOCAL, "own")]


def test_the_key_of_a_local_run_goes_to_no_other_address(sent: list[tuple[Any, ...]]) -> None:
    for url in (OTHER, f"{LOCAL}0", f"{LOCAL}@venue.example"):
        with pytest.raises(CommandFailed, match=f"a key for {re.escape(url)} is missing"), Access(url=url).desk():
            pass
    assert sent == []
    with Access(url=OTHER, api_key="own").desk():
        pass
    assert sent == [(OTHER, "own")]


def test_without_a_local_run_the_address_and_the_key_have_to_be_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for access, words in ((Access(), "the address of the API is missing"), (Access(url=OTHER), f"a key for {OTHER}")):
        with pytest.raises(CommandFailed, match=words) as failed, access.desk():
            pass
        assert failed.value.code is Code.SETUP


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (Unreachable("refused"), Code.UNREACHABLE, f"nothing answers at {OTHER}"),
        (TlsFailed("no TLS; is it http:// there?"), Code.SETUP, "no TLS; is it http:// there?; --url"),
        (OutcomeUnknown("lost", "key-1"), Code.OUTCOME_UNKNOWN, "--key key-1"),
        (Unreadable("no JSON", b"<html>"), Code.SETUP, "not Tallybook's API"),
        (errors.AuthFailed(401, "AUTH_FAILED", "API key is not valid"), Code.CREDENTIALS, "tallybook key create"),
        (errors.RateLimitExceeded(429, "RATE_LIMIT_EXCEEDED", "Slow down"), Code.RATE_LIMITED, "Slow down"),
        (errors.OrderNotFound(404, "ORDER_NOT_FOUND", "Order does not exist"), Code.NOT_FOUND, "ORDER_NOT_FOUND"),
        (errors.InsufficientBalance(400, "INSUFFICIENT_BALANCE", "No"), Code.INSUFFICIENT_BALANCE, "No"),
        (errors.CancelPending(503, "CANCEL_PENDING", "Queued"), Code.BUSY, "Queued"),
        (errors.ServiceUnavailable(503, "SERVICE_UNAVAILABLE", "Later"), Code.UNAVAILABLE, "Later"),
        (errors.IdempotencyMismatch(409, "IDEMPOTENCY_MISMATCH", "Other"), Code.CONFLICT, "Other"),
        (
            errors.ValidationError(400, "VALIDATION_ERROR", "Faulty", fields={"price": "is no number"}),
            Code.REFUSED,
            "price: is no number",
        ),
    ],
)
def test_a_failed_call_has_a_code_and_says_what_to_do(error: TallybookError, code: Code, words: str) -> None:
    failure = failure_of(error, OTHER)
    assert failure.code is code
    assert words in failure.message


def test_a_command_over_http_imports_no_aws_sdk() -> None:
    line = ["orders", "list", "--customer", "ann"]
    parse = f"import sys; from chalicelib.ops import cli; cli._parsed({line}); print('botocore' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", parse], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "False\n"


def test_load_takes_no_address_from_a_variable(
    sent: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TALLYBOOK_URL", LOCAL)
    with pytest.raises(SystemExit):
        cli.run(["load", "--book", "ob_1", "--customer", "ann", "--orders", "1", "--price", "1", "--quantity", "1"])
    assert "--url" in capsys.readouterr().err
    assert sent == []


@pytest.mark.parametrize(
    "line",
    [
        "orders place --book ob_1 --customer ann --side BUY --price 1 --quantity 1",
        "load --book ob_1 --customer ann --orders 1 --price 1 --quantity 1",
        "mcp",
    ],
)
def test_an_address_without_a_scheme_is_wrong_usage_not_an_unknown_outcome(
    line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.run([*line.split(), "--url", "localhost:8000", "--api-key", "own"])
    assert ended.value.code == 2
    assert "must be http:// or https:// and a host" in capsys.readouterr().err


def test_an_empty_variable_says_nothing_of_the_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TALLYBOOK_URL", "")
    with pytest.raises(CommandFailed, match="the address of the API is missing"):
        cli.run(["orders", "list", "--customer", "ann"])
