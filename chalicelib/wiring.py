"""Builds the program from its environment, once a process: the only place that reads environment variables.

``TALLYBOOK_TABLE_PREFIX`` (default ``tallybook``) names the tables; the standard AWS variables name the engine.
"""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from chalicelib.clock import now_ms
from chalicelib.matcher import Matcher
from chalicelib.stores.dynamodb import Database

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

CONNECTIONS_MAX = 32
COUNT_TIMEOUT_S = 0.5


@cache
def database() -> Database:
    """Return the tables. Calls are tried four times, then given up, within a function's time limit."""
    return _database(connect_timeout_s=2, read_timeout_s=5, attempts_max=4)


@cache
def counters() -> Database:
    """Return the tables for counting requests, which no answer waits for: one attempt, half a second (T6)."""
    return _database(connect_timeout_s=COUNT_TIMEOUT_S, read_timeout_s=COUNT_TIMEOUT_S, attempts_max=1)


def _database(connect_timeout_s: float, read_timeout_s: float, attempts_max: int) -> Database:
    config = Config(
        connect_timeout=connect_timeout_s,
        read_timeout=read_timeout_s,
        max_pool_connections=CONNECTIONS_MAX,
        retries={"total_max_attempts": attempts_max, "mode": "standard"},
    )
    client: DynamoDBClient = boto3.client("dynamodb", config=config)
    return Database(client, os.environ.get("TALLYBOOK_TABLE_PREFIX", "tallybook"))


@cache
def matcher() -> Matcher:
    return Matcher(database(), now_ms)
