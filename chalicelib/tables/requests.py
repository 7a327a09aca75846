"""What requests leave behind for a while (table ``requests``): answers under an idempotency key, rate windows.

An answer's life::

    (none) --record, with the order in one transaction--> pending, fallback answer inside --finish--> final
    (none) --record-------------------------------------------------------------------------------> final

A pending answer waits for the first matching result (``Prefer: wait``). Whoever finds one past its time finishes it
with the fallback, so a crash in between never leaves a key without its answer (T14).
"""

from __future__ import annotations

from collections.abc import Callable

from chalicelib.domain.tenancy.answers import Answer
from chalicelib.support.recent import SCOPES_MAX, Recent
from chalicelib.tables.dynamodb import ConditionFailed, Database, Put, Row, Update, Write, as_refused

TABLE = "requests"
ANSWER_LIFE_S = 86_400
RATE_WINDOW_S = 60


class AnswerExists(Exception):
    """The key has an answer already, recorded by another request."""


class Requests:
    """now_s: the time in whole seconds; expired rows count as gone, whenever the table drops them."""

    def __init__(self, database: Database, now_s: Callable[[], int]) -> None:
        self._database = database
        self._now_s = now_s

    def answer(self, scope: str, key: str) -> Answer | None:
        row = self._database.get(TABLE, {"scope": scope, "request": key})
        if row is None or row["expires"] <= self._now_s():
            return None
        return _answer_of(row)

    def recording(self, scope: str, key: str, answer: Answer) -> Write:
        """Return the write that records an answer. Refused when the key has one."""
        row = {
            "scope": scope,
            "request": key,
            "body_hash": answer.body_hash,
            "status": answer.status,
            "body": answer.body,
            "preference": answer.preference,
            "pending_until_ms": answer.pending_until_ms,
            "expires": self._now_s() + ANSWER_LIFE_S,
        }
        key_is_free, key_has_expired = "attribute_not_exists(#request)", "#expires <= :now"
        return Put(TABLE, row, f"{key_is_free} OR {key_has_expired}", {":now": self._now_s()})

    def record(self, scope: str, key: str, answer: Answer) -> None:
        """Record an answer. Raises AnswerExists: another request with this key was first."""
        try:
            self._database.write(self.recording(scope, key, answer))
        except ConditionFailed as error:
            raise AnswerExists(key) from error

    def finish(self, scope: str, key: str, body: str, preference: str | None) -> Answer:
        """Make a pending answer final with this body; return what stands there then: this one, or an earlier one.

        Whichever attempt is refused, the row that it found has the answer.
        """
        still_pending = "attribute_type(#pending_until_ms, :number)"
        update = Update(
            TABLE,
            {"scope": scope, "request": key},
            "SET #body = :body, #preference = :preference, #pending_until_ms = :none",
            still_pending,
            {":body": body, ":preference": preference, ":none": None, ":number": "N"},
        )
        try:
            return _answer_of(self._database.write(update, as_refused))
        except ConditionFailed as error:
            if error.row is None:
                raise
            return _answer_of(error.row)


class Rates:
    """Counts requests in windows of a minute, each starting at a full UTC minute (T6).

    A window's count is one row, so it is right however many copies of the function count. It only goes up: a scope that
    this process saw at its limit is over it until the window ends, and needs no more writes. So a flood costs the table
    about as many writes as the limit lets through, and does not throttle its own counter. Of scopes that this process
    has forgotten it writes again, which costs a write and no more (T55).
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seen: Recent[str, tuple[int, int]] = Recent(SCOPES_MAX)
        """By scope: the last window that was counted in, and its count then."""

    def count(self, scope: str, limit: int, at_s: int) -> int:
        """Count a request; return how many the window has had with it, or some number above the limit.

        Raises Unavailable, or OutcomeUnknown: it may have been counted. Counted it is once an attempt that reaches the
        table: twice where the client tries again after an answer that was lost (``wiring.counters`` does not).
        """
        window_s = window_start_s(at_s)
        seen_in_s, seen = self._seen.get(scope) or (window_s, 0)
        if seen_in_s == window_s and seen >= limit:
            return seen + 1
        update = Update(
            TABLE,
            {"scope": scope, "request": str(window_s)},
            "ADD #requests :one SET #expires = :expires",
            values={":one": 1, ":expires": window_s + 10 * RATE_WINDOW_S},
        )
        count = int(self._database.write(update)["requests"])
        self._seen.set(scope, (window_s, count))
        return count


def window_start_s(at_s: int) -> int:
    return at_s // RATE_WINDOW_S * RATE_WINDOW_S


def _answer_of(row: Row) -> Answer:
    return Answer(row["body_hash"], row["status"], row["body"], row["preference"], row["pending_until_ms"])
