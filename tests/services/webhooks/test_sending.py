"""One request: to the address that was checked, bounded in time, redirects not followed, TLS by the name."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme
from urllib3.connection import HTTPConnection
from urllib3.exceptions import ConnectTimeoutError

from chalicelib.services.webhooks.sending import Answer, Sender, retry_after_s

NOW_S = 1_736_937_000
BODY = b'{"a":1}'


class Server:
    """A TCP server on a free port of the loopback address. answer: what it does with each connection.

    end: of what it reads before it answers.
    """

    def __init__(
        self, answer: Callable[[socket.socket], None], tls: ssl.SSLContext | None = None, end: bytes = BODY
    ) -> None:
        self.seen: list[bytes] = []
        self._end = end
        self._answer = answer
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @contextmanager
    def running(self) -> Iterator[Server]:
        self._thread.start()
        try:
            yield self
        finally:
            self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                accepted, _ = self._listener.accept()
            except OSError:
                return
            try:
                connection = accepted if self._tls is None else self._tls.wrap_socket(accepted, server_side=True)
                request = connection.recv(65_536)
                while request and not request.endswith(self._end) and (more := connection.recv(65_536)):
                    request += more
                if request:
                    self.seen.append(request)
                self._answer(connection)
                connection.close()
            except OSError:
                accepted.close()


def saying(text: str) -> Callable[[socket.socket], None]:
    return lambda connection: connection.sendall(text.replace("\n", "\r\n").encode())


def sender(**members: object) -> Sender:
    return Sender(lambda: NOW_S, **{"allows_local": True, **members})  # type: ignore[arg-type]


def post(port: int, to: Sender | None = None, scheme: str = "http", host: str = "127.0.0.1") -> Answer:
    return (to or sender())(f"{scheme}://{host}:{port}/in?a=1", {"webhook-id": "evt_1"}, BODY)


def test_a_body_is_posted_with_its_headers_and_the_status_is_the_answer() -> None:
    with Server(saying("HTTP/1.1 204 No Content\n\n")).running() as server:
        assert post(server.port) == Answer(204, "204")
    head, _, body = server.seen[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /in?a=1 HTTP/1.1"
    assert f"Host: 127.0.0.1:{server.port}" in lines
    assert "webhook-id: evt_1" in lines
    assert body == BODY


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    with Server(saying("HTTP/1.1 200 OK\n\n")).running() as other:
        moved = f"HTTP/1.1 {status} Moved\nLocation: http://127.0.0.1:{other.port}/\n\n"
        with Server(saying(moved)).running() as server:
            answer = post(server.port)
    assert (answer.status, answer.is_success, other.seen) == (status, False, [])


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("HTTP/1.1 200 OK", Answer(200, "200")),
        ("HTTP/1.1 299 Fine", Answer(299, "299")),
        ("HTTP/1.1 410 Gone", Answer(410, "410")),
        ("HTTP/1.1 429 Slow\nRetry-After: 30", Answer(429, "429", 30)),
        ("HTTP/1.1 503 Down\nRetry-After: Wed, 15 Jan 2025 10:31:00 GMT", Answer(503, "503", 60)),
        ("HTTP/1.1 500 Bad\nRetry-After: 30", Answer(500, "500")),
        ("not http", Answer(None, "connection failed")),
        ("HTTP/1.1 100 Continue\n\nHTTP/1.1 204 No Content", Answer(204, "204")),
        ("HTTP/1.1 103 Early Hints\nLink: </a>\n\nHTTP/1.1 102 Processing\n\nHTTP/1.1 204 None", Answer(204, "204")),
        ("HTTP/1.1 103 Early Hints\n\nHTTP/1.1 500 Bad", Answer(500, "500")),
        ("HTTP/1.1 103 Early Hints", Answer(None, "connection failed")),
        ("HTTP/1.1 101 Switching Protocols", Answer(101, "101")),
    ],
)
def test_the_head_of_an_answer_is_what_it_came_to(head: str, expected: Answer) -> None:
    with Server(saying(f"{head}\n\n")).running() as server:
        assert post(server.port) == expected


def test_a_malformed_head_writes_nothing_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with Server(saying("HTTP/1.1 200 OK\nno header\n\n")).running() as server:
        assert post(server.port) == Answer(200, "200")
    assert caplog.records == []


def test_nobody_there_is_a_failure() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert post(port) == Answer(None, "connection failed")


@pytest.mark.parametrize("beginning", ["", "HTTP/1.1 200 OK\r\nx: "])
def test_a_receiver_that_hangs_or_sends_a_byte_at_a_time_runs_into_the_time_limit(beginning: str) -> None:
    end = threading.Event()

    def drip(connection: socket.socket) -> None:
        connection.sendall(beginning.encode())
        for _ in range(600):
            if end.wait(0.05):
                break
            if beginning:
                connection.sendall(b"x")

    with Server(drip).running() as server:
        answer = post(server.port, sender(timeout_s=0.4))
        end.set()
    assert answer == Answer(None, "timeout"), "not what the end of the connection comes to"


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("slow", ["name", "connection"])
def test_a_receiver_that_drips_after_a_slow_name_or_connection_runs_into_the_time_limit(
    slow: str, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time is over before there is a connection to shut down."""
    slow_s, end, connect = 0.5, threading.Event(), HTTPConnection._new_conn

    def resolve(_name: str, _port: int) -> list[str]:
        time.sleep(slow_s if slow == "name" else 0)
        return ["127.0.0.1"]

    def connected(self: HTTPConnection) -> socket.socket:
        time.sleep(slow_s if slow == "connection" else 0)
        return connect(self)

    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nx: " if scheme == "http" else b"\x16\x03\x03\x3f\xff")
        while not end.wait(0.05):
            connection.sendall(b"x")

    monkeypatch.setattr(HTTPConnection, "_new_conn", connected)
    answers: list[Answer] = []
    with Server(drip, end=BODY if scheme == "http" else b"").running() as server:
        to = sender(timeout_s=0.2, resolve=resolve)
        attempt = threading.Thread(
            target=lambda: answers.append(post(server.port, to, scheme, "hooks.example.com")), daemon=True
        )
        attempt.start()
        attempt.join(10)
        end.set()
    assert answers == [Answer(None, "timeout")], "the attempt ends although the receiver goes on"


