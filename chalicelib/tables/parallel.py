"""Run independent calls, sequentially or in a thread pool.

A DynamoDB call is mostly waiting: eight in parallel take an eighth of the time. If one fails, or if the process dies,
any of the others may or may not be done, so the caller must be able to repeat all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import copy_context
from functools import cached_property
from threading import local
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

Call = Callable[[], None]
Runner = Callable[[Sequence[Call]], None]
"""Runs all of these calls, in any order; raises what one of them raised."""


def sequentially(calls: Sequence[Call]) -> None:
    """Run one call after the other. The first failure is raised; the calls after it are not made."""
    for call in calls:
        call()


class ThreadPool:
    """A thread pool that runs a bounded number of calls at once, each in the caller's context variables.

    Calls that one of its own threads asks for are made there, in sequence: a pool whose threads all wait for others of
    its calls would wait for ever (R81).
    """

    def __init__(self, at_once_max: int) -> None:
        self._at_once_max = at_once_max
        self._own = local()

    def __call__(self, calls: Sequence[Call]) -> None:
        """Wait until all calls have ended, failed ones too; then raise the first failure."""
        if len(calls) <= 1 or hasattr(self._own, "is_at_work"):
            return sequentially(calls)
        pending = [self._pool.submit(copy_context().run, call) for call in calls]
        failures = [future.exception() for future in pending]
        for failure in failures:
            if failure is not None:
                raise failure
        return None

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        from concurrent.futures import ThreadPoolExecutor

        return ThreadPoolExecutor(self._at_once_max, "side-by-side", _begin, (self._own,))


def _begin(of_pool: local) -> None:
    """Mark a thread as a pool's own. The threads must not keep the pool: it ends, and they do, with its last user."""
    of_pool.is_at_work = True
