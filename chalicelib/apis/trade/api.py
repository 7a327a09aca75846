"""The trade desk: every request to it comes in here, in the order of its checks (R10)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.apis.kit.routing import Faults, Route, answered, endpoints_of
from chalicelib.apis.trade.balances import BalanceEndpoints
from chalicelib.apis.trade.envelope import Envelope, Error, Fault, invalid
from chalicelib.apis.trade.gate import Caller, Gate
from chalicelib.apis.trade.listing import ListingEndpoints
from chalicelib.apis.trade.market import MarketEndpoints
from chalicelib.apis.trade.order_detail import OrderDetailEndpoints
from chalicelib.apis.trade.pairs import Pairs
from chalicelib.apis.trade.placing import CancelEndpoints, PlacingEndpoints
from chalicelib.apis.trade.routes import ROUTES
from chalicelib.apis.trade.tickers import TickerEndpoints
from chalicelib.apis.trade.trades import TradeEndpoints
from chalicelib.domain.tenancy.api_tokens import API_TOKENS, Permission
from chalicelib.domain.tenancy.master_keys import none_before
from chalicelib.domain.tenancy.rate_limit import RateLimit
from chalicelib.services.books.admission import Admission
from chalicelib.services.books.depths import Depths
from chalicelib.services.books.market_data import MarketData
from chalicelib.services.books.tape import Tape
from chalicelib.services.books.waiting import CANCEL_WAIT_S, Outcomes
from chalicelib.services.tenancy.rate_limiter import ANONYMOUS_LIMITS, AnonymousUse, RateLimiter
from chalicelib.support.clock import now_ms, now_s
from chalicelib.tables.accounts import Accounts
from chalicelib.tables.books import Books
from chalicelib.tables.candles import Candles
from chalicelib.tables.credentials import Credentials
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.external_ids import ExternalIds
from chalicelib.tables.fills import Fills
from chalicelib.tables.orders import Orders
from chalicelib.tables.tenants import Tenants
from chalicelib.tables.tokens import Tokens

BODY_BYTES_MAX = 64 * 1024
Endpoint = Callable[[HttpRequest, Caller, Envelope], HttpResponse]
"""Answers a request that has passed the gate; raises Fault."""
FAULTS = Faults(
    Fault,
    no_route=lambda _: Fault(Error.NO_ROUTE),
    unexpected=Fault(Error.INTERNAL),
    unavailable=Fault(Error.MAINTENANCE),
)


class TradeApi:
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
        accept, instance_of = Credentials(database, API_TOKENS).accept, Tenants(database, now_s).get
        self._gate = Gate(accept, instance_of, limiter, master_key, previous_master_key, public_instance)
        self._clock = clock
        orders, fills, external_ids = Orders(database), Fills(database), ExternalIds(database)
        books, tokens = Books(database), Tokens(database)
        pairs = Pairs(books, tokens)
        outcomes, admission = Outcomes(database), Admission(database)
        self._endpoints: Mapping[str, Endpoint] = endpoints_of(
            ROUTES,
            placing=PlacingEndpoints(admission, outcomes, pairs),
            cancels=CancelEndpoints(admission, orders, external_ids, outcomes, pairs, cancel_wait_s),
            listing=ListingEndpoints(orders, pairs),
            detail=OrderDetailEndpoints(orders, external_ids, fills, pairs),
            trades=TradeEndpoints(fills, external_ids, pairs),
            balances=BalanceEndpoints(Accounts(database), tokens),
            market=MarketEndpoints(pairs, Tape(database), Depths(database, orders_max)),
            tickers=TickerEndpoints(pairs, books, MarketData(Candles(database))),
        )

    def answer(self, request: HttpRequest) -> HttpResponse:
        envelope = Envelope(self._clock)

        def serve(route: Route[Permission | None], request: HttpRequest) -> HttpResponse:
            if len(request.body) > BODY_BYTES_MAX:
                raise invalid("body")
            caller = self._gate.pass_through(request, route.auth, envelope)
            return self._endpoints[route.endpoint](request, caller, envelope)

        return answered(ROUTES, request, serve, FAULTS, envelope.failure)
