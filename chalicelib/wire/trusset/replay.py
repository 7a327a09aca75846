"""Idempotency-Key: the same request under the same key has one effect and one answer (T12 to T14)."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

from chalicelib.clock import now_ms
from chalicelib.stores.dynamodb import Unavailable, Write
from chalicelib.stores.requests import Answer, AnswerExists, Requests
from chalicelib.wire.http import HttpRequest, HttpResponse
from chalicelib.wire.trusset.envelope import Envelope, Fault

_KEY = re.compile(r"[A-Za-z0-9_\-:.]{8,200}")
JOIN_WAIT_S = 15
POLL_S = 0.05


def idempotency_key(request: HttpRequest) -> str | None:
    """Return the key, None without one. Raises Fault for a malformed one."""
    key = request.headers.get("idempotency-key")
    if key is not None and not _KEY.fullmatch(key):
        raise Fault("IDEMPOTENCY_KEY_REQUIRED", "Idempotency-Key must be 8 to 200 characters of A-Z a-z 0-9 _ - : .")
    return key


@dataclass(frozen=True, slots=True)
class Replay:
    """One request's idempotency key. scope: instance, method and path. body_hash: sameness of the body (T12)."""

    requests: Requests
    scope: str
    key: str
    body_hash: str

    def earlier(self, envelope: Envelope) -> HttpResponse | None:
        """Return the answer that an earlier request of this key got, None when the key is free.

        Waits for one that is still in progress (T14). Raises Fault IDEMPOTENCY_MISMATCH or SERVICE_UNAVAILABLE.
        """
        deadline = time.monotonic() + JOIN_WAIT_S
        while True:
            answer = self.requests.answer(self.scope, self.key)
            if answer is None:
                return None
            if answer.body_hash != self.body_hash:
                raise Fault("IDEMPOTENCY_MISMATCH", "Idempotency-Key was used with another body")
            if answer.pending_until_ms is not None and answer.pending_until_ms <= now_ms():
                answer = self.requests.finish(self.scope, self.key, answer.body, None)
            if answer.pending_until_ms is None:
                headers = {"Idempotent-Replay": "true"}
                if answer.preference:
                    headers["Preference-Applied"] = answer.preference
                return envelope.response(answer.status, answer.body, headers)
            if time.monotonic() > deadline:
                raise Unavailable("the first request of this key is still in progress")
            time.sleep(POLL_S)

    def joined(self, envelope: Envelope) -> HttpResponse:
        """Return the answer of the request that was first with this key. Raises as ``earlier``."""
        answer = self.earlier(envelope)
        if answer is None:
            raise Unavailable("the first request's answer is gone")
        return answer

    def recording(self, status: int, body: str, pending_until_ms: int | None) -> Write:
        """Return the write that records the answer with what it answers for, in one transaction."""
        return self.requests.recording(
            self.scope, self.key, Answer(self.body_hash, status, body, None, pending_until_ms)
        )

    def record(self, response: HttpResponse, envelope: Envelope) -> HttpResponse:
        """Record an answer by itself; return it, or the one that was recorded first."""
        try:
            self.requests.record(self.scope, self.key, Answer(self.body_hash, response.status, response.body))
        except AnswerExists:
            return self.joined(envelope)
        return response
