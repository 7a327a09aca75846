"""The beat: what connections are sent from time to time, whatever happens: heartbeats, and states once more.

Every BEAT_S one query finds the subscriptions of all instances that are sent beats, and those whose beat is due are
sent it. Each beat is claimed by a conditional write before, so of two processes that beat at once one sends it; if that
one dies, the next beat comes BEAT_S later. With the beat, what let a client in is looked at again: a client whose key
is disabled is turned out. It also begins, or goes on with, what a connection's own beginning has left undone, or ends
the connection (R86); and it moves on those who are far behind their logs because nothing happens that is theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import inf

from chalicelib.domain.feed.subscription import BEATS, Subscription, UnknownConnection
from chalicelib.services.push.broadcasting import Broadcaster, NotSent
from chalicelib.services.push.desk import Desk
from chalicelib.services.push.sending import Gone
from chalicelib.services.push.sessions import OPENING_S, Sessions
from chalicelib.services.push.steps import BEAT_S, due_after_beat
from chalicelib.support.telemetry import logger
from chalicelib.tables.parallel import Call

LOOK_S = 0.1
"""Pause between two looks whether a connection is open."""
Admission = tuple[str, str, str]
"""Desk, instance and credential."""


@dataclass(frozen=True, slots=True)
class Beat:
    """desks: by name. together: runs calls in parallel. clock_ms: Unix ms. new_name: returns a unique name."""

    sessions: Sessions
    broadcaster: Broadcaster
    desks: Mapping[str, Desk]
    together: Callable[[Sequence[Call]], None]
    clock_ms: Callable[[], int]
    new_name: Callable[[], str]

    def run(self, pause: Callable[[float], object]) -> None:
        """Beat at once, and once more BEAT_S later if anybody is sent beats: called every minute."""
        if self.round():
            pause(BEAT_S)
            self.round()

    def round(self) -> bool:
        """Send every beat that is due. Return whether anybody is sent beats; one read if nobody is."""
        now_ms, by = self.clock_ms(), self.new_name()
        found = self.sessions.connections.following([BEATS])
        due = [one for one in found if one.due.at_ms <= now_ms]
        admitted = self._admissions(due)
        stays = {id(one): admitted.get(_admission_of(one)) and not self._has_died(one) for one in due}
        self.together([partial(self._turn_out, one) for one in due if stays[id(one)] is False])
        staying = [one for one in due if stays[id(one)]]
        self._repeat([one for one in staying if one.shows_state])
        waiting = [one for one in staying if not one.shows_state and self.desks[one.desk].sends_heartbeats]
        claims = [(one, replace(one, due=due_after_beat(now_ms, by))) for one in waiting]
        lost = set(self.sessions.connections.move(claims) if claims else [])
        won = [claim for index, claim in enumerate(claims) if index not in lost]
        self.together([partial(self._beat, one) for _, one in won])
        self._keep_up([one for one in staying if not one.is_beginning and not one.shows_state])
        return bool(found)

    def _has_died(self, one: Subscription) -> bool:
        """Return whether a subscription was being begun where nobody can go on: its first messages may be missing."""
        return one.is_beginning and not self.desks[one.desk].sends_heartbeats

    def begin(self, connection_id: str, pause: Callable[[float], object]) -> None:
        """Begin the subscriptions of a connection that was let in a moment ago, as soon as it is open."""
        try:
            found = self.sessions.connections.of_connection(self.sessions.connections.get(connection_id))
        except UnknownConnection:
            return
        for one in found:
            for _ in range(int(OPENING_S / LOOK_S)):
                try:
                    self.sessions.begin(self.desks[one.desk], one, inf)
                    break
                except Gone:
                    pause(LOOK_S)

    def _admissions(self, due: Sequence[Subscription]) -> dict[Admission, bool]:
        """Return whether clients may stay. What cannot be read now is left out: its clients get no beat this time."""
        found: dict[Admission, bool] = {}

        def look(one: Subscription) -> None:
            try:
                found[_admission_of(one)] = self.desks[one.desk].lets(one)
            except Exception:
                logger.exception("not known whether a client may stay", instance=one.instance)

        self.together([partial(look, one) for one in {_admission_of(one): one for one in due}.values()])
        return found

    def _turn_out(self, one: Subscription) -> None:
        """Send a client nothing more, and close its connection. One that stays open is silent, without heartbeats."""
        try:
            self.sessions.connections.close(one.connection_id, one)
            self.sessions.sender.close(one.connection_id)
        except Exception:
            logger.exception("a client is not turned out", connection=one.connection_id)

    def _repeat(self, due: Sequence[Subscription]) -> None:
        try:
            self.broadcaster.repeat(due)
        except NotSent:
            logger.warning("some states are not sent again", exc_info=True)

    def _keep_up(self, staying: Sequence[Subscription]) -> None:
        for instance in sorted({one.instance for one in staying}):
            try:
                self.sessions.keep_up(one for one in staying if one.instance == instance)
            except Exception:
                logger.warning("some subscriptions stay behind", exc_info=True, instance=instance)

    def _beat(self, one: Subscription) -> None:
        """Send a heartbeat that was claimed; begin, or go on with, what is not begun."""
        desk = self.desks[one.desk]
        try:
            if one.is_beginning:
                self.sessions.begin(desk, one)
            else:
                self.sessions.beat(desk, one)
        except Gone:
            self.sessions.connections.close(one.connection_id, one)
        except NotSent:
            logger.warning("what a client missed is sent on with the next beat", connection=one.connection_id)
        except Exception:
            logger.exception("a heartbeat is not sent", connection=one.connection_id)


def _admission_of(one: Subscription) -> Admission:
    return one.desk, one.instance, one.credential
