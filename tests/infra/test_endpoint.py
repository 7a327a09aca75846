"""A DynamoDB endpoint named by the user is checked before a run starts: used, or refused with its variable named."""

from __future__ import annotations

import http.server
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from infra.endpoint import VARIABLES, refuse_dead_endpoint
from infra.settings import HOST, StartRefused, free_port


def refusal(monkeypatch: pytest.MonkeyPatch, variable: str, url: str) -> str:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, url)
    with pytest.raises(StartRefused) as refused:
        refuse_dead_endpoint(os.environ)
    assert f"unset {variable}" in str(refused.value) or "is no URL" in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize("variable", VARIABLES[::2])
def test_an_address_at_which_nothing_listens_is_refused(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    url = f"http://{HOST}:{free_port(0)}"
    assert f"nothing answers at {url}, which {variable} names (Connection refused)" in refusal(
        monkeypatch, variable, url
    )


def test_an_address_of_streams_alone_is_looked_at_too(
    monkeypatch: pytest.MonkeyPatch, embedded_engine_url: str
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", embedded_engine_url)
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB_STREAMS", f"http://{HOST}:{free_port(0)}")
    with pytest.raises(StartRefused, match="AWS_ENDPOINT_URL_DYNAMODB_STREAMS names"):
        refuse_dead_endpoint(os.environ)


@pytest.mark.parametrize("url", ["localhost:8000", "http://", "http://:80", "http://here:port", "ftp://here", "here"])
def test_an_invalid_url_is_refused(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    assert f"AWS_ENDPOINT_URL={url} is no URL" in refusal(monkeypatch, "AWS_ENDPOINT_URL", url)


def test_an_unresolvable_name_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "nothing answers" in refusal(monkeypatch, "AWS_ENDPOINT_URL", "http://nobody.invalid:8000")


class Pages(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_error(404)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def page_server() -> Iterator[str]:
    with http.server.HTTPServer((HOST, 0), Pages) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://{HOST}:{server.server_port}"
        server.shutdown()
        thread.join()


def test_another_server_is_refused(monkeypatch: pytest.MonkeyPatch, page_server: str) -> None:
    said = refusal(monkeypatch, "AWS_ENDPOINT_URL", page_server)
    assert page_server in said
    assert "is no DynamoDB" in said or "cannot be used" in said


def connections(server: socket.socket) -> int:
    """Return how many wait to be accepted."""
    server.setblocking(False)
    found = 0
    with suppress(BlockingIOError):
        while True:
            server.accept()[0].close()
            found += 1
    return found


def test_a_server_that_never_answers_is_asked_once_and_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.endpoint.ANSWER_S_MAX", 0.2)
    with socket.create_server((HOST, 0)) as silent:
        url = f"http://{HOST}:{silent.getsockname()[1]}"
        assert "cannot be used: Read timeout" in refusal(monkeypatch, "AWS_ENDPOINT_URL_DYNAMODB", url)
        assert connections(silent) == 2, "one to see whether anybody listens, one request"


def test_a_dynamodb_is_used(monkeypatch: pytest.MonkeyPatch, embedded_engine_url: str) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", embedded_engine_url)
    refuse_dead_endpoint(os.environ)
