"""Entry point of the trade desk: serves its requests, with the checks in their order (R10)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from chalicelib.apis.kit.answering import Faults, answered
from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.apis.kit.routing import Route
from chalicelib.apis.trade.ahead import RowsAhead
from chalicelib.apis.trade.envelope import Envelope, Error, Fault, invalid
from chalicelib.apis.trade.gate import Caller, Gate
from chalicelib.apis.trade.routes import ROUTES
from chalicelib.domain.tenancy.keys import Permission
from chalicelib.services.ahead import Ahead

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
    """Answers requests to the trade desk; never raises.

    endpoints: by their names in ``ROUTES``. clock: Unix ms. ahead: reads ahead the rows that ``rows`` names.
    """

    def __init__(
        self,
        gate: Gate,
        endpoints: Mapping[str, Endpoint],
        clock: Callable[[], int],
        ahead: Ahead[Caller],
        rows: RowsAhead,
    ) -> None:
        self._gate = gate
        self._endpoints = endpoints
        self._clock = clock
        self._ahead = ahead
        self._rows = rows

    def answer(self, request: HttpRequest) -> HttpResponse:
        envelope = Envelope(self._clock)

        def serve(route: Route[Permission | None], request: HttpRequest) -> HttpResponse:
            if len(request.body) > BODY_BYTES_MAX:
                raise invalid("body")
            return self._ahead.answer(
                "" if route.auth is None else request.headers.get("authorization", ""),
                enter=lambda: self._gate.pass_through(request, route.auth, envelope),
                act=lambda caller: self._endpoints[route.endpoint](request, caller, envelope),
                rows_of=lambda caller: self._rows.of(route.endpoint, request, caller, envelope.now_ms),
            )

        return answered(ROUTES, request, serve, FAULTS, envelope.failure)
