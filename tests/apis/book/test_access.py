"""Guarantee 8, for every route and method there is: another tenant's things, and another customer's, are not there.

Each call is made twice by somebody who has no business with what it names: where those things are, and where they never
were. The two answers are the same but for new ids and times, and nothing of the owner's has changed. That the call does
find something is seen by making it as the owner.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from chalicelib import wiring
from chalicelib.apis.book import routes
from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.apis.kit.routing import filled
from chalicelib.domain.ledger.amounts import AMOUNT_MAX
from chalicelib.domain.ledger.owners import book_key
from chalicelib.domain.webhooks.endpoint import ENDPOINTS_MAX
from chalicelib.services.books.matcher import Matcher
from chalicelib.services.books.redrive import redrive
from chalicelib.support.clock import iso, now_ms
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.tenants import Tenants
from chalicelib.wiring.book import new_book_desk
from infra.tables import create_tables
from tests.memory import MemoryDynamoDB

PREFIX = "access"
ANN, BEN, CAT = "cust_ann", "cust_ben", "cust_cat"
NAMED_LIKE_ROUTES = ("credit", "debit", "transfer")
NEW_ID = re.compile(r"\b(?:(?:ord|ob|trade|tok|txn|we|evt_test)_[0-9A-Z]{26}|whsec_[\w+/]{43}=)")
CURSOR = re.compile(r'"cursor":"[^"]*"')
"""It names the number of entries of each log, of everybody's."""
TODAY = iso(now_ms())[:10]
TIME = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@dataclass(frozen=True, slots=True)
class Tenant:
    """An instance, its tokens, what customers get of each; the ids of its book and of ann's order once there are."""

    ref: str
    base: str
    quote: str
    funds: int
    book: str = ""
    order: str = ""
    webhook: str = ""
    delivery: str = ""

    @property
    def instance(self) -> str:
        return f"inst_{self.ref}"

    @property
    def symbol(self) -> str:
        return f"S{self.ref}"

    @property
    def api_key(self) -> str:
        return f"trusset_{self.ref}_{'0123456789abcdef' * 4}"


OWNER = Tenant("owner001", "0x" + "b" * 40, "0x" + "c" * 40, 1000)
OTHER = Tenant("other001", "0x" + "b" * 40, "0x" + "e" * 40, 2000)


@dataclass(frozen=True, slots=True)
class Call:
    """A request of a route.

    Texts may name {customer}, and what is the owner's: {order}, {book}, {symbol}, {quote}; {base} is the other's too.
    """

    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None

    @property
    def names_a_customer(self) -> bool:
        return "{customer}" in repr((self.path, self.query, self.body))

    def request(
        self, route: str, method: str, tenant: Tenant, customer: str, sender: Tenant, **headers: str
    ) -> HttpRequest:
        words = {"customer": customer, "order": tenant.order, "book": tenant.book}
        words |= {"webhook": tenant.webhook, "delivery": tenant.delivery}
        words |= {"base": tenant.base, "quote": tenant.quote, "symbol": tenant.symbol}

        def named(values: Mapping[str, Any]) -> dict[str, Any]:
            return {name: filled_in(value) for name, value in values.items()}

        def filled_in(value: Any) -> Any:
            if isinstance(value, list):
                return [filled_in(one) for one in value]
            if isinstance(value, dict):
                return named(value)
            return value.format(**words) if isinstance(value, str) else value

        query = {name: [value] for name, value in named(self.query).items()}
        body = b"" if self.body is None else json.dumps(named(self.body)).encode()
        path = filled(route, named(self.path))
        return HttpRequest(method, None, {}, query, {"x-api-key": sender.api_key} | headers, body, path)


ORDER = {"orderBookId": "{book}", "customerRef": "{customer}", "side": "SELL", "orderType": "LIMIT"}
ORDER |= {"price": "70", "quantity": "2"}
TOKEN = {"tokenAddress": "{quote}", "name": "New", "symbol": "NEW"}
BOOK = {"tokenAddress": "{base}", "quoteTokenAddress": "{quote}", "name": "Another", "symbol": "X/Y"}
CHANGE = {"tokenAddress": "{base}", "customerRef": "{customer}", "amount": "5"}
MOVED = {"tokenAddress": "{quote}", "fromCustomerRef": "{customer}", "toCustomerRef": CAT, "amount": "5"}
ALL_THAT_FITS = str(AMOUNT_MAX - 6 * OTHER.funds)
"""What lifts the sum of all balances of the other tenant's to the most that there may be."""
WEBHOOK, OF_WEBHOOK = {"url": "https://new.example.com/", "types": ["*"]}, {"webhookId": "{webhook}"}
IN_BOOK, OF_CUSTOMER = {"orderBookId": "{book}"}, {"customerRef": "{customer}"}

