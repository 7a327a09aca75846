"""Idempotency-Key: the same request under the same key has one effect and one answer.

A success is kept in the transaction that does the work (``KeptAnswer.receipt``); a refusal is kept by itself where its
desk says so; all else leaves the key free.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.domain.tenancy.answers import Answer
from chalicelib.services.answers import KeptAnswer, OtherRequest
from chalicelib.support.outcomes import ReceiptExists

REPLAYED = {"Idempotent-Replay": "true"}
"""The header of an answer that was given before."""
KEY_RULE = "must be 8 to 200 characters of A-Z a-z 0-9 _ - : ."
_KEY = re.compile(r"[A-Za-z0-9_\-:.]{8,200}")


@dataclass(frozen=True, slots=True)
class KeyRules:
    """What a desk says of keys.

    mismatch: what is raised where the key was used for another request. shown: an answer that was given before.
    refusal: the answer of an exception that is kept under the key; None for one that leaves the key free.
    """

    mismatch: Callable[[], Exception]
    shown: Callable[[Answer], HttpResponse]
    refusal: Callable[[Exception], HttpResponse | None]


def idempotency_key(request: HttpRequest, malformed: Callable[[], Exception]) -> str | None:
    """Return the key, None without one. malformed: what is raised for one that breaks KEY_RULE."""
    key = request.headers.get("idempotency-key")
    if key is not None and not _KEY.fullmatch(key):
        raise malformed()
    return key


def answer_once(kept: KeptAnswer, rules: KeyRules, act: Callable[[], HttpResponse]) -> HttpResponse:
    """Return what ``act`` answers, or what it answered when this key was used before.

    act: keeps its success with its work, and raises ReceiptExists where another request has done so.
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
    """Keep an answer by itself; return it, or the one that was kept first."""
    return response if kept.record(response.status, response.body) else rules.shown(kept.joined())
