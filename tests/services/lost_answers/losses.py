"""The answers that are lost, at each write of a command, and what a command changes.

The loss is beneath the SDK's retries (``lossy_endpoint``): an attempt is carried out and its answer lost, or throttles,
conflicts and faults come in its place.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib.tables.dynamodb import Database
from chalicelib.tables.rows import Row
from infra.tables import table_definitions
from tests.lossy_endpoint import BATCH_LOSSES, LOSSES, NEVER_APPLIED, Endpoint, Lossy
from tests.memory import MemoryDynamoDB

TABLES = [one.name.removeprefix("any-") for one in table_definitions("any")]
WRITES_MAX = 40
APPLIED = [name for name in LOSSES if name != NEVER_APPLIED]
ENGINES = {"tokens known": True, "tokens not known": False}
losses = pytest.mark.parametrize("loss", LOSSES)
engines = pytest.mark.parametrize("knows_tokens", ENGINES.values(), ids=ENGINES)
SWEPT = {
    "applied, then 500": True,
    "applied, then throttled": False,
    "applied, then conflict": False,
    "applied, then a conflict that passes": True,
    "applied, then in progress": True,
    "applied, answer cut in the middle": False,
    NEVER_APPLIED: True,
}
"""The losses that every command meets, each on one kind of engine: whether that knows tokens."""
swept = pytest.mark.parametrize(("loss", "knows_tokens"), SWEPT.items(), ids=SWEPT)


def copied(tables: MemoryDynamoDB, *, knows_tokens: bool) -> MemoryDynamoDB:
    copy = tables.clone()
    copy.knows_tokens = knows_tokens
    return copy


def each_write(
    lossy: Lossy, built: MemoryDynamoDB, loss: str, *, knows_tokens: bool = True, least: int = 1
) -> Iterator[tuple[str, MemoryDynamoDB, Endpoint, Any]]:
    """Yield where the loss is, a copy of the tables, its endpoint and its client, once for each write of a command.

    The loss is at the first write, then at the second, until the command makes fewer. At a batch of statements it is
    once for each part that may be done. least: how many writes the command makes.
    """
    for at in range(1, WRITES_MAX):
        part, parts = 0, 1
        while part < parts:
            tables = copied(built, knows_tokens=knows_tokens)
            endpoint = Endpoint(tables, BATCH_LOSSES[loss], at=at, part=part)
            with lossy.over(endpoint) as client:
                yield f"write {at}, part {part}", tables, endpoint, client
            if not endpoint.has_struck:
                assert at > least, "hardly any write was reached"
                return
            part, parts = part + 1, endpoint.parts
    pytest.fail(f"a command takes more than {WRITES_MAX} writes")


def facts(database: Database) -> dict[str, list[str]]:
    """Return what a command changes, but for ids and names, and what counts requests or draws ids."""
    told = ("available", "held", "status", "version", "is_enabled", "services", "iban", "amount", "bucket")

    def is_counter(row: Row) -> bool:
        return "requests" in row or str(row.get("entry", "")).startswith("counter/")

    def shown(row: Row) -> str:
        kind = str(row.get("event", row.get("entry", row.get("credential", "")))).partition("/")[0]
        return str(
            [kind, *(f"{name}={row[name]}" for name in told if name in row), "cancel" in row, len(row.get("keys", []))]
        )

    return {name: sorted(shown(row) for row in database.scan(name) if not is_counter(row)) for name in TABLES}
