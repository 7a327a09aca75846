"""Rate limits: GCRA (generic cell rate algorithm) and a daily quota (R13).

A caller's usage is two facts: the theoretical arrival time (TAT), at which its bucket is full again if nothing more
comes, and the day's requests. Each request moves the TAT one interval ahead, the time in which the bucket refills by
one request. A bucket of n is empty when the TAT lies more than n - 1 intervals ahead. Processes that count at once need
not see each other's result: intervals add up in any order.

Times are microseconds since the epoch; days are UTC days since the epoch.
"""

from __future__ import annotations

from dataclasses import dataclass

MINUTE_S = 60
SECOND_US = 10**6
DAY_US = 86_400 * SECOND_US
_THOUSAND_SECONDS_US = 1000 * SECOND_US


@dataclass(frozen=True, slots=True)
class RateLimit:
    """The limits of one caller.

    bucket: requests at once, 0 for no limit. refill_per_1000_s: requests, above 0. per_day: requests in a UTC day, 0
    for no limit.
    """

    bucket: int = 7
    refill_per_1000_s: int = 3500
    per_day: int = 302_400

    @property
    def is_off(self) -> bool:
        return not self.bucket and not self.per_day

    @property
    def interval_us(self) -> int:
        """The time in which the bucket refills by one request, rounded up; 0 without a bucket."""
        return -(-_THOUSAND_SECONDS_US // self.refill_per_1000_s) if self.bucket else 0

    def burst_us(self, requests: int) -> int:
        """Return how far ahead the TAT may lie while so many more requests are accepted; negative above the bucket."""
        return (self.bucket - requests) * self.interval_us


@dataclass(frozen=True, slots=True)
class Usage:
    """The usage of one caller. tat_us: the theoretical arrival time. requests: of the day."""

    tat_us: int
    day: int
    requests: int


UNUSED = Usage(0, 0, 0)
"""The usage of a caller who has not come yet."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refused request. is_of_day: by the daily quota, else by the bucket. retry_after_s: at least 1."""

    is_of_day: bool
    retry_after_s: int


def day_of(at_us: int) -> int:
    return at_us // DAY_US


def minute_of(at_s: int) -> int:
    """Return the start of this moment's UTC minute, both in Unix seconds."""
    return at_s // MINUTE_S * MINUTE_S


def refusal_of(limit: RateLimit, usage: Usage, now_us: int, requests: int = 1) -> Refusal | None:
    """Return the refusal of requests that come now, all or none; None if they are accepted."""
    today = day_of(now_us)
    if limit.per_day and requests + (usage.requests if usage.day >= today else 0) > limit.per_day:
        return Refusal(True, _whole_seconds((max(usage.day, today) + 1) * DAY_US - now_us))
    ahead_us = max(usage.tat_us - now_us, 0) - limit.burst_us(requests)
    if limit.bucket and ahead_us > 0:
        return Refusal(False, _whole_seconds(ahead_us))
    return None


def _whole_seconds(wait_us: int) -> int:
    return max(1, -(-wait_us // SECOND_US))
