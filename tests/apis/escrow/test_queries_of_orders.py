"""Queries of orders: the reference's own orders and table (E6 to E10), random ones against a naive model, and costs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.meter import Cost, Meter
from chalicelib.domain.escrow.lifecycle import Status
from chalicelib.domain.escrow.order import Customer, Links, Order
from chalicelib.domain.tenancy.instances import World
from chalicelib.tables.escrow_rows import row_of_order
from tests.apis.escrow.cases import new_desk
from tests.apis.escrow.desk import Desk, ids_of, page_of
from tests.case_tables import cases
from tests.in_memory import PREFIX, database_of
from tests.services.escrow.world import SANDBOX_EUR, eur


def seconds(text: str | None) -> int | None:
    return None if text is None else int(datetime.fromisoformat(text).astimezone(UTC).timestamp())


class Shelf:
    """Puts orders into the tables as they are, whatever their time and status."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.orders: list[Order] = []
        self.customers: dict[str, Customer] = {}

    def customer(self, email: str) -> Customer:
        if email not in self.customers:
            uuid = self.desk.customer(email)["uuid"]
            found = self.desk.escrows.customer(self.scope, uuid)
            assert found is not None
            self.customers[email] = found
        return self.customers[email]

    @property
    def scope(self) -> Any:
        return self.desk.scope(World.SANDBOX)

    def put(self, number: int, created_at: str, name: str, value: str, status: str, **more: Any) -> Order:
        """Store an order and count it. buyer, seller: e-mail addresses; None for no buyer."""
        buyer, seller = (self.customer(more.pop(party)) if more.get(party) else None for party in ("buyer", "seller"))
        more.pop("buyer", None)
        assert seller is not None
        order = Order(
            self.scope,
            number,
            f"{number:012d}",
            name,
            eur(value),
            SANDBOX_EUR,
            buyer and buyer.party("EUR"),
            seller.party("EUR"),
            Links(f"b{number}", f"s{number}", f"q{number}"),
            int(seconds(created_at) or 0),
            status=Status(status),
            **more,
        )
        self.desk.database.transact(self.desk.escrows.put_order(order))
        self.orders.append(order)
        return order


@pytest.fixture
def shelf(desk: Desk) -> Shelf:
    """The five orders of the contract."""
    shelf = Shelf(desk)
    ana, sam, bob, kim = (f"{name}@x.test" for name in ("ana", "sam", "Bob", "kim"))
    at = seconds
    rows: list[tuple[Any, ...]] = [
        (1, "2024-01-01T00:00:00Z", "Alpha lamp", "10", "DRAFT", "t-1", ana, sam, None, {"cart": "A-1"}),
        (2, "2024-01-31T23:59:59Z", "beta chair", "150", "PUBLISHED", "t-2", bob, sam, "2024-02-02T08:00:00Z", {}),
        (3, "2024-02-01T00:00:00Z", "Gamma desk", "20.5", "RELEASED", None, ana, kim, "2024-02-01T10:00:00Z", {}),
        (4, "2024-02-01T00:00:00Z", "alpha rug", "150", "FAILURE", "T-12", kim, sam, None, {}),
        (5, "2024-12-31T23:59:59Z", "Delta cup", "0", "CANCELLED", "x", bob, ana, None, {"cart": {"n": 1}}),
    ]
    for number, created_at, name, value, status, tag, buyer, seller, published_at, metadata in rows:
        more = {"tag": tag, "published_at_s": at(published_at), "metadata": metadata}
        shelf.put(number, created_at, name, value, status, buyer=buyer, seller=seller, **more)
    return shelf


