"""The taker desk: every request to it comes in here, in the order of its checks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.apis.kit.routing import Faults, Route, answered, endpoints_of
from chalicelib.apis.taker.connecting import ConnectEndpoint
from chalicelib.apis.taker.envelope import Error, Fault, failure, invalid, success
from chalicelib.apis.taker.gate import Endpoint, Gate
from chalicelib.apis.taker.lists import ListEndpoints
from chalicelib.apis.taker.makers import MakerEndpoints
from chalicelib.apis.taker.refusals import REFUSALS, fault_of
from chalicelib.apis.taker.routes import ROUTES, Auth
from chalicelib.apis.taker.takers import TakerEndpoints
from chalicelib.apis.taker.validate import ValidateEndpoint
from chalicelib.domain.signed.keys import TAKER_KEYS
from chalicelib.domain.tenancy.master_keys import none_before
from chalicelib.services.signed.desk import SignedOrderDesk
from chalicelib.services.tenancy.rate_limiter import RateLimiter
from chalicelib.support.clock import now_ms
from chalicelib.tables.accounts import Accounts
from chalicelib.tables.connects import Connects
from chalicelib.tables.credentials import Credentials
from chalicelib.tables.desk_settings import TakerDesks
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.instruments import Instruments
from chalicelib.tables.signed_orders import SignedOrders

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


class TakerApi:
    """Answers requests to the taker desk; never raises.

    counters: the same tables, for counting requests, which nobody waits for (default: database).
    master_key: of which the keys' secrets and the JWTs' are derived; what it raises is answered 500.
    previous_master_key: one whose secrets are accepted too. public_instance: where makers connect who name no other
    (K6). clock: the time in ms.
    """

    def __init__(
        self,
        database: Database,
        counters: Database | None = None,
        *,
        master_key: Callable[[], bytes],
        previous_master_key: Callable[[], bytes | None] = none_before,
        public_instance: str | None = None,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self._clock = clock
        limiter = RateLimiter(counters or database)
        open_desk = TakerDesks(database).open_desk
        accept = Credentials(database, TAKER_KEYS).accept
        gate = Gate(accept, open_desk, limiter, master_key, previous_master_key)
        self._enter = {Auth.NONE: gate.anybody, Auth.MAKER: gate.maker, Auth.TAKER: gate.taker}
        orders, instruments = SignedOrders(database), Instruments(database)
        desk = SignedOrderDesk(database, lambda: clock() // 1000)
        self._endpoints: Mapping[str, Endpoint] = endpoints_of(
            ROUTES,
            connecting=ConnectEndpoint(TakerDesks(database), Connects(database), gate.open_session, public_instance),
            makers=MakerEndpoints(desk, orders, instruments),
            takers=TakerEndpoints(desk, orders),
            validating=ValidateEndpoint(orders, instruments, Accounts(database)),
            lists=ListEndpoints(orders),
        )

    def answer(self, request: HttpRequest) -> HttpResponse:
        response = answered(ROUTES, request, self._serve, FAULTS, failure)
        request_id = request.headers.get(REQUEST_ID.lower(), "")
        if not is_request_id(request_id):
            return response
        return replace(response, headers={**response.headers, REQUEST_ID: request_id})

    def _serve(self, route: Route[Auth], request: HttpRequest) -> HttpResponse:
        caller = self._enter[route.auth](request, self._clock())
        if len(request.body) > BODY_BYTES_MAX:
            raise invalid({"body": f"must be at most {BODY_BYTES_MAX} bytes"})
        return success(self._endpoints[route.endpoint](request, caller))


def is_request_id(text: str) -> bool:
    """Tell whether this can be sent back as a request's id: 1 to 128 characters of ASCII that print."""
    return 1 <= len(text) <= REQUEST_ID_CHARACTERS_MAX and text.isascii() and text.isprintable()
