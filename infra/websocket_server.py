"""The WebSocket server of a local run: in the place of API Gateway's, in front of the same desk.

It runs in a thread of the run's own process, beside the pollers whose functions send through it. A client that does not
read what it is sent is cut off: at most QUEUED_BYTES_MAX wait for it. As API Gateway does, it ends connections that are
idle, and each after two hours. A stop is announced to every client, and takes STOP_S, whoever does not read.
"""

from __future__ import annotations

import asyncio
import json
import threading
from base64 import b64encode
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from secrets import token_urlsafe
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode
from websockets.http11 import Request, Response

from chalicelib.apis.kit.sockets import MESSAGE_BYTES_MAX
from chalicelib.services.push.sending import Gone
from infra.settings import HOST

QUEUED_BYTES_MAX = 1024 * 1024
"""What may wait for one client, before its socket's own buffers."""
PING_S = 20
"""A client that does not answer a ping within this time is cut off."""
IDLE_S = 600
"""A connection ends after this time without a message in either direction."""
LIFE_S = 7200
"""A connection ends after this time."""
STOP_S = 2.0
"""How long a client may take to read that the server stops."""
GOODBYE = "the server is stopping"
Event = Mapping[str, Any]
STOPPING = json.dumps({"id": -1, "topic": "system", "body": {"message": GOODBYE}})


@dataclass(slots=True)
class _Client:
    """active_s: the loop's time of the last message in either direction. queued_bytes: changed under the lock."""

    connection: ServerConnection
    active_s: float
    waiting: asyncio.Queue[bytes] = field(default_factory=asyncio.Queue)
    queued_bytes: int = 0


class WebSocketServer:
    """Serves clients at ``port`` in one thread; also a ``push.sending.Sender``, for any thread.

    answer: carries out an event as API Gateway makes it; set before a client connects. idle_s, life_s: bounds of a
    connection, in seconds.
    """

    answer: Callable[[Event], Event]

    def __init__(self, port: int, idle_s: float = IDLE_S, life_s: float = LIFE_S) -> None:
        self._port = port
        self._idle_s = idle_s
        self._life_s = life_s
        self._endings: set[asyncio.Task[None]] = set()
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
            process_response=self._let_in,
            max_size=MESSAGE_BYTES_MAX,
            ping_interval=PING_S,
            ping_timeout=PING_S,
            close_timeout=STOP_S,
            write_limit=64 * 1024,
        )
        self.is_open.set()
        await asyncio.to_thread(stop.wait)
        await asyncio.gather(*(self._say_goodbye(client) for client in list(self._clients.values())))
        server.close(code=CloseCode.GOING_AWAY, reason=GOODBYE)
        await server.wait_closed()
        await asyncio.gather(*self._endings)

    async def _say_goodbye(self, client: _Client) -> None:
        with suppress(ConnectionClosed, TimeoutError):
            async with asyncio.timeout(STOP_S):
                await client.connection.send(STOPPING)
                await client.connection.close(CloseCode.GOING_AWAY, GOODBYE)
        client.connection.transport.abort()

    async def _let_in(self, connection: ServerConnection, request: Request, response: Response) -> Response | None:
        """Ask the desk whether a client whose handshake is good may connect; None: it may."""
        if response.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
            return None
        name, asked = token_urlsafe(12), urlsplit(request.path)
        client = {
            "path": asked.path,
            "headers": dict(request.headers.raw_items()),
            "queryStringParameters": dict(parse_qsl(asked.query)),
        }
        address = str(connection.remote_address[0])
        opened = await self._answer("CONNECT", name, client, identity={"sourceIp": address})
        if opened["statusCode"] != HTTPStatus.OK:
            return connection.respond(HTTPStatus(opened["statusCode"]), f"{opened.get('body', '')}\n")
        connection.username = name
        ending = asyncio.create_task(self._end(connection, name))
        self._endings.add(ending)
        ending.add_done_callback(self._endings.discard)
        return None

    async def _end(self, connection: ServerConnection, name: str) -> None:
        """Close the session once the connection has ended, however far it came."""
        await connection.wait_closed()
        await self._answer("DISCONNECT", name)

    async def _answer(self, kind: str, name: str, event: Event | None = None, **context: object) -> Event:
        context = {"eventType": kind, "connectionId": name, **context}
        return await asyncio.to_thread(self.answer, {**(event or {}), "requestContext": context})

    async def _serve(self, connection: ServerConnection) -> None:
        name, client = str(connection.username), _Client(connection, asyncio.get_running_loop().time())
        with self._lock:
            self._clients[name] = client
        writer = asyncio.create_task(self._write(client))
        try:
            reason = await self._read(client, name)
            await connection.close(CloseCode.GOING_AWAY, reason)
        except ConnectionClosed:
            pass
        finally:
            writer.cancel()
            with self._lock:
                del self._clients[name]

    async def _read(self, client: _Client, name: str) -> str:
        """Carry out the client's messages until its time is over. Return why. Raises ConnectionClosed."""
        loop = asyncio.get_running_loop()
        ends_s = loop.time() + self._life_s
        while loop.time() < ends_s:
            try:
                async with asyncio.timeout_at(min(ends_s, client.active_s + self._idle_s)):
                    message = await client.connection.recv()
            except TimeoutError:
                if loop.time() >= client.active_s + self._idle_s:
                    return "idle"
                continue
            client.active_s = loop.time()
            await self._answer("MESSAGE", name, _body_of(message))
        return "the connection's time is over"

    async def _write(self, client: _Client) -> None:
        with suppress(ConnectionClosed):
            while True:
                message = await client.waiting.get()
                await client.connection.send(message, text=True)
                client.active_s = asyncio.get_running_loop().time()
                with self._lock:
                    client.queued_bytes -= len(message)

    def send(self, connection_id: str, message: bytes) -> None:
        """Queue a message. Raises Gone, also if too much waits for the client, which is cut off then."""
        client = self._client(connection_id)
        if client is None:
            raise Gone(connection_id)
        with self._lock:
            is_slow = client.queued_bytes + len(message) > QUEUED_BYTES_MAX
            client.queued_bytes += 0 if is_slow else len(message)
        if is_slow:
            self._close(client, CloseCode.TRY_AGAIN_LATER, "too slow: messages were not read")
            raise Gone(connection_id)
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


def _body_of(message: str | bytes) -> Event:
    if isinstance(message, str):
        return {"body": message, "isBase64Encoded": False}
    return {"body": b64encode(message).decode(), "isBase64Encoded": True}
