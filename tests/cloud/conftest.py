"""Fixtures: the stage ``dev`` deployed into its own embedded cloud, and clients of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest

from chalicelib import wiring
from infra.cloud import STOP_S_MAX, cloud_environment, start_cloud
from infra.deployment import Deployment
from infra.packaging import BUILD, Package, package, read_stage
from infra.settings import ROOT, free_port

DEPLOY_S_MAX, ANSWER_S_MAX = 300, 60
STAGE = "dev"
WIRED = (
    wiring.database,
    wiring.counters,
    wiring.master_keys,
    wiring.matcher,
    wiring.releasing_matcher,
    wiring.signed_order_desk,
    wiring.escrows,
)
_OF_ANOTHER_CLOUD = ("AWS_PROFILE", "AWS_ENDPOINT_URL_DYNAMODB", "TALLYBOOK_MASTER_KEY", "TALLYBOOK_PUBLIC_INSTANCE")


@dataclass
class Cloud:
    """An embedded cloud with the deployed stage. said: output of the last deployment in this process."""

    environment: dict[str, str]
    said: list[str] = field(default_factory=list)

    def script(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run ``python -m infra.deploy``. Return its output and exit code."""
        return subprocess.run(
            [sys.executable, "-m", "infra.deploy", *arguments],
            cwd=ROOT,
            env=os.environ | self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DEPLOY_S_MAX,
            check=False,
        )

    def deployment(self) -> Deployment:
        self.said.clear()
        return Deployment(boto3.Session(), read_stage(STAGE), say=self.said.append, ask=None)

    def tables(self) -> set[str]:
        return set(boto3.client("dynamodb").list_tables()["TableNames"])


@dataclass(frozen=True)
class Api:
    """A client of the deployed API, through API Gateway."""

    base_url: str

    def ask(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, Any]]:
        """Return status and parsed body."""
        content = None if body is None else json.dumps(body).encode()
        return self.send(method, path, content, {"content-type": "application/json"} | (headers or {}))

    def send(
        self, method: str, path: str, content: bytes | None, headers: dict[str, str]
    ) -> tuple[int, dict[str, Any]]:
        """Return status and parsed body."""
        request = urllib.request.Request(self.base_url + path, content, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_S_MAX) as response:
                return response.status, json.loads(response.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def done(self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None) -> Any:
        """Send a request that must succeed. Return its data."""
        status, answer = self.ask(method, path, body, headers)
        assert status in (200, 201), answer
        return answer["data"]


@pytest.fixture(scope="package")
def cloud() -> Iterator[Cloud]:
    """An embedded cloud, with this process's AWS variables and the stage's wiring pointing at it."""
    stage, port = read_stage(STAGE), free_port(but=0)
    environment = cloud_environment(port)
    embedded = start_cloud(port)
    with pytest.MonkeyPatch.context() as patch:
        for name in _OF_ANOTHER_CLOUD:
            patch.delenv(name, raising=False)
        names = {"TALLYBOOK_TABLE_PREFIX": stage.prefix, "TALLYBOOK_MASTER_KEY_PARAMETER": stage.master_key}
        for name, value in (environment | names).items():
            patch.setenv(name, value)
        _forget_wiring()
        try:
            yield Cloud(environment)
        finally:
            _forget_wiring()
            embedded.stop(STOP_S_MAX)


@pytest.fixture(scope="package")
def built(cloud: Cloud) -> Package:  # noqa: ARG001 - its region
    """The package of the stage."""
    return package(read_stage(STAGE), BUILD / STAGE)


def _forget_wiring() -> None:
    for cached in WIRED:
        cached.cache_clear()
