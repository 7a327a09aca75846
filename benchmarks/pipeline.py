"""Rates by the clock, over an embedded engine: the matcher in batches; orders that end and switches that fire at once.

Every order is another customer's, and orders trade in pairs on a book of 100 levels. The engine and the program share
the machine, so a rate means little by itself: it is divided by that of the engine's own conditional puts, one after the
other, measured just before and after; or each call is delayed by its duration on AWS, which hides the engine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from statistics import mean
from time import perf_counter
from typing import Any

from benchmarks.book_paths import BOOK, INSTANCE, LEVELS, PRICE, QUANTITY, Venue, customers_of, new_venue, open_venue
from benchmarks.engine import DelayedClient
from chalicelib.domain.books.admission import OrderRequest
from chalicelib.domain.books.vocabulary import OrderType, TimeInForce
from chalicelib.domain.ledger.amounts import Side
from chalicelib.services.books.admission import Admission, Admitted
from chalicelib.services.books.expiry import Expiring
from chalicelib.services.books.matcher import Matcher
from chalicelib.services.books.switches import DeadManSwitches
from chalicelib.support.clock import now_ms
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.parallel import ThreadPool
from chalicelib.wiring import WRITES_AT_ONCE

LIFE_MS = 60_000


def as_served(database: Database) -> Database:
    """Return the same tables, with writes in parallel as the functions make them."""
    return Database(database._client, database._prefix, together=ThreadPool(WRITES_AT_ONCE))


def seconds_of(work: Callable[[], object]) -> float:
    """Return how long the work takes."""
    started = perf_counter()
    work()
    return perf_counter() - started


def puts_per_second(database: Database, puts: int) -> float:
    """Return the rate of conditional puts of one small row each, one after the other."""
    client: Any = database._client
    table, new = database.name("requests"), "attribute_not_exists(#scope)"
    names, scope = {"#scope": "scope"}, f"puts at {perf_counter()}"

    def put() -> None:
        for number in range(puts):
            row = {"scope": {"S": f"{scope}/{number}"}, "request": {"S": "1"}, "count": {"N": "1"}}
            client.put_item(TableName=table, Item=row, ConditionExpression=new, ExpressionAttributeNames=names)

    return puts / seconds_of(put)


def placed_pairs(database: Database, orders: int, levels: int = LEVELS) -> tuple[Venue, float]:
    """Admit orders that trade in pairs. Return the venue and the rate of admission, one after the other."""
    customers = customers_of(orders)
    venue = new_venue(database, as_served(database), customers, levels)
    return venue, orders / seconds_of(lambda: venue.place_pairs(customers, orders))


def against_puts(
    empty: Iterator[Database], orders: int, batch: int, puts: int, levels: int = LEVELS
) -> tuple[float, float]:
    """Return the rates of admission and of matching in batches, each in conditional puts of the same engine."""
    database = next(empty)
    rates = [puts_per_second(database, puts)]
    venue, admitted = placed_pairs(database, orders, levels)
    records = venue.records()
    rates.append(puts_per_second(database, puts))
    matched = orders / seconds_of(lambda: venue.match(records, batch))
    rates.append(puts_per_second(database, puts))
    return admitted / mean(rates[:2]), matched / mean(rates[1:])


def decided_by_the_clock(empty: Iterator[Database], delayed: DelayedClient, orders: int = 100) -> float:
    """Return the orders a second that one matcher decides in one batch, with delayed calls."""
    venue, _ = placed_pairs(next(empty), orders)
    records = venue.records()
    return orders / delayed.seconds(lambda: venue.match(records, orders))


def expired_by_the_clock(empty: Iterator[Database], delayed: DelayedClient, orders: int = 100) -> float:
    """Return the orders a second that end where all expire at the same time, with delayed calls."""
    database, customers = next(empty), customers_of(orders)
    open_venue(database, customers)
    end_ms, admission = now_ms() + LIFE_MS, Admission(database)
    for customer in customers:
        request = OrderRequest(
            customer, Side.SELL, OrderType.LIMIT, TimeInForce.GTC, PRICE, QUANTITY, expires_at_ms=end_ms
        )
        assert isinstance(admission.place(INSTANCE, BOOK.book_id, request), Admitted)
    venue = Venue(database, database)
    venue.match(venue.records(), orders)
    there = as_served(database)
    taken_s = delayed.seconds(Expiring(there, Matcher(there, lambda: end_ms), lambda: end_ms).check)
    assert {row["status"] for row in database.scan("orders")} == {"EXPIRED"}
    return orders / taken_s


def fired_by_the_clock(empty: Iterator[Database], delayed: DelayedClient, switches: int = 100) -> float:
    """Return the dead man's switches a second that fire where all are due at the same time, with delayed calls."""
    database, customers = next(empty), customers_of(switches)
    open_venue(database, customers)
    admission, armed_ms = Admission(database), now_ms()
    for customer in customers:
        request = OrderRequest(customer, Side.SELL, OrderType.LIMIT, TimeInForce.GTC, PRICE, QUANTITY)
        assert isinstance(admission.place(INSTANCE, BOOK.book_id, request), Admitted)
        DeadManSwitches(database, lambda: armed_ms).set(INSTANCE, customer, LIFE_MS // 1000)
    there, due_ms = as_served(database), armed_ms + LIFE_MS
    taken_s = delayed.seconds(Expiring(there, Matcher(there, lambda: due_ms), lambda: due_ms).check)
    queued = [row for row in database.scan("inbox") if row["kind"] == "cancel_all"]
    assert len(queued) == switches
    return switches / taken_s
