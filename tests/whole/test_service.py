"""The whole service over HTTP: what users see, and the guarantees over everything these tests have done."""

from __future__ import annotations

import http.client
import json
import random
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest

from chalicelib.apis.trade.signature import signature_of
from chalicelib.domain.tenancy.keys import token_secret_of
from chalicelib.support.clock import now_ms
from tests.apis.trade.desk import make_token
from tests.infra.stack import RunningStack
from tests.invariants import check_invariants
from tests.whole.conftest import PLACE, Api
from tests.world import Venue

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


def order(customer: str, side: str, quantity: int, price: int | None, **more: Any) -> dict[str, Any]:
    kind = {"orderType": "MARKET"} if price is None else {"orderType": "LIMIT", "price": str(price)}
    names = {"orderBookId": "ob_offchain_001", "customerRef": customer, "side": side, "quantity": str(quantity)}
    return names | kind | more


def test_two_crossing_orders_are_filled_and_paid_to_the_last_unit(api: Api, venue: Venue) -> None:
    base, quote = venue.config.base_asset, venue.config.quote_asset
    venue.credit("maker", quote, 505 * WHOLE)
    venue.credit("taker", base, 3 * WHOLE + 7)
    bid = api.place(order("maker", "BUY", 5 * WHOLE, 101 * WHOLE))
    assert (bid["status"], bid["filledQuantity"], bid["timeInForce"]) == ("OPEN", "0", "GTC")
    ask = api.place(order("taker", "SELL", 3 * WHOLE + 7, 99 * WHOLE))

    deadline = time.monotonic() + MATCHED_S_MAX
    while api.orders("taker")[0]["status"] != "FILLED" or api.orders("maker")[0]["status"] == "OPEN":
        assert time.monotonic() < deadline, "the orders do not match"
        time.sleep(0.02)

    (sold,) = api.orders("taker", "?status=FILLED&limit=20")
    assert (sold["id"], sold["filledQuantity"]) == (ask["id"], str(3 * WHOLE + 7))
    (bought,) = api.orders("maker", "?status=PARTIALLY_FILLED")
    assert (bought["id"], bought["filledQuantity"]) == (bid["id"], str(3 * WHOLE + 7))
    # The trade is at the maker's 101, the best bid there is, and not at the taker's 99.
    assert venue.balance("taker", base) == (0, 0)
    assert venue.balance("taker", quote) == (303 * WHOLE + 707, 0)
    assert venue.balance("maker", base) == (3 * WHOLE + 7, 0)
    assert venue.balance("maker", quote) == (0, 202 * WHOLE - 707)


def test_an_answer_can_wait_for_the_first_match(api: Api, venue: Venue) -> None:
    """T21"""
    venue.credit("waiter", venue.config.quote_asset, WHOLE)
    status, answer, headers = api.call(
        "POST", PLACE, order("waiter", "BUY", WHOLE, 100, timeInForce="IOC"), {"Prefer": "wait=10"}
    )
    assert (status, answer["data"]["status"]) == (201, "CANCELLED")
    assert headers["Preference-Applied"] == "wait=10"


def test_a_cancel_is_answered_with_its_outcome_and_frees_what_was_left(api: Api, venue: Venue) -> None:
    """T29: over real HTTP, a DELETE with a body."""
    quote = venue.config.quote_asset
    venue.credit("canceller", quote, WHOLE)
    placed = api.place(order("canceller", "BUY", WHOLE, 100))
    assert venue.balance("canceller", quote) == (WHOLE - 100, 100)
    path = f"{PLACE}/{placed['id']}"
    assert api.call("DELETE", path, {"customerRef": "somebody"})[0] == 404
    status, answer, _ = api.call("DELETE", path, {"customerRef": "canceller"})
    assert (status, answer["data"]["id"], answer["data"]["status"]) == (200, placed["id"], "CANCELLED")
    assert venue.balance("canceller", quote) == (WHOLE, 0)
    status, answer, _ = api.call("DELETE", path, {"customerRef": "canceller"})
    assert (status, answer["error"]["code"]) == (404, "ORDER_NOT_FOUND")
    status, answer, _ = api.call("GET", f"{path}?customerRef=canceller")
    assert (status, answer["data"]["cancelReason"]) == (200, "USER_CANCELLED")
    status, _, headers = api.call("PUT", path)
    assert (status, headers["Allow"]) == (405, "GET, DELETE")


