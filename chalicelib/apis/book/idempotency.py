"""Idempotency-Key at the book desk (T12 to T14): every 4xx of an endpoint's own checks is kept.

An endpoint checks the key's form (``key_of``), then the body, and does its work inside ``answer_once``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from chalicelib.apis.book.envelope import Envelope, Fault
from chalicelib.apis.book.schema import body_hash
from chalicelib.apis.kit import idempotency
from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.apis.kit.idempotency import REPLAYED, KeyRules
from chalicelib.domain.tenancy.answers import KEY_RULE, Answer
from chalicelib.services.answers import Answers, KeptAnswer, Settled, StillPending

SERVER_FAULT = 500


def key_of(request: HttpRequest) -> str | None:
    """Return the key, None without one. Raises Fault for a malformed key."""
    return idempotency.idempotency_key(
        request, lambda: Fault("IDEMPOTENCY_KEY_REQUIRED", f"Idempotency-Key {KEY_RULE}")
    )


def scope_of(request: HttpRequest, instance: str) -> str:
    """Return within what a key is unique: the instance and the route (T12)."""
    return f"{instance}/{request.method} {request.route}"


def answer_once(
    answers: Answers,
    request: HttpRequest,
    instance: str,
    key: str | None,
    members: Mapping[str, Any],
    envelope: Envelope,
    act: Callable[[KeptAnswer | None], HttpResponse],
    settled: Settled | None = None,
) -> HttpResponse:
    """Return the answer of ``act``, or the kept answer if the key was used before. Without a key, just act.

    settled: as in KeptAnswer.
    """
    if key is None:
        return act(None)
    kept = answers.of(scope_of(request, instance), key, body_hash(members), settled)
    try:
        return idempotency.answer_once(kept, _rules(envelope), lambda: act(kept))
    except StillPending:
        envelope.has_waited()
        raise


def recorded(kept: KeptAnswer | None, response: HttpResponse, envelope: Envelope) -> HttpResponse:
    """Keep the answer of a request that changed nothing; return it, or the one that was kept first."""
    return response if kept is None else idempotency.recorded(kept, _rules(envelope), response)


def _rules(envelope: Envelope) -> KeyRules:
    def shown(answer: Answer) -> HttpResponse:
        applied = {"Preference-Applied": answer.preference} if answer.preference else {}
        return envelope.response(answer.status, answer.body, REPLAYED | applied)

    def refusal(error: Exception) -> HttpResponse | None:
        if isinstance(error, Fault) and error.status < SERVER_FAULT:
            return envelope.failure(error)
        return None

    return KeyRules(
        mismatch=lambda: Fault("IDEMPOTENCY_MISMATCH", "Idempotency-Key was used with another body"),
        shown=shown,
        refusal=refusal,
    )
