"""Logs in memory, a desk that shows each event as a message, and connections that note what they are sent."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any

from chalicelib.domain.feed.cursor import BEGINNING, Cursor, Place, behind
from chalicelib.domain.feed.event import ALL_TAKERS, PUBLIC, FeedEvent, customer_subject, taker_subject
from chalicelib.domain.feed.logs import book_log
from chalicelib.domain.feed.subscription import LIFE_S, Connection, Subscription
from chalicelib.services.feed.reading import Scope
from chalicelib.services.push.beating import Beat
from chalicelib.services.push.broadcasting import Broadcaster
from chalicelib.services.push.desk import Body, News
from chalicelib.services.push.recent import RecentEntries
from chalicelib.services.push.sending import Gone
from chalicelib.services.push.sessions import Sessions
from chalicelib.services.push.steps import BEAT_S
from chalicelib.tables.connections import Connections
from chalicelib.tables.dynamodb import Database
from tests.world import INSTANCE, NOW_MS

ANN = customer_subject("ann")
BOOK_A, BOOK_B = book_log("ob_a"), book_log("ob_b")


TAKER, TAKERS = taker_subject("0xt1"), ALL_TAKERS
LANE = "signed/1"
HEARTBEAT = "state of all at None"


def at(sequence: int) -> Place:
    """Return the place behind an entry of these logs."""
    return Place(sequence, f"{sequence:08x}")


class EachEvent:
    """A desk whose topics show each event that they follow. disabled: credentials."""

    def __init__(self, *, sends_heartbeats: bool) -> None:
        self.sends_heartbeats = sends_heartbeats
        self.disabled: set[str] = set()

    def waits(self, subscription: Subscription) -> bool:
        return subscription.name.startswith("balance")

    def bodies(self, subscription: Subscription, news: News) -> dict[str, list[Body]]:
        wanted = {PUBLIC} if subscription.book_id is not None else {*subscription.subjects}
        return {
            log: [
                Body(behind(event, event is entry.events[-1]), event.at_ms, event.event_id)
                for entry in entries
                for event in entry.events
                if event.log == log and event.is_for(wanted)
            ]
            for log, entries in news.items()
        }

    def state(self, subscription: Subscription, place: Place | None = None) -> Body:
        return Body(place or BEGINNING, 0, f"state of {subscription.name} at {place and place.sequence}")

    def lets(self, subscription: Subscription) -> bool:
        return subscription.credential not in self.disabled

    def text(self, subscription: Subscription, body: Body, cursor: str) -> bytes:
        message = {"id": subscription.next_id, "topic": subscription.name, "body": body.text, "cursor": cursor}
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

    def is_open(self, connection_id: str) -> bool:
        return connection_id not in self.gone

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
        self.trade, self.taker_desk = EachEvent(sends_heartbeats=False), EachEvent(sends_heartbeats=True)
        self.desks = {"trade": self.trade, "taker": self.taker_desk}
        self.names = count()

    def broadcaster(self, database: Database | None = None) -> Broadcaster:
        """Return a broadcaster that remembers nothing, as a new process has it."""
        connections = Connections(database or self.database, lambda: self.now_ms // 1000)
        recent = RecentEntries(self._entries)
        together = (database or self.database).together
        clock, names = (lambda: self.now_ms), self.new_name
        return Broadcaster(connections, self.desks, self.clients, recent, together, clock, names, self._pause)

    def new_name(self) -> str:
        return f"name_{next(self.names)}"

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
            FeedEvent(INSTANCE, log, sequence, at(sequence).stamp, part, str(part), "test.made", self.now_ms, whom, {})
            for part, whom in enumerate(receivers)
        ]
        entries.append(events)
        return events

    def last_places(self, scope: Scope) -> dict[str, Place]:
        """Return the ends of the logs, as the feed does."""
        assert scope.instance == INSTANCE
        return {log: at(len(entries)) for log, entries in self.logs.items()}

    def longer(self, scope: Scope, than: Callable[[str], int]) -> bool:
        assert scope.instance == INSTANCE
        return any(len(entries) >= than(log) for log, entries in self.logs.items())

    def resumed(self, scope: Scope, after: Cursor) -> Cursor:
        assert scope.instance == INSTANCE
        return after

    def ends(self, scope: Scope) -> Cursor:
        cursor = Cursor()
        for log, place in self.last_places(scope).items():
            cursor = cursor.moved(INSTANCE, log, place)
        return cursor

    def beat(self, database: Database | None = None) -> Beat:
        """Return a beat that remembers nothing, as a new process has it."""
        broadcaster = self.broadcaster(database)
        connections = Connections(database or self.database, lambda: self.now_ms // 1000)
        feed: Any = self
        sessions = Sessions(
            connections, broadcaster, self.clients, feed, lambda: self.now_ms, self.new_name, self._pause
        )
        together = (database or self.database).together
        return Beat(sessions, broadcaster, self.desks, together, lambda: self.now_ms, self.new_name)

    def connect(self, name: str, instance: str = INSTANCE) -> Connection:
        connection = Connection(name, "trade", instance, None, f"address/{name}", self.now_ms // 1000 + LIFE_S)
        self.connections.open(connection)
        return connection

    def follow_book(self, name: str, log: str, place: int = 0, *, repeats: bool = False) -> Subscription:
        """Subscribe a connection to a book's public events after this entry."""
        cursor = Cursor().moved(INSTANCE, log, at(place))
        book_id = log.removeprefix("book/")
        return self._subscribed(name, f"trade@{book_id}", (), book_id, cursor, repeats)

    def follow_ann(self, name: str, topic: str = "user_trades", *, beats: bool = False, **places: int) -> Subscription:
        """Subscribe a connection to ann's events in all logs, after these entries (ob_a=1)."""
        cursor = Cursor()
        for book_id, place in places.items():
            cursor = cursor.moved(INSTANCE, book_log(book_id), at(place))
        return self._subscribed(name, topic, (ANN,), None, cursor, beats)

    def taker(self, name: str, place: int = 0, *, credential: str = "") -> Subscription:
        """Return a subscription of a connection to what a taker receives in one lane, after this entry."""
        expires_s, cursor = self.now_ms // 1000 + LIFE_S, Cursor().moved(INSTANCE, LANE, at(place))
        return Subscription(
            name, "taker", "all", INSTANCE, (TAKERS, TAKER), None, True, cursor, 1, expires_s, credential
        )

    def leave_while(self, subscribes: Callable[[], object], connection_id: str) -> None:
        """Have a client leave in the middle of what it subscribes, after its connection was read to be removed."""
        delete = self.database.delete_many

        def subscribe_before(table: str, keys: Iterable[Mapping[str, Any]]) -> None:
            self.database.delete_many = delete  # type: ignore[method-assign]
            subscribes()
            delete(table, keys)

        self.database.delete_many = subscribe_before  # type: ignore[method-assign]
        self.connections.close(connection_id)
        self.clients.gone.add(connection_id)

    def rows_of(self, connection_id: str) -> list[str]:
        """Return the topics of the rows that name a connection."""
        rows = self.database.scan("connections")
        return [row["topic"] for row in rows if connection_id in (row["connection"].partition("/")[0], row["topic"])]

    def _subscribed(
        self, name: str, topic: str, subjects: tuple[str, ...], book_id: str | None, cursor: Cursor, beats: bool
    ) -> Subscription:
        expires_s = self.now_ms // 1000 + LIFE_S
        one = Subscription(name, "trade", topic, INSTANCE, subjects, book_id, beats, cursor, 1, expires_s)
        self.connections.subscribe(one)
        return one


