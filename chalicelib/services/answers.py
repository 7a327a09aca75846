"""Answers kept under an idempotency key: the same request has one effect and one answer (T12 to T14).

The answer is written in the transaction that does the work, so both are stored or neither::

    key free   --receipt, in the transaction of the work-->  answered, or pending until a time
    key free   --record, a refusal------------------------>  answered
    pending    --finish----------------------------------->  answered
    pending, its time over  --the next reader------------->  answered as was written first, or as is known by now
    answered   --another receipt-------------------------->  ReceiptExists: nothing of that transaction is done

A key is free again after a day.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from chalicelib.domain.tenancy.answers import Answer
from chalicelib.support.outcomes import Unavailable
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.read_ahead import RowAt
from chalicelib.tables.requests import AnswerExists, Requests, answer_at
from chalicelib.tables.writes import Write

JOIN_WAIT_S = 15
POLL_S = 0.05
FINISH_WITHIN_MS = 2000
"""How long an answer stays pending. After that, the next reader of the key finishes it with the body written first."""

Receipt = Write
"""The write that keeps an answer, for the transaction of the work; opaque to the api that makes it."""
Settled = Callable[[str], tuple[int, str] | None]
"""Returns what status and body are by now, given the body written first; None: as they were written."""


class OtherRequest(Exception):
    """The key was used for a request with another digest."""


class StillPending(Unavailable):
    """The first request of the key was not answered within JOIN_WAIT_S; nothing was changed."""


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """The answer of one idempotency key. scope: where the key is unique. digest: of the request. clock: Unix ms.

    settled: of a request that nobody has finished in time.
    """

    requests: Requests
    clock: Callable[[], int]
    scope: str
    key: str
    digest: str
    settled: Settled | None = None

    def earlier(self) -> Answer | None:
        """Return the answer of an earlier request with this key; None if the key is free.

        Waits for a pending answer. Raises OtherRequest, StillPending, Unavailable or OutcomeUnknown.
        """
        deadline_s = time.monotonic() + JOIN_WAIT_S
        while True:
            answer = self.requests.answer(self.scope, self.key)
            if answer is None:
                return None
            if answer.body_hash != self.digest:
                raise OtherRequest(self.key)
            if answer.pending_until_ms is not None and answer.pending_until_ms <= self.clock():
                answer = self._finished(answer)
            if answer.pending_until_ms is None:
                return answer
            if time.monotonic() > deadline_s:
                raise StillPending("the first request of this key is still in progress")
            time.sleep(POLL_S)

    def _finished(self, pending: Answer) -> Answer:
        settled = None if self.settled is None else self.settled(pending.body)
        if settled is None:
            return self.finish(pending.body)
        status, body = settled
        return self.finish(body, status=status)

    def joined(self) -> Answer:
        """Return the answer of the request that was first with this key. Raises as ``earlier``."""
        answer = self.earlier()
        if answer is None:
            raise Unavailable("the first request's answer is gone")
        return answer

    def receipt(self, status: int, body: str, pending_ms: int | None = None) -> Receipt:
        """Return the write that keeps an answer. pending_ms: how long it stays pending; None keeps it final."""
        pending_until_ms = None if pending_ms is None else self.clock() + pending_ms
        answer = Answer(self.digest, status, body, pending_until_ms=pending_until_ms)
        return self.requests.recording(self.scope, self.key, answer)

    def record(self, status: int, body: str) -> bool:
        """Keep an answer in a write of its own; False: the key has one. Raises Unavailable or OutcomeUnknown."""
        try:
            self.requests.record(self.scope, self.key, Answer(self.digest, status, body))
        except AnswerExists:
            return False
        return True

    def finish(self, body: str, preference: str | None = None, status: int | None = None) -> Answer:
        """Give the pending answer this body; return the kept answer. Raises Unavailable or OutcomeUnknown.

        status: another one than it was written with.
        """
        return self.requests.finish(self.scope, self.key, body, preference, status)


class Answers:
    """Finds kept answers. clock: Unix ms."""

    def __init__(self, database: Database, clock: Callable[[], int]) -> None:
        self._requests = Requests(database, lambda: clock() // 1000)
        self._clock = clock

    def at(self, scope: str, key: str) -> RowAt:
        """Return where the answer of a key stands."""
        return answer_at(scope, key)

    def of(self, scope: str, key: str, digest: str, settled: Settled | None = None) -> KeptAnswer:
        return KeptAnswer(self._requests, self._clock, scope, key, digest, settled)
