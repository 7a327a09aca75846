"""The WebSocket server of a local run: it lets clients in, passes messages on, cuts slow readers off, says goodbye."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from chalicelib.apis.kit.sockets import MESSAGE_BYTES_MAX, Opened, Opening
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
        self.sessions = SimpleNamespace(close=self.closed.append)

    def connect(self, opening: Opening) -> Opened:
        if opening.query.get("refuse"):
            return Opened(429, "Too many connections")
        self.openings.append(opening)
        return Opened(200)

    def message(self, connection_id: str, content: bytes) -> None:
        self.server.send(connection_id, content)


class Running:
    def __init__(self) -> None:
        self.server = WebSocketServer(free_port(0))
        self.desk = Desk(self.server)
        self.server.desk = self.desk  # type: ignore[assignment]
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.server.run, args=(self.stop,), daemon=True)
        self.thread.start()
        assert self.server.is_open.wait(WAIT_S)

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
