"""Scheduled sweeps of a local run: calls a sweep function every minute, as EventBridge does on AWS.

A failed sweep is logged; the next one does its work too.
"""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime
from typing import Any

from infra.functions import Handler, LambdaContext

PERIOD_S = 60.0
_LOG = logging.getLogger(__name__)


class Sweeper:
    """function: the scheduled function's name; handler: the function; period_s: pause between two sweeps."""

    def __init__(self, function: str, handler: Handler, period_s: float = PERIOD_S) -> None:
        self._function = function
        self._handler = handler
        self._period_s = period_s

    def run(self, stop: threading.Event) -> None:
        """Sweep at once and then periodically until ``stop`` is set. A sweep that has begun is finished."""
        context = LambdaContext(self._function, memory_limit_in_mb=512)
        while not stop.is_set():
            try:
                self._handler(scheduled_event(self._function, datetime.now(UTC)), context)
            except Exception:
                _LOG.exception("%s failed; the next one is in %s s.", self._function, self._period_s)
            stop.wait(self._period_s)


def scheduled_event(function: str, at: datetime) -> dict[str, Any]:
    """Return the event that a schedule passes to its function."""
    return {
        "version": "0",
        "id": "00000000-0000-0000-0000-000000000000",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "000000000000",
        "time": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": "us-east-1",
        "resources": [f"arn:aws:events:us-east-1:000000000000:rule/{function}"],
        "detail": {},
    }
