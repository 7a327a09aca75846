"""Fixtures of the trade desk's tests."""

from __future__ import annotations

import pytest

from chalicelib.stores.dynamodb import Database
from tests.wire.ripio.desk import SignedDesk, open_trade_desk
from tests.wire.ripio.lists import NOW_MS
from tests.world import World


@pytest.fixture
def desk(memory_database: Database) -> SignedDesk:
    """Return ann's desk at a fixed time: one book, B_Q, with 8 base and 18 quote decimals."""
    return open_trade_desk(World(memory_database, base_decimals=8), clock=lambda: NOW_MS)
