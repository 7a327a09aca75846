"""Fixtures: desks over tables in memory, the app in front of one, and a clock that passes only in sleeps."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from chalice.test import Client

import app
from chalicelib import wiring
from chalicelib.apis.trade.signature import signature_of
from chalicelib.services.books import waiting as outcomes
from chalicelib.support.clock import now_ms
from chalicelib.tables.dynamodb import Database
from tests.apis.trade.desk import MASTER_KEY, SignedDesk, open_trade_desk
from tests.apis.trade.lists import NOW_MS
from tests.conformance_trade.cases import open_market
from tests.waiting import Waiting
from tests.world import INSTANCE, World


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Waiting:
    clock = Waiting()
    monkeypatch.setattr(outcomes, "time", clock)
    return clock


@pytest.fixture
def desk(clock: Waiting, memory_database: Database) -> SignedDesk:  # noqa: ARG001 - no test here waits in earnest
    """Ann's desk with the book BTC/BRL, of 8 and 2 decimals, without bounds; ann and ben have 10 BTC and a million."""
    return open_market(memory_database)


@pytest.fixture
def archive(clock: Waiting, memory_database: Database) -> SignedDesk:  # noqa: ARG001 - no test here waits in earnest
    """Ann's desk with the book B/Q, of 8 and 18 decimals, at noon of 2025-03-04: for rows that are put into tables."""
    return open_trade_desk(World(memory_database, base_decimals=8), clock=lambda: NOW_MS)


class SignedClient:
    """The app in front of a desk's tables; requests are signed over the path as it is written."""

    def __init__(self, client: Client, desk: SignedDesk) -> None:
        self.http, self.desk = client.http, desk

    def request(self, method: str, target: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Any:
        path = target.partition("?")[0].removesuffix("/")
        timestamp = str(now_ms())
        signed = b"" if method == "GET" else body
        sent = {
            "authorization": self.desk.token,
            "timestamp": timestamp,
            "signature": signature_of(self.desk.secret, timestamp, method, path, signed),
        }
        return self.http.request(method, target, headers=sent | (headers or {}), body=body)

    def outcome(
        self, method: str, target: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> tuple[int, int, str] | int:
        return self.read(self.request(method, target, body, headers))

    def unsigned(self, method: str, target: str) -> tuple[int, int, str] | int:
        return self.read(self.http.request(method, target))

    @staticmethod
    def read(response: Any) -> tuple[int, int, str] | int:
        if response.status_code == 200:
            return 200
        answer = json.loads(response.body)
        return response.status_code, answer.get("error_code"), answer.get("message")


@pytest.fixture
def client(desk: SignedDesk, monkeypatch: pytest.MonkeyPatch) -> Iterator[SignedClient]:
    monkeypatch.setattr(wiring, "database", lambda: desk.world.database)
    monkeypatch.setattr(wiring, "counters", lambda: desk.world.database)
    monkeypatch.setattr(wiring, "master_key", lambda: MASTER_KEY)
    monkeypatch.setattr(wiring, "previous_master_key", lambda: None)
    monkeypatch.setattr(wiring, "public_instance", lambda: INSTANCE)
    app._trade_desk.cache_clear()
    with Client(app.app) as client:
        yield SignedClient(client, desk)
    app._trade_desk.cache_clear()
