"""Builds what webhooks need: the deliverer, the dispatcher, and what owners do with their endpoints."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from functools import partial

from chalicelib import wiring
from chalicelib.domain.tenancy.master_keys import in_turn
from chalicelib.domain.webhooks.endpoint import Owner
from chalicelib.services.feed.reading import Feed, Scope, TooManyLogs
from chalicelib.services.feed.scopes import of_instance, of_merchant
from chalicelib.services.webhooks.delivering import AT_ONCE, Deliverer
from chalicelib.services.webhooks.dispatching import Dispatcher
from chalicelib.services.webhooks.endpoints import EndpointDesk
from chalicelib.services.webhooks.sending import Sender
from chalicelib.services.webhooks.starting import InThreads, Start, by_function, left_to_sweep
from chalicelib.support.clock import now_ms, now_s
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.parallel import ThreadPool


def new_deliverer(database: Database) -> Deliverer:
    """Build the deliverer. Where no function makes deliveries, a sweep makes them in threads."""
    in_threads = InThreads(lambda *start: deliverer.run(*start))
    deliverer = Deliverer(
        database,
        Sender(now_s, allows_local=wiring.webhooks_allow_local()),
        _function() or in_threads,
        master_keys=lambda: list(in_turn(wiring.master_key, wiring.previous_master_key)),
        clock_ms=now_ms,
        draw=random.random,
        pause=time.sleep,
        side_by_side=partial(ThreadPool, AT_ONCE),
        cursor_of=end_of_feed(database),
    )
    return deliverer


def new_dispatcher(database: Database) -> Dispatcher:
    """Build the receiver of events that notes deliveries."""
    return Dispatcher(database, _function() or left_to_sweep, now_ms, time.monotonic)


def new_endpoint_desk(database: Database, clock_ms: Callable[[], int] = now_ms) -> EndpointDesk:
    """Build what operators and merchants do with their endpoints."""
    return EndpointDesk(
        database,
        _function() or left_to_sweep,
        master_key=wiring.master_key,
        clock_ms=clock_ms,
        cursor_of=end_of_feed(database),
        allows_local=wiring.webhooks_allow_local(),
    )


def end_of_feed(database: Database) -> Callable[[Owner], str | None]:
    """Return what reads the end of an owner's feed as a cursor: None where it has more logs than a cursor names."""
    feed = Feed(database, now_ms)

    def end(owner: Owner) -> str | None:
        try:
            return feed.ends(_scope_of(owner)).to_text()
        except TooManyLogs:
            return None

    return end


def _scope_of(owner: Owner) -> Scope:
    if owner.subject is None:
        return of_instance(owner.instance)
    _, world, merchant = owner.subject.split("/")
    return of_merchant(owner.instance, world, merchant)


def _function() -> Start | None:
    """Return what calls the function that makes deliveries; None if none is named. Its client is made when needed."""
    name = wiring.deliver_function()
    return by_function(wiring.lambda_client, name) if name else None