TAKERS_EVENT, ONE_TAKERS_EVENT = frozenset({TAKERS}), frozenset({TAKER})
PUBLIC_EVENT, ANNS_EVENT, NOBODYS_EVENT = frozenset({PUBLIC}), frozenset({ANN}), frozenset[str]()


def numbered(*event_ids: str) -> list[tuple[int, str]]:
    return list(enumerate(event_ids, 1))


def welcome(one: Subscription) -> bytes:
    """Return the message that confirms a subscription."""
    return json.dumps({"id": -1, "topic": one.name, "body": "welcome"}).encode()


def told(world: PushWorld, topic: str) -> list[tuple[int, str]]:
    """Return the (id, body) of each message of a topic that clients received, in order."""
    return [(message["id"], message["body"]) for _, message in world.clients.received if message["topic"] == topic]


def ids(events: Sequence[FeedEvent], receivers: frozenset[str]) -> list[str]:
    return [event.event_id for event in events if event.receivers == receivers]


def of_taker(world: PushWorld, name: str = "c", **more: Any) -> None:
    world.connect(name)
    world.connections.subscribe(world.taker(name, **more))


def later(world: PushWorld, seconds: float = BEAT_S) -> None:
    world.now_ms += int(seconds * 1000)


def texts(world: PushWorld, name: str = "c") -> list[str]:
    return [text for _, text in world.clients.of(name)]


def prepared(world: PushWorld) -> None:
    """A client that is being let in after the first entry of its lane; its connection is not open yet."""
    world.happen(LANE, TAKERS_EVENT)
    world.connect("c")
    world.beat().sessions.prepare(world.taker("c"), None)
    world.clients.gone.add("c")
