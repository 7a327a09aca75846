"""Which path is which endpoint; every request to the trade desk comes in here (R1 to R3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from chalicelib.apis.kit.http import BadPercentEncoding, HttpRequest, HttpResponse, percent_decoded
from chalicelib.apis.kit.mounts import desk_of
from chalicelib.apis.trade.envelope import Envelope, Error, Fault, invalid
from chalicelib.apis.trade.gate import Caller, Gate
from chalicelib.apis.trade.placing import placing_endpoints
from chalicelib.apis.trade.reading import reading_endpoints
from chalicelib.domain.tenancy.api_tokens import Permission
from chalicelib.domain.tenancy.master_keys import none_before
from chalicelib.domain.tenancy.rate_limit import RateLimit
from chalicelib.services.books.waiting import CANCEL_WAIT_S
from chalicelib.services.tenancy.rate_limiter import ANONYMOUS_LIMITS, AnonymousUse, RateLimiter
from chalicelib.support.clock import now_ms, now_s
from chalicelib.support.outcomes import Unavailable
from chalicelib.support.telemetry import logger, order_refused, tell
from chalicelib.tables.api_tokens import ApiTokens
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.tenants import Tenants

DESK = "trade"
"""Its name in log and metrics."""
BODY_BYTES_MAX = 64 * 1024
ROUTES: dict[str, Permission | None] = {
    "GET /orders": Permission.READ,
    "POST /orders": Permission.BUY_SELL,
    "PUT /orders": Permission.BUY_SELL,
    "DELETE /orders": Permission.BUY_SELL,
    "POST /orders/cancel": Permission.BUY_SELL,
    "DELETE /orders/by-external-id": Permission.BUY_SELL,
    "POST /orders/cancel-by-external-id": Permission.BUY_SELL,
    "DELETE /orders/all": Permission.BUY_SELL,
    "GET /orders/open": Permission.READ,
    "GET /orders/trades": Permission.READ,
    "GET /orders/{id}": Permission.READ,
    "GET /orders/by-external-id/{external_id}": Permission.READ,
    "GET /user/trades": Permission.READ,
    "GET /user/balances": Permission.READ,
    "GET /trades": Permission.READ,
    "GET /public/trades": None,
    "GET /book/orders/level-2": Permission.READ,
    "GET /public/orders/level-2": None,
    "GET /ticker": Permission.READ,
    "GET /ticker/{pair}": Permission.READ,
    "GET /public/tickers": None,
    "GET /public/tickers/{pair}": None,
    "GET /pairs": Permission.READ,
    "GET /public/pairs": None,
    "GET /public/server-time": None,
}
"""Each route below a mount, with the permission that it needs; None: it is public."""
WORDS_AFTER_ORDERS = frozenset(
    ("open", "trades", "all", "cancel", "by-external-id", "cancel-by-external-id", "estimate-price")
)
"""What is no order's id, whether or not the method has a route there (R1)."""

Endpoint = Callable[[HttpRequest, Caller, Envelope], HttpResponse]
"""Answers a request that has passed the gate; raises Fault."""
Endpoints = Mapping[str, Endpoint]
"""By their routes, as ROUTES names them."""


class TradeDesk:
    """Answers requests to the trade desk; never raises.

    counters: the same tables, for counting requests, which nobody waits for (default: database).
    master_key: of which the tokens' secrets are derived; what it raises is answered 500. previous_master_key: one whose
    secrets are accepted too. public_instance: whose books the public routes show (R3). clock: the time in ms.
    cancel_wait_s: how long a cancel waits for its result. public_limit: of each client address at the public routes
    (R46). orders_max: how many orders the books may have together that are kept in memory to show their whole depth.
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
        cancel_wait_s: float = CANCEL_WAIT_S,
        public_limit: RateLimit = ANONYMOUS_LIMITS[AnonymousUse.MARKET_DATA],
        orders_max: int | None = None,
    ) -> None:
        limiter = RateLimiter(counters or database, {AnonymousUse.MARKET_DATA: public_limit})
        accept, instance_of = ApiTokens(database).accept, Tenants(database, now_s).get
        self._gate = Gate(accept, instance_of, limiter, master_key, previous_master_key, public_instance)
        self._clock = clock
        self._endpoints: dict[str, Endpoint] = {
            "GET /public/server-time": _server_time,
            "PUT /orders": _unsupported,
            **reading_endpoints(database, orders_max),
            **placing_endpoints(database, cancel_wait_s),
        }

    def answer(self, request: HttpRequest) -> HttpResponse:
        tell(desk=DESK)
        envelope = Envelope(self._clock)
        try:
            route, path_parameters = _found(request.method, request.path)
            if len(request.body) > BODY_BYTES_MAX:
                raise invalid("body")
            caller = self._gate.pass_through(request, ROUTES[route], envelope)
            return self._endpoints[route](replace(request, path_parameters=path_parameters), caller, envelope)
        except Fault as fault:
            if request.method == "POST" and _is_of_placing(request.path) and fault.error.status < 500:
                order_refused(DESK, fault.error.name)
            return envelope.failure(fault)
        except Unavailable:
            logger.warning("a needed part is down", exc_info=True, method=request.method, path=request.path)
            return envelope.failure(Fault(Error.MAINTENANCE))
        except Exception:
            logger.exception("unexpected fault", method=request.method, path=request.path)
            return envelope.failure(Fault(Error.INTERNAL))


def _is_of_placing(path: str) -> bool:
    return path.removesuffix("/").split("/")[2:] == ["orders"]


def _found(method: str, path: str) -> tuple[str, dict[str, str]]:
    """Return the route of a path below a mount, and its path parameters as they were sent. Raises Fault (R1, R2)."""
    sent = path.removesuffix("/").split("/")[2:]
    if desk_of(method, path) == "trade":
        words = list(map(_decoded, sent))
        for route in ROUTES:
            route_method, _, template = route.partition(" ")
            names = template.split("/")[1:]
            if route_method == method and len(names) == len(sent) and all(map(_fits, names, words)):
                return route, {name[1:-1]: each for name, each in zip(names, sent, strict=True) if name[0] == "{"}
    raise Fault(Error.NO_ROUTE)


def _fits(name: str, word: str) -> bool:
    """Tell whether a segment of a path fits a segment of a route."""
    if name == "{id}":
        return bool(word) and word not in WORDS_AFTER_ORDERS
    return bool(word) if name.startswith("{") else word == name


def _decoded(segment: str) -> str:
    """Return the segment decoded; itself where it is badly encoded, for its endpoint to refuse."""
    try:
        return percent_decoded(segment)
    except BadPercentEncoding:
        return segment


def _server_time(_request: HttpRequest, _caller: Caller, envelope: Envelope) -> HttpResponse:
    return envelope.success({"timestamp": envelope.now_ms}, at_ms=envelope.now_ms)


def _unsupported(_request: HttpRequest, _caller: Caller, _envelope: Envelope) -> HttpResponse:
    raise Fault(Error.UNSUPPORTED)
