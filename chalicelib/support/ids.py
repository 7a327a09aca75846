"""Ids that contain a time: a prefix and a ULID (T15)."""

from __future__ import annotations

from ulid import ULID

TIME_MS_MAX = 2**48 - 1
"""The latest time that a ULID can contain, ms since the epoch."""


def least_id(prefix: str, at_ms: int) -> str:
    """Return the lowest id with this prefix and time; ``greatest_id`` returns the highest."""
    return f"{prefix}_{ULID.from_bytes(at_ms.to_bytes(6, 'big') + bytes(10))}"


def greatest_id(prefix: str, at_ms: int) -> str:
    return f"{prefix}_{ULID.from_int(((at_ms + 1) << 80) - 1)}"


def time_of(order_id: str) -> int:
    """Return the time part of a generated id, ms since the epoch."""
    return ULID.from_str(order_id.partition("_")[2]).milliseconds
