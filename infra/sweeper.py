"""Does what the schedule does on AWS: calls the sweep of signed orders every minute, once at the start.

A sweep that fails is logged; the next one does its work too.
"""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime
from typing import Any

from infra.poller import Handler, LambdaContext

PERIOD_S = 60.0
FUNCTION = "sweep_signed_orders"
_LOG = logging.getLogger("tallybook.sweeper")


class Sweeper:
    """handler: the scheduled function. period_s: between the end of a sweep and the next one."""

    def __init__(self, handler: Handler, period_s: float = PERIOD_S) -> None:
        self._handler = handler
        self._period_s = period_s

    def run(self, stop: threading.Event) -> None:
        """Sweep until told to stop; a sweep that runs is finished."""
        context = LambdaContext(
            function_name=FUNCTION,
            memory_limit_in_mb=256,
            invoked_function_arn=f"arn:aws:lambda:us-east-1:000000000000:function:{FUNCTION}",
        )
        while not stop.is_set():
            try:
                self._handler(scheduled_event(datetime.now(UTC)), context)
            except Exception:
                _LOG.exception("The sweep of signed orders failed; the next one is in %s s.", self._period_s)
            stop.wait(self._period_s)


def scheduled_event(at: datetime) -> dict[str, Any]:
    """Return what a schedule's function is given."""
    return {
        "version": "0",
        "id": "00000000-0000-0000-0000-000000000000",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "000000000000",
        "time": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": "us-east-1",
        "resources": [f"arn:aws:events:us-east-1:000000000000:rule/{FUNCTION}"],
        "detail": {},
    }
