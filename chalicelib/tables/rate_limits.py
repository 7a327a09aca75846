"""Rate limits (table ``requests``): GCRA with a daily quota, and counts by minute, over any number of processes.

GCRA (generic cell rate algorithm, R13): one row for each scope. A write is one conditional update of the row; which one
depends on the row's theoretical arrival time (TAT) and day::

    TAT is past --------> TAT = now + intervals            day's first ---> requests = those counted
    TAT is ahead -------> TAT + intervals, if the          same day ------> requests + those counted, if so many
                          bucket has room                                   are left

A process caches each row as last seen, and so chooses the right update at the first try unless another process came in
between; a refused write returns the row for the next try. TAT and count only increase: a limit seen exhausted stays so
until its time, and refuses without a write. So a flood costs little more than the requests that the limit admits.

**Counting in memory.** Of a limit of 50 or more, 5 % is a step: a process writes each step-th request, together with
those before it, and the first one after a second (``Known``). Limits under 50 have a step of one and are exact. The row
never passes its limit, so at most copies x (step - 1) requests more than the limit are let through, and for a bucket,
which refills in between, as many again as step - 1. No request that fits is refused: a process knows of no request that
was not accepted. What cannot be written is forgotten, and so are requests of a process that ends before it writes them
(docs/decisions/rate-limits.md).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any, Generic, TypeVar

from chalicelib.domain.tenancy.rate_limit import (
    MINUTE_S,
    UNUSED,
    Known,
    RateLimit,
    Refusal,
    Usage,
    day_of,
    minute_of,
    refusal_of,
    step_of,
)
from chalicelib.support.bounded_cache import SCOPES_MAX, BoundedCache
from chalicelib.support.outcomes import Unavailable
from chalicelib.tables.attempts import Contended, at_once, until_written
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.requests import TABLE
from chalicelib.tables.rows import Row
from chalicelib.tables.writes import ConditionFailed, Update

T = TypeVar("T")
DAY_S = 86_400
KEPT_DAYS = 2
TRIES_MAX = 6
"""Tries of one request: its row can change state against it twice (TAT ahead, a new day), the others are for expiry."""


@dataclass(slots=True)
class _Caller(Generic[T]):
    """What this process knows of one scope. lock: held while a request is judged, counted and written."""

    known: T
    lock: Lock = field(default_factory=Lock)


class RateLimits:
    """now_us: time in microseconds since the epoch. Thread-safe."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._callers: BoundedCache[str, _Caller[Known]] = BoundedCache(SCOPES_MAX)
        """By scope. One that is dropped takes its unwritten requests with it (T55)."""

    def use(self, scope: str, limit: RateLimit, now_us: int, requests: int = 1) -> Refusal | None:
        """Count requests, all or none, and return None; over the limit, count nothing and return the refusal.

        Raises Unavailable, or OutcomeUnknown: it may have been counted. After a lost answer the row does not tell whose
        request it shows. Either way this process forgets what it had not written.
        """
        if limit.is_off:
            return None
        caller = self._callers.get_or_set(scope, lambda: _Caller(Known()))

        def once() -> Refusal | None:
            known = caller.known.at(limit, now_us)
            if refusal := refusal_of(limit, known.usage(limit, now_us), now_us, requests):
                return refusal
            with_them = known.with_own(limit, now_us, requests)
            if not known.is_due(limit, now_us, requests):
                caller.known = with_them
                return None
            caller.known = Known(known.row)  # what a failed write carried stays uncounted
            try:
                row = self._database.write(_counting(scope, limit, known, now_us, requests))
            except ConditionFailed as error:  # the row has changed: try again from the row found
                caller.known = known.with_row(_usage(error.row) if error.row else None)
                raise Contended from error
            caller.known = Known(_usage(row), now_us, own_us=with_them.own_us)
            return None

        with caller.lock:
            return until_written(once, TRIES_MAX, at_once, Unavailable("this rate limit's row keeps changing"))


def _usage(row: Row) -> Usage:
    return Usage(row["full_at_us"], row["day"], row["requests"])


