"""How often a request waits for DynamoDB, and that what it reads ahead is never out of date (two-trips.md)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from benchmarks.meter import Meter, metered
from chalicelib.apis.book.routes import BATCH, CREDIT, DEBIT, DEPTH, ONE_BALANCE, ONE_ORDER, PLACE, TRANSFER
from chalicelib.apis.kit.http import HttpResponse
from chalicelib.domain.books.vocabulary import BookStatus
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.frozen_customers import FrozenCustomers
from chalicelib.wiring.book import new_book_desk
from tests.apis.book.desk import API_KEY, ORDER, Desk, json_body, open_desk, outcome_of
from tests.recording import nobody
from tests.waiting import Clock
from tests.world import BASE, BOOK_ID, INSTANCE, NOW_MS, QUOTE, World

KEY = "order-0001"


@dataclass
class MeteredDesk:
    """A desk in front of metered tables. The world beside it is not metered: it is other processes."""

    desk: Desk
    meter: Meter

    def trips(self, request: Callable[[Desk], HttpResponse], expected: tuple[int, str | None] = (201, None)) -> int:
        """Return the calls that a request waits for."""
        self.meter.take()
        assert outcome_of(request(self.desk)) == expected
        bill = self.meter.take()
        assert bill.rounds == bill.calls
        return bill.calls


def metered_counters(meter: Meter, database: Database) -> Database:
    """Return the tables as the desk counts requests: through a client of its own."""
    client: Any = meter
    return Database(client, database._prefix)


@pytest.fixture
def metered_desk(
    clock: Clock,  # noqa: ARG001 - no test here waits in earnest
    memory_database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> MeteredDesk:
    beside = open_desk(World(memory_database))
    database, meter = metered(memory_database)
    monkeypatch.setattr(meter, "_rows", nobody(meter._rows))
    return MeteredDesk(
        Desk(beside.world, new_book_desk(database, metered_counters(meter, database), cancel_wait_s=0)), meter
    )


@pytest.fixture
def warm(metered_desk: MeteredDesk) -> MeteredDesk:
    """A desk that has served an order of the same caller in the same book."""
    assert metered_desk.trips(Desk.place) == 3
    return metered_desk


def rested(desk: Desk) -> None:
    """Rest an order to sell, unmetered."""
    Desk(desk.world, new_book_desk(desk.world.database)).rested((10, 100))


def market(desk: Desk) -> HttpResponse:
    return desk.place(orderType="MARKET", quantity="1", price=...)


def test_the_first_request_of_a_caller_reads_its_key_and_then_everything_else(metered_desk: MeteredDesk) -> None:
    assert metered_desk.trips(lambda desk: desk.place(headers={"idempotency-key": KEY})) == 1 + 1 + 1


def test_a_placement_is_one_read_and_one_transaction(warm: MeteredDesk) -> None:
    assert warm.trips(Desk.place) == 2


def test_an_idempotency_key_adds_no_trip(warm: MeteredDesk) -> None:
    first = lambda desk: desk.place(headers={"idempotency-key": KEY})  # noqa: E731
    assert warm.trips(first) == 2
    assert warm.trips(first) == 1, "the answer that is kept"


def test_a_market_order_reads_depth_and_account_with_the_rest(warm: MeteredDesk) -> None:
    rested(warm.desk)
    assert warm.trips(market) == 2


def batch(desk: Desk) -> HttpResponse:
    """Ten orders: limit, market, of both sides, one of them faulty."""
    market_buy = ORDER | {"orderType": "MARKET", "quantity": "1", "price": None}
    orders = [*[ORDER | {"quantity": "1"}] * 6, market_buy, market_buy, ORDER | {"side": "SELL", "price": "200"}, {}]
    return desk.send("POST", BATCH, body=json_body({"orders": orders}), headers={"idempotency-key": KEY})


def test_a_batch_is_one_read_and_one_transaction(warm: MeteredDesk) -> None:
    rested(warm.desk)
    assert warm.trips(batch) == 2
    assert warm.trips(batch) == 1, "the answer that is kept"


def test_a_refused_order_takes_one_trip_and_changes_nothing(warm: MeteredDesk) -> None:
    before = warm.desk.world.tables()
    assert warm.trips(lambda desk: desk.place(orderBookId="ob_none"), (404, "ORDER_BOOK_NOT_FOUND")) == 1
    assert warm.trips(lambda desk: desk.place(quantity="0"), (400, "INVALID_QUANTITY")) == 1
    assert warm.trips(lambda desk: desk.place(quantity="x"), (400, "VALIDATION_ERROR")) == 1
    assert warm.trips(lambda desk: desk.send("POST", PLACE, body=b"{"), (400, "VALIDATION_ERROR")) == 1
    assert warm.trips(lambda desk: desk.send("POST", PLACE, body=b" " * 65_537), (413, "PAYLOAD_TOO_LARGE")) == 1
    assert warm.desk.world.tables() == before


def test_the_rows_of_a_faulty_body_are_not_read(warm: MeteredDesk) -> None:
    for body in (b"{", json_body({"orderBookId": BOOK_ID}), b" " * 65_537):
        warm.desk.send("POST", PLACE, body=body)
        bill = warm.meter.take()
        assert list(bill.tables) == ["tenants"]


def test_an_answer_that_another_process_finishes_is_seen(warm: MeteredDesk, clock: Clock) -> None:
    """The request waits for it: what it read ahead says for ever that the answer is pending."""
    first = lambda desk: desk.place(headers={"idempotency-key": KEY})  # noqa: E731
    assert warm.trips(first) == 2
    database = warm.desk.world.database
    (row,) = (row for row in database.scan("requests") if row["request"] == KEY)
    database.put_many("requests", [row | {"pending_until_ms": 9_999_999_999_999}])
    finished = row["body"].replace('"OPEN"', '"FILLED"')
    clock.after(0.2, lambda: database.put_many("requests", [row | {"body": finished}]))
    response = first(warm.desk)
    assert (response.status, response.body) == (201, finished) != (201, row["body"])


# --- what has changed since the last request -----------------------------------------------------------------------


def revoked(desk: Desk) -> None:
    desk.world.tenants().change(INSTANCE, lambda instance: instance.revoked("key_1", NOW_MS // 1000))


def without_trading(desk: Desk) -> None:
    desk.world.tenants().change(INSTANCE, lambda instance: instance.without_service("trading"))


def paused(desk: Desk) -> None:
    desk.world.change_status(BookStatus.PAUSED)


def closed(desk: Desk) -> None:
    desk.world.change_status(BookStatus.CLOSED)


def parked(desk: Desk) -> None:
    row = desk.world.database.get("books", {"book": desk.world.book, "part": "config"})
    desk.world.database.put_many("books", [(row or {}) | {"parked_at_ms": NOW_MS}])


def deleted(desk: Desk) -> None:
    desk.world.database.delete_many("books", [{"book": desk.world.book, "part": "config"}])


def with_other_assets(desk: Desk) -> None:
    """Swap the assets, so that what is remembered of them is wrong; ann has nothing of the new quote asset left."""
    row = desk.world.database.get("books", {"book": desk.world.book, "part": "config"})
    assert row is not None
    swapped = {"base_asset": row["quote_asset"], "quote_asset": row["base_asset"]}
    desk.world.database.put_many("books", [row | swapped])
    desk.world.move("ann", None, row["base_asset"], 1000)


def frozen(desk: Desk) -> None:
    FrozenCustomers(desk.world.database).freeze(INSTANCE, "ann", None)


CHANGES: list[Any] = [
    (frozen, (403, "CUSTOMER_FROZEN")),
    (revoked, (401, "AUTH_FAILED")),
    (without_trading, (403, "SERVICE_NOT_ENABLED")),
    (paused, (400, "ORDER_BOOK_INACTIVE")),
    (closed, (400, "ORDER_BOOK_INACTIVE")),
    (parked, (400, "ORDER_BOOK_INACTIVE")),
    (deleted, (404, "ORDER_BOOK_NOT_FOUND")),
    (with_other_assets, (400, "INSUFFICIENT_BALANCE")),
]


@pytest.mark.parametrize("order", [Desk.place, market], ids=["limit", "market"])
@pytest.mark.parametrize(("change", "outcome"), CHANGES, ids=[change.__name__ for change, _ in CHANGES])
def test_a_change_counts_from_the_very_next_request_on(
    warm: MeteredDesk, change: Callable[[Desk], None], outcome: tuple[int, str], order: Callable[[Desk], HttpResponse]
) -> None:
    rested(warm.desk)
    assert warm.trips(order) == 2
    change(warm.desk)
    before = warm.desk.world.tables()
    warm.trips(order, outcome)
    assert warm.desk.world.tables() == before


def test_a_lowered_limit_counts_from_the_very_next_request_on(warm: MeteredDesk) -> None:
    warm.desk.world.tenants().change(INSTANCE, lambda instance: instance.limited("key_1", 1, NOW_MS // 1000))
    assert warm.trips(Desk.place) == 3
    assert warm.trips(Desk.place, (429, "RATE_LIMIT_EXCEEDED")) == 1


def test_frozen_customers_cost_a_placement_one_read_unit_and_no_trip(warm: MeteredDesk) -> None:
    """T96: where the instance has none, nothing; the first order after the first freeze finds that there is one."""

    def units() -> float:
        warm.meter.take()
        assert outcome_of(warm.desk.place(quantity="1")) == (201, None)
        bill = warm.meter.take()
        assert bill.calls == 2
        return bill.total.read_units

    before = units()
    FrozenCustomers(warm.desk.world.database).freeze(INSTANCE, "ben", None)
    assert warm.trips(lambda desk: desk.place(quantity="1")) == 3
    assert units() == before + 1
    FrozenCustomers(warm.desk.world.database).unfreeze(INSTANCE, "ben")
    assert warm.trips(lambda desk: desk.place(quantity="1")) == 2
    assert units() == before


# --- callers without valid credentials ------------------------------------------------------------------------------


def test_a_stranger_makes_the_service_read_one_row(warm: MeteredDesk) -> None:
    guessed = API_KEY[:-1] + "0"
    for body in (json_body({"orderBookId": BOOK_ID}), b"{", b" " * 65_537):
        assert warm.trips(lambda desk, body=body: desk.send("POST", PLACE, body=body, key=guessed), AUTH_FAILED) == 1
    assert warm.trips(lambda desk: desk.send("POST", PLACE, key=None), (401, "AUTH_REQUIRED")) == 0


def test_a_key_that_is_not_let_in_reads_ahead_once_more_at_most(warm: MeteredDesk) -> None:
    revoked(warm.desk)
    units = []
    for _ in range(3):
        assert warm.trips(Desk.place, AUTH_FAILED) == 1
        warm.desk.place()
        units.append(warm.meter.take().total.read_units)
    assert units == [1, 1, 1]


AUTH_FAILED = (401, "AUTH_FAILED")


# --- cancelling, showing, listing -------------------------------------------------------------------------------------


def test_a_cancel_is_one_read_and_its_write_and_then_it_looks_for_its_result(warm: MeteredDesk) -> None:
    order_id = warm.desk.placed()
    assert warm.trips(lambda desk: desk.cancel(order_id), (503, "CANCEL_PENDING")) == 1 + 1 + 1
    warm.desk.match()
    assert warm.trips(lambda desk: desk.cancel(order_id), (404, "ORDER_NOT_FOUND")) == 1


def test_a_cancel_of_a_parked_book_is_refused_from_the_very_next_request_on(warm: MeteredDesk) -> None:
    order_id = warm.desk.placed()
    parked(warm.desk)
    before = warm.desk.world.tables()
    assert warm.trips(lambda desk: desk.cancel(order_id), (503, "SERVICE_UNAVAILABLE")) == 1
    assert warm.desk.world.tables() == before


def test_an_order_of_another_book_than_the_last_one_is_cancelled_with_one_trip_more(warm: MeteredDesk) -> None:
    order_id, world = warm.desk.placed(), warm.desk.world
    other = {"book_id": "ob_other", "symbol": "Q/B", "base_asset": QUOTE, "quote_asset": BASE}
    world.books.create(replace(world.config, **other))
    warm.desk.placed(orderBookId="ob_other")
    assert warm.trips(lambda desk: desk.cancel(order_id), (503, "CANCEL_PENDING")) == 1 + 1 + 1 + 1


def one(order_id: str) -> Callable[[Desk], HttpResponse]:
    return lambda desk: desk.get(ONE_ORDER, {"customerRef": "ann"}, orderId=order_id)


def test_an_open_order_is_shown_by_one_read_and_a_closed_one_by_two(warm: MeteredDesk) -> None:
    """A closed order's row is read after it was not found among the open ones."""
    order_id = warm.desk.placed()
    assert warm.trips(one(order_id), (200, None)) == 1
    warm.desk.cancel(order_id)
    warm.desk.match()
    assert warm.trips(one(order_id), (200, None)) == 2
    assert warm.trips(one("ord_none"), (404, "ORDER_NOT_FOUND")) == 2


