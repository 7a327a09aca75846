"""Builds the taker desk."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from chalicelib.apis.kit.answering import Deferred, endpoints_of
from chalicelib.apis.taker.api import TakerApi
from chalicelib.apis.taker.connecting import ConnectEndpoint
from chalicelib.apis.taker.cross_origin import CrossOrigin
from chalicelib.apis.taker.gate import Caller, Gate
from chalicelib.apis.taker.lists import ListEndpoints
from chalicelib.apis.taker.makers import MakerEndpoints
from chalicelib.apis.taker.routes import ROUTES
from chalicelib.apis.taker.takers import TakerEndpoints
from chalicelib.apis.taker.validate import ValidateEndpoint
from chalicelib.domain.tenancy.keys import TAKER_KEYS
from chalicelib.domain.tenancy.master_keys import in_turn, none_before
from chalicelib.domain.tenancy.rate_limit import RateLimit
from chalicelib.services.ahead import Ahead
from chalicelib.services.signed.desk import SignedOrderDesk
from chalicelib.services.signed.reading import SignedReading
from chalicelib.services.tenancy.rate_limiter import ANONYMOUS_LIMITS, AnonymousUse, RateLimiter
from chalicelib.support.clock import now_ms
from chalicelib.tables.connect_nonces import ConnectNonces
from chalicelib.tables.credentials import Credentials
from chalicelib.tables.desk_settings import TakerDesks, open_desk_at
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.frozen_customers import FrozenCustomers
from chalicelib.tables.origins import Origins

if TYPE_CHECKING:
    from chalicelib.apis.taker.events import EventEndpoints
    from chalicelib.apis.taker.instruments import InstrumentEndpoints


def new_taker_desk(
    database: Database,
    counters: Database | None = None,
    *,
    master_key: Callable[[], bytes],
    previous_master_key: Callable[[], bytes | None] = none_before,
    public_instance: str | None = None,
    public_limit: RateLimit = ANONYMOUS_LIMITS[AnonymousUse.MARKET_DATA],
    clock: Callable[[], int] = now_ms,
) -> TakerApi:
    """Build the desk. counters: a client of its own for counting requests.

    master_key: secrets of keys and JWTs are derived from it; what it raises is answered 500. previous_master_key: its
    secrets are accepted too. public_instance: of makers who connect without naming one (K6), and of public routes.
    public_limit: of a client address on those (R46). clock: the time in ms.
    """
    open_desk = TakerDesks(database).open_desk
    limiter = RateLimiter(counters or database, {AnonymousUse.MARKET_DATA: public_limit})
    master_keys = partial(in_turn, master_key, previous_master_key)
    keys = Credentials(database, TAKER_KEYS)
    gate = Gate(keys.accept, open_desk, limiter, master_keys, public_instance)
    desk, reading = SignedOrderDesk(database, lambda: clock() // 1000), SignedReading(database)

    def events() -> EventEndpoints:
        from chalicelib.apis.taker.events import EventEndpoints
        from chalicelib.services.feed.reading import Feed

        return EventEndpoints(Feed(database, clock))

    def instruments() -> InstrumentEndpoints:
        from chalicelib.apis.taker.instruments import InstrumentEndpoints
        from chalicelib.services.signed.open_book import OpenBooks

        return InstrumentEndpoints(reading, OpenBooks(database))

    endpoints = endpoints_of(
        ROUTES,
        connecting=ConnectEndpoint(open_desk, ConnectNonces(database).spend, gate.open_session, public_instance),
        makers=MakerEndpoints(desk, reading, FrozenCustomers(database).has),
        takers=TakerEndpoints(desk, reading),
        validating=ValidateEndpoint(reading),
        lists=ListEndpoints(reading),
        events=Deferred(events),
        instruments=Deferred(instruments),
    )
    ahead = Ahead[Caller](database, lambda api_key, caller: [keys.at(api_key), *open_desk_at(caller.instance)])
    origins = Origins(database)
    return TakerApi(gate, endpoints, clock, ahead, CrossOrigin(origins.is_listed, origins.is_listed_by))
