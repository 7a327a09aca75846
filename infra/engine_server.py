"""HTTP server of the local DynamoDB: passes calls of DynamoDB and of its streams straight to ministack's functions.

It exists for its cost: an HTTP server for all of ministack's services, and the routing between them, take several times
the CPU that a call of DynamoDB itself takes. A request is answered where its last byte arrives, one after the other, so
there are no tasks, and nothing is in flight when the server stops.

It speaks the HTTP that AWS's SDKs speak to DynamoDB: POST with a Content-Length, on connections that stay open. Bodies
in chunks are refused. Every GET is answered with 200: the engine is there.
"""

from __future__ import annotations

import asyncio
import json
import logging
import signal
from collections.abc import Coroutine
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from uuid import uuid4

HEAD_BYTES_MAX = 64 * 1024
BODY_BYTES_MAX = 32 * 1024 * 1024
"""DynamoDB's largest request is a BatchWriteItem of 16 MB."""
_END_OF_HEAD = b"\r\n\r\n"
_STREAMS = "DynamoDBStreams_"
_LOG = logging.getLogger(__name__)


class _Refused(Exception):
    """The request is no HTTP that this server speaks. It is answered with this status, and the connection closed."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status


@dataclass(frozen=True, slots=True)
class _Head:
    method: str
    path: str
    headers: dict[str, str]
    length: int
    """Of the body, in bytes."""
    keeps_open: bool


class Connection(asyncio.Protocol):
    """One client's connection."""

    def __init__(self, others: set[Connection]) -> None:
        self._others = others
        self._transport: Any = None
        self._received = bytearray()
        self._head: _Head | None = None
        """Of the request whose body is still arriving."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._others.add(self)

    def connection_lost(self, _error: Exception | None) -> None:
        self._others.discard(self)

    def data_received(self, data: bytes) -> None:
        self._received += data
        try:
            while not self._transport.is_closing() and (request := self._next()) is not None:
                head, body = request
                self._transport.write(_answer(head, body))
                if not head.keeps_open:
                    self._transport.close()
        except _Refused as refused:
            self._transport.write(_response(refused.status, {"Connection": "close"}, str(refused).encode()))
            self._transport.close()

    def close(self) -> None:
        self._transport.close()

    def _next(self) -> tuple[_Head, bytes] | None:
        """Return the next request, once all of it is here. Raises _Refused."""
        if self._head is None:
            end = self._received.find(_END_OF_HEAD)
            if max(end, len(self._received) if end < 0 else 0) > HEAD_BYTES_MAX:
                raise _Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
            if end < 0:
                return None
            self._head = _head_of(bytes(self._received[:end]))
            del self._received[: end + len(_END_OF_HEAD)]
        head = self._head
        if len(self._received) < head.length:
            return None
        body = bytes(self._received[: head.length])
        del self._received[: head.length]
        self._head = None
        return head, body


def _head_of(text: bytes) -> _Head:
    first, *lines = text.decode("latin-1").split("\r\n")
    try:
        method, path, version = first.split(" ")
        fields = [line.split(":", 1) for line in lines]
        headers = {name.lower(): value.strip() for name, value in fields}
        length = int(headers.get("content-length", "0"))
    except ValueError:
        raise _Refused(HTTPStatus.BAD_REQUEST) from None
    if version not in ("HTTP/1.1", "HTTP/1.0") or length < 0:
        raise _Refused(HTTPStatus.BAD_REQUEST)
    if "transfer-encoding" in headers:
        raise _Refused(HTTPStatus.LENGTH_REQUIRED)
    if length > BODY_BYTES_MAX:
        raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    keeps_open = version == "HTTP/1.1" and headers.get("connection", "").lower() != "close"
    return _Head(method, path, headers, length, keeps_open)


def _answer(head: _Head, body: bytes) -> bytes:
    if head.method == "GET":
        return _response(HTTPStatus.OK, {"Content-Type": "text/plain"}, b"DynamoDB\n")
    try:
        status, headers, answer = _called(head, body)
    except Exception:
        _LOG.exception("%s failed", head.headers.get("x-amz-target"))
        status, headers = HTTPStatus.INTERNAL_SERVER_ERROR, {"Content-Type": "application/x-amz-json-1.0"}
        answer = json.dumps({"__type": "InternalServerError", "message": "the local DynamoDB failed"})
    return _response(HTTPStatus(status), headers, answer if isinstance(answer, bytes) else answer.encode())


def _called(head: _Head, body: bytes) -> tuple[int, dict[str, Any], str | bytes]:
    """Return the answer of ministack's function, for the account and region in the request's signature."""
    from ministack.core import responses, router
    from ministack.services import dynamodb, dynamodb_streams

    responses.set_request_account_id(router.extract_access_key_id(head.headers))
    responses.set_request_region(router.extract_region(head.headers))
    service: Any = dynamodb_streams if head.headers.get("x-amz-target", "").startswith(_STREAMS) else dynamodb
    answer: tuple[int, dict[str, Any], str | bytes] = _result(
        service.handle_request(head.method, head.path, head.headers, body, {})
    )
    return answer


def _result(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Return the result of a coroutine that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    coroutine.close()
    raise RuntimeError("ministack's function waits for something")


def _response(status: HTTPStatus, headers: dict[str, Any], body: bytes) -> bytes:
    all_of_them = headers | {"Content-Length": len(body), "x-amzn-RequestId": uuid4()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in all_of_them.items())
    return f"HTTP/1.1 {int(status)} {status.phrase}\r\n{lines}\r\n".encode("latin-1") + body


async def serve(host: str, port: int) -> None:
    """Serve until SIGINT or SIGTERM. Raises OSError if the port is taken."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    connections: set[Connection] = set()
    server = await loop.create_server(lambda: Connection(connections), host, port)
    await stop.wait()
    server.close()
    for connection in list(connections):
        connection.close()
