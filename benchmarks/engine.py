"""An embedded DynamoDB engine for benchmarks, in a process of its own, and calls that take as long as on AWS."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from time import monotonic, perf_counter, sleep
from typing import Any

import boto3

from chalicelib.tables.dynamodb import Database
from infra.engine import engine_answers, start_engine
from infra.settings import HOST, free_port
from infra.tables import create_tables

ENGINE_START_S_MAX = 20


@contextmanager
def engine_database() -> Iterator[Database]:
    """Run an embedded engine on a free port inside this context."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        os.environ.setdefault(name, "local")
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    port = free_port(0)
    engine = start_engine(port)
    try:
        deadline_s = monotonic() + ENGINE_START_S_MAX
        while not engine_answers(port):
            assert monotonic() < deadline_s, "the embedded engine did not start"
            sleep(0.02)
        client = boto3.client("dynamodb", endpoint_url=f"http://{HOST}:{port}")
        create_tables(client, "bench")
        yield Database(client, "bench")
    finally:
        engine.stop(20)


def databases(engine: Database) -> Iterator[Database]:
    """Yield sets of empty tables."""
    for number in count(1):
        prefix = f"{engine._prefix}{number}"
        create_tables(engine._client, prefix)
        yield Database(engine._client, prefix)


def machine() -> str:
    """Return a description of the machine: processor, cores, Python."""
    described = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.+)", described.read_text(encoding="utf-8")) if described.exists() else None
    processor = found[1] if found else platform.processor() or platform.machine()
    return f"{processor}, {os.cpu_count()} cores, Python {platform.python_version()}"


class DelayedClient:
    """Delays each call of a client while switched on."""

    def __init__(self, client: Any, call_ms: float) -> None:
        self._is_on, self._call_s = False, call_ms / 1000
        client.meta.events.register("before-send.dynamodb", self._hold_up)

    def seconds(self, work: Callable[[], object]) -> float:
        """Return how long the work takes with delayed calls."""
        self._is_on = True
        started = perf_counter()
        work()
        taken = perf_counter() - started
        self._is_on = False
        return taken

    def _hold_up(self, **_facts: Any) -> None:
        if self._is_on:
            sleep(self._call_s)
