"""The market that every test here begins with, as it was opened."""

from __future__ import annotations

import pytest

from tests.in_memory import database_of, empty_tables
from tests.memory import MemoryDynamoDB
from tests.services.signed.market import Market, open_market


@pytest.fixture(scope="session")
def opened() -> MemoryDynamoDB:
    client = empty_tables()
    open_market(database_of(client))
    return client


@pytest.fixture
def market(opened: MemoryDynamoDB) -> Market:
    return Market(database_of(opened.clone()))
