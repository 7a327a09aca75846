"""Logs in memory, a desk that shows each event as a message, and connections that note what they are sent."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from chalicelib.domain.feed.cursor import Cursor, Place, behind
from chalicelib.domain.feed.event import PUBLIC, FeedEvent, customer_subject
from chalicelib.domain.feed.logs import book_log
from chalicelib.domain.feed.subscription import LIFE_S, Connection, Subscription
from chalicelib.services.push.broadcasting import Body, Broadcaster
from chalicelib.services.push.recent import Entry, RecentEntries
from chalicelib.services.push.sending import Gone
from chalicelib.tables.connections import Connections
from chalicelib.tables.dynamodb import Database
from tests.world import INSTANCE, NOW_MS

ANN = customer_subject("ann")
BOOK_A, BOOK_B = book_log("ob_a"), book_log("ob_b")


class EachEvent:
    """A desk whose topics show each event that they follow."""

    def bodies(self, subscription: Subscription, log: str, entries: Sequence[Entry]) -> list[Body]:
        wanted = {PUBLIC} if subscription.book_id is not None else {subscription.subject}
        return [
            Body(behind(event, event is entry.events[-1]), event.at_ms, event.event_id)
            for entry in entries
            for event in entry.events
            if event.log == log and event.is_for(wanted)
        ]

    def text(self, subscription: Subscription, body: Body, cursor: str) -> bytes:
        message = {"id": subscription.next_id, "topic": subscription.name, "body": body.value, "cursor": cursor}
        return json.dumps(message).encode()


class Clients:
    """The clients' ends of the connections. before_send: called before each message arrives; after_send: after it."""

    def __init__(self) -> None:
        self.received: list[tuple[str, dict[str, Any]]] = []
        self.gone: set[str] = set()
        self.before_send: Callable[[], None] = lambda: None
        self.after_send: Callable[[], None] = lambda: None

    def send(self, connection_id: str, message: bytes) -> None:
        self.before_send()
        if connection_id in self.gone:
            raise Gone(connection_id)
        self.received.append((connection_id, json.loads(message)))
        self.after_send()

    def close(self, connection_id: str) -> None:
        self.gone.add(connection_id)

    def of(self, connection_id: str) -> list[tuple[int, str]]:
        """Return the (id, event id) of each message that a client received, in order."""
        return [(message["id"], message["body"]) for one, message in self.received if one == connection_id]


class PushWorld:
    def __init__(self, database: Database) -> None:
        self.now_ms = NOW_MS
        self.clients = Clients()
        self.logs: dict[str, list[list[FeedEvent]]] = {}
        self.reads: list[tuple[str, int, int]] = []
        self.paused = 0
        self.connections = Connections(database, lambda: self.now_ms // 1000)
        self.database = database

    def broadcaster(self, database: Database | None = None) -> Broadcaster:
        """Return a broadcaster that remembers nothing, as a new process has it."""
        connections = Connections(database or self.database, lambda: self.now_ms // 1000)
        recent = RecentEntries(self._entries)
        together = (database or self.database).together
        desks = {"trade": EachEvent()}
        return Broadcaster(connections, desks, self.clients, recent, together, lambda: self.now_ms, self._pause)

    def _pause(self, seconds: float) -> None:
        self.paused += 1
        self.now_ms += int(seconds * 1000)

    def _entries(self, instance: str, log: str, after: int, until: int) -> Iterator[list[FeedEvent]]:
        assert instance == INSTANCE
        self.reads.append((log, after, until))
        return iter(self.logs[log][after:until])

    def happen(self, log: str, *receivers: frozenset[str]) -> list[FeedEvent]:
        """Add an entry with one event for each of these receivers to a log; return its events."""
        entries = self.logs.setdefault(log, [])
        sequence = len(entries) + 1
        events = [
            FeedEvent(INSTANCE, log, sequence, part, str(part), "test.made", self.now_ms, whom, {})
            for part, whom in enumerate(receivers)
        ]
        entries.append(events)
        return events

    def connect(self, name: str, instance: str = INSTANCE) -> Connection:
        connection = Connection(name, "trade", instance, None, f"address/{name}", self.now_ms // 1000 + LIFE_S)
        self.connections.open(connection)
        return connection

    def follow_book(self, name: str, log: str, place: int = 0, *, repeats: bool = False) -> Subscription:
        """Subscribe a connection to a book's public events after this entry."""
        cursor = Cursor().moved(INSTANCE, log, Place(place))
        book_id = log.removeprefix("book/")
        return self._subscribed(name, f"trade@{book_id}", None, book_id, cursor, repeats)

    def follow_ann(self, name: str, **places: int) -> Subscription:
        """Subscribe a connection to ann's events in all logs, after these entries (ob_a=1)."""
        cursor = Cursor()
        for book_id, place in places.items():
            cursor = cursor.moved(INSTANCE, book_log(book_id), Place(place))
        return self._subscribed(name, "user_trades", ANN, None, cursor, False)

    def _subscribed(
        self, name: str, topic: str, subject: str | None, book_id: str | None, cursor: Cursor, repeats: bool
    ) -> Subscription:
        expires_s = self.now_ms // 1000 + LIFE_S
        one = Subscription(name, "trade", topic, INSTANCE, subject, book_id, repeats, cursor, 1, expires_s)
        self.connections.subscribe(one)
        return one


PUBLIC_EVENT, ANNS_EVENT, NOBODYS_EVENT = frozenset({PUBLIC}), frozenset({ANN}), frozenset[str]()


def numbered(*event_ids: str) -> list[tuple[int, str]]:
    return list(enumerate(event_ids, 1))


def ids(events: Sequence[FeedEvent], receivers: frozenset[str]) -> list[str]:
    return [event.event_id for event in events if event.receivers == receivers]
