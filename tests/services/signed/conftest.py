"""The market that every test here begins with, as it was opened."""

from __future__ import annotations

import pytest

from infra.tables import create_tables
from tests.memory import MemoryDynamoDB
from tests.services.signed.market import PREFIX, Market, database_of, open_market


@pytest.fixture(scope="session")
def opened() -> MemoryDynamoDB:
    client = MemoryDynamoDB()
    create_tables(client, PREFIX)  # type: ignore[arg-type]
    open_market(database_of(client))
    return client


@pytest.fixture
def market(opened: MemoryDynamoDB) -> Market:
    return Market(database_of(opened.clone()))
