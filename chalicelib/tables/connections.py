"""Connections of clients (table ``connections``): who they are, what they follow, and how far they were told.

::

    topic                       connection            row
    connection/<id>             connection            a connection
    owner/<owner>               <id>                  counts it for its owner
    instance/<instance>         any                   until when a connection of the instance may be there
    topic/<key>                 <id>/<topic's name>   a subscription: its place, and the id of its next message

A subscription moves by one conditional write: only from the message id, cursor and intent that the writer has read. So
of two that send at once, one moves it, and the other is refused. They have sent the same messages under the same ids if
all messages follow from one log. Otherwise each writes down before what it is going to send (the intent); whoever finds
another's intent waits, or carries it out once it is old.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from chalicelib.domain.feed.cursor import cursor_of
from chalicelib.domain.feed.subscription import (
    CONNECTIONS_MAX,
    SUBSCRIPTIONS_MAX,
    Connection,
    Intent,
    Subscription,
    TooManyConnections,
    TooManySubscriptions,
    UnknownConnection,
)
from chalicelib.tables.attempts import tries
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.rows import Row, reads_row
from chalicelib.tables.writes import ConditionFailed, Update

TABLE = "connections"
CHANGES_MAX = 5
"""Tries of a change of a connection's row, if others change it at the same time."""
MARK_AHEAD_S = 600
JUST_S = 1


class Connections:
    """now_s: Unix seconds. Expired rows count as gone, even before the table drops them."""

    def __init__(self, database: Database, now_s: Callable[[], int]) -> None:
        self._database = database
        self._now_s = now_s

    def open(self, connection: Connection) -> None:
        """Store a new connection. Raises TooManyConnections; two at once may both be the last."""
        owner, now_s = _owner(connection), self._now_s()
        rows = self._database.query(TABLE, "#topic = :topic", {":topic": owner})
        if sum(row["expires"] > now_s for row in rows) >= CONNECTIONS_MAX:
            raise TooManyConnections(connection.owner)
        self._mark(connection)
        counted = {"topic": owner, "connection": connection.connection_id, "expires": connection.expires_s}
        self._database.put_many(TABLE, [_row_of(connection), counted])

    def _mark(self, connection: Connection) -> None:
        """Note that the instance has connections, once in MARK_AHEAD_S seconds."""
        key = _mark_key(connection.instance)
        row, now_s = self._database.get(TABLE, key), self._now_s()
        since_s = row["since"] if row is not None and row["expires"] > now_s else now_s
        if row is None or row["expires"] < connection.expires_s:
            mark = {"expires": connection.expires_s + MARK_AHEAD_S, "since": since_s}
            self._database.put_many(TABLE, [key | mark])

    def has_just_begun(self, instance: str) -> bool:
        """Return whether the instance had no connection until a moment ago, which may not be known everywhere yet."""
        row = self._database.get(TABLE, _mark_key(instance))
        return row is None or self._now_s() - row["since"] <= JUST_S

    def any_of(self, instance: str) -> bool:
        """Return whether the instance may have connections. One read."""
        row = self._database.get(TABLE, _mark_key(instance))
        return row is not None and row["expires"] > self._now_s()

    def get(self, connection_id: str) -> Connection:
        """Return a connection. Raises UnknownConnection."""
        row = self._database.get(TABLE, _key(connection_id))
        if row is None or row["expires"] <= self._now_s():
            raise UnknownConnection(connection_id)
        return _connection_of(row)

    def identify(self, connection_id: str, instance: str, subject: str) -> Connection:
        """Note who the client is. Raises UnknownConnection, or ValueError if it is somebody else."""
        for _ in tries(CHANGES_MAX, self._database.pause):
            before = self.get(connection_id)
            if before.subject is not None and (before.instance, before.subject) != (instance, subject):
                raise ValueError("the connection is another's")
            after = replace(before, instance=instance, subject=subject, version=before.version + 1)
            if before.subject is not None or self._change(before, after):
                self._mark(after)
                return after
        raise UnknownConnection(connection_id)

    def subscribe(self, subscription: Subscription) -> None:
        """Store a subscription, in place of an earlier one of its name. Raises UnknownConnection,
        TooManySubscriptions.
        """
        topic = (subscription.key, subscription.name)
        for _ in tries(CHANGES_MAX, self._database.pause):
            before = self.get(subscription.connection_id)
            topics = (*(one for one in before.topics if one != topic), topic)
            if len(topics) > SUBSCRIPTIONS_MAX:
                raise TooManySubscriptions(subscription.connection_id)
            if topic in before.topics or self._change(
                before, replace(before, topics=topics, version=before.version + 1)
            ):
                self._database.put_many(TABLE, [_row_of_subscription(subscription)])
                return
        raise UnknownConnection(subscription.connection_id)

    def unsubscribe(self, connection_id: str, name: str) -> bool:
        """Remove a subscription. Return whether there was one. Raises UnknownConnection."""
        for _ in tries(CHANGES_MAX, self._database.pause):
            before = self.get(connection_id)
            gone = [topic for topic in before.topics if topic[1] == name]
            kept = tuple(topic for topic in before.topics if topic[1] != name)
            self._database.delete_many(TABLE, [_subscription_key(key, connection_id, name) for key, name in gone])
            if not gone or self._change(before, replace(before, topics=kept, version=before.version + 1)):
                return bool(gone)
        raise UnknownConnection(connection_id)

    def _change(self, before: Connection, after: Connection) -> bool:
        """Return whether the connection's row was as before, and is changed now."""
        unchanged = "#version = :before"
        update = Update(
            TABLE,
            _key(before.connection_id),
            "SET #version = :after, #topics = :topics, #instance = :instance, #subject = :subject",
            unchanged,
            {
                ":before": before.version,
                ":after": after.version,
                ":topics": [list(topic) for topic in after.topics],
                ":instance": after.instance,
                ":subject": after.subject,
            },
        )
        try:
            self._database.write(update)
        except ConditionFailed:
            return False
        return True

    def close(self, connection_id: str) -> None:
        """Remove a connection and all that it is subscribed to; does nothing if it is gone."""
        row = self._database.get(TABLE, _key(connection_id))
        if row is None:
            return
        connection = _connection_of(row)
        gone = [_subscription_key(key, connection_id, name) for key, name in connection.topics]
        counted = {"topic": _owner(connection), "connection": connection_id}
        self._database.delete_many(TABLE, [*gone, counted])
        self._database.delete_many(TABLE, [_key(connection_id)])

    def following(self, key: str) -> list[Subscription]:
        """Return the subscriptions that follow a key (``Subscription.key``)."""
        rows = self._database.query(TABLE, "#topic = :topic", {":topic": _topic(key)})
        now_s = self._now_s()
        return [_subscription_of(row) for row in rows if row["expires"] > now_s]

    def subscription(self, one: Subscription) -> Subscription | None:
        """Return a subscription as it is now; None if it is gone."""
        row = self._database.get(TABLE, _subscription_key(one.key, one.connection_id, one.name))
        return None if row is None or row["expires"] <= self._now_s() else _subscription_of(row)

    def move(self, moves: Sequence[tuple[Subscription, Subscription]]) -> list[int]:
        """Move subscriptions on, each from what it was to what it is after its messages were sent.

        Return the indexes of those that are no longer what they were: moved by another, or gone.
        """
        nobody_moved_it = "#next_id = :before AND #cursor = :from AND #intent = :old"
        updates = [
            Update(
                TABLE,
                _subscription_key(before.key, before.connection_id, before.name),
                "SET #next_id = :after, #cursor = :to, #intent = :new",
                nobody_moved_it,
                {
                    ":before": before.next_id,
                    ":after": after.next_id,
                    ":from": before.cursor.to_text(),
                    ":to": after.cursor.to_text(),
                    ":old": _intent_text(before.intent),
                    ":new": _intent_text(after.intent),
                },
            )
            for before, after in moves
        ]
        return sorted(
            index
            for index, row in self._database.write_each(updates).items()
            if row is None or (row["next_id"], row["cursor"], row["intent"]) != _state(moves[index][1])
        )

    def all_there_are(self) -> tuple[list[Connection], list[Subscription]]:
        """Return every connection and every subscription. Scans the table, which has rows of the connected alone."""
        now_s = self._now_s()
        connections, subscriptions = list[Connection](), list[Subscription]()
        for row in self._live(now_s):
            if row["topic"].startswith("topic/"):
                subscriptions.append(_subscription_of(row))
            elif row["topic"].startswith("connection/"):
                connections.append(_connection_of(row))
        return connections, subscriptions

    def _live(self, now_s: int) -> Iterator[Row]:
        return (row for row in self._database.scan(TABLE) if row["expires"] > now_s)


