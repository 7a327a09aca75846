"""Rate limits (R13) on each engine: over several processes, around midnight, and their cost."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from chalicelib.domain.tenancy.rate_limit import DAY_US, SECOND_US, RateLimit, Refusal
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.rate_limits import MinuteCounts, RateLimits
from tests.faults import WatchedClient
from tests.services.books.test_races import at_once

SCOPE = "inst_test0001/allowance/x"
NOW_US = 1_736_937_000 * SECOND_US
MIDNIGHT_US = (NOW_US // DAY_US + 1) * DAY_US
ONE_A_SECOND = RateLimit(bucket=3, refill_per_1000_s=1000, per_day=0)
COPIES, REQUESTS_EACH = 4, 8


def counting(database: Database) -> tuple[RateLimits, list[str]]:
    """Return limits, and the operations that they have called so far."""
    calls: list[str] = []

    def note(operation: str, call: Any) -> Any:
        calls.append(operation)
        return call()

    client: Any = WatchedClient(database._client, note)
    return RateLimits(Database(client, database._prefix)), calls


def uses(limits: RateLimits, rate_limit: RateLimit, at_us: int, times: int) -> list[Refusal | None]:
    return [limits.use(SCOPE, rate_limit, at_us) for _ in range(times)]


def row_of(database: Database) -> dict[str, Any]:
    (row,) = database.scan("requests")
    return row


def test_a_bucket_lets_three_through_at_once_and_then_one_a_second(store: Database) -> None:
    limits = RateLimits(store)
    assert uses(limits, ONE_A_SECOND, NOW_US, 4) == [None, None, None, Refusal(False, 1)]
    assert uses(limits, ONE_A_SECOND, NOW_US + SECOND_US - 1, 1) == [Refusal(False, 1)]
    assert uses(limits, ONE_A_SECOND, NOW_US + SECOND_US, 2) == [None, Refusal(False, 1)]
    assert uses(limits, ONE_A_SECOND, NOW_US + 10 * SECOND_US, 4) == [None, None, None, Refusal(False, 1)]


def test_a_day_has_so_many_requests_and_the_next_one_as_many_again(store: Database) -> None:
    rate_limit = RateLimit(bucket=0, per_day=2)
    copies = [RateLimits(store), RateLimits(store)]
    at_us = MIDNIGHT_US - 1
    assert [copy.use(SCOPE, rate_limit, at_us) for copy in copies] == [None, None]
    assert [copy.use(SCOPE, rate_limit, at_us) for copy in copies] == [Refusal(True, 1), Refusal(True, 1)]
    assert [copy.use(SCOPE, rate_limit, MIDNIGHT_US) for copy in copies] == [None, None]
    assert row_of(store)["requests"] == 2
    assert copies[0].use(SCOPE, rate_limit, MIDNIGHT_US) == Refusal(True, 86_400)


def test_a_clock_that_is_behind_at_midnight_counts_in_the_new_day(store: Database) -> None:
    rate_limit = RateLimit(bucket=0, per_day=2)
    ahead, behind = RateLimits(store), RateLimits(store)
    assert behind.use(SCOPE, rate_limit, MIDNIGHT_US - 2) is None
    assert ahead.use(SCOPE, rate_limit, MIDNIGHT_US) is None
    assert behind.use(SCOPE, rate_limit, MIDNIGHT_US - 1) is None
    assert behind.use(SCOPE, rate_limit, MIDNIGHT_US - 1) == Refusal(True, 86_401)
    assert ahead.use(SCOPE, rate_limit, MIDNIGHT_US) == Refusal(True, 86_400)
    assert (row_of(store)["day"], row_of(store)["requests"]) == (MIDNIGHT_US // DAY_US, 2)


def test_the_bucket_goes_on_over_midnight(store: Database) -> None:
    rate_limit = RateLimit(bucket=2, refill_per_1000_s=1000, per_day=10)
    limits = RateLimits(store)
    assert uses(limits, rate_limit, MIDNIGHT_US - 1, 2) == [None, None]
    assert uses(limits, rate_limit, MIDNIGHT_US, 1) == [Refusal(False, 1)]
    assert uses(limits, rate_limit, MIDNIGHT_US + SECOND_US, 1) == [None]
    assert row_of(store)["requests"] == 1


def test_without_limits_nothing_is_written(store: Database) -> None:
    assert RateLimits(store).use(SCOPE, RateLimit(bucket=0, per_day=0), NOW_US) is None
    assert list(store.scan("requests")) == []


def test_each_scope_has_a_limit_of_its_own(store: Database) -> None:
    limits = RateLimits(store)
    uses(limits, ONE_A_SECOND, NOW_US, 3)
    assert limits.use(SCOPE + "y", ONE_A_SECOND, NOW_US) is None


def test_a_busy_copy_writes_once_a_request_and_a_flood_nothing_at_all(store: Database) -> None:
    limits, calls = counting(store)
    answers = uses(limits, RateLimit(bucket=5, refill_per_1000_s=1000), NOW_US, 50)
    assert answers == [None] * 5 + [Refusal(False, 1)] * 45
    assert calls == ["update_item"] * 5


def test_a_copy_that_finds_the_limit_used_up_by_another_learns_it_with_one_write(store: Database) -> None:
    uses(RateLimits(store), ONE_A_SECOND, NOW_US, 3)
    limits, calls = counting(store)
    assert uses(limits, ONE_A_SECOND, NOW_US, 10) == [Refusal(False, 1)] * 10
    assert calls == ["update_item"]
    before = row_of(store)
    assert uses(limits, ONE_A_SECOND, NOW_US + SECOND_US, 1) == [None]
    assert calls == ["update_item"] * 2
    assert row_of(store)["full_at_us"] == before["full_at_us"] + SECOND_US


def test_a_row_that_has_expired_is_as_good_as_none(store: Database) -> None:
    limits = RateLimits(store)
    uses(limits, ONE_A_SECOND, NOW_US, 2)
    assert row_of(store)["expires"] > MIDNIGHT_US // SECOND_US, "not before its day is over"
    store.delete_many("requests", [{"scope": SCOPE, "request": "allowance"}])
    assert uses(limits, ONE_A_SECOND, NOW_US, 2) == [None, None]
    assert row_of(store)["requests"] == 2


def test_limits_that_are_switched_on_and_off_hold_from_the_next_request_on(store: Database) -> None:
    limits = RateLimits(store)
    uses(limits, ONE_A_SECOND, NOW_US, 3)
    assert limits.use(SCOPE, RateLimit(bucket=0, per_day=9), NOW_US) is None
    assert limits.use(SCOPE, RateLimit(bucket=0, per_day=4), NOW_US) == Refusal(
        True, (MIDNIGHT_US - NOW_US) // SECOND_US
    )
    assert limits.use(SCOPE, RateLimit(bucket=9, refill_per_1000_s=1000, per_day=0), NOW_US) is None
    assert row_of(store)["requests"] == 5


@pytest.mark.parametrize("rate_limit", [RateLimit(5, 1000, 0), RateLimit(0, per_day=5), RateLimit(5, 1000, 5)])
def test_several_requests_are_counted_all_or_none(store: Database, rate_limit: RateLimit) -> None:
    limits, other = RateLimits(store), RateLimits(store)
    assert limits.use(SCOPE, rate_limit, NOW_US, 3) is None
    assert other.use(SCOPE, rate_limit, NOW_US, 3) is not None
    assert limits.use(SCOPE, rate_limit, NOW_US, 3) is not None
    assert limits.use(SCOPE, rate_limit, NOW_US, 2) is None
    assert limits.use(SCOPE, rate_limit, NOW_US) is not None
    assert row_of(store)["requests"] == 5
    assert limits.use("more at once than there can be", rate_limit, NOW_US, 6) is not None


def test_several_requests_of_a_minute_are_counted_all_or_none(store: Database) -> None:
    counts, other = MinuteCounts(store), MinuteCounts(store)
    assert counts.count(SCOPE, 5, 60, 3) == 3
    assert other.count(SCOPE, 5, 60, 3) == 6, "with them: over the limit, so none is counted"
    assert counts.count(SCOPE, 5, 60, 3) == 6
    assert counts.count(SCOPE, 5, 60, 2) == 5
    assert other.count(SCOPE, 5, 60, 3) > 5
    assert row_of(store)["requests"] == 5
    assert counts.count(SCOPE, 5, 120, 5) == 5


@pytest.mark.parametrize(
    "rate_limit",
    [RateLimit(bucket=16, refill_per_1000_s=1, per_day=0), RateLimit(bucket=0, per_day=16), RateLimit(16, 1, 16)],
)
def test_copies_that_count_at_once_let_through_exactly_the_limit(
    embedded_database: Database, rate_limit: RateLimit
) -> None:
    copies = [RateLimits(embedded_database) for _ in range(COPIES)]
    rounds = at_once([lambda copy=copy: uses(copy, rate_limit, NOW_US, REQUESTS_EACH) for copy in copies])  # type: ignore[misc]
    answers = Counter(answer is None for each in rounds for answer in each)  # type: ignore[attr-defined]
    assert answers == {True: 16, False: COPIES * REQUESTS_EACH - 16}
    assert row_of(embedded_database)["requests"] == 16
