"""How calls are made that have nothing to do with each other: in turn, or several at once.

Calls to DynamoDB are mostly waiting; who makes eight at once waits an eighth of the time. Which of them are done when
one fails, or when the process dies, is open either way: whoever makes them must be able to make all of them again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import copy_context
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

Call = Callable[[], None]
Together = Callable[[Sequence[Call]], None]
"""Makes all of these calls, in any order; raises what one of them raised."""


def in_turn(calls: Sequence[Call]) -> None:
    """Make one call after the other. The first failure is raised; what comes after it is not begun."""
    for call in calls:
        call()


class SideBySide:
    """Makes so many calls at once, in threads that it keeps; each runs in the context variables of who asked for it."""

    def __init__(self, at_once_max: int) -> None:
        self._at_once_max = at_once_max

    def __call__(self, calls: Sequence[Call]) -> None:
        """Return when all calls have ended, the failed ones too; then the first failure is raised."""
        if len(calls) <= 1:
            return in_turn(calls)
        pending = [self._pool.submit(copy_context().run, call) for call in calls]
        failures = [future.exception() for future in pending]
        for failure in failures:
            if failure is not None:
                raise failure
        return None

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        from concurrent.futures import ThreadPoolExecutor

        return ThreadPoolExecutor(self._at_once_max, "side-by-side")
