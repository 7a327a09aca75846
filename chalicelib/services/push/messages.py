"""The messages of a round of steps. What several subscriptions are told alike is built once (T166).

Twenty clients that follow a topic of a book are at the same place of its log, most of the time. Their messages differ
in ids alone, so the entries between are looked up, and their bodies built and written as JSON, once a round for all of
them. A round is kept no longer than its steps are taken: it needs no bound of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from threading import Lock
from typing import NamedTuple

from chalicelib.domain.feed.cursor import Place
from chalicelib.services.push.desk import Body, Desk, News
from chalicelib.services.push.recent import RecentEntries
from chalicelib.services.push.steps import Step, due_after_beat, due_after_message


class _Told(NamedTuple):
    """What a step tells: the new entries, by log; none where a state is sent again. bodies: by log, in order."""

    news: News
    bodies: Mapping[str, Sequence[Body]]


class Messages:
    """Builds the messages of a round of steps. desks: by name. clock_ms: Unix ms. May be used by several threads."""

    def __init__(self, desks: Mapping[str, Desk], recent: RecentEntries, clock_ms: Callable[[], int]) -> None:
        self._desks = desks
        self._recent = recent
        self._clock_ms = clock_ms
        self._told: dict[Hashable, Future[_Told]] = {}
        self._lock = Lock()

    def build(self, step: Step) -> None:
        """Note what a step sends, and what it makes of the subscription. Raises what its desk raises."""
        one, desk, now_ms = step.before, self._desks[step.before.desk], self._clock_ms()
        places = {log: one.cursor.place(one.instance, log) for log in step.ends}
        news, bodies = self._once(step, places)
        cursor, next_id, due = one.cursor, one.next_id, one.due
        for log, place in places.items():
            for body in bodies.get(log, []):
                if news and body.place.position <= place.position:
                    continue
                if not body.goes_on:
                    cursor = cursor.moved(one.instance, log, body.place)
                step.messages.append(desk.text(replace(one, next_id=next_id), body, cursor.to_text()))
                next_id += 1
            entries = news.get(log)
            cursor = cursor.moved(one.instance, log, entries[-1].place if entries else place)
        if step.messages and one.shows_state:
            due = due_after_message(now_ms) if news else due_after_beat(now_ms)
        step.after = replace(one, intent=None, cursor=cursor, next_id=next_id, due=due)

    def _once(self, step: Step, places: Mapping[str, Place]) -> _Told:
        """Return what a step tells, or raise why it cannot: found once for all steps that tell the same."""
        one = step.before
        spans = tuple((log, place.sequence, step.ends[log]) for log, place in places.items())
        key = one.desk, one.name, one.instance, one.subjects, one.book_id, spans
        with self._lock:
            is_first = key not in self._told
            found = self._told.setdefault(key, Future())
        if is_first:
            try:
                found.set_result(self._look_up(step, places))
            except BaseException as error:
                found.set_exception(error)
        return found.result()

    def _look_up(self, step: Step, places: Mapping[str, Place]) -> _Told:
        one, desk = step.before, self._desks[step.before.desk]
        news = {
            log: self._recent.between(one.instance, log, places[log].sequence, until)
            for log, until in step.ends.items()
            if until > places[log].sequence
        }
        bodies = desk.bodies(one, news) if news else {log: [desk.state(one, place)] for log, place in places.items()}
        return _Told(news, bodies)
