"""The WebSocket server of a local run: in the place of API Gateway's, in front of the same desk.

It runs in a thread of the run's own process, beside the pollers whose functions send through it. A client that does not
read what it is sent is cut off: at most QUEUED_BYTES_MAX wait for it. A stop is announced to every client.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from secrets import token_urlsafe
from urllib.parse import parse_qsl, urlsplit

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode
from websockets.http11 import Request, Response

from chalicelib.apis.kit.sockets import MESSAGE_BYTES_MAX, Opening
from chalicelib.apis.trade.socket import TradeSocket
from chalicelib.services.push.sending import Gone
from infra.settings import HOST

QUEUED_BYTES_MAX = 1024 * 1024
"""What may wait for one client, before its socket's own buffers."""
PING_S = 20
"""A client that does not answer a ping within this time is cut off."""
STOP_S = 2.0
STOPPING = json.dumps({"id": -1, "topic": "system", "body": {"message": "the server is stopping"}})


@dataclass(slots=True)
class _Client:
    connection: ServerConnection
    waiting: asyncio.Queue[bytes] = field(default_factory=asyncio.Queue)
    queued_bytes: int = 0


class WebSocketServer:
    """Serves clients at ``port`` in one thread; also a ``push.sending.Sender``, for any thread.

    desk: set before a client connects.
    """

    desk: TradeSocket

    def __init__(self, port: int) -> None:
        self._port = port
        self._clients: dict[str, _Client] = {}
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.is_open = threading.Event()

    @property
    def url(self) -> str:
        return f"ws://{HOST}:{self._port}"

    def run(self, stop: threading.Event) -> None:
        """Serve until ``stop`` is set."""
        asyncio.run(self._run(stop))

    async def _run(self, stop: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        server = await serve(
            self._serve,
            HOST,
            self._port,
            process_request=self._let_in,
            max_size=MESSAGE_BYTES_MAX,
            ping_interval=PING_S,
            ping_timeout=PING_S,
            close_timeout=STOP_S,
            write_limit=64 * 1024,
        )
        self.is_open.set()
        await asyncio.to_thread(stop.wait)
        for client in list(self._clients.values()):
            with suppress(ConnectionClosed, TimeoutError):
                await asyncio.wait_for(client.connection.send(STOPPING), STOP_S)
        server.close(code=CloseCode.GOING_AWAY, reason="the server is stopping")
        await server.wait_closed()

    async def _let_in(self, connection: ServerConnection, request: Request) -> Response | None:
        """Ask the desk whether the client may connect; None: it may."""
        name = token_urlsafe(12)
        address = str(connection.remote_address[0])
        headers = {key.lower(): value for key, value in request.headers.raw_items()}
        opening = Opening(name, address, headers, dict(parse_qsl(urlsplit(request.path).query)))
        opened = await asyncio.to_thread(self.desk.connect, opening)
        if opened.status != HTTPStatus.OK:
            return connection.respond(HTTPStatus(opened.status), f"{opened.message}\n")
        connection.username = name
        return None

    async def _serve(self, connection: ServerConnection) -> None:
        name, client = str(connection.username), _Client(connection)
        with self._lock:
            self._clients[name] = client
        writer = asyncio.create_task(self._write(client))
        try:
            async for message in connection:
                content = message.encode() if isinstance(message, str) else message
                await asyncio.to_thread(self._carry_out, name, content)
        except ConnectionClosed:
            pass
        finally:
            writer.cancel()
            with self._lock:
                del self._clients[name]
            await asyncio.to_thread(self.desk.sessions.close, name)

    def _carry_out(self, name: str, content: bytes) -> None:
        with suppress(Gone):
            self.desk.message(name, content)

    async def _write(self, client: _Client) -> None:
        with suppress(ConnectionClosed):
            while True:
                message = await client.waiting.get()
                await client.connection.send(message, text=True)
                client.queued_bytes -= len(message)

    def send(self, connection_id: str, message: bytes) -> None:
        """Queue a message. Raises Gone, also if too much waits for the client, which is cut off then."""
        client = self._client(connection_id)
        if client is None:
            raise Gone(connection_id)
        if client.queued_bytes + len(message) > QUEUED_BYTES_MAX:
            self._close(client, CloseCode.TRY_AGAIN_LATER, "too slow: messages were not read")
            raise Gone(connection_id)
        client.queued_bytes += len(message)
        self._soon(lambda: client.waiting.put_nowait(message))

    def close(self, connection_id: str) -> None:
        client = self._client(connection_id)
        if client is not None:
            self._close(client, CloseCode.POLICY_VIOLATION, "the connection is unknown")

    def _client(self, connection_id: str) -> _Client | None:
        with self._lock:
            return self._clients.get(connection_id)

    def _close(self, client: _Client, code: CloseCode, reason: str) -> None:
        def closing() -> None:
            task = asyncio.ensure_future(client.connection.close(code, reason))
            task.add_done_callback(lambda _: None)

        self._soon(closing)

    def _soon(self, call: Callable[[], None]) -> None:
        if self._loop is not None:
            with suppress(RuntimeError):  # the server has stopped
                self._loop.call_soon_threadsafe(call)
