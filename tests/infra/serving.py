"""The local HTTP server in front of a gateway that keeps what it is asked, and clients' bytes."""

from __future__ import annotations

import logging
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from infra import serve
from infra.demo_access import DemoAccess
from infra.settings import HOST

ANSWER_S_MAX = 10


class Gateway:
    """Stands for Chalice's: keeps what it is asked, and answers with the request's number."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, dict[str, str], bytes | None]] = []
        self.answer: dict[str, Any] = {}

    def handle_request(self, method: str, path: str, headers: dict[str, str], body: bytes | None) -> dict[str, Any]:
        self.requests.append((method, path, headers, body))
        given: dict[str, Any] = {"statusCode": 200, "headers": {}, "multiValueHeaders": {}, "body": "done"}
        return given | self.answer

    @property
    def bodies(self) -> list[bytes | None]:
        return [body for _, _, _, body in self.requests]


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True


@contextmanager
def served(gateway: Gateway, connections_max: int = 100) -> Iterator[tuple[str, int]]:
    handler: Any = partial(
        serve.Client,
        gateway=lambda: gateway,
        in_flight=serve.RequestsInFlight(),
        log=logging.getLogger("tests.requests"),
        demo=DemoAccess("", Path()),
    )
    with Server((HOST, 0), handler) as server:
        stopping = threading.Event()
        serve.bound_connections(server, connections_max, stopping)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_address  # type: ignore[misc]
        finally:
            stopping.set()
            server.shutdown()
            thread.join()


def sent(address: tuple[str, int], *parts: bytes, ends: bool = True) -> bytes:
    """Send the parts one after the other, say that nothing follows, and return all that came back until the end."""
    with socket.create_connection(address, ANSWER_S_MAX) as client:
        for part in parts:
            client.sendall(part)
            time.sleep(0.01)
        if ends:
            client.shutdown(socket.SHUT_WR)
        received = b""
        while more := client.recv(65536):
            received += more
        return received


@contextmanager
def connected(address: tuple[str, int]) -> Iterator[socket.socket]:
    with socket.create_connection(address, ANSWER_S_MAX) as client:
        yield client


def post(*headers: str, body: bytes = b"") -> bytes:
    lines = ["POST /refunds HTTP/1.1", "Host: here", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def answers(received: bytes) -> int:
    return received.count(b"HTTP/1.1 ")


CHUNKED = b'8\r\n{"amount\r\n5;a=b\r\n":10}\r\n0\r\nTrailer: x\r\n\r\n'
