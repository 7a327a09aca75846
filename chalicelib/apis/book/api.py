"""Entry point of the book desk: serves its requests, with the checks in their order (T10)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from chalicelib.apis.book.ahead import RowsAhead
from chalicelib.apis.book.envelope import Envelope, Fault
from chalicelib.apis.book.gate import Gate
from chalicelib.apis.book.routes import ACTIONS_NOT_SERVED, API_KEY, ROUTES
from chalicelib.apis.kit.answering import Faults, answered
from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.apis.kit.routing import NoRoute, Route
from chalicelib.services.ahead import Ahead
from chalicelib.support.clock import now_ms

Endpoint = Callable[[HttpRequest, str, Envelope], HttpResponse]
"""Answers an authenticated request of an instance; raises Fault."""


def _no_route(missing: NoRoute) -> Fault:
    is_action = missing.method == "POST" and missing.path.removesuffix("/") in ACTIONS_NOT_SERVED
    if is_action or not missing.allowed:
        return Fault("NOT_FOUND", "No such route")
    allowed = ", ".join(missing.allowed)
    return Fault("METHOD_NOT_ALLOWED", f"Allowed here: {allowed}", headers={"Allow": allowed})


FAULTS = Faults(
    Fault,
    no_route=_no_route,
    unexpected=Fault("INTERNAL_ERROR", "Unexpected fault"),
    unavailable=Fault(
        "SERVICE_UNAVAILABLE",
        "The service is briefly unavailable; nothing was changed",
        headers={"Retry-After": "1"},
    ),
    outcome_unknown=Fault(
        "INTERNAL_ERROR", "It is not known whether the request was carried out; look before you repeat it"
    ),
)


class BookApi:
    """Answers requests to the book desk; never raises.

    endpoints: by their names in ``ROUTES``. ahead: reads ahead the rows that ``rows`` names.
    """

    def __init__(self, gate: Gate, endpoints: Mapping[str, Endpoint], ahead: Ahead[str], rows: RowsAhead) -> None:
        self._gate = gate
        self._endpoints = endpoints
        self._ahead = ahead
        self._rows = rows

    def answer(self, request: HttpRequest) -> HttpResponse:
        envelope = Envelope(now_ms, request.request_id)

        def serve(route: Route[str], request: HttpRequest) -> HttpResponse:
            return self._ahead.answer(
                request.headers.get(API_KEY.lower(), ""),
                enter=lambda: self._gate.pass_through(request, envelope),
                act=lambda instance: self._endpoints[route.endpoint](request, instance, envelope),
                rows_of=lambda instance: self._rows.of(route.endpoint, request, instance),
            )

        return answered(ROUTES, request, serve, FAULTS, envelope.failure)
