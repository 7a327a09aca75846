"""Builds what sends events to WebSocket connections, and what serves the clients' messages."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from chalicelib.apis.kit.sockets import SocketDesk
from chalicelib.apis.sockets import Sockets
from chalicelib.apis.trade.pairs import Pairs
from chalicelib.apis.trade.socket import TradeSocket
from chalicelib.apis.trade.socket_topics import MARKETS_MAX, TradeTopics
from chalicelib.services.books.depth import DepthReader
from chalicelib.services.books.market_data import MarketData
from chalicelib.services.books.reading import BooksReading
from chalicelib.services.feed.reading import Feed
from chalicelib.services.ledger.reading import LedgerReading
from chalicelib.services.push.beating import Beat
from chalicelib.services.push.broadcasting import Broadcaster
from chalicelib.services.push.recent import EntriesBetween, RecentEntries
from chalicelib.services.push.sending import Sender
from chalicelib.services.push.sessions import Sessions
from chalicelib.services.push.states import Depths, Projected
from chalicelib.services.tenancy.rate_limiter import RateLimiter
from chalicelib.services.tenancy.tickets import Tickets
from chalicelib.support.bounded_cache import BoundedCache
from chalicelib.support.clock import new_id
from chalicelib.tables.connections import Connections
from chalicelib.tables.dynamodb import Database


@dataclass(frozen=True, slots=True)
class Pushing:
    """broadcaster: a receiver of events. sockets: serves the clients of all desks. desks: those, by name. beat: sends
    what is sent from time to time, and begins connections.
    """

    broadcaster: Broadcaster
    sockets: Sockets
    desks: Mapping[str, SocketDesk]
    beat: Beat


def new_pushing(
    database: Database,
    counters: Database,
    sender: Sender,
    between: EntriesBetween,
    clock_ms: Callable[[], int],
    public_instance: str | None = None,
    orders_max: int | None = None,
    pause: Callable[[float], None] = time.sleep,
) -> Pushing:
    """Build it. between: reads the entries of a log. pause: sleeps. The rest as in ``wiring.trade``."""

    def now_s() -> int:
        return clock_ms() // 1000

    reading, ledger = BooksReading(database), LedgerReading(database)
    pairs, recent = Pairs(reading, ledger), RecentEntries(between)
    topics = TradeTopics(
        pairs=pairs,
        reading=reading,
        ledger=ledger,
        market_data=MarketData(database),
        depths=Depths(DepthReader(database, orders_max), recent.between),
        projected=Projected(database, pause),
        clock_ms=clock_ms,
        markets=BoundedCache(MARKETS_MAX),
    )
    connections, topics_of = Connections(database, now_s), {"trade": topics}
    broadcaster = Broadcaster(connections, topics_of, sender, recent, database.together, clock_ms, pause)
    sessions = Sessions(connections, broadcaster, sender, Feed(database, clock_ms), clock_ms, pause)
    beat = Beat(sessions, broadcaster, topics_of, database.together, clock_ms, partial(new_id, "beat"))
    limiter = RateLimiter(counters)
    trade = TradeSocket(sessions, topics, pairs, Tickets(database, now_s), limiter, public_instance, clock_ms)
    desks: dict[str, SocketDesk] = {"trade": trade}
    return Pushing(broadcaster, Sockets(desks, sessions), desks, beat)
