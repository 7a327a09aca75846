"""DELETE orders/all as one command a book (O9, R42): what it lists and counts, and how many calls it makes."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.books.admission import OrderRequest
from chalicelib.domain.books.config import BookConfig
from chalicelib.domain.books.vocabulary import CloseReason, OrderType, TimeInForce
from chalicelib.domain.ledger.amounts import Side
from chalicelib.services import polling
from chalicelib.services.books.admission import Admission
from chalicelib.services.books.loading import LoadedBook
from chalicelib.services.books.matcher import Matcher
from chalicelib.services.books.redrive import redrive_all
from chalicelib.support.outcomes import Unavailable
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.inbox import Inbox
from chalicelib.tables.orders import Orders
from chalicelib.wiring.trade import new_trade_desk
from tests.apis.trade.desk import MASTER_KEY, SignedDesk, data_of, fault_of, open_trade_desk
from tests.faults import Call, WatchedClient, unavailable
from tests.in_memory import database_of, empty_tables
from tests.waiting import Waiting
from tests.world import BASE, BOOK_ID, INSTANCE, QUOTE, World

NOTHING = (400, 40021, "No orders to cancel.")
ALL = "/trade/orders/all"
LIMIT, GTC = OrderType.LIMIT, TimeInForce.GTC


class Counting:
    """Counts the calls that go to the tables, by operation and table."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()

    def __call__(self, operation: str, call: Call) -> Any:
        self.calls[operation] += 1
        return call()

    def total(self) -> int:
        return self.calls.total()


class Clock(Waiting):
    """Time passes in sleeps only; in each of them all books of the instance are decided, or what is said."""

    def __init__(self, database: Database) -> None:
        super().__init__()
        self._database = database
        self.meanwhile = self.match

    def match(self) -> None:
        redrive_all(self._database, Matcher(self._database, lambda: 10**13))


@pytest.fixture
def desk(memory_database: Database) -> SignedDesk:
    world = World(memory_database)
    desk = open_trade_desk(world)
    for asset in (BASE, QUOTE):
        world.credit("ann", asset, 10**21)
    return desk


