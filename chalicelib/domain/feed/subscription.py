"""Connections of clients and what each is subscribed to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from chalicelib.domain.feed.cursor import Cursor
from chalicelib.domain.feed.event import PUBLIC, FeedEvent
from chalicelib.domain.feed.logs import book_log

SUBSCRIPTIONS_MAX = 20
"""Subscriptions of one connection."""
CONNECTIONS_MAX = 20
"""Connections of one owner at a time: a customer, a taker, a maker, or an address that has not said who it is."""
LIFE_S = 7200
"""A connection's rows are dropped after this: API Gateway ends a connection after two hours."""
INTENT_LIFE_MS = 10_000
"""An intent is waited for this long: then its sender has died, and another carries it out."""
BEATS = "beats"
"""Key of the subscriptions that are sent something from time to time, or are being begun, of all instances."""


class UnknownConnection(Exception):
    """There is no such connection, or it has expired."""


class TooManyConnections(Exception):
    """The owner has its CONNECTIONS_MAX connections already."""


class TooManySubscriptions(Exception):
    """The connection has its SUBSCRIPTIONS_MAX subscriptions already."""


class Due(NamedTuple):
    """When a subscription is next sent a beat, in Unix ms, and who has put that off so far (unique); empty: nobody."""

    at_ms: int
    by: str = ""


AT_ONCE = Due(0)


class Topic(NamedTuple):
    """A subscription's name, and the keys at which it is found: its own row at the first, pointers at the others."""

    name: str
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Connection:
    """A client's connection.

    desk: ``trade``, ``taker`` or ``maker``. instance: whose events it may have. subject: who the client is, as
    ``event`` names receivers; None: it has not said. owner: whose connections are counted together. expires_s: Unix
    seconds. topics: its subscriptions. credential: what said who it is, as its desk reads it. version: counts its
    changes.
    """

    connection_id: str
    desk: str
    instance: str
    subject: str | None
    owner: str
    expires_s: int
    topics: tuple[Topic, ...] = ()
    credential: str = ""
    version: int = 0


@dataclass(frozen=True, slots=True)
class Intent:
    """What is being sent to a subscription: of each log, up to which entry; since when, by whom (unique).

    Without logs: the subscription is being begun. Since 0: nobody waits for that.
    """

    ends: tuple[tuple[str, int], ...]
    at_ms: int
    by: str


@dataclass(frozen=True, slots=True)
class Subscription:
    """A connection's subscription to one topic.

    name: the topic as its desk names it. subjects: whose events it follows, in all logs; none: a book's public ones.
    book_id: the only book that it follows; None: all. beats: whether the beat looks at it, and sends it something.
    cursor: behind the last event that was sent or passed over. next_id: of the next message. credential: what
    let the client in, as its desk reads it. intent: what is being sent now.
    """

    connection_id: str
    desk: str
    name: str
    instance: str
    subjects: tuple[str, ...]
    book_id: str | None
    beats: bool
    cursor: Cursor
    next_id: int
    expires_s: int
    credential: str = ""
    intent: Intent | None = None
    due: Due = AT_ONCE

    @property
    def is_beginning(self) -> bool:
        """Whether one process alone sends to it what its client missed, if the connection is open yet."""
        return self.intent is not None and not self.intent.ends

    def is_waited_for(self, now_ms: int) -> bool:
        """Return whether others wait until what is being sent to it was sent."""
        return self.intent is not None and now_ms < self.intent.at_ms + INTENT_LIFE_MS

    @property
    def has_one_source(self) -> bool:
        """Whether all its messages follow from one log, so that whoever sends a message id sends the same message."""
        return self.book_id is not None and not self.beats

    @property
    def shows_state(self) -> bool:
        """Whether a message tells all there is to know, so that any message takes the place of a beat."""
        return self.book_id is not None and self.beats

    @property
    def topic(self) -> Topic:
        """Return its keys, by what it follows: a book's public events, or those of subjects; and the beats."""
        followed = self.subjects if self.book_id is None else (book_log(self.book_id),)
        beats = [BEATS] if self.beats or self.is_beginning else []
        return Topic(self.name, (*(f"{self.instance}/{one}" for one in followed), *beats))


def keys_of(instance: str, log: str, events: list[FeedEvent]) -> set[str]:
    """Return what subscriptions may follow of some events of a log: keys of theirs (``Subscription.topic``)."""
    subjects = {subject for event in events for subject in event.receivers}
    public = {f"{instance}/{log}"} if PUBLIC in subjects else set()
    return public | {f"{instance}/{subject}" for subject in subjects - {PUBLIC}}
