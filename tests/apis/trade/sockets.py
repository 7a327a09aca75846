"""Clients of the trade desk's WebSocket, over a world whose journal is handed to the broadcaster as its stream is."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from chalicelib.apis.kit.sockets import Opened, Opening, SocketDesk
from chalicelib.services.push.following import follow_records
from chalicelib.services.push.rows import JournalRows, OutboxRows, StoredEntries
from chalicelib.wiring.push import Pushing, new_pushing
from infra.shards import lambda_record
from tests.apis.trade.desk import SignedDesk, data_of
from tests.recording import nobody
from tests.services.push.world import Clients
from tests.world import INSTANCE, record_of


@dataclass
class Sockets:
    """followed: keys of the rows that the broadcaster was told of."""

    desk: SignedDesk
    pushing: Pushing
    clients: Clients
    followed: set[tuple[str, int]] = field(default_factory=set)

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
        database = self.desk.world.database
        for table, number, owner, rows in (
            ("journal", "sequence", "book", JournalRows(database)),
            ("outbox", "number", "owner", OutboxRows()),
        ):
            new = [
                row
                for row in sorted(database.scan(table), key=lambda row: (row[owner], row[number]))
                if (row[owner], row[number]) not in self.followed
            ]
            self.followed |= {(row[owner], row[number]) for row in new}
            records = [lambda_record(record_of(row, index), "arn") for index, row in enumerate(new, 1)]
            assert nobody(follow_records)(rows, {"sockets": self.pushing.broadcaster}, records) == []


def open_sockets(desk: SignedDesk, public_instance: str | None = INSTANCE) -> Sockets:
    database, clients = desk.world.database, Clients()
    between = StoredEntries(database).between
    paused_ms = [0]

    def pause(seconds: float) -> None:
        paused_ms[0] += int(seconds * 1000)

    pushing = new_pushing(
        database, database, clients, between, lambda: desk.clock() + paused_ms[0], public_instance, pause=pause
    )
    sockets = Sockets(desk, pushing, clients)
    sockets.follow()
    return sockets
