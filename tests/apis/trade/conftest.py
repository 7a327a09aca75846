"""Fixtures of the trade desk's tests."""

from __future__ import annotations

import pytest

from chalicelib.tables.dynamodb import Database
from tests.apis.trade.desk import SignedDesk, open_trade_desk
from tests.apis.trade.lists import NOW_MS
from tests.world import World


@pytest.fixture
def desk(memory_database: Database) -> SignedDesk:
    """Return ann's desk at a fixed time: one book, B_Q, with 8 base and 18 quote decimals."""
    return open_trade_desk(World(memory_database, base_decimals=8), clock=lambda: NOW_MS)
