"""The WebSocket gateway of a local run: API Gateway's WebSocket API with one function for all its routes.

Clients connect at ``url``. What they do becomes events, as API Gateway makes them, for the handler. Whoever sends to a
client calls ``/@connections/<id>`` at ``connections_url``, as on AWS, and gets 410 for a connection that is gone or
whose handshake is not over. A client that does not read what it is sent is cut off: at most QUEUED_BYTES_MAX wait for
it. Connections that are idle end, and each ends after two hours. A stop is announced to every client, and takes STOP_S,
whoever does not read.

Where it differs from AWS: paths are passed on, a client's messages are handled one after the other, a close has a
reason, and a stop is announced.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from base64 import b64encode
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from secrets import token_urlsafe
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from infra import sdk_http
from infra.functions import Handler, LambdaContext
from infra.settings import HOST

FRAME_BYTES_MAX = 32 * 1024
"""Largest frame of a client; a larger one ends the connection."""
MESSAGE_BYTES_MAX = 128 * 1024
"""Largest message in either direction."""
QUEUED_BYTES_MAX = 1024 * 1024
"""What may wait for one client, before its socket's own buffers."""
PING_S = 20
"""A client that does not answer a ping within this time is cut off."""
OPENING_S = 29
"""How long a handshake may take, the handler's answer included."""
IDLE_S = 600
"""A connection ends after this time without a message in either direction."""
LIFE_S = 7200
"""A connection ends after this time."""
STOP_S = 2.0
"""How long a client may take to read that the server stops."""
GOODBYE = "the server is stopping"
FUNCTION = "websocket"
CALLS_MAX = 64
"""Calls of the handler at once, of which a connection has one: some send for seconds what a client missed (T181)."""
CONNECTIONS_PATH = "/@connections/"
_LOG = logging.getLogger(__name__)

Event = Mapping[str, Any]


@dataclass(slots=True)
class _Client:
    """connected_ms: Unix ms. active_s: the loop's time of the last message in either direction."""

    connection: ServerConnection
    connected_ms: int
    active_s: float
    waiting: asyncio.Queue[bytes] = field(default_factory=asyncio.Queue)
    queued_bytes: int = 0


