"""Fixtures: the SDK over an endpoint that loses answers, and a book with orders."""

from __future__ import annotations

import pytest

from tests.in_memory import database_of, empty_tables
from tests.lossy_endpoint import Lossy
from tests.memory import MemoryDynamoDB
from tests.scenarios import Scenario
from tests.services.books import test_admission_faults as admission
from tests.world import World


@pytest.fixture(scope="module")
def lossy() -> Lossy:
    return Lossy()


@pytest.fixture(autouse=True)
def _no_logs(no_logs: None) -> None:
    """Here nothing is logged."""


@pytest.fixture(scope="module")
def market() -> tuple[MemoryDynamoDB, World]:
    client = empty_tables()
    return client, Scenario(admission.a_market).world(database_of(client))