CALLS: dict[tuple[str, str], list[Call]] = {
    (routes.PLACE, "POST"): [Call(body=ORDER), Call(body=ORDER | {"orderType": "MARKET"})],
    (routes.BATCH, "POST"): [Call(body={"orders": [ORDER, ORDER | {"orderType": "MARKET"}]})],
    (routes.PLACE, "DELETE"): [Call(body=OF_CUSTOMER | {"orderIds": ["{order}"]})],
    (routes.ONE_ORDER, "GET"): [Call({"orderId": "{order}"}, OF_CUSTOMER)],
    (routes.ONE_ORDER, "DELETE"): [Call({"orderId": "{order}"}, body=OF_CUSTOMER)],
    (routes.ONE_ORDER, "PATCH"): [
        Call({"orderId": "{order}"}, body=OF_CUSTOMER | terms) for terms in ({"quantity": "3"}, {"price": "80"})
    ],
    (routes.LIST, "GET"): [Call(OF_CUSTOMER, query) for query in ({}, IN_BOOK, {"status": "PARTIALLY_FILLED"})],
    (routes.LIST, "DELETE"): [Call(OF_CUSTOMER, IN_BOOK)],
    (routes.TRADES_OF_CUSTOMER, "GET"): [Call(OF_CUSTOMER)],
    (routes.BOOKS, "GET"): [Call(), Call(query={"status": "ACTIVE"})],
    (routes.BOOKS, "POST"): [Call(body=BOOK)],
    (routes.SETTINGS, "PATCH"): [Call(IN_BOOK, body={"makerFeeBps": 7}), Call(IN_BOOK, body={"status": "CLOSED"})],
    (routes.RESUME, "POST"): [Call(IN_BOOK, body={"reference": "50"})],
    (routes.ONE_BOOK, "GET"): [Call(IN_BOOK)],
    (routes.DEPTH, "GET"): [Call(IN_BOOK)],
    (routes.TRADES_OF_BOOK, "GET"): [Call(IN_BOOK)],
    (routes.WEBHOOKS, "GET"): [Call()],
    (routes.WEBHOOKS, "POST"): [Call(body=WEBHOOK)],
    (routes.ONE_WEBHOOK, "GET"): [Call(OF_WEBHOOK)],
    (routes.ONE_WEBHOOK, "PATCH"): [
        Call(OF_WEBHOOK, body=change) for change in ({"url": "https://new.example.com/"}, {"status": "PAUSED"})
    ],
    (routes.ONE_WEBHOOK, "DELETE"): [Call(OF_WEBHOOK)],
    (routes.TEST_WEBHOOK, "POST"): [Call(OF_WEBHOOK)],
    (routes.ROTATE_SECRET, "POST"): [Call(OF_WEBHOOK)],
    (routes.DELIVERIES, "GET"): [Call(OF_WEBHOOK, {"status": "WAITING"})],
    (routes.ONE_DELIVERY, "GET"): [Call(OF_WEBHOOK | {"deliveryId": "{delivery}"})],
    (routes.REDELIVER, "POST"): [Call(OF_WEBHOOK | {"deliveryId": "{delivery}"})],
    (routes.TOKENS, "GET"): [Call(), Call(query={"activeOnly": "false"})],
    (routes.TOKENS, "POST"): [
        Call(body=TOKEN),
        Call(body=TOKEN | {"tokenAddress": "0x" + "9" * 40, "symbol": "{symbol}"}),
    ],
    (routes.ONE_TOKEN, "GET"): [Call({"tokenAddress": "{base}"}), Call({"tokenAddress": "{quote}"})],
    (routes.CREDIT, "POST"): [
        Call(body=CHANGE),
        Call(body=CHANGE | {"reference": "wire-17"}),
        Call(body=CHANGE | {"customerRef": CAT, "amount": ALL_THAT_FITS}),
    ],
    (routes.DEBIT, "POST"): [Call(body=CHANGE), Call(body=CHANGE | {"reference": "wire-17"})],
    (routes.TRANSFER, "POST"): [Call(body=MOVED), Call(body=MOVED | {"reference": "wire-17"})],
    (routes.BALANCES, "GET"): [Call(OF_CUSTOMER), *(Call({"customerRef": name}) for name in NAMED_LIKE_ROUTES)],
    (routes.ONE_BALANCE, "GET"): [Call(OF_CUSTOMER | {"tokenAddress": "{base}"})],
    (routes.EVENTS, "GET"): [
        Call(query={"after": "start"} | query)
        for query in ({}, {"customerRef": "{customer}"}, {"bookId": "{book}"}, {"bookId": "{book}"} | OF_CUSTOMER)
    ],
    (routes.TRANSACTIONS, "GET"): [
        Call(query=query) for query in (OF_CUSTOMER, {"tokenAddress": "{base}"}, {"type": "trade"}, {})
    ],
    (routes.FEES, "GET"): [Call()],
    (routes.EXPORTED_TRANSACTIONS, "GET"): [Call(), Call(query=OF_CUSTOMER)],
    (routes.EXPORTED_TRADES, "GET"): [Call(), Call(query=OF_CUSTOMER)],
    (routes.EXPORTED_ORDERS, "GET"): [Call(query=OF_CUSTOMER)],
    (routes.EXPORTED_BALANCES, "GET"): [Call(query=OF_CUSTOMER), Call(query=OF_CUSTOMER | {"at": TODAY})],
}
"""How each route is asked for something of a tenant. Whoever adds a route says it here."""

