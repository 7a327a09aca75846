"""The deliverer: makes the deliveries of one endpoint, a few at a time, under a lease of the endpoint.

Each endpoint has a deliverer of its own, so one that hangs holds up no other, and it never has more than one at work::

    note, retry due --start--> lease taken --deliveries claimed, posted, decided--> nothing is due --> lease given back
                                    ^                                                |
                                    +--time over, or noted in the meantime-----------+

A deliverer that dies at any call leaves a lease that ends: the endpoint is woken then (``sweep``), and each delivery
that was claimed is due again when its own lease ends. So an event may arrive twice, under one id, but never not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from chalicelib.domain.webhooks.endpoint import WAITING_MAX, Delivery, Endpoint, EndpointStatus, Owner
from chalicelib.domain.webhooks.retries import next_attempt_ms
from chalicelib.domain.webhooks.signing import secrets_of, signed_headers
from chalicelib.services.webhooks.sending import Answer, Send
from chalicelib.services.webhooks.starting import Start, start_or_leave
from chalicelib.support.clock import new_id
from chalicelib.support.telemetry import logger
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.parallel import Runner
from chalicelib.tables.rows import UnreadableRow
from chalicelib.tables.webhook_deliveries import WebhookDeliveries
from chalicelib.tables.webhooks import QUIET_MS, WebhookEndpoints

AT_ONCE = 8
"""Requests to one endpoint at the same time."""
RUN_MS = 45_000
"""How long a deliverer begins new attempts; then another goes on."""
ENDPOINT_LEASE_MS = 90_000
"""Longer than a run with its last attempt, and than the function's time limit."""
DELIVERY_LEASE_MS = 60_000
FAILED_MS = 10_000
"""How soon another deliverer goes on for one that has failed, as where a table did not answer."""
WAITING_READ_MAX = 100
LOOKS_MS = 200
"""Pause before the last look for deliveries: about what the index lags."""
ENDED, FULL = "the receiver answered 410 Gone", f"more than {WAITING_MAX} deliveries wait"


