"""Which path is which endpoint; every request to the taker desk comes in here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import Enum

from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.apis.kit.mounts import TAKER_MOUNT, is_of_taker_desk
from chalicelib.apis.taker.connecting import ConnectEndpoint
from chalicelib.apis.taker.envelope import Error, Fault, failure, invalid, success
from chalicelib.apis.taker.gate import Endpoint, Gate
from chalicelib.apis.taker.lists import list_endpoints
from chalicelib.apis.taker.makers import MakerEndpoints
from chalicelib.apis.taker.refusals import REFUSALS, fault_of
from chalicelib.apis.taker.takers import TakerEndpoints
from chalicelib.apis.taker.validate import ValidateEndpoint
from chalicelib.domain.tenancy.master_keys import none_before
from chalicelib.services.signed.desk import SignedOrderDesk
from chalicelib.services.tenancy.rate_limiter import RateLimiter
from chalicelib.support.clock import now_ms
from chalicelib.support.telemetry import logger, order_refused, tell
from chalicelib.tables.accounts import Accounts
from chalicelib.tables.connects import Connects
from chalicelib.tables.desk_settings import TakerDesks
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.instruments import Instruments
from chalicelib.tables.signed_orders import SignedOrders
from chalicelib.tables.taker_keys import TakerKeys

DESK = "taker"
"""Its name in log and metrics."""
BODY_BYTES_MAX = 64 * 1024
REQUEST_ID = "X-REQUEST-ID"
REQUEST_ID_CHARACTERS_MAX = 128


class Entrance(Enum):
    """What a route's callers show at the gate."""

    ANYBODY = "nothing"
    MAKER = "a JWT"
    TAKER = "an API key"


ROUTES: dict[str, Entrance] = {
    "GET /takers/orders": Entrance.TAKER,
    "GET /takers/orders/{order_hash}": Entrance.TAKER,
    "POST /makers/connect": Entrance.ANYBODY,
    "POST /orders": Entrance.MAKER,
    "GET /orders": Entrance.MAKER,
    "POST /orders/{order_id}/cancel": Entrance.MAKER,
    "GET /orders/maker/next-nonce": Entrance.MAKER,
    "GET /orders/available": Entrance.TAKER,
    "POST /orders/validate": Entrance.TAKER,
    "POST /orders/lock": Entrance.TAKER,
    "POST /orders/unlock": Entrance.TAKER,
    "POST /orders/fill": Entrance.TAKER,
    "POST /orders/reject": Entrance.TAKER,
    "POST /orders/cancel-result": Entrance.TAKER,
    "GET /orders/filled": Entrance.TAKER,
}
"""Each route below the mount, with what its callers show."""
ALIASES = {
    f"POST /takers/orders/{word}": f"POST /orders/{word}"
    for word in ("validate", "lock", "unlock", "fill", "reject", "cancel-result")
} | {"GET /takers/fills": "GET /orders/filled"}
"""Other paths of the same endpoints (K3)."""


class TakerDesk:
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
        gate = Gate(TakerKeys(database).accept, open_desk, limiter, master_key, previous_master_key)
        self._enter = {Entrance.ANYBODY: gate.anybody, Entrance.MAKER: gate.maker, Entrance.TAKER: gate.taker}
        orders, instruments = SignedOrders(database), Instruments(database)
        desk = SignedOrderDesk(database, lambda: clock() // 1000)
        connecting = ConnectEndpoint(TakerDesks(database), Connects(database), gate.open_session, public_instance)
        self._endpoints: dict[str, Endpoint] = {
            **connecting.by_route(),
            **MakerEndpoints(desk, orders, instruments).by_route(),
            **TakerEndpoints(desk, orders).by_route(),
            **ValidateEndpoint(orders, instruments, Accounts(database)).by_route(),
            **list_endpoints(database),
        }

    def answer(self, request: HttpRequest) -> HttpResponse:
        response = self._answer(request)
        request_id = request.headers.get(REQUEST_ID.lower(), "")
        if not is_request_id(request_id):
            return response
        return replace(response, headers={**response.headers, REQUEST_ID: request_id})

    def _answer(self, request: HttpRequest) -> HttpResponse:
        tell(desk=DESK)
        try:
            route, path_parameters = _found(request.method, request.path)
            caller = self._enter[ROUTES[route]](request, self._clock())
            if len(request.body) > BODY_BYTES_MAX:
                raise invalid({"body": f"must be at most {BODY_BYTES_MAX} bytes"})
            return success(self._endpoints[route](replace(request, path_parameters=path_parameters), caller))
        except Fault as fault:
            return _refused(request, fault)
        except REFUSALS as refusal:
            return _refused(request, fault_of(refusal))
        except Exception:
            logger.exception("unexpected fault", method=request.method, path=request.path)
            return failure(Fault(Error.INTERNAL))


def _refused(request: HttpRequest, fault: Fault) -> HttpResponse:
    sent = request.path.removesuffix("/").split("/")[len(TAKER_MOUNT) :]
    if request.method == "POST" and sent == ["orders"] and fault.error.status < 500:
        order_refused(DESK, fault.error.name)
    return failure(fault)


def is_request_id(text: str) -> bool:
    """Tell whether this can be sent back as a request's id: 1 to 128 characters of ASCII that print."""
    return 1 <= len(text) <= REQUEST_ID_CHARACTERS_MAX and text.isascii() and text.isprintable()


def _found(method: str, path: str) -> tuple[str, Mapping[str, str]]:
    """Return the route of a path, under its own name, and its path parameters as they were sent. Raises Fault."""
    sent = path.removesuffix("/").split("/")[len(TAKER_MOUNT) :]
    if is_of_taker_desk(path):
        for route in (*ALIASES, *ROUTES):
            route_method, _, template = route.partition(" ")
            names = template.split("/")[1:]
            if route_method == method and len(names) == len(sent) and all(map(_fits, names, sent)):
                return ALIASES.get(route, route), {
                    name[1:-1]: each for name, each in zip(names, sent, strict=True) if name[0] == "{"
                }
    raise Fault(Error.NOT_FOUND)


def _fits(name: str, segment: str) -> bool:
    """Tell whether a segment of a path fits a segment of a route."""
    return bool(segment) if name.startswith("{") else segment == name