@pytest.fixture
def clock(desk: SignedDesk, monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock(desk.world.database)
    monkeypatch.setattr(polling, "time", clock)
    return clock


def another_book(desk: SignedDesk) -> None:
    """Open a book of the two tokens the other way round: its pair is Q_B."""
    book = BookConfig(INSTANCE, "ob_other", "Other", "Q/B", QUOTE, BASE, base_decimals=18)
    desk.world.books.create(book)


def listed(desk: SignedDesk, body: object = None) -> tuple[dict[str, bool], str]:
    """Cancel all; return which orders were listed, with their success, and how many there are by the header."""
    response = desk.delete(ALL, body)
    rows = data_of(response)
    return {row["order_id"]: row["success"] for row in rows}, response.headers["X-Total-Count"]


def commands(desk: SignedDesk) -> list[str]:
    return [row["book"] for row in desk.world.database.scan("inbox") if row["kind"] == "cancel_all"]


def test_each_book_with_live_orders_gets_one_command_and_its_orders_say_why_they_ended(
    desk: SignedDesk, clock: Clock
) -> None:
    another_book(desk)
    here = [data_of(desk.place(price=price))["id"] for price in ("1", "2", "3")]
    there = data_of(desk.place(pair="Q_B", side="sell", amount="5", price="1"))["id"]
    clock.match()
    assert listed(desk) == (dict.fromkeys([there, *reversed(here)], True), "4")
    assert sorted(commands(desk)) == [f"{INSTANCE}/ob_other", f"{INSTANCE}/ob_test"]
    rows = list(desk.world.database.scan("orders"))
    assert {row["reason"] for row in rows} == {CloseReason.CANCEL_ALL}
    assert fault_of(desk.delete(ALL)) == NOTHING
    assert len(commands(desk)) == 2


def test_an_order_that_is_placed_meanwhile_and_closed_too_is_listed(desk: SignedDesk, clock: Clock) -> None:
    first = data_of(desk.place(price="1"))["id"]
    clock.match()
    send = Admission.cancel_all
    placed: list[str] = []

    def place_and_send(admission: Admission, *arguments: str) -> str:
        placed.append(data_of(desk.place(price="2"))["id"])
        return send(admission, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Admission, "cancel_all", place_and_send)
        answer = listed(desk)
    assert answer == ({placed[0]: True, first: True}, "2")
    assert fault_of(desk.delete(ALL)) == NOTHING


def test_an_order_that_comes_after_the_command_stays(desk: SignedDesk, clock: Clock) -> None:
    first = data_of(desk.place(price="1"))["id"]
    clock.match()
    later: list[str] = []

    def place_and_match() -> None:
        if not later:
            later.append(data_of(desk.place(price="2"))["id"])
        clock.match()

    clock.meanwhile = place_and_match
    assert listed(desk) == ({first: True}, "1")
    assert data_of(desk.get(f"/trade/orders/{later[0]}"))["status"] == "open"


def test_a_command_without_its_turn_in_five_seconds_stays_queued_and_its_orders_are_no_success_yet(
    desk: SignedDesk, clock: Clock
) -> None:
    order_id = data_of(desk.place())["id"]
    clock.meanwhile = lambda: None
    assert listed(desk) == ({order_id: False}, "1")
    assert round(clock.slept_s, 3) == 5
    clock.match()
    assert data_of(desk.get(f"/trade/orders/{order_id}"))["status"] == "canceled"


def test_a_command_whose_turn_has_come_is_waited_for_up_to_twenty_seconds(
    desk: SignedDesk, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [data_of(desk.place(price=price))["id"] for price in ("1", "2", "3")]
    clock.match()
    monkeypatch.setattr("chalicelib.services.books.matcher.EVENTS_PER_ENTRY_GROUP", 2)

    def die_after_the_first_group() -> None:
        with monkeypatch.context() as patch:
            patch.setattr("chalicelib.services.books.matcher.Matcher._append", one_group_only())
            clock.match()
        clock.meanwhile = match_later

    def match_later() -> None:
        if clock.slept_s > 12:
            clock.match()

    clock.meanwhile = die_after_the_first_group
    assert listed(desk) == (dict.fromkeys(reversed(ids), True), "3")
    assert 12 < clock.slept_s < 13


def one_group_only() -> Any:
    """Return what stands in for the matcher's append: the second group is not written any more."""
    append, groups = Matcher._append, []

    def append_once(matcher: Matcher, loaded: LoadedBook, pending: Any) -> Any:
        groups.extend(pending.events[:1])
        if len(groups) > 1:
            raise Unavailable("throttled")
        return append(matcher, loaded, pending)

    return append_once


def test_when_the_result_cannot_be_read_the_orders_are_listed_as_not_yet_cancelled(
    desk: SignedDesk, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = data_of(desk.place())["id"]
    with monkeypatch.context() as patch:
        patch.setattr(Inbox, "progress", unavailable)
        assert listed(desk) == ({order_id: False}, "1")
    clock.match()
    assert data_of(desk.get(f"/trade/orders/{order_id}"))["status"] == "canceled"


def test_one_that_cannot_be_queued_changes_nothing(
    desk: SignedDesk, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    data_of(desk.place())
    before = desk.world.tables()
    monkeypatch.setattr(Database, "transact", unavailable)
    assert desk.delete(ALL).status == 503
    assert desk.world.tables() == before
    assert clock.slept_s == 0


# --- many orders -------------------------------------------------------------------------------------------------

MANY = 2_300


def test_thousands_of_orders_cost_the_request_some_calls_for_each_hundred_and_the_matcher_one_for_each_25(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The way before made two calls an order in the request, one after the other: 4,600 here."""
    client = empty_tables()
    world = World(database_of(client))
    desk = open_trade_desk(world)
    world.credit("ann", BASE, MANY)
    for number in range(MANY):
        world.admission.place(INSTANCE, BOOK_ID, OrderRequest("ann", Side.SELL, LIMIT, GTC, 1 + number % 50, 1))
    world.stream_new_commands()
    world.deliver()

    of_request, of_matcher = Counting(), Counting()
    counted: Any = WatchedClient(client, of_matcher)
    clock = Clock(database_of(counted))
    matcher = Matcher(database_of(counted), lambda: world.now_ms)

    def match() -> None:
        world.stream_new_commands()
        if len(world.records) > MANY:
            assert world.deliver(matcher, world.records[MANY:]) == []

    clock.meanwhile = match
    monkeypatch.setattr(polling, "time", clock)
    watched: Any = WatchedClient(client, of_request)
    watching = open_again(desk, database_of(watched))

    response = watching.delete(ALL)

    rows = data_of(response)
    assert (len(rows), response.headers["X-Total-Count"]) == (1_000, str(MANY))
    assert all(row["success"] for row in rows)
    assert not list(world.database.scan("open-orders"))
    assert world.balance("ann", BASE) == (1_000 + MANY, 0)
    assert of_request.calls["transact_write_items"] == 1
    assert of_request.total() < 60
    groups = MANY // 1_000 + 1
    puts_and_deletes = 2 * MANY / 25
    assert of_matcher.calls["batch_execute_statement"] < puts_and_deletes + 10 * groups
    assert of_matcher.total() - of_matcher.calls["batch_execute_statement"] < 30 * groups


def open_again(desk: SignedDesk, database: Database) -> SignedDesk:
    """Return the same desk over another client."""
    other = new_trade_desk(database, master_key=lambda: MASTER_KEY, public_instance=INSTANCE, clock=desk.clock)
    return replace(desk, desk=other)


def test_open_orders_are_read_no_further_than_the_list_where_the_books_are_known(
    desk: SignedDesk, clock: Clock
) -> None:
    """With one open book nothing more can be learnt from the orders after the first thousand."""
    read: list[str] = []
    newest_first = Orders.open_newest_first

    def counted(orders: Orders, *arguments: Any) -> Any:
        for row in newest_first(orders, *arguments):
            read.append(row.order_id)
            yield row

    for price in ("1", "2", "3", "4"):
        data_of(desk.place(price=price))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Orders, "open_newest_first", counted)
        patch.setattr("chalicelib.services.books.cancelling_all.CANCELLED_ROWS_MAX", 2)
        rows, total = listed(desk)
    assert (len(rows), total) == (2, "4")
    assert len(read) == 3
    assert clock.slept_s > 0
