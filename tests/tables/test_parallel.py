"""Sequential and parallel calls: the bound, completion and failures."""

from __future__ import annotations

from contextvars import ContextVar
from threading import Barrier, Lock, Thread, current_thread

import pytest

from chalicelib.tables.parallel import ThreadPool, sequentially

WAIT_S_MAX = 10
_asked_by: ContextVar[str] = ContextVar("who asked")


class Failed(Exception):
    pass


def fail(name: str) -> None:
    raise Failed(name)


def test_the_first_failure_ends_a_sequence() -> None:
    made: list[int] = []
    with pytest.raises(Failed):
        sequentially([lambda: made.append(1), lambda: fail("second"), lambda: made.append(3)])
    assert made == [1]


def test_calls_run_in_parallel() -> None:
    """Each waits for the three others: in turn nothing would come of it."""
    barrier = Barrier(4)
    ThreadPool(4)([lambda: barrier.wait(WAIT_S_MAX) and None] * 8)
    assert not barrier.broken


def test_parallelism_is_bounded() -> None:
    at_once, most, lock, pair = 0, 0, Lock(), Barrier(2)

    def call() -> None:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        pair.wait(WAIT_S_MAX)
        with lock:
            at_once -= 1

    ThreadPool(2)([call] * 10)
    assert (at_once, most) == (0, 2)


def test_a_failure_is_raised_when_all_have_ended_and_the_first_of_several() -> None:
    """Nothing is left running behind the back of who asked."""
    made: list[int] = []
    together = Barrier(3)

    def late() -> None:
        together.wait(WAIT_S_MAX)
        made.append(1)

    def failing(name: str) -> None:
        together.wait(WAIT_S_MAX)
        fail(name)

    with pytest.raises(Failed, match="first"):
        ThreadPool(3)([lambda: failing("first"), lambda: failing("second"), late, *[lambda: made.append(2)] * 5])
    assert sorted(made) == [1, 2, 2, 2, 2, 2]


def test_r81_calls_within_calls_take_no_other_thread_so_a_full_pool_never_waits_for_itself() -> None:
    asked: dict[object, list[object]] = {}
    side_by_side = ThreadPool(4)

    def outer() -> None:
        made = asked.setdefault(current_thread(), [])
        side_by_side([lambda: made.append(current_thread())] * 3)

    side_by_side([outer] * 2)
    assert all(set(made) == {thread} for thread, made in asked.items())
    assert sum(map(len, asked.values())) == 6


def test_one_call_alone_needs_no_thread() -> None:
    threads: list[object] = []
    side_by_side = ThreadPool(4)
    side_by_side([])
    side_by_side([lambda: threads.append(current_thread())])
    assert threads == [current_thread()]


def test_calls_run_in_the_callers_context() -> None:
    known: list[str] = []
    _asked_by.set("ann")
    ThreadPool(2)([lambda: known.append(_asked_by.get())] * 5)
    assert known == ["ann"] * 5


def test_a_pool_that_nobody_has_any_more_ends_with_its_threads() -> None:
    """Each run of a webhook deliverer has one of its own."""
    side_by_side = ThreadPool(2)
    threads: set[Thread] = set()
    pair = Barrier(2)

    def call() -> None:
        threads.add(current_thread())
        pair.wait(WAIT_S_MAX)

    side_by_side([call] * 2)
    del side_by_side
    for thread in threads:
        thread.join(WAIT_S_MAX)
    assert [thread.is_alive() for thread in threads] == [False, False]
