"""``tallybook mcp`` as a command: its extra, and a server whose input has ended."""

from __future__ import annotations

import subprocess
import sys

import pytest

from chalicelib.ops import cli
from chalicelib.ops.agents.calling import Refused
from chalicelib.ops.cli import agents
from chalicelib.ops.cli.failures import Code, CommandFailed
from infra.settings import ROOT

URL = "http://127.0.0.1:9"


def test_without_its_library_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mcp.types", None)
    with pytest.raises(CommandFailed, match="make mcp") as failed:
        cli.run(["mcp", "--url", URL])
    assert failed.value.code is Code.SETUP


def test_verify_refuses_an_argument_that_it_does_not_have() -> None:
    with pytest.raises(Refused, match="no argument limit"):
        agents._verify({"book": "inst_demo0001/ob_offchain_001", "limit": 3})


def test_it_ends_when_its_input_does() -> None:
    command = [sys.executable, "-m", "chalicelib.ops.cli", "mcp", "--url", URL]
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, b"")


def test_no_other_module_imports_the_library_of_the_protocol() -> None:
    code = "import sys, chalicelib.ops.cli.agents; print('mcp' in sys.modules, 'anyio' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