class Gateway:
    """Serves clients at ``port``, and their senders at ``connections_url``, in one thread.

    connections_url: known once it is open. handler: the function of all routes, as Lambda calls it. idle_s, life_s:
    bounds of a connection, in seconds.
    """

    def __init__(self, port: int, handler: Handler, idle_s: float = IDLE_S, life_s: float = LIFE_S) -> None:
        self.url = f"ws://{HOST}:{port}"
        self.connections_url = ""
        self.is_open = threading.Event()
        self._port = port
        self._handler = handler
        self._idle_s = idle_s
        self._life_s = life_s
        self._context = LambdaContext(FUNCTION, memory_limit_in_mb=512)
        self._tasks: set[asyncio.Task[None]] = set()
        self._clients: dict[str, _Client] = {}

    def run(self, stop: threading.Event) -> None:
        """Serve until ``stop`` is set."""
        asyncio.run(self._run(stop))

    async def _run(self, stop: threading.Event) -> None:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(CALLS_MAX, "websocket"))
        senders: set[sdk_http.Connection] = set()
        management = await asyncio.get_running_loop().create_server(
            lambda: sdk_http.Connection(senders, self._managed), HOST, 0
        )
        self.connections_url = f"http://{HOST}:{management.sockets[0].getsockname()[1]}"
        server = await serve(
            self._serve,
            HOST,
            self._port,
            process_response=self._let_in,
            compression=None,
            open_timeout=OPENING_S,
            max_size=(MESSAGE_BYTES_MAX, FRAME_BYTES_MAX),
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
        await asyncio.gather(*self._tasks)
        management.close()
        for sender in list(senders):
            sender.close()

    async def _say_goodbye(self, client: _Client) -> None:
        with suppress(ConnectionClosed, TimeoutError):
            async with asyncio.timeout(STOP_S):
                await client.connection.send(stopping(time.time_ns() // 1_000_000))
                await client.connection.close(CloseCode.GOING_AWAY, GOODBYE)
        client.connection.transport.abort()

    async def _let_in(self, connection: ServerConnection, request: Request, response: Response) -> Response | None:
        """Ask the handler whether a client whose handshake is good may connect; None: it may."""
        if response.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
            return None
        name, (path, _, query) = token_urlsafe(12), request.path.partition("?")
        client = {
            "path": path,
            "headers": dict(request.headers.raw_items()),
            "queryStringParameters": dict(parse_qsl(query)) or None,
        }
        opening = asyncio.ensure_future(self._handled("CONNECT", name, connection, client))
        self._begin(self._end(connection, name, opening))
        opened = await asyncio.shield(opening)
        status = HTTPStatus(opened["statusCode"])
        if status != HTTPStatus.OK:
            return connection.respond(status, f"{opened.get('body', '')}\n")
        if chosen := (opened.get("headers") or {}).get("Sec-WebSocket-Protocol"):
            response.headers["Sec-WebSocket-Protocol"] = chosen
            connection.protocol.subprotocol = Subprotocol(chosen)
        connection.username = name
        return None

    async def _end(self, connection: ServerConnection, name: str, opening: asyncio.Future[Event]) -> None:
        """Tell the handler once a connection that it has let in is over, however far it came: it may have been cut off
        before the handler answered.
        """
        await connection.wait_closed()
        self._clients.pop(name, None)
        if (await opening)["statusCode"] == HTTPStatus.OK:
            await self._handled("DISCONNECT", name, connection, {})

    async def _handled(self, kind: str, name: str, connection: ServerConnection, event: Event) -> Event:
        """Return the handler's answer; 500 if it fails."""
        context = {
            "routeKey": "$default" if kind == "MESSAGE" else f"${kind.lower()}",
            "eventType": kind,
            "connectionId": name,
            "requestId": token_urlsafe(12),
            "requestTimeEpoch": time.time_ns() // 1_000_000,
            "identity": {"sourceIp": str(connection.remote_address[0])},
        }
        try:
            answer: Event = await asyncio.to_thread(
                self._handler, {"isBase64Encoded": False, **event, "requestContext": context}, self._context
            )
        except Exception:
            _LOG.exception("%s of %s failed", kind, name)
            return {"statusCode": HTTPStatus.INTERNAL_SERVER_ERROR, "body": "Internal server error"}
        return answer

    async def _serve(self, connection: ServerConnection) -> None:
        name = str(connection.username)
        client = _Client(connection, time.time_ns() // 1_000_000, asyncio.get_running_loop().time())
        self._clients[name] = client
        writer = asyncio.create_task(self._write(client))
        try:
            reason = await self._read(client, name)
            await connection.close(CloseCode.GOING_AWAY, reason)
        except ConnectionClosed:
            pass
        finally:
            writer.cancel()
            self._clients.pop(name, None)

    async def _read(self, client: _Client, name: str) -> str:
        """Pass the client's messages on until its time is over. Return why. Raises ConnectionClosed."""
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
            answer = await self._handled("MESSAGE", name, client.connection, _body_of(message))
            if answer["statusCode"] == HTTPStatus.INTERNAL_SERVER_ERROR:
                self._queue(client, json.dumps({"message": answer["body"], "connectionId": name}).encode())
        return "the connection's time is over"

    async def _write(self, client: _Client) -> None:
        with suppress(ConnectionClosed):
            while True:
                message = await client.waiting.get()
                await client.connection.send(message, text=True)
                client.active_s = asyncio.get_running_loop().time()
                client.queued_bytes -= len(message)

    def _managed(self, head: sdk_http.Head, body: bytes) -> bytes:
        """Answer a request to send to a client, to end its connection, or to tell of it."""
        path = unquote(urlsplit(head.path).path)
        client = self._clients.get(path.removeprefix(CONNECTIONS_PATH)) if path.startswith(CONNECTIONS_PATH) else None
        if client is None:
            return _failure(HTTPStatus.GONE, "GoneException")
        if head.method == "DELETE":
            self._close(client, CloseCode.NORMAL_CLOSURE, "")
            return sdk_http.response(HTTPStatus.NO_CONTENT, {}, b"")
        if head.method == "GET":
            return _json(HTTPStatus.OK, self._description(client))
        if len(body) > MESSAGE_BYTES_MAX:
            return _failure(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "PayloadTooLargeException")
        if self._queue(client, body):
            return sdk_http.response(HTTPStatus.OK, {}, b"")
        return _failure(HTTPStatus.GONE, "GoneException")

    def _description(self, client: _Client) -> Mapping[str, object]:
        idle_s = asyncio.get_running_loop().time() - client.active_s
        return {
            "connectedAt": client.connected_ms / 1000,
            "lastActiveAt": time.time() - idle_s,
            "identity": {"sourceIp": str(client.connection.remote_address[0]), "userAgent": ""},
        }

    def _queue(self, client: _Client, message: bytes) -> bool:
        """Have a message sent. Return False if too much waits for the client, which is cut off then."""
        if client.queued_bytes + len(message) > QUEUED_BYTES_MAX:
            self._close(client, CloseCode.TRY_AGAIN_LATER, "too slow: messages were not read")
            return False
        client.queued_bytes += len(message)
        client.waiting.put_nowait(message)
        return True

    def _close(self, client: _Client, code: CloseCode, reason: str) -> None:
        self._begin(client.connection.close(code, reason))

    def _begin(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def stopping(at_ms: int) -> str:
    """Return the message that announces a stop, as clients of every desk can read it: some look for a topic, others for
    a type. at_ms: Unix ms.
    """
    body = {"message": GOODBYE}
    return json.dumps({"id": -1, "topic": "system", "type": "system", "timestamp": at_ms, "body": body})


def _body_of(message: str | bytes) -> Event:
    if isinstance(message, str):
        return {"body": message}
    return {"body": b64encode(message).decode(), "isBase64Encoded": True}


def _json(status: HTTPStatus, value: Mapping[str, object], **headers: str) -> bytes:
    return sdk_http.response(status, {"Content-Type": "application/json"} | headers, json.dumps(value).encode())


def _failure(status: HTTPStatus, kind: str) -> bytes:
    return _json(status, {"message": status.phrase}, **{"x-amzn-ErrorType": kind})
