"""What the tests of lists share: a desk of a module's own, for tests that only read."""

from __future__ import annotations

from typing import Any

from chalicelib.tables.dynamodb import Database
from infra.tables import create_tables
from tests.apis.taker.desk import Clock, Desk, open_taker_desk
from tests.memory import MemoryDynamoDB


def own_desk(clock: Clock | None = None) -> Desk:
    """Return a desk over tables of its own, in memory."""
    client: Any = MemoryDynamoDB()
    create_tables(client, "lists")
    return open_taker_desk(Database(client, "lists"), clock=clock)
