"""Fixtures of the contract suite: each engine in turn, with tables shared by a module."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import boto3
import pytest

from infra.tables import create_tables
from tests.endpoint import ENDPOINT, KIND, create_own_tables, drop_own_tables
from tests.memory import MemoryDynamoDB
from tests.tables.engines import EVERY_TEST, PREFIX, Engine
from tests.world import drop_tables

EMBEDDED = KIND if ENDPOINT else "embedded"
TABLES = {"moto": "moto_tables", EMBEDDED: "embedded_tables", "memory": "memory_tables"}
_owners = count(1)


@pytest.fixture(scope="module")
def moto_tables(moto_client: Any) -> Iterator[Any]:
    create_tables(moto_client, PREFIX)
    yield moto_client
    drop_tables(moto_client)


@pytest.fixture(scope="session")
def embedded_tables(embedded_engine_url: str) -> Iterator[Any]:
    """Tables of the embedded engine, or of the DynamoDB used in its place."""
    client = boto3.client("dynamodb", endpoint_url=embedded_engine_url)
    create_own_tables(client, PREFIX)
    yield client
    drop_own_tables(client, PREFIX)


@pytest.fixture(scope="session")
def memory_tables() -> Any:
    client: Any = MemoryDynamoDB()
    create_tables(client, PREFIX)
    return client


@pytest.fixture(params=["moto", EMBEDDED, "memory"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each engine in turn, with an owner of its own. A test with a known deviation must fail."""
    name = str(request.param)
    case = request.node.name.replace(f"[{name}-", "[").replace(f"[{name}]", "")
    deviations = request.module.DEVIATIONS.get(name, {})
    deviation = deviations.get(case, deviations.get(EVERY_TEST))
    if deviation is not None:
        request.applymarker(pytest.mark.xfail(strict=True, reason=f"{name}: {deviation}"))
    return Engine(name, request.getfixturevalue(TABLES[name]), PREFIX, f"owner{next(_owners)}")
