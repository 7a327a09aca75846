"""Connections of clients (table ``connections``): who they are, what they follow, and how far they were told.

::

    topic                       connection            row
    connection/<id>             connection            a connection
    owner/<owner>               <id>                  counts it for its owner
    instance/<instance>         any                   until when a connection of the instance may be there
    follows/<key>               <id>/<topic's name>   a subscription: its place, and the id of its next message
    follows/<another key>       <id>/<topic's name>   a pointer to a subscription that follows several keys

A subscription moves by one conditional write: only from the message id, cursor, intent and next beat that the writer
has read. So of two that send at once, one moves it, and the other is refused. They have sent the same messages under
the same ids if all messages follow from one log. Otherwise each writes down before what it is going to send (the
intent); whoever finds another's intent waits, or carries it out once it is old.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial

from chalicelib.domain.feed.subscription import (
    BEATS,
    CONNECTIONS_MAX,
    SUBSCRIPTIONS_MAX,
    Connection,
    Subscription,
    TooManyConnections,
    TooManySubscriptions,
    UnknownConnection,
)
from chalicelib.support.bounded_cache import BoundedCache
from chalicelib.support.outcomes import Unavailable
from chalicelib.tables import connection_rows as forms
from chalicelib.tables.attempts import tries
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.rows import Row
from chalicelib.tables.writes import ConditionFailed, Update

TABLE = "connections"
CHANGES_MAX = 20
"""Tries of a change of a connection's row. A client may send each of its SUBSCRIPTIONS_MAX topics in a message of its
own, all at once (T175).
"""
MARK_AHEAD_S = 600
INSTANCES_MAX = 1000
JUST_S = 1


class Connections:
    """now_s: Unix seconds. Expired rows count as gone, even before the table drops them."""

    def __init__(self, database: Database, now_s: Callable[[], int]) -> None:
        self._database = database
        self._now_s = now_s
        self._long_begun: BoundedCache[str, int] = BoundedCache(INSTANCES_MAX)
        """Until when an instance that had connections before a moment ago has some, at least (Unix seconds)."""

    def open(self, connection: Connection) -> None:
        """Store a new connection. Raises TooManyConnections; two at once may both be the last."""
        if len(self.of_owner(connection.owner)) >= CONNECTIONS_MAX:
            raise TooManyConnections(connection.owner)
        self._mark(connection)
        counted = forms.counted_key(connection.owner, connection.connection_id) | {"expires": connection.expires_s}
        self._database.put_many(TABLE, [forms.row_of(connection), counted])

    def of_owner(self, owner: str) -> dict[str, int]:
        """Return when the rows of an owner's connections expire (Unix seconds), by the connection's id."""
        rows = self._database.query(TABLE, "#topic = :topic", {":topic": forms.owner_topic(owner)})
        return {row["connection"]: row["expires"] for row in rows if row["expires"] > self._now_s()}

    def forget(self, owner: str, connection_id: str) -> None:
        """Remove an owner's connection, though it may be counted alone."""
        self.close(connection_id)
        self._database.delete_many(TABLE, [forms.counted_key(owner, connection_id)])

    def _mark(self, connection: Connection) -> None:
        """Note that the instance has connections, once in MARK_AHEAD_S seconds."""
        key = forms.mark_key(connection.instance)
        row, now_s = self._database.get(TABLE, key), self._now_s()
        since_s = row["since"] if row is not None and row["expires"] > now_s else now_s
        if row is None or row["expires"] < connection.expires_s:
            mark = {"expires": connection.expires_s + MARK_AHEAD_S, "since": since_s}
            self._database.put_many(TABLE, [key | mark])

    def has_just_begun(self, instance: str) -> bool:
        """Return whether the instance had no connection until a moment ago, which may not be known everywhere yet. Read
        once by a process, for as long as that has connections.
        """
        if self._now_s() < (self._long_begun.get(instance) or 0):
            return False
        row = self._database.get(TABLE, forms.mark_key(instance))
        if row is None or self._now_s() - row["since"] <= JUST_S:
            return True
        self._long_begun.set(instance, row["expires"])
        return False

    def any_of(self, instance: str) -> bool:
        """Return whether the instance may have connections. One read."""
        row = self._database.get(TABLE, forms.mark_key(instance))
        return row is not None and row["expires"] > self._now_s()

    def get(self, connection_id: str) -> Connection:
        """Return a connection. Raises UnknownConnection."""
        row = self._database.get(TABLE, forms.connection_key(connection_id))
        if row is None or row["expires"] <= self._now_s():
            raise UnknownConnection(connection_id)
        return forms.connection_of(row)

    def identify(self, connection_id: str, instance: str, subject: str, credential: str) -> Connection:
        """Note who the client is, and by what: what came first stays. Raises UnknownConnection, Unavailable, or
        ValueError if it is somebody else.
        """

        def known(before: Connection) -> Connection | None:
            if before.subject is None:
                return replace(before, instance=instance, subject=subject, credential=credential)
            if (before.instance, before.subject) != (instance, subject):
                raise ValueError("the connection is another's")
            return None

        after = self._changed(connection_id, known)
        self._mark(after)
        return after

    def subscribe(self, subscription: Subscription) -> None:
        """Store a subscription, in place of an earlier one of its name, also one at other keys (of another instance).

        Its row is there before the connection names it, and the connection is changed though it names it already. So of
        a subscription that is stored and removed at the same time both are left, or neither (T175). Raises
        UnknownConnection, TooManySubscriptions, Unavailable.
        """
        connection_id, topic = subscription.connection_id, subscription.topic

        def named(before: Connection) -> Connection:
            others = [one for one in before.topics if one.name == topic.name and one != topic]
            topics = (*(one for one in before.topics if one.name != topic.name), topic)
            if len(topics) > SUBSCRIPTIONS_MAX:
                raise TooManySubscriptions(connection_id)
            self._database.delete_many(TABLE, forms.keys_of_topics(connection_id, others))
            self._database.put_many(TABLE, forms.rows_of_subscription(subscription))
            return replace(before, topics=topics)

        try:
            self._changed(connection_id, named)
        except (UnknownConnection, Unavailable):
            self._database.delete_many(TABLE, forms.keys_of_topics(connection_id, [topic]))
            raise

    def leave_to_others(self, begun: Subscription) -> None:
        """Have the beat, which has looked after a beginning, pass over a subscription that it sends nothing."""
        if not begun.beats:
            self._database.delete_many(TABLE, [forms.subscription_key(BEATS, begun.connection_id, begun.name)])

    def unsubscribe(self, connection_id: str, name: str) -> None:
        """Remove a subscription, if there is one. Raises UnknownConnection, Unavailable."""

        def without(before: Connection) -> Connection | None:
            gone = [topic for topic in before.topics if topic.name == name]
            self._database.delete_many(TABLE, forms.keys_of_topics(connection_id, gone))
            return replace(before, topics=tuple(one for one in before.topics if one not in gone)) if gone else None

        self._changed(connection_id, without)

    def _changed(self, connection_id: str, change: Callable[[Connection], Connection | None]) -> Connection:
        """Change a connection's row, and return the connection. change: returns what becomes of the connection as read;
        None: it stays. Called again if another was faster. Raises UnknownConnection, or Unavailable if others always
        are.
        """
        unchanged = "#version = :before"
        for _ in tries(CHANGES_MAX, self._database.pause):
            before = self.get(connection_id)
            after = change(before)
            if after is None:
                return before
            after = replace(after, version=before.version + 1)
            update = Update(
                TABLE,
                forms.connection_key(connection_id),
                "SET #version = :after, #topics = :topics, #instance = :instance, #subject = :subject, "
                "#credential = :credential",
                unchanged,
                {
                    ":before": before.version,
                    ":after": after.version,
                    ":topics": forms.texts_of(after.topics),
                    ":instance": after.instance,
                    ":subject": after.subject,
                    ":credential": after.credential,
                },
            )
            with suppress(ConditionFailed):
                self._database.write(update)
                return after
        raise Unavailable(f"{connection_id}: others change the connection")

    def close(self, connection_id: str, *seen: Subscription) -> None:
        """Remove a connection and all that it is subscribed to, if they are there.

        seen: subscriptions of its that are known to be there: a client that leaves while it subscribes leaves one
        behind, which the connection does not name.
        """
        row = self._database.get(TABLE, forms.connection_key(connection_id))
        connection = None if row is None else forms.connection_of(row)
        topics = {one.topic for one in seen} | set(() if connection is None else connection.topics)
        keys = forms.keys_of_topics(connection_id, topics)
        if connection is not None:
            keys.append(forms.counted_key(connection.owner, connection_id))
        self._database.delete_many(TABLE, keys)
        if connection is not None:
            self._database.delete_many(TABLE, [forms.connection_key(connection_id)])

    def following(self, keys: Collection[str]) -> list[Subscription]:
        """Return the subscriptions that follow any of the keys (``Subscription.topic``), each once."""
        found: list[Row] = []

        def find(key: str) -> None:
            found.extend(self._database.query(TABLE, "#topic = :topic", {":topic": forms.followers_topic(key)}))

        self._database.together([partial(find, key) for key in keys])
        rows = {(row["topic"], row["connection"]): row for row in found if "at" not in row}
        elsewhere = {
            (forms.followers_topic(row["at"]), row["connection"]) for row in found if "at" in row
        } - rows.keys()
        wanted = [{"topic": topic, "connection": connection} for topic, connection in elsewhere]
        now_s = self._now_s()
        there = [*rows.values(), *(self._database.get_many(TABLE, wanted) if wanted else [])]
        return [forms.subscription_of(row) for row in there if row["expires"] > now_s]

    def of_connection(self, connection: Connection) -> list[Subscription]:
        """Return a connection's subscriptions."""
        keys = [
            forms.subscription_key(topic.keys[0], connection.connection_id, topic.name) for topic in connection.topics
        ]
        return [forms.subscription_of(row) for row in self._database.get_many(TABLE, keys)]

    def again(self, found: Sequence[Subscription]) -> list[Subscription]:
        """Return subscriptions as they are now, without those that are gone."""
        rows = self._database.get_many(TABLE, [forms.key_of(one) for one in found]) if found else []
        now_s = self._now_s()
        return [forms.subscription_of(row) for row in rows if row["expires"] > now_s]

    def move(self, moves: Sequence[tuple[Subscription, Subscription]]) -> list[int]:
        """Move subscriptions on, each from what it was to what it is after its messages were sent.

        Return the indexes of those that are no longer what they were: moved by another, or gone.
        """
        nobody_moved_it = "#next_id = :before AND #cursor = :from AND #intent = :old AND #due = :then"
        updates = [
            Update(
                TABLE,
                forms.key_of(before),
                "SET #next_id = :after, #cursor = :to, #intent = :new, #due = :next",
                nobody_moved_it,
                {
                    ":before": before.next_id,
                    ":after": after.next_id,
                    ":from": before.cursor.to_text(),
                    ":to": after.cursor.to_text(),
                    ":old": forms.intent_text(before.intent),
                    ":new": forms.intent_text(after.intent),
                    ":then": forms.due_text(before.due),
                    ":next": forms.due_text(after.due),
                },
            )
            for before, after in moves
        ]
        return sorted(
            index
            for index, row in self._database.write_each(updates).items()
            if row is None or (row["next_id"], row["cursor"], row["intent"], row["due"]) != forms.state(moves[index][1])
        )
