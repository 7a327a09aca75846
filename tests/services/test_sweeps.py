"""A sweep goes on past what it cannot do, comes back to it, and says so when that does not help."""

from __future__ import annotations

import logging
from itertools import pairwise

import pytest

from chalicelib.services import sweeps
from chalicelib.services.sweeps import FAILURES_IN_A_ROW_MAX, PAUSE_S_MAX, STUCK_AFTER, Sweeper, SweepResult
from chalicelib.support.outcomes import Unavailable
from chalicelib.support.telemetry import Metric
from tests.watched import watched


class Clerk:
    """Does what it is given but for some work, and notes what it tried."""

    def __init__(self, *impossible: int, error: type[Exception] = Unavailable) -> None:
        self.impossible = set(impossible)
        self.tried: list[int] = []
        self._error = error

    def __call__(self, work: int) -> bool:
        self.tried.append(work)
        if work in self.impossible:
            raise self._error("not now")
        return True


@pytest.fixture
def due() -> Sweeper[int]:
    return Sweeper("not done", lambda work: work, (Unavailable,))


def test_what_fails_stops_nothing_else(due: Sweeper[int]) -> None:
    clerk = Clerk(1, 3)
    assert due.sweep(range(5), clerk, 0) == SweepResult(done=3, failed=2)
    assert clerk.tried == [0, 1, 2, 3, 4]


def test_what_failed_is_left_alone_longer_each_time_and_tried_for_ever(due: Sweeper[int]) -> None:
    clerk = Clerk(1)
    moments = [now_s for now_s in range(0, 6000, 10) if due.sweep([1], clerk, now_s).failed]
    pauses = [after - before for before, after in pairwise(moments)]
    assert pauses[:6] == [30, 60, 120, 240, 480, 960]
    assert set(pauses[6:]) == {PAUSE_S_MAX}


def test_what_is_done_at_last_is_forgotten(due: Sweeper[int]) -> None:
    clerk = Clerk(1)
    for now_s in (0, 30, 90):
        assert due.sweep([1], clerk, now_s).failed == 1
    clerk.impossible.clear()
    assert due.sweep([1], clerk, 300) == SweepResult(done=1)
    clerk.impossible = {1}
    assert due.sweep([1], clerk, 301) == SweepResult(failed=1), "this is the first time"


def test_what_fails_three_times_is_stuck_and_counted_by_every_sweep(
    due: Sweeper[int], caplog: pytest.LogCaptureFixture
) -> None:
    clerk, levels = Clerk(7), []
    for now_s in (0, 30, 90):
        with watched() as seen, caplog.at_level(logging.WARNING):
            stuck = due.sweep([7, 8], clerk, now_s).stuck
        levels.append((stuck, caplog.records[-1].levelname, seen.values(Metric.SWEEPS_STUCK)))
    assert STUCK_AFTER == 3
    assert levels == [(0, "WARNING", []), (0, "WARNING", []), (1, "ERROR", [1])]
    with watched() as seen:
        assert due.sweep([7, 8], clerk, 91) == SweepResult(done=1, stuck=1), "left alone, and stuck still"
    assert seen.values(Metric.SWEEPS_STUCK) == [1]


def test_what_ought_not_to_fail_is_an_error_at_once(due: Sweeper[int], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert due.sweep([1], Clerk(1, error=KeyError), 0).failed == 1
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_a_sweep_that_only_fails_ends_and_the_next_one_begins_after_it(due: Sweeper[int]) -> None:
    """As long as the tables are out of reach nothing is gained by trying all; nor is anything behind them for ever."""
    many = FAILURES_IN_A_ROW_MAX + 5
    clerk = Clerk(*range(many))
    assert due.sweep(range(many + 3), clerk, 0).failed == FAILURES_IN_A_ROW_MAX
    assert due.sweep(range(many + 3), clerk, 1) == SweepResult(done=3, failed=5)


@pytest.mark.parametrize("error", [Unavailable, KeyError])
def test_what_is_stuck_takes_no_sweep_from_others_however_much_it_is(due: Sweeper[int], error: type[Exception]) -> None:
    """Sweeps come every minute: what is tried again meanwhile must not be all that they ever come to."""
    many = PAUSE_S_MAX // 60 * FAILURES_IN_A_ROW_MAX + 80
    clerk = Clerk(*range(many), error=error)
    done = [due.sweep([*range(many), many + sweep], clerk, 60 * sweep).done for sweep in range(200)]
    assert set(done[-20:]) == {1}
    if error is KeyError:
        assert set(done) == {1}, "a fault of the work itself says nothing of the tables"


def test_memory_of_failures_has_a_bound(due: Sweeper[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeps, "REMEMBERED_MAX", 10)
    for number in range(0, 100, 5):
        due.sweep(range(number, number + 5), Clerk(*range(100)), 0)
    assert sorted(due._failures) == list(range(90, 100))
