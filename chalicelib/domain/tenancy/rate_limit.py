"""How often a caller may come: a bucket of requests that refills steadily, and a number of requests a day (R13). Pure.

What has been used is two facts: when the bucket would be full again if nothing came any more, and the day's requests.
A request puts that moment off by the time in which the bucket refills by one request. So a bucket of n is empty when
the moment lies more than n - 1 such intervals ahead; and requests of several copies at once need not see each other's
result, for adding an interval is the same whoever adds first.

All times are microseconds since the epoch; days are UTC days since the epoch.
"""

from __future__ import annotations

from dataclasses import dataclass

MINUTE_S = 60
SECOND_US = 10**6
DAY_US = 86_400 * SECOND_US
_THOUSAND_SECONDS_US = 1000 * SECOND_US


@dataclass(frozen=True, slots=True)
class RateLimit:
    """bucket: requests that may come at once, 0 for no such limit. refill_per_1000_s: of requests, above 0.

    per_day: requests in a UTC day, 0 for no such limit.
    """

    bucket: int = 7
    refill_per_1000_s: int = 3500
    per_day: int = 302_400

    @property
    def is_off(self) -> bool:
        return not self.bucket and not self.per_day

    @property
    def interval_us(self) -> int:
        """Return in what time the bucket refills by one request, rounded up; 0 without a bucket."""
        return -(-_THOUSAND_SECONDS_US // self.refill_per_1000_s) if self.bucket else 0

    @property
    def burst_us(self) -> int:
        """Return how far ahead the moment of the full bucket may lie for one more request to find room."""
        return (self.bucket - 1) * self.interval_us if self.bucket else 0


@dataclass(frozen=True, slots=True)
class Used:
    """full_at_us: when the bucket is full again. requests: those of the day."""

    full_at_us: int
    day: int
    requests: int


@dataclass(frozen=True, slots=True)
class Refused:
    """is_of_day: by the day's number, else by the bucket. retry_after_s: whole seconds, at least 1."""

    is_of_day: bool
    retry_after_s: int


def day_of(at_us: int) -> int:
    return at_us // DAY_US


def minute_of(at_s: int) -> int:
    """Return when the UTC minute of this moment began, both in seconds since the epoch."""
    return at_s // MINUTE_S * MINUTE_S


def refused(allowance: RateLimit, used: Used, now_us: int) -> Refused | None:
    """Return why a request that comes now is refused, None where it may come."""
    if allowance.per_day and used.day >= day_of(now_us) and used.requests >= allowance.per_day:
        return Refused(True, _whole_seconds((used.day + 1) * DAY_US - now_us))
    ahead_us = used.full_at_us - now_us - allowance.burst_us
    if allowance.bucket and ahead_us > 0:
        return Refused(False, _whole_seconds(ahead_us))
    return None


def _whole_seconds(wait_us: int) -> int:
    return max(1, -(-wait_us // SECOND_US))
