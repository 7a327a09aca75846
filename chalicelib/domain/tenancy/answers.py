"""An answer that is kept under an idempotency key."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Answer:
    """A kept answer. body_hash: the digest of its request (T12). pending_until_ms: None once it is final."""

    body_hash: str
    status: int
    body: str
    preference: str | None = None
    pending_until_ms: int | None = None
