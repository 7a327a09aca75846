"""Polling: look again and again, with growing pauses, until what is waited for is there or the wait is over."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from threading import Event

POLL_S_MIN, POLL_S_MAX = 0.02, 0.25
SPARE_S = 0.001
"""A wait with less than this left is over: sums of floats are not exact."""


def until(event: Event, wait_s: float) -> None:
    """Sleep, but no longer than until the event is set."""
    event.wait(wait_s)


def polls(*waits_s: float, first_s: float = 0.0, pause: Callable[[float], object] | None = None) -> Iterator[float]:
    """Yield the seconds waited so far, once for each poll, with pauses between. Each wait ends with a poll.

    first_s: the pause before the first poll. pause: sleeps between two polls; it may end early.
    """
    began_s, pause_s = time.monotonic(), POLL_S_MIN
    if first_s:
        time.sleep(min(first_s, *waits_s))
    while True:
        yield time.monotonic() - began_s
        waited_s = time.monotonic() - began_s
        left_s = [wait_s - waited_s for wait_s in waits_s if wait_s - waited_s > SPARE_S]
        if not left_s:
            return
        (pause or time.sleep)(min(pause_s, *left_s))
        pause_s = min(POLL_S_MAX, pause_s * 1.5)
