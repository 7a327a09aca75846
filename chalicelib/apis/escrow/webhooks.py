"""Endpoints: a merchant's webhook endpoints in the world of its key, and their dead letters (docs/webhooks.md).

The vendor has these in a dashboard alone, so paths and members are Tallybook's. A POST takes no Idempotency-Key here:
an answer with a secret is not kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chalicelib.apis.escrow.bodies import Body
from chalicelib.apis.escrow.commands import Commands, RequestFields
from chalicelib.apis.escrow.envelope import (
    Errors,
    breaks_rule,
    invalid_field,
    is_not_selectable,
    not_found,
    response,
    single,
    written,
)
from chalicelib.apis.escrow.gate import Caller
from chalicelib.apis.escrow.kinds import choice, integer, text, texts
from chalicelib.apis.escrow.objects import View
from chalicelib.apis.escrow.schema import Kind, Schema, Unfit, refuse
from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.domain.webhooks.endpoint import (
    DESCRIPTION_CHARACTERS_MAX,
    ENDPOINTS_MAX,
    TYPE_RULE,
    TYPES_MAX,
    Delivery,
    DeliveryStatus,
    Endpoint,
    EndpointNotActive,
    Owner,
    TooManyEndpoints,
    TypesRefused,
    UnknownDelivery,
    UnknownEndpoint,
    UrlRefused,
    is_type_pattern,
    merchant_owner,
)
from chalicelib.support.clock import iso_seconds

if TYPE_CHECKING:
    from chalicelib.services.webhooks.endpoints import EndpointDesk

URL_CHARACTERS_MAX = 1000
ROTATION_HOURS_MAX = 168
LISTED, LISTED_MAX = 50, 100
STATUS, AFTER = "status", "after"


def _types() -> Kind:
    texts_of = texts(TYPES_MAX)

    def check(value: object) -> tuple[str, ...]:
        types: tuple[str, ...] = texts_of.check(value)
        if not types or not all(map(is_type_pattern, types)):
            raise Unfit(f"must have one item or more, each {TYPE_RULE}")
        return types

    return Kind(str, check, {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": TYPES_MAX})


_FIELDS = {"url": text(URL_CHARACTERS_MAX), "types": _types(), "description": text(DESCRIPTION_CHARACTERS_MAX)}
WEBHOOK = Schema(_FIELDS, required=frozenset({"url", "types"}))
CHANGE = Schema(_FIELDS | {STATUS: choice("ACTIVE", "PAUSED")})
ROTATE = Schema({"hours": integer(0, ROTATION_HOURS_MAX)})
REDELIVER = Schema({"delivery_id": text(200)}, required=frozenset({"delivery_id"}))
NONE = Schema({})
_DELIVERIES = Schema({STATUS: choice("DEAD", "WAITING"), "limit": integer(1, LISTED_MAX), AFTER: text(100)})


@dataclass(frozen=True, slots=True)
class WebhookEndpoints:
    """desk: made when it is first asked for."""

    desk: Callable[[], EndpointDesk]
    commands: Commands

    def all(self, request: HttpRequest, caller: Caller) -> HttpResponse:  # noqa: ARG002 - as all endpoints
        """GET webhooks. All endpoints, oldest first, not paged."""
        return _listed(list(map(webhook_view, self.desk().all(_owner(caller)))), ENDPOINTS_MAX)

    def create(self, request: HttpRequest, caller: Caller) -> HttpResponse:
        """POST webhooks. The endpoint with its secret, which no other answer shows."""

        def carry_out(sent: RequestFields) -> View:
            sent.refuse_faulty()
            fields = sent.fields
            with _faults():
                made = self.desk().create(
                    _owner(caller), fields["url"], fields["types"], description=fields.get("description", "")
                )
            return {**webhook_view(made.endpoint), "secret": made.secret}

        return self.commands.change(request, WEBHOOK, carry_out)

    def show(self, request: HttpRequest, caller: Caller) -> HttpResponse:
        return response(200, single(webhook_view(self._endpoint(request, caller))))

    def change(self, request: HttpRequest, caller: Caller) -> HttpResponse:
        """PUT webhooks/{id}. A status pauses or resumes the endpoint."""
        endpoint = self._endpoint(request, caller)

        def carry_out(sent: RequestFields) -> View:
            sent.refuse_faulty()
            fields = dict(sent.fields)
            status = fields.pop(STATUS, None)
            with _faults():
                changed = self.desk().change(endpoint.owner, endpoint.endpoint_id, **fields)
                if status == "PAUSED":
                    changed = self.desk().pause(endpoint.owner, endpoint.endpoint_id)
                elif status == "ACTIVE":
                    changed = self.desk().resume(endpoint.owner, endpoint.endpoint_id)
            return webhook_view(changed)

        return self.commands.change(request, CHANGE, carry_out)

    def remove(self, request: HttpRequest, caller: Caller) -> HttpResponse:
        """DELETE webhooks/{id}. Its dead letters are gone too."""
        endpoint = self._endpoint(request, caller)
        with _faults():
            self.desk().remove(endpoint.owner, endpoint.endpoint_id)
        return response(200, single({"id": endpoint.endpoint_id, "removed": True}))

    def test(self, request: HttpRequest, caller: Caller) -> HttpResponse:
        """POST webhooks/{id}/test. The id of the delivery of a test event."""
        endpoint = self._endpoint(request, caller)

        def carry_out(sent: RequestFields) -> View:
            sent.refuse_faulty()
            with _faults():
                return {"delivery_id": self.desk().test(endpoint.owner, endpoint.endpoint_id)}

        return self.commands.change(request, NONE, carry_out)

    def rotate(self, request: HttpRequest, caller: Caller) -> HttpResponse:
        """POST webhooks/{id}/rotate-secret. The new secret; the old one signs too for some hours."""
        endpoint = self._endpoint(request, caller)

        def carry_out(sent: RequestFields) -> View:
            sent.refuse_faulty()
            with _faults():
                rotated = self.desk().rotate(endpoint.owner, endpoint.endpoint_id, sent.fields.get("hours", 24))
            return {**webhook_view(rotated.endpoint), "secret": rotated.secret}

        return self.commands.change(request, ROTATE, carry_out)

    def deliveries(self, request: HttpRequest, caller: Caller) -> HttpResponse:
        """GET webhooks/{id}/deliveries. Dead letters, or what waits."""
        endpoint = self._endpoint(request, caller)
        errors: Errors = {}
        sent = {name: values[-1] for name, values in request.query.items()}
        asked = _DELIVERIES.checked(_DELIVERIES.read(sent), Body({}), errors)
        refuse(errors)
        status, limit = DeliveryStatus(asked.get(STATUS, DeliveryStatus.DEAD)), asked.get("limit", LISTED)
        with _faults(AFTER):
            found = self.desk().deliveries(endpoint.owner, endpoint.endpoint_id, status, limit, asked.get(AFTER))
        return _listed(list(map(delivery_view, found)), limit)

    def redeliver(self, request: HttpRequest, caller: Caller) -> HttpResponse:
        """POST webhooks/{id}/redeliver. The delivery, which is sent again under its id."""
        endpoint = self._endpoint(request, caller)

        def carry_out(sent: RequestFields) -> View:
            sent.refuse_faulty()
            with _faults():
                found = self.desk().redeliver(endpoint.owner, endpoint.endpoint_id, sent.fields["delivery_id"])
            return delivery_view(found)

        return self.commands.change(request, REDELIVER, carry_out)

    def _endpoint(self, request: HttpRequest, caller: Caller) -> Endpoint:
        """Return the endpoint in the path. Raises Fault 404."""
        with _faults():
            return self.desk().get(_owner(caller), request.path_parameters["id"])


def _listed(rows: list[View], most: int) -> HttpResponse:
    """Return a list as the desk shows a page, the only one. most: rows that it could have."""
    ends = {"from": 1 if rows else None, "to": len(rows) or None}
    page = {"current_page": 1, "last_page": 1, "per_page": most, "total": len(rows)}
    return response(200, written({**page, **ends, "data": rows}))


def _owner(caller: Caller) -> Owner:
    return merchant_owner(caller.instance, caller.world, caller.owner.merchant)


@contextmanager
def _faults(delivery: str = "delivery_id") -> Iterator[None]:
    """Raise Fault for what the service refuses. delivery: the field that names one."""
    try:
        yield
    except UnknownEndpoint as error:
        raise not_found() from error
    except UnknownDelivery as error:
        raise invalid_field(delivery, is_not_selectable(delivery)) from error
    except EndpointNotActive as error:
        raise invalid_field(STATUS, "The webhook is paused or has ended; set its status to ACTIVE.") from error
    except TooManyEndpoints as error:
        raise invalid_field("url", f"The merchant {error}.") from error
    except UrlRefused as error:
        raise invalid_field("url", breaks_rule("url", f"is refused: {error}")) from error
    except TypesRefused as error:
        raise invalid_field("types", breaks_rule("types", f"is refused: {error}")) from error


def webhook_view(endpoint: Endpoint) -> dict[str, Any]:
    """Return an endpoint as shown, without its secret."""
    return {
        "id": endpoint.endpoint_id,
        "url": endpoint.url,
        "types": list(endpoint.types),
        "description": endpoint.description,
        "status": endpoint.status.value,
        "reason": endpoint.reason,
        "stopped_at": _time(endpoint.stopped_at_ms),
        "cursor": endpoint.cursor,
        "previous_secret_until": _time(endpoint.previous_until_ms or None),
        "created_at": _time(endpoint.made_at_ms),
    }


def delivery_view(delivery: Delivery) -> dict[str, Any]:
    waits = delivery.status is DeliveryStatus.WAITING
    return {
        "id": delivery.delivery_id,
        "type": delivery.type,
        "status": delivery.status.value,
        "attempts": delivery.attempts,
        "last_answer": delivery.said,
        "created_at": _time(delivery.made_at_ms),
        "next_attempt_at": _time(delivery.at_ms) if waits else None,
        "decided_at": None if waits else _time(delivery.at_ms),
    }


def _time(at_ms: int | None) -> str | None:
    return None if at_ms is None else iso_seconds(at_ms // 1000)
