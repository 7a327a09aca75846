"""Runs schemathesis against a running service, one desk after the other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.openapi.document import FOLDER
from infra.settings import ROOT
from tests.infra.stack import RunningStack

DESKS = ("book", "trade", "taker", "escrow")
STORIES = {
    "book": ("book.placeOrder", "book.getOrder", "book.cancelOrder"),
    "trade": ("trade.placeOrder", "trade.getOrder", "trade.cancelOrder"),
    "taker": ("taker.createOrder", "taker.getOrder", "taker.cancelOrder"),
    "escrow": ("escrow.createOrder", "escrow.getOrder", "escrow.cancelOrder"),
}
"""By desk, what links lead through: place, show, cancel."""
CONFIG = Path(__file__).with_name("schemathesis.toml")
COMMAND = (sys.executable, "-m", "schemathesis.cli")
GRACE_S = 120


@dataclass(frozen=True)
class Run:
    """What came of a run at a desk. answers: how often each operation was answered with each status."""

    succeeded: bool
    output: str
    answers: Mapping[str, int]

    @property
    def good(self) -> set[str]:
        """The operations that succeeded once or more."""
        return {operation for operation, status in map(str.split, self.answers) if status < "3"}


@dataclass(frozen=True)
class Service:
    """A running service. folder: for what is written meanwhile."""

    stack: RunningStack
    folder: Path

    def single_requests(self, desk: str, seconds: int, *options: str) -> Run:
        """Send requests of every operation, each by itself, for some seconds."""
        phases = ("--phases", "examples,coverage,fuzzing")
        return self._run(desk, seconds, *phases, "--max-time", str(seconds), *options)

    def sequences(self, desk: str, seconds: int, *options: str) -> Run:
        """Follow the links between all operations, for some seconds."""
        return self._run(desk, seconds, "--phases", "stateful", "--max-time", str(seconds), *options)

    def story(self, desk: str, sequences: int, *more: str) -> Run:
        """Follow the links between place, show and cancel, in so many sequences."""
        included = [word for name in STORIES[desk] for word in ("--include-operation-id", name)]
        return self._run(desk, sequences, "--phases", "stateful", "--max-examples", str(sequences), *included, *more)

    def _run(self, desk: str, seconds: int, *options: str) -> Run:
        answers = self.folder / f"answers-{desk}.json"
        own = {
            "TALLYBOOK_DEMO": str(self.stack.local_dir / "demo.json"),
            "TALLYBOOK_ANSWERS": str(answers),
            "PYTHONPATH": str(ROOT),
        }
        file = str(FOLDER / "openapi" / f"{desk}.json")
        done = subprocess.run(
            [*COMMAND, "--config-file", str(CONFIG), "run", file, "--url", self.stack.base_url, "--no-color", *options],
            cwd=ROOT,
            env=os.environ | own,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds + GRACE_S,
            check=False,
        )
        counted = json.loads(answers.read_text(encoding="utf-8")) if answers.exists() else {}
        return Run(done.returncode == 0, done.stdout, counted)
