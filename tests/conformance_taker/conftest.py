"""Fixtures: desks over tables in memory, one for a module where cases do not disturb each other, and the app."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
from chalice.test import Client

import app
from chalicelib import wiring
from chalicelib.apis.taker.api import TakerApi
from chalicelib.tables.dynamodb import Database
from infra.tables import create_tables
from tests.apis.taker.desk import INSTANCE, MASTER_KEY, UNLIMITED, Clock, Desk, open_taker_desk
from tests.conformance_taker.cases import Outcome
from tests.memory import MemoryDynamoDB

PREFIX = "taker"


@cache
def _opened() -> Any:
    """Return the tables of a desk that was just opened; makers may come as often as they like."""
    client: Any = MemoryDynamoDB()
    create_tables(client, PREFIX)
    open_taker_desk(Database(client, PREFIX)).change_settings(allowance=UNLIMITED)
    return client


def new_desk(public_instance: str | None = INSTANCE) -> Desk:
    """Return a desk over tables of its own, as they were when it was opened; everybody has a million of each asset."""
    database, clock = Database(_opened().clone(), PREFIX), Clock()
    served = TakerApi(database, master_key=lambda: MASTER_KEY, public_instance=public_instance, clock=clock)
    return Desk(database, served, clock)


@pytest.fixture
def desk() -> Desk:
    """A desk of this test's own."""
    return new_desk()


@pytest.fixture(scope="module")
def shared() -> Desk:
    """A desk for all cases of a module, which make their own orders on it and leave its clock and settings alone."""
    return new_desk()


@dataclass(frozen=True)
class HttpClient:
    """The app in front of a desk's tables."""

    http: Any
    desk: Desk

    def request(self, method: str, target: str, body: object = None, headers: dict[str, str] | None = None) -> Any:
        content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.http.request(method, target, headers=headers or {}, body=content)

    def as_taker(self, method: str, target: str, body: object = None) -> Any:
        return self.request(method, target, body, {"X-API-Key": self.desk.api_key})

    def outcome(self, method: str, target: str, body: object = None, headers: dict[str, str] | None = None) -> Outcome:
        return read(self.request(method, target, body, headers))


def read(response: Any) -> Outcome:
    """Return 200, or status and code of a failure, of an answer over HTTP."""
    return 200 if response.status_code == 200 else (response.status_code, json.loads(response.body)["code"])


@pytest.fixture
def client(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Iterator[HttpClient]:
    """The app; it takes the time from the machine's clock."""
    monkeypatch.setattr(wiring, "database", lambda: desk.database)
    monkeypatch.setattr(wiring, "counters", lambda: desk.database)
    monkeypatch.setattr(wiring, "master_key", lambda: MASTER_KEY)
    monkeypatch.setattr(wiring, "previous_master_key", lambda: None)
    monkeypatch.setattr(wiring, "public_instance", lambda: INSTANCE)
    app._taker_desk.cache_clear()
    with Client(app.app) as client:
        yield HttpClient(client.http, desk)
    app._taker_desk.cache_clear()
