"""Entry point of the escrow desk: serves its requests, with the checks in their order (E1 to E3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from chalicelib.apis.escrow.bare import bare
from chalicelib.apis.escrow.envelope import Fault, failure, not_found, server_error
from chalicelib.apis.escrow.gate import Caller, Gate
from chalicelib.apis.escrow.routes import PAGE_PREFIXES, ROUTES, Auth
from chalicelib.apis.kit.answering import Faults, answered
from chalicelib.apis.kit.auth import bearer
from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.apis.kit.routing import Route
from chalicelib.services.ahead import Ahead

Endpoint = Callable[..., HttpResponse]
"""Answers a request, of a caller where the route needs a key; raises Fault."""
FAULTS = Faults(Fault, no_route=lambda _: not_found(), unexpected=server_error())


class EscrowApi:
    """Answers requests to the escrow desk; never raises.

    endpoints: by their names in ``ROUTES``. ahead: reads a key together with its desk. page: answers ``PAGES``.
    """

    def __init__(
        self,
        gate: Gate,
        endpoints: Mapping[str, Endpoint],
        ahead: Ahead[Caller],
        page: Callable[[HttpRequest], HttpResponse],
    ) -> None:
        self._gate = gate
        self._page = page
        self._endpoints = endpoints
        self._ahead = ahead

    def answer(self, request: HttpRequest) -> HttpResponse:
        if any(f"{request.path}/".startswith(f"{prefix}/") for prefix in PAGE_PREFIXES):
            return self._page(request)
        return answered(ROUTES, request, self._serve, FAULTS, failure)

    def _serve(self, route: Route[Auth], request: HttpRequest) -> HttpResponse:
        on_own_path = replace(request, path=route.path_of(request.path_parameters))
        if route.auth is Auth.SIGNATURE:
            return self._endpoints[route.endpoint](on_own_path)
        return self._ahead.answer(
            bearer(request.headers) or "",
            enter=lambda: self._gate.pass_through(request, is_operators=route.auth is Auth.OPERATOR),
            act=lambda caller: self._act(route, on_own_path, caller),
        )

    def _act(self, route: Route[Auth], request: HttpRequest, caller: Caller) -> HttpResponse:
        response = self._endpoints[route.endpoint](request, caller)
        return bare(route.answer, response) if caller.is_bare else response
