"""Fixtures: a desk over tables in memory, the app in front of it, and a clock that passes only in sleeps."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from chalice.test import Client

from chalicelib import wiring
from chalicelib.tables.dynamodb import Database
from tests.apis.book.desk import Desk, open_desk
from tests.desks import app_over
from tests.waiting import Clock
from tests.world import World


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Give the desk this clock; ask for it before a desk, which looks its clock up when it is made."""
    clock = Clock()
    for module in ("chalicelib.services.polling", "chalicelib.services.answers"):
        monkeypatch.setattr(f"{module}.time", clock)
    for module in ("apis.book.api", "wiring.book"):
        monkeypatch.setattr(f"chalicelib.{module}.now_ms", clock.now_ms)
    for module in ("apis.book.gate", "wiring.book"):
        monkeypatch.setattr(f"chalicelib.{module}.now_s", clock.now_s)
    return clock


@pytest.fixture(autouse=True)
def _master_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Webhook secrets are derived from it."""
    monkeypatch.setattr(wiring, "master_key", lambda: b"k" * 32)


@pytest.fixture
def desk(clock: Clock, memory_database: Database) -> Desk:  # noqa: ARG001 - no test here waits in earnest
    """A desk with a book of 0 decimals without bounds, and customers ann and ben with 1,000 of both its tokens."""
    return open_desk(World(memory_database))


@pytest.fixture
def client(desk: Desk) -> Iterator[Client]:
    """The app in front of the desk's tables."""
    with app_over(desk.world.database) as client:
        yield client
