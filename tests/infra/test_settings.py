"""What a local run reads from its environment, and the environment that it gives to its processes."""

from __future__ import annotations

import socket

import pytest

from infra import settings
from infra.settings import StartRefused, read_settings

OWN = "http://127.0.0.1:9999"
THEIRS = "http://127.0.0.1:8888"


def test_without_variables_it_serves_on_port_8000_with_a_dynamodb_of_its_own() -> None:
    chosen = read_settings({})
    assert (chosen.base_url, chosen.fresh, chosen.external_url) == ("http://127.0.0.1:8000", False, None)
    assert chosen.local_dir == settings.ROOT / ".local"


@pytest.mark.parametrize("port", ["0", "65536", "-1", "80a", "8000.0", "٨٠٠٠"])
def test_what_is_no_port_is_refused_with_an_example(port: str) -> None:
    with pytest.raises(StartRefused, match=r"make run PORT=\d+"):
        read_settings({"PORT": port})


@pytest.mark.parametrize(("text", "fresh"), [("1", True), ("yes", True), ("", False), ("0", False)])
def test_fresh_is_on_when_it_says_so(text: str, fresh: bool) -> None:
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
