"""Waiting for outcomes: few reads, and a poll at the end of each wait."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from chalicelib.services import polling
from chalicelib.services.books.waiting import OutcomeWaiter


class Clock:
    """Time that passes only in sleeps."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.now_s += seconds


class Book:
    """Shows the result of an order so many seconds after ``begin``, and counts the reads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._shows_at_s = 0.0
        self.reads = 0

    def begin(self, takes_s: float) -> None:
        self._shows_at_s, self.reads = self._clock.now_s + takes_s, 0

    def orders_by_id(self, _instance: str, _customer: str, order_ids: list[str]) -> dict[str, bool]:
        self.reads += 1
        return dict.fromkeys(order_ids, self._clock.now_s >= self._shows_at_s)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(polling, "time", SimpleNamespace(monotonic=lambda: clock.now_s, sleep=clock.sleep))
    return clock


@pytest.fixture
def book(clock: Clock) -> Book:
    return Book(clock)


@pytest.fixture
def waiter(book: Book, memory_database: Any) -> Any:
    waiter: Any = OutcomeWaiter(memory_database)
    waiter._reading = book
    return waiter


def test_outcomes_that_take_their_usual_time_are_read_once_or_twice(clock: Clock, book: Book, waiter: Any) -> None:
    reads, late_s = [], []
    for _ in range(50):
        book.begin(takes_s=0.1)
        began_s = clock.now_s
        assert waiter.first(bool, "inst_x", "ann", "order", 5.0)
        reads.append(book.reads)
        late_s.append(clock.now_s - began_s - 0.1)
    assert reads[0] > 4
    assert sum(reads[10:]) <= 1.5 * len(reads[10:])
    assert max(late_s[10:]) <= polling.POLL_S_MIN


def test_outcomes_that_become_faster_are_soon_found_faster(clock: Clock, book: Book, waiter: Any) -> None:
    for takes_s in [0.2] * 20 + [0.01] * 40:
        book.begin(takes_s)
        began_s = clock.now_s
        assert waiter.first(bool, "inst_x", "ann", "order", 5.0)
    assert clock.now_s - began_s < 0.01 + polling.POLL_S_MIN


@pytest.mark.parametrize("usual_s", [0.0, 0.1])
@pytest.mark.parametrize("wait_s", [0.0, 0.05, 5.0])
def test_a_wait_ends_with_a_poll_whatever_is_usual(
    clock: Clock, book: Book, waiter: Any, usual_s: float, wait_s: float
) -> None:
    waiter._usual_s = usual_s
    book.begin(takes_s=wait_s)
    assert waiter.first(bool, "inst_x", "ann", "order", wait_s) is True
    assert abs(clock.now_s - wait_s) <= polling.SPARE_S
    began_s = clock.now_s
    book.begin(takes_s=60)
    assert waiter.first(bool, "inst_x", "ann", "order", wait_s) is None
    assert abs(clock.now_s - began_s - wait_s) <= polling.SPARE_S
