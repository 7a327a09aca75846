"""Sessions: clients connect, subscribe to topics, resume where they were, and leave.

A subscription begins at the end of its logs, or behind the cursor that the client names. Its first messages, and what
it missed, are sent before its row is stored, when nobody else sends to it or waits for it. What came in the last moment
is sent under an intent, for which the broadcaster waits. So nothing is sent twice, and who missed much delays no other.

Where connecting itself subscribes, nothing can be sent yet: a connection is open only once the call that lets it in has
returned. So the row is stored as one that has not begun, which no broadcaster looks at. It begins by a call of its own,
beside (``beating``): first a heartbeat, which only an open connection takes, then what the client missed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from chalicelib.domain.feed.cursor import Cursor, UnreadableCursor
from chalicelib.domain.feed.logs import SIGNED_AREA, book_log
from chalicelib.domain.feed.subscription import (
    LIFE_S,
    NOT_BEGUN,
    Connection,
    Due,
    Intent,
    Subscription,
    TooManyConnections,
)
from chalicelib.services.feed.reading import CursorGone, Feed, Scope
from chalicelib.services.feed.scopes import NO_BOOKS, of_instance
from chalicelib.services.push.broadcasting import (
    NOBODY_S,
    PASSED_OVER_MAX,
    Broadcaster,
    NotSent,
    behind,
    due_after_message,
)
from chalicelib.services.push.desk import Body, Desk
from chalicelib.services.push.recent import ENTRIES_MAX
from chalicelib.services.push.sending import Gone, Sender
from chalicelib.support.outcomes import Unavailable
from chalicelib.tables.connections import Connections

ENTRIES_AT_ONCE = 200
"""Missed entries that are sent in one step."""
TELLING_S = 15
"""How long a client is sent what it missed, within the 29 s of API Gateway; then it subscribes again from there."""
ENTRIES_LEFT = 10
"""Missed entries that may be sent while others wait."""
LOOKS_MAX = 3
"""Looks for entries that have come while a client was sent what it missed."""
MISSED_MAX = 20_000
"""Missed entries of a log that a subscription can begin with; who missed more reads them by long poll first."""
HANDSHAKE_S = 30
"""A connection is open this long after it was stored, or will not be: API Gateway waits 29 s for the answer."""
OPENING_S = 10
"""Until when a connection that is let in must be open."""


class CursorUnusable(Exception):
    """The cursor is gone, is of other logs, or is too far behind the end of a log."""


class Sessions:
    """clock_ms: Unix ms. new_name: returns a unique name."""

    def __init__(
        self,
        connections: Connections,
        broadcaster: Broadcaster,
        sender: Sender,
        feed: Feed,
        clock_ms: Callable[[], int],
        new_name: Callable[[], str],
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.connections = connections
        self.sender = sender
        self._broadcaster = broadcaster
        self._feed = feed
        self._clock_ms = clock_ms
        self._new_name = new_name
        self._pause = pause

    def open(self, connection_id: str, desk: str, instance: str, subject: str | None, owner: str) -> Connection:
        """Store a new connection. Raises TooManyConnections.

        Nobody is sure to be told that a connection has ended, so an owner who has too many is counted anew.
        """
        connection = Connection(connection_id, desk, instance, subject, owner, self._clock_ms() // 1000 + LIFE_S)
        try:
            self.connections.open(connection)
        except TooManyConnections:
            self._forget_gone(owner)
            self.connections.open(connection)
        return connection

    def _forget_gone(self, owner: str) -> None:
        """Remove the connections of an owner that have ended. Those that may still be let in stay."""
        let_in_until_s = self._clock_ms() // 1000 + LIFE_S - HANDSHAKE_S
        for connection_id, expires_s in self.connections.of_owner(owner).items():
            if expires_s < let_in_until_s and not self.sender.is_open(connection_id):
                self.connections.forget(owner, connection_id)

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
        TooManySubscriptions; Unavailable where the state, or what was missed, cannot be read now: nothing is stored.
        """
        begun = replace(wanted, cursor=self._beginning(wanted, resume))
        body = state(begun) if state is not None and resume is None else None
        if welcome is not None:
            self.sender.send(begun.connection_id, welcome(begun))
        if body is not None:
            begun = replace(begun, cursor=begun.cursor.moved(begun.instance, book_log(str(begun.book_id)), body.place))
            self.sender.send(begun.connection_id, desk.text(begun, body, begun.cursor.to_text()))
            begun = replace(begun, next_id=begun.next_id + 1, due=due_after_message(self._clock_ms()))
        try:
            begun = self._told_most(begun) if resume is not None else begun
            self._begin_held(begun)
        except NotSent as error:
            raise Unavailable(f"{begun.name}: what was missed cannot be read now") from error
        return begun

    def _told_most(self, one: Subscription) -> Subscription:
        """Send a client what it missed while nobody else sends to it, but for the last few entries. Raises NotSent."""
        until_ms = self._clock_ms() + TELLING_S * 1000
        for _ in range(LOOKS_MAX):
            ends = self._ends(_scope_of(one))
            if behind(one, ends) <= ENTRIES_LEFT:
                break
            one = self._told_all(one, ends, until_ms)
        return one

    def _told_all(self, one: Subscription, ends: dict[str, int], until_ms: int | None = None) -> Subscription:
        """Take steps up to these entries. until_ms: when it raises NotSent; None: never."""
        while behind(one, ends):
            if until_ms is not None and self._clock_ms() >= until_ms:
                raise NotSent(f"{one.name} has {behind(one, ends)} entries left")
            before, one = one, self._broadcaster.tell(one, ends)
            if one.cursor == before.cursor:
                break
        return one

    def _begin_held(self, one: Subscription) -> None:
        """Store a subscription, and send what came since it was read. Who would tell it meanwhile waits: it has an
        intent. Raises NotSent; then it is not stored.
        """
        held = replace(one, intent=Intent((), self._clock_ms(), self._new_name()))
        self.connections.subscribe(held)
        if self.connections.has_just_begun(one.instance):
            self._pause(NOBODY_S)
        try:
            told = self._told_all(held, self._ends(_scope_of(held)))
        except NotSent:
            self.connections.unsubscribe(one.connection_id, one.name)
            raise
        except Gone:
            self.connections.close(one.connection_id, held)
            raise
        self.connections.move([(held, replace(told, intent=None))])

    def prepare(self, wanted: Subscription, resume: Cursor | None) -> None:
        """Store a subscription of a connection that is being let in; it begins with ``begin``. Raises as ``follow``."""
        due = Due(self._clock_ms() + OPENING_S * 1000)
        cursor = self._beginning(wanted, resume)
        self.connections.subscribe(replace(wanted, cursor=cursor, next_id=NOT_BEGUN, due=due))

    def begin(self, desk: Desk, one: Subscription, by: str) -> None:
        """Begin a subscription of a connection that is open: its first beat, then what it missed.

        May be called again, and by two at once. by: unique to the caller. Raises Gone: the connection is not open.
        """
        if not one.has_begun:
            self.beat(desk, one)
            begun = replace(one, next_id=NOT_BEGUN + 1, due=Due(self._clock_ms() + OPENING_S * 1000))
            if self.connections.move([(one, begun)]):
                return
            one = begun
        self.catch_up(one)
        now = self.connections.subscription(one)
        if now is not None:
            self.connections.move([(now, replace(now, due=due_after_message(self._clock_ms(), by)))])

    def beat(self, desk: Desk, one: Subscription) -> None:
        """Send a message that is no event. Raises Gone."""
        self.sender.send(one.connection_id, desk.text(one, desk.state(one), one.cursor.to_text()))

    def catch_up(self, one: Subscription) -> None:
        """Tell a subscription what its logs have by now, or what they have until it ends (T160). Raises NotSent."""
        if self.connections.has_just_begun(one.instance):
            self._pause(NOBODY_S)
        ends = self._ends(_scope_of(one))
        until = {log: min(one.cursor.place(one.instance, log).sequence, end) for log, end in ends.items()}
        while until != ends:
            left = ENTRIES_AT_ONCE
            for log, end in ends.items():
                step = min(left, end - until[log])
                until[log], left = until[log] + step, left - step
            now = self.connections.subscription(one)
            if now is None:
                return
            self._broadcaster.advance([(now, until)])

    def keep_up(self, subscriptions: Iterable[Subscription]) -> None:
        """Move on those that are far behind the ends of their logs, because nothing there was theirs. Raises NotSent.

        Otherwise the stream's function would read all that lies between at the next event of theirs, while all others
        wait.
        """
        by_logs: dict[Scope, list[Subscription]] = {}
        for one in subscriptions:
            by_logs.setdefault(replace(_scope_of(one), subjects=None), []).append(one)
        for scope, found in by_logs.items():
            if not self._is_one_far(scope, found):
                continue
            ends = self._ends(scope)
            while far := [one for one in found if _is_far(one, ends)]:
                until = {log: min(_first(far, log) + ENTRIES_MAX, end) for log, end in ends.items()}
                self._broadcaster.advance((one, until) for one in far)
                found = self.connections.again(far)

    def _is_one_far(self, scope: Scope, found: Sequence[Subscription]) -> bool:
        return self._feed.longer(scope, lambda log: _first(found, log) + PASSED_OVER_MAX)

    def _ends(self, scope: Scope) -> dict[str, int]:
        """Return the sequence of each log's last entry."""
        return {log: end.sequence for log, end in self._feed.last_places(scope).items()}

    def _beginning(self, wanted: Subscription, resume: Cursor | None) -> Cursor:
        """Return where a subscription begins. Raises CursorUnusable."""
        scope = _scope_of(wanted)
        if resume is None:
            return self._feed.ends(scope)
        try:
            begun = self._feed.resumed(scope, resume)
        except (CursorGone, UnreadableCursor) as error:
            raise CursorUnusable from error
        for log, end in self._feed.last_places(scope).items():
            if end.sequence - begun.place(wanted.instance, log).sequence > MISSED_MAX:
                raise CursorUnusable(log)
        return begun


def _first(found: Iterable[Subscription], log: str) -> int:
    """Return how far the subscription has come in a log that is the farthest behind."""
    return min(one.cursor.place(one.instance, log).sequence for one in found)


def _is_far(one: Subscription, ends: Mapping[str, int]) -> bool:
    """Return whether so much of a log lies before a subscription that its place is moved though nothing is sent."""
    return any(end >= _first([one], log) + PASSED_OVER_MAX for log, end in ends.items())


def _scope_of(one: Subscription) -> Scope:
    """Return the logs that a subscription follows."""
    if one.desk == "trade":
        return of_instance(one.instance, books=None if one.book_id is None else frozenset({one.book_id}))
    return Scope(one.instance, frozenset(one.subjects), NO_BOOKS, (SIGNED_AREA,))