def test_a_long_answer_is_not_read() -> None:
    sent: list[int] = []

    def pour(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000000\r\n\r\n")
        for _ in range(10_000):
            sent.append(connection.send(b"x" * 65_536))

    with Server(pour).running() as server:
        assert post(server.port) == Answer(200, "200")
    assert sum(sent) < 64 * 1024 * 1024


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["10.0.0.1"], ["169.254.169.254"], ["::1"], ["::ffff:127.0.0.1"], ["8.8.8.8", "127.0.0.1"], []],
)
def test_a_name_with_an_address_that_is_not_public_is_not_connected_to(addresses: list[str]) -> None:
    with Server(saying("HTTP/1.1 200 OK\n\n")).running() as server:
        careful = Sender(lambda: NOW_S, resolve=lambda _name, _port: addresses)
        answer = careful(f"https://hooks.example.com:{server.port}/", {}, b"{}")
    assert answer == Answer(None, "not a public address")
    assert server.seen == []


def test_without_the_switch_neither_http_nor_loopback_is_called() -> None:
    with Server(saying("HTTP/1.1 200 OK\n\n")).running() as server:
        assert post(server.port, sender(allows_local=False)).status is None
        assert post(server.port, sender(allows_local=False), scheme="https").status is None
    assert server.seen == []


