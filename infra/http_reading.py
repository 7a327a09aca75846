"""HTTP request parsing of the local server: a request is read completely and unambiguously, or refused.

h11 parses; this module adds the rules of RFC 9112 that h11 leaves open, in their strict reading. A request whose end is
ambiguous is refused and its connection closed, which prevents request smuggling. A request is handed over only when its
body is complete, so a truncated request changes nothing.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

import h11

HEAD_BYTES_MAX = 32 * 1024
HEADERS_MAX = 100
BODY_BYTES_MAX = 10 * 1024 * 1024
"""The limit of API Gateway."""
CHUNK_MARKS_BYTES_MAX = 512 * 1024
"""Total size of a body's chunk headers, which bounds the number of chunks: each one takes time, however small."""
LENGTH_MAX = 2**63 - 1
REQUEST_S_MAX = 30.0
"""Time from a request's first byte to its last."""
IDLE_S_MAX = 75.0
"""Idle time between two requests of one connection."""
RECEIVED_AT_ONCE = 64 * 1024

_END_OF_HEAD = re.compile(rb"\n\r?\n")
_LINE_BREAKS = b"\r\n"
_TLS_HANDSHAKE = b"\x16"
_BEGIN_OF_REQUEST = re.compile(rb"[\w!#$%&'*+.^`|~-]+(?: |\Z)", re.ASCII)
"""A method and the blank after it, or the part of them received so far."""
_WITH_HOST = re.compile(r"https?://[^/?#]+", re.IGNORECASE)
_GO_ON = h11.InformationalResponse(status_code=HTTPStatus.CONTINUE, headers=[])