QUERIES = cases(
    ("no_query", "", [5, 4, 3, 2, 1]),
    ("ascending", "sort=asc", [1, 2, 3, 4, 5]),
    ("both_dates", "date_begin=2024-01-31&date_end=2024-02-01", [4, 3, 2]),
    ("both_dates_ascending", "date_begin=2024-01-31&date_end=2024-02-01&sort=asc", [2, 3, 4]),
    ("only_the_end", "date_end=2024-01-31", [2, 1]),
    ("name", "search=name&query=ALPHA", [4, 1]),
    ("tag", "search=tag&query=t-1", [4, 1]),
    ("email", "search=email&query=ana@", [5, 3, 1]),
    ("buyer_email", "search=buyer_email&query=BOB", [5, 2]),
    ("seller_email", "search=seller_email&query=KIM", [3]),
    ("id", "search=id&query=1", [1]),
    ("id_that_is_none", "search=id&query=x", []),
    ("id_of_nothing", "search=id&query=99", []),
    ("status_in_any_case", "search=status&query=published", [2]),
    ("status_is_no_part", "search=status&query=PUB", []),
    ("metadata", "search=metadata.cart&query=a-", [1]),
    ("metadata_nested", "search=metadata.cart&query=n", []),
    ("metadata_absent", "search=metadata.other&query=a", []),
    ("currency", "search=currency&query=eu", [5, 4, 3, 2, 1]),
    ("public_id", "search=public_id&query=00003", [3]),
    ("value", "order=value", [4, 2, 3, 1, 5]),
    ("value_ascending", "order=value&sort=asc", [5, 1, 3, 2, 4]),
    ("by_name", "order=name&sort=asc", [1, 4, 2, 5, 3]),
    ("by_id", "order=id", [5, 4, 3, 2, 1]),
    ("by_status", "order=status&sort=asc", [5, 1, 4, 2, 3]),
    ("published_at", "order=published_at", [2, 3, 5, 4, 1]),
    ("published_at_ascending", "order=published_at&sort=asc", [3, 2, 1, 4, 5]),
    ("status", "status=FAILURE", [4]),
    ("own_world", "sandbox=1", [5, 4, 3, 2, 1]),
    ("other_world", "sandbox=false", []),
    ("filters_combine", "status=FAILURE&search=name&query=alpha&date_begin=2024-02-01", [4]),
    ("filters_combine_to_nothing", "status=FAILURE&search=name&query=beta", []),
    ("third_page", "per_page=2&page=3", [1]),
    ("last_one_counts", "status=DRAFT&status=FAILURE", [4]),
    ("empty_is_absent", "status=&search=&query=+", [5, 4, 3, 2, 1]),
    ("unknown_is_ignored", "colour=red", [5, 4, 3, 2, 1]),
    ("trimmed", "status=+FAILURE+", [4]),
)


@pytest.mark.parametrize(("query", "ids"), QUERIES)
def test_a_query_finds(shelf: Shelf, query: str, ids: list[int]) -> None:
    """E6 to E9"""
    assert ids_of(shelf.desk.get("/orders", query)) == ids


PAGES = cases(
    ("default", "", (1, 1, 15, 5, 1, 5)),
    ("last", "per_page=2&page=3", (3, 3, 2, 5, 5, 5)),
    ("past_the_end", "per_page=2&page=4", (4, 3, 2, 5, None, None)),
    ("far_past_the_end", "page=9007199254740991", (9007199254740991, 1, 15, 5, None, None)),
    ("none_found", "search=id&query=x", (1, 1, 15, 0, None, None)),
    ("further_than_any", f"page={10**40}", (10**40, 1, 15, 5, None, None)),
    ("of_found", "search=name&query=alpha&per_page=1&page=2", (2, 2, 1, 2, 2, 2)),
    ("of_time", "date_begin=2024-01-31&date_end=2024-02-01&per_page=2", (1, 2, 2, 3, 1, 2)),
    ("other_world", "sandbox=0&page=3", (3, 1, 15, 0, None, None)),
)


@pytest.mark.parametrize(("query", "page"), PAGES)
def test_a_page_says_where_it_is_and_how_many_there_are(shelf: Shelf, query: str, page: tuple[Any, ...]) -> None:
    """E10"""
    answer = page_of(shelf.desk.get("/orders", query))
    assert tuple(answer[name] for name in ("current_page", "last_page", "per_page", "total", "from", "to")) == page


def test_a_created_and_a_changed_order_show_in_the_next_list(desk: Desk) -> None:
    """E10"""
    order = desk.order()
    assert ids_of(desk.get("/orders")) == [order["id"]]
    desk.put(f"/orders/{order['id']}", {"name": "Blue bike"})
    assert [row["name"] for row in page_of(desk.get("/orders"))["data"]] == ["Blue bike"]
    assert ids_of(desk.get("/orders", "search=name&query=blue")) == [order["id"]]


