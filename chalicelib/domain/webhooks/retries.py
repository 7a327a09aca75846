"""When a delivery is tried again: ten attempts over about three days, with growing pauses and jitter."""

from __future__ import annotations

PAUSES_S = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""Pause before each attempt after the first: 75 hours and a half in all, as Standard Webhooks suggests them."""
ATTEMPTS_MAX = len(PAUSES_S) + 1
JITTER = 0.1
"""Each pause is up to this part shorter or longer, so that receivers do not get all retries at once."""
RETRY_AFTER_S_MAX = 86_400
"""Longest pause that a ``Retry-After`` can ask for."""


def next_attempt_ms(attempts: int, now_ms: int, drawn: float, retry_after_s: int | None = None) -> int | None:
    """Return when a failed delivery is tried again, ms since the epoch; None after the last attempt.

    attempts: made so far. drawn: a random number from 0 to 1. retry_after_s: the least pause that the receiver asks
    for.
    """
    if attempts >= ATTEMPTS_MAX:
        return None
    pause_s = PAUSES_S[attempts - 1] * (1 - JITTER + 2 * JITTER * drawn)
    return now_ms + int(1000 * max(pause_s, min(retry_after_s or 0, RETRY_AFTER_S_MAX)))
