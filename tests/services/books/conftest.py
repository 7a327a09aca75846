"""Fixtures: a book with fees for both sides, whose customers have funds."""

from __future__ import annotations

import pytest

from chalicelib.tables.dynamodb import Database
from tests.scenarios import Scenario
from tests.world import World


@pytest.fixture
def world(memory_database: Database) -> World:
    return Scenario(lambda _: None).world(memory_database)