# --- against a naive model

WORDS = ["Ann", "ann lee", "Straße", "STRASSE", "x", "Zoë 9"]
EMAILS = ["ann@x.test", "Ann@X.test", "zoe@y.test"]
DAYS = ["2024-01-01", "2024-01-02", "2024-01-03"]
FIELDS = ["id", "name", "tag", "status", "email", "buyer_email", "seller_email", "currency", "metadata.k", "public_id"]
SORTS = ["created_at", "published_at", "released_at", "value", "name", "status", "id"]

facts = st.fixed_dictionaries(
    {
        "name": st.sampled_from(WORDS),
        "value": st.sampled_from(["0", "1", "20.5", "150"]),
        "status": st.sampled_from([status.value for status in Status]),
        "tag": st.none() | st.sampled_from(WORDS),
        "buyer": st.none() | st.sampled_from(EMAILS),
        "seller": st.sampled_from(EMAILS),
        "hours": st.integers(0, 30),
        "published": st.none() | st.integers(0, 3),
        "metadata": st.sampled_from(
            [{}, {"k": "Ann"}, {"k": 9}, {"k": True}, {"k": None}, {"k": [9]}, {"k": Decimal("1.50")}]
        ),
    }
)
queries = st.fixed_dictionaries(
    {},
    optional={
        "search": st.sampled_from(FIELDS),
        "status": st.sampled_from(["DRAFT", "RELEASED", "FAILURE"]),
        "sandbox": st.sampled_from(["1", "true", "0"]),
        "date_begin": st.sampled_from(DAYS),
        "date_end": st.sampled_from(DAYS),
        "order": st.sampled_from(SORTS),
        "sort": st.sampled_from(["asc", "desc"]),
        "page": st.integers(1, 4),
        "per_page": st.integers(1, 5),
    },
)
terms = st.sampled_from(["ann", "STRASSE", "9", "1", "draft", "RELEASED", "x.test", "eur", "true", "1.5", "0"])


def naive(orders: list[Order], emails: dict[int, str], query: dict[str, Any]) -> list[int]:
    """Return the ids of all orders that match, in order: the rules said once more, as plainly as can be."""

    def contains(text: str | None) -> bool:
        return text is not None and query["query"].casefold() in text.casefold()

    def matched(order: Order) -> bool:
        buyer = emails.get(order.buyer.customer_id) if order.buyer else None
        seller = emails.get(order.seller.customer_id)
        member = order.metadata.get("k")
        as_text = {True: "true", False: "false"}.get(member) if isinstance(member, bool) else str(member)
        return {
            "id": query["query"] == str(order.order_id),
            "name": contains(order.name),
            "tag": contains(order.tag),
            "status": order.status.value == query["query"].upper(),
            "email": contains(buyer) or contains(seller),
            "buyer_email": contains(buyer),
            "seller_email": contains(seller),
            "currency": contains("EUR"),
            "public_id": contains(order.public_id),
            "metadata.k": member is not None and not isinstance(member, list) and contains(as_text),
        }[query["search"]]

    def day(order: Order) -> str:
        return datetime.fromtimestamp(order.created_at_s, UTC).strftime("%Y-%m-%d")

    found = [order for order in orders if "search" not in query or matched(order)]
    found = [order for order in found if query.get("status") in (None, order.status.value)]
    found = [order for order in found if query.get("sandbox", "1") != "0"]
    found = [order for order in found if query.get("date_begin", "") <= day(order) <= query.get("date_end", "9")]
    by = query.get("order", "created_at")
    keys = {
        "created_at": lambda order: order.created_at_s,
        "published_at": lambda order: order.published_at_s,
        "released_at": lambda order: order.released_at_s,
        "value": lambda order: order.value,
        "name": lambda order: order.name.casefold(),
        "status": lambda order: order.status.value,
        "id": lambda order: order.order_id,
    }
    is_down = query.get("sort", "desc") == "desc"
    having = [order for order in found if keys[by](order) is not None]
    lacking = [order for order in found if keys[by](order) is None]
    having.sort(key=lambda order: (keys[by](order), order.order_id), reverse=is_down)
    lacking.sort(key=lambda order: order.order_id, reverse=is_down)
    return [order.order_id for order in [*having, *lacking]]


