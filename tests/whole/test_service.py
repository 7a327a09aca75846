"""The whole service over HTTP: what users see, and the guarantees over everything these tests have done."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest

from chalicelib.domain.tenancy.keys import token_secret_of
from tallybook_client import BookDesk, TradeDesk, trade
from tallybook_client.book import Advanced, NewOrder
from tallybook_client.book.errors import MethodNotAllowed, OrderNotFound
from tallybook_client.book.models import Order
from tallybook_client.book.orders import PLACE
from tallybook_client.transport import Request
from tallybook_client.wire import json_of, members_of
from tests.apis.trade.desk import make_token
from tests.infra.stack import RunningStack
from tests.invariants import check_invariants
from tests.world import Venue

Side = Literal["BUY", "SELL"]
pytestmark = pytest.mark.stack

MATCHED_S_MAX = 30
WHOLE = 10**18
DEMO_CREDIT = 10**6 * WHOLE
ORDERS, CUSTOMERS, CLIENTS = 200, 20, 4


def until_decided(venue: Venue) -> None:
    """Wait until every order of the book carries its journal entry's sequence."""
    deadline = time.monotonic() + MATCHED_S_MAX
    while any("sequence" not in row for row in venue.database.scan("open-orders")):
        assert time.monotonic() < deadline, "orders stay undecided"
        time.sleep(0.05)


def order(customer: str, side: Side, quantity: int, price: int | None, **more: Any) -> NewOrder:
    kind: dict[str, Any] = {"order_type": "MARKET"} if price is None else {"price": price}
    return NewOrder(
        order_book_id="ob_offchain_001", customer_ref=customer, side=side, quantity=quantity, **kind, **more
    )


def test_two_crossing_orders_are_filled_and_paid_to_the_last_unit(desk: BookDesk, venue: Venue) -> None:
    base, quote = venue.config.base_asset, venue.config.quote_asset
    venue.credit("maker", quote, 505 * WHOLE)
    venue.credit("taker", base, 3 * WHOLE + 7)
    bid = desk.orders.place(order("maker", "BUY", 5 * WHOLE, 101 * WHOLE))
    assert (bid.status, bid.filled_quantity, bid.time_in_force) == ("OPEN", 0, "GTC")
    ask = desk.orders.place(order("taker", "SELL", 3 * WHOLE + 7, 99 * WHOLE))

    deadline = time.monotonic() + MATCHED_S_MAX
    while status_of(desk, "taker") != "FILLED" or status_of(desk, "maker") == "OPEN":
        assert time.monotonic() < deadline, "the orders do not match"
        time.sleep(0.02)

    (sold,) = desk.orders.of_customer("taker", status="FILLED", limit=20)
    assert (sold.id, sold.filled_quantity) == (ask.id, 3 * WHOLE + 7)
    (bought,) = desk.orders.of_customer("maker", status="PARTIALLY_FILLED")
    assert (bought.id, bought.filled_quantity) == (bid.id, 3 * WHOLE + 7)
    # The trade is at the maker's 101, the best bid there is, and not at the taker's 99.
    assert venue.balance("taker", base) == (0, 0)
    assert venue.balance("taker", quote) == (303 * WHOLE + 707, 0)
    assert venue.balance("maker", base) == (3 * WHOLE + 7, 0)
    assert venue.balance("maker", quote) == (0, 202 * WHOLE - 707)


def status_of(desk: BookDesk, customer: str) -> str:
    """Return the status of a customer's newest order."""
    return next(desk.orders.of_customer(customer, limit=1)).status


def test_an_answer_can_wait_for_the_first_match(desk: BookDesk, venue: Venue) -> None:
    """T21"""
    venue.credit("waiter", venue.config.quote_asset, WHOLE)
    body = json_of(members_of(order("waiter", "BUY", WHOLE, 100, time_in_force="IOC")))
    answer = desk.session.send(Request("POST", PLACE, body=body, wait_s=10))
    assert (answer.status, answer.data(Order).status) == (201, "CANCELLED")
    assert answer.headers["Preference-Applied"] == "wait=10"


def test_a_cancel_is_answered_with_its_outcome_and_frees_what_was_left(desk: BookDesk, venue: Venue) -> None:
    """T29: over real HTTP, a DELETE with a body."""
    quote = venue.config.quote_asset
    venue.credit("canceller", quote, WHOLE)
    placed = desk.orders.place(order("canceller", "BUY", WHOLE, 100))
    assert venue.balance("canceller", quote) == (WHOLE - 100, 100)
    with pytest.raises(OrderNotFound):
        desk.orders.cancel(placed.id, "somebody")
    cancelled = desk.orders.cancel(placed.id, "canceller")
    assert (cancelled.id, cancelled.status) == (placed.id, "CANCELLED")
    assert venue.balance("canceller", quote) == (WHOLE, 0)
    with pytest.raises(OrderNotFound):
        desk.orders.cancel(placed.id, "canceller")
    assert desk.orders.one(placed.id, "canceller").cancel_reason == "USER_CANCELLED"
    with pytest.raises(MethodNotAllowed, match="Allowed here: GET, PATCH, DELETE"):
        desk.session.send(Request("PUT", f"{PLACE}/{placed.id}"))


