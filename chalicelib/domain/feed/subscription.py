"""Connections of clients and what each is subscribed to."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.domain.feed.cursor import Cursor
from chalicelib.domain.feed.event import PUBLIC, FeedEvent
from chalicelib.domain.feed.logs import book_log

SUBSCRIPTIONS_MAX = 20
"""Subscriptions of one connection."""
CONNECTIONS_MAX = 20
"""Connections of one owner at a time: a customer, a taker, a maker, or an address that has not said who it is."""
LIFE_S = 7200 + 600
"""A connection's rows are dropped after this: API Gateway ends a connection after two hours."""
INTENT_LIFE_MS = 10_000
"""An intent of a sender that died is carried out by another after this."""


class UnknownConnection(Exception):
    """There is no such connection, or it has expired."""


class TooManyConnections(Exception):
    """The owner has its CONNECTIONS_MAX connections already."""


class TooManySubscriptions(Exception):
    """The connection has its SUBSCRIPTIONS_MAX subscriptions already."""


@dataclass(frozen=True, slots=True)
class Connection:
    """A client's connection.

    desk: ``trade``, ``taker`` or ``maker``. instance: whose events it may have. subject: who the client is, as
    ``event`` names receivers; None: it has not said. owner: whose connections are counted together. expires_s: Unix
    seconds. topics: its subscriptions, each as the key that it follows and its name. version: counts its changes.
    """

    connection_id: str
    desk: str
    instance: str
    subject: str | None
    owner: str
    expires_s: int
    topics: tuple[tuple[str, str], ...] = ()
    version: int = 0


@dataclass(frozen=True, slots=True)
class Intent:
    """What is being sent to a subscription: of which log, up to which entry, since when."""

    log: str
    until: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class Subscription:
    """A connection's subscription to one topic.

    name: the topic as its desk names it. subject: who the client is; None: anybody. book_id: the only book that it
    follows; None: all. repeats: whether its messages are also sent again from time to time. cursor: behind the last
    event that was sent or passed over. next_id: of the next message. intent: what is being sent now.
    """

    connection_id: str
    desk: str
    name: str
    instance: str
    subject: str | None
    book_id: str | None
    repeats: bool
    cursor: Cursor
    next_id: int
    expires_s: int
    intent: Intent | None = None

    @property
    def has_one_source(self) -> bool:
        """Whether all its messages follow from one log, so that whoever sends a message id sends the same message."""
        return self.book_id is not None and not self.repeats

    @property
    def key(self) -> str:
        """What it follows: a book's public events, or a subject's."""
        if self.book_id is not None:
            return f"{self.instance}/{book_log(self.book_id)}"
        return f"{self.instance}/{self.subject}"


def keys_of(instance: str, log: str, events: list[FeedEvent]) -> set[str]:
    """Return what subscriptions may follow of some events of a log: their key (``Subscription.key``)."""
    subjects = {subject for event in events for subject in event.receivers}
    public = {f"{instance}/{log}"} if PUBLIC in subjects else set()
    return public | {f"{instance}/{subject}" for subject in subjects - {PUBLIC}}
