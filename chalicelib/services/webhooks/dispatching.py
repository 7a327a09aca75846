"""The dispatcher: notes a delivery for each new event and each endpoint that wants it.

A delivery stands under the event's id and is put on condition that it is not there, so an event that comes again, in
whatever batch, changes nothing. Where nobody has an endpoint, nothing is written.

**Which endpoints there are** is read consistently and remembered for CACHE_S. Whoever makes or resumes an endpoint
waits longer than that before it answers (``endpoints.SETTLE_S``): so every event that is decided after the answer
reaches the endpoint, although no process is told of it.

**An endpoint that has stopped** has what was decided before noted (T170): a stream may be late, and the cursor that its
owner is shown begins behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from chalicelib.domain.feed.event import FeedEvent
from chalicelib.domain.webhooks.endpoint import Delivery, Endpoint, Owner
from chalicelib.domain.webhooks.payload import payload_of
from chalicelib.services.webhooks.starting import Start, start_or_leave
from chalicelib.support.bounded_cache import BoundedCache
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.webhook_deliveries import WebhookDeliveries
from chalicelib.tables.webhooks import WebhookEndpoints

CACHE_S = 1.0
"""How long a process remembers an owner's endpoints."""
OWNERS_MAX = 10_000
_OF_MERCHANTS = "merchant/"


class Dispatcher:
    """Receives the events of logs (``push.following.Receiver``). clock_ms: ms since the epoch. now_s: monotonic."""

    def __init__(
        self, database: Database, start: Start, clock_ms: Callable[[], int], now_s: Callable[[], float]
    ) -> None:
        self._endpoints = WebhookEndpoints(database)
        self._deliveries = WebhookDeliveries(database)
        self._start = start
        self._clock_ms = clock_ms
        self._now_s = now_s
        self._known: BoundedCache[Owner, tuple[float, list[Endpoint]]] = BoundedCache(OWNERS_MAX)

    def receive(self, instance: str, events: list[FeedEvent]) -> None:
        """Note what endpoints want of these events, and start a deliverer for each. Raises Unavailable or
        OutcomeUnknown: call it again.
        """
        for owner in _owners(instance, events):
            for endpoint in self._endpoints_of(owner):
                wanted = [event for event in events if endpoint.wants(event) and endpoint.was_active(event.at_ms)]
                self._note(endpoint, wanted)

    def _note(self, endpoint: Endpoint, events: list[FeedEvent]) -> None:
        if not events:
            return
        now_ms, by_vendor = self._clock_ms(), endpoint.owner.subject is not None
        deliveries = [
            Delivery(
                endpoint_id=endpoint.endpoint_id,
                delivery_id=event.event_id,
                type=event.type,
                payload=payload_of(event, is_body_alone=by_vendor),
                made_at_ms=now_ms,
                at_ms=now_ms,
            )
            for event in events
        ]
        self._deliveries.put(deliveries)
        noted = self._endpoints.note(endpoint, now_ms)
        if noted is not None and noted.is_active and noted.busy_until_ms <= now_ms:
            start_or_leave(self._start, endpoint.owner, endpoint.endpoint_id, [one.delivery_id for one in deliveries])

    def _endpoints_of(self, owner: Owner) -> list[Endpoint]:
        """Return an owner's endpoints, as they were read CACHE_S ago at most."""
        now_s = self._now_s()
        known = self._known.get(owner)
        if known is None or known[0] <= now_s:
            known = now_s + CACHE_S, self._endpoints.readable_of(owner)
            self._known.set(owner, known)
        return known[1]


def _owners(instance: str, events: Iterable[FeedEvent]) -> list[Owner]:
    """Return who may have endpoints for these events: the operator, and the merchants' worlds that receive any."""
    subjects = {subject for event in events for subject in event.receivers if subject.startswith(_OF_MERCHANTS)}
    return [Owner(instance), *(Owner(instance, subject) for subject in sorted(subjects))]