A_CALL_OF_EACH_ROUTE = [
    pytest.param(route.path, route.method, call, id=f"{route.name} {number}")
    for route in routes.ROUTES
    for number, call in enumerate(CALLS.get((route.path, route.method), [None]))
]


class Site:
    """A deployment in memory. ``copy``: one that goes its own way from here."""

    def __init__(self, client: MemoryDynamoDB | None = None) -> None:
        self.client = client or MemoryDynamoDB()
        if client is None:
            create_tables(self.client, PREFIX)  # type: ignore[arg-type]
        self.database = Database(self.client, PREFIX, pause=lambda _seconds: None)  # type: ignore[arg-type]
        self.desk = new_book_desk(self.database, cancel_wait_s=0)

    def copy(self) -> Site:
        return Site(self.client.clone())

    def rows_about(self, text: str) -> list[str]:
        """Return all rows of all tables in which this text stands."""
        prefix = f"{PREFIX}-"
        tables = [name.removeprefix(prefix) for name in self.client.list_tables()["TableNames"]]
        rows = (f"{table}: {row}" for table in tables for row in self.database.scan(table))
        return sorted(row for row in rows if text in row)

    def done(self, tenant: Tenant, method: str, route: str, body: Mapping[str, Any], **path: str) -> dict[str, Any]:
        """Send a request that must succeed; return its data."""
        headers = {"x-api-key": tenant.api_key}
        content = json.dumps(body).encode()
        response = self.desk.answer(HttpRequest(method, None, {}, {}, headers, content, filled(route, path)))
        assert response.status in (200, 201, 202), response.body
        data: dict[str, Any] = json.loads(response.body)["data"]
        return data


