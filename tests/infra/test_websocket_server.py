"""The WebSocket gateway of a local run: it lets clients in, passes messages on, cuts slow readers off, says goodbye."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPConnection
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from chalicelib.services.push.sending import MESSAGE_BYTES_MAX, GatewaySender, Gone
from chalicelib.wiring.push import sender_at
from infra import websocket_server
from infra.functions import LambdaContext
from infra.settings import HOST, free_port
from infra.websocket_server import FRAME_BYTES_MAX, QUEUED_BYTES_MAX, Gateway

WAIT_S = 10
Event = dict[str, Any]


class Function:
    """A function that keeps its events by kind, and answers each message with itself."""

    def __init__(self) -> None:
        self.events: dict[str, list[Event]] = {"CONNECT": [], "MESSAGE": [], "DISCONNECT": []}
        self.sender: GatewaySender

    def __call__(self, event: Event, context: LambdaContext) -> Event:
        assert context.function_name == "websocket"
        self.events[event["requestContext"]["eventType"]].append(event)
        return getattr(self, event["requestContext"]["routeKey"].removeprefix("$"))(event)  # type: ignore[no-any-return]

    def connect(self, event: Event) -> Event:
        with pytest.raises(Gone):
            self.sender.send(name_of(event), b"too early")
        query = event["queryStringParameters"] or {}
        if "refuse" in query:
            return {"statusCode": 429, "body": "Too many connections"}
        if "fail" in query:
            raise ValueError(query)
        return {"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": "jwt"} if "jwt" in query else {}}

    def default(self, event: Event) -> Event:
        if event["body"] == "fail":
            raise ValueError(event)
        self.sender.send(name_of(event), event["body"].encode())
        return {"statusCode": 200}

    def disconnect(self, _event: Event) -> Event:
        return {"statusCode": 200}

    @property
    def connected(self) -> list[str]:
        return [name_of(event) for event in self.events["CONNECT"]]

    @property
    def closed(self) -> list[str]:
        return [name_of(event) for event in self.events["DISCONNECT"]]


def name_of(event: Event) -> str:
    return str(event["requestContext"]["connectionId"])


class Running:
    def __init__(self, **bounds: float) -> None:
        self.function = Function()
        self.gateway = Gateway(free_port(0), self.function, **bounds)
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.gateway.run, args=(self.stop,), daemon=True)
        self.thread.start()
        assert self.gateway.is_open.wait(WAIT_S)
        self.sender = self.function.sender = sender_at(self.gateway.connections_url)

    @property
    def port(self) -> int:
        return int(self.gateway.url.rpartition(":")[2])

    def client(self, path: str = "/", **more: Any) -> ClientConnection:
        return connect(self.gateway.url + path, open_timeout=WAIT_S, **more)

    @property
    def last(self) -> str:
        return self.function.connected[-1]


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


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


def send_again_and_again(sender: GatewaySender, connection_id: str, message: bytes) -> None:
    for _ in range(100 * QUEUED_BYTES_MAX // len(message)):
        sender.send(connection_id, message)


def fill(running: Running, connection_id: str, message: bytes) -> None:
    """Send until no more may wait: sockets' buffers are full, and the server's own almost."""
    client = running.gateway._clients[connection_id]
    for _ in range(100 * QUEUED_BYTES_MAX // len(message)):
        if client.queued_bytes + len(message) <= QUEUED_BYTES_MAX:
            running.sender.send(connection_id, message)
            continue
        time.sleep(0.1)  # what the sockets' buffers have room for is sent meanwhile
        if client.queued_bytes + len(message) > QUEUED_BYTES_MAX:
            return
    raise AssertionError("the client reads")


def read_to_the_end(client: ClientConnection) -> None:
    while True:
        client.recv(WAIT_S)


def test_who_is_cut_off_before_it_was_let_in_has_left_once_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its handshake takes too long: what the handler has noted of it ends nevertheless."""
    monkeypatch.setattr(websocket_server, "OPENING_S", 0.1)
    running, goes_on = Running(), threading.Event()
    let_in = running.function.connect

    def connect_later(event: Event) -> Event:
        assert goes_on.wait(WAIT_S)
        return let_in(event)

    monkeypatch.setattr(running.function, "connect", connect_later)
    with pytest.raises(InvalidMessage):
        running.client()
    assert running.function.closed == []
    goes_on.set()
    until(lambda: running.function.closed == running.function.connected == [running.last])
    running.stop.set()
    running.thread.join(WAIT_S)


