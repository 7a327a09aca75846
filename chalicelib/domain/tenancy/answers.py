"""An answer that is kept under an idempotency key, and the form of such keys."""

from __future__ import annotations

import re
from dataclasses import dataclass

KEY = re.compile(r"[A-Za-z0-9_\-:.]{8,200}")
KEY_RULE = "must be 8 to 200 characters of A-Z a-z 0-9 _ - : ."


@dataclass(frozen=True, slots=True)
class Answer:
    """A kept answer. body_hash: the digest of its request (T12). pending_until_ms: None once it is final."""

    body_hash: str
    status: int
    body: str
    preference: str | None = None
    pending_until_ms: int | None = None
