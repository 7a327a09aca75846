"""Fixtures: an empty set of tables, on moto (one thread, in process) or on the embedded engine."""

from __future__ import annotations

import os
from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from chalicelib.stores.dynamodb import Database
from infra.tables import create_tables

for _name, _value in {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",
}.items():
    os.environ.setdefault(_name, _value)


@pytest.fixture
def database() -> Iterator[Database]:
    """Tables on moto."""
    with mock_aws():
        client = boto3.client("dynamodb")
        create_tables(client, "test")
        yield Database(client, "test")