class Deliverer:
    """start: starts a deliverer for an endpoint, for sweeps and where time is over.

    master_keys: those whose secrets sign, newest first. draw: a random number from 0 to 1. pause: sleeps for seconds.
    side_by_side: makes what runs the requests of one run at once; shared by runs, an endpoint that hangs would hold up
    the others. cursor_of: the end of an owner's feed, noted where an endpoint stops; None if there is none.
    """

    def __init__(
        self,
        database: Database,
        send: Send,
        start: Start,
        *,
        master_keys: Callable[[], Sequence[bytes]],
        clock_ms: Callable[[], int],
        draw: Callable[[], float],
        pause: Callable[[float], object],
        side_by_side: Callable[[], Runner],
        cursor_of: Callable[[Owner], str | None],
    ) -> None:
        self._endpoints = WebhookEndpoints(database)
        self._deliveries = WebhookDeliveries(database)
        self._send = send
        self._start = start
        self._master_keys = master_keys
        self._clock_ms = clock_ms
        self._draw = draw
        self._pause = pause
        self._side_by_side = side_by_side
        self._cursor_of = cursor_of

    def sweep(self) -> int:
        """Start a deliverer for each endpoint that is due: of a retry, or because one was not started or has died.

        Return how many were started.
        """
        started = 0
        for owner, endpoint_id in self._endpoints.to_wake(self._clock_ms()):
            start_or_leave(self._start, owner, endpoint_id)
            started += 1
        return started

    def end_leases(self) -> None:
        """Give back the leases of deliverers that have ended with their process: for a run that has all of them.

        A deliverer that is at work all the same goes on with what it has claimed, and ends.
        """
        now_ms = self._clock_ms()
        for owner, endpoint_id in self._endpoints.to_wake(now_ms + ENDPOINT_LEASE_MS):
            endpoint = self._endpoints.find(owner, endpoint_id)
            if endpoint is not None and endpoint.lease:
                self._endpoints.hand_over(endpoint, now_ms)

    def run(self, owner: Owner, endpoint_id: str, delivery_ids: Sequence[str] = ()) -> None:
        """Make an endpoint's due deliveries, these first. Returns at once where another deliverer is at work.

        Raises Unavailable or OutcomeUnknown: another deliverer goes on soon.
        """
        now_ms = self._clock_ms()
        lease, until_ms = new_id("lease"), now_ms + ENDPOINT_LEASE_MS
        endpoint = self._endpoints.acquire(owner, endpoint_id, lease, now_ms, until_ms)
        if endpoint is None:
            return
        try:
            self._work(endpoint, now_ms + RUN_MS, delivery_ids)
        except Exception:
            with suppress(Exception):
                self._endpoints.hand_over(endpoint, self._clock_ms() + FAILED_MS)
            raise

    def _work(self, endpoint: Endpoint, ends_ms: int, delivery_ids: Sequence[str]) -> None:
        """Make deliveries until nothing is due, the time is over, or the lease is another's."""
        if self._is_full(endpoint):
            return
        endpoint_id, has_looked = endpoint.endpoint_id, False
        due, together = list(delivery_ids), self._side_by_side()
        while (found := self._endpoints.find(endpoint.owner, endpoint_id)) and found.is_active:
            if found.lease != endpoint.lease:
                return
            due = due or self._deliveries.waiting(endpoint_id, self._clock_ms(), WAITING_READ_MAX)
            if self._clock_ms() >= ends_ms:
                self._hand_over(found)
                return
            at_once, due = due[:AT_ONCE], due[AT_ONCE:]
            if self._deliver_all(found, at_once, together):
                has_looked = False
            elif not has_looked:
                has_looked = True
                self._pause(LOOKS_MS / 1000)
            elif not due and self._endpoints.release(found, self._next_wake_ms(found)):
                return

    def _is_full(self, endpoint: Endpoint) -> bool:
        """Pause an endpoint for which too many deliveries wait. Return whether it is paused."""
        is_full = self._deliveries.count_waiting(endpoint.endpoint_id, WAITING_MAX + 1) > WAITING_MAX
        if is_full:
            self._stop(endpoint, EndpointStatus.PAUSED, FULL)
        return is_full

    def _deliver_all(self, endpoint: Endpoint, delivery_ids: Sequence[str], together: Runner) -> int:
        """Attempt these deliveries at the same time. Return how many were due, and not another's."""
        claimed: list[Delivery] = []
        together([partial(self._deliver, endpoint, one, claimed) for one in delivery_ids])
        return len(claimed)

    def _deliver(self, endpoint: Endpoint, delivery_id: str, claims: list[Delivery]) -> None:
        now_ms = self._clock_ms()
        try:
            claimed = self._deliveries.claim(endpoint.endpoint_id, delivery_id, now_ms, now_ms + DELIVERY_LEASE_MS)
        except UnreadableRow:  # it keeps no other waiting (T158)
            logger.exception("a delivery cannot be read", endpoint=endpoint.endpoint_id, delivery=delivery_id)
            return
        if claimed is None:
            return
        claims.append(claimed)
        answer = self._attempt(endpoint, claimed)
        now_ms = self._clock_ms()
        if answer.is_success:
            self._deliveries.delivered(claimed, answer.said, now_ms)
            return
        next_ms = next_attempt_ms(claimed.attempts, now_ms, self._draw(), answer.retry_after_s)
        has_ended = answer.is_gone and self._stop(endpoint, EndpointStatus.ENDED, ENDED)
        if has_ended or next_ms is None:
            self._deliveries.buried(claimed, answer.said, now_ms)
            logger.warning("a webhook is a dead letter", endpoint=endpoint.endpoint_id, delivery=delivery_id)
        else:
            self._deliveries.failed(claimed, answer.said, now_ms, next_ms)

    def _attempt(self, endpoint: Endpoint, delivery: Delivery) -> Answer:
        now_ms = self._clock_ms()
        secrets = secrets_of(endpoint, self._master_keys(), now_ms)
        headers = signed_headers(secrets, delivery.delivery_id, delivery.payload, now_ms)
        return self._send(endpoint.url, headers | {"webhook-event": delivery.type}, delivery.payload)

    def _stop(self, endpoint: Endpoint, status: EndpointStatus, reason: str) -> bool:
        """Stop an endpoint and note from which place of the feed on it misses events.

        Return whether it is stopped: not if it has another URL by now, of which an answer of this one says nothing.
        """
        owner, endpoint_id = endpoint.owner, endpoint.endpoint_id
        cursor, now_ms = self._cursor_of(owner), self._clock_ms()
        stopped = self._endpoints.stop(owner, endpoint_id, status, reason, cursor, now_ms, endpoint.url)
        if stopped is not None:
            logger.warning("a webhook endpoint is stopped", endpoint=endpoint_id, reason=stopped.reason)
        return stopped is not None

    def _next_wake_ms(self, endpoint: Endpoint) -> int | None:
        """Return when the endpoint is looked at next: for its first retry, or once more because the index may lag."""
        now_ms = self._clock_ms()
        times = [self._deliveries.next_ms(endpoint.endpoint_id)]
        if now_ms < endpoint.noted_at_ms + QUIET_MS:
            times.append(now_ms + QUIET_MS)
        return min((each for each in times if each is not None), default=None)

    def _hand_over(self, endpoint: Endpoint) -> None:
        """Give the lease back and start another deliverer."""
        if self._endpoints.hand_over(endpoint, self._clock_ms()):
            start_or_leave(self._start, endpoint.owner, endpoint.endpoint_id)
