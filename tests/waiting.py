"""Time for tests of requests that wait, so that hardly a test waits in earnest."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event

from chalicelib.support import clock as real_clock
from tests.recording import nobody


def eventually(is_true: Callable[[], object], bound_s: float = 15) -> None:
    """Look again and again until it is true, in earnest. Fails after the bound."""
    deadline_s = time.monotonic() + bound_s
    while not is_true():
        assert time.monotonic() < deadline_s, "it did not come true"
        time.sleep(0.01)


class Waiting:
    """Time that only passes in sleeps; ``meanwhile`` is what the rest of the world does in each of them."""

    def __init__(self) -> None:
        self.slept_s = 0.0
        self.meanwhile: Callable[[], object] = lambda: None

    def monotonic(self) -> float:
        return self.slept_s

    def sleep(self, duration_s: float) -> None:
        self.slept_s += duration_s
        nobody(self.meanwhile)()

    def until(self, _event: Event, wait_s: float) -> None:
        """Sleep, also if the event is set."""
        self.sleep(wait_s)


class Clock(Waiting):
    """A desk's time: it stands still but for sleeps."""

    def __init__(self) -> None:
        super().__init__()
        self.started_ms = real_clock.now_ms()

    def after(self, waited_s: float, work: Callable[[], object]) -> None:
        """Have the world do this in each sleep, once so much has passed."""
        self.meanwhile = lambda: work() if self.slept_s > waited_s else None

    def now_ms(self) -> int:
        return self.started_ms + int(self.slept_s * 1000)

    def now_s(self) -> int:
        return self.now_ms() // 1000
