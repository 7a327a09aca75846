"""The WebSocket server of a local run: it lets clients in, passes messages on, cuts slow readers off, says goodbye."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from chalicelib.apis.kit.sockets import MESSAGE_BYTES_MAX, Opened, Opening
from chalicelib.apis.sockets import Sockets
from chalicelib.services.push.sending import Gone
from infra.settings import HOST, free_port
from infra.websocket_server import QUEUED_BYTES_MAX, WebSocketServer

WAIT_S = 10


class Desk:
    """A desk that notes what it is told, and answers each message with itself."""

    def __init__(self, server: WebSocketServer) -> None:
        self.server = server
        self.openings: list[Opening] = []
        self.closed: list[str] = []

    def connect(self, opening: Opening) -> Opened:
        if opening.query.get("refuse"):
            return Opened(429, "Too many connections")
        self.openings.append(opening)
        return Opened(200)

    def message(self, connection_id: str, content: bytes) -> None:
        self.server.send(connection_id, content)

    def close(self, connection_id: str) -> None:
        self.closed.append(connection_id)


class Running:
    def __init__(self, **bounds: float) -> None:
        self.server = WebSocketServer(free_port(0), **bounds)
        self.desk = Desk(self.server)
        self.server.answer = Sockets({"trade": self.desk}, self.desk).answer  # type: ignore[arg-type]  # as sessions
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.server.run, args=(self.stop,), daemon=True)
        self.thread.start()
        assert self.server.is_open.wait(WAIT_S)

    @property
    def port(self) -> int:
        return int(self.server.url.rpartition(":")[2])

    def client(self, path: str = "/", **more: Any) -> ClientConnection:
        return connect(self.server.url + path, open_timeout=WAIT_S, **more)

    @property
    def last(self) -> str:
        return self.desk.openings[-1].connection_id


@pytest.fixture
def running() -> Iterator[Running]:
    running = Running()
    yield running
    running.stop.set()
    running.thread.join(WAIT_S)
    assert not running.thread.is_alive()


def until(condition: Any) -> None:
    end_s = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end_s
        time.sleep(0.01)


def send_again_and_again(server: WebSocketServer, connection_id: str, message: bytes) -> None:
    for _ in range(100 * QUEUED_BYTES_MAX // len(message)):
        server.send(connection_id, message)


def fill(server: WebSocketServer, connection_id: str, message: bytes) -> None:
    """Send until no more may wait: sockets' buffers are full, and the server's own almost."""
    client = server._clients[connection_id]
    for _ in range(100 * QUEUED_BYTES_MAX // len(message)):
        if client.queued_bytes + len(message) <= QUEUED_BYTES_MAX:
            server.send(connection_id, message)
            continue
        time.sleep(0.1)  # what the sockets' buffers have room for is sent meanwhile
        if client.queued_bytes + len(message) > QUEUED_BYTES_MAX:
            return
    raise AssertionError("the client reads")


def read_to_the_end(client: ClientConnection) -> None:
    while True:
        client.recv(WAIT_S)


def test_messages_go_to_the_desk_and_back(running: Running) -> None:
    with running.client("/?desk=trade", additional_headers={"X-Api-Key": "key"}) as client:
        client.send('{"method":"ping"}')
        assert client.recv(WAIT_S) == '{"method":"ping"}'
    opening = running.desk.openings[0]
    assert (opening.client_address, opening.query, opening.headers["x-api-key"]) == (HOST, {"desk": "trade"}, "key")
    until(lambda: running.desk.closed == [opening.connection_id])
    with pytest.raises(Gone):
        running.server.send(opening.connection_id, b"{}")


def test_a_client_that_the_desk_refuses_gets_its_status_and_why(running: Running) -> None:
    with pytest.raises(InvalidStatus) as refused:
        running.client("/?refuse=1")
    assert (refused.value.response.status_code, refused.value.response.body) == (429, b"Too many connections\n")


def test_a_message_that_is_too_long_ends_the_connection(running: Running) -> None:
    with running.client() as client:
        client.send("x" * (MESSAGE_BYTES_MAX + 1))
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(WAIT_S)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009


def test_a_client_that_does_not_read_is_cut_off_with_a_reason_and_others_go_on(running: Running) -> None:
    with running.client(max_queue=1) as slow, running.client() as quick:
        slow_id, quick_id = (opening.connection_id for opening in running.desk.openings)
        message = json.dumps("x" * 60_000).encode()
        with pytest.raises(Gone):
            send_again_and_again(running.server, slow_id, message)
        running.server.send(quick_id, b"still here")
        assert quick.recv(WAIT_S) == "still here"
        with pytest.raises(ConnectionClosed) as closed:
            read_to_the_end(slow)
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1013, "too slow: messages were not read")


def test_a_stop_is_announced_to_every_client(running: Running) -> None:
    with running.client() as client:
        running.stop.set()
        announced = json.loads(client.recv(WAIT_S))
        assert announced == {"id": -1, "topic": "system", "body": {"message": "the server is stopping"}}
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(WAIT_S)
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1001, "the server is stopping")


def test_what_is_no_handshake_opens_no_connection(running: Running) -> None:
    """A row that nothing closes would count against its address."""
    http = HTTPConnection(HOST, running.port, timeout=WAIT_S)
    for _ in range(3):
        http.request("GET", "/")
        assert http.getresponse().status == 426
        http.close()
    with pytest.raises(InvalidStatus) as refused:
        running.client("/no/such/path")
    assert refused.value.response.status_code == 404
    assert running.desk.openings == []


def who_never_reads(running: Running) -> socket.socket:
    """Return a client's socket, behind its handshake, from which nothing more is read."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(WAIT_S)
    client.connect((HOST, running.port))
    headers = (
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {'A' * 22}==",
    )
    client.sendall("\r\n".join(["GET / HTTP/1.1", f"Host: {HOST}", *headers, "", ""]).encode())
    assert client.recv(12) == b"HTTP/1.1 101"
    return client


def test_clients_that_do_not_read_delay_a_stop_once_and_all_are_closed() -> None:
    running = Running()
    clients = [who_never_reads(running) for _ in range(6)]
    until(lambda: len(running.server._clients) == len(clients))
    message = json.dumps("x" * 60_000).encode()
    for opening in running.desk.openings:
        fill(running.server, opening.connection_id, message)
    running.stop.set()
    running.thread.join(WAIT_S)
    assert not running.thread.is_alive()
    assert sorted(running.desk.closed) == sorted(opening.connection_id for opening in running.desk.openings)
    for client in clients:
        client.close()


@pytest.mark.parametrize(
    ("bounds", "reason"), [({"idle_s": 0.2}, "idle"), ({"life_s": 0.2}, "the connection's time is over")]
)
def test_a_connection_that_is_idle_or_old_is_ended(bounds: dict[str, float], reason: str) -> None:
    running = Running(**bounds)
    with running.client() as client, pytest.raises(ConnectionClosed) as closed:
        client.recv(WAIT_S)
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1001, reason)
    until(lambda: running.desk.closed == [running.last])
    running.stop.set()
    running.thread.join(WAIT_S)
