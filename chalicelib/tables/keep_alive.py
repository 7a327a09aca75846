"""HTTP keep-alive: requests over connections that are open already, without the SDK's HTTP library between.

urllib3 opens, verifies, keeps and drops the connections, as ever. But of the CPU of a small call four tenths are its
work for each request and answer. So a request whose connection is open is written to the socket, and its answer read
from it, here. Everything else, such as the first request of a connection or one through a proxy, is urllib3's.
"""

from __future__ import annotations

from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

from chalicelib.support.ascii_case import ascii_lower

LINE_BYTES_MAX = 65_536
DEFAULT_PORTS = {"http": ":80", "https": ":443"}


class KeepAlive:
    """The HTTP session of an SDK client. session: the one that opens its connections."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._pools: dict[str, Any] = {}
        """By scheme and host: the pool of connections; None: a proxy is in between."""

    def send(self, request: Any) -> Any:
        """Return the answer. Raises as the SDK's own session does."""
        pool = self._pool(request.url)
        if pool is None or type(request.body) is not bytes or request.stream_output:
            return self._session.send(request)
        connection = pool._get_conn()
        try:
            if connection.sock is not None:
                return _exchange(connection, request, pool.timeout.read_timeout)
        finally:  # a place in the pool without a connection is None
            pool._put_conn(None if connection.sock is None else connection)
        return self._session.send(request)

    def close(self) -> None:
        self._pools.clear()
        self._session.close()

    def _pool(self, url: str) -> Any:
        host = url[: url.find("/", len("https://")) + 1]
        if host not in self._pools:
            is_direct = not self._session._proxy_config.proxy_url_for(url)
            self._pools[host] = self._session._manager.connection_from_url(url) if is_direct else None
        return self._pools[host]


def _exchange(connection: Any, request: Any, timeout_s: float) -> Any:
    """Write a request to an open connection, and read its answer. After any failure the connection is closed."""
    is_kept = False
    try:
        connection.sock.settimeout(timeout_s)
        connection.sock.sendall(_head(request) + request.body)
        with connection.sock.makefile("rb") as stream:
            status, headers, content = _read(stream)
        is_kept = ascii_lower(headers.get("connection", "")) != "close"
    except TimeoutError as error:
        raise ReadTimeoutError(endpoint_url=request.url, error=error) from error
    except (OSError, HTTPException, ValueError) as error:
        raise ConnectionClosedError(error=error, request=request, endpoint_url=request.url) from error
    finally:
        if not is_kept:
            connection.close()
    copied: Any = headers
    answer: Any = AWSResponse(request.url, status, copied, None)
    answer._content = content
    return answer


def _head(request: Any) -> bytes:
    url = urlsplit(request.url)
    host = url.netloc.removesuffix(DEFAULT_PORTS[url.scheme])
    lines = [f"{request.method} {url.path or '/'} HTTP/1.1", f"Host: {host}", "Accept-Encoding: identity"]
    for name, value in request.headers.items():
        lines.append(f"{name}: {value.decode('latin-1') if isinstance(value, bytes) else value}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _read(stream: Any) -> tuple[int, dict[str, str], bytes]:
    """Return an answer's status, headers (names in small letters) and content. Raises HTTPException or ValueError."""
    version, _, rest = _line(stream).partition(" ")
    if version != "HTTP/1.1":
        raise HTTPException(f"no HTTP/1.1: {version!r}")
    status, headers = int(rest[:3]), {}
    while line := _line(stream):
        name, _, value = line.partition(":")
        headers[ascii_lower(name)] = value.strip()
    if ascii_lower(headers.get("transfer-encoding", "")) == "chunked":
        return status, headers, b"".join(_chunks(stream))
    return status, headers, _exactly(stream, int(headers.get("content-length", "")))


def _chunks(stream: Any) -> list[bytes]:
    chunks = []
    while length := int(_line(stream).partition(";")[0], 16):
        chunks.append(_exactly(stream, length))
        _line(stream)
    while _line(stream):
        pass
    return chunks


def _line(stream: Any) -> str:
    line: bytes = stream.readline(LINE_BYTES_MAX)
    if not line.endswith(b"\n"):
        raise HTTPException("the answer ends within its head")
    return line.rstrip(b"\r\n").decode("latin-1")


def _exactly(stream: Any, length: int) -> bytes:
    content: bytes = stream.read(length)
    if len(content) != length:
        raise HTTPException("the answer ends within its content")
    return content
