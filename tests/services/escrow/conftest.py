"""One desk for all tests of it, with ann's 200 euros; each gets its own copy of the tables."""

from __future__ import annotations

import pytest

from tests.in_memory import database_of, empty_tables
from tests.memory import MemoryDynamoDB
from tests.services.escrow.world import EscrowWorld


@pytest.fixture(scope="session")
def built() -> tuple[MemoryDynamoDB, EscrowWorld]:
    client = empty_tables()
    world = EscrowWorld(database_of(client))
    world.deposit(200)
    return client, world


@pytest.fixture
def world(built: tuple[MemoryDynamoDB, EscrowWorld]) -> EscrowWorld:
    return built[1].over(database_of(built[0].clone()))
