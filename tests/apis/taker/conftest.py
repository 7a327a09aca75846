"""Fixtures of the taker desk's tests."""

from __future__ import annotations

import pytest

from chalicelib.tables.dynamodb import Database
from tests.apis.taker.desk import Desk, open_taker_desk


@pytest.fixture
def desk(memory_database: Database) -> Desk:
    """The desk at a fixed time; makers and takers have a million of each asset."""
    return open_taker_desk(memory_database)
