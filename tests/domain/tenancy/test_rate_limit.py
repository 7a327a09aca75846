"""The arithmetic of a rate limit (R13): what may come when, against a bucket that is filled drop by drop."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.tenancy.rate_limit import (
    DAY_US,
    SECOND_US,
    UNUSED,
    RateLimit,
    Refusal,
    Usage,
    day_of,
    refusal_of,
)

NOW_US = 1_736_937_000 * SECOND_US
TODAY = day_of(NOW_US)
INTERVAL_US = 285_715


def used(ahead_us: int = 0, requests: int = 0, day: int = TODAY) -> Usage:
    return Usage(NOW_US + ahead_us, day, requests)


def test_the_usual_limit_is_seven_at_once_and_three_and_a_half_a_second() -> None:
    usual = RateLimit()
    assert (usual.bucket, usual.refill_per_1000_s, usual.per_day) == (7, 3500, 302_400)
    assert (usual.interval_us, usual.burst_us(1), usual.is_off) == (INTERVAL_US, 6 * INTERVAL_US, False)


def test_both_limits_can_be_off() -> None:
    assert RateLimit(bucket=0, per_day=0).is_off
    assert refusal_of(RateLimit(bucket=0), used(ahead_us=10**12), NOW_US) is None
    assert refusal_of(RateLimit(per_day=0), used(requests=10**9), NOW_US) is None


@pytest.mark.parametrize(
    ("ahead_us", "expected"),
    [
        (-1, None),
        (6 * INTERVAL_US, None),
        (6 * INTERVAL_US + 1, Refusal(False, 1)),
        (7 * INTERVAL_US, Refusal(False, 1)),
        (6 * INTERVAL_US + SECOND_US, Refusal(False, 1)),
        (6 * INTERVAL_US + SECOND_US + 1, Refusal(False, 2)),
    ],
)
def test_an_empty_bucket_says_after_how_many_whole_seconds_one_fits_again(
    ahead_us: int, expected: Refusal | None
) -> None:
    assert refusal_of(RateLimit(), used(ahead_us), NOW_US) == expected


def test_a_day_that_is_used_up_lasts_until_midnight_and_is_named_before_the_bucket() -> None:
    to_midnight_s = (DAY_US - NOW_US % DAY_US) // SECOND_US
    assert refusal_of(RateLimit(), used(requests=302_399), NOW_US) is None
    assert refusal_of(RateLimit(), used(requests=302_400), NOW_US) == Refusal(True, to_midnight_s)
    assert refusal_of(RateLimit(), used(ahead_us=10**8, requests=302_400), NOW_US) == Refusal(True, to_midnight_s)
    assert refusal_of(RateLimit(), used(requests=302_400, day=TODAY - 1), NOW_US) is None


@pytest.mark.parametrize(
    ("requests", "ahead_us", "of_day", "expected"),
    [
        (7, -1, 0, None),
        (7, 1, 0, Refusal(False, 1)),
        (3, 4 * INTERVAL_US, 0, None),
        (3, 4 * INTERVAL_US + 1, 0, Refusal(False, 1)),
        (8, -(10**9), 0, Refusal(False, 1)),
        (3, 0, 302_397, None),
        (3, 0, 302_398, Refusal(True, (DAY_US - NOW_US % DAY_US) // SECOND_US)),
    ],
)
def test_several_requests_come_all_or_none(requests: int, ahead_us: int, of_day: int, expected: Refusal | None) -> None:
    assert refusal_of(RateLimit(), used(ahead_us, of_day), NOW_US, requests) == expected


def test_more_requests_than_a_day_has_never_come() -> None:
    assert refusal_of(RateLimit(bucket=0, per_day=2), UNUSED, NOW_US, 3) is not None


@given(st.integers(1, 20), st.integers(1, 100_000), st.lists(st.integers(0, 3 * SECOND_US), max_size=60))
def test_it_lets_through_what_a_bucket_filled_drop_by_drop_lets_through(
    bucket: int, refill_per_1000_s: int, pauses_us: list[int]
) -> None:
    """Never more than the bucket; less only within the rounding of the interval, a microsecond a request."""
    rate_limit = RateLimit(bucket, refill_per_1000_s, 0)
    at_us, tat_us = NOW_US, NOW_US - 1
    level, filled_us = Fraction(bucket), at_us
    for pause_us in pauses_us:
        at_us += pause_us
        level = min(Fraction(bucket), level + Fraction((at_us - filled_us) * refill_per_1000_s, 10**9))
        filled_us = at_us
        if refusal_of(rate_limit, Usage(tat_us, day_of(at_us), 0), at_us) is None:
            tat_us = max(tat_us, at_us) + rate_limit.interval_us
            level -= 1
            assert level >= 0
        else:
            assert level < 1 + Fraction(len(pauses_us) * refill_per_1000_s, 10**9)
