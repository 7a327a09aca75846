"""Rows of the table ``connections``: connections, subscriptions and what points to them (``tables.connections``)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from chalicelib.domain.feed.cursor import cursor_of
from chalicelib.domain.feed.subscription import Connection, Due, Intent, Subscription, Topic
from chalicelib.tables.rows import Row, reads_row


def connection_key(connection_id: str) -> Row:
    return {"topic": f"connection/{connection_id}", "connection": "connection"}


def owner_topic(owner: str) -> str:
    return f"owner/{owner}"


def counted_key(owner: str, connection_id: str) -> Row:
    return {"topic": owner_topic(owner), "connection": connection_id}


def mark_key(instance: str) -> Row:
    return {"topic": f"instance/{instance}", "connection": "any"}


def followers_topic(key: str) -> str:
    return f"follows/{key}"


def subscription_key(key: str, connection_id: str, name: str) -> Row:
    return {"topic": followers_topic(key), "connection": f"{connection_id}/{name}"}


def key_of(one: Subscription) -> Row:
    return subscription_key(one.topic.keys[0], one.connection_id, one.name)


def keys_of_topics(connection_id: str, topics: Iterable[Topic]) -> list[Row]:
    """Return the keys of the rows of a connection's topics, each once."""
    rows = dict.fromkeys((key, topic.name) for topic in topics for key in topic.keys)
    return [subscription_key(key, connection_id, name) for key, name in rows]


def texts_of(topics: Iterable[Topic]) -> list[list[str]]:
    return [[topic.name, *topic.keys] for topic in topics]


def state(one: Subscription) -> tuple[int, str, str, str]:
    return one.next_id, one.cursor.to_text(), intent_text(one.intent), due_text(one.due)


def due_text(due: Due) -> str:
    return f"{due.at_ms}/{due.by}"


def due_of(text: str) -> Due:
    at_ms, _, by = text.partition("/")
    return Due(int(at_ms), by)


def intent_text(intent: Intent | None) -> str:
    return "" if intent is None else json.dumps([intent.at_ms, intent.by, *intent.ends])


def intent_of(text: str) -> Intent | None:
    if not text:
        return None
    at_ms, by, *ends = json.loads(text)
    return Intent(tuple((log, until) for log, until in ends), at_ms, by)


def row_of(connection: Connection) -> dict[str, Any]:
    return connection_key(connection.connection_id) | {
        "id": connection.connection_id,
        "desk": connection.desk,
        "instance": connection.instance,
        "subject": connection.subject,
        "owner": connection.owner,
        "expires": connection.expires_s,
        "topics": texts_of(connection.topics),
        "credential": connection.credential,
        "version": connection.version,
    }


@reads_row
def connection_of(row: Row) -> Connection:
    return Connection(
        row["id"],
        row["desk"],
        row["instance"],
        row["subject"],
        row["owner"],
        row["expires"],
        tuple(Topic(name, tuple(keys)) for name, *keys in row["topics"]),
        row["credential"],
        row["version"],
    )


def rows_of_subscription(one: Subscription) -> list[dict[str, Any]]:
    """Return a subscription's row and its pointers."""
    first, *others = one.topic.keys
    row = {
        "id": one.connection_id,
        "desk": one.desk,
        "name": one.name,
        "instance": one.instance,
        "subjects": list(one.subjects),
        "book_id": one.book_id,
        "beats": one.beats,
        "cursor": one.cursor.to_text(),
        "credential": one.credential,
        "intent": intent_text(one.intent),
        "due": due_text(one.due),
        "next_id": one.next_id,
        "expires": one.expires_s,
    }
    pointer = {"at": first, "expires": one.expires_s}
    keys = [subscription_key(key, one.connection_id, one.name) for key in (first, *others)]
    return [keys[0] | row, *(key | pointer for key in keys[1:])]


@reads_row
def subscription_of(row: Row) -> Subscription:
    return Subscription(
        connection_id=row["id"],
        desk=row["desk"],
        name=row["name"],
        instance=row["instance"],
        subjects=tuple(row["subjects"]),
        book_id=row["book_id"],
        beats=row["beats"],
        cursor=cursor_of(row["cursor"]),
        next_id=row["next_id"],
        expires_s=row["expires"],
        credential=row["credential"],
        intent=intent_of(row["intent"]),
        due=due_of(row["due"]),
    )
