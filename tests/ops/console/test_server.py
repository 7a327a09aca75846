"""The operator's console over HTTP: whom it answers, which commands it runs, and how verify is followed."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib.ops import cli
from chalicelib.ops.cli.arguments import Printed
from chalicelib.ops.cli.failures import Code, CommandFailed
from chalicelib.ops.console.proofs import Proofs
from chalicelib.ops.console.server import BODY_BYTES_MAX, HOST, READS, WRITES, Server
from chalicelib.ops.verify.verifier import Watch
from tests.waiting import eventually


class Running:
    """A console whose commands are kept in place of being run, and whose proofs go on when told."""

    def __init__(self) -> None:
        self.ran: list[list[str]] = []
        self.fails: Exception | None = None
        self.goes_on = threading.Semaphore(0)
        self.server = Server(self._run, Proofs(self._prove, lambda error: {"error": {"message": str(error)}}))
        self.console = self.server.console
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def _run(self, arguments: list[str]) -> Printed:
        self.ran.append(arguments)
        if self.fails:
            raise self.fails
        return {"ran": arguments}

    def _prove(self, book: str | None, instance: str | None, watch: Watch) -> dict[str, Any]:
        for _ in watch(range(2), "entries", 2):
            assert self.goes_on.acquire(timeout=15)
        if instance == "broken":
            raise ValueError("does not agree")
        return {"books": [book], "instances": [instance]}

    def ask(self, method: str, path: str, content: object = None, **headers: str) -> tuple[int, Any]:
        """Return status and content; ``headers`` replace those of the page."""
        own = {"Authorization": f"Bearer {self.console.token}", "Host": f"{HOST}:{self.console.port}"}
        body = content if isinstance(content, bytes) else None if content is None else json.dumps(content).encode()
        connection = http.client.HTTPConnection(HOST, self.console.port, timeout=15)
        try:
            connection.request(method, path, body, {**own, **headers})
            answer = connection.getresponse()
            text = answer.read()
            is_json = (answer.headers["Content-Type"] or "").startswith("application/json")
            return answer.status, json.loads(text) if is_json else text.decode()
        finally:
            connection.close()


@pytest.fixture
def running() -> Iterator[Running]:
    running = Running()
    yield running
    running.goes_on.release(10)
    running.server.shutdown()
    running.server.server_close()


LISTED = {"arguments": ["instance", "list"]}


def test_a_command_of_the_list_is_run_for_the_page(running: Running) -> None:
    assert running.ask("POST", "/run", LISTED) == (200, {"ran": ["instance", "list"]})
    own = f"http://{HOST}:{running.console.port}"
    assert running.ask("POST", "/run", LISTED, Origin=own)[0] == 200
    assert running.console.url == f"{own}/#token={running.console.token}"


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer wrong"}, {"Authorization": ""},
        {"Host": "evil.example"}, {"Host": "localhost"}, {"Host": "127.0.0.1:1"},
        {"Origin": "http://evil.example"}, {"Origin": "null"},
    ],
)  # fmt: skip
def test_another_host_another_site_and_no_token_get_nothing(running: Running, headers: dict[str, str]) -> None:
    for method, path in (("POST", "/run"), ("POST", "/proofs"), ("GET", "/proofs")):
        status, told = running.ask(method, path, LISTED if method == "POST" else None, **headers)
        assert status == 403
        assert set(told) == {"error"}
    assert running.ran == []


@pytest.mark.parametrize(
    "content",
    [
        b"", b"[]", b"{", {}, {"arguments": []}, {"arguments": "instance list"}, {"arguments": ["instance", 1]},
        {"arguments": ["credit", "--instance", "inst_a"]}, {"arguments": ["debit"]},
        {"arguments": ["rebuild", "--all"]},
        {"arguments": ["instance", "create"]}, {"arguments": ["instance"]}, {"arguments": ["console"]},
        {"arguments": ["--json", "instance", "list"]}, {"arguments": ["export", "orders", "--output", "/tmp/x"]},
        {"arguments": ["balances"] + ["x"] * 40},
    ],
)  # fmt: skip
def test_what_is_no_command_of_the_list_is_not_run(running: Running, content: object) -> None:
    assert running.ask("POST", "/run", content)[0] == 400
    assert running.ran == []


@pytest.mark.parametrize("table", [READS, WRITES], ids=["reads", "writes"])
def test_every_command_of_the_list_is_one_of_the_command_line(table: dict[str, tuple[str, ...]]) -> None:
    for group, words in table.items():
        for word in words or ("",):
            with pytest.raises(SystemExit) as ended:
                cli.run([*filter(None, (group, word)), "--help"])
            assert ended.value.code == 0, (group, word)


def test_a_failure_and_wrong_arguments_come_as_the_command_lines_envelope(running: Running) -> None:
    running.fails = CommandFailed("no such instance", Code.NOT_FOUND)
    told = {"error": {"code": "NOT_FOUND", "message": "no such instance", "retryable": False}}
    assert running.ask("POST", "/run", LISTED) == (409, told)
    running.fails = SystemExit(2)
    assert running.ask("POST", "/run", LISTED)[1]["error"]["code"] == "USAGE"


def test_a_request_is_bounded_in_size(running: Running) -> None:
    assert running.ask("POST", "/run", b" " * BODY_BYTES_MAX)[0] == 400
    assert running.ask("POST", "/run", b" " * (BODY_BYTES_MAX + 1))[0] == 413
    assert running.ask("POST", "/run", None, **{"Content-Length": "-1"})[0] == 413


def test_the_page_and_its_files_need_no_token_and_nothing_else_is_a_file(running: Running) -> None:
    without = {"Authorization": ""}
    status, page = running.ask("GET", "/", **without)
    assert (status, "<title>Tallybook operator</title>" in page) == (200, True)
    for name in ("operator.js", "page.js", "send.js", "console.css", "icon.svg"):
        assert running.ask("GET", f"/{name}", **without)[0] == 200
    for name in ("main.js", "../server.py", "%2e%2e/server.py", "index.html"):
        assert running.ask("GET", f"/{name}")[0] == 404


def test_a_verification_is_followed_to_its_end_one_at_a_time(running: Running) -> None:
    assert running.ask("GET", "/proofs") == (200, {"state": "none"})
    book = "inst_a/ob_1"
    assert running.ask("POST", "/proofs", {"book": book})[0] == 202
    eventually(lambda: running.ask("GET", "/proofs")[1].get("step") == "entries")
    status, told = running.ask("POST", "/proofs", {"instance": "inst_a"})
    assert (status, told["error"]["code"], told["error"]["retryable"]) == (409, "BUSY", True)
    running.goes_on.release()
    eventually(lambda: running.ask("GET", "/proofs")[1].get("done") == 1)
    running.goes_on.release()
    eventually(lambda: running.ask("GET", "/proofs")[1]["state"] == "proven")
    report = {"books": [book], "instances": [None]}
    assert running.ask("GET", "/proofs")[1] == {"state": "proven", "of": book, "report": report}


def test_a_verification_that_disproves_says_so(running: Running) -> None:
    running.goes_on.release(2)
    running.ask("POST", "/proofs", {"instance": "broken"})
    eventually(lambda: running.ask("GET", "/proofs")[1]["state"] == "failed")
    assert running.ask("GET", "/proofs")[1]["error"]["message"] == "does not agree"


@pytest.mark.parametrize("content", [{}, {"book": 1}, {"book": "a", "instance": "b"}, {"instance": None}, b"x"])
def test_a_verification_names_a_book_or_an_instance(running: Running, content: object) -> None:
    assert running.ask("POST", "/proofs", content)[0] == 400
    assert running.ask("GET", "/proofs")[1] == {"state": "none"}
