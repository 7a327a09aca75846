"""Every kind of request, of projection and of sweep of a book once, over the functions' own ways in."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import boto3
import pytest

from chalicelib import wiring
from chalicelib.apis.book.routes import (
    BALANCES,
    BOOKS,
    CREDIT,
    DELIVERIES,
    DEPTH,
    EVENTS,
    ONE_WEBHOOK,
    RESUME,
    SETTINGS,
    TOKENS,
    TRADES_OF_BOOK,
    TRADES_OF_CUSTOMER,
    TRANSACTIONS,
    TRANSFER,
    WEBHOOKS,
)
from chalicelib.domain.books.candles import Period
from chalicelib.domain.books.vocabulary import BookStatus
from chalicelib.domain.ledger.owners import customer_key
from chalicelib.domain.webhooks.endpoint import Owner
from chalicelib.services.books.amending import Amending, NewTerms, Queued
from chalicelib.services.books.expiry import Expiring
from chalicelib.services.books.lost_commands import LOST_AFTER_MS, SHARES, SWEEP_EVERY_MS, LostCommands
from chalicelib.services.books.matcher import Matcher
from chalicelib.services.books.projection import Projector
from chalicelib.services.books.switches import DeadManSwitches
from chalicelib.services.webhooks.endpoints import EndpointDesk
from chalicelib.services.webhooks.starting import by_function
from chalicelib.support.clock import now_ms
from chalicelib.tables.candles import Candles
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.orders import Orders
from chalicelib.wiring.book import new_book_desk
from chalicelib.wiring.trade import new_trade_desk
from tests.apis.book.desk import Desk, open_desk
from tests.apis.routes import TRADE_ROUTES
from tests.apis.trade.desk import MASTER_KEY, PAIR, SignedDesk, make_token
from tests.faults import FaultyClient, WatchedClient, after_another, losing_answers, unavailable
from tests.recording import DELIVERER, work_of
from tests.world import BASE, BOOK_ID, INSTANCE, QUOTE, World, failing_book, record_of

LATER_MS = 3_600_000
"""Orders that are older than the index's lag are found through the index."""


def at_the_books(world: World) -> None:
    desk = open_desk(world, rate_limit=100)
    desk.desk = new_book_desk(world.database, cancel_wait_s=0)
    world.change_status(BookStatus.ACTIVE)
    desk.place(headers={"prefer": "wait=1"})
    desk.place(headers={"idempotency-key": "order-0001"}, customerRef="ben", side="SELL", quantity="20")
    desk.place(headers={"idempotency-key": "order-0002"}, customerRef="nobody")
    desk.place(customerRef="ben", price="1")
    desk.cancel(str(desk.rows("ben")[0]["id"]), "ben")
    records = records_of(world)
    assert world.deliver(records=records[-1:]) == []  # the cancel overtakes its order
    assert world.deliver(records=records) == []
    assert world.deliver(world.matcher(), records) == []
    for orders in (1, 2):
        asks = bring_to_rest(world, orders)
        queue_cancels_too_late(world, asks)
        assert world.deliver(records=records_of(world)) == []
        with work_of("api_handler"):
            assert Orders(world.database).get_many([(customer_key(INSTANCE, "ben"), ask) for ask in asks])
    desk.place(orderType="MARKET", price="1")
    desk.place(customerRef="ben", price="1")
    call_for_webhooks(desk)
    desk.posted(TOKENS)
    made = {"tokenAddress": QUOTE, "quoteTokenAddress": BASE, "name": "Quote / Base", "symbol": "Q/B"}
    book = json.loads(desk.send("POST", BOOKS, body=json.dumps(made).encode()).body)["data"]["id"]
    closed = json.dumps({"status": "CLOSED"}).encode()
    assert desk.send("POST", RESUME, body=b"{}", orderBookId=book).status == 202
    assert desk.send("PATCH", SETTINGS, body=closed, orderBookId=book).status == 200
    desk.post(CREDIT, key="credit-0001", reference="bonus")
    desk.post(CREDIT, key="credit-0002", reference="bonus")
    desk.posted(TRANSFER)
    desk.get(BALANCES, customerRef="ann")
    desk.get(TOKENS)
    desk.get(TRANSACTIONS)
    desk.get(TRANSACTIONS, {"customerRef": "ann"})
    desk.get(TRADES_OF_CUSTOMER, customerRef="ann")
    desk.get(DEPTH, orderBookId=BOOK_ID)
    desk.get(BOOKS)
    desk.get(TRADES_OF_BOOK, orderBookId=BOOK_ID)
    cursor = json.loads(desk.get(EVENTS).body)["data"]["cursor"]
    assert desk.get(EVENTS, {"after": cursor}).status == 200
    desk.rows(status="OPEN")
    desk.rows()
    with work_of("api_handler"):
        assert list(Orders(world.database).open_newest_first(customer_key(INSTANCE, "ben")))


