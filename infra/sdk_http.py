"""HTTP as AWS's SDKs speak it: requests with a Content-Length, on connections that stay open.

h11 parses what clients of the API send (``http_reading``); it takes several times as long for a request, of which each
order makes several. Bodies in chunks are refused. A request is answered where its last byte arrives, one after the
other, so there are no tasks, and nothing is in flight when its server stops.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from uuid import uuid4

HEAD_BYTES_MAX = 64 * 1024
BODY_BYTES_MAX = 32 * 1024 * 1024
"""DynamoDB's largest request is a BatchWriteItem of 16 MB."""
_END_OF_HEAD = b"\r\n\r\n"


class _Refused(Exception):
    """The request is no HTTP that this server speaks. It is answered with this status, and the connection closed."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a request. headers: in lower case. length: of the body, in bytes."""

    method: str
    path: str
    headers: dict[str, str]
    length: int
    keeps_open: bool


class Connection(asyncio.Protocol):
    """One client's connection. others: of its server, this one included. answer: a request's head and body in, the
    response out.
    """

    def __init__(self, others: set[Connection], answer: Callable[[Head, bytes], bytes]) -> None:
        self._others = others
        self._answer = answer
        self._transport: Any = None
        self._received = bytearray()
        self._head: Head | None = None
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
                self._transport.write(self._answer(head, body))
                if not head.keeps_open:
                    self._transport.close()
        except _Refused as refused:
            self._transport.write(response(refused.status, {"Connection": "close"}, str(refused).encode()))
            self._transport.close()

    def close(self) -> None:
        self._transport.close()

    def _next(self) -> tuple[Head, bytes] | None:
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


def _head_of(text: bytes) -> Head:
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
    return Head(method, path, headers, length, keeps_open)


def response(status: HTTPStatus, headers: Mapping[str, object], body: bytes) -> bytes:
    """Return a response as it is sent."""
    all_of_them = {**headers, "Content-Length": len(body), "x-amzn-RequestId": uuid4()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in all_of_them.items())
    return f"HTTP/1.1 {int(status)} {status.phrase}\r\n{lines}\r\n".encode("latin-1") + body
