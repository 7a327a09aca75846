"""Desks: what each shows of the events of logs to those who are subscribed to its topics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from chalicelib.domain.feed.cursor import Place
from chalicelib.domain.feed.subscription import Subscription
from chalicelib.services.push.recent import Entry

News = Mapping[str, Sequence[Entry]]
"""Entries with events, by log; none where a log's new entries have no events."""


@dataclass(frozen=True, slots=True)
class Body:
    """What a message says. place: behind what it tells, in its log. at_ms: when that was decided. text: that, as its
    desk writes it for all whom it is sent to. goes_on: whether the next message tells the rest of it; then a client
    resumes before it.
    """

    place: Place
    at_ms: int
    text: str
    goes_on: bool = False


class Desk(Protocol):
    """How a desk shows events to its subscriptions.

    sends_heartbeats: whether a subscription that shows no state is sent one with each beat.
    """

    @property
    def sends_heartbeats(self) -> bool: ...

    def waits(self, subscription: Subscription) -> bool:
        """Return whether its messages show what the matcher writes after an entry. All others are sent first."""

    def bodies(self, subscription: Subscription, news: News) -> Mapping[str, list[Body]]:
        """Return the messages that entries of logs give, by log, in order. The same entries give the same messages,
        unless a topic shows a state: then the newest one, of all logs at the last that has entries. They follow from
        the subscription's name, instance, subjects and book alone.
        """

    def state(self, subscription: Subscription, place: Place | None = None) -> Body:
        """Return the message of a beat. place: as of which a book is shown; None: the end of its journal."""

    def text(self, subscription: Subscription, body: Body, cursor: str) -> bytes:
        """Return the message with the subscription's next id. cursor: from where the client can resume after it."""

    def lets(self, subscription: Subscription) -> bool:
        """Return whether the client may stay: what let it in is still good."""