def call_for_webhooks(desk: Desk) -> None:
    made = desk.send("POST", WEBHOOKS, body=b'{"url": "https://hooks.example.com/", "types": ["*"]}')
    webhook_id = json.loads(made.body)["data"]["id"]
    with work_of("api_handler"):
        EndpointDesk(
            desk.world.database,
            by_function(lambda: boto3.client("lambda"), DELIVERER),
            master_key=lambda: MASTER_KEY,
            clock_ms=now_ms,
            cursor_of=lambda _owner: None,
        ).test(Owner(INSTANCE), webhook_id)
    desk.get(WEBHOOKS)
    desk.get(DELIVERIES, {"status": "WAITING"}, webhookId=webhook_id)
    assert desk.send("DELETE", ONE_WEBHOOK, webhookId=webhook_id).status == 200


def bring_to_rest(world: World, orders: int) -> list[str]:
    """Have orders come to rest; return their ids."""
    asks = [world.placed("ben", "SELL", 1, 45) for _ in range(orders)]
    assert world.deliver(records=records_of(world)) == []
    return asks


def queue_cancels_too_late(world: World, asks: list[str]) -> None:
    """Queue what fills these orders, then their cancels."""
    world.placed("ann", "BUY", len(asks), 45)
    for ask in asks:
        world.cancel("ben", ask)


