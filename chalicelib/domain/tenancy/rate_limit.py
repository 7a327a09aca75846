"""Rate limits: GCRA (generic cell rate algorithm) and a daily quota (R13).

A caller's usage is two facts: the theoretical arrival time (TAT), at which its bucket is full again if nothing more
comes, and the day's requests. Each request moves the TAT one interval ahead, the time in which the bucket refills by
one request. A bucket of n is empty when the TAT lies more than n - 1 intervals ahead. Processes that count at once need
not see each other's result: intervals add up in any order.

A process need not write each request down: of a limit of 50 or more it counts up to 5 % in memory (``Known``). It then
knows less than all usage and never more, so it refuses nothing that fits (docs/decisions/rate-limits.md).

Times are microseconds since the epoch; days are UTC days since the epoch.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

MINUTE_S = 60
SECOND_US = 10**6
DAY_US = 86_400 * SECOND_US
_THOUSAND_SECONDS_US = 1000 * SECOND_US
EXACT_BELOW, STEPS = 50, 20
"""Limits below the first number are counted exactly; of others, one part in the second may be unwritten."""


def step_of(limit: int) -> int:
    """Return how many requests, 5 % of a limit, a process counts with one write; 1 below 50: each is written."""
    return limit // STEPS if limit >= EXACT_BELOW else 1


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

    @property
    def step(self) -> int:
        """How many requests a process counts with one write, by the smaller of the two limits."""
        return min(step_of(limit) for limit in (self.bucket, self.per_day) if limit)

    @property
    def lag_us(self) -> int:
        """How far the written TAT may lag behind: the time of step - 1 requests, two seconds at most."""
        return min(2 * SECOND_US, (self.step - 1) * self.interval_us) if self.bucket else 2 * SECOND_US

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
class Known:
    """What one process knows of a caller: its row as last seen, and its own requests since.

    row: None if unknown. written_us: time of the last write, 0 for none. unwritten: requests accepted since, in_bucket:
    those of them that the bucket still lacks. own_us: the TAT that this process's requests alone would have.
    """

    row: Usage | None = None
    written_us: int = 0
    unwritten: int = 0
    in_bucket: int = 0
    own_us: int = 0

    def at(self, limit: RateLimit, now_us: int) -> Known:
        """Return this as it is now: once the bucket may have been full, it lacks none of the unwritten requests."""
        is_fresh = max(self.written_us, self.row.tat_us if self.row else 0) >= now_us - limit.lag_us
        return self if is_fresh else replace(self, in_bucket=0)

    def is_due(self, limit: RateLimit, now_us: int, requests: int) -> bool:
        """Tell whether requests that come now are written: each step, and after half of the lag, a second at most."""
        return (
            self.row is None
            or self.row.day < day_of(now_us)
            or max(self.unwritten, self.in_bucket) + requests >= limit.step
            or now_us - self.written_us > limit.lag_us // 2
        )

    def usage(self, limit: RateLimit, now_us: int) -> Usage:
        """Return the usage as far as known: never more than all processes' requests make it."""
        row = self.row or UNUSED
        tat_us = max(row.tat_us, now_us - limit.lag_us) + self.in_bucket * limit.interval_us
        return Usage(max(tat_us, self.own_us), row.day, row.requests + self.unwritten)

    def with_row(self, row: Usage | None) -> Known:
        """Return this with the row as found now, None if there is none; unwritten requests of another day are gone."""
        if row is None or self.row is None:
            return Known(row)
        return replace(self, row=row, unwritten=self.unwritten if row.day == self.row.day else 0)

    def with_own(self, limit: RateLimit, now_us: int, requests: int) -> Known:
        """Return this with accepted requests, unwritten."""
        own_us = max(self.own_us, now_us) + requests * limit.interval_us
        unwritten, in_bucket = self.unwritten + requests, self.in_bucket + requests
        return replace(self, unwritten=unwritten, in_bucket=in_bucket, own_us=own_us)


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
