"""Fixtures: desks over tables in memory, the app in front of one, and a clock that passes only in sleeps."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chalicelib.services import polling
from chalicelib.tables.dynamodb import Database
from tests.apis.trade.cases import open_market
from tests.apis.trade.desk import MASTER_KEY, SignedClient, SignedDesk, open_trade_desk
from tests.apis.trade.rows import NOW_MS
from tests.apis.trade.sockets import Sockets, open_sockets
from tests.desks import app_over
from tests.waiting import Waiting
from tests.world import INSTANCE, QUOTE, World
from tests.world import NOW_MS as WORLD_NOW_MS


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Waiting:
    clock = Waiting()
    monkeypatch.setattr(polling, "time", clock)
    return clock


@pytest.fixture
def desk(clock: Waiting, memory_database: Database) -> SignedDesk:  # noqa: ARG001 - no test here waits in earnest
    """Ann's desk with the book BTC/BRL, of 8 and 2 decimals, without bounds; ann and ben have 10 BTC and a million."""
    return open_market(memory_database)


@pytest.fixture
def archive(clock: Waiting, memory_database: Database) -> SignedDesk:  # noqa: ARG001 - no test here waits in earnest
    """Ann's desk with the book B/Q, of 8 and 18 decimals, at noon of 2025-03-04: for rows that are put into tables."""
    return open_trade_desk(World(memory_database, base_decimals=8), clock=lambda: NOW_MS)


@pytest.fixture
def sockets(memory_database: Database) -> Sockets:
    """The WebSocket of ann's desk with the book B/Q, both of 18 decimals, and her client, which is connected."""
    desk = open_trade_desk(World(memory_database), clock=lambda: WORLD_NOW_MS)
    desk.world.credit("ann", QUOTE, 10**21)
    sockets = open_sockets(desk)
    assert sockets.connect().status == 200
    return sockets


@pytest.fixture
def client(desk: SignedDesk) -> Iterator[SignedClient]:
    with app_over(desk.world.database, master_key=MASTER_KEY, public_instance=INSTANCE) as client:
        yield SignedClient(client, desk)
