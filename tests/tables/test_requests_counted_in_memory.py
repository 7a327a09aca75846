"""Limits of 50 or more, counted in memory up to 5 %: nothing that fits is refused, and how much more may come."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.domain.tenancy.rate_limit import DAY_US, SECOND_US, RateLimit, Refusal, day_of, step_of
from chalicelib.support.bounded_cache import BoundedCache
from chalicelib.support.outcomes import OutcomeUnknown, Unavailable
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.rate_limits import MinuteCounts, RateLimits
from tests.faults import FaultyClient, WatchedClient, raising, refusal
from tests.in_memory import database_of, empty_tables
from tests.services.books.test_races import THREADS, at_once

NOW_US = 1_736_937_000 * SECOND_US
MIDNIGHT_US = (NOW_US // DAY_US + 1) * DAY_US
HUNDRED = RateLimit(bucket=100, refill_per_1000_s=10_000, per_day=0)
"""A step of 5; 10 requests a second, so the written time lags 0.4 s at most."""
STEP, LAG_US = 5, 400_000
scopes = (f"scope-{number}" for number in count())


def memory_tables() -> Database:
    client = empty_tables()
    return database_of(client)


TABLES = memory_tables()


def counted(database: Database) -> tuple[Database, list[str]]:
    """Return the tables, and the calls made of them so far."""
    calls: list[str] = []

    def note(operation: str, call: Any) -> Any:
        calls.append(operation)
        return call()

    client: Any = WatchedClient(database._client, note)
    return Database(client, database._prefix), calls


# --- what a step is ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("limit", "step"), [(1, 1), (49, 1), (50, 2), (60, 3), (100, 5), (200, 10), (10**6, 50_000)])
def test_a_step_is_five_percent_and_one_below_fifty(limit: int, step: int) -> None:
    assert step_of(limit) == step


@pytest.mark.parametrize(
    ("rate_limit", "step", "lag_us"),
    [
        (RateLimit(), 1, 0),
        (RateLimit(bucket=40, refill_per_1000_s=20_000, per_day=0), 1, 0),
        (HUNDRED, STEP, LAG_US),
        (RateLimit(bucket=0, per_day=1000), 50, 2 * SECOND_US),
        (RateLimit(bucket=100, refill_per_1000_s=1, per_day=1000), 5, 2 * SECOND_US),
        (RateLimit(bucket=1000, refill_per_1000_s=10**6, per_day=49), 1, 0),
    ],
)
def test_the_smaller_limit_gives_the_step(rate_limit: RateLimit, step: int, lag_us: int) -> None:
    assert (rate_limit.step, rate_limit.lag_us) == (step, lag_us)


# --- what it costs -----------------------------------------------------------------------------------------------


def test_a_process_writes_its_first_request_and_then_each_fifth(store: Database) -> None:
    database, calls = counted(store)
    limits = RateLimits(database)
    assert [limits.use("x", HUNDRED, NOW_US) for _ in range(100)] == [None] * 100
    assert calls == ["update_item"] * (1 + 99 // STEP)
    assert limits.use("x", HUNDRED, NOW_US) == Refusal(False, 1)
    assert limits.use("x", HUNDRED, NOW_US + 100_000) is None
    (row,) = store.scan("requests")
    assert row["requests"] == 101


def test_a_process_writes_the_first_request_of_a_minute_and_then_each_tenth(store: Database) -> None:
    database, calls = counted(store)
    counts = MinuteCounts(database)
    assert [counts.count("x", 200, 60) for _ in range(205)] == [*range(1, 201), *[201] * 5]
    assert calls == ["update_item"] * (1 + 199 // 10)
    assert counts.count("x", 200, 120) == 1
    assert len(calls) == 1 + 199 // 10 + 1


def test_a_caller_who_comes_less_often_than_once_a_second_is_written_each_time(memory_database: Database) -> None:
    database, calls = counted(memory_database)
    limits, counts = RateLimits(database), MinuteCounts(database)
    for second in range(20):
        assert limits.use("x", RateLimit(bucket=0, per_day=1000), NOW_US + second * (SECOND_US + 1)) is None
        assert counts.count("y", 1000, 60 + second) == second + 1
    assert len(calls) == 40


# --- nothing that fits is refused --------------------------------------------------------------------------------


@dataclass
class Exact:
    """Counts each accepted request at its own time, whichever process took it. more: allowed over the limit."""

    limit: RateLimit
    more: int = 0
    tat_us: int = 0
    of_day: Counter[int] = field(default_factory=Counter)

    def accepts(self, now_us: int, requests: int) -> bool:
        ahead_us = max(self.tat_us, now_us) - now_us
        has_room = (
            ahead_us + requests * self.limit.interval_us <= (self.limit.bucket + self.more) * self.limit.interval_us
        )
        some_left = self.of_day[day_of(now_us)] + requests <= self.limit.per_day + self.more
        return (has_room or not self.limit.bucket) and (some_left or not self.limit.per_day)

    def take(self, now_us: int, requests: int) -> None:
        self.tat_us = max(self.tat_us, now_us) + requests * self.limit.interval_us
        self.of_day[day_of(now_us)] += requests


rate_limits = st.builds(
    RateLimit,
    bucket=st.one_of(st.just(0), st.integers(50, 100)),
    refill_per_1000_s=st.sampled_from([100, 1000, 10_000, 100_000, 10**6]),
    per_day=st.one_of(st.just(0), st.integers(50, 100)),
).filter(lambda limit: not limit.is_off)


def visits(pause_us_max: int) -> st.SearchStrategy[list[tuple[int, int, int]]]:
    """Return lists of: pause before it, the process that it reaches, and how many requests it counts as."""
    pauses = st.one_of(st.just(0), st.integers(0, pause_us_max))
    return st.lists(st.tuples(pauses, st.integers(0, 3), st.one_of(st.just(1), st.integers(1, 25))), max_size=120)


@settings(max_examples=400, deadline=None)
@given(rate_limits, visits(3 * SECOND_US), st.booleans())
def test_no_request_is_refused_that_an_exact_count_of_the_accepted_ones_accepts(
    limit: RateLimit, visits: list[tuple[int, int, int]], is_near_midnight: bool
) -> None:
    scope, copies, exact = next(scopes), [RateLimits(TABLES) for _ in range(4)], Exact(limit)
    now_us = MIDNIGHT_US - 2 * SECOND_US if is_near_midnight else NOW_US
    for pause_us, copy, requests in visits:
        now_us += pause_us
        if copies[copy].use(scope, limit, now_us, requests) is None:
            exact.take(now_us, requests)
        else:
            assert not exact.accepts(now_us, requests)


@pytest.mark.parametrize("yesterday", [1, STEP])
@pytest.mark.parametrize("copies", [1, 4])
def test_unwritten_requests_of_yesterday_take_nothing_from_today(copies: int, yesterday: int) -> None:
    scope, limit = next(scopes), RateLimit(bucket=0, per_day=100)
    limits = [RateLimits(TABLES) for _ in range(copies)]
    for each in limits:
        assert [each.use(scope, limit, MIDNIGHT_US - 1) for _ in range(yesterday)] == [None] * yesterday
    accepted = sum(limits[number % copies].use(scope, limit, MIDNIGHT_US) is None for number in range(200))
    assert 100 <= accepted <= 100 + (copies - 1) * (STEP - 1)


def test_unwritten_requests_from_before_the_bucket_was_full_take_nothing_from_it() -> None:
    """Ten processes keep four of five back; six seconds later all fifty have refilled."""
    scope, copies = next(scopes), [RateLimits(TABLES) for _ in range(10)]
    for copy in copies:
        assert [copy.use(scope, HUNDRED, NOW_US) for _ in range(STEP)] == [None] * STEP
    later_us = NOW_US + 6 * SECOND_US
    assert [copy.use(scope, HUNDRED, later_us) for copy in copies] == [None] * 10
    assert [RateLimits(TABLES).use(scope, HUNDRED, later_us) for _ in range(90)] == [None] * 90


@settings(max_examples=200, deadline=None)
@given(st.integers(50, 300), visits(SECOND_US))
def test_no_request_of_a_minute_is_refused_that_fits_and_few_more_are_let_through(
    limit: int, visits: list[tuple[int, int, int]]
) -> None:
    scope, copies, accepted = next(scopes), [MinuteCounts(TABLES) for _ in range(4)], 0
    at_us = 0
    for pause_us, copy, requests in visits:
        at_us = min(at_us + pause_us, 59 * SECOND_US)
        if copies[copy].count(scope, limit, at_us // SECOND_US, requests) <= limit:
            accepted += requests
        else:
            assert accepted + requests > limit
    assert accepted <= limit + len(copies) * (step_of(limit) - 1)


# --- how much more may come --------------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(rate_limits, visits(2 * SECOND_US), st.lists(st.integers(0, 3), min_size=100, max_size=200))
def test_at_one_moment_as_many_steps_more_are_let_through_as_there_are_copies_and_one(
    limit: RateLimit, before: list[tuple[int, int, int]], at_once: list[int]
) -> None:
    """Whatever came before."""
    scope, copies, now_us = next(scopes), [RateLimits(TABLES) for _ in range(4)], NOW_US
    for pause_us, copy, requests in before:
        now_us += pause_us
        copies[copy].use(scope, limit, now_us, requests)
    smallest = min(each for each in (limit.bucket, limit.per_day) if each)
    accepted = sum(copies[copy].use(scope, limit, now_us) is None for copy in at_once)
    assert accepted <= smallest + (len(copies) + 1) * (limit.step - 1)


@pytest.mark.parametrize("copies", [1, 2, 8])
def test_callers_above_the_rate_get_the_rate_over_any_number_of_copies(copies: int) -> None:
    """Thirty requests a second for two minutes, in turn over the copies, where ten a second refill."""
    scope, limits, accepted = next(scopes), [RateLimits(TABLES) for _ in range(copies)], 0
    for number in range(120 * 30):
        now_us = NOW_US + number * SECOND_US // 30
        accepted += limits[number % copies].use(scope, HUNDRED, now_us) is None
    assert 100 + 119 * 10 <= accepted <= 100 + 120 * 10 + (copies + 1) * (STEP - 1)


def test_copies_that_each_keep_a_step_back_let_through_the_most_there_can_be() -> None:
    """The bound of a minute is met: each of the copies has counted nine that the row lacks."""
    scope, copies = next(scopes), [MinuteCounts(TABLES) for _ in range(4)]
    for copy in copies:
        assert [copy.count(scope, 200, 60) <= 200 for _ in range(10)] == [True] * 10
    accepted = 40 + sum(MinuteCounts(TABLES).count(scope, 200, 60) <= 200 for _ in range(300))
    assert accepted == 200 + 4 * 9
    assert all(copy.count(scope, 200, 61) > 200 for copy in copies)


def test_requests_that_a_process_has_not_written_when_it_ends_are_not_counted() -> None:
    scope = next(scopes)
    ended = RateLimits(TABLES)
    assert [ended.use(scope, HUNDRED, NOW_US) for _ in range(STEP)] == [None] * STEP
    accepted = sum(RateLimits(TABLES).use(scope, HUNDRED, NOW_US) is None for _ in range(200))
    assert accepted == 100 - 1 + LAG_US * 10 // SECOND_US, "each of them a new process, which writes it"


def test_a_caller_who_is_dropped_from_memory_is_counted_anew(memory_database: Database) -> None:
    counts = MinuteCounts(memory_database)
    counts._callers = BoundedCache(1)
    assert [counts.count("x", 200, 60) for _ in range(3)] == [1, 2, 3]
    counts.count("y", 200, 60)
    assert counts.count("x", 200, 60) == 2, "the first one was written"


# --- what cannot be written --------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_done", [False, True])
def test_what_cannot_be_written_is_forgotten_and_the_next_request_tries_again(
    memory_database: Database, is_done: bool
) -> None:
    error = Unavailable if not is_done else OutcomeUnknown
    answer: Any = refusal("ThrottlingException" if not is_done else "InternalServerError", "UpdateItem")
    faulty = FaultyClient(memory_database._client, raising(answer, after=is_done))
    limits = RateLimits(Database(faulty, memory_database._prefix))
    counts = MinuteCounts(Database(faulty, memory_database._prefix))
    for use in (lambda: limits.use("x", HUNDRED, NOW_US), lambda: counts.count("y", 100, 60)):
        for _ in range(STEP):
            use()
        faulty.strike_at(1)
        with pytest.raises(error):
            use()
        assert faulty.has_struck
        use()
        assert faulty.calls == 2
    in_rows = {row["scope"]: row["requests"] for row in memory_database.scan("requests")}
    assert in_rows == dict.fromkeys("xy", 2 + STEP if is_done else 2)


# --- threads -----------------------------------------------------------------------------------------------------


def test_threads_of_a_process_count_each_request_once(embedded_database: Database) -> None:
    limits, counts = RateLimits(embedded_database), MinuteCounts(embedded_database)

    def come() -> tuple[int, int]:
        in_bucket = sum(limits.use("x", HUNDRED, NOW_US) is None for _ in range(30))
        return in_bucket, sum(counts.count("y", 100, 60) <= 100 for _ in range(30))

    came: Any = at_once([come] * THREADS)
    assert [sum(each) for each in zip(*came, strict=True)] == [100, 100]
    in_rows = {row["scope"]: row["requests"] for row in embedded_database.scan("requests")}
    assert in_rows == dict.fromkeys("xy", 1 + 99 // STEP * STEP)
