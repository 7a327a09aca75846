"""Builds the escrow desk."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from chalicelib import wiring
from chalicelib.apis.escrow.accounts import AccountEndpoints
from chalicelib.apis.escrow.api import EscrowApi
from chalicelib.apis.escrow.commands import Commands
from chalicelib.apis.escrow.customers import CustomerEndpoints
from chalicelib.apis.escrow.gate import Caller, Gate
from chalicelib.apis.escrow.operator import OperatorEndpoints
from chalicelib.apis.escrow.orders import OrderEndpoints
from chalicelib.apis.escrow.payments import PaymentEndpoints
from chalicelib.apis.escrow.refunds import RefundEndpoints
from chalicelib.apis.escrow.routes import ROUTES
from chalicelib.apis.escrow.webhooks import WebhookEndpoints
from chalicelib.apis.kit.answering import Deferred, endpoints_of
from chalicelib.domain.tenancy.keys import ESCROW_KEYS
from chalicelib.domain.tenancy.master_keys import in_turn
from chalicelib.services.ahead import Ahead
from chalicelib.services.answers import Answers
from chalicelib.services.escrow.desk import EscrowDesk
from chalicelib.services.escrow.reading import EscrowReading
from chalicelib.services.tenancy.rate_limiter import RateLimiter
from chalicelib.support.clock import now_ms
from chalicelib.tables.credentials import Credentials
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.escrow_settings import EscrowDesks, open_desk_at
from chalicelib.wiring import endpoint_desk_of

if TYPE_CHECKING:
    from chalicelib.apis.escrow.callbacks import CallbackEndpoints
    from chalicelib.apis.escrow.events import EventEndpoints
    from chalicelib.apis.escrow.pages import Pages


def new_escrow_desk(
    database: Database, counters: Database | None = None, *, clock: Callable[[], int] = now_ms
) -> EscrowApi:
    """Build the desk. counters: a client of its own for counting requests. clock: the time in ms."""
    keys = Credentials(database, ESCROW_KEYS)
    desks, limiter = EscrowDesks(database), RateLimiter(counters or database)
    gate = Gate(keys.accept, desks.open_desk, limiter, clock)
    desk, reading = EscrowDesk(database, lambda: clock() // 1000), EscrowReading(database)
    commands = Commands(Answers(database, clock))

    def events() -> EventEndpoints:
        from chalicelib.apis.escrow.events import EventEndpoints
        from chalicelib.services.feed.reading import Feed

        return EventEndpoints(Feed(database, clock))

    def callbacks() -> CallbackEndpoints:
        from chalicelib.apis.escrow.callbacks import CallbackEndpoints

        keys_in_turn = partial(in_turn, wiring.master_key, wiring.previous_master_key)
        return CallbackEndpoints(desk, reading, commands, desks.open_desk, limiter, keys_in_turn, clock)

    def pages() -> Pages:
        from chalicelib.apis.escrow.pages import Pages

        return Pages(desk, reading, desks.open_desk, limiter, clock)

    endpoints = endpoints_of(
        ROUTES,
        accounts=AccountEndpoints(reading),
        orders=OrderEndpoints(desk, reading, commands),
        payments=PaymentEndpoints(desk, reading, commands),
        refunds=RefundEndpoints(reading),
        customers=CustomerEndpoints(desk, reading, commands),
        operator=OperatorEndpoints(desk, reading, commands),
        webhooks=WebhookEndpoints(endpoint_desk_of(database, clock), commands),
        events=Deferred(events),
        callbacks=Deferred(callbacks),
    )
    ahead = Ahead[Caller](
        database, lambda key, caller: [keys.at(key), *open_desk_at(caller.instance, caller.reference)]
    )
    return EscrowApi(gate, endpoints, ahead, Deferred(pages).answer)
