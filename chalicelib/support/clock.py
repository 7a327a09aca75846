"""Time and ids: the inputs that the pure domain receives from outside."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from ulid import LaxMonotonicPolicy, ULIDGenerator

_ulids = ULIDGenerator(policy=LaxMonotonicPolicy())


def now_ms() -> int:
    """Return the time in ms since the epoch."""
    return time.time_ns() // 1_000_000


def now_s() -> int:
    """Return the time in whole seconds since the epoch."""
    return now_ms() // 1000


def new_id(prefix: str) -> str:
    """Return prefix + ULID. Ids of one process ascend, within a millisecond too (T15)."""
    return f"{prefix}_{_ulids.generate()}"


def iso(at_ms: int) -> str:
    """Return the time as ISO-8601 UTC with milliseconds and Z.

    >>> iso(1736937000000)
    '2025-01-15T10:30:00.000Z'
    """
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def iso_seconds(at_s: int) -> str:
    """Return the time as ISO-8601 UTC with whole seconds and Z.

    >>> iso_seconds(1737082824)
    '2025-01-17T03:00:24Z'
    """
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
