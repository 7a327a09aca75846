"""Entry point of the taker desk: serves its requests, with the checks in their order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from chalicelib.apis.kit.answering import Faults, answered
from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.apis.kit.routing import Route
from chalicelib.apis.taker.cross_origin import CrossOrigin
from chalicelib.apis.taker.envelope import Error, Fault, failure, invalid, success
from chalicelib.apis.taker.gate import Caller, Connected, Endpoint, Gate
from chalicelib.apis.taker.refusals import REFUSALS, fault_of
from chalicelib.apis.taker.routes import ROUTES, Auth
from chalicelib.services.ahead import Ahead

BODY_BYTES_MAX = 64 * 1024
REQUEST_ID = "X-REQUEST-ID"
REQUEST_ID_CHARACTERS_MAX = 128


FAULTS = Faults(
    Fault,
    no_route=lambda _: Fault(Error.NOT_FOUND),
    unexpected=Fault(Error.INTERNAL),
    refusals=REFUSALS,
    of_refusal=fault_of,
)


@dataclass(slots=True)
class Exchange:
    """What is known of a request while it is served.

    route: None until it is found. caller: None until it is authenticated.
    """

    route: Route[Auth] | None = None
    caller: Caller | None = None

    def know(self, caller: Caller) -> None:
        self.caller = caller

    def failure(self, fault: Fault) -> HttpResponse:
        return failure(fault, has_details_object=bool(self.caller and self.caller.settings.has_details_object))


class TakerApi:
    """Answers requests to the taker desk; never raises.

    endpoints: by their names in ``ROUTES``. clock: Unix ms. ahead: reads a taker's key together with its desk.
    cross_origin: lets browsers show answers to pages of other origins.
    """

    def __init__(
        self,
        gate: Gate,
        endpoints: Mapping[str, Endpoint],
        clock: Callable[[], int],
        ahead: Ahead[Caller],
        cross_origin: CrossOrigin,
    ) -> None:
        self._enter = {
            Auth.NONE: gate.anybody,
            Auth.PUBLIC: gate.public,
            Auth.MAKER: gate.maker,
            Auth.TAKER: gate.taker,
        }
        self._endpoints = endpoints
        self._clock = clock
        self._ahead = ahead
        self._cross_origin = cross_origin

    def answer(self, request: HttpRequest) -> HttpResponse:
        allowed = self._cross_origin.preflight(request)
        if allowed is not None:
            return allowed
        exchange = Exchange()
        response = answered(ROUTES, request, partial(self._serve, exchange), FAULTS, exchange.failure)
        instance = None if exchange.caller is None else exchange.caller.instance
        response = self._cross_origin.marked(response, request, exchange.route, instance)
        request_id = request.headers.get(REQUEST_ID.lower(), "")
        if not is_request_id(request_id):
            return response
        return replace(response, headers={**response.headers, REQUEST_ID: request_id})

    def _serve(self, exchange: Exchange, route: Route[Auth], request: HttpRequest) -> HttpResponse:
        exchange.route = route

        def act(caller: Caller) -> HttpResponse:
            if len(request.body) > BODY_BYTES_MAX:
                raise invalid({"body": f"must be at most {BODY_BYTES_MAX} bytes"})
            found = self._endpoints[route.endpoint](request, caller)
            if isinstance(found, Connected):
                exchange.know(found.caller)
                found = found.data
            return found if isinstance(found, HttpResponse) else success(found)

        api_key = request.headers.get("x-api-key", "") if route.auth is Auth.TAKER else ""
        return self._ahead.answer(api_key, lambda: self._enter[route.auth](request, self._clock(), exchange.know), act)


def is_request_id(text: str) -> bool:
    """Tell whether a text may be sent back as a request's id: 1 to 128 printable ASCII characters."""
    return 1 <= len(text) <= REQUEST_ID_CHARACTERS_MAX and text.isascii() and text.isprintable()
