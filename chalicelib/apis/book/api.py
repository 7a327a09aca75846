"""The book desk: every request to it comes in here, in the order of its checks (T10)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from chalicelib.apis.book.books import BookEndpoints
from chalicelib.apis.book.envelope import Envelope, Fault
from chalicelib.apis.book.gate import Gate
from chalicelib.apis.book.ledger import MovementEndpoints, StatementEndpoints
from chalicelib.apis.book.market import MarketEndpoints
from chalicelib.apis.book.orders import OrderEndpoints
from chalicelib.apis.book.routes import ACTIONS_NOT_SERVED, ROUTES
from chalicelib.apis.book.tokens import TokenEndpoints
from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.apis.kit.routing import Faults, NoRoute, Route, answered, endpoints_of
from chalicelib.support.clock import now_ms

Endpoint = Callable[[HttpRequest, str, Envelope], HttpResponse]
"""Answers a request of an instance that has passed the gate; raises Fault."""


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
    """Answers requests to the book desk; never raises."""

    def __init__(
        self,
        gate: Gate,
        orders: OrderEndpoints,
        books: BookEndpoints,
        market: MarketEndpoints,
        tokens: TokenEndpoints,
        movements: MovementEndpoints,
        statements: StatementEndpoints,
    ) -> None:
        self._gate = gate
        self._endpoints: Mapping[str, Endpoint] = endpoints_of(
            ROUTES,
            orders=orders,
            books=books,
            market=market,
            tokens=tokens,
            movements=movements,
            statements=statements,
        )

    def answer(self, request: HttpRequest) -> HttpResponse:
        envelope = Envelope(now_ms, request.request_id)

        def serve(route: Route[str], request: HttpRequest) -> HttpResponse:
            return self._endpoints[route.endpoint](request, self._gate.pass_through(request, envelope), envelope)

        return answered(ROUTES, request, serve, FAULTS, envelope.failure)