def test_an_order_that_expires_ends_by_itself_and_is_shown_so_at_both_desks(
    stack: RunningStack, api: Api, venue: Venue
) -> None:
    """R24: over real HTTP, by the local run's own looks; nothing else happens in the book."""
    quote, expires_at_ms = venue.config.quote_asset, now_ms() + 1_500
    held_before = venue.balance("cust_56789", quote)[1]
    body = {"pair": "EXS_EUR", "side": "buy", "type": "limit", "amount": 1, "price": 2, "expiration": expires_at_ms}
    token = api_token_of(venue, "cust_56789")
    placed = signed(stack, token, "POST", "/trade/orders", body)
    assert venue.balance("cust_56789", quote)[1] == held_before + 2 * WHOLE
    deadline = time.monotonic() + MATCHED_S_MAX
    while (shown := signed(stack, token, "GET", f"/trade/orders/{placed['id']}"))["status"] != "canceled":
        assert time.monotonic() < deadline, "the order does not expire"
        time.sleep(0.05)
    assert shown["executed_amount"] == 0
    assert venue.balance("cust_56789", quote)[1] == held_before
    (row,) = api.orders("cust_56789", "?status=EXPIRED")
    assert venue.order("cust_56789", row["id"]).updated_at_ms >= expires_at_ms  # type: ignore[operator]


def test_a_stop_order_waits_for_its_trade_and_an_iceberg_order_shows_one_slice(api: Api, venue: Venue) -> None:
    """O2, O6: over real HTTP and the stream; a price far above all others, and both orders are filled in the end."""
    price = 1_000 * WHOLE
    venue.credit("stopper", venue.config.quote_asset, 1_000 * WHOLE)
    venue.credit("hider", venue.config.quote_asset, 3_000 * WHOLE)
    venue.credit("seller", venue.config.base_asset, 4 * WHOLE)
    stop = {"type": "STOP_LIMIT", "stopPrice": str(price)}
    iceberg = {"type": "ICEBERG", "stepAmount": str(WHOLE)}
    waits, rest = (
        {"Prefer": "wait=10"},
        f"{PLACE.removesuffix('/orders')}/order-books/ob_offchain_001/snapshot?levels=1",
    )
    stopped = api.place(order("stopper", "BUY", WHOLE, price, advanced=stop), waits)
    hidden = api.place(order("hider", "BUY", 3 * WHOLE, price, advanced=iceberg), waits)

    def best_bid() -> tuple[str, str]:
        (bid,) = api.call("GET", rest)[1]["data"]["bids"]
        return bid["price"], bid["quantity"]

    def triggered() -> bool:
        data = api.call("GET", f"{PLACE}/{stopped['id']}?customerRef=stopper")[1]["data"]
        return bool(data["advanced"]["triggered"])

    assert (best_bid(), triggered()) == ((str(price), str(WHOLE)), False)
    api.place(order("seller", "SELL", WHOLE, price), waits)
    deadline = time.monotonic() + MATCHED_S_MAX
    while not triggered():
        assert time.monotonic() < deadline, "the stop is not triggered"
        time.sleep(0.02)
    assert best_bid() == (str(price), str(2 * WHOLE))
    api.place(order("seller", "SELL", 3 * WHOLE, price), waits)
    until_decided(venue)
    assert [api.orders(one, "?status=FILLED")[0]["id"] for one in ("stopper", "hider")] == [stopped["id"], hidden["id"]]


