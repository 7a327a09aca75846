"""Outbox entries: the events of one step of a signed order, of an escrow order or of the ledger.

The step's own transaction puts its entry into a lane (``logs``) under the next number of that lane. The entry names the
step, so whoever lost the transaction's answer sees at the number whether the step was written.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from chalicelib.domain.feed.event import FeedEvent, Json
from chalicelib.domain.feed.logs import lane_for, stamp_of
from chalicelib.support.canonical import canonical


class OutboxEvent(NamedTuple):
    """One event of an entry. type, receivers, body: as ``FeedEvent`` has them."""

    type: str
    receivers: frozenset[str]
    body: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Announcement:
    """What a step puts into the outbox, before it has a number.

    area, thing: choose the lane: what happens to one thing stands in one lane. command: the step's unique name.
    """

    area: str
    thing: str
    command: str
    events: Sequence[OutboxEvent]

    @property
    def log(self) -> str:
        return lane_for(self.area, self.thing)

    def entry(self, number: int, at_ms: int) -> OutboxEntry:
        return OutboxEntry(self.log, number, at_ms, self.command, packed(self.events))


@dataclass(frozen=True, slots=True)
class OutboxEntry:
    """An entry of a lane. number: from 1, without gaps. at_ms: when the step was decided; not ascending in a lane.

    command: the step's unique name. events: JSON, as ``packed`` returns it.
    """

    log: str
    number: int
    at_ms: int
    command: str
    events: bytes


def packed(events: Sequence[OutboxEvent]) -> bytes:
    """Return the events as canonical JSON: a list of objects with name, type, receivers and body."""
    rows = [
        {
            "name": f"{index}-{event.type.lower().replace('.', '-').replace('_', '-')}",
            "type": event.type,
            "receivers": sorted(event.receivers),
            "body": event.body,
        }
        for index, event in enumerate(events)
    ]
    return canonical(rows).encode(errors="surrogatepass")


def events_of(instance: str, entry: OutboxEntry) -> list[FeedEvent]:
    """Return an entry's events, in order. Raises LookupError, ValueError or TypeError if it is damaged."""
    stamp = stamp_of(entry.at_ms, entry.command)
    return [
        FeedEvent(
            instance,
            entry.log,
            entry.number,
            stamp,
            part,
            row["name"],
            row["type"],
            entry.at_ms,
            frozenset(row["receivers"]),
            row["body"],
        )
        for part, row in enumerate(json.loads(entry.events))
    ]
