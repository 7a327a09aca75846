"""Sessions: clients connect, subscribe to topics, resume where they were, and leave.

A subscription begins at the end of its logs, or behind the cursor that the client names::

    intent                  who sends to it
    none to wait for        who begins it: the first messages, and what the client missed; others pass over it
    one that others wait    who begins it: what came in the last moment
    none                    everybody

So nothing is sent twice, and who missed much delays no other (T165). What was sent is kept step by step. If the process
dies, the beat looks after it: it goes on where the desk has heartbeats, and ends the connection elsewhere (R86).

Where connecting itself subscribes, nothing can be sent yet: a connection is open only once the call that lets it in has
returned. It begins by a call of its own, beside (``beating``): first a heartbeat, which only an open connection takes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from chalicelib.domain.feed.cursor import Cursor, UnreadableCursor
from chalicelib.domain.feed.logs import SIGNED_AREA, book_log
from chalicelib.domain.feed.subscription import (
    LIFE_S,
    Connection,
    Due,
    Intent,
    Subscription,
    TooManyConnections,
)
from chalicelib.services.feed.reading import CursorGone, Feed, Scope
from chalicelib.services.feed.scopes import NO_BOOKS, of_instance
from chalicelib.services.push.broadcasting import NOBODY_S, PASSED_OVER_MAX, Broadcaster, NotSent
from chalicelib.services.push.desk import Body, Desk
from chalicelib.services.push.recent import ENTRIES_MAX
from chalicelib.services.push.sending import Gone, Sender
from chalicelib.services.push.steps import Ends, behind, due_after_message
from chalicelib.support.outcomes import Unavailable
from chalicelib.tables.connections import Connections

TELLING_S = 15
"""How long a client is sent what it missed, within the 29 s of API Gateway; then it subscribes again from there."""
STEP_S = 1
"""A step that took less is followed by one of twice as many entries, others by one of half as many (T180)."""
ENTRIES_LEFT = 10
"""Missed entries that may be sent while others wait, if they need not be projected."""
LOOKS_MAX = 3
"""Looks for entries that have come while a client was sent what it missed."""
MISSED_MAX = 20_000
"""Missed entries of a log that a subscription can begin with; who missed more reads them by long poll first."""
HANDSHAKE_S = 30
"""A connection is open this long after it was stored, or will not be: API Gateway waits 29 s for the answer."""
OPENING_S = 10
"""Until when a connection that is let in must be open."""
BEGINNING_S = 30
"""The beat looks after a beginning that was kept so long ago: its process has died. API Gateway waits 29 s."""


class CursorUnusable(Exception):
    """The cursor is gone, is of other logs, or is too far behind the end of a log."""


class _AnothersNow(Exception):
    """The row of a subscription is gone, or another has begun it."""


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
        welcome: Callable[[Subscription], bytes],
        state: Callable[[Subscription], Body] | None = None,
    ) -> None:
        """Subscribe a connection, and send what it missed.

        resume: where the client was; None: now. welcome: the message that confirms it. state: the first message of a
        topic that begins with one, unless the client resumes. Raises CursorUnusable, TooManyLogs, UnknownConnection,
        TooManySubscriptions; Unavailable where the state, or what was missed, cannot be read now: it is not subscribed.
        """
        wanted, ends = self._beginning(wanted, resume)
        body = state(wanted) if state is not None and resume is None else None
        row = self._claimed(wanted, others_wait=_is_soon_told(desk, wanted, ends))
        self.connections.subscribe(row)
        try:
            self.sender.send(row.connection_id, welcome(row))
            one = replace(row, due=wanted.due)
            if body is not None:
                one = replace(one, cursor=one.cursor.moved(one.instance, book_log(str(one.book_id)), body.place))
                self.sender.send(one.connection_id, desk.text(one, body, one.cursor.to_text()))
                one = replace(one, next_id=one.next_id + 1, due=due_after_message(self._clock_ms()))
            self._begin(desk, row, one, ends, TELLING_S)
        except NotSent as error:
            self.connections.unsubscribe(row.connection_id, row.name)
            raise Unavailable(f"{row.name}: what was missed cannot be read now") from error
        except Gone:
            self.connections.close(row.connection_id, row)
            raise

    def prepare(self, wanted: Subscription, resume: Cursor | None) -> None:
        """Store a subscription of a connection that is being let in; it begins with ``begin``. Raises as ``follow``."""
        one, _ = self._beginning(wanted, resume)
        self.connections.subscribe(self._claimed(one, others_wait=False, for_s=OPENING_S))

    def begin(self, desk: Desk, one: Subscription, for_s: float = TELLING_S) -> None:
        """Begin a subscription of a connection that is open: its first beat, then what it missed.

        May be called again, and by two at once. Raises Gone: the connection is not open; NotSent: some is left after
        so many seconds, and the next call goes on with it.
        """
        if not one.is_beginning:
            return
        self.beat(desk, one)
        ends = self._ends(_scope_of(one))
        row = self._claimed(one, others_wait=_is_soon_told(desk, one, ends))
        if self.connections.move([(one, row)]):
            return
        due = due_after_message(self._clock_ms(), self._new_name())
        try:
            self._begin(desk, row, replace(row, due=due), ends, for_s)
        except Gone:
            self.connections.close(one.connection_id, one)

    def _claimed(self, one: Subscription, *, others_wait: bool, for_s: int = BEGINNING_S) -> Subscription:
        """Return the row of a subscription that this process begins. others_wait: until it was begun; or they pass over
        it. for_s: how long before the beat looks after it.
        """
        now_ms = self._clock_ms()
        intent = Intent((), now_ms if others_wait else 0, self._new_name())
        return replace(one, intent=intent, due=Due(now_ms + for_s * 1000))

    def _begin(self, desk: Desk, row: Subscription, one: Subscription, ends: Ends, for_s: float) -> None:
        """Send a subscription what it missed, up to these ends and what has come since; then others send to it.

        row: as this process has claimed it. one: as it is to be. Stops if the row is another's by now. Raises Gone, or
        NotSent: after so many seconds, or if others have waited for so long that they passed over it.
        """
        until_ms = self._clock_ms() + for_s * 1000
        try:
            for _ in range(LOOKS_MAX):
                if _is_soon_told(desk, one, ends):
                    break
                row, one = self._told(row, one, ends, until_ms)
                ends = self._ends(_scope_of(one))
            if not row.is_waited_for(self._clock_ms()):
                row = self._moved(row, self._claimed(one, others_wait=True))
            if self.connections.has_just_begun(one.instance):
                self._pause(NOBODY_S)
            row, one = self._told(row, one, self._ends(_scope_of(one)), until_ms)
            if not row.is_waited_for(self._clock_ms()):
                raise NotSent(f"{one.name} was passed over")
            self._moved(row, replace(one, intent=None))
        except _AnothersNow:
            return
        self.connections.leave_to_others(one)

    def _told(
        self, row: Subscription, one: Subscription, ends: Ends, until_ms: float
    ) -> tuple[Subscription, Subscription]:
        """Take steps up to these ends, and keep each before the next one, so that none is taken for a client that has
        left (T160). A step is short, whatever its entries hold (T180). Return the row, and the subscription. Raises as
        ``_begin``, or _AnothersNow.
        """
        entries_max = ENTRIES_LEFT
        while behind(one, ends):
            now_ms = self._clock_ms()
            if one.cursor != row.cursor:
                row = self._moved(row, self._claimed(one, others_wait=row.is_waited_for(now_ms)))
            if now_ms >= until_ms:
                raise NotSent(f"{one.name} has {behind(one, ends)} entries left")
            before, one = one, self._broadcaster.tell(one, ends, entries_max)
            is_quick = self._clock_ms() - now_ms < STEP_S * 1000
            entries_max = min(2 * entries_max, ENTRIES_MAX) if is_quick else max(1, entries_max // 2)
            if one.cursor == before.cursor:
                break
        return row, one

    def _moved(self, row: Subscription, after: Subscription) -> Subscription:
        """Return the row of a subscription after it was moved. Raises _AnothersNow."""
        if self.connections.move([(row, after)]):
            raise _AnothersNow
        return after

    def beat(self, desk: Desk, one: Subscription) -> None:
        """Send a message that is no event. Raises Gone."""
        self.sender.send(one.connection_id, desk.text(one, desk.state(one), one.cursor.to_text()))

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

    def _beginning(self, wanted: Subscription, resume: Cursor | None) -> tuple[Subscription, Ends]:
        """Return a subscription where it begins, and up to where it missed something. Raises CursorUnusable."""
        scope = _scope_of(wanted)
        if resume is None:
            return replace(wanted, cursor=self._feed.ends(scope)), {}
        try:
            begun = replace(wanted, cursor=self._feed.resumed(scope, resume))
        except (CursorGone, UnreadableCursor) as error:
            raise CursorUnusable from error
        ends = self._ends(scope)
        for log, end in ends.items():
            if end - _first([begun], log) > MISSED_MAX:
                raise CursorUnusable(log)
        return begun, ends


def _is_soon_told(desk: Desk, one: Subscription, ends: Ends) -> bool:
    """Return whether others may wait until a subscription was told what it missed."""
    return behind(one, ends) <= (0 if desk.waits(one) else ENTRIES_LEFT)


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
