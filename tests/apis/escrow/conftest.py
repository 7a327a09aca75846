"""One escrow desk for all tests of it, made once; each test gets its own copy of the tables."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.tables.dynamodb import Database
from infra.tables import create_tables
from tests.apis.escrow.desk import Desk
from tests.memory import MemoryDynamoDB

PREFIX = "truust"


@pytest.fixture(scope="session")
def built_desk() -> tuple[MemoryDynamoDB, Desk]:
    client: Any = MemoryDynamoDB()
    create_tables(client, PREFIX)
    return client, Desk(Database(client, PREFIX))


@pytest.fixture
def desk(built_desk: tuple[MemoryDynamoDB, Desk]) -> Desk:
    client: Any = built_desk[0].clone()
    return built_desk[1].over(Database(client, PREFIX))
