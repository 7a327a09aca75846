"""A function in its own process, started as Lambda does: by handler name, from its package alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from chalicelib.tables.dynamodb import Database

Event = dict[str, Any]
Answer = dict[str, Any]
Story = Callable[[Database], Generator[Event, Answer, None]]
"""Generator of requests to one desk: yields an event and receives its answer."""

EXIT_S_MAX = 30
_OF_PYTHON = ("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX")
_PROGRAM = """
import os, sys, time
answers = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)
sys.path.insert(0, sys.argv[1])
began_s, began_cpu_s = time.perf_counter(), time.process_time()
import app
wall_ms, cpu_ms = (time.perf_counter() - began_s) * 1000, (time.process_time() - began_cpu_s) * 1000
modules = sorted(sys.modules)
handler = getattr(app, os.environ["_HANDLER"].removeprefix("app."))
import json
def tell(answer):
    files = [one.__file__ for one in list(sys.modules.values()) if getattr(one, "__file__", None)]
    facts = {"answer": answer, "modules": modules, "files": files, "wall_ms": wall_ms, "cpu_ms": cpu_ms}
    print(json.dumps(facts), file=answers)
tell(None)
for line in sys.stdin:
    event = json.loads(line)
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    answer = handler(event, None)
    wall_ms, cpu_ms = (time.perf_counter() - began_s) * 1000, (time.process_time() - began_cpu_s) * 1000
    modules = sorted(sys.modules)
    tell(answer)
"""


@dataclass(frozen=True, slots=True)
class Step:
    """Cost of the start or of a call, and the modules imported by then, with their files."""

    answer: Answer | None
    modules: list[str]
    files: list[str]
    wall_ms: float
    cpu_ms: float


class LambdaProcess:
    """Runs a function inside a ``with`` block; ``start``: the step of its start.

    folder: the unpacked package. isolated: only the package and Python's library can be imported; otherwise also the
    packages of this environment.
    """

    def __init__(
        self, folder: Path, function: str, environment: Mapping[str, str] | None = None, *, isolated: bool = True
    ) -> None:
        own = {name: value for name, value in os.environ.items() if name.startswith("AWS_") or name == "PATH"}
        more = {} if isolated else {name: os.environ[name] for name in _OF_PYTHON if name in os.environ}
        self._process = subprocess.Popen(
            [sys.executable, *(["-I", "-S"] if isolated else []), "-c", _PROGRAM, str(folder)],
            cwd=folder,
            env={**own, **more, "_HANDLER": f"app.{function}", **(environment or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> LambdaProcess:
        self.start = self._read()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(EXIT_S_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._process.stdout.close()

    def call(self, event: Event) -> Step:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(event) + "\n")
        self._process.stdin.flush()
        return self._read()

    def run(self, story: Generator[Event, Answer, None]) -> list[Step]:
        """Run through a story. Return its steps."""
        steps: list[Step] = []
        event = next(story)
        while True:
            steps.append(self.call(event))
            assert steps[-1].answer is not None
            try:
                event = story.send(steps[-1].answer)
            except StopIteration:
                return steps

    def _read(self) -> Step:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the function ended with {self._process.wait(EXIT_S_MAX)}"
        return Step(**json.loads(line))
