"""A whole service for tests: ``make run`` on a free port and in its own directory."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from infra.settings import ROOT, free_port

READY_BOUND_S = 60
STOP_BOUND_S = 60
_NOT_PASSED_ON = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_DYNAMODB_STREAMS", "FRESH")


class RunningStack:
    """Runs ``python -m infra.local`` inside a ``with`` block; SIGINT ends it, as Ctrl-C does.

    A second run in the same directory finds the first one's data. ``output``: everything that the run has printed.
    program: another module that runs it, with its arguments.
    """

    def __init__(self, local_dir: Path, program: Sequence[str] = ("infra.local",), **environment: str) -> None:
        self.local_dir = local_dir
        self._program = program
        self._output_file = local_dir / "output.txt"
        self._port = free_port(but=0)
        passed_on = {name: value for name, value in os.environ.items() if name not in _NOT_PASSED_ON}
        chosen = {"PORT": str(self._port), "TALLYBOOK_LOCAL_DIR": str(local_dir), "DEMO": "quiet"}
        self._environment = passed_on | chosen | environment
        self._process: subprocess.Popen[bytes] | None = None
        self.demo: dict[str, Any] = {}

    @property
    def base_url(self) -> str:
        return str(self.demo["base_url"])

    @property
    def aws_endpoint_url(self) -> str:
        return str(self.demo["aws_endpoint_url"])

    @property
    def prefix(self) -> str:
        """The prefix of its tables' names."""
        return self._environment.get("TALLYBOOK_TABLE_PREFIX", "tallybook")

    @property
    def output(self) -> str:
        return self._output_file.read_text(encoding="utf-8")

    @property
    def pid(self) -> int:
        assert self._process is not None, "the stack is not running"
        return self._process.pid

    def __enter__(self) -> RunningStack:
        self.local_dir.mkdir(parents=True, exist_ok=True)
        with self._output_file.open("w", encoding="utf-8") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *self._program],
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self.demo = self._wait_until_ready(self._process)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Send the signal unless the run has ended. Return its exit code. Fails on timeout."""
        assert self._process is not None, "the stack is not running"
        if self._process.poll() is None:
            self._process.send_signal(number)
        try:
            return self._process.wait(STOP_BOUND_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise AssertionError(f"the run did not stop within {STOP_BOUND_S} s:\n{self.output}") from None

    def wait(self) -> int:
        """Wait until the run ends by itself. Return its exit code."""
        assert self._process is not None, "the stack is not running"
        return self._process.wait(STOP_BOUND_S)

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> dict[str, Any]:
        """Wait for a demo file with this run's port; an earlier run's file may exist for a moment."""
        deadline_s = time.monotonic() + READY_BOUND_S
        file = self.local_dir / "demo.json"
        while time.monotonic() < deadline_s:
            if process.poll() is not None:
                raise AssertionError(f"the run ended with {process.returncode}:\n{self.output}")
            if file.exists():
                demo: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
                if demo["base_url"].endswith(f":{self._port}"):
                    return demo
            time.sleep(0.02)
        raise AssertionError(f"the run was not ready within {READY_BOUND_S} s:\n{self.output}")