class RequestRefused(Exception):
    """The request is answered with this status, and the connection is closed."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


class ConnectionEnded(Exception):
    """The client sends no more requests."""


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """One complete request.

    target: path and query as sent, always with a leading slash. headers: names as sent; the first value of a repeated
    header. body: decoded from chunks. protocol: the h11 connection that frames the answer.
    """

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    protocol: h11.Connection


class RequestReader:
    """Reads the requests of one connection in turn. clock: monotonic seconds."""

    def __init__(self, connection: socket.socket, clock: Callable[[], float] = time.monotonic) -> None:
        self._connection = connection
        self._clock = clock
        self._received = b""

    def read(self) -> ReadRequest:
        """Return the next request. Raises RequestRefused, ConnectionEnded, OSError."""
        self._wait_for_first_byte()
        deadline_s = self._clock() + REQUEST_S_MAX
        head_length = self._read_head(deadline_s)
        _refuse_ambiguous_lines(self._received[:head_length])
        protocol = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES_MAX)
        try:
            protocol.receive_data(self._received)
            request = protocol.next_event()
        except h11.RemoteProtocolError as error:
            raise _malformed(error, "this is no HTTP request, or one with a malformed head") from error
        if not isinstance(request, h11.Request):
            raise RequestRefused(HTTPStatus.BAD_REQUEST, "this is no HTTP request")
        _refuse_ambiguous_framing(request)
        _refuse_unannounced_body(request, self._received[head_length:])
        target = _path_of(request)
        try:
            body = self._read_body(protocol, deadline_s)
        except h11.RemoteProtocolError as error:
            raise _malformed(error, "the body's chunks are malformed") from error
        self._received = protocol.trailing_data[0]
        return ReadRequest(request.method.decode("ascii"), target, _headers_of(request), body, protocol)

    def _wait_for_first_byte(self) -> None:
        """Wait for the next request. Line breaks before it are skipped (RFC 9112, 2.2). Refuses TLS."""
        deadline_s = self._clock() + IDLE_S_MAX
        self._received = self._received.lstrip(_LINE_BREAKS)
        while not self._received:
            try:
                received = self._receive(deadline_s)
            except TimeoutError:
                raise ConnectionEnded from None
            if not received:
                raise ConnectionEnded
            self._received = received.lstrip(_LINE_BREAKS)
        if self._received.startswith(_TLS_HANDSHAKE):  # whose client waits for an answer, and ends no head
            raise RequestRefused(HTTPStatus.BAD_REQUEST, "this is TLS; the address here begins with http://")

    def _read_head(self, deadline_s: float) -> int:
        """Receive until the head is complete; return its length."""
        searched = 0
        while (end := _END_OF_HEAD.search(self._received, max(0, searched - len(_LINE_BREAKS)))) is None:
            if len(self._received) > HEAD_BYTES_MAX:
                break
            searched = len(self._received)
            self._received += self._receive_more(deadline_s, "the request ends within its head")
        if end is None or end.end() > HEAD_BYTES_MAX:
            raise RequestRefused(
                HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"a request's head has at most {HEAD_BYTES_MAX} bytes"
            )
        return end.end()

    def _read_body(self, protocol: h11.Connection, deadline_s: float) -> bytes:
        body, length, framed = [], 0, 0
        while True:
            event = protocol.next_event()
            if length + _announced(protocol) > BODY_BYTES_MAX:
                raise _too_large()
            if event is h11.NEED_DATA:
                if protocol.they_are_waiting_for_100_continue:
                    self._connection.sendall(protocol.send(_GO_ON) or b"")
                if framed - length > CHUNK_MARKS_BYTES_MAX:
                    raise RequestRefused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "a body's chunks are too many")
                received = self._receive_more(deadline_s, "the request's body is shorter than its length")
                framed += len(received)
                protocol.receive_data(received)
            elif isinstance(event, h11.Data):
                length += len(event.data)
                if length > BODY_BYTES_MAX:
                    raise _too_large()
                body.append(bytes(event.data))
            else:
                return b"".join(body)

    def _receive_more(self, deadline_s: float, complaint: str) -> bytes:
        try:
            received = self._receive(deadline_s)
        except TimeoutError as error:
            raise RequestRefused(
                HTTPStatus.REQUEST_TIMEOUT, f"a request has to be complete within {REQUEST_S_MAX:.0f} s"
            ) from error
        if not received:
            raise RequestRefused(HTTPStatus.BAD_REQUEST, complaint)
        return received

    def _receive(self, deadline_s: float) -> bytes:
        left_s = deadline_s - self._clock()
        if left_s <= 0:
            raise TimeoutError
        self._connection.settimeout(left_s)
        try:
            return self._connection.recv(RECEIVED_AT_ONCE)
        finally:
            self._connection.settimeout(REQUEST_S_MAX)


def _announced(protocol: h11.Connection) -> int:
    """Return how many bytes of the current chunk are still to come; h11 knows this but has no public access to it."""
    return int(getattr(protocol._reader, "_bytes_in_chunk", 0))


def _malformed(error: h11.RemoteProtocolError, what: str) -> RequestRefused:
    status = HTTPStatus(error.error_status_hint)
    if status is HTTPStatus.NOT_IMPLEMENTED:
        what = "of transfer codings chunked alone is known, and once"
    return RequestRefused(status, what)


def _refuse_ambiguous_lines(head: bytes) -> None:
    """Refuse what h11 would repair: folded lines, a repeated Content-Length, too many headers."""
    lines = head.splitlines()[1:]
    if len(lines) > HEADERS_MAX + 1:
        raise RequestRefused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"a request has at most {HEADERS_MAX} headers")
    if any(line.startswith((b" ", b"\t")) for line in lines):
        raise RequestRefused(HTTPStatus.BAD_REQUEST, "a header goes on in a further line")
    lengths = [line.partition(b":")[2] for line in lines if line.lower().startswith(b"content-length:")]
    if len(lengths) > 1 or any(b"," in length for length in lengths):
        raise RequestRefused(HTTPStatus.BAD_REQUEST, "Content-Length comes more than once")


def _refuse_ambiguous_framing(request: h11.Request) -> None:
    headers: dict[bytes, bytes] = dict(request.headers)
    length, is_chunked = headers.get(b"content-length"), b"transfer-encoding" in headers
    if request.http_version not in (b"1.0", b"1.1"):
        raise RequestRefused(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "HTTP 1.1 and 1.0 are spoken here")
    if is_chunked and length is not None:
        raise RequestRefused(HTTPStatus.BAD_REQUEST, "Content-Length and Transfer-Encoding exclude each other")
    if is_chunked and request.http_version == b"1.0":
        raise RequestRefused(HTTPStatus.BAD_REQUEST, "HTTP/1.0 has no Transfer-Encoding")
    if length is not None and int(length) > LENGTH_MAX:
        raise RequestRefused(HTTPStatus.BAD_REQUEST, "Content-Length is no length")
    if length is not None and int(length) > BODY_BYTES_MAX:
        raise _too_large()
    expected = headers.get(b"expect", b"100-continue").lower()
    if expected != b"100-continue":
        raise RequestRefused(HTTPStatus.EXPECTATION_FAILED, "nothing but 100-continue may be expected")


def _refuse_unannounced_body(request: h11.Request, following: bytes) -> None:
    """Refuse a request that announces no body but sends one, since the handler would run without it.

    following: the bytes received after its head; they belong to the next request if this one has no body.
    """
    headers = dict(request.headers)
    if b"content-length" in headers or b"transfer-encoding" in headers:
        return
    following = following.lstrip(_LINE_BREAKS)
    if following and not _BEGIN_OF_REQUEST.match(following):
        raise RequestRefused(HTTPStatus.LENGTH_REQUIRED, "a body needs a Content-Length, or to be sent in chunks")


def _path_of(request: h11.Request) -> str:
    """Return path and query of the target, in origin form or absolute form (RFC 9112, 3.2.2)."""
    target = request.target.decode("ascii")
    if with_host := _WITH_HOST.match(target):
        path = target[with_host.end() :]
        target = path if path.startswith("/") else f"/{path}"
    if not target.startswith("/") or "#" in target:
        raise RequestRefused(HTTPStatus.BAD_REQUEST, "the request's target is no path")
    return "/" + target.lstrip("/")


def _headers_of(request: h11.Request) -> dict[str, str]:
    """Return the headers without the hop-by-hop ones."""
    headers: dict[bytes, tuple[str, str]] = {}
    for name, value in request.headers.raw_items():
        headers.setdefault(name.lower(), (name.decode("ascii"), value.decode("latin-1")))
    headers.pop(b"transfer-encoding", None)
    headers.pop(b"expect", None)
    return dict(headers.values())


def _too_large() -> RequestRefused:
    return RequestRefused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a body has at most {BODY_BYTES_MAX} bytes")
