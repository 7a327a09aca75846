"""Idempotency-Key: the same command under the same key has one effect and one answer.

A command's success is recorded in the transaction that does it; what its order's status or hold refuses is recorded by
itself. A command whose answer is known only after its transaction (a balance, a release that follows) is recorded with
the answer reckoned up, pending, and finished with the one that is read: a crash in between leaves the first.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from chalicelib.apis.escrow.envelope import breaks_rule, invalid_field, response
from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.support.outcomes import OutcomeUnknown, Unavailable
from chalicelib.support.telemetry import logger
from chalicelib.tables.dynamodb import Write
from chalicelib.tables.requests import Answer, AnswerExists, Requests

REPLAYED = "Idempotent-Replay"
"""The header of an answer that was given before."""
FIELD = "idempotency_key"
FINISH_WITHIN_MS = 2000
"""How long a request may take to finish its own answer before another one does."""
JOIN_WAIT_S = 15
POLL_S = 0.05
_KEY = re.compile(r"[A-Za-z0-9_\-:.]{8,200}")


def idempotency_key(request: HttpRequest) -> str | None:
    """Return the key, None without one. Raises Fault for a malformed one."""
    key = request.headers.get("idempotency-key")
    if key is not None and not _KEY.fullmatch(key):
        raise invalid_field(FIELD, breaks_rule(FIELD, "must be 8 to 200 characters of A-Z a-z 0-9 _ - : ."))
    return key


@dataclass(frozen=True, slots=True)
class Replay:
    """One command's key. scope: whose, in which world, and the path. body_hash: sameness of the body.

    clock: the time in ms. is_finished_later: the answer is known only when the command is done, or the command may
    have nothing to do.
    """

    requests: Requests
    scope: str
    key: str
    body_hash: str
    clock: Callable[[], int]
    is_finished_later: bool = False

    def earlier(self) -> HttpResponse | None:
        """Return the answer that an earlier command of this key got, None when the key is free.

        Waits for one that is still under way. Raises Fault when that had another body, Unavailable.
        """
        deadline_s = time.monotonic() + JOIN_WAIT_S
        while True:
            answer = self.requests.answer(self.scope, self.key)
            if answer is None:
                return None
            if answer.body_hash != self.body_hash:
                raise invalid_field(FIELD, breaks_rule(FIELD, "was used with another body"))
            if answer.pending_until_ms is not None and answer.pending_until_ms <= self.clock():
                answer = self.requests.finish(self.scope, self.key, answer.body, None)
            if answer.pending_until_ms is None:
                return response(answer.status, answer.body, {REPLAYED: "true"})
            if time.monotonic() > deadline_s:
                raise Unavailable("the first request of this key is still under way")
            time.sleep(POLL_S)

    def joined(self) -> HttpResponse:
        """Return the answer of the command that was first with this key. Raises as ``earlier``."""
        answer = self.earlier()
        if answer is None:
            raise Unavailable("the first request's answer is gone")
        return answer

    def recording(self, body: str) -> Write:
        """Return the write that records a success with what it answers for, in one transaction."""
        pending_until_ms = self.clock() + FINISH_WITHIN_MS if self.is_finished_later else None
        return self.requests.recording(
            self.scope, self.key, Answer(self.body_hash, 200, body, pending_until_ms=pending_until_ms)
        )

    def record(self, answer: HttpResponse) -> HttpResponse:
        """Record an answer by itself; return it, or the one that was recorded first."""
        try:
            self.requests.record(self.scope, self.key, Answer(self.body_hash, answer.status, answer.body))
        except AnswerExists:
            return self.joined()
        return answer

    def finished(self, answer: HttpResponse) -> HttpResponse:
        """Return the answer as it stands under the key from now on: the one that was reckoned up gives way to it.

        Whatever fails here, the command is done, and the answer says so.
        """
        if not self.is_finished_later:
            return answer
        try:
            self.requests.record(self.scope, self.key, Answer(self.body_hash, answer.status, answer.body))
        except AnswerExists:
            return self._settled(answer)
        except (Unavailable, OutcomeUnknown):
            logger.warning("an answer is not recorded", exc_info=True)
        return answer

    def _settled(self, answer: HttpResponse) -> HttpResponse:
        try:
            return response(answer.status, self.requests.finish(self.scope, self.key, answer.body, None).body)
        except (Unavailable, OutcomeUnknown):
            logger.warning("an answer stays as it was reckoned up", exc_info=True)
        return answer


def digest_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
