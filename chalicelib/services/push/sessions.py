"""Sessions: clients connect, subscribe to topics, resume where they were, and leave.

A subscription begins at the end of its logs, or behind the cursor that the client names. Its first messages are sent
before its row is stored; from then on the broadcaster sends, beginning with what happened meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from chalicelib.domain.feed.cursor import Cursor, Place
from chalicelib.domain.feed.logs import LEDGER_AREA, SIGNED_AREA, book_log, lanes_of
from chalicelib.domain.feed.subscription import LIFE_S, Connection, Subscription
from chalicelib.domain.ledger.owners import book_key
from chalicelib.services.push.broadcasting import NOBODY_S, Body, Broadcaster, Desk
from chalicelib.services.push.sending import Sender
from chalicelib.tables import journal, outbox
from chalicelib.tables.books import Books
from chalicelib.tables.connections import Connections
from chalicelib.tables.dynamodb import Database

LOGS_MAX = 350
"""Logs that a subscription follows: as many as a cursor can name."""
ENTRIES_AT_ONCE = 200
"""Missed entries of a log that are sent in one step."""
MISSED_MAX = 20_000
"""Missed entries of a log that a subscription can begin with; who missed more reads them by long poll first."""


class CursorUnusable(Exception):
    """The cursor is beyond the end of a log, or too far behind it."""


class TooManyLogs(Exception):
    """The instance has more books than one subscription can follow."""


class LogEnds:
    """Finds the logs of an instance, and their last entries."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._books = Books(database)

    def logs_of(self, one: Subscription) -> list[str]:
        """Return the logs that a subscription follows. Raises TooManyLogs."""
        if one.book_id is not None:
            return [book_log(one.book_id)]
        if one.desk != "trade":
            return lanes_of(SIGNED_AREA)
        books = [book_log(config.book_id) for config in self._books.of_instance(one.instance)]
        logs = [*books, *lanes_of(LEDGER_AREA), *lanes_of(SIGNED_AREA)]
        if len(logs) > LOGS_MAX:
            raise TooManyLogs(one.instance)
        return logs

    def ends(self, instance: str, logs: Sequence[str]) -> dict[str, int]:
        """Return the sequence of each log's last entry; 0: it has none."""
        found: dict[str, int] = {}

        def look(log: str) -> None:
            area, _, book_id = log.partition("/")
            if area == "book":
                found[log] = journal.ROWS.end(self._database, book_key(instance, book_id))
            else:
                found[log] = outbox.Outbox(self._database).end(instance, log)

        self._database.together([partial(look, log) for log in logs])
        return found


class Sessions:
    """now_s: Unix seconds."""

    def __init__(
        self,
        connections: Connections,
        broadcaster: Broadcaster,
        sender: Sender,
        ends: LogEnds,
        now_s: Callable[[], int],
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.connections = connections
        self.sender = sender
        self._broadcaster = broadcaster
        self._ends = ends
        self._now_s = now_s
        self._pause = pause

    def open(self, connection_id: str, desk: str, instance: str, subject: str | None, owner: str) -> Connection:
        """Store a new connection. Raises TooManyConnections."""
        connection = Connection(connection_id, desk, instance, subject, owner, self._now_s() + LIFE_S)
        self.connections.open(connection)
        return connection

    def close(self, connection_id: str) -> None:
        self.connections.close(connection_id)

    def follow(
        self,
        desk: Desk,
        wanted: Subscription,
        resume: Cursor | None,
        welcome: Callable[[Subscription], bytes] | None = None,
        state: Callable[[Subscription], Body] | None = None,
    ) -> Subscription:
        """Subscribe a connection, send what it missed, and return the subscription as it began.

        resume: where the client was; None: now. welcome: the message that confirms it. state: the first message of a
        topic that begins with one, unless the client resumes. Raises CursorUnusable, TooManyLogs, UnknownConnection,
        TooManySubscriptions.
        """
        logs = self._ends.logs_of(wanted)
        ends = self._ends.ends(wanted.instance, logs)
        begun = replace(wanted, cursor=self._beginning(wanted, ends, resume))
        if welcome is not None:
            self.sender.send(begun.connection_id, welcome(begun))
        if state is not None and resume is None:
            body = state(begun)
            begun = replace(begun, cursor=begun.cursor.moved(begun.instance, logs[0], body.place))
            self.sender.send(begun.connection_id, desk.text(begun, body, begun.cursor.to_text()))
            begun = replace(begun, next_id=begun.next_id + 1)
        self.connections.subscribe(begun)
        if self.connections.has_just_begun(begun.instance):
            self._pause(NOBODY_S)
        for log, end in self._ends.ends(wanted.instance, logs).items():
            self._catch_up(begun, log, end)
        return begun

    def _beginning(self, wanted: Subscription, ends: dict[str, int], resume: Cursor | None) -> Cursor:
        if resume is None:
            cursor = Cursor()
            for log, end in ends.items():
                cursor = cursor.moved(wanted.instance, log, Place(end))
            return cursor
        cursor = Cursor()
        for log, end in ends.items():
            place = resume.place(wanted.instance, log)
            if place > Place(end) or end - place.sequence > MISSED_MAX:
                raise CursorUnusable(log)
            cursor = cursor.moved(wanted.instance, log, place)
        return cursor

    def _catch_up(self, begun: Subscription, log: str, end: int) -> None:
        until = begun.cursor.place(begun.instance, log).sequence
        while until < end:
            until = min(until + ENTRIES_AT_ONCE, end)
            now = self.connections.subscription(begun)
            if now is not None:
                self._broadcaster.advance([now], log, until)
