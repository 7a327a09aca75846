"""Idempotency-Key: the same request under the same key has one effect and one answer (T12 to T14).

An endpoint checks the key's form (``idempotency_key``), then its body, then acts inside ``answer_once``.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.apis.book.envelope import STATUS_OF_CODE, Envelope, Fault
from chalicelib.apis.book.schema import body_hash
from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.support.clock import now_ms
from chalicelib.support.outcomes import Unavailable
from chalicelib.tables.dynamodb import Write
from chalicelib.tables.requests import Answer, AnswerExists, ReceiptExists, Requests

_KEY = re.compile(r"[A-Za-z0-9_\-:.]{8,200}")
JOIN_WAIT_S = 15
POLL_S = 0.05
SERVER_FAULT = 500


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
                envelope.has_waited()
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


def answer_once(
    requests: Requests,
    request: HttpRequest,
    instance: str,
    key: str | None,
    members: Mapping[str, Any],
    envelope: Envelope,
    act: Callable[[Replay | None], HttpResponse],
) -> HttpResponse:
    """Return what ``act`` answers, or what it answered when this key was used before; without a key, just act.

    ``act`` records its success in the transaction that does the work (``Replay.recording``) and raises ReceiptExists
    when that write is refused. A refusal by its own checks, a Fault, is recorded here (T13).
    """
    if key is None:
        return act(None)
    scope = f"{instance}/{request.method} {request.route}"
    replay = Replay(requests, scope, key, body_hash(members))
    earlier = replay.earlier(envelope)
    if earlier is not None:
        return earlier
    try:
        return act(replay)
    except ReceiptExists:
        return replay.joined(envelope)
    except Fault as fault:
        if STATUS_OF_CODE[fault.code] >= SERVER_FAULT:
            raise
        return replay.record(envelope.failure(fault), envelope)
