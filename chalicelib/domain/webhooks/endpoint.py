"""Webhook endpoints and deliveries.

An endpoint belongs to an owner: an instance's operator, or a merchant's world of an instance. Its life::

    (none) --create--> ACTIVE --pause, or too many deliveries wait--> PAUSED
                        |  ^--------------------resume-----------------+  |
                        |  +---------resume--- ENDED <--the receiver answers 410 Gone
                        +------------------------^                        +--remove--> (none), from any status

One delivery is one event for one endpoint. Its life::

    (none) --the event comes--> WAITING --answered 2xx--> DELIVERED (kept two days)
                                 |  ^ each attempt claims it until its lease ends
                                 |  +--redeliver-- DEAD (kept 30 days)
                                 +--the tenth attempt failed--^
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from chalicelib.domain.feed.event import FeedEvent, customer_subject, merchant_subject
from chalicelib.domain.tenancy.instances import NotFound, TenancyRefused, World

ENDPOINTS_MAX = 20
"""Endpoints of one owner."""
TYPES_MAX = 50
CUSTOMERS_MAX = 100
WAITING_MAX = 10_000
"""Deliveries that may wait for one endpoint; the deliverer pauses it above that."""
DESCRIPTION_CHARACTERS_MAX = 200
CLOCKS_MS = 2_000
"""How far the clocks of two processes may be apart."""
EVERYTHING = "*"
TYPE_PATTERN = r"\*|[A-Za-z][A-Za-z0-9_]{0,59}(\.[a-z][a-z0-9_]{0,59})?(\.\*)?"
"""A type of event, ``*``, or a prefix such as ``order.*``."""
TYPE_RULE = "an event type as docs/events.md lists it, * for all, or a prefix such as order.*"
TEST_TYPE = "webhook.test"
"""Type of the event that a test sends. Every endpoint receives it, whatever its types are."""
_TYPE = re.compile(TYPE_PATTERN)
_ID = re.compile(r"[!-~]{1,100}")


class TooManyEndpoints(TenancyRefused):
    def __init__(self) -> None:
        super().__init__(f"has its {ENDPOINTS_MAX} webhook endpoints already")


class UrlRefused(TenancyRefused):
    """The URL is none that webhooks may go to."""


class TypesRefused(TenancyRefused):
    """The owner has no events of such a type."""

    def __init__(self, types: Sequence[str]) -> None:
        super().__init__(f"there are no events of {', '.join(types)} here: each must be {TYPE_RULE}")


class UnknownEndpoint(NotFound):
    def __init__(self, endpoint_id: str) -> None:
        super().__init__(f"no such webhook endpoint: {endpoint_id}")


class EndpointNotActive(TenancyRefused):
    """Nothing is sent to an endpoint that is paused or has ended."""

    def __init__(self, endpoint_id: str) -> None:
        super().__init__(f"the webhook endpoint is not active, resume it first: {endpoint_id}")


class UnknownDelivery(NotFound):
    """The endpoint has no delivery with this id, or no longer."""

    def __init__(self, delivery_id: str) -> None:
        super().__init__(f"no such delivery: {delivery_id}")


class EndpointStatus(StrEnum):
    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"
    ENDED = "ENDED"


class DeliveryStatus(StrEnum):
    WAITING = "WAITING"
    DELIVERED = "DELIVERED"
    DEAD = "DEAD"


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose endpoints. subject: of a merchant's world; None for the instance's operator, who receives all events."""

    instance: str
    subject: str | None = None

    @property
    def key(self) -> str:
        return self.instance if self.subject is None else f"{self.instance}/{self.subject}"


def owner_of(key: str) -> Owner:
    """Return the owner with this key."""
    instance, _, subject = key.partition("/")
    return Owner(instance, subject or None)


def merchant_owner(instance: str, world: World, merchant: str) -> Owner:
    return Owner(instance, merchant_subject(world.value, merchant))


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A URL that receives events.

    types: patterns of event types (``TYPE_PATTERN``). customers: customerRefs, of which it gets only what they receive;
    empty: all events of the owner. reason: why it is not active. stopped_at_ms: since when; None while it is active.
    cursor: the place in the owner's feed from which events are missing since then.

    generation: number of its secret. previous_until_ms: until when the secret before it signs too.

    notes: how often deliveries were noted for it. noted_at_ms: when last. lease: unique name of the lease of the
    deliverer that works for it, None for none; busy_until_ms: its end, 0 for none. wake_at_ms: when a deliverer looks
    at it next; None for never.
    """

    owner: Owner
    endpoint_id: str
    url: str
    types: tuple[str, ...]
    made_at_ms: int
    customers: tuple[str, ...] = ()
    description: str = ""
    status: EndpointStatus = EndpointStatus.ACTIVE
    reason: str | None = None
    stopped_at_ms: int | None = None
    cursor: str | None = None
    generation: int = 1
    previous_until_ms: int = 0
    notes: int = 0
    noted_at_ms: int = 0
    lease: str | None = None
    busy_until_ms: int = 0
    wake_at_ms: int | None = None

    @property
    def is_active(self) -> bool:
        return self.status is EndpointStatus.ACTIVE

    def wants(self, event: FeedEvent) -> bool:
        """Return whether it receives this event of its instance's feed."""
        return (
            any(matches(pattern, event.type) for pattern in self.types)
            and (self.owner.subject is None or self.owner.subject in event.receivers)
            and (not self.customers or not event.receivers.isdisjoint(map(customer_subject, self.customers)))
        )

    def was_active(self, at_ms: int) -> bool:
        """Return whether it was active at this time, or may have been by another process's clock (T170)."""
        return self.is_active or (self.stopped_at_ms is not None and at_ms < self.stopped_at_ms + CLOCKS_MS)

    def generations(self, now_ms: int) -> Sequence[int]:
        """Return the numbers of the secrets that sign now, newest first."""
        has_previous = self.generation > 1 and now_ms < self.previous_until_ms
        return (self.generation, self.generation - 1) if has_previous else (self.generation,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One event for one endpoint. delivery_id: the event's id, and the ``webhook-id`` of every attempt.

    payload: the body that is sent. at_ms: of a waiting one, when it is tried next, or when the lease of the attempt in
    progress ends; of others, when that was decided. attempts: made so far, the one in progress included. said: what
    the last one came to, such as ``500`` or ``timeout``; None before the first.
    """

    endpoint_id: str
    delivery_id: str
    type: str
    payload: bytes
    made_at_ms: int
    at_ms: int
    status: DeliveryStatus = DeliveryStatus.WAITING
    attempts: int = 0
    said: str | None = None


def is_id(text: str) -> bool:
    """Return whether a text may be the id of an endpoint or a delivery. What is none is not looked for in the table."""
    return _ID.fullmatch(text) is not None


def is_type_pattern(text: str) -> bool:
    return _TYPE.fullmatch(text) is not None


def matches(pattern: str, event_type: str) -> bool:
    """Return whether a type of event is one of a pattern's.

    >>> [matches(pattern, "order.filled") for pattern in ("*", "order.*", "order.filled", "order", "ord.*")]
    [True, True, True, False, False]
    """
    if pattern.endswith(".*"):
        return event_type.startswith(pattern[:-1])
    return pattern in (EVERYTHING, event_type)
