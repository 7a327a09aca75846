"""Errors about missing tables name the endpoint, the variables that chose it, and the missing tables."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import count

import boto3
import pytest

from chalicelib import wiring
from chalicelib.ops import cli
from chalicelib.ops.cli.failures import ASK_AGAIN, WRONG_SETUP
from chalicelib.ops.cli.table_errors import TABLES
from infra.settings import HOST, free_port
from infra.tables import create_tables, table_definitions
from tests.endpoint import drop_own_tables, own_prefix

COMMAND = ["balances", "--instance", "inst_demo0001", "--customer", "ann"]
VARIABLES = (
    "AWS_ENDPOINT_URL_DYNAMODB",
    "AWS_ENDPOINT_URL",
    "AWS_DEFAULT_REGION",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_PROFILE",
    "TALLYBOOK_TABLE_PREFIX",
)
Say = Callable[[str, dict[str, str]], str]
_prefixes = count(1)


@pytest.fixture
def say(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Say]:
    """Run the command with these variables and no others; return the one line that it says."""

    def said(endpoint: str, variables: dict[str, str]) -> str:
        given = {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
        } | variables
        for name in VARIABLES:
            monkeypatch.delenv(name, raising=False)
        for name, value in given.items():
            if value:
                monkeypatch.setenv(name, value)
        wiring.database.cache_clear()
        wiring._session.cache_clear()
        monkeypatch.setattr("sys.argv", ["tallybook", *COMMAND])
        assert cli.main() in (ASK_AGAIN, WRONG_SETUP)
        (line,) = capsys.readouterr().err.splitlines()
        return str(json.loads(line)["error"]["message"])

    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    yield said
    wiring.database.cache_clear()
    wiring._session.cache_clear()


@pytest.fixture
def prefix(embedded_engine_url: str) -> Iterator[str]:
    client = boto3.client("dynamodb", endpoint_url=embedded_engine_url, region_name="us-east-1")
    prefix = own_prefix(f"a-where{next(_prefixes)}")
    create_tables(client, prefix)
    yield prefix
    for name in TABLES:
        client.delete_table(TableName=f"{prefix}-{name}")
    drop_own_tables(client, prefix)


def test_the_tables_are_those_of_the_template() -> None:
    assert [f"x-{table}" for table in TABLES] == sorted(one.name for one in table_definitions("x"))


def test_a_wrong_prefix_is_named_with_the_existing_ones(say: Say, embedded_engine_url: str, prefix: str) -> None:
    said = say(embedded_engine_url, {"TALLYBOOK_TABLE_PREFIX": "wrong"})
    assert "none of the tables wrong-* is there, such as wrong-tenants; prefixes that are: " in said
    assert prefix in said
    assert "tables wrong-* (by TALLYBOOK_TABLE_PREFIX), region us-east-1 (by AWS_DEFAULT_REGION)" in said
    assert f"endpoint {embedded_engine_url} (by AWS_ENDPOINT_URL)" in said
    said = say("", {"AWS_ENDPOINT_URL_DYNAMODB": embedded_engine_url})
    assert "tables tallybook-* (TALLYBOOK_TABLE_PREFIX is not set)" in said
    assert f"endpoint {embedded_engine_url} (by AWS_ENDPOINT_URL_DYNAMODB)" in said


def test_a_wrong_region_is_named(say: Say, embedded_engine_url: str, prefix: str) -> None:
    said = say(embedded_engine_url, {"TALLYBOOK_TABLE_PREFIX": prefix, "AWS_DEFAULT_REGION": "eu-west-3"})
    assert f"none of the tables {prefix}-* is there" in said
    assert "region eu-west-3 (by AWS_DEFAULT_REGION)" in said


def test_an_invalid_region_is_reported_as_a_region(say: Say, embedded_engine_url: str) -> None:
    said = say(embedded_engine_url, {"AWS_DEFAULT_REGION": "x_y"})
    assert "x_y is no region. tallybook reads AWS_DEFAULT_REGION" in said


def test_a_table_that_is_missing_is_named(say: Say, embedded_engine_url: str, prefix: str) -> None:
    client = boto3.client("dynamodb", endpoint_url=embedded_engine_url, region_name="us-east-1")
    for table in ("accounts", "tenants"):
        client.delete_table(TableName=f"{prefix}-{table}")
    said = say(embedded_engine_url, {"TALLYBOOK_TABLE_PREFIX": prefix})
    assert f"tables are missing: {prefix}-accounts, {prefix}-tenants. Asked: " in said
    create_tables(client, prefix)


def test_a_dead_endpoint_is_named(say: Say) -> None:
    url = f"http://{HOST}:{free_port(0)}"
    said = say(url, {})
    assert "nothing answers. Asked: tables tallybook-*" in said
    assert f"endpoint {url} (by AWS_ENDPOINT_URL)" in said


def test_an_endpoint_that_is_not_a_url_is_named(say: Say) -> None:
    said = say("localhost:8000", {})
    assert "localhost:8000" in said
    assert "AWS_ENDPOINT_URL" in said


@pytest.mark.parametrize("missing", ["AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID"])
def test_unset_variables_are_named(say: Say, embedded_engine_url: str, missing: str) -> None:
    said = say(embedded_engine_url, {missing: ""})
    for name in VARIABLES:
        assert name in said
    assert "source .local/env" in said
    assert ("no region is named" if missing == "AWS_DEFAULT_REGION" else "no credentials") in said
