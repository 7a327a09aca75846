"""Webhook endpoints and deliveries as answers show them."""

from __future__ import annotations

from chalicelib.domain.webhooks.endpoint import Delivery, DeliveryStatus, Endpoint
from chalicelib.support.clock import iso


def endpoint_view(endpoint: Endpoint) -> dict[str, object]:
    """Return an endpoint as shown, without its secret."""
    return {
        "id": endpoint.endpoint_id,
        "url": endpoint.url,
        "types": list(endpoint.types),
        "customerRefs": list(endpoint.customers) or None,
        "description": endpoint.description,
        "status": endpoint.status.value,
        "reason": endpoint.reason,
        "stoppedAt": _time(endpoint.stopped_at_ms),
        "cursor": endpoint.cursor,
        "previousSecretUntil": _time(endpoint.previous_until_ms or None),
        "createdAt": iso(endpoint.made_at_ms),
    }


def delivery_view(delivery: Delivery) -> dict[str, object]:
    """Return a delivery as shown. nextAttemptAt: of a waiting one; decidedAt: of the others."""
    waits = delivery.status is DeliveryStatus.WAITING
    return {
        "id": delivery.delivery_id,
        "type": delivery.type,
        "status": delivery.status.value,
        "attempts": delivery.attempts,
        "lastAnswer": delivery.said,
        "createdAt": iso(delivery.made_at_ms),
        "nextAttemptAt": iso(delivery.at_ms) if waits else None,
        "decidedAt": None if waits else iso(delivery.at_ms),
    }


def _time(at_ms: int | None) -> str | None:
    return None if at_ms is None else iso(at_ms)
