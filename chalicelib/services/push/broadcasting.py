"""The broadcaster: sends the events of logs to the connections that follow them.

A subscription's row says behind which entry of each log it is, and the id of its next message. A step builds the
messages of the entries after that place, sends them, and moves the row with one conditional write::

    read the row --> build messages --> send them --> move the row (from what was read)
                          ^                 |
                          +--- a crash: the same messages again, under the same ids

Nothing is left out, because the place moves only behind what was sent, and what lies between the place and the new
entries is taken from the log. If messages follow from several logs, or show a state, the sender writes its intent into
the row before (``tables.connections``): whoever finds it waits until it is carried out, or does that once it is old.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby
from operator import attrgetter

from chalicelib.domain.feed.event import FeedEvent
from chalicelib.domain.feed.logs import book_log
from chalicelib.domain.feed.subscription import Intent, Subscription, keys_of
from chalicelib.services.push.desk import Desk
from chalicelib.services.push.messages import Messages
from chalicelib.services.push.recent import RecentEntries
from chalicelib.services.push.sending import Gone, Sender
from chalicelib.services.push.steps import Ends, Step, first_of, news_of
from chalicelib.support.bounded_cache import BoundedCache
from chalicelib.support.telemetry import logger
from chalicelib.tables.connections import Connections
from chalicelib.tables.parallel import Call

NOBODY_S, SOMEBODY_S = 0.2, 10
"""For how long it is remembered that an instance has no connections, and that it has some."""
INSTANCES_MAX = 1000
PASSED_OVER_MAX = 200
"""Entries without a message after which a subscription's place is moved nevertheless, so that they are not read
again.
"""
TRIES_MAX = 400
PAUSE_S = 0.03
"""A subscription that another sends to is tried again after this, for longer than an intent lives."""

_log_of = attrgetter("log")


class NotSent(Exception):
    """Some messages were not sent, and must be sent again."""


class Broadcaster:
    """A receiver of events (``following``).

    desks: by name. together: runs calls in parallel. clock_ms: Unix ms. new_name: returns a unique name.
    """

    def __init__(
        self,
        connections: Connections,
        desks: Mapping[str, Desk],
        sender: Sender,
        recent: RecentEntries,
        together: Callable[[Sequence[Call]], None],
        clock_ms: Callable[[], int],
        new_name: Callable[[], str],
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._connections = connections
        self._desks = desks
        self._sender = sender
        self._recent = recent
        self._together = together
        self._clock_ms = clock_ms
        self._new_name = new_name
        self._pause = pause
        self._known: BoundedCache[str, tuple[int, bool]] = BoundedCache(INSTANCES_MAX)
        """Until when it is known whether an instance has connections (Unix ms), and whether it has."""

    def receive(self, instance: str, events: list[FeedEvent]) -> None:
        """Send events to those who follow them. Raises NotSent."""
        if not self._has_connections(instance):
            return
        by_log = {log: list(found) for log, found in groupby(sorted(events, key=_log_of), _log_of)}
        ends = {log: self._recent.add(instance, log, found) for log, found in by_log.items()}
        keys = {log: keys_of(instance, log, found) for log, found in by_log.items()}
        found = self._connections.following(sorted(set().union(*keys.values())))
        self.advance(
            (one, {log: end for log, end in ends.items() if not keys[log].isdisjoint(one.topic.keys)}) for one in found
        )

    def _has_connections(self, instance: str) -> bool:
        now_ms = self._clock_ms()
        until_ms, has_some = self._known.get(instance) or (0, False)
        if now_ms >= until_ms:
            has_some = self._connections.any_of(instance)
            self._known.set(instance, (now_ms + int((SOMEBODY_S if has_some else NOBODY_S) * 1000), has_some))
        return has_some

    def advance(self, behind: Iterable[tuple[Subscription, Ends]]) -> None:
        """Tell each subscription what its logs have up to these entries. Raises NotSent if one could not be told."""
        waiting = list(behind)
        for _ in range(TRIES_MAX):
            waiting = self._advanced(waiting)
            if not waiting:
                return
            self._pause(PAUSE_S)
        raise NotSent(f"{len(waiting)} subscriptions are busy")

    def repeat(self, subscriptions: Iterable[Subscription]) -> None:
        """Send the state of a book once more to subscriptions whose beat is due, under the next id. Raises NotSent."""
        logs = [(one, book_log(str(one.book_id))) for one in subscriptions]
        self._carry_out([Step(one, {log: one.cursor.place(one.instance, log).sequence}) for one, log in logs])

    def _advanced(self, behind: Sequence[tuple[Subscription, Ends]]) -> list[tuple[Subscription, Ends]]:
        """Take one step with each subscription. Return those that need another, as they are now."""
        steps = [(Step(one, first_of(one, news)), news) for one, ends in behind if (news := news_of(one, ends))]
        cut = [id(step) for step, news in steps if step.ends != news]
        self._carry_out([step for step, _ in steps])
        unfinished = [(step.before, news) for step, news in steps if step.again or (step.after and id(step) in cut)]
        now = {(one.connection_id, one.name): one for one in self._connections.again([one for one, _ in unfinished])}
        known = [(now.get((one.connection_id, one.name)), news) for one, news in unfinished]
        return [(one, news) for one, news in known if one is not None]

    def tell(self, one: Subscription, ends: Ends, entries_max: int) -> Subscription:
        """Take one step of so many entries at most with a subscription to which the caller alone sends. Return it as it
        is then, its row as it was. Raises Gone, or NotSent.
        """
        step = Step(one, first_of(one, news_of(one, ends), entries_max))
        try:
            self._messages().build(step)
            for message in step.messages:
                self._sender.send(one.connection_id, message)
        except Gone:
            raise
        except Exception as error:
            raise NotSent(one.name) from error
        return step.after or one

    def _carry_out(self, steps: Sequence[Step]) -> None:
        """Take the steps; those that wait for projections last. Raises NotSent if one failed."""
        messages = self._messages()
        late = [self._desks[step.before.desk].waits(step.before) for step in steps]
        for are_late in (False, True):
            self._take_all([step for step, is_late in zip(steps, late, strict=True) if is_late is are_late], messages)
        failures = [step.failure for step in steps if step.failure is not None]
        if failures:
            raise NotSent(f"{len(failures)} of {len(steps)} subscriptions") from failures[0]

    def _messages(self) -> Messages:
        return Messages(self._desks, self._recent, self._clock_ms)

    def _take_all(self, steps: Sequence[Step], messages: Messages) -> None:
        self._together([partial(self._take, step, messages) for step in steps])
        claiming = [step for step in steps if step.claim is not None]
        try:
            self._claim(claiming)
        except Exception as error:  # what was sent without a claim is moved all the same
            logger.warning("intents are not known to be written", exc_info=True, subscriptions=len(claiming))
            for step in claiming:
                step.failure, step.after = error, None
        self._together([partial(self._send, step) for step in claiming if step.after is not None])
        self._move([step for step in steps if step.after is not None])

    def _take(self, step: Step, messages: Messages) -> None:
        """Build the messages, and send them at once unless the intent must be written down before."""
        self._prepare(step, messages)
        if step.claim is None and step.after is not None:
            self._send(step)

    def _prepare(self, step: Step, messages: Messages) -> None:
        """Decide what the step does: send, wait for another who sends, go on where another has died, or nothing."""
        one, intent, now_ms = step.before, step.before.intent, self._clock_ms()
        if one.is_waited_for(now_ms):
            step.again = True
            return
        if one.is_beginning:
            return
        if intent is not None:
            step.again, step.ends = True, dict(intent.ends)
        try:
            messages.build(step)
        except Exception as error:
            logger.exception("messages not built", connection=one.connection_id, topic=one.name)
            step.failure, step.after = error, None
            return
        if intent is not None or (step.messages and not one.has_one_source):
            step.claim = Intent(tuple(step.ends.items()), now_ms, self._new_name())
        elif not step.messages and step.entries < PASSED_OVER_MAX:
            step.after = None

    def _claim(self, steps: Sequence[Step]) -> None:
        """Write down what these steps are going to send. A step that another was faster than does nothing."""
        claims = [(step.before, replace(step.before, intent=step.claim)) for step in steps]
        lost = set(self._connections.move(claims) if claims else [])
        for index, step in enumerate(steps):
            step.before = claims[index][1]
            if index in lost:
                step.again, step.after = True, None

    def _send(self, step: Step) -> None:
        try:
            try:
                for message in step.messages:
                    self._sender.send(step.before.connection_id, message)
            except Gone:
                self._connections.close(step.before.connection_id, step.before)
                step.after, step.again = None, False
        except Exception as error:
            logger.warning("a message is not sent", exc_info=True, connection=step.before.connection_id)
            step.failure, step.after = error, None
            if step.claim is not None:  # nobody need wait for this one
                step.after = replace(step.before, intent=replace(step.claim, at_ms=0))

    def _move(self, steps: Sequence[Step]) -> None:
        """Move the subscriptions of these steps. One that another has moved meanwhile is looked at again."""
        moves = [(step.before, step.after) for step in steps if step.after is not None]
        for index in self._connections.move(moves) if moves else []:
            steps[index].again = True
