"""Steps of a subscription: from its place in each log up to some entries, and when its next beat is due then."""

from __future__ import annotations

from collections.abc import Mapping

from chalicelib.domain.feed.subscription import Due, Intent, Subscription
from chalicelib.services.push.recent import ENTRIES_MAX

ENTRIES_A_STEP = ENTRIES_MAX
"""Entries that a step passes: what was sent is kept by then, whoever dies, and others are told meanwhile."""
BEAT_S = 30
EARLY_S = 5
"""A beat is due this much before BEAT_S are over, so that a look every BEAT_S finds it; and this much after a message
that is like it, so that the next look does.
"""
Ends = Mapping[str, int]
"""The last entry, by log."""


class Step:
    """A step of one subscription. ends: by log, the entry up to which it is told. after: what its row becomes; None: it
    stays. claim: the intent to write down before.

    again: there is more to do, once the row has been read anew.
    """

    def __init__(self, before: Subscription, ends: Ends) -> None:
        self.before = before
        self.ends = ends
        self.messages: list[bytes] = []
        self.after: Subscription | None = None
        self.claim: Intent | None = None
        self.again = False
        self.failure: Exception | None = None

    @property
    def entries(self) -> int:
        """The number of entries that it passes; none where a beat is sent."""
        return sum(until - place_in(self.before, log) for log, until in self.ends.items())


def place_in(one: Subscription, log: str) -> int:
    """Return the last entry of a log that a subscription was told whole."""
    return one.cursor.place(one.instance, log).sequence


def news_of(one: Subscription, ends: Ends) -> Ends:
    """Return the ends of the logs whose entries a subscription was not told yet."""
    return {log: end for log, end in ends.items() if place_in(one, log) < end}


def behind(one: Subscription, ends: Ends) -> int:
    """Return how many entries up to these a subscription was not told."""
    return sum(max(0, end - place_in(one, log)) for log, end in ends.items())


def first_of(one: Subscription, news: Ends, entries_max: int | None = None) -> Ends:
    """Return the part of what a subscription was not told yet that one step passes. entries_max: bound of it, within
    ENTRIES_A_STEP.
    """
    first, left = {}, ENTRIES_A_STEP if entries_max is None else min(entries_max, ENTRIES_A_STEP)
    for log, end in news.items():
        place = place_in(one, log)
        passed = min(end - place, left)
        first[log], left = place + passed, left - passed
    return news_of(one, first)


def due_after_beat(now_ms: int, by: str = "") -> Due:
    """Return when the next beat is due. by: unique to who makes this one."""
    return Due(now_ms + (BEAT_S - EARLY_S) * 1000, by)


def due_after_message(now_ms: int, by: str = "") -> Due:
    """Return when the next beat is due after a message that says what a beat says. by: who has sent it, unique."""
    return Due(now_ms + EARLY_S * 1000, by)
