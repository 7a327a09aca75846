"""The WebSocket API: an event of API Gateway in, its desk found, the answer out.

One function serves the three routes: ``$connect``, ``$disconnect``, and ``$default`` for every message. A client names
its desk by the path, where there is one, or else by the query ``desk=``; without both its credentials tell: an API key
is a taker's, a JWT a maker's, and the trade desk takes its clients without any.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from typing import Any

from chalicelib.apis.kit.sockets import Opened, Opening, SocketDesk
from chalicelib.domain.feed.subscription import UnknownConnection
from chalicelib.services.push.sending import Gone
from chalicelib.services.push.sessions import Sessions
from chalicelib.support.bounded_cache import BoundedCache

PATHS = {"/ws/taker/v1": "taker", "/ws/maker/v1": "maker"}
NO_ERROR = 200
DESKS_KEPT = 10_000
NO_SUCH_DESK = Opened(404, "There is no such desk")

Event = Mapping[str, Any]


class Sockets:
    """desks: by the name that a connection's row has. sessions: of all desks."""

    def __init__(self, desks: Mapping[str, SocketDesk], sessions: Sessions) -> None:
        self._desks = desks
        self._sessions = sessions
        self._desk_names: BoundedCache[str, str] = BoundedCache(DESKS_KEPT)

    def answer(self, event: Event) -> dict[str, Any]:
        """Carry out an event: a client connects, sends a message, or has left."""
        context = event["requestContext"]
        connection_id, kind = str(context["connectionId"]), context["eventType"]
        if kind == "CONNECT":
            return self._connect(_opening_of(event))
        if kind == "DISCONNECT":
            self._sessions.close(connection_id)
        else:
            self._message(connection_id, _content_of(event))
        return {"statusCode": 200}

    def _connect(self, opening: Opening) -> dict[str, Any]:
        name = desk_name(opening)
        desk = self._desks.get(name)
        opened = NO_SUCH_DESK if desk is None else desk.connect(opening)
        if opened.status == NO_ERROR:
            self._desk_names.set(opening.connection_id, name)
        return {"statusCode": opened.status, "headers": dict(opened.headers), "body": opened.message}

    def _message(self, connection_id: str, content: bytes) -> None:
        try:
            self._desk_of(connection_id).message(connection_id, content)
        except UnknownConnection:
            self._sessions.sender.close(connection_id)
        except Gone:
            return

    def _desk_of(self, connection_id: str) -> SocketDesk:
        """Return the desk at which a client connected, perhaps by another process. Raises UnknownConnection."""
        name = self._desk_names.get(connection_id)
        if name is None:
            name = self._sessions.connections.get(connection_id).desk
            self._desk_names.set(connection_id, name)
        return self._desks[name]


def desk_name(opening: Opening) -> str:
    """Return the name of the desk that a client asks for; of none, if there is no such path."""
    if opening.path != "/":
        return PATHS.get(opening.path, "")
    if "desk" in opening.query:
        return opening.query["desk"]
    if "x-api-key" in opening.headers:
        return "taker"
    protocols = opening.headers.get("sec-websocket-protocol", "")
    has_token = opening.headers.get("authorization", "").lower().startswith("bearer ")
    return "maker" if has_token or protocols.partition(",")[0].strip() == "jwt" else "trade"


def _opening_of(event: Event) -> Opening:
    context = event["requestContext"]
    return Opening(
        connection_id=context["connectionId"],
        path=event.get("path", "/"),
        client_address=context["identity"]["sourceIp"],
        headers={name.lower(): value for name, value in (event.get("headers") or {}).items()},
        query=dict(event.get("queryStringParameters") or {}),
    )


def _content_of(event: Event) -> bytes:
    body = event.get("body") or ""
    return b64decode(body) if event.get("isBase64Encoded") else body.encode()
