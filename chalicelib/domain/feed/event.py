"""Feed events: what changed, for whom, and at which place of which log.

An event is not stored. It follows from an entry of a log (``logs``): of a book's journal, or of a lane of the outbox.
So every reader derives the same events, whenever it reads, and a place in the log is a place in the feed.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass

from chalicelib.domain.feed.logs import log_digest

Json = None | bool | int | str | list["Json"] | Mapping[str, "Json"]

PUBLIC = "public"
"""Receives what everybody may know of an instance's books."""
ALL_TAKERS = "takers"
"""Receives what every taker of an instance may know: which signed orders can be locked."""


def customer_subject(customer: str) -> str:
    """Return the subject of a customer: its own orders, fills and balances. customer: the customerRef."""
    return f"customer/{customer}"


def maker_subject(address: str) -> str:
    """Return the subject of a maker of signed orders. address: as ``domain.signed.order.customer_of`` returns it."""
    return f"maker/{address}"


def taker_subject(address: str) -> str:
    """Return the subject of a taker of signed orders. address: as ``domain.signed.order.customer_of`` returns it."""
    return f"taker/{address}"


def merchant_subject(world: str, merchant: str) -> str:
    """Return the subject of a merchant's world. world: ``sandbox`` or ``production``; merchant: its reference."""
    return f"merchant/{world}/{merchant}"


@dataclass(frozen=True, slots=True)
class FeedEvent:
    """One change.

    log: the log that it comes from, within its instance. sequence: the entry. stamp: tells it from another of that
        number (``logs.stamp_of``). part: its place in the entry, from 0.
    name: names it within its entry, for ever: letters, digits and ``-``; unlike ``part`` it stays when a later version
        derives more events from an entry.
    type: as docs/events.md lists it. at_ms: when it was decided, ms since the epoch.
    receivers: subjects that may see it; the instance's operator sees every event.
    body: as docs/events.md shows it; amounts as decimal strings.
    """

    instance: str
    log: str
    sequence: int
    stamp: str
    part: int
    name: str
    type: str
    at_ms: int
    receivers: frozenset[str]
    body: Mapping[str, Json]

    @property
    def event_id(self) -> str:
        """The id, stable for ever and unique over all instances and tables: ``evt_``, eight digits that name the log,
        the entry's stamp, the sequence, the name.
        """
        return f"evt_{log_digest(self.instance, self.log)[:8]}{self.stamp}_{self.sequence}_{self.name}"

    def is_for(self, subjects: Set[str] | None) -> bool:
        """Return whether one of the subjects receives the event. None: the instance's operator, who receives all."""
        return subjects is None or not subjects.isdisjoint(self.receivers)
