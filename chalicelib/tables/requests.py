"""Answers under an idempotency key, kept for a day (table ``requests``).

Life cycle of an answer::

    (none) --record, with the order in one transaction--> pending, fallback answer inside --finish--> final
    (none) --record-------------------------------------------------------------------------------> final

A pending answer waits for the first matching result (``Prefer: wait``). A reader that finds it overdue finishes it with
the fallback, so a crash never leaves a key without an answer (T14).
"""

from __future__ import annotations

from collections.abc import Callable

from chalicelib.domain.tenancy.answers import Answer
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.read_ahead import RowAt, row_at
from chalicelib.tables.rows import Row
from chalicelib.tables.writes import ConditionFailed, Put, Update, Write, as_refused

TABLE = "requests"
ANSWER_LIFE_S = 86_400


class AnswerExists(Exception):
    """Another request has already recorded an answer for the key."""


class Requests:
    """now_s: time in whole seconds; expired rows count as gone, even before the table drops them."""

    def __init__(self, database: Database, now_s: Callable[[], int]) -> None:
        self._database = database
        self._now_s = now_s

    def answer(self, scope: str, key: str) -> Answer | None:
        row = self._database.get(TABLE, {"scope": scope, "request": key})
        if row is None or row["expires"] <= self._now_s():
            return None
        return _answer_of(row)

    def recording(self, scope: str, key: str, answer: Answer) -> Write:
        """Return the write that records an answer. Refused if the key has one."""
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

    def finish(self, scope: str, key: str, body: str, preference: str | None, status: int | None = None) -> Answer:
        """Make a pending answer final with this body. Return the answer that is stored then: this one or an earlier
        one.

        status: another one than it was written with; None: as it is. If an attempt is refused, the row found has the
        answer.
        """
        still_pending = "attribute_type(#pending_until_ms, :number)"
        update = Update(
            TABLE,
            {"scope": scope, "request": key},
            "SET #body = :body, #preference = :preference, #pending_until_ms = :none"
            + ("" if status is None else ", #status = :status"),
            still_pending,
            {":body": body, ":preference": preference, ":none": None, ":number": "N"}
            | ({} if status is None else {":status": status}),
        )
        try:
            return _answer_of(self._database.write(update, as_refused))
        except ConditionFailed as error:
            if error.row is None:
                raise
            return _answer_of(error.row)


def answer_at(scope: str, key: str) -> RowAt:
    return row_at(TABLE, {"scope": scope, "request": key})


def _answer_of(row: Row) -> Answer:
    return Answer(row["body_hash"], row["status"], row["body"], row["preference"], row["pending_until_ms"])
