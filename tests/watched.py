"""Reads what a test's invocation writes to the log and measures."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from typing import Any

from chalicelib.support.telemetry import SERVICE, Metric, invocation


class Watched:
    """log: its lines. emf: its lines of metrics. text: all of it, as it was written."""

    def __init__(self) -> None:
        self.log: list[dict[str, Any]] = []
        self.emf: list[dict[str, Any]] = []
        self.text = ""

    def values(self, metric: Metric, **dimensions: str) -> list[float]:
        """Return a metric's values, those of these dimensions only."""
        return [
            value
            for line in self.emf
            if dimensions.items() <= line.items() and any(metric in names_of(one) for one in directives(line))
            for value in line[metric]
        ]

    def measured(self) -> dict[str, float]:
        """Return the sum of each metric that was measured."""
        names = [name for line in self.emf for one in directives(line) for name in names_of(one)]
        return {name: sum(self.values(Metric(name))) for name in names}


def directives(line: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = line["_aws"]["CloudWatchMetrics"]
    return found


def names_of(directive: dict[str, Any]) -> set[str]:
    return {metric["Name"] for metric in directive["Metrics"]}


@contextmanager
def written() -> Iterator[Watched]:
    """Catch what is written in here; what is caught is there when it ends."""
    watched, stream = Watched(), StringIO()
    handler = logging.getLogger(SERVICE).handlers[0]
    assert isinstance(handler, logging.StreamHandler)
    before = handler.setStream(stream)
    try:
        with redirect_stdout(stream):
            yield watched
    finally:
        handler.setStream(before)
        watched.text = stream.getvalue()
        lines = [json.loads(line) for line in watched.text.splitlines()]
        watched.log = [line for line in lines if "_aws" not in line]
        watched.emf = [line for line in lines if "_aws" in line]


@contextmanager
def watched(function: str = "match_inbox") -> Iterator[Watched]:
    """Catch what one invocation of a function writes."""
    with written() as caught, invocation(function, None):
        yield caught
