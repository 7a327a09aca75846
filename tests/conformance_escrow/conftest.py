"""Fixtures: a desk over tables in memory, one for a module where cases do not disturb each other, and the app."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from chalice.test import Client

import app
from chalicelib import wiring
from tests.apis.escrow.desk import Desk
from tests.conformance_escrow.cases import new_desk


@pytest.fixture
def desk() -> Desk:
    """A desk of this test's own."""
    return new_desk()


@pytest.fixture(scope="module")
def shared() -> Desk:
    """A desk for all cases of a module, which change nothing, or only what they made on it themselves."""
    return new_desk()


class HttpClient:
    """The app in front of a desk's tables."""

    def __init__(self, client: Client, desk: Desk) -> None:
        self._http, self.desk = client.http, desk

    def ask(self, method: str, target: str, body: bytes = b"", content_type: str = "") -> tuple[int, Any]:
        """Return status and parsed body of an answer."""
        headers = {"authorization": f"Bearer {self.desk.key}"} | (
            {"content-type": content_type} if content_type else {}
        )
        response = self._http.request(method, target, headers=headers, body=body)
        return response.status_code, json.loads(response.body) if response.body else None


@pytest.fixture
def client(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Iterator[HttpClient]:
    monkeypatch.setattr(wiring, "database", lambda: desk.database)
    monkeypatch.setattr(wiring, "counters", lambda: desk.database)
    app._escrow_desk.cache_clear()
    with Client(app.app) as client:
        yield HttpClient(client, desk)
    app._escrow_desk.cache_clear()
