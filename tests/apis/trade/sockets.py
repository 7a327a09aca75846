"""Clients of the trade desk's WebSocket, over a world whose journal is handed to the broadcaster as its stream is."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from chalicelib.apis.kit.sockets import Opened, Opening, SocketDesk
from chalicelib.services.push.rows import StoredEntries
from chalicelib.services.push.steps import BEAT_S
from chalicelib.wiring.push import Pushing, new_pushing
from tests.apis.trade.desk import PAIR, SignedDesk, data_of
from tests.described import DescribedClients
from tests.services.push.streams import Streams
from tests.services.push.world import Clients
from tests.world import INSTANCE

TRADES, DEPTH, DELTA = f"trade@{PAIR}", f"orderbook/level_2@{PAIR}", f"orderbook/level_2_delta@{PAIR}"
TICKER = f"ticker@{PAIR}"


@dataclass
class Sockets:
    """later: moves the time on that pushes know."""

    desk: SignedDesk
    pushing: Pushing
    clients: Clients
    streams: Streams
    later: Callable[[float], None]

    @cached_property
    def ben(self) -> SignedDesk:
        return self.desk.as_customer("ben")

    @property
    def socket(self) -> SocketDesk:
        return self.pushing.desks["trade"]

    def connect(self, name: str = "c", address: str = "192.0.2.1") -> Opened:
        return self.socket.connect(Opening(name, "/", address, {}, {}))

    def say(self, message: object, name: str = "c") -> list[dict[str, Any]]:
        """Send a client's message; return the messages that the client gets for it."""
        before = len(self.messages(name))
        content = message if isinstance(message, bytes) else json.dumps(message).encode()
        self.socket.message(name, content)
        return self.messages(name)[before:]

    def subscribe(self, *topics: str, name: str = "c", **more: Any) -> list[dict[str, Any]]:
        return self.say({"method": "subscribe", "topics": list(topics), **more}, name)

    def ticket(self, desk: SignedDesk | None = None) -> str:
        return str(data_of((desk or self.desk).post("/trade/ticket"))["ticket"])

    def messages(self, name: str = "c") -> list[dict[str, Any]]:
        return [message for one, message in self.clients.received if one == name]

    def follow(self) -> None:
        """Hand the new rows of the journal and of the outbox to the broadcaster."""
        self.streams.follow()

    def trade(self, amount: str = "3", price: str = "5") -> None:
        """Have ann buy from ben, and a bid of hers rest."""
        self.desk.place(side="buy", amount="1", price="1")
        self.ben.place(side="sell", amount=amount, price=price)
        self.desk.place(side="buy", amount=amount, price=price)
        self.desk.match()
        self.follow()

    def repeat(self) -> None:
        """Let the time pass after which states are sent again, and have the next beat."""
        self.later(BEAT_S)
        self.pushing.beat.round()

    def leave(self, name: str = "c") -> None:
        self.pushing.sockets.answer({"requestContext": {"eventType": "DISCONNECT", "connectionId": name}})


def open_sockets(desk: SignedDesk, public_instance: str | None = INSTANCE, clients: Clients | None = None) -> Sockets:
    """Open the desk's sockets as a new process does. clients: who is there already."""
    database, clients = desk.world.database, clients or DescribedClients()
    between = StoredEntries(database).between
    paused_ms = [0]

    def pause(seconds: float) -> None:
        paused_ms[0] += int(seconds * 1000)

    pushing = new_pushing(
        database, database, clients, between, lambda: desk.clock() + paused_ms[0], public_instance, pause=pause
    )
    return Sockets(desk, pushing, clients, Streams(database, pushing.broadcaster), pause)


def bodies(messages: list[dict[str, Any]], topic: str | None = None) -> list[dict[str, Any]]:
    """Return what the messages show, or those of one topic, in order."""
    return [message["body"] for message in messages if topic in (None, message["topic"])]


def numbered(messages: list[dict[str, Any]]) -> list[int]:
    return [message["id"] for message in messages]
