"""Tables in memory, the way to them, and each call of some work with a fault at it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from chalicelib.tables.dynamodb import Database
from infra.tables import create_tables
from tests.faults import Call, Fault, FaultyClient
from tests.memory import MemoryDynamoDB

PREFIX = "memory"


def empty_tables() -> MemoryDynamoDB:
    client: Any = MemoryDynamoDB()
    create_tables(client, PREFIX)
    tables: MemoryDynamoDB = client
    return tables


def database_of(client: Any, pause: Callable[[float], object] = lambda _seconds: None) -> Database:
    """Return the way to such tables, also through a client at which calls go wrong. Nothing waits between attempts."""
    return Database(client, PREFIX, pause=pause)


def undisturbed(_operation: str, call: Call) -> Any:
    return call()


def each_call(
    tables: MemoryDynamoDB, fault: Fault = undisturbed, *, least: int = 1, most: int = 100
) -> Iterator[tuple[MemoryDynamoDB, FaultyClient]]:
    """Yield a copy of the tables and a client of it, at whose first call the fault strikes; then at its second, and on.

    Ends with the first round in which the work makes fewer calls. A round whose fault is of its own sets the client's.
    least, most: how many calls the work makes at least, and at the most.
    """
    for at in range(1, most):
        copy = tables.clone()
        faulty = FaultyClient(copy, fault, at=at)
        yield copy, faulty
        if not faulty.has_struck:
            assert at > least, "hardly any call was reached"
            return
    pytest.fail(f"the work takes more than {most} calls")
