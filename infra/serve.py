"""The API server of a local run: ``python -m infra.serve --port 8000``. SIGTERM finishes the current requests, then
ends.

It runs the app and gateway of ``chalice local`` behind an HTTP server of its own. Chalice's server drops the body of a
chunked request and parses it as the next request, answers in two packets (44 ms on a kept-alive connection), and loses
an answer whose log line cannot be written.
"""

from __future__ import annotations

import argparse
import base64
import json
import logging
import signal
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from email.utils import formatdate
from functools import partial
from http import HTTPStatus
from typing import Any

import h11
from chalice import local
from chalice.cli.factory import CLIFactory
from chalice.deploy.validate import validate_routes

from chalicelib.support.redaction import masked, secrets_of
from infra.demo_access import DemoAccess, demo_access
from infra.http_reading import ConnectionEnded, ReadRequest, RequestReader, RequestRefused
from infra.output import drop_unwritable_output, line_log
from infra.settings import ROOT

CONNECTIONS_QUEUED_MAX = 128
CONNECTIONS_MAX = 512
"""Connections at once, each with a thread of its own: a request that waits holds up no other connection."""
FINISHED_S_MAX = 4.0
"""Time for requests in flight to finish after SIGTERM."""
LINGER_S_MAX, LINGER_BYTES_MAX = 1.0, 1024 * 1024
"""Bounds on reading on after a refusal, so that the client can read the answer."""
NO_BODY = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
POLL_S = 0.1

_LOG = logging.getLogger(__name__)


class ServerStopping(Exception):
    """The server accepts no more requests."""


class RequestsInFlight:
    """Counts the requests in flight: read but not answered yet."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._number = 0
        self.stopping = False

    def __enter__(self) -> None:
        with self._changed:
            if self.stopping:
                raise ServerStopping
            self._number += 1

    def __exit__(self, *_error: object) -> None:
        with self._changed:
            self._number -= 1
            self._changed.notify_all()

    def stop(self, bound_s: float) -> None:
        """Let no new request begin. Wait until none is in flight, or until the bound."""
        with self._changed:
            self.stopping = True
            self._changed.wait_for(lambda: self._number == 0, bound_s)


class Client(socketserver.BaseRequestHandler):
    """One connection, in its own thread: each request is read completely, answered, then logged."""

    def __init__(
        self,
        connection: socket.socket,
        address: Any,
        server: socketserver.BaseServer,
        *,
        gateway: Callable[[], local.LocalGateway],
        in_flight: RequestsInFlight,
        log: logging.Logger,
        demo: DemoAccess,
    ) -> None:
        self._gateway = gateway()
        self._demo = demo
        self._in_flight = in_flight
        self._log = log
        super().__init__(connection, address, server)

    def handle(self) -> None:
        connection: socket.socket = self.request
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        reader = RequestReader(connection)
        with suppress(OSError, ConnectionEnded, ServerStopping):  # OSError: the client is gone
            while self._answer_next(reader):
                pass

    def _answer_next(self, reader: RequestReader) -> bool:
        """Read and answer one request. Return whether the connection stays open."""
        try:
            request = reader.read()
        except RequestRefused as refusal:
            self.request.sendall(_refusal(refusal))
            self._note("-", "-", refusal.status)
            self._linger()
            return False
        with self._in_flight:
            status, headers, body = self._carry_out(request)
            keeps = self._send(request, status, headers, body)
        self._note(request.method, request.target, status)
        return keeps

    def _carry_out(self, request: ReadRequest) -> tuple[int, list[tuple[str, str]], bytes]:
        """Return the app's answer: status, headers, body."""
        try:
            if (given := self._demo.answer(request)) is not None:
                status, headers, body = given
                return status, _pairs(headers), body
            answer = self._gateway.handle_request(
                method=request.method, path=request.target, headers=request.headers, body=request.body or None
            )
            body = _bytes(answer["body"])
            if answer.get("isBase64Encoded"):
                body = base64.b64decode(body)
            return answer["statusCode"], _pairs(answer["headers"] | answer["multiValueHeaders"]), body
        except local.LocalGatewayException as refusal:
            return refusal.CODE, _pairs(refusal.headers), _bytes(refusal.body)
        except Exception:
            _LOG.exception("%s %s failed", request.method, _logged(request.target))
            status = HTTPStatus.INTERNAL_SERVER_ERROR
            return status, [], json.dumps({"message": status.phrase}).encode()

    def _send(self, request: ReadRequest, status: int, headers: list[tuple[str, str]], body: bytes) -> bool:
        """Send an answer in one packet. Return whether the connection stays open."""
        named = {name.lower() for name, _ in headers}
        if status not in NO_BODY:
            headers = [*headers, ("Content-Length", str(len(body)))]
            if "content-type" not in named:
                headers.append(("Content-Type", "application/json"))
        if "date" not in named:
            headers.append(("Date", formatdate(usegmt=True)))
        protocol = request.protocol
        reason = HTTPStatus(status).phrase if status in set(HTTPStatus) else ""
        sent = protocol.send(h11.Response(status_code=status, headers=headers, reason=reason))
        if body and status not in NO_BODY and request.method != "HEAD":
            sent += protocol.send(h11.Data(data=body))
        sent += protocol.send(h11.EndOfMessage())
        self.request.sendall(sent)
        return protocol.our_state is h11.DONE

    def _linger(self) -> None:
        """Drain the client's bytes: closing a socket with unread bytes resets it, and the answer would be lost."""
        connection: socket.socket = self.request
        deadline_s, left = time.monotonic() + LINGER_S_MAX, LINGER_BYTES_MAX
        connection.shutdown(socket.SHUT_WR)
        while left > 0 and (wait_s := deadline_s - time.monotonic()) > 0:
            connection.settimeout(wait_s)
            received = len(connection.recv(left))
            if not received:
                break
            left -= received

    def _note(self, method: str, target: str, status: int) -> None:
        at = time.strftime("%d/%b/%Y %H:%M:%S")
        self._log.info(
            '%s - - [%s] "%s %s HTTP/1.1" %s -', self.client_address[0], at, method, _logged(target), int(status)
        )