def test_what_a_client_does_becomes_events_and_what_is_sent_to_it_arrives(running: Running) -> None:
    with running.client("/ws/x?a=1&a=2", additional_headers={"X-Api-Key": "key"}) as client:
        client.send('{"method":"ping"}')
        assert client.recv(WAIT_S) == '{"method":"ping"}'
        client.send(b"bytes")
        assert client.recv(WAIT_S) == "Ynl0ZXM="
        assert running.sender.is_open(running.last)
    until(lambda: running.function.closed == [running.last])
    assert not running.sender.is_open(running.last)
    events = running.function.events
    connecting, (text, binary), leaving = events["CONNECT"][0], events["MESSAGE"], events["DISCONNECT"][0]
    context = connecting["requestContext"]
    assert (context["routeKey"], context["identity"]) == ("$connect", {"sourceIp": HOST})
    assert (connecting["path"], connecting["queryStringParameters"]) == ("/ws/x", {"a": "2"})
    assert connecting["headers"]["X-Api-Key"] == "key"
    assert (text["isBase64Encoded"], binary["isBase64Encoded"]) == (False, True)
    assert leaving["requestContext"]["routeKey"] == "$disconnect"
    with pytest.raises(Gone):
        running.sender.send(running.last, b"{}")
    running.sender.close(running.last)


def test_a_sender_asks_about_a_connection_and_ends_it(running: Running) -> None:
    began_s = int(time.time())
    with running.client() as client:
        client.send("hello")
        client.recv(WAIT_S)
        found = running.sender._client.get_connection(ConnectionId=running.last)
        assert began_s <= found["ConnectedAt"].timestamp() <= found["LastActiveAt"].timestamp() + 1
        assert found["Identity"]["SourceIp"] == HOST
        running.sender.close(running.last)
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(WAIT_S)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1000


def test_a_message_longer_than_api_gateway_takes_cuts_its_client_off(running: Running) -> None:
    with running.client(max_size=2 * MESSAGE_BYTES_MAX) as client:
        running.sender.send(running.last, b"x" * MESSAGE_BYTES_MAX)
        assert len(client.recv(WAIT_S)) == MESSAGE_BYTES_MAX
        with pytest.raises(Gone):
            running.sender.send(running.last, b"x" * (MESSAGE_BYTES_MAX + 1))
        with pytest.raises(ConnectionClosed):
            client.recv(WAIT_S)


def test_the_function_chooses_the_subprotocol(running: Running) -> None:
    with running.client("/?jwt=1", subprotocols=[Subprotocol("jwt"), Subprotocol("token")]) as client:
        assert client.subprotocol == "jwt"


def test_a_function_that_fails_lets_nobody_in_and_says_so_to_who_is(running: Running) -> None:
    with pytest.raises(InvalidStatus) as refused:
        running.client("/?fail=1")
    assert refused.value.response.status_code == 500
    with running.client() as client:
        client.send("fail")
        assert json.loads(client.recv(WAIT_S)) == {"message": "Internal server error", "connectionId": running.last}
        client.send("still here")
        assert client.recv(WAIT_S) == "still here"


def test_a_client_that_the_function_refuses_gets_its_status_and_why(running: Running) -> None:
    with pytest.raises(InvalidStatus) as refused:
        running.client("/?refuse=1")
    assert (refused.value.response.status_code, refused.value.response.body) == (429, b"Too many connections\n")


