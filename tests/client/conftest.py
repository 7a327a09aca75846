"""Fixtures: desks over tables in memory, for the client to talk to."""

from __future__ import annotations

from tests.apis.book.conftest import _master_key, clock, desk

__all__ = ["_master_key", "clock", "desk"]
