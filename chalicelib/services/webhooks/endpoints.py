"""What operators and merchants do with their endpoints, from making one to sending a dead letter again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chalicelib.domain.webhooks.addresses import URL_RULE, AddressRefused, target_of
from chalicelib.domain.webhooks.endpoint import (
    TEST_TYPE,
    Delivery,
    DeliveryStatus,
    Endpoint,
    EndpointNotActive,
    EndpointStatus,
    Owner,
    TypesRefused,
    UnknownDelivery,
    UnknownEndpoint,
    UrlRefused,
)
from chalicelib.domain.webhooks.signing import secret_of
from chalicelib.services.feed import types as event_types
from chalicelib.services.webhooks.dispatching import CACHE_S
from chalicelib.services.webhooks.starting import Start, start_or_leave
from chalicelib.support.canonical import compact
from chalicelib.support.clock import iso, new_id
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.webhook_deliveries import WebhookDeliveries
from chalicelib.tables.webhooks import WebhookEndpoints

SETTLE_S = CACHE_S + 0.5
"""How long a command that makes an endpoint active waits: longer than a dispatcher remembers that it was not."""
ROTATION_HOURS, ROTATION_HOURS_MAX = 24, 168
HOUR_MS = 3_600_000
LISTED_MAX = 100
PAUSED_BY_OWNER = "paused by its owner"


@dataclass(frozen=True, slots=True)
class Secret:
    """An endpoint with its secret, which is shown this once."""

    endpoint: Endpoint
    secret: str


class EndpointDesk:
    """start: starts a deliverer. master_key: returns the newest one. cursor_of: the end of an owner's feed.

    pause: sleeps for seconds. allows_local: http and loopback addresses are allowed.
    """

    def __init__(
        self,
        database: Database,
        start: Start,
        *,
        master_key: Callable[[], bytes],
        clock_ms: Callable[[], int],
        cursor_of: Callable[[Owner], str | None],
        allows_local: bool = False,
    ) -> None:
        self._endpoints = WebhookEndpoints(database)
        self._deliveries = WebhookDeliveries(database)
        self._pause = database.pause
        self._start = start
        self._master_key = master_key
        self._clock_ms = clock_ms
        self._cursor_of = cursor_of
        self._allows_local = allows_local

    def create(
        self, owner: Owner, url: str, types: tuple[str, ...], customers: tuple[str, ...] = (), description: str = ""
    ) -> Secret:
        """Make an endpoint. It receives every event that is decided after this has returned.

        Raises UrlRefused, TypesRefused or TooManyEndpoints; nothing is changed then.
        """
        self._refuse_bad(url)
        _refuse_unknown(owner, types)
        endpoint = Endpoint(
            owner=owner,
            endpoint_id=new_id("we"),
            url=url,
            types=types,
            made_at_ms=self._clock_ms(),
            customers=customers,
            description=description,
        )
        secret = secret_of(self._master_key(), endpoint.endpoint_id, endpoint.generation)
        self._endpoints.create(endpoint)
        self._pause(SETTLE_S)
        return Secret(endpoint, secret)

    def all(self, owner: Owner) -> list[Endpoint]:
        """Return an owner's endpoints, oldest first."""
        return self._endpoints.of_owner(owner)

    def get(self, owner: Owner, endpoint_id: str) -> Endpoint:
        """Raises UnknownEndpoint."""
        found = self._endpoints.find(owner, endpoint_id)
        if found is None:
            raise UnknownEndpoint(endpoint_id)
        return found

    def change(self, owner: Owner, endpoint_id: str, **members: Any) -> Endpoint:
        """Change url, types, customers or description. Raises UnknownEndpoint, UrlRefused, or TypesRefused."""
        if "url" in members:
            self._refuse_bad(members["url"])
        _refuse_unknown(owner, members.get("types", ()))
        changed = self._endpoints.change(owner, endpoint_id, **members) if members else self.get(owner, endpoint_id)
        if members and changed.is_active:
            self._pause(SETTLE_S)
        return changed

    def pause(self, owner: Owner, endpoint_id: str) -> Endpoint:
        """Pause an endpoint: its events are noted no more, and what waits is not sent. Raises UnknownEndpoint.

        ``cursor`` of the result is the place of the feed from which on it misses events.
        """
        cursor, now_ms = self._cursor_of(owner), self._clock_ms()
        stopped = self._endpoints.stop(owner, endpoint_id, EndpointStatus.PAUSED, PAUSED_BY_OWNER, cursor, now_ms)
        if stopped is None:
            raise UnknownEndpoint(endpoint_id)
        return stopped

    def resume(self, owner: Owner, endpoint_id: str) -> Endpoint:
        """Make an endpoint active again; what waits is sent. Raises UnknownEndpoint."""
        now_ms = self._clock_ms()
        resumed = self._endpoints.resume(owner, endpoint_id, now_ms)
        self._start_unless_busy(resumed, now_ms)
        self._pause(SETTLE_S)
        return resumed

    def rotate(self, owner: Owner, endpoint_id: str, hours: int = ROTATION_HOURS) -> Secret:
        """Give an endpoint a new secret; the one before it signs too for so many hours. Raises UnknownEndpoint."""
        self.get(owner, endpoint_id)
        master_key = self._master_key()  # before the rotation: a secret that cannot be shown must not sign
        rotated = self._endpoints.rotate(owner, endpoint_id, self._clock_ms() + hours * HOUR_MS)
        return Secret(rotated, secret_of(master_key, endpoint_id, rotated.generation))

    def remove(self, owner: Owner, endpoint_id: str) -> None:
        """Remove an endpoint for good, with its dead letters. Raises UnknownEndpoint."""
        self._endpoints.remove(owner, endpoint_id)

    def test(self, owner: Owner, endpoint_id: str) -> str:
        """Send a test event. Return the delivery's id. Raises UnknownEndpoint or EndpointNotActive."""
        endpoint, now_ms, delivery_id = self._woken(owner, endpoint_id), self._clock_ms(), new_id("evt_test")
        body = {"id": delivery_id, "type": TEST_TYPE, "time": iso(now_ms), "body": {"endpointId": endpoint_id}}
        test = Delivery(
            endpoint_id=endpoint_id,
            delivery_id=delivery_id,
            type=TEST_TYPE,
            payload=compact(body).encode(),
            made_at_ms=now_ms,
            at_ms=now_ms,
        )
        self._deliveries.put([test])
        self._start_for(endpoint, delivery_id)
        return delivery_id

    def deliveries(
        self, owner: Owner, endpoint_id: str, status: DeliveryStatus, limit: int, after: str | None = None
    ) -> list[Delivery]:
        """Return deliveries that are WAITING or DEAD: those tried next, or those that died first.

        after: the last one of an earlier list; those behind it are returned (T171). Raises UnknownEndpoint, or
        UnknownDelivery if it is in the list no longer.
        """
        endpoint = self.get(owner, endpoint_id)
        last = None if after is None else self._deliveries.find(endpoint.endpoint_id, after)
        if after is not None and (last is None or last.status is not status):
            raise UnknownDelivery(after)
        return self._deliveries.listed(endpoint.endpoint_id, status, min(limit, LISTED_MAX), last)

    def delivery(self, owner: Owner, endpoint_id: str, delivery_id: str) -> Delivery:
        """Return one delivery, whatever its status. Raises UnknownEndpoint or UnknownDelivery."""
        found = self._deliveries.find(self.get(owner, endpoint_id).endpoint_id, delivery_id)
        if found is None:
            raise UnknownDelivery(delivery_id)
        return found

    def redeliver(self, owner: Owner, endpoint_id: str, delivery_id: str) -> Delivery:
        """Send a decided delivery again, under its id and with all its attempts. Raises UnknownEndpoint,
        UnknownDelivery or EndpointNotActive.
        """
        endpoint = self._woken(owner, endpoint_id)
        revived = self._deliveries.revive(endpoint_id, delivery_id, self._clock_ms())
        if revived is None:
            raise UnknownDelivery(delivery_id)
        self._start_for(endpoint, delivery_id)
        return revived

    def _refuse_bad(self, url: str) -> None:
        """Raise UrlRefused for a URL that webhooks may not go to, as far as that can be told without its name."""
        try:
            target_of(url, allows_local=self._allows_local)
        except AddressRefused as error:
            raise UrlRefused(f"{error}: must be {URL_RULE}") from error

    def _woken(self, owner: Owner, endpoint_id: str) -> Endpoint:
        """Return an active endpoint that a sweep looks at, so that what its caller puts is sent although the caller
        dies. Raises UnknownEndpoint or EndpointNotActive.
        """
        noted = self._endpoints.note(self.get(owner, endpoint_id), self._clock_ms())
        if noted is None:
            raise EndpointNotActive(endpoint_id)
        return noted

    def _start_for(self, endpoint: Endpoint, delivery_id: str) -> None:
        """Have a delivery that was put made now."""
        now_ms = self._clock_ms()
        noted = self._endpoints.note(endpoint, now_ms)
        if noted is not None:
            self._start_unless_busy(noted, now_ms, delivery_id)

    def _start_unless_busy(self, endpoint: Endpoint, now_ms: int, *delivery_ids: str) -> None:
        if endpoint.busy_until_ms <= now_ms:
            start_or_leave(self._start, endpoint.owner, endpoint.endpoint_id, delivery_ids)


def _refuse_unknown(owner: Owner, patterns: tuple[str, ...]) -> None:
    """Raise TypesRefused for a type, or a prefix, of which the owner can receive nothing (T90)."""
    unknown = event_types.unknown(
        patterns, event_types.ALL_TYPES if owner.subject is None else event_types.ESCROW_TYPES
    )
    if unknown:
        raise TypesRefused(unknown)
