"""Builds what sends events to WebSocket connections, and what serves the clients' messages."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from threading import Thread

from chalicelib import wiring
from chalicelib.apis.kit.sockets import SocketDesk
from chalicelib.apis.sockets import Sockets
from chalicelib.apis.taker.gate import Gate
from chalicelib.apis.taker.socket import SignedOrderSocket, audiences
from chalicelib.apis.taker.socket_messages import MAKER_DESK, TAKER_DESK, SignedOrderTopics
from chalicelib.apis.trade.gate import may_read
from chalicelib.apis.trade.pairs import Pairs
from chalicelib.apis.trade.socket import TradeSocket
from chalicelib.apis.trade.socket_balances import BalanceMessages
from chalicelib.apis.trade.socket_topics import MARKETS_MAX, NOTIONALS_MAX, TradeTopics
from chalicelib.domain.tenancy.keys import API_TOKENS, TAKER_KEYS
from chalicelib.domain.tenancy.master_keys import in_turn
from chalicelib.services.books.depth import DepthReader
from chalicelib.services.books.market_data import MarketData
from chalicelib.services.books.reading import BooksReading
from chalicelib.services.calling import caller_of
from chalicelib.services.feed.reading import Feed
from chalicelib.services.ledger.reading import LedgerReading
from chalicelib.services.push.beating import Beat
from chalicelib.services.push.broadcasting import Broadcaster
from chalicelib.services.push.desk import Desk
from chalicelib.services.push.recent import EntriesBetween, RecentEntries
from chalicelib.services.push.sending import GatewaySender, Sender
from chalicelib.services.push.sessions import Sessions
from chalicelib.services.push.states import Depths, Projected
from chalicelib.services.tenancy.rate_limiter import RateLimiter
from chalicelib.services.tenancy.tickets import Tickets
from chalicelib.support.bounded_cache import BoundedCache
from chalicelib.support.clock import new_id
from chalicelib.support.telemetry import logger
from chalicelib.tables.connections import Connections
from chalicelib.tables.credentials import Credentials
from chalicelib.tables.desk_settings import TakerDesks
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.tenants import Tenants
from chalicelib.tables.wire import call_lightly

SEND_TIMEOUT_S, SEND_ATTEMPTS_MAX = 5, 3


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
    master_key: Callable[[], bytes] = wiring.master_key,
    previous_master_key: Callable[[], bytes | None] = wiring.previous_master_key,
    start: Callable[[str], None] | None = None,
) -> Pushing:
    """Build it. between: reads the entries of a log. pause: sleeps. start: has a connection begin, in a call of its
    own; None: as the environment says. The rest as in ``wiring.trade`` and ``wiring.taker``.
    """

    def now_s() -> int:
        return clock_ms() // 1000

    new_name = partial(new_id, "beat")

    reading, ledger = BooksReading(database), LedgerReading(database)
    pairs, recent = Pairs(reading, ledger), RecentEntries(between)
    tokens, tenants = Credentials(database, API_TOKENS), Tenants(database, now_s)
    projected = Projected(database, pause)
    topics = TradeTopics(
        pairs=pairs,
        reading=reading,
        balances=BalanceMessages(ledger, projected, BoundedCache(MARKETS_MAX)),
        market_data=MarketData(database),
        depths=Depths(DepthReader(database, orders_max), recent.between),
        projected=projected,
        admits=lambda instance, token: may_read(tokens.get(token), tenants.get(instance)),
        clock_ms=clock_ms,
        markets=BoundedCache(MARKETS_MAX),
        notionals=BoundedCache(NOTIONALS_MAX),
    )
    keys, open_desk = Credentials(database, TAKER_KEYS), TakerDesks(database).open_desk
    signed_orders = SignedOrderTopics(keys.get, open_desk, clock_ms)
    topics_of: dict[str, Desk] = {"trade": topics, TAKER_DESK: signed_orders, MAKER_DESK: signed_orders}
    connections, limiter = Connections(database, now_s), RateLimiter(counters)
    broadcaster = Broadcaster(connections, topics_of, sender, recent, database.together, clock_ms, new_name, pause)
    sessions = Sessions(connections, broadcaster, sender, Feed(database, clock_ms), clock_ms, new_name, pause)
    beat = Beat(sessions, broadcaster, topics_of, database.together, clock_ms, new_name)
    start = start or _starting(beat, pause)
    gate = Gate(keys.accept, open_desk, limiter, partial(in_turn, master_key, previous_master_key))
    desks: dict[str, SocketDesk] = {
        one.desk: SignedOrderSocket(one, sessions, start, clock_ms) for one in audiences(gate)
    }
    desks["trade"] = TradeSocket(sessions, topics, pairs, Tickets(database, now_s), limiter, public_instance, clock_ms)
    return Pushing(broadcaster, Sockets(desks, sessions), desks, beat)


def _starting(beat: Beat, pause: Callable[[float], None]) -> Callable[[str], None]:
    """Return what has a connection begin: another function, or a thread. What fails is made up for by the beat."""
    function = wiring.beat_function()
    call = caller_of(wiring.lambda_client, function, "Begin a connection") if function else None

    def begin(connection_id: str) -> None:
        try:
            if call is None:
                beat.begin(connection_id, pause)
            else:
                call({"connection": connection_id})
        except Exception:
            logger.warning("a connection has not begun; the next beat goes on", exc_info=True, connection=connection_id)

    def begin_in_a_thread(connection_id: str) -> None:
        Thread(target=begin, args=(connection_id,), name=f"begin-{connection_id}", daemon=True).start()

    return begin if function else begin_in_a_thread


def sender_at(url: str) -> GatewaySender:
    """Build the sender to the connections of the gateway at this URL."""
    client = wiring.aws_client("apigatewaymanagementapi", SEND_TIMEOUT_S, SEND_ATTEMPTS_MAX, url)
    call_lightly(client)
    return GatewaySender(client)
