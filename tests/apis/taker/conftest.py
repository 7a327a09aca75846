"""Fixtures: desks over tables in memory, one for a module where cases do not disturb each other, and the app."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from chalice.test import Client

import app
from chalicelib import wiring
from tests.apis.taker.cases import HttpClient
from tests.apis.taker.desk import INSTANCE, MASTER_KEY, Desk, new_desk
from tests.apis.taker.sockets import Sockets, open_sockets
from tests.desks import fresh_desks


@pytest.fixture
def desk() -> Desk:
    """A desk of this test's own."""
    return new_desk()


@pytest.fixture
def sockets(desk: Desk) -> Sockets:
    return open_sockets(desk)


@pytest.fixture(scope="module")
def shared() -> Desk:
    """A desk for all cases of a module, which make their own orders on it and leave its clock and settings alone."""
    return new_desk()


@pytest.fixture
def client(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Iterator[HttpClient]:
    """The app; it takes the time from the machine's clock."""
    monkeypatch.setattr(wiring, "database", lambda: desk.database)
    monkeypatch.setattr(wiring, "counters", lambda: desk.database)
    monkeypatch.setattr(wiring, "master_key", lambda: MASTER_KEY)
    monkeypatch.setattr(wiring, "previous_master_key", lambda: None)
    monkeypatch.setattr(wiring, "public_instance", lambda: INSTANCE)
    with fresh_desks(), Client(app.app) as client:
        yield HttpClient(client.http, desk)
