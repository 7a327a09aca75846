"""Events of the WebSocket API: the desk is found, its answer given, a session closed."""

from __future__ import annotations

from base64 import b64encode
from types import SimpleNamespace
from typing import Any

import pytest

from chalicelib.apis.kit.sockets import Opened, Opening
from chalicelib.apis.sockets import Sockets
from chalicelib.domain.feed.subscription import UnknownConnection
from chalicelib.services.push.sending import Gone


class Desk:
    def __init__(self) -> None:
        self.openings: list[Opening] = []
        self.messages: list[tuple[str, bytes]] = []
        self.opened = Opened(200)

    def connect(self, opening: Opening) -> Opened:
        self.openings.append(opening)
        return self.opened

    def message(self, connection_id: str, content: bytes) -> None:
        if content == b"gone":
            raise Gone(connection_id)
        self.messages.append((connection_id, content))


class Sessions:
    """Sessions of all desks. reads: how many rows were read."""

    def __init__(self) -> None:
        self.closed: list[str] = []
        self.cut_off: list[str] = []
        self.rows: dict[str, str] = {}
        self.reads = 0
        self.connections = self
        self.sender = SimpleNamespace(close=self.cut_off.append)

    def close(self, connection_id: str) -> None:
        self.closed.append(connection_id)

    def get(self, connection_id: str) -> Any:
        self.reads += 1
        if connection_id not in self.rows:
            raise UnknownConnection(connection_id)
        return SimpleNamespace(desk=self.rows[connection_id])


class World:
    def __init__(self) -> None:
        self.desks = {name: Desk() for name in ("trade", "taker", "maker")}
        self.sessions = Sessions()
        self.sockets = Sockets(self.desks, self.sessions)  # type: ignore[arg-type]

    def event(self, kind: str, name: str = "c", **more: Any) -> dict[str, Any]:
        context = {"eventType": kind, "connectionId": name, "identity": {"sourceIp": "192.0.2.1"}}
        return self.sockets.answer({"requestContext": context, **more})

    def connected(self) -> str:
        """Return the name of the only desk that a client has connected to."""
        (name,) = [name for name, desk in self.desks.items() if desk.openings]
        return name


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize(
    ("event", "desk"),
    [
        ({}, "trade"),
        ({"headers": None, "queryStringParameters": None}, "trade"),
        ({"path": "/"}, "trade"),
        ({"path": "/ws/taker/v1"}, "taker"),
        ({"path": "/ws/maker/v1", "headers": {"X-API-Key": "k"}}, "maker"),
        ({"queryStringParameters": {"desk": "maker"}, "headers": {"X-API-Key": "k"}}, "maker"),
        ({"queryStringParameters": {"desk": "trade"}, "headers": {"X-API-Key": "k"}}, "trade"),
        ({"headers": {"x-api-KEY": "k"}}, "taker"),
        ({"headers": {"Authorization": "bearer e.y.j"}}, "maker"),
        ({"headers": {"Sec-WebSocket-Protocol": "jwt, e.y.j"}}, "maker"),
        ({"headers": {"Sec-WebSocket-Protocol": "chat"}}, "trade"),
        ({"headers": {"Authorization": "Basic YQ=="}}, "trade"),
    ],
)
def test_a_client_is_sent_to_its_desk(world: World, event: dict[str, Any], desk: str) -> None:
    assert world.event("CONNECT", **event)["statusCode"] == 200
    assert world.connected() == desk


@pytest.mark.parametrize("event", [{"path": "/ws/taker/v2"}, {"queryStringParameters": {"desk": "book"}}])
def test_a_desk_that_there_is_not_is_not_found(world: World, event: dict[str, Any]) -> None:
    assert world.event("CONNECT", **event)["statusCode"] == 404
    assert not any(desk.openings for desk in world.desks.values())


def test_a_desk_answers_with_its_status_and_headers(world: World) -> None:
    world.desks["trade"].opened = Opened(429, "Too many connections")
    assert world.event("CONNECT") == {"statusCode": 429, "headers": {}, "body": "Too many connections"}
    world.desks["trade"].opened = Opened(200, headers={"Sec-WebSocket-Protocol": "jwt"})
    opened = world.event("CONNECT", headers={"User-Agent": "x"}, queryStringParameters={"a": "1"})
    assert opened == {"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": "jwt"}, "body": ""}
    opening = world.desks["trade"].openings[-1]
    assert (opening.headers, opening.query, opening.client_address) == ({"user-agent": "x"}, {"a": "1"}, "192.0.2.1")


def test_a_message_goes_to_the_desk_of_its_connection_which_is_read_once(world: World) -> None:
    world.event("CONNECT", "c", path="/ws/taker/v1")
    world.sessions.rows["d"] = "maker"
    for name, body in (("c", "one"), ("d", "two"), ("d", "three")):
        assert world.event("MESSAGE", name, body=body) == {"statusCode": 200}
    world.event("MESSAGE", "d", body=b64encode(b"\xff").decode(), isBase64Encoded=True)
    assert world.desks["taker"].messages == [("c", b"one")]
    assert world.desks["maker"].messages == [("d", b"two"), ("d", b"three"), ("d", b"\xff")]
    assert world.sessions.reads == 1


def test_a_connection_that_nobody_knows_is_ended(world: World) -> None:
    assert world.event("MESSAGE", "x", body="one") == {"statusCode": 200}
    assert world.sessions.cut_off == ["x"]


def test_a_client_that_leaves_before_its_answer_is_no_failure(world: World) -> None:
    world.event("CONNECT", "c")
    assert world.event("MESSAGE", "c", body="gone") == {"statusCode": 200}
    assert world.event("DISCONNECT", "c") == {"statusCode": 200}
    assert world.sessions.closed == ["c"]
