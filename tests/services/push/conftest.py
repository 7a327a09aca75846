"""Push worlds over tables in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.tables.dynamodb import Database
from infra.tables import create_tables
from tests.memory import MemoryDynamoDB
from tests.services.push.world import PushWorld


@pytest.fixture
def world(memory_database: Database) -> PushWorld:
    return PushWorld(memory_database)


@pytest.fixture
def fresh_world() -> Callable[[], PushWorld]:
    def new() -> PushWorld:
        client: Any = MemoryDynamoDB()
        create_tables(client, "push")
        return PushWorld(Database(client, "push", pause=lambda _: None))

    return new
