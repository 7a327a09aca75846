"""One desk for all tests of it, with ann's 200 euros; each gets its own copy of the tables."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.tables.dynamodb import Database
from infra.tables import create_tables
from tests.memory import MemoryDynamoDB
from tests.services.escrow.world import EscrowWorld

PREFIX = "escrow"


def database_of(client: Any) -> Database:
    return Database(client, PREFIX, pause=lambda _seconds: None)


@pytest.fixture(scope="session")
def built() -> tuple[MemoryDynamoDB, EscrowWorld]:
    client: Any = MemoryDynamoDB()
    create_tables(client, PREFIX)
    world = EscrowWorld(database_of(client))
    world.deposit(200)
    return client, world


@pytest.fixture
def world(built: tuple[MemoryDynamoDB, EscrowWorld]) -> EscrowWorld:
    return built[1].over(database_of(built[0].clone()))
