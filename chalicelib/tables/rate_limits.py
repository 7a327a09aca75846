"""Requests counted against rate limits (table ``requests``), right over any number of copies.

GCRA and a daily quota (R13): one row a scope. A request that may come is one conditional update of the row; which one
depends on how the row stands::

    TAT is past --------> TAT = now + one interval            day's first ---> requests = 1
    TAT is ahead -------> TAT + one interval, if the          same day ------> requests + 1, if some
                          bucket has room                                      are left

A process remembers how it saw the row last, and so chooses right at the first attempt unless other copies came in
between; a refused write shows the row as it is, for the next attempt. Both facts only go up: a limit that was seen used
up stays so until its time has come, and refuses without a write. A flood so costs the table about what the limit lets
through.
"""

from __future__ import annotations

from typing import Any

from chalicelib.domain.tenancy.rate_limit import MINUTE_S, RateLimit, Refusal, Usage, day_of, minute_of, refusal_of
from chalicelib.support.outcomes import Unavailable
from chalicelib.support.recent import SCOPES_MAX, Recent
from chalicelib.tables.attempts import Contended, at_once, until_written
from chalicelib.tables.dynamodb import ConditionFailed, Database, Row, Update
from chalicelib.tables.requests import TABLE

DAY_S = 86_400
KEPT_DAYS = 2
TRIES_MAX = 6
"""A row changes its state at most twice against a request (TAT ahead, a new day); the rest is for its expiry."""


class RateLimits:
    """now_us: microseconds since the epoch, wherever it is asked for."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seen: Recent[str, Usage] = Recent(SCOPES_MAX)
        """By scope: how the row stood when it was seen last."""

    def use(self, scope: str, limit: RateLimit, now_us: int) -> Refusal | None:
        """Count a request and return None; over the limit, count nothing and return why.

        Raises Unavailable, or OutcomeUnknown: it may have been counted. After a lost answer the row that a later
        attempt finds does not tell whose use it shows, so the outcome is unknown then too.
        """
        if limit.is_off:
            return None

        def once() -> Refusal | None:
            usage = self._seen.get(scope)
            if usage is not None and (refusal := refusal_of(limit, usage, now_us)):
                return refusal
            try:
                self._remember(scope, self._database.write(_counting(scope, limit, usage, now_us)))
            except ConditionFailed as error:  # the row is not as it was seen last: look at what stood there
                self._remember(scope, error.row)
                raise Contended from error
            return None

        return until_written(once, TRIES_MAX, at_once, Unavailable("this rate limit's row keeps changing"))

    def _remember(self, scope: str, row: Row | None) -> None:
        if row is None:
            self._seen.forget(scope)
        else:
            self._seen.set(scope, Usage(row["full_at_us"], row["day"], row["requests"]))


def _counting(scope: str, limit: RateLimit, usage: Usage | None, now_us: int) -> Update:
    """Return the write that counts a request, on condition that the row is as it was seen.

    The row's "full_at_us" is the TAT. A day is never set back, however the clocks of two copies differ around midnight.
    """
    day = max(day_of(now_us), usage.day if usage else 0)
    values: dict[str, Any] = {":day": day, ":one": 1, ":expires": (day + KEPT_DAYS) * DAY_S}
    nothing_counted = "attribute_not_exists(#day)"
    if limit.bucket and usage is not None and usage.tat_us >= now_us:
        is_ahead, has_room = "#full_at_us >= :now", "#full_at_us <= :last"
        bucket, tat = f"{is_ahead} AND {has_room}", "#full_at_us + :interval"
        values |= {":now": now_us, ":last": now_us + limit.burst_us, ":interval": limit.interval_us}
    else:
        tat = ":tat"
        values[":tat"] = now_us + limit.interval_us
        is_past = "#full_at_us < :now"
        bucket = f"({nothing_counted} OR {is_past})" if limit.bucket else ""
        values |= {":now": now_us} if limit.bucket else {}
    if usage is not None and usage.day < day:
        today, requests = "#day < :day", ":one"
    else:
        same_day, some_left = "#day = :day", "#requests < :per_day"
        left = f"{same_day} AND {some_left}" if limit.per_day else same_day
        today, requests = f"({nothing_counted} OR ({left}))", "if_not_exists(#requests, :zero) + :one"
        values |= {":zero": 0} | ({":per_day": limit.per_day} if limit.per_day else {})
    return Update(
        TABLE,
        {"scope": scope, "request": "allowance"},
        f"SET #full_at_us = {tat}, #day = :day, #requests = {requests}, #expires = :expires",
        f"{bucket} AND {today}" if bucket else today,
        values,
    )


class MinuteCounts:
    """Counts requests in UTC minutes (T6): one row a scope and minute, right over any number of copies.

    A count only goes up: a scope that this process saw at its limit stays over it until the minute ends, without more
    writes. A flood so costs the table about as many writes as the limit lets through. A scope that this process has
    forgotten costs one more write (T55).
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seen: Recent[str, tuple[int, int]] = Recent(SCOPES_MAX)
        """By scope: the last minute that was counted in, and its count then."""

    def count(self, scope: str, limit: int, at_s: int) -> int:
        """Count a request; return how many the minute has had with it, or some number above the limit.

        Raises Unavailable, or OutcomeUnknown: it may have been counted. Every attempt that reaches the table counts:
        two where the client tries again after a lost answer (``wiring.counters`` does not).
        """
        minute_s = minute_of(at_s)
        seen_in_s, seen = self._seen.get(scope) or (minute_s, 0)
        if seen_in_s == minute_s and seen >= limit:
            return seen + 1
        update = Update(
            TABLE,
            {"scope": scope, "request": str(minute_s)},
            "ADD #requests :one SET #expires = :expires",
            values={":one": 1, ":expires": minute_s + 10 * MINUTE_S},
        )
        count = int(self._database.write(update)["requests"])
        self._seen.set(scope, (minute_s, count))
        return count
