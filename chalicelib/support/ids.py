"""Ids that name a moment: a prefix and a ULID (T15)."""

from __future__ import annotations

from ulid import ULID

TIME_MS_MAX = 2**48 - 1
"""The last moment that a ULID can name."""


def least_id(prefix: str, at_ms: int) -> str:
    """Return the least id with this prefix that a ULID of this time gives; ``greatest_id`` the greatest."""
    return f"{prefix}_{ULID.from_bytes(at_ms.to_bytes(6, 'big') + bytes(10))}"


def greatest_id(prefix: str, at_ms: int) -> str:
    return f"{prefix}_{ULID.from_int(((at_ms + 1) << 80) - 1)}"


def time_of(order_id: str) -> int:
    """Return the time part of a generated id, ms since the epoch."""
    return ULID.from_str(order_id.partition("_")[2]).milliseconds
