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


@cache
def database() -> Database:
    """Return the tables. Calls are tried four times, then given up, within a function's time limit."""
    config = Config(
        connect_timeout=2,
        read_timeout=5,
        max_pool_connections=CONNECTIONS_MAX,
        retries={"total_max_attempts": 4, "mode": "standard"},
    )
    client: DynamoDBClient = boto3.client("dynamodb", config=config)
    return Database(client, os.environ.get("TALLYBOOK_TABLE_PREFIX", "tallybook"))


@cache
def matcher() -> Matcher:
    return Matcher(database(), now_ms)
