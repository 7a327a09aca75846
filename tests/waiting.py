"""Time for tests of requests that wait, so that no test waits in earnest."""

from __future__ import annotations

from collections.abc import Callable

from tests.recording import nobody


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