def test_an_order_that_expires_ends_by_itself_and_is_shown_so_at_both_desks(
    stack: RunningStack, desk: BookDesk, venue: Venue
) -> None:
    """R24: over real HTTP, by the local run's own looks; nothing else happens in the book."""
    quote, expires_at = venue.config.quote_asset, datetime.now(UTC) + timedelta(seconds=1.5)
    held_before = venue.balance("cust_56789", quote)[1]
    token = "token-of-cust_56789"
    make_token(venue.database, token, "cust_56789", instance=venue.config.instance)
    master_key = (stack.local_dir / "master.key").read_text(encoding="utf-8").strip().encode()
    customer = TradeDesk(stack.base_url, token, token_secret_of(master_key, token))
    placed = customer.place(trade.NewOrder(pair="EXS_EUR", side="buy", amount=1, price=2, expiration=expires_at))
    assert venue.balance("cust_56789", quote)[1] == held_before + 2 * WHOLE
    deadline = time.monotonic() + MATCHED_S_MAX
    while (shown := customer.order(placed.id)).status != "canceled":
        assert time.monotonic() < deadline, "the order does not expire"
        time.sleep(0.05)
    assert shown.executed_amount == 0
    assert venue.balance("cust_56789", quote)[1] == held_before
    (row,) = desk.orders.of_customer("cust_56789", status="EXPIRED")
    ended_ms = venue.order("cust_56789", row.id).updated_at_ms
    assert ended_ms is not None
    assert ended_ms >= int(expires_at.timestamp() * 1000)


def test_a_stop_order_waits_for_its_trade_and_an_iceberg_order_shows_one_slice(desk: BookDesk, venue: Venue) -> None:
    """O2, O6: over real HTTP and the stream; a price far above all others, and both orders are filled in the end."""
    price = 1_000 * WHOLE
    venue.credit("stopper", venue.config.quote_asset, 1_000 * WHOLE)
    venue.credit("hider", venue.config.quote_asset, 3_000 * WHOLE)
    venue.credit("seller", venue.config.base_asset, 4 * WHOLE)
    stopped = desk.orders.place(order("stopper", "BUY", WHOLE, price, advanced=Advanced.stop_limit(price)), wait_s=10)
    hidden = desk.orders.place(order("hider", "BUY", 3 * WHOLE, price, advanced=Advanced.iceberg(WHOLE)), wait_s=10)

    def best_bid() -> tuple[int, int]:
        (bid,) = desk.books.depth("ob_offchain_001", levels=1).bids
        return bid.price, bid.quantity

    def triggered() -> bool:
        advanced = desk.orders.one(stopped.id, "stopper").advanced
        assert advanced is not None
        return bool(advanced.triggered)

    assert (best_bid(), triggered()) == ((price, WHOLE), False)
    desk.orders.place(order("seller", "SELL", WHOLE, price), wait_s=10)
    deadline = time.monotonic() + MATCHED_S_MAX
    while not triggered():
        assert time.monotonic() < deadline, "the stop is not triggered"
        time.sleep(0.02)
    assert best_bid() == (price, 2 * WHOLE)
    desk.orders.place(order("seller", "SELL", 3 * WHOLE, price), wait_s=10)
    until_decided(venue)
    for customer, placed in (("stopper", stopped), ("hider", hidden)):
        assert next(desk.orders.of_customer(customer, status="FILLED")).id == placed.id


def test_what_the_desk_shows_is_served_over_http(desk: BookDesk) -> None:
    """One GET of each kind, through the dev server's routing."""
    books = [book.id for book in desk.books.all("ACTIVE")]
    assert [book for book in books if book.startswith("ob_offchain")] == ["ob_offchain_002", "ob_offchain_001"]
    assert desk.books.one("ob_offchain_001").status == "ACTIVE"
    assert desk.books.depth("ob_offchain_001", levels=5).order_book_id == "ob_offchain_001"
    assert {trade.order_book_id for trade in desk.books.trades("ob_offchain_001", limit=5)} <= {"ob_offchain_001"}
    assert {trade.customer_ref for trade in desk.orders.trades_of_customer("cust_12345", limit=5)} <= {"cust_12345"}


def test_200_random_orders_of_20_customers_keep_every_guarantee(desk: BookDesk, venue: Venue) -> None:
    """Guarantees 1 to 6 over real HTTP, four clients at once; LIMIT and MARKET, GTC, IOC and FOK."""
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    draw = random.Random(seed)
    base, quote = venue.config.base_asset, venue.config.quote_asset
    customers = [f"random_{number}" for number in range(CUSTOMERS)]
    for customer in customers:
        venue.credit(customer, base, 100 * WHOLE)
        venue.credit(customer, quote, 10_000 * WHOLE)

    def random_order() -> NewOrder:
        price = draw.choice([None, *(WHOLE * 100 + draw.randint(-5, 5) * WHOLE // 7 for _ in range(4))])
        quantity = draw.randint(1, 3 * WHOLE)
        time_in_force = draw.choice(["GTC", "GTC", "GTC", "IOC", "FOK"])
        return order(draw.choice(customers), draw.choice(["BUY", "SELL"]), quantity, price, time_in_force=time_in_force)

    orders = [random_order() for _ in range(ORDERS)]

    with ThreadPoolExecutor(CLIENTS) as pool:
        admitted = {placed.id for placed in pool.map(desk.orders.place, orders)}
    assert len(admitted) == ORDERS

    until_decided(venue)
    listed = [row for customer in customers for row in desk.orders.of_customer(customer)]
    assert {row.id for row in listed} == admitted
    assert {"FILLED", "CANCELLED"} <= {row.status for row in listed}
    credits = {
        row["entry"].removeprefix("balance/"): row["available"]
        for row in venue.database.scan("accounts")
        if row["owner"].endswith("/supply")
    }
    demo_and_random = 5 * DEMO_CREDIT + CUSTOMERS * 100 * WHOLE
    assert credits[base] >= demo_and_random
    check_invariants(venue, credits)
