"""What the program reads from its environment: where its master key is (R9), and that nothing else reads it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from chalicelib import wiring
from chalicelib.wiring import NoMasterKey
from infra.settings import ROOT
from tests.recording import PARAMETER_ARN, recording, work_of

KEY = "k" * 32
PARAMETER = "tallybook-master-key"
ENVIRONMENT = re.compile(r"\benviron\b|\bgetenv\b")
MASTER_KEY_VARIABLES = ("TALLYBOOK_MASTER_KEY", "TALLYBOOK_MASTER_KEY_PARAMETER", "TALLYBOOK_MASTER_KEY_PREVIOUS")


@pytest.fixture(autouse=True)
def _forgotten(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in (*MASTER_KEY_VARIABLES, "TALLYBOOK_PUBLIC_INSTANCE"):
        monkeypatch.delenv(name, raising=False)
    wiring.master_keys.cache_clear()
    yield
    wiring.master_keys.cache_clear()


def test_only_wiring_and_telemetry_read_the_environment() -> None:
    modules = sorted((ROOT / "chalicelib").rglob("*.py"))
    readers = {one.relative_to(ROOT).as_posix() for one in modules if ENVIRONMENT.search(one.read_text("utf-8"))}
    assert readers == {"chalicelib/wiring/__init__.py", "chalicelib/support/telemetry.py"}


@pytest.fixture
def parameters() -> Iterator[Any]:
    with mock_aws():
        yield boto3.client("ssm")


def test_the_environment_names_the_master_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TALLYBOOK_MASTER_KEY", KEY + "\n")
    monkeypatch.setenv("TALLYBOOK_MASTER_KEY_PARAMETER", "not asked for")
    assert wiring.master_key() == KEY.encode()


@pytest.mark.parametrize("key", ["", "   ", "k" * 31, "k" * 31 + "\n"])
def test_a_key_that_is_missing_or_short_is_none(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("TALLYBOOK_MASTER_KEY", key)
    with pytest.raises(NoMasterKey, match="TALLYBOOK_MASTER_KEY"):
        wiring.master_key()


def test_a_parameter_is_decrypted_and_read_once_a_process(monkeypatch: pytest.MonkeyPatch, parameters: Any) -> None:
    monkeypatch.setenv("TALLYBOOK_MASTER_KEY_PARAMETER", PARAMETER)
    with pytest.raises(ClientError):
        wiring.master_key()
    parameters.put_parameter(Name=PARAMETER, Value=KEY, Type="SecureString")
    assert wiring.master_key() == KEY.encode(), "a failure is not remembered"
    parameters.delete_parameter(Name=PARAMETER)
    assert wiring.master_key() == KEY.encode()


def test_the_only_call_to_have_a_parameter_is_the_one_that_is_granted(
    monkeypatch: pytest.MonkeyPatch, parameters: Any
) -> None:
    parameters.put_parameter(Name=PARAMETER, Value=KEY, Type="SecureString")
    monkeypatch.setenv("TALLYBOOK_MASTER_KEY_PARAMETER", PARAMETER)
    with work_of("api_handler"):
        wiring.master_key()
    assert recording.done["api_handler"] == {("ssm:GetParameter", f"{PARAMETER_ARN}{PARAMETER}")}


def test_the_key_before_is_the_version_that_is_labelled_previous(
    monkeypatch: pytest.MonkeyPatch, parameters: Any
) -> None:
    monkeypatch.setenv("TALLYBOOK_MASTER_KEY_PARAMETER", PARAMETER)
    parameters.put_parameter(Name=PARAMETER, Value=KEY, Type="SecureString")
    assert wiring.previous_master_key() is None
    parameters.label_parameter_version(Name=PARAMETER, Labels=["previous"])
    parameters.put_parameter(Name=PARAMETER, Value="n" * 32, Type="SecureString", Overwrite=True)
    wiring.master_keys.cache_clear()
    assert (wiring.master_key(), wiring.previous_master_key()) == (b"n" * 32, KEY.encode())
    parameters.unlabel_parameter_version(Name=PARAMETER, ParameterVersion=1, Labels=["previous"])
    wiring.master_keys.cache_clear()
    assert (wiring.master_key(), wiring.previous_master_key()) == (b"n" * 32, None)


def test_elsewhere_the_environment_names_the_key_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TALLYBOOK_MASTER_KEY", KEY)
    assert wiring.previous_master_key() is None
    wiring.master_keys.cache_clear()
    monkeypatch.setenv("TALLYBOOK_MASTER_KEY_PREVIOUS", "p" * 32)
    assert wiring.previous_master_key() == b"p" * 32


def test_no_instance_is_public_unless_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """R3"""
    assert wiring.public_instance() is None
    monkeypatch.setenv("TALLYBOOK_PUBLIC_INSTANCE", "")
    assert wiring.public_instance() is None
    monkeypatch.setenv("TALLYBOOK_PUBLIC_INSTANCE", "inst_demo0001")
    assert wiring.public_instance() == "inst_demo0001"