def at_the_trade_desk(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    make_token(world.database, "token-of-ann", "ann")
    desk = SignedDesk(world, new_trade_desk(world.database, master_key=read_master_key), "token-of-ann", "ann")
    desk.place(external_id="order-1")
    desk.place(side="sell", type="market", price=...)
    named = {"id": str(UUID(int=1)), "external_id": "order-1"}
    for route in TRADE_ROUTES:
        method, _, path = route.partition(" ")
        desk.send(method, f"/trade{path}", query={"pair": PAIR}, body=named)
    desk.send("DELETE", "/trade/orders/all", body={"pair": PAIR})
    monkeypatch.setattr("chalicelib.services.books.depth.DEPTH_LEVELS_MAX", len(world.views.of(world.book).bids))
    desk.get("/trade/book/orders/level-2", {"pair": PAIR, "limit": "max"})
    assert desk.place(side="sell", amount="1", expiration=now_ms() + LATER_MS, external_id="order-2").status == 200
    assert desk.get("/trade/orders/by-external-id/order-2").status == 200
    resting = world.placed("ann", "BUY", 1, 2)
    with work_of("api_handler"):
        assert isinstance(Amending(world.database).amend(INSTANCE, "ann", resting, NewTerms(3, None)), Queued)


def read_master_key() -> bytes:
    """Read the key as a function does when it starts; return that of the tests' tokens."""
    wiring.master_keys.cache_clear()
    try:
        assert wiring.master_key()
    finally:
        wiring.master_keys.cache_clear()
    return MASTER_KEY


def expire(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have an order end at its time, in a book that a matcher left before it had projected its rows.

    Trades of one minute end the candles of another.
    """
    asks = bring_to_rest(world, 2)
    for _ in range(2):
        world.deliver(records=records_of(world))
        world.now_ms += Period.MINUTE.length_ms
        for customer, side in (("ann", "BUY"), ("ben", "SELL")):
            world.placed(customer, side, 1, 3)
    for customer in ("cat", "dan"):
        world.cancel_all(customer)
    world.placed("ben", "SELL", 1, 70)
    queue_cancels_too_late(world, asks)
    with monkeypatch.context() as patch:
        patch.setattr(Projector, "project", unavailable)
        assert world.deliver(records=records_of(world)) != []
    world.now_ms = now_ms() + LATER_MS
    losing = Database(WatchedClient(world.database._client, losing_answers), world.database._prefix)  # type: ignore[arg-type]
    assert Expiring(losing, Matcher(losing, lambda: world.now_ms), lambda: world.now_ms).check()
    for sweep in range(LOST_AFTER_MS // SWEEP_EVERY_MS + 1 + SHARES):  # then each order's cancel has been looked for
        at_ms = world.now_ms + sweep * SWEEP_EVERY_MS
        LostCommands(world.database, world.matcher(), lambda at_ms=at_ms: at_ms).sweep_a_page()  # type: ignore[misc]
    close_while_it_is_swept(world)
    with work_of("api_handler"):
        assert list(Candles(world.database).between(world.book, Period.MINUTE, 0, world.now_ms))


def halt(world: World) -> None:
    """Have a book halt, and its halt end at its time."""
    world.change(halt_bps=1, halt_window_s=60, halt_s=1)
    for price in (5, 4):
        world.placed("ann", "BUY", 1, price)
    world.placed("ben", "SELL", 2, 4)
    world.deliver(records=records_of(world))
    (until_ms,) = world.views.halts([world.book]).values()
    world.now_ms = until_ms
    assert Expiring(world.database, world.matcher(), lambda: world.now_ms).check()
    assert world.views.halts([world.book]) == {}


def fire(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a dead man's switch turned off, and one fire, for a customer with more orders than are read."""
    monkeypatch.setattr("chalicelib.services.books.switches.ORDERS_READ_MAX", 0)
    monkeypatch.setattr("chalicelib.services.books.switches.BOOKS_A_TRANSACTION", 1)
    switches = DeadManSwitches(world.database, lambda: world.now_ms)
    with work_of("api_handler"):
        for timeout_s in (60, 0, 60, 30):
            switches.set(INSTANCE, "ann", timeout_s)
    world.placed("ann", "BUY", 1, 3)
    world.now_ms += 30_000
    assert Expiring(world.database, world.matcher(), lambda: world.now_ms).check()
    assert [row["reason"] for row in world.inbox_rows() if row["kind"] == "cancel_all"][-1] == "DEAD_MAN"
    world.deliver(records=records_of(world))


def close_while_it_is_swept(world: World) -> None:
    """Have the stream close an order whose row a sweep of lost commands has read, and whose command it looks for."""
    world.placed("ann", "BUY", 1, 3, "IOC")
    deliver = after_another(lambda: world.deliver(records=records_of(world)))
    client: Any = FaultyClient(world.database._client, deliver, at=1, operation="query")
    at_ms = world.now_ms + LOST_AFTER_MS
    LostCommands(Database(client, world.database._prefix), world.matcher(), lambda: at_ms).sweep_a_page()
    assert client.has_struck


def park(world: World) -> None:
    """Have a book fail until its records are passed over, and told of."""
    book = failing_book(world)
    failing = [record_of(row | {"book": book}, 900) for row in world.inbox_rows()[:2]]
    while world.deliver(records=failing):
        pass
    Expiring(world.database, world.matcher(), lambda: world.now_ms).report_parked()


def records_of(world: World) -> list[dict[str, Any]]:
    return [record_of(row, number) for number, row in enumerate(world.inbox_rows(), 1)]
