"""Tell whether a call's time grows in line with its input, or faster.

No time is a bound by itself: four times the input may take nine times as long (linear is four, quadratic sixteen), and
what is over in milliseconds however it grows is let pass. Each time is the best of several, of this process alone.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SIZES = (16, 64, 256, 1024, 4096, 16_384, 65_536)
RATIO_MAX = 9
"""Between the ratios of a linear and of a quadratic call for four times the input, which are 4 and 16."""
COUNTS_FROM_S = 0.004
"""A call that takes less is not looked at: a quadratic one reaches this long before the largest size."""
TRIES = 5
STOPPED_AFTER_S = 10
"""Processor time that ends a call that would take hours; a linear one of these sizes takes milliseconds."""


class TooSlow(AssertionError):
    """The call's time grows faster than its input."""


def assert_linear(call: Callable[[str], object], made: Callable[[int], str], sizes: tuple[int, ...] = SIZES) -> None:
    """Fail where a call's time grows faster than its input. made: returns the input of a size."""
    previous_s = None
    for size in sizes:
        content = made(size)
        with _stopped(f"{size} characters: not over after {STOPPED_AFTER_S} s"):
            took_s = _time_of(call, content)
            if previous_s is not None and took_s > COUNTS_FROM_S and took_s > RATIO_MAX * previous_s:
                took_s = min(took_s, *(_time_of(call, content) for _ in range(TRIES)))
                before_s = min(_time_of(call, made(size // 4)) for _ in range(TRIES))
                if took_s > RATIO_MAX * before_s:
                    raise TooSlow(f"{size} characters take {took_s:.4f} s, a quarter of them {before_s:.4f} s")
        previous_s = took_s


def _time_of(call: Callable[[str], object], content: str) -> float:
    start_s = time.thread_time()
    call(content)
    return time.thread_time() - start_s


@contextmanager
def _stopped(message: str) -> Iterator[None]:
    def stop(_number: int, _frame: object) -> None:
        raise TooSlow(message)

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, STOPPED_AFTER_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
