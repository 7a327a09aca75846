"""HTTP of the local DynamoDB: what its requests look like on the wire, and what is refused."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from infra import engine_server
from infra.sdk_http import Connection
from infra.settings import HOST

ANSWER_S_MAX = 10
NO_TABLE = b'{"TableName": "none"}'


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The port of a server in this process."""
    loop = asyncio.new_event_loop()
    connections: set[Connection] = set()
    server = loop.run_until_complete(loop.create_server(lambda: Connection(connections, engine_server.answer), HOST, 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield server.sockets[0].getsockname()[1]
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    server.close()
    loop.close()


@pytest.fixture
def connection(port: int) -> Iterator[socket.socket]:
    with socket.create_connection((HOST, port), timeout=ANSWER_S_MAX) as connection:
        yield connection


def request(
    action: str, body: bytes, *more: str, version: str = "HTTP/1.1", service: str = "DynamoDB_20120810"
) -> bytes:
    lines = [f"POST / {version}", f"X-Amz-Target: {service}.{action}", f"Content-Length: {len(body)}", *more, "", ""]
    return "\r\n".join(lines).encode() + body


def answers(connection: socket.socket, number: int) -> list[tuple[int, dict[str, str], Any]]:
    """Read so many answers: status, headers, body."""
    received, found = b"", []
    while len(found) < number:
        head, end, rest = received.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
        if not end or len(rest) < int(headers["content-length"]):
            more = connection.recv(65536)
            assert more, received
            received += more
            continue
        length = int(headers["content-length"])
        found.append((int(lines[0].split(" ")[1]), headers, rest[:length].decode()))
        received = rest[length:]
    assert received == b""
    return found


def is_closed(connection: socket.socket) -> bool:
    return connection.recv(1) == b""


def test_requests_on_one_connection_are_answered_in_their_order(connection: socket.socket) -> None:
    wrong = request("DescribeStream", b"{}", service="DynamoDBStreams_20120810")
    connection.sendall(request("ListTables", b"{}") + request("DescribeTable", NO_TABLE) + wrong)
    (first, headers, tables), (second, _, refusal), (third, _, _) = answers(connection, 3)
    assert (first, second, third) == (200, 400, 400)
    assert "TableNames" in json.loads(tables)
    assert json.loads(refusal)["__type"].endswith("ResourceNotFoundException")
    assert headers["x-amzn-requestid"]


def test_a_request_may_arrive_in_any_pieces(connection: socket.socket) -> None:
    sent = request("DescribeTable", NO_TABLE) + request("ListTables", b"{}")
    for at in range(0, len(sent), 7):
        connection.sendall(sent[at : at + 7])
    assert [status for status, _, _ in answers(connection, 2)] == [400, 200]


def test_a_client_may_look_whether_the_engine_is_there(connection: socket.socket) -> None:
    connection.sendall(b"GET /anything HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answers(connection, 1)[0][0] == 200


@pytest.mark.parametrize("how", [{"version": "HTTP/1.0"}, {"more": "Connection: close"}])
def test_a_connection_ends_where_the_client_wants_it(connection: socket.socket, how: dict[str, str]) -> None:
    more = [how["more"]] if "more" in how else []
    connection.sendall(request("ListTables", b"{}", *more, version=how.get("version", "HTTP/1.1")))
    assert answers(connection, 1)[0][0] == 200
    assert is_closed(connection)


REFUSED = {
    "no HTTP": (b"hello\r\n\r\n", 400),
    "a header without a colon": (b"POST / HTTP/1.1\r\nhello\r\n\r\n", 400),
    "a length that is none": (b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400),
    "a length below zero": (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
    "another version": (b"POST / HTTP/2\r\n\r\n", 400),
    "a body in chunks": (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
    "a body too large": (b"POST / HTTP/1.1\r\nContent-Length: 33554433\r\n\r\n", 413),
    "a head too large": (b"POST / HTTP/1.1\r\nX: " + b"x" * 65_517, 431),
}


@pytest.mark.parametrize(("sent", "status"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_request_of_an_sdk_is_refused(connection: socket.socket, sent: bytes, status: int) -> None:
    connection.sendall(sent)
    assert answers(connection, 1)[0][0] == status
    assert is_closed(connection)


def test_a_fault_of_the_engine_is_an_internal_error(connection: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    from ministack.services import dynamodb

    async def failing(*_: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(dynamodb, "handle_request", failing)
    connection.sendall(request("ListTables", b"{}"))
    ((status, _, body),) = answers(connection, 1)
    assert (status, json.loads(body)["__type"]) == (500, "InternalServerError")