@settings(max_examples=60, deadline=None)
@given(made=st.lists(facts, max_size=12), asked=st.lists(st.tuples(queries, terms), min_size=1, max_size=8))
def test_every_page_of_every_query_is_what_a_naive_model_finds(made: list[dict[str, Any]], asked: list[Any]) -> None:
    shelf = Shelf(new_desk())
    hours = 0
    for number, one in enumerate(made, 1):
        more = {name: one[name] for name in ("tag", "buyer", "seller", "metadata")}
        hours += one["hours"]
        created_at = datetime.fromtimestamp(1_704_067_200 + hours * 3600, UTC).isoformat()
        more["published_at_s"] = one["published"]
        shelf.put(number, created_at, one["name"], one["value"], one["status"], **more)
    emails = {customer.customer_id: str(customer.email) for customer in shelf.customers.values()}
    for members, term in asked:
        query = dict(members) | ({"query": term} if "search" in members else {})
        if query.get("date_end", "9") < query.get("date_begin", ""):
            del query["date_end"]
        answer = page_of(shelf.desk.get("/orders", query))
        expected, per_page, page = naive(shelf.orders, emails, query), query.get("per_page", 15), query.get("page", 1)
        assert answer["total"] == len(expected), query
        assert [row["id"] for row in answer["data"]] == expected[(page - 1) * per_page : page * per_page], query


# --- what a list costs


def with_history(desk: Desk, orders: int) -> tuple[Desk, Meter]:
    """Return the desk with so many more orders, each released with its payin and payout, and what counts its reads."""
    released = desk.escrows.order(desk.scope(World.SANDBOX), desk.in_status("RELEASED")["id"])
    assert released is not None
    copies = (replace(released, order_id=number) for number in range(2, orders + 1))
    desk.database.put_many("escrows", map(row_of_order, copies))
    desk.database.write(desk.escrows.count(released.scope, orders=orders - 1))
    client: Any = Meter(desk.database._client, PREFIX)
    return desk.over(database_of(client)), client


def read_of(desk: Desk, meter: Meter, query: str) -> tuple[int, Cost]:
    """Return how many orders a page shows, and what it read of them."""
    meter.take()
    shown = len(ids_of(desk.get("/orders", query)))
    return shown, meter.take().of("escrows")


@pytest.mark.parametrize("orders", [20, 500])
def test_a_page_of_the_default_list_costs_its_rows_whatever_the_history(desk: Desk, orders: int) -> None:
    metered, meter = with_history(desk, orders)
    for query in ("", "sort=asc", "order=id", "sandbox=1"):
        shown, cost = read_of(metered, meter, query)
        assert (shown, cost.rows_read) == (15, 16), "the page, and the row with the number of all"
        assert cost.read_units <= 5
    assert read_of(metered, meter, "page=2&per_page=5")[1].rows_read == 11, "and the pages before it"
    assert read_of(metered, meter, "search=id&query=7") == (1, Cost(1, 1.0, 0.0))
    assert read_of(metered, meter, "sandbox=0") == (0, Cost())
    assert read_of(metered, meter, "page=999")[1].rows_read == 1


def test_what_is_searched_or_sorted_otherwise_reads_every_order(desk: Desk) -> None:
    metered, meter = with_history(desk, 300)
    for query in ("status=DRAFT", "search=tag&query=x", "order=value", "date_begin=2025-01-01"):
        _, cost = read_of(metered, meter, query)
        assert cost.rows_read == 300, query
        assert cost.read_units <= 75, "a quarter of a unit an order"
    _, cost = read_of(metered, meter, "search=email&query=x")
    assert cost.rows_read == 302, "and the two customers"
    _, cost = read_of(metered, meter, "date_begin=2030-01-01")
    assert cost.rows_read == 100, "one read, which finds that the newest is too old"