def test_a_list_of_open_orders_is_one_read_and_its_rows(warm: MeteredDesk) -> None:
    assert warm.trips(lambda desk: desk.list(status="OPEN"), (200, None)) == 2


# --- other endpoints -------------------------------------------------------------------------------------------------


def balance(desk: Desk) -> HttpResponse:
    return desk.get(ONE_BALANCE, customerRef="ann", tokenAddress=BASE)


def depth(desk: Desk) -> HttpResponse:
    return desk.get(DEPTH, orderBookId=BOOK_ID)


def posted(route: str, key: str | None) -> Callable[[Desk], HttpResponse]:
    return lambda desk: desk.post(route, key)


LANE_END = 1
"""Where a lane of the outbox ends is read once; then the process remembers it."""


def test_a_lanes_end_is_read_once(warm: MeteredDesk) -> None:
    assert [warm.trips(posted(CREDIT, None), (200, None)) for _ in range(3)] == [3 + LANE_END, 3, 3]


@pytest.mark.parametrize(
    ("request_", "status", "trips"),
    [
        (balance, 200, 1),
        (depth, 200, 1),
        (posted(CREDIT, None), 200, 2 + 1 + LANE_END),
        (posted(DEBIT, KEY), 200, 2 + 2 + LANE_END),
        (posted(TRANSFER, KEY), 200, 2 + LANE_END),
    ],
    ids=["balance", "depth", "credit: and the new balance", "debit: and the new balance, kept", "transfer"],
)
def test_what_other_requests_need_is_one_read_too(
    warm: MeteredDesk, request_: Callable[[Desk], HttpResponse], status: int, trips: int
) -> None:
    assert warm.trips(request_, (status, None)) == trips
