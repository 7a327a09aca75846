"""Rate limits (table ``requests``): GCRA with a daily quota, and counts by minute; exact over any number of processes.

GCRA (generic cell rate algorithm, R13): one row for each scope. A request is one conditional update of the row; which
one depends on the row's theoretical arrival time (TAT) and day::

    TAT is past --------> TAT = now + one interval            day's first ---> requests = 1
    TAT is ahead -------> TAT + one interval, if the          same day ------> requests + 1, if some
                          bucket has room                                      are left

A process caches each row as last seen, and so chooses the right update at the first try unless another process came in
between; a refused write returns the row for the next try. TAT and count only increase: a limit seen exhausted stays so
until its time, and refuses without a write. So a flood costs little more than the requests that the limit admits.
"""

from __future__ import annotations

from typing import Any

from chalicelib.domain.tenancy.rate_limit import (
    MINUTE_S,
    UNUSED,
    RateLimit,
    Refusal,
    Usage,
    day_of,
    minute_of,
    refusal_of,
)
from chalicelib.support.bounded_cache import SCOPES_MAX, BoundedCache
from chalicelib.support.outcomes import Unavailable
from chalicelib.tables.attempts import Contended, at_once, until_written
from chalicelib.tables.dynamodb import ConditionFailed, Database, Row, Update
from chalicelib.tables.requests import TABLE

DAY_S = 86_400
KEPT_DAYS = 2
TRIES_MAX = 6
"""Tries of one request: its row can change state against it twice (TAT ahead, a new day), the others are for expiry."""


class RateLimits:
    """now_us: time in microseconds since the epoch."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seen: BoundedCache[str, Usage] = BoundedCache(SCOPES_MAX)
        """By scope: the row as last seen."""

    def use(self, scope: str, limit: RateLimit, now_us: int, requests: int = 1) -> Refusal | None:
        """Count requests, all or none, and return None; over the limit, count nothing and return the refusal.

        Raises Unavailable, or OutcomeUnknown: it may have been counted. After a lost answer the row does not tell whose
        request it shows.
        """
        if limit.is_off:
            return None

        def once() -> Refusal | None:
            usage = self._seen.get(scope)
            if refusal := refusal_of(limit, usage or UNUSED, now_us, requests):
                return refusal
            try:
                self._remember(scope, self._database.write(_counting(scope, limit, usage, now_us, requests)))
            except ConditionFailed as error:  # the row has changed: try again from the row found
                self._remember(scope, error.row)
                raise Contended from error
            return None

        return until_written(once, TRIES_MAX, at_once, Unavailable("this rate limit's row keeps changing"))

    def _remember(self, scope: str, row: Row | None) -> None:
        if row is None:
            self._seen.forget(scope)
        else:
            self._seen.set(scope, Usage(row["full_at_us"], row["day"], row["requests"]))


def _counting(scope: str, limit: RateLimit, usage: Usage | None, now_us: int, requests: int) -> Update:
    """Return the write that counts requests, conditional on the row as last seen.

    The row's "full_at_us" is the TAT. The day never goes back, however two clocks differ around midnight.
    """
    day = max(day_of(now_us), usage.day if usage else 0)
    values: dict[str, Any] = {":day": day, ":more": requests, ":expires": (day + KEPT_DAYS) * DAY_S}
    nothing_counted = "attribute_not_exists(#day)"
    if limit.bucket and usage is not None and usage.tat_us >= now_us:
        is_ahead, has_room = "#full_at_us >= :now", "#full_at_us <= :last"
        bucket, tat = f"{is_ahead} AND {has_room}", "#full_at_us + :interval"
        last_us = now_us + limit.burst_us(requests)
        values |= {":now": now_us, ":last": last_us, ":interval": requests * limit.interval_us}
    else:
        tat = ":tat"
        values[":tat"] = now_us + requests * limit.interval_us
        is_past = "#full_at_us < :now"
        bucket = f"({nothing_counted} OR {is_past})" if limit.bucket else ""
        values |= {":now": now_us} if limit.bucket else {}
    if usage is not None and usage.day < day:
        today, count = "#day < :day", ":more"
    else:
        same_day, some_left = "#day = :day", "#requests <= :last_of_day"
        left = f"{same_day} AND {some_left}" if limit.per_day else same_day
        today, count = f"({nothing_counted} OR ({left}))", "if_not_exists(#requests, :zero) + :more"
        values |= {":zero": 0} | ({":last_of_day": limit.per_day - requests} if limit.per_day else {})
    return Update(
        TABLE,
        {"scope": scope, "request": "allowance"},
        f"SET #full_at_us = {tat}, #day = :day, #requests = {count}, #expires = :expires",
        f"{bucket} AND {today}" if bucket else today,
        values,
    )


class MinuteCounts:
    """Counts requests by UTC minute (T6): one row for each scope and minute, exact over any number of processes.

    A count only increases: a scope that this process saw at its limit stays there until the minute ends, without a
    write. So a flood costs about as many writes as the limit admits. A scope evicted from the cache costs one more
    write (T55).
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seen: BoundedCache[str, tuple[int, int]] = BoundedCache(SCOPES_MAX)
        """By scope: the last minute counted, and its count."""

    def count(self, scope: str, limit: int, at_s: int, requests: int = 1) -> int:
        """Count requests, all or none. Return the minute's count with them; above the limit, none is counted.

        Raises Unavailable, or OutcomeUnknown: they may have been counted. Each attempt that reaches the table counts:
        two if the client retries after a lost answer (``wiring.counters`` does not).
        """
        minute_s = minute_of(at_s)
        seen_in_s, seen = self._seen.get(scope) or (minute_s, 0)
        before = seen if seen_in_s == minute_s else 0
        if before + requests > limit:
            return before + requests
        update = Update(
            TABLE,
            {"scope": scope, "request": str(minute_s)},
            "ADD #requests :more SET #expires = :expires",
            "attribute_not_exists(#requests) OR #requests <= :last",
            {":more": requests, ":last": limit - requests, ":expires": minute_s + 10 * MINUTE_S},
        )
        try:
            count = int(self._database.write(update)["requests"])
        except ConditionFailed as error:
            seen = int(error.row["requests"]) if error.row else limit
            self._seen.set(scope, (minute_s, seen))
            return seen + requests
        self._seen.set(scope, (minute_s, count))
        return count