def opened(site: Site, tenant: Tenant) -> Tenant:
    """Make the instance with a book, and customers with funds but ann; ben's order rests. Return it with its book."""
    tenants = Tenants(site.database, lambda: now_ms() // 1000)
    tenants.create_instance(tenant.ref, {"trading"})
    tenants.add_key(tenant.instance, "key_1", tenant.api_key, 0)
    for address, symbol in ((tenant.base, "B"), (tenant.quote, tenant.symbol)):
        site.done(
            tenant, "POST", routes.TOKENS, {"tokenAddress": address, "name": symbol, "symbol": symbol, "decimals": 0}
        )
    pair = {"tokenAddress": tenant.base, "quoteTokenAddress": tenant.quote}
    book = site.done(tenant, "POST", routes.BOOKS, pair | {"name": "Book", "symbol": "B/Q", "makerFeeBps": 1000})["id"]
    for customer in (BEN, CAT, *NAMED_LIKE_ROUTES):
        fund(site, tenant, customer)
    webhooks = ENDPOINTS_MAX if tenant is OWNER else 1
    webhook, *_ = [site.done(tenant, "POST", routes.WEBHOOKS, WEBHOOK)["id"] for _ in range(webhooks)]
    delivery = site.done(tenant, "POST", routes.TEST_WEBHOOK, {}, webhookId=webhook)["deliveryId"]
    tenant = replace(tenant, book=book, webhook=webhook, delivery=delivery)
    place(site, tenant, BEN, "BUY", "40", "1")
    return tenant


def with_ann(site: Site, tenant: Tenant) -> Tenant:
    """Give ann funds, an order that cat takes a part of, and what rests of it. Return the tenant with that order."""
    fund(site, tenant, ANN)
    order = place(site, tenant, ANN, "SELL", "60", "10")
    place(site, tenant, CAT, "BUY", "60", "3")
    return replace(tenant, order=order)


def fund(site: Site, tenant: Tenant, customer: str) -> None:
    for address in (tenant.base, tenant.quote):
        change = {"tokenAddress": address, "customerRef": customer, "amount": str(tenant.funds)}
        site.done(tenant, "POST", routes.CREDIT, change)


def place(site: Site, tenant: Tenant, customer: str, side: str, price: str, quantity: str) -> str:
    """Place an order and have it decided; return its id."""
    order = {"orderBookId": tenant.book, "customerRef": customer, "side": side, "orderType": "LIMIT"}
    placed = site.done(tenant, "POST", routes.PLACE, order | {"price": price, "quantity": quantity})
    redrive(site.database, Matcher(site.database, now_ms), book_key(tenant.instance, tenant.book))
    return str(placed["id"])


@dataclass(frozen=True, slots=True)
class Pair:
    """Two sites that differ by the owner's things; whose they are, and what stands in each row about them."""

    without: Site
    within: Site
    owner: Tenant
    mark: str


@pytest.fixture(scope="module", autouse=True)
def _master_key() -> Iterator[None]:
    """Webhook secrets are derived from it; the sites are made once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wiring, "master_key", lambda: b"k" * 32)
        yield


@pytest.fixture(scope="module")
def tenants() -> Pair:
    """Another tenant has the same customers and a book of its own on either site; the owner is on one of them."""
    without = Site()
    with_ann(without, opened(without, OTHER))
    within = without.copy()
    owner = with_ann(within, opened(within, OWNER))
    return Pair(without, within, owner, OWNER.instance)


@pytest.fixture(scope="module")
def customers() -> Pair:
    """Everybody but ann is on either site, ann on one of them."""
    without = Site()
    tenant = opened(without, OWNER)
    within = without.copy()
    return Pair(without, within, with_ann(within, tenant), ANN)


def answer(site: Site, request: HttpRequest, known: str) -> dict[str, Any]:
    """Return what there is to see of an answer; ids that are not known and times, which are new, made alike."""
    response: HttpResponse = site.desk.answer(request)
    text = NEW_ID.sub(lambda found: found[0] if found[0] in known else "new id", response.body)
    text = CURSOR.sub('"cursor":""', TIME.sub("time", text))
    if response.headers["Content-Type"].startswith("application/x-ndjson"):
        body = {"data": text}
    else:
        body = json.loads(text)
        del body["metadata"]["requestId"]
    headers = {name: value for name, value in response.headers.items() if name != "X-Request-Id"}
    return {"status": response.status, "body": body, "headers": headers}


def check_it_is_not_there(pair: Pair, foreign: HttpRequest, own: HttpRequest, own_without: HttpRequest) -> None:
    """Make the foreign call with and without the owner's things, also after the owner made the very same call."""
    known = "".join(pair.within.rows_about("")) + repr(own)
    expected = answer(pair.without.copy(), foreign, known)
    is_pending = expected["body"].get("error", {}).get("code") == "CANCEL_PENDING"  # nothing is decided meanwhile
    assert expected["status"] < 500 or is_pending, expected
    used = pair.within.copy()
    found = answer(used, own, known)
    missed = answer(pair.without.copy(), own_without, known)
    facts = [(one["status"], one["body"].get("data"), one["body"].get("error")) for one in (found, missed)]
    assert facts[0] != facts[1], "the owner's call finds nothing, so it proves nothing"
    for site in (pair.within.copy(), used):
        before = site.rows_about(pair.mark)
        assert answer(site, foreign, known) == expected
        assert site.rows_about(pair.mark) == before


@pytest.mark.parametrize(("route", "method", "call"), A_CALL_OF_EACH_ROUTE)
def test_what_is_another_tenants_is_not_there(tenants: Pair, route: str, method: str, call: Call | None) -> None:
    assert call is not None, f"say in CALLS how {method} {route} is asked for another's things"
    headers = {"idempotency-key": "the-owner-sent-it-too"}
    own, foreign = (call.request(route, method, tenants.owner, ANN, sender, **headers) for sender in (OWNER, OTHER))
    check_it_is_not_there(tenants, foreign, own, foreign)


@pytest.mark.parametrize(
    ("route", "method", "call"),
    [one for one in A_CALL_OF_EACH_ROUTE if one.values[2] is None or one.values[2].names_a_customer],
)
def test_what_is_another_customers_is_not_there(customers: Pair, route: str, method: str, call: Call | None) -> None:
    """Routes that name no customer show and change what is the whole tenant's."""
    assert call is not None, f"say in CALLS how {method} {route} is asked for another's things"
    own, foreign = (call.request(route, method, customers.owner, customer, OWNER) for customer in (ANN, BEN))
    check_it_is_not_there(customers, foreign, own, own)


def test_no_call_is_left_of_a_route_that_there_is_no_more() -> None:
    assert set(CALLS) <= {(route.path, route.method) for route in routes.ROUTES}