def api_token_of(venue: Venue, customer: str) -> str:
    """Return a new token of the trade desk for a demo customer."""
    token = f"token-of-{customer}"
    make_token(venue.database, token, customer, instance=venue.config.instance)
    return token


def signed(stack: RunningStack, token: str, method: str, path: str, body: object = None) -> Any:
    """Send a signed request that must succeed; return its data."""
    key = (stack.local_dir / "master.key").read_text(encoding="utf-8").strip().encode()
    content, timestamp = b"" if body is None else json.dumps(body).encode(), str(now_ms())
    signature = signature_of(token_secret_of(key, token), timestamp, method, path, content)
    headers = {"authorization": token, "timestamp": timestamp, "signature": signature}
    connection = http.client.HTTPConnection(urlsplit(stack.base_url).netloc, timeout=30)
    connection.request(method, path, content, headers)
    answer = json.loads(connection.getresponse().read())
    connection.close()
    assert answer["error_code"] is None, answer
    return answer["data"]


def test_what_the_desk_shows_is_served_over_http(api: Api) -> None:
    """One GET of each kind, through the dev server's routing."""
    base = PLACE.removesuffix("/orders")
    status, answer, _ = api.call("GET", f"{base}/order-books?status=ACTIVE")
    assert (status, [book["id"] for book in answer["data"]]) == (200, ["ob_offchain_002", "ob_offchain_001"])
    for path in ("", "/snapshot?levels=5", "/trades?limit=5"):
        status, answer, _ = api.call("GET", f"{base}/order-books/ob_offchain_001{path}")
        assert (status, answer["success"]) == (200, True), path
    status, answer, _ = api.call("GET", f"{base}/customers/cust_12345/trades?limit=5")
    assert (status, answer["success"]) == (200, True)


def test_200_random_orders_of_20_customers_keep_every_guarantee(stack: RunningStack, api: Api, venue: Venue) -> None:
    """Guarantees 1 to 6 over real HTTP, four clients at once; LIMIT and MARKET, GTC, IOC and FOK."""
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    draw = random.Random(seed)
    base, quote = venue.config.base_asset, venue.config.quote_asset
    customers = [f"random_{number}" for number in range(CUSTOMERS)]
    for customer in customers:
        venue.credit(customer, base, 100 * WHOLE)
        venue.credit(customer, quote, 10_000 * WHOLE)

    def random_order() -> dict[str, Any]:
        price = draw.choice([None, *(WHOLE * 100 + draw.randint(-5, 5) * WHOLE // 7 for _ in range(4))])
        quantity = draw.randint(1, 3 * WHOLE)
        time_in_force = draw.choice(["GTC", "GTC", "GTC", "IOC", "FOK"])
        return order(draw.choice(customers), draw.choice(["BUY", "SELL"]), quantity, price, timeInForce=time_in_force)

    orders = [random_order() for _ in range(ORDERS)]

    def client(number: int) -> int:
        mine = Api(stack)
        return sum(mine.call("POST", PLACE, one)[0] == 201 for one in orders[number::CLIENTS])

    with ThreadPoolExecutor(CLIENTS) as pool:
        admitted = sum(pool.map(client, range(CLIENTS)))
    assert admitted == ORDERS

    until_decided(venue)
    listed = [row for customer in customers for row in api.orders(customer, "?limit=100")]
    assert len(listed) == ORDERS
    assert {"FILLED", "CANCELLED"} <= {row["status"] for row in listed}
    credits = {
        row["entry"].removeprefix("balance/"): row["available"]
        for row in venue.database.scan("accounts")
        if row["owner"].endswith("/supply")
    }
    demo_and_random = 5 * DEMO_CREDIT + CUSTOMERS * 100 * WHOLE
    assert credits[base] >= demo_and_random
    check_invariants(venue, credits)
