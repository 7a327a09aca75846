"""Error messages about missing tables: where a command expected its tables, and which variables said so.

Used only after a command has failed; it does not change what a command does.
"""

from __future__ import annotations

from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    InvalidRegionError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
)

from chalicelib import wiring
from chalicelib.ops.cli.failures import Code

TABLES = (
    "accounts", "books", "candles", "connections", "escrows", "expiries", "fills", "inbox", "journal", "open-orders",
    "orders", "outbox", "requests", "signed-orders", "tenants", "tokens", "webhooks",
)  # fmt: skip
"""Names of a deployment's tables, without the prefix."""
VARIABLES = (
    "tallybook reads AWS_DEFAULT_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or AWS_PROFILE for the three), "
    "AWS_ENDPOINT_URL_DYNAMODB or AWS_ENDPOINT_URL where the tables are not on AWS, and TALLYBOOK_TABLE_PREFIX "
    "(tallybook). For a local run: source .local/env"
)
_CODES = {
    "ResourceNotFoundException": Code.SETUP,
    "AccessDeniedException": Code.CREDENTIALS,
    "ExpiredTokenException": Code.CREDENTIALS,
    "InvalidSignatureException": Code.CREDENTIALS,
    "MissingAuthenticationTokenException": Code.CREDENTIALS,
    "UnrecognizedClientException": Code.CREDENTIALS,
}
"""Codes of errors that DynamoDB answers; all others may pass."""
NAMED_MAX = 5
"""Maximum number of missing tables, or of existing prefixes, in a message."""


def explain(error: Exception) -> str:
    """Return the message for an AWS error: what is missing, and where it was expected."""
    cause = error if isinstance(error, (BotoCoreError, ClientError)) else error.__cause__
    if isinstance(cause, NoRegionError):
        return f"no region is named. {VARIABLES}"
    if isinstance(cause, InvalidRegionError):
        return f"{cause.kwargs['region_name']} is no region. {VARIABLES}"
    if isinstance(cause, (NoCredentialsError, PartialCredentialsError)):
        return f"there are no credentials ({cause}). {VARIABLES}"
    if isinstance(cause, EndpointConnectionError):
        return f"nothing answers. Asked: {tables_used()}"
    if isinstance(cause, ClientError) and cause.response["Error"]["Code"] == "ResourceNotFoundException":
        return f"{_what_is_missing()} Asked: {tables_used()}"
    return f"{error}. Asked: {tables_used()}"


def code_of(error: Exception) -> Code:
    """Return the code of an AWS error."""
    cause = error if isinstance(error, (BotoCoreError, ClientError)) else error.__cause__
    if isinstance(cause, (NoRegionError, InvalidRegionError)):
        return Code.SETUP
    if isinstance(cause, (NoCredentialsError, PartialCredentialsError)):
        return Code.CREDENTIALS
    if isinstance(cause, EndpointConnectionError):
        return Code.UNREACHABLE
    return (
        _CODES.get(cause.response["Error"]["Code"], Code.UNAVAILABLE)
        if isinstance(cause, ClientError)
        else Code.UNAVAILABLE
    )


def tables_used() -> str:
    """Return which endpoint and tables were used, and which variables chose them."""
    where = wiring.table_location()
    return (
        f"tables {where.prefix}-* ({_by(where.prefix_by, 'TALLYBOOK_TABLE_PREFIX')}), "
        f"region {where.region} ({_by(where.region_by, 'AWS_DEFAULT_REGION')}), "
        f"endpoint {where.endpoint} ({_by(where.endpoint_by, 'AWS_ENDPOINT_URL')})"
    )


def _by(variable: str | None, otherwise: str) -> str:
    return f"by {variable}" if variable else f"{otherwise} is not set"


def _what_is_missing() -> str:
    """Return which tables of this prefix are missing, and which prefixes exist."""
    prefix = wiring.table_location().prefix
    client: Any = wiring.table_location().client
    try:
        pages = client.get_paginator("list_tables").paginate()
        there = {name for page in pages for name in page["TableNames"]}
    except (BotoCoreError, ClientError):  # the user may lack the permission to list tables
        return f"a table whose name begins with {prefix}- is missing."
    missing = [f"{prefix}-{table}" for table in TABLES if f"{prefix}-{table}" not in there]
    others = sorted({name.removesuffix("-tenants") for name in there if name.endswith("-tenants")} - {prefix})
    if len(missing) == len(TABLES):
        known = f"prefixes that are: {', '.join(others[:NAMED_MAX])}" if others else "nor are tables of another prefix"
        return f"none of the tables {prefix}-* is there, such as {prefix}-tenants; {known}."
    more = f" and {len(missing) - NAMED_MAX} more" if len(missing) > NAMED_MAX else ""
    return f"tables are missing: {', '.join(missing[:NAMED_MAX])}{more}."
