"""Settings of a local run, and the environment of its processes."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from infra import settings
from infra.settings import StartRefused, read_settings
from infra.shell_file import ShellFile

OWN = "http://127.0.0.1:9999"
THEIRS = "http://127.0.0.1:8888"


def test_without_variables_it_serves_on_port_8000_with_a_dynamodb_of_its_own() -> None:
    chosen = read_settings({})
    assert (chosen.base_url, chosen.fresh, chosen.external_url) == ("http://127.0.0.1:8000", False, None)
    assert chosen.local_dir == settings.ROOT / ".local"


@pytest.mark.parametrize("port", ["0", "65536", "-1", "80a", "8000.0", "٨٠٠٠"])
def test_an_invalid_port_is_refused_with_an_example(port: str) -> None:
    with pytest.raises(StartRefused, match=r"make run PORT=\d+"):
        read_settings({"PORT": port})


@pytest.mark.parametrize(("text", "fresh"), [("1", True), ("yes", True), ("", False), ("0", False)])
def test_fresh_is_on_only_for_its_documented_values(text: str, fresh: bool) -> None:
    assert read_settings({"FRESH": text}).fresh is fresh


def test_fresh_never_empties_a_dynamodb_that_the_user_named() -> None:
    with pytest.raises(StartRefused, match=THEIRS):
        read_settings({"FRESH": "1", "AWS_ENDPOINT_URL_DYNAMODB": THEIRS})


def test_a_busy_port_is_refused_and_another_named() -> None:
    with socket.create_server((settings.HOST, 0)) as busy:
        port = busy.getsockname()[1]
        with pytest.raises(StartRefused, match=f"Port {port} .*make run PORT="):
            settings.refuse_busy_port(port)
    settings.refuse_busy_port(port)


def test_the_own_engine_is_all_that_its_processes_can_reach() -> None:
    users = {
        "PATH": "/bin",
        "AWS_PROFILE": "work",
        "AWS_ACCESS_KEY_ID": "theirs",
        "AWS_SECRET_ACCESS_KEY": "theirs",
        "AWS_SESSION_TOKEN": "theirs",
        "AWS_ENDPOINT_URL_DYNAMODB_STREAMS": THEIRS,
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
        "NO_PROXY": "example.org",
    }
    given = settings.engine_environment(OWN, "eu-west-1", users)
    assert given["PATH"] == "/bin"
    assert given["AWS_DEFAULT_REGION"] == "eu-west-1"
    assert given["NO_PROXY"] == "example.org,127.0.0.1"
    assert [name for name, value in given.items() if "ENDPOINT_URL" in name and value == OWN] == ["AWS_ENDPOINT_URL"]
    assert given["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] == "false"
    assert THEIRS not in given.values()
    assert not {"theirs", "work"} & set(given.values())


def test_the_users_dynamodb_is_used_as_the_user_set_it() -> None:
    users = {"AWS_ENDPOINT_URL": THEIRS, "AWS_ACCESS_KEY_ID": "theirs", "AWS_DEFAULT_REGION": "eu-west-1"}
    assert settings.external_environment("eu-west-1", True, users) == users


def test_what_is_missing_for_the_users_dynamodb_is_added() -> None:
    given = settings.external_environment(None, False, {"AWS_ENDPOINT_URL_DYNAMODB": THEIRS})
    assert given == {
        "AWS_ENDPOINT_URL_DYNAMODB": THEIRS,
        "AWS_ENDPOINT_URL_DYNAMODB_STREAMS": THEIRS,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
    }


def test_the_address_of_the_own_engine_is_not_the_users(tmp_path: Path) -> None:
    """A shell that has sourced .local/env names it, to the next run too."""
    users = {"TALLYBOOK_LOCAL_DIR": str(tmp_path)}
    (tmp_path / settings.ENGINE_PORT_FILE).write_text("9999\n")
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB"):
        assert read_settings(users | {name: OWN, "FRESH": "1"}).external_url is None
        assert read_settings(users | {name: "http://localhost:9999/"}).external_url is None
        for other in (THEIRS, "https://127.0.0.1:9999", "http://10.0.0.1:9999", "http://127.0.0.1:port"):
            assert read_settings(users | {name: other}).external_url == other
    (tmp_path / settings.ENGINE_PORT_FILE).write_text("nonsense")
    assert read_settings(users | {"AWS_ENDPOINT_URL": OWN}).external_url == OWN


def test_the_own_engine_keeps_its_port_unless_that_is_taken() -> None:
    port = settings.engine_port(None, but=0)
    assert settings.engine_port(port, but=8000) == port
    assert settings.engine_port(port, but=port) != port
    with socket.create_server((settings.HOST, port)):
        assert settings.engine_port(port, but=8000) != port


def test_a_shell_is_given_the_own_engine_and_none_of_the_users_credentials(tmp_path: Path) -> None:
    users = {"AWS_ACCESS_KEY_ID": "theirs", "AWS_SECRET_ACCESS_KEY": "theirs", "TALLYBOOK_TABLE_PREFIX": "it's"}
    given = settings.engine_environment(OWN, "eu-west-1", users)
    file = ShellFile(tmp_path)
    file.write(settings.shell_variables(given, settings.without_engine(users)))
    assert file.path.stat().st_mode & 0o777 == 0o600
    shell = ["/bin/sh", "-c", f". {file.path} && env"]
    found = subprocess.run(shell, env={"AWS_PROFILE": "work"}, capture_output=True, text=True, check=True).stdout
    assert f"AWS_ENDPOINT_URL={OWN}\n" in found
    assert "AWS_DEFAULT_REGION=eu-west-1\n" in found
    assert "TALLYBOOK_TABLE_PREFIX=it's\n" in found
    assert "AWS_ACCESS_KEY_ID=local\n" in found
    assert "AWS_PROFILE" not in found
    external = users | {"AWS_ENDPOINT_URL_DYNAMODB": THEIRS, "AWS_PROFILE": "work"}
    file.write(settings.shell_variables(settings.external_environment("eu-west-1", True, external), external))
    found = subprocess.run(shell, env=external, capture_output=True, text=True, check=True).stdout
    assert "theirs" not in file.path.read_text()
    assert f"AWS_ENDPOINT_URL_DYNAMODB={THEIRS}\n" in found
    assert f"AWS_ENDPOINT_URL_DYNAMODB_STREAMS={THEIRS}\n" in found
    assert "AWS_ACCESS_KEY_ID=theirs\n" in found
    assert "AWS_PROFILE=work\n" in found


@pytest.mark.parametrize("runs", ["1", None])
def test_commands_may_make_webhooks_on_this_machine_if_the_run_may(runs: str | None, tmp_path: Path) -> None:
    """A shell has the switch that the run has, also one that an earlier run has given it otherwise."""
    users = {} if runs is None else {"TALLYBOOK_WEBHOOKS_ALLOW_LOCAL": runs}
    file = ShellFile(tmp_path)
    file.write(settings.shell_variables(settings.engine_environment(OWN, "eu-west-1", users), users))
    shell = ["/bin/sh", "-c", f". {file.path} && env"]
    for earlier in ({}, {"TALLYBOOK_WEBHOOKS_ALLOW_LOCAL": "1"}):
        found = subprocess.run(shell, env=earlier, capture_output=True, text=True, check=True).stdout
        assert ("TALLYBOOK_WEBHOOKS_ALLOW_LOCAL=1\n" in found) == (runs == "1")


def test_tests_do_not_touch_the_tables_of_a_run_whose_shell_starts_them() -> None:
    """Those on moto drop all tables that they find."""
    command = [sys.executable, "-c", "import tests.conftest, boto3; print(boto3.client('dynamodb').meta.endpoint_url)"]
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB"):
        environment = os.environ | {"AWS_DEFAULT_REGION": "us-east-1", name: OWN}
        found = subprocess.run(
            command, cwd=settings.ROOT, env=environment, capture_output=True, text=True, check=True
        ).stdout
        assert found == "https://dynamodb.us-east-1.amazonaws.com\n"


@pytest.mark.parametrize("seconds", ["0", "-1", "1e3", "abc", "٣", "0.0"])
def test_an_invalid_save_interval_is_refused(seconds: str) -> None:
    with pytest.raises(StartRefused, match="TALLYBOOK_SAVE_EVERY_S="):
        read_settings({"TALLYBOOK_SAVE_EVERY_S": seconds})
