"""Fixtures: an empty set of tables, on moto (one thread, in process) or on the embedded engine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count
from typing import TYPE_CHECKING

import boto3
import pytest
from moto import mock_aws

from chalicelib.stores.dynamodb import Database
from infra.tables import create_tables

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

for _name, _value in {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",
}.items():
    os.environ.setdefault(_name, _value)


_table_sets = count(1)


@pytest.fixture(scope="module")
def moto_client() -> Iterator[DynamoDBClient]:
    """DynamoDB on moto, for one module: building a client takes longer than most tests."""
    with mock_aws():
        yield boto3.client("dynamodb")


@pytest.fixture
def database(moto_client: DynamoDBClient) -> Iterator[Database]:
    """Empty tables on moto, under a prefix of their own."""
    prefix = f"test{next(_table_sets)}"
    create_tables(moto_client, prefix)
    yield Database(moto_client, prefix)
    for name in moto_client.list_tables()["TableNames"]:
        moto_client.delete_table(TableName=name)