def _key(connection_id: str) -> Row:
    return {"topic": f"connection/{connection_id}", "connection": "connection"}


def _owner(connection: Connection) -> str:
    return f"owner/{connection.owner}"


def _mark_key(instance: str) -> Row:
    return {"topic": f"instance/{instance}", "connection": "any"}


def _topic(key: str) -> str:
    return f"topic/{key}"


def _subscription_key(key: str, connection_id: str, name: str) -> Row:
    return {"topic": _topic(key), "connection": f"{connection_id}/{name}"}


def _state(one: Subscription) -> tuple[int, str, str]:
    return one.next_id, one.cursor.to_text(), _intent_text(one.intent)


def _intent_text(intent: Intent | None) -> str:
    return "" if intent is None else f"{intent.at_ms}/{intent.until}/{intent.log}"


def _intent_of(text: str) -> Intent | None:
    at_ms, _, rest = text.partition("/")
    until, _, log = rest.partition("/")
    return Intent(log, int(until), int(at_ms)) if text else None


def _row_of(connection: Connection) -> dict[str, Any]:
    return _key(connection.connection_id) | {
        "id": connection.connection_id,
        "desk": connection.desk,
        "instance": connection.instance,
        "subject": connection.subject,
        "owner": connection.owner,
        "expires": connection.expires_s,
        "topics": [list(topic) for topic in connection.topics],
        "version": connection.version,
    }


@reads_row
def _connection_of(row: Row) -> Connection:
    return Connection(
        row["id"],
        row["desk"],
        row["instance"],
        row["subject"],
        row["owner"],
        row["expires"],
        tuple((key, name) for key, name in row["topics"]),
        row["version"],
    )


def _row_of_subscription(one: Subscription) -> dict[str, Any]:
    return _subscription_key(one.key, one.connection_id, one.name) | {
        "id": one.connection_id,
        "desk": one.desk,
        "name": one.name,
        "instance": one.instance,
        "subject": one.subject,
        "book_id": one.book_id,
        "repeats": one.repeats,
        "cursor": one.cursor.to_text(),
        "intent": _intent_text(one.intent),
        "next_id": one.next_id,
        "expires": one.expires_s,
    }


@reads_row
def _subscription_of(row: Row) -> Subscription:
    return Subscription(
        row["id"],
        row["desk"],
        row["name"],
        row["instance"],
        row["subject"],
        row["book_id"],
        row["repeats"],
        cursor_of(row["cursor"]),
        row["next_id"],
        row["expires"],
        _intent_of(row["intent"]),
    )
