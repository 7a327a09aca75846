"""What the tests of lists share: a desk of a module's own, for tests that only read."""

from __future__ import annotations

from typing import Any

from chalicelib.stores.dynamodb import Database
from infra.tables import create_tables
from tests.memory import MemoryDynamoDB
from tests.wire.stove.desk import Clock, Desk, open_taker_desk


def own_desk(clock: Clock | None = None) -> Desk:
    """Return a desk over tables of its own, in memory."""
    client: Any = MemoryDynamoDB()
    create_tables(client, "lists")
    return open_taker_desk(Database(client, "lists"), clock=clock)
