"""Endpoints: an operator's webhook endpoints, their deliveries and dead letters (docs/webhooks.md).

No request here takes an Idempotency-Key: an answer with a secret is not kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chalicelib.apis.book import schema, webhook_schema
from chalicelib.apis.book.envelope import Detail, Envelope, Fault
from chalicelib.apis.book.webhook_schema import StatusAsked
from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.apis.kit.webhook_views import delivery_view, endpoint_view
from chalicelib.domain.webhooks.endpoint import (
    EndpointNotActive,
    Owner,
    TooManyEndpoints,
    TypesRefused,
    UnknownDelivery,
    UnknownEndpoint,
    UrlRefused,
)

if TYPE_CHECKING:
    from chalicelib.services.webhooks.endpoints import EndpointDesk


@dataclass(frozen=True, slots=True)
class WebhookEndpoints:
    """desk: made when it is first asked for."""

    desk: Callable[[], EndpointDesk]

    def all(self, request: HttpRequest, instance: str, envelope: Envelope) -> HttpResponse:  # noqa: ARG002
        """GET offchain/webhooks. 200 with all endpoints, oldest first, not paged."""
        return envelope.success(200, {"webhooks": list(map(endpoint_view, self.desk().all(Owner(instance))))})

    def create(self, request: HttpRequest, instance: str, envelope: Envelope) -> HttpResponse:
        """POST offchain/webhooks. 201 with the endpoint and its secret, which no other answer shows."""
        body = schema.checked(webhook_schema.CreateWebhookBody, schema.json_object(request.body))
        with _faults():
            customers = tuple(body.customerRefs or ())
            made = self.desk().create(Owner(instance), body.url, tuple(body.types), customers, body.description)
        return envelope.success(201, endpoint_view(made.endpoint) | {"secret": made.secret})

    def one(self, request: HttpRequest, instance: str, envelope: Envelope) -> HttpResponse:
        """GET offchain/webhooks/{webhookId}. 200 with the endpoint."""
        with _faults():
            return envelope.success(200, endpoint_view(self.desk().get(Owner(instance), _id(request))))

    def change(self, request: HttpRequest, instance: str, envelope: Envelope) -> HttpResponse:
        """PATCH offchain/webhooks/{webhookId}. 200 with the endpoint; a status pauses or resumes it."""
        webhook_id, owner = _id(request), Owner(instance)
        body = schema.checked(webhook_schema.ChangeWebhookBody, schema.json_object(request.body))
        with _faults():
            changed = self.desk().change(owner, webhook_id, **body.members())
            if body.status is StatusAsked.PAUSED:
                changed = self.desk().pause(owner, webhook_id)
            elif body.status is StatusAsked.ACTIVE:
                changed = self.desk().resume(owner, webhook_id)
        return envelope.success(200, endpoint_view(changed))

    def remove(self, request: HttpRequest, instance: str, envelope: Envelope) -> HttpResponse:
        """DELETE offchain/webhooks/{webhookId}. 200; its deliveries and dead letters are gone too."""
        webhook_id = _id(request)
        with _faults():
            self.desk().remove(Owner(instance), webhook_id)
        return envelope.success(200, {"id": webhook_id, "removed": True})

    def test(self, request: HttpRequest, instance: str, envelope: Envelope) -> HttpResponse:
        """POST offchain/webhooks/{webhookId}/test. 202 with the id of the delivery of a test event."""
        with _faults():
            delivery_id = self.desk().test(Owner(instance), _id(request))
        return envelope.success(202, {"deliveryId": delivery_id})

    def rotate(self, request: HttpRequest, instance: str, envelope: Envelope) -> HttpResponse:
        """POST offchain/webhooks/{webhookId}/rotate-secret. 200 with the new secret, which no other answer shows."""
        webhook_id = _id(request)
        members = schema.json_object(request.body) if request.body else {}
        body = schema.checked(webhook_schema.RotateSecretBody, members)
        with _faults():
            rotated = self.desk().rotate(Owner(instance), webhook_id, body.hours)
        return envelope.success(200, endpoint_view(rotated.endpoint) | {"secret": rotated.secret})

    def deliveries(self, request: HttpRequest, instance: str, envelope: Envelope) -> HttpResponse:
        """GET offchain/webhooks/{webhookId}/deliveries. 200 with dead letters, or what waits."""
        webhook_id = _id(request)
        asked = webhook_schema.deliveries_query(request.query)
        with _faults():
            found = self.desk().deliveries(Owner(instance), webhook_id, *asked)
        return envelope.success(200, {"deliveries": list(map(delivery_view, found))})

    def delivery(self, request: HttpRequest, instance: str, envelope: Envelope) -> HttpResponse:
        """GET offchain/webhooks/{webhookId}/deliveries/{deliveryId}. 200 with the delivery, whatever its status."""
        webhook_id, delivery_id = _id(request), _id(request, "deliveryId")
        with _faults():
            found = self.desk().delivery(Owner(instance), webhook_id, delivery_id)
        return envelope.success(200, delivery_view(found) | {"payload": found.payload.decode()})

    def redeliver(self, request: HttpRequest, instance: str, envelope: Envelope) -> HttpResponse:
        """POST offchain/webhooks/{webhookId}/deliveries/{deliveryId}/redeliver. 202 with the delivery."""
        webhook_id, delivery_id = _id(request), _id(request, "deliveryId")
        with _faults():
            found = self.desk().redeliver(Owner(instance), webhook_id, delivery_id)
        return envelope.success(202, delivery_view(found))


@contextmanager
def _faults() -> Iterator[None]:
    """Raise Fault for what the service refuses."""
    try:
        yield
    except UnknownEndpoint as error:
        raise Fault("WEBHOOK_NOT_FOUND", "Webhook endpoint does not exist") from error
    except UnknownDelivery as error:
        raise Fault("DELIVERY_NOT_FOUND", "Delivery does not exist, or no longer") from error
    except EndpointNotActive as error:
        raise Fault("WEBHOOK_NOT_ACTIVE", "Webhook endpoint is paused or ended; set its status to ACTIVE") from error
    except TooManyEndpoints as error:
        raise Fault("TOO_MANY_WEBHOOKS", f"The instance {error}") from error
    except UrlRefused as error:
        raise schema.validation_fault([Detail("url", str(error))]) from error
    except TypesRefused as error:
        raise schema.validation_fault([Detail("types", str(error))]) from error


def _id(request: HttpRequest, name: str = "webhookId") -> str:
    return schema.path_parameter(name, request.path_parameters[name])
