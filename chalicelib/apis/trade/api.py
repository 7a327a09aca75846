"""Entry point of the trade desk: serves its requests, with the checks in their order (R10)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from chalicelib.apis.kit.answering import Faults, answered
from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.apis.kit.routing import Route
from chalicelib.apis.trade.envelope import Envelope, Error, Fault, invalid
from chalicelib.apis.trade.gate import Caller, Gate
from chalicelib.apis.trade.routes import ROUTES
from chalicelib.domain.tenancy.keys import Permission

BODY_BYTES_MAX = 64 * 1024
Endpoint = Callable[[HttpRequest, Caller, Envelope], HttpResponse]
"""Answers a caller's request; raises Fault."""
FAULTS = Faults(
    Fault,
    no_route=lambda _: Fault(Error.NO_ROUTE),
    unexpected=Fault(Error.INTERNAL),
    unavailable=Fault(Error.MAINTENANCE),
)


class TradeApi:
    """Answers requests to the trade desk; never raises. endpoints: by their names in ``ROUTES``. clock: Unix ms."""

    def __init__(self, gate: Gate, endpoints: Mapping[str, Endpoint], clock: Callable[[], int]) -> None:
        self._gate = gate
        self._endpoints = endpoints
        self._clock = clock

    def answer(self, request: HttpRequest) -> HttpResponse:
        envelope = Envelope(self._clock)

        def serve(route: Route[Permission | None], request: HttpRequest) -> HttpResponse:
            if len(request.body) > BODY_BYTES_MAX:
                raise invalid("body")
            caller = self._gate.pass_through(request, route.auth, envelope)
            return self._endpoints[route.endpoint](request, caller, envelope)

        return answered(ROUTES, request, serve, FAULTS, envelope.failure)
