"""The API server of a local run that says in each answer how long it waited for DynamoDB: for ``over_http``.

A request's calls may overlap, so the time counts during which any call runs, the SDK's work for it included. It serves
one request at a time: the calls of two would be added up. It prints nothing.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from time import perf_counter
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import app
from chalicelib import wiring
from infra import serve

HEADER = "X-Dynamodb-Ms"


class Stopwatch:
    """Adds up the time during which at least one call runs."""

    def __init__(self) -> None:
        self._lock, self._running = Lock(), 0
        self._since_s = self.taken_s = 0.0

    def watch(self, client: Any) -> None:
        client.meta.events.register_first("provide-client-params.dynamodb", self._begin)
        client.meta.events.register_last("after-call.dynamodb", self._end)

    def _begin(self, **_facts: Any) -> None:
        with self._lock:
            if not self._running:
                self._since_s = perf_counter()
            self._running += 1

    def _end(self, **_facts: Any) -> None:
        with self._lock:
            self._running -= 1
            if not self._running:
                self.taken_s += perf_counter() - self._since_s


def main() -> None:
    stopwatch = Stopwatch()
    for database in (wiring.database(), wiring.counters()):
        stopwatch.watch(database._client)

    @app.app.middleware("http")
    def say_time(event: Any, answer: Callable[[Any], Any]) -> Any:
        before_s = stopwatch.taken_s
        response = answer(event)
        response.headers[HEADER] = f"{(stopwatch.taken_s - before_s) * 1000:.3f}"
        return response

    logging.disable(logging.INFO)
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    serve.main()


if __name__ == "__main__":
    main()