def _logged(target: str) -> str:
    """Return a target without the token of an order's page."""
    return str(masked(target, secrets_of({}, b"", target)))


def _refusal(refusal: RequestRefused) -> bytes:
    body = json.dumps({"message": str(refusal)}).encode()
    head = (
        f"HTTP/1.1 {refusal.status.value} {refusal.status.phrase}\r\nDate: {formatdate(usegmt=True)}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode("ascii") + body


def _pairs(headers: dict[str, Any]) -> list[tuple[str, str]]:
    pairs = []
    for name, value in headers.items():
        values: Iterable[Any] = value if isinstance(value, list) else [value]
        pairs += [(name, str(one)) for one in values if name.lower() != "content-length"]
    return pairs


def _bytes(body: str | bytes | None) -> bytes:
    return body.encode() if isinstance(body, str) else body or b""


def bound_connections(server: Any, most: int, stopping: threading.Event) -> None:
    """Have a threading server accept so many connections at once; further ones wait until one ends, or it stops."""
    free = threading.Semaphore(most)
    begin, carry_out = server.process_request, server.process_request_thread

    def process_request(connection: socket.socket, address: Any) -> None:
        while not free.acquire(timeout=POLL_S):
            if stopping.is_set():
                server.shutdown_request(connection)
                return
        begin(connection, address)

    def process_request_thread(connection: socket.socket, address: Any) -> None:
        try:
            carry_out(connection, address)
        finally:
            free.release()

    server.process_request, server.process_request_thread = process_request, process_request_thread


def serve(host: str, port: int, stage: str) -> None:
    """Load the app, open the port and serve until SIGTERM. Raises OSError if the port is taken."""
    config = CLIFactory(str(ROOT), debug=False, profile=None).create_config_obj(chalice_stage_name=stage)
    app = config.chalice_app
    validate_routes(app.routes)
    local.ThreadedHTTPServer.request_queue_size = CONNECTIONS_QUEUED_MAX
    server = local.create_local_server(app, config, host, port).server
    in_flight = RequestsInFlight()
    gateway = partial(local.LocalGateway, app, config)
    client: Any = partial(
        Client, gateway=gateway, in_flight=in_flight, log=line_log("infra.requests"), demo=demo_access()
    )
    server.RequestHandlerClass = client
    stopping = threading.Event()
    bound_connections(server, CONNECTIONS_MAX, stopping)

    def stop(*_signal: object) -> None:
        stopping.set()
        threading.Thread(target=server.shutdown, daemon=True).start()

    signal.signal(signal.SIGTERM, stop)
    print(f"Serving on http://{host}:{port}")
    server.serve_forever(POLL_S)
    server.socket.close()
    in_flight.stop(FINISHED_S_MAX)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m infra.serve", description="Serve the API on this machine.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--stage", default="local")
    options = parser.parse_args()
    drop_unwritable_output()
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(message)s")
    logging.getLogger("botocore").setLevel(logging.WARNING)  # at INFO it logs where it found credentials
    sys.path.insert(0, str(ROOT))
    serve(options.host, options.port, options.stage)
    return 0


if __name__ == "__main__":
    sys.exit(main())