def test_a_message_that_is_too_long_ends_the_connection(running: Running) -> None:
    with running.client() as client:
        client.send("x" * (FRAME_BYTES_MAX + 1))
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(WAIT_S)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009


def test_a_client_that_does_not_read_is_cut_off_with_a_reason_and_others_go_on(running: Running) -> None:
    with running.client(max_queue=1) as slow, running.client() as quick:
        slow_id, quick_id = running.function.connected
        message = json.dumps("x" * 60_000).encode()
        with pytest.raises(Gone):
            send_again_and_again(running.sender, slow_id, message)
        running.sender.send(quick_id, b"still here")
        assert quick.recv(WAIT_S) == "still here"
        with pytest.raises(ConnectionClosed) as closed:
            read_to_the_end(slow)
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1013, "too slow: messages were not read")


def test_t181_clients_that_are_sent_much_do_not_delay_others(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each keeps a call of the function as long as that lasts."""
    goes_on, answer = threading.Event(), running.function.default

    def answer_late(event: Event) -> Event:
        if event["body"] == "resume":
            assert goes_on.wait(WAIT_S)
        return answer(event)

    monkeypatch.setattr(running.function, "default", answer_late)
    with ExitStack() as stack:
        stack.callback(goes_on.set)
        busy = [stack.enter_context(running.client()) for _ in range(40)]
        for client in busy:
            client.send("resume")
        until(lambda: len(running.function.events["MESSAGE"]) == len(busy))
        with running.client() as other:
            other.send("ping")
            assert other.recv(WAIT_S) == "ping"


def test_any_path_is_passed_on_as_it_came(running: Running) -> None:
    for path in ("//[", "//host/ws/x", "/%ff"):
        with running.client(path):
            pass
    assert [event["path"] for event in running.function.events["CONNECT"]] == ["//[", "//host/ws/x", "/%ff"]


def test_a_stop_is_announced_to_every_client(running: Running) -> None:
    with running.client() as client:
        running.stop.set()
        announced = json.loads(client.recv(WAIT_S))
        assert abs(announced.pop("timestamp") - time.time() * 1000) < WAIT_S * 1000
        body = {"message": "the server is stopping"}
        assert announced == {"id": -1, "topic": "system", "type": "system", "body": body}
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
    assert running.function.connected == []


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


def rest_of(client: socket.socket) -> bytes:
    """Return what a client has not read when its connection ends."""
    found = bytearray()
    while part := client.recv(65_536):
        found += part
    return bytes(found)


def test_a_stalled_client_finds_the_close_code_behind_what_it_had_not_read(running: Running) -> None:
    """It is cut off while its socket's buffers are full, and reads then."""
    with who_never_reads(running) as client:
        until(lambda: running.gateway._clients)
        fill(running, running.last, b"x" * 60_000)
        with pytest.raises(Gone):
            running.sender.send(running.last, b"x" * 60_000)
        reason = b"too slow: messages were not read"
        assert rest_of(client).endswith(bytes([0x88, 2 + len(reason)]) + (1013).to_bytes(2) + reason)
    until(lambda: running.function.closed == [running.last])


def test_clients_that_do_not_read_delay_a_stop_once_and_all_are_closed() -> None:
    running = Running()
    clients = [who_never_reads(running) for _ in range(6)]
    until(lambda: len(running.gateway._clients) == len(clients))
    message = json.dumps("x" * 60_000).encode()
    for name in running.function.connected:
        fill(running, name, message)
    running.stop.set()
    running.thread.join(WAIT_S)
    assert not running.thread.is_alive()
    assert sorted(running.function.closed) == sorted(running.function.connected)
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
    until(lambda: running.function.closed == [running.last])
    running.stop.set()
    running.thread.join(WAIT_S)
