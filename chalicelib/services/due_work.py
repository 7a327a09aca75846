"""Sweeps: what is due is done one thing after the other, and one that fails keeps no other waiting.

What fails is left alone for a while, longer each time, and then tried again::

    failed once --30 s--> again --1 min--> again --2 min--> ... --16 min at most--> again

From the third time on it is *stuck*: an error is logged each time, and as long as it is due every sweep counts it in
the metric ``SweepsStuck``, on which an alarm stands. After twenty transient failures in a row a sweep ends, for most
likely the tables are out of reach. Neither what is stuck nor a fault of the work itself counts among the twenty, so
what lies behind has its turn, however many of them there are.

What has failed is remembered by this process only. A new one tries it at once, and finds it stuck after three times.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from chalicelib.support.telemetry import Metric, logger, measure

STUCK_AFTER = 3
PAUSE_S, PAUSE_S_MAX = 30, 960
FAILURES_IN_A_ROW_MAX = 20
REMEMBERED_MAX = 10_000
"""Of failures: the oldest are forgotten first, so that memory has a bound."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class WorkDone:
    """done: how much was done. failed: how much was tried and failed. stuck: how much is stuck, tried or left alone."""

    done: int = 0
    failed: int = 0
    stuck: int = 0


@dataclass(frozen=True, slots=True)
class _Failure:
    """times: in a row. until_s: when it is tried again."""

    times: int
    until_s: int


class DueWork(Generic[T]):
    """Sweeps of one kind. what: said in the log of what was not done.

    name_of: names a piece of work, from one sweep to the next. transient: what may be raised of a piece of work whose
    next try is likely to succeed; not an error in the log until it is stuck.
    """

    def __init__(
        self, what: str, name_of: Callable[[T], Hashable], transient: tuple[type[Exception], ...] = ()
    ) -> None:
        self._what = what
        self._name_of = name_of
        self._transient = transient
        self._failures: dict[Hashable, _Failure] = {}

    def sweep(
        self, work: Iterable[T], do: Callable[[T], bool], now_s: int, goes_on: Callable[[], bool] = lambda: True
    ) -> WorkDone:
        """Do what is due, in this order, while ``goes_on``. do: returns whether there was anything to do.

        Raises only what reading ``work`` raises.
        """
        done = failed = stuck = in_a_row = 0
        for piece in work:
            if not goes_on() or in_a_row >= FAILURES_IN_A_ROW_MAX:
                break
            name = self._name_of(piece)
            if not self._is_left_alone(name, now_s):
                try:
                    done += do(piece)
                except Exception as error:  # whatever is wrong with one piece of work must not stop the others
                    failed += 1
                    in_a_row += isinstance(error, self._transient) and not self._is_stuck(name)
                    self._note(name, now_s, error)
                else:
                    in_a_row = 0
                    self._failures.pop(name, None)
            stuck += self._is_stuck(name)
        if stuck:
            measure(Metric.SWEEPS_STUCK, stuck)
        return WorkDone(done, failed, stuck)

    def _is_left_alone(self, name: Hashable, now_s: int) -> bool:
        failure = self._failures.get(name)
        return failure is not None and now_s < failure.until_s

    def _is_stuck(self, name: Hashable) -> bool:
        failure = self._failures.get(name)
        return failure is not None and failure.times >= STUCK_AFTER

    def _note(self, name: Hashable, now_s: int, error: Exception) -> None:
        earlier = self._failures.pop(name, None)
        times = 1 if earlier is None else earlier.times + 1
        pause_s = min(PAUSE_S * 2 ** (times - 1), PAUSE_S_MAX) if times < 100 else PAUSE_S_MAX
        self._failures[name] = _Failure(times, now_s + pause_s)
        if len(self._failures) > REMEMBERED_MAX:
            del self._failures[next(iter(self._failures))]
        is_error = times >= STUCK_AFTER or not isinstance(error, self._transient)
        log = logger.error if is_error else logger.warning
        log(f"{self._what}; a later sweep tries again", exc_info=error, work=str(name), times=times)
