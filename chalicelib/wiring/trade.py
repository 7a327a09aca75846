"""Builds the trade desk."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from chalicelib.apis.kit.answering import Deferred, endpoints_of
from chalicelib.apis.trade.ahead import RowsAhead
from chalicelib.apis.trade.amending import AmendEndpoint
from chalicelib.apis.trade.api import TradeApi
from chalicelib.apis.trade.balances import BalanceEndpoints
from chalicelib.apis.trade.cancelling_after import CancelAfterEndpoint
from chalicelib.apis.trade.gate import Caller, Gate
from chalicelib.apis.trade.listing import ListingEndpoints
from chalicelib.apis.trade.market import MarketEndpoints
from chalicelib.apis.trade.order_detail import OrderDetailEndpoints
from chalicelib.apis.trade.pairs import Pairs
from chalicelib.apis.trade.placing import CancelEndpoints, PlacingEndpoints
from chalicelib.apis.trade.routes import ROUTES
from chalicelib.apis.trade.tickers import TickerEndpoints
from chalicelib.apis.trade.tickets import TicketEndpoint
from chalicelib.apis.trade.trades import TradeEndpoints
from chalicelib.domain.tenancy.keys import API_TOKENS
from chalicelib.domain.tenancy.master_keys import in_turn, none_before
from chalicelib.domain.tenancy.rate_limit import RateLimit
from chalicelib.services.ahead import Ahead
from chalicelib.services.books.admission import Admission
from chalicelib.services.books.ahead import BooksAhead
from chalicelib.services.books.amending import Amending
from chalicelib.services.books.cancelling_all import CancellingAll
from chalicelib.services.books.depth import DepthReader
from chalicelib.services.books.market_data import MarketData
from chalicelib.services.books.reading import BooksReading
from chalicelib.services.books.switches import DeadManSwitches
from chalicelib.services.books.trades import TradeHistory
from chalicelib.services.books.waiting import CANCEL_WAIT_S, OutcomeWaiter
from chalicelib.services.ledger.reading import LedgerReading
from chalicelib.services.tenancy.rate_limiter import ANONYMOUS_LIMITS, AnonymousUse, RateLimiter
from chalicelib.services.tenancy.tickets import Tickets
from chalicelib.support.clock import now_ms, now_s
from chalicelib.tables.credentials import Credentials
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.frozen_customers import FrozenCustomers
from chalicelib.tables.tenants import Tenants, instance_at

if TYPE_CHECKING:
    from chalicelib.apis.trade.costs import CostEndpoints
    from chalicelib.apis.trade.currencies import CurrencyEndpoints
    from chalicelib.apis.trade.events import EventEndpoints
    from chalicelib.apis.trade.history import HistoryEndpoints


def new_trade_desk(
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
) -> TradeApi:
    """Build the desk. counters: a client of its own for counting requests.

    master_key: the tokens' secrets are derived from it; what it raises is answered 500. previous_master_key: its
    secrets are accepted too. public_instance: its books are shown by public routes (R3). clock: the time in ms.
    cancel_wait_s: how long a cancel or an amendment waits for its result. public_limit: of a client address on public
    routes (R46).
    orders_max: bound of the open orders of all books cached to show whole depths.
    """
    limiter = RateLimiter(counters or database, {AnonymousUse.MARKET_DATA: public_limit})
    tokens = Credentials(database, API_TOKENS)
    master_keys = partial(in_turn, master_key, previous_master_key)
    gate = Gate(tokens.accept, Tenants(database, now_s).get, limiter, master_keys, public_instance)
    reading, ledger = BooksReading(database), LedgerReading(database)
    pairs, outcomes, admission = Pairs(reading, ledger), OutcomeWaiter(database), Admission(database)
    is_frozen = FrozenCustomers(database).has
    cancelling_all = CancellingAll(admission, reading, outcomes, cancel_wait_s)

    depths = DepthReader(database, orders_max)

    def events() -> EventEndpoints:
        from chalicelib.apis.trade.events import EventEndpoints
        from chalicelib.services.feed.reading import Feed

        return EventEndpoints(Feed(database, clock), pairs)

    def costs() -> CostEndpoints:
        from chalicelib.apis.trade.costs import CostEndpoints

        return CostEndpoints(pairs, depths)

    def currencies() -> CurrencyEndpoints:
        from chalicelib.apis.trade.currencies import CurrencyEndpoints

        return CurrencyEndpoints(ledger)

    def history() -> HistoryEndpoints:
        from chalicelib.apis.trade.history import HistoryEndpoints
        from chalicelib.services.books.history import History

        return HistoryEndpoints(ledger, History(database, clock))

    endpoints = endpoints_of(
        ROUTES,
        placing=PlacingEndpoints(admission, outcomes, pairs, is_frozen),
        amending=AmendEndpoint(Amending(database), reading, pairs, is_frozen, cancel_wait_s),
        cancels=CancelEndpoints(admission, reading, outcomes, pairs, cancelling_all, cancel_wait_s),
        cancel_after=CancelAfterEndpoint(DeadManSwitches(database, clock)),
        listing=ListingEndpoints(reading, pairs),
        detail=OrderDetailEndpoints(reading, pairs),
        trades=TradeEndpoints(reading, pairs),
        balances=BalanceEndpoints(ledger),
        history=Deferred(history),
        costs=Deferred(costs),
        currencies=Deferred(currencies),
        market=MarketEndpoints(pairs, TradeHistory(database), depths),
        tickers=TickerEndpoints(pairs, MarketData(database)),
        events=Deferred(events),
        tickets=TicketEndpoint(Tickets(database, lambda: clock() // 1000)),
    )
    books = BooksAhead()
    ahead = Ahead[Caller](database, lambda token, caller: [tokens.at(token), instance_at(caller.instance)], books.learn)
    return TradeApi(gate, endpoints, clock, ahead, RowsAhead(books))
