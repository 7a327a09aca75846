"""Idempotency-Key: the same request under the same key has one effect and one answer.

A success is kept in the transaction that does the work (``KeptAnswer.receipt``). A refusal is kept in a write of its
own, if its desk says so. All other failures leave the key free.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.domain.tenancy.answers import KEY, Answer
from chalicelib.services.answers import KeptAnswer, OtherRequest
from chalicelib.support.outcomes import ReceiptExists

REPLAYED = {"Idempotent-Replay": "true"}
"""The header of a replayed answer."""


@dataclass(frozen=True, slots=True)
class KeyRules:
    """How a desk answers under keys.

    mismatch: returns the fault of a key used for another request. shown: returns a replayed answer. refusal: returns
    the answer to keep for an exception; None leaves the key free.
    """

    mismatch: Callable[[], Exception]
    shown: Callable[[Answer], HttpResponse]
    refusal: Callable[[Exception], HttpResponse | None]


def idempotency_key(request: HttpRequest, malformed: Callable[[], Exception]) -> str | None:
    """Return the request's key, None without one. Raises what ``malformed`` returns if the key is malformed."""
    key = request.headers.get("idempotency-key")
    if key is not None and not KEY.fullmatch(key):
        raise malformed()
    return key


def answer_once(kept: KeptAnswer, rules: KeyRules, act: Callable[[], HttpResponse]) -> HttpResponse:
    """Return the answer of ``act``, or the kept answer if the key was used before.

    act: writes its receipt with its work; raises ReceiptExists where another request has done so.
    """
    try:
        earlier = kept.earlier()
        if earlier is not None:
            return rules.shown(earlier)
        try:
            return act()
        except ReceiptExists:
            return rules.shown(kept.joined())
        except Exception as error:
            refusal = rules.refusal(error)
            if refusal is None:
                raise
            return recorded(kept, rules, refusal)
    except OtherRequest as error:
        raise rules.mismatch() from error


def recorded(kept: KeptAnswer, rules: KeyRules, response: HttpResponse) -> HttpResponse:
    """Keep an answer in a write of its own; return it, or the one that was kept first."""
    return response if kept.record(response.status, response.body) else rules.shown(kept.joined())