def _counting(scope: str, limit: RateLimit, known: Known, now_us: int, requests: int) -> Update:
    """Return the write that counts requests and those unwritten before, conditional on the row as last seen.

    The row's "full_at_us" is the TAT; it is past if it lies more than the lag behind. The day never goes back, however
    two clocks differ around midnight, and unwritten requests of another day are not counted.
    """
    row = known.row or UNUSED
    day = max(day_of(now_us), row.day)
    since_us = now_us - limit.lag_us
    intervals = requests + known.in_bucket
    of_day = requests + (known.unwritten if row.day == day else 0)
    values: dict[str, Any] = {":day": day, ":more": of_day, ":expires": (day + KEPT_DAYS) * DAY_S}
    nothing_counted = "attribute_not_exists(#day)"
    values |= {":since": since_us} if limit.bucket else {}
    if limit.bucket and known.row is not None and row.tat_us >= since_us:
        is_ahead, has_room = "#full_at_us >= :since", "#full_at_us <= :last"
        bucket, tat = f"{is_ahead} AND {has_room}", "#full_at_us + :intervals"
        values |= {":last": now_us + limit.burst_us(intervals), ":intervals": intervals * limit.interval_us}
    else:
        tat = ":tat"
        values[":tat"] = since_us + intervals * limit.interval_us
        is_past = "#full_at_us < :since"
        bucket = f"({nothing_counted} OR {is_past})" if limit.bucket else ""
    if known.row is not None and row.day < day:
        today, count = "#day < :day", ":more"
    else:
        same_day, some_left = "#day = :day", "#requests <= :last_of_day"
        left = f"{same_day} AND {some_left}" if limit.per_day else same_day
        today, count = f"({nothing_counted} OR ({left}))", "if_not_exists(#requests, :zero) + :more"
        values |= {":zero": 0} | ({":last_of_day": limit.per_day - of_day} if limit.per_day else {})
    return Update(
        TABLE,
        {"scope": scope, "request": "allowance"},
        f"SET #full_at_us = {tat}, #day = :day, #requests = {count}, #expires = :expires",
        f"{bucket} AND {today}" if bucket else today,
        values,
    )


@dataclass(frozen=True, slots=True)
class _Minute:
    """A minute's count as last seen in its row, at written_s, and this process's own requests since."""

    start_s: int = 0
    count: int = 0
    written_s: int = 0
    unwritten: int = 0


class MinuteCounts:
    """Counts requests by UTC minute (T6): one row for each scope and minute. Thread-safe.

    A count only increases: a scope that this process saw at its limit stays there until the minute ends, without a
    write. So a flood costs about as many writes as the limit admits. A scope evicted from the cache costs one more
    write (T55), and its unwritten requests.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._callers: BoundedCache[str, _Caller[_Minute]] = BoundedCache(SCOPES_MAX)

    def count(self, scope: str, limit: int, at_s: int, requests: int = 1) -> int:
        """Count requests, all or none. Return the minute's count with them; above the limit, none is counted.

        The count is what this process knows. Raises Unavailable, or OutcomeUnknown: they may have been counted. Each
        attempt that reaches the table counts: two if the client retries after a lost answer (``wiring.counters`` does
        not). Either way this process forgets what it had not written.
        """
        caller, start_s = self._callers.get_or_set(scope, lambda: _Caller(_Minute())), minute_of(at_s)
        with caller.lock:
            known = caller.known if caller.known.start_s == start_s else _Minute(start_s)
            unwritten = known.unwritten + requests
            if known.count + unwritten > limit:
                return known.count + unwritten
            if unwritten < step_of(limit) and at_s == known.written_s:
                caller.known = replace(known, unwritten=unwritten)
                return known.count + unwritten
            caller.known = replace(known, written_s=0, unwritten=0)  # what a failed write carried stays uncounted
            update = Update(
                TABLE,
                {"scope": scope, "request": str(start_s)},
                "ADD #requests :more SET #expires = :expires",
                "attribute_not_exists(#requests) OR #requests <= :last",
                {":more": unwritten, ":last": limit - unwritten, ":expires": start_s + 10 * MINUTE_S},
            )
            try:
                count = int(self._database.write(update)["requests"])
            except ConditionFailed as error:
                count = int(error.row["requests"]) if error.row else limit
                caller.known = replace(known, count=count)
                return count + unwritten
            caller.known = _Minute(start_s, count, at_s)
            return count
