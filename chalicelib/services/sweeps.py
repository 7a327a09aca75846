"""Sweeps: due items are processed one after the other; one that fails does not hold up the others.

An item that fails is retried with exponential backoff::

    failed once --30 s--> again --1 min--> again --2 min--> ... --16 min at most--> again

From the third failure on it is *stuck*: each failure is logged as an error, and every sweep counts the item in the
metric ``SweepsStuck``, which has an alarm. A sweep ends after twenty transient failures in a row: most likely the
tables are out of reach. Stuck items and faults of the work itself do not count among the twenty, so the items behind
them have their turn.

Failures are remembered by the process alone: a new one tries an item at once, and finds it stuck after three times.
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
"""Failures remembered at most; the oldest are forgotten first."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SweepResult:
    """Counts of items: done, failed, and stuck (tried by this sweep or not)."""

    done: int = 0
    failed: int = 0
    stuck: int = 0


@dataclass(frozen=True, slots=True)
class _Failure:
    """Failures in a row of one item. until_s: when it is tried again."""

    times: int
    until_s: int


class Sweeper(Generic[T]):
    """Sweeps over items of one kind.

    what: the log message of an item that failed. name_of: identifies an item from one sweep to the next. transient:
    exceptions after which the next try is likely to succeed; logged as warnings until the item is stuck.
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
    ) -> SweepResult:
        """Process the items in this order while ``goes_on`` returns True. do: returns whether there was anything to do.

        Raises only what iterating ``work`` raises.
        """
        done = failed = stuck = in_a_row = 0
        for piece in work:
            if not goes_on() or in_a_row >= FAILURES_IN_A_ROW_MAX:
                break
            name = self._name_of(piece)
            if not self._is_left_alone(name, now_s):
                try:
                    done += do(piece)
                except Exception as error:  # a fault of one item must not stop the others
                    failed += 1
                    in_a_row += isinstance(error, self._transient) and not self._is_stuck(name)
                    self._note(name, now_s, error)
                else:
                    in_a_row = 0
                    self._failures.pop(name, None)
            stuck += self._is_stuck(name)
        if stuck:
            measure(Metric.SWEEPS_STUCK, stuck)
        return SweepResult(done, failed, stuck)

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
