"""Clients of the taker desk's WebSocket, over a desk whose outbox is handed to the broadcaster as its stream is."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from chalicelib.apis.kit.sockets import Opened, Opening
from chalicelib.apis.taker.signature import signature_of
from chalicelib.services.push.rows import StoredEntries
from chalicelib.services.push.steps import BEAT_S
from chalicelib.wiring.push import Pushing, new_pushing
from tests.apis.taker.desk import INSTANCE, MASTER_KEY, Desk
from tests.described import DescribedClients
from tests.services.push.streams import Streams

BOTH = "types=order_status_change,cancellation_request"
CHANGES = "types=order_status_change"
TAKER_PATH, MAKER_PATH = "/ws/taker/v1", "/ws/maker/v1"


@dataclass
class Sockets:
    """started: the connections that are to begin, as soon as they are open."""

    desk: Desk
    pushing: Pushing
    clients: DescribedClients
    streams: Streams
    started: list[str]

    def open(
        self, name: str, desk: str, query: str, headers: dict[str, str], path: str = "/", address: str = "192.0.2.1"
    ) -> Opened:
        opened = self.pushing.desks[desk].connect(Opening(name, path, address, headers, dict(parse_qsl(query))))
        self.open_those_let_in()
        return opened

    def taker(self, name: str = "t", query: str = BOTH, desk: Desk | None = None, **headers: str) -> Opened:
        """Connect a taker by its key alone."""
        return self.open(name, "taker", query, {"x-api-key": (desk or self.desk).api_key} | headers)

    def signed(self, name: str = "t", query: str = BOTH, *, path: str = TAKER_PATH, **headers: str) -> Opened:
        """Connect a taker with a signature. path: the one that is signed."""
        sent_at = str(self.desk.clock())
        signature = signature_of(self.desk.secret, "GET", path, sent_at, query.encode())
        return self.taker(name, query, **({"x-api-timestamp": sent_at, "x-api-signature": signature} | headers))

    def maker(self, name: str = "m", query: str = CHANGES, desk: Desk | None = None) -> Opened:
        """Connect a maker by its JWT in the header."""
        return self.open(name, "maker", query, {"authorization": f"Bearer {(desk or self.desk).jwt}"})

    def open_those_let_in(self) -> None:
        while self.started:
            self.pushing.beat.begin(self.started.pop(), lambda _: None)

    def follow(self) -> None:
        """Hand the new rows of the outbox to the broadcaster."""
        self.streams.follow()

    def repeat(self) -> None:
        """Let the time pass after which heartbeats are sent, and have the next beat."""
        self.desk.clock.advance(BEAT_S)
        self.pushing.beat.round()

    def messages(self, name: str = "t", *, heartbeats: bool = False) -> list[dict[str, Any]]:
        received = [message for one, message in self.clients.received if one == name]
        return [message for message in received if heartbeats or message["type"] != "heartbeat"]

    def statuses(self, name: str = "t") -> list[tuple[str | None, str]]:
        return [
            (message["data"]["from_status"], message["data"]["to_status"])
            for message in self.messages(name)
            if message["type"] == "order_status_change"
        ]


def open_sockets(
    desk: Desk, start: Callable[[str], None] | None = None, master_key: Callable[[], bytes] = lambda: MASTER_KEY
) -> Sockets:
    clients, started = DescribedClients(), list[str]()
    pushing = new_pushing(
        desk.database,
        desk.database,
        clients,
        StoredEntries(desk.database).between,
        desk.clock,
        INSTANCE,
        pause=lambda _: None,
        master_key=master_key,
        previous_master_key=lambda: None,
        start=start or started.append,
    )
    return Sockets(desk, pushing, clients, Streams(desk.database, pushing.broadcaster), started)


def refusal(opened: Opened) -> tuple[int, int]:
    """Return status and code."""
    answer = json.loads(opened.message)
    assert answer["message"]
    return opened.status, answer["code"]
