"""Builds the program from its environment, once a process: the only place that reads environment variables, with
``watching``, which must know its own before anything else runs.

``TALLYBOOK_TABLE_PREFIX`` (default ``tallybook``) names the tables; the standard AWS variables name the engine.
The master key of the desks' secrets is ``TALLYBOOK_MASTER_KEY``, or the SSM parameter (SecureString) that
``TALLYBOOK_MASTER_KEY_PARAMETER`` names; ``TALLYBOOK_PUBLIC_INSTANCE`` is the instance that public routes show, and at
which makers connect who name no other.
"""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from chalicelib.api_tokens import MASTER_KEY_BYTES_MIN
from chalicelib.clock import now_ms, now_s
from chalicelib.escrow.desk import EscrowDesk
from chalicelib.expiring import Expiring
from chalicelib.match_watch import MatchWatch
from chalicelib.matcher import Matcher
from chalicelib.signed.desk import SignedOrderDesk
from chalicelib.stores.dynamodb import Database

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

CONNECTIONS_MAX = 32
COUNT_TIMEOUT_S = 0.5
PARAMETER_TIMEOUT_S = 5


class NoMasterKey(Exception):
    """There is no master key, or it is too short; the text says what to do."""


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
def master_key() -> bytes:
    """Return the master key. Raises NoMasterKey, or what SSM does; the next call tries again then."""
    text = os.environ.get("TALLYBOOK_MASTER_KEY", "")
    if not text and (parameter := os.environ.get("TALLYBOOK_MASTER_KEY_PARAMETER", "")):
        text = _parameter(parameter)
    key = text.strip().encode()
    if len(key) < MASTER_KEY_BYTES_MIN:
        raise NoMasterKey(
            f"no master key of {MASTER_KEY_BYTES_MIN} characters or more: set TALLYBOOK_MASTER_KEY, "
            "or TALLYBOOK_MASTER_KEY_PARAMETER to the name of an SSM parameter"
        )
    return key


def _parameter(name: str) -> str:
    config = Config(connect_timeout=PARAMETER_TIMEOUT_S, read_timeout=PARAMETER_TIMEOUT_S)
    client: Any = boto3.client("ssm", config=config)
    value: str = client.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"]
    return value


def public_instance() -> str | None:
    """Return the instance that public routes show (R3), and where makers connect (K6); None: there is none."""
    return os.environ.get("TALLYBOOK_PUBLIC_INSTANCE") or None


@cache
def match_watch() -> MatchWatch:
    return MatchWatch()


@cache
def matcher() -> Matcher:
    return Matcher(database(), now_ms, match_watch())


@cache
def expiring() -> Expiring:
    """Return what looks at orders that expire, with a matcher of its own: it may run beside ``matcher``."""
    return Expiring(database(), Matcher(database(), now_ms, match_watch()), now_ms)


@cache
def signed_order_desk() -> SignedOrderDesk:
    """Return the taker desk's commands, for the sweep and the operator."""
    return SignedOrderDesk(database(), now_s)


@cache
def escrows() -> EscrowDesk:
    return EscrowDesk(database(), now_s)
