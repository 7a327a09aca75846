"""Fixtures: an empty set of tables, on moto (one thread, in process), on the embedded engine or in memory."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from functools import cache
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from eth_keys.backends.native import main as eth_curve
from moto import mock_aws
from xdist.scheduler import LoadScopeScheduling

from chalicelib.domain.signed.eip712 import import_ethereum
from chalicelib.tables.dynamodb import Database
from infra.engine import engine_answers, start_engine
from infra.settings import HOST, free_port
from infra.tables import create_tables
from tests import documented, kept_tables
from tests.endpoint import ENDPOINT, create_own_tables, drop_own_tables, environment_of_stack, own_prefix
from tests.infra.stack import RunningStack
from tests.kept_tables import KeptTables
from tests.memory import MemoryDynamoDB
from tests.recording import install, recording
from tests.world import drop_tables

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

for _name in (
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_DYNAMODB",
    "AWS_ENDPOINT_URL_DYNAMODB_STREAMS",
    "TALLYBOOK_TABLE_PREFIX",
    "TALLYBOOK_MASTER_KEY",
    "TALLYBOOK_WEBHOOKS_ALLOW_LOCAL",
):
    os.environ.pop(_name, None)  # of a shell that has sourced .local/env: tests on moto drop all tables that they find
for _name, _value in {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",
}.items():
    os.environ.setdefault(_name, _value)

import_ethereum()
for _curve in ("ecdsa_raw_sign", "ecdsa_raw_recover", "private_key_to_public_key"):
    # A signature always has one signer; to reckon it in Python takes longer than most tests.
    setattr(eth_curve, _curve, cache(getattr(eth_curve, _curve)))

install()
documented.install()
kept_tables.install()

ENGINE_START_S_MAX = 20
WHOLE, CLOUD = ("tests/whole/", "tests/browser/"), ("tests/cloud/",)
"""Folders whose tests share what runs, or a build."""
_table_sets = count(1)


class ByModule(LoadScopeScheduling):
    """Gives each process whole modules, and one all of the folders whose tests share what runs, or a build."""

    def _split_scope(self, nodeid: str) -> str:
        module, _, _ = nodeid.partition("::")
        return next((folders[0] for folders in (WHOLE, CLOUD) if module.startswith(folders)), module)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByModule:
    return ByModule(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest."""
    items.sort(key=lambda item: not item.nodeid.startswith((*WHOLE, *CLOUD)))


@pytest.fixture(autouse=True)
def _functions_do_what_their_policies_allow() -> Iterator[None]:
    """Whatever a test is about: it fails when a function does in it what IAM would not let it do."""
    recording.clear()
    yield
    assert recording.denied() == []


@pytest.fixture(scope="module")
def moto_client() -> Iterator[DynamoDBClient]:
    """DynamoDB on moto, for one module: building a client takes longer than most tests."""
    with mock_aws():
        yield boto3.client("dynamodb")


@pytest.fixture(scope="module")
def kept_on_moto(moto_client: DynamoDBClient) -> Iterator[KeptTables]:
    yield KeptTables(moto_client, f"test{next(_table_sets)}")
    drop_tables(moto_client)


@pytest.fixture
def moto_database(kept_on_moto: KeptTables) -> Iterator[Database]:
    """Empty tables on moto."""
    with kept_on_moto.turn() as database:
        yield database


@pytest.fixture(scope="session")
def embedded_engine_url() -> Iterator[str]:
    """The embedded engine, started once for all tests of a run; stopped by the process that was started.

    With ``DYNAMODB_ENDPOINT`` the DynamoDB there takes its place.
    """
    if ENDPOINT:
        yield ENDPOINT
        return
    port = free_port(0)
    engine = start_engine(port)
    try:
        deadline = time.monotonic() + ENGINE_START_S_MAX
        while not engine_answers(port):
            assert time.monotonic() < deadline, "the embedded engine did not start"
            time.sleep(0.02)
        yield f"http://{HOST}:{port}"
    finally:
        engine.stop(10)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """The whole service, started once as ``make run`` does."""
    yield from started_stack(tmp_path_factory.mktemp("stack"))


def started_stack(folder: Path) -> Iterator[RunningStack]:
    """Run the whole service in a folder."""
    environment = environment_of_stack() | {"TALLYBOOK_WEBHOOKS_ALLOW_LOCAL": "1"}
    with RunningStack(folder / "local", **environment) as stack:
        yield stack
        drop_own_tables(boto3.client("dynamodb", endpoint_url=stack.aws_endpoint_url), stack.prefix)


@pytest.fixture
def embedded_database(embedded_engine_url: str) -> Iterator[Database]:
    """Empty tables on the embedded engine: for races, load and faults, which moto gets wrong."""
    client = boto3.client("dynamodb", endpoint_url=embedded_engine_url)
    prefix = own_prefix(f"test{next(_table_sets)}")
    create_own_tables(client, prefix)
    yield Database(client, prefix)
    drop_own_tables(client, prefix)


@pytest.fixture
def no_logs() -> Iterator[None]:
    """Nothing is logged: the tracebacks of thousands of faults would take most of the time."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture
def memory_database() -> Database:
    """Empty tables in memory, under a prefix of their own: exact, deterministic and fast, for one thread."""
    client: Any = MemoryDynamoDB()
    prefix = f"test{next(_table_sets)}"
    create_tables(client, prefix)
    return Database(client, prefix, pause=lambda _seconds: None)


@pytest.fixture(params=["moto_database", "embedded_database", "memory_database"])
def store(request: pytest.FixtureRequest) -> Database:
    """Empty tables, on each engine in turn: a test that takes this is part of the contract with all."""
    database: Database = request.getfixturevalue(request.param)
    return database