def test_a_name_is_resolved_once_and_the_connection_goes_to_what_was_checked(tmp_path: Path) -> None:
    """A second resolution would give another address, as it does for whoever rebinds a name."""
    authority, tls = _authority(tmp_path, "hooks.example.com")
    asked: list[str] = []

    def resolve(name: str, _port: int) -> list[str]:
        asked.append(name)
        return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

    with Server(saying("HTTP/1.1 200 OK\n\n"), tls).running() as server:
        to = sender(resolve=resolve, ca_certs=authority)
        assert post(server.port, to, "https", "hooks.example.com") == Answer(200, "200")
    assert asked == ["hooks.example.com"]
    assert f"Host: hooks.example.com:{server.port}".encode() in server.seen[0]


@pytest.mark.parametrize("is_trusted", [True, False])
def test_a_certificate_for_another_name_or_by_nobody_known_is_refused(tmp_path: Path, is_trusted: bool) -> None:
    authority, tls = _authority(tmp_path, "other.example.com" if is_trusted else "hooks.example.com")
    with Server(saying("HTTP/1.1 200 OK\n\n"), tls).running() as server:
        to = sender(resolve=lambda _name, _port: ["127.0.0.1"], ca_certs=authority if is_trusted else None)
        assert post(server.port, to, "https", "hooks.example.com") == Answer(None, "TLS failed")
    assert server.seen == []


def test_the_second_address_of_a_name_is_tried_where_the_first_takes_no_connection() -> None:
    with Server(saying("HTTP/1.1 200 OK\n\n")).running() as server:
        to = sender(resolve=lambda _name, _port: ["127.0.0.2", "127.0.0.1"])
        assert post(server.port, to, host="hooks.example.com") == Answer(200, "200")


def test_the_second_address_of_a_name_is_tried_where_the_first_does_not_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connect = HTTPConnection._new_conn

    def connected(self: HTTPConnection) -> socket.socket:
        if self.host != "127.0.0.2":
            return connect(self)
        assert isinstance(self.timeout, float)
        time.sleep(self.timeout)
        raise ConnectTimeoutError(self, "timed out")

    monkeypatch.setattr(HTTPConnection, "_new_conn", connected)
    with Server(saying("HTTP/1.1 200 OK\n\n")).running() as server:
        to = sender(resolve=lambda _name, _port: ["127.0.0.2", "127.0.0.1"], timeout_s=2)
        assert post(server.port, to, host="hooks.example.com") == Answer(200, "200")


def test_an_answer_may_take_all_of_the_time_that_is_left_though_a_name_has_two_addresses() -> None:
    def late(connection: socket.socket) -> None:
        time.sleep(1.7)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")

    with Server(late).running() as server:
        to = sender(resolve=lambda _name, _port: ["127.0.0.1", "127.0.0.2"], timeout_s=3)
        assert post(server.port, to, host="hooks.example.com") == Answer(200, "200")


@pytest.fixture
def in_tokyo() -> Iterator[None]:
    """The process has a zone of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("90", 90),
        ("Wed, 15 Jan 2025 10:31:00 GMT", 60),
        ("Wed, 15 Jan 2025 10:29:00 GMT", 0),
        ("Wed, 15 Jan 2025 10:31:00 -0000", 60),
        ("Wednesday, 15-Jan-25 10:31:00 GMT", 60),
        ("Wed Jan 15 10:31:00 2025", 60),
        ("", None),
        ("-1", None),
        ("soon", None),
        ("1.5", None),
        ("9" * 41, None),
        ("²", None),
    ],
)
@pytest.mark.usefixtures("in_tokyo")
def test_a_retry_after_is_seconds_or_a_date_of_utc(text: str, seconds: int | None) -> None:
    assert retry_after_s(text, NOW_S) == seconds


def _authority(folder: Path, name: str) -> tuple[str, ssl.SSLContext]:
    """Return the file of a new authority, and a server's context with its certificate for a name."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    file = folder / "authority.pem"
    authority.cert_pem.write_to_path(str(file))
    return str(file), context
