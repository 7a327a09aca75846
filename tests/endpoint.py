"""``DYNAMODB_ENDPOINT=http://...``: tests that run on the embedded engine run on the DynamoDB there instead.

So it is asked whether the service holds on another DynamoDB, such as AWS's DynamoDB Local: the contract of the stores,
races, faults, and the whole service over HTTP. What an engine is known to do otherwise than DynamoDB stands in the
contract's modules under its name, ``DYNAMODB_ENDPOINT_IS`` (dynamodb-local). Tests of the embedded engine itself, and
of what the local run does with it, keep it.
"""

from __future__ import annotations

import os
import secrets
from typing import Any

from infra.tables import table_definitions

ENDPOINT = os.environ.get("DYNAMODB_ENDPOINT", "")
KIND = os.environ.get("DYNAMODB_ENDPOINT_IS", "dynamodb-local")
"""Which engine answers there: the contract's modules know by this name what it does otherwise than DynamoDB."""
_RUN = secrets.token_hex(4)


def own_prefix(prefix: str) -> str:
    """Return a prefix that no other run's tables have, for there they may be left over."""
    return f"{prefix}-{_RUN}" if ENDPOINT else prefix


def create_own_tables(client: Any, prefix: str) -> None:
    """Create the tables without time to live: an engine goes by the real clock, and by that the rows of tests, which
    have clocks of their own, are long past. It would drop them once a minute.
    """
    definitions = table_definitions(prefix)
    for definition in definitions:
        client.create_table(**definition.create_request)
    for definition in definitions:
        client.get_waiter("table_exists").wait(TableName=definition.name, WaiterConfig={"Delay": 1})


def drop_own_tables(client: Any, prefix: str) -> None:
    """Drop the tables of a prefix at the endpoint; the embedded engine is thrown away with all of them."""
    if not ENDPOINT:
        return
    pages = client.get_paginator("list_tables").paginate()
    for name in [name for page in pages for name in page["TableNames"] if name.startswith(f"{prefix}-")]:
        client.delete_table(TableName=name)


def environment_of_stack() -> dict[str, str]:
    """Return what makes a whole service use the endpoint; nothing where there is none."""
    if not ENDPOINT:
        return {}
    return {"AWS_ENDPOINT_URL_DYNAMODB": ENDPOINT, "TALLYBOOK_TABLE_PREFIX": own_prefix("whole")}
