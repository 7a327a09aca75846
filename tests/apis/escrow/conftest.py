"""Fixtures: a desk over tables in memory, one for a module where cases do not disturb each other, and the app."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chalicelib import wiring
from tests.apis.escrow.cases import HttpClient, new_desk
from tests.apis.escrow.desk import MASTER_KEY, Desk
from tests.desks import app_over


@pytest.fixture(autouse=True)
def _master_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Webhook secrets are derived from it."""
    monkeypatch.setattr(wiring, "master_key", lambda: MASTER_KEY)


@pytest.fixture
def desk() -> Desk:
    """A desk of this test's own."""
    return new_desk()


@pytest.fixture(scope="module")
def shared() -> Desk:
    """A desk for all cases of a module, which change nothing, or only what they made on it themselves."""
    return new_desk()


@pytest.fixture
def client(desk: Desk) -> Iterator[HttpClient]:
    with app_over(desk.database) as client:
        yield HttpClient(client, desk)
