"""Orders, and cancels, whose command nobody brings any more: found by their rows, and decided once (T63)."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import Any
from zlib import crc32

import pytest
from msgspec.structs import replace

from chalicelib.domain.books.admission import OrderRequest
from chalicelib.domain.books.vocabulary import CloseReason, OrderStatus, OrderType, PlaceOrder, TimeInForce
from chalicelib.domain.ledger.amounts import Side
from chalicelib.ops.verify.rows import UNDECIDED_MS_MAX
from chalicelib.ops.verify.verifier import Verifier
from chalicelib.services.books import lost_commands
from chalicelib.services.books.admission import Admission, Admitted
from chalicelib.services.books.expiry import Expiring
from chalicelib.services.books.lost_commands import LOST_AFTER_MS, SHARES, SWEEP_EVERY_MS, LostCommands
from chalicelib.services.books.matcher import Matcher
from chalicelib.services.books.redrive import redrive, redrive_all, release
from chalicelib.support.ids import least_id, time_of
from chalicelib.tables.batch_failures import BatchFailures
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.order_rows import admitted_row, placed_of
from chalicelib.tables.writes import Put
from tests.faults import Died, FaultyClient, after_another, raising
from tests.scenarios import Scenario
from tests.world import BASE, BOOK_ID, INSTANCE, QUOTE, World

DAY_MS = 86_400_000


def a_market(world: World) -> None:
    world.placed("ann", "SELL", 100, 50)
    world.deliver()


@pytest.fixture
def world(memory_database: Database) -> World:
    return Scenario(a_market).world(memory_database)


def sweep(world: World, now_ms: int) -> int:
    """Sweep all pages; return how many commands were decided."""
    swept = LostCommands(world.database, world.matcher(), lambda: now_ms)
    return sum(swept.sweep_a_page() for _ in range(20))


def cancel_of(world: World, order_id: str) -> str:
    """Return the id of an order's queued cancel."""
    (row,) = (row for row in world.database.scan("inbox") if row["kind"] == "cancel" and row["order_id"] == order_id)
    return str(row["id"])


def share_at(world: World, order_id: str, hour: int) -> int:
    """Return the share of the orders that a sweep looks at so many hours after the order's cancel is old."""
    return (later(cancel_of(world, order_id)) // SWEEP_EVERY_MS + hour) % SHARES


def later(order_id: str) -> int:
    return time_of(order_id) + LOST_AFTER_MS + 1


def on(world: World, client: Any) -> World:
    """Return the same world on a copy of its tables, or through another client."""
    return world.over(Database(client, world.database._prefix, pause=lambda _: None))


def settled(world: World) -> None:
    Verifier(world.database).verify(world.book)


def test_a_row_tells_the_command_that_was_admitted() -> None:
    every = PlaceOrder(
        "ord_1", "ann", Side.BUY, OrderType.LIMIT, TimeInForce.GTC, 5, 7, 35, True, None, "mine", 1_736_937_000_000
    )
    by_value = replace(every, order_type=OrderType.MARKET, price=None, post_only=False, value=9, expires_at_ms=None)
    stop = replace(every, order_type=OrderType.STOP_LIMIT, post_only=False, stop_price=6)
    trailing = replace(stop, order_type=OrderType.TRAILING, stop_price=None, distance=3)
    iceberg = replace(every, order_type=OrderType.ICEBERG, step=2)
    for order in (every, by_value, stop, trailing, iceberg):
        assert placed_of(admitted_row("inst/customer/ann", "ob", order)) == order


@pytest.mark.parametrize("by", ["sweep", "redrive", "redrive of all"])
def test_an_order_whose_command_is_gone_is_decided_from_its_row(world: World, by: str) -> None:
    resting, market = world.placed("ben", "BUY", 10, 40), world.placed("ben", "BUY", 10)
    world.forget_commands()
    if by == "sweep":
        assert sweep(world, later(market)) == 2
    elif by == "redrive":
        assert redrive(world.database, world.matcher(), world.book) == 2
    else:
        assert redrive_all(world.database, world.matcher()) == {world.book: 2}
    assert world.order("ben", resting).sequence is not None
    assert world.order("ben", market).status is OrderStatus.FILLED
    assert sweep(world, later(market) + SWEEP_EVERY_MS) == 0
    assert redrive(world.database, world.matcher(), world.book) == 0
    settled(world)


def test_post_only_is_not_forgotten(world: World) -> None:
    asked = OrderRequest("ben", Side.BUY, OrderType.LIMIT, TimeInForce.GTC, 60, 10, post_only=True)
    admitted = Admission(world.database).place(INSTANCE, BOOK_ID, asked)
    assert isinstance(admitted, Admitted)
    world.forget_commands()
    assert sweep(world, later(admitted.order.order_id)) == 1
    order = world.order("ben", admitted.order.order_id)
    assert (order.status.is_live, order.filled, order.sequence is None) == (False, 0, False)
    assert world.balance("ben", QUOTE)[1] == 0
    settled(world)


def test_a_cancel_that_the_stream_has_lost_is_decided_within_a_day(world: World) -> None:
    """One of the sweeps of a day looks for it, and no other."""
    (order,) = (row["order_id"] for row in world.database.scan("open-orders"))
    world.cancel("ann", order)
    world.records = []
    first = later(cancel_of(world, order))
    decided = [sweep(world, first + hour * SWEEP_EVERY_MS) for hour in range(2 * SHARES)]
    assert sum(decided) == 1
    assert decided.index(1) < SHARES
    assert world.order("ann", order).reason is CloseReason.USER_CANCELLED
    assert world.balance("ann", BASE)[1] == 0
    settled(world)


def test_a_lost_cancel_is_decided_before_it_disproves_its_book(world: World) -> None:
    """Whichever orders a sweep looks at, and although each sweep begins a little later in its hour than the last."""
    orders = [world.placed("ann", "SELL", 1, 60) for _ in range(40)]
    world.deliver()
    for order in orders:
        world.cancel("ann", order)
    world.records = []
    at_ms = max(later(cancel_of(world, order)) for order in orders)
    at_ms = at_ms // SWEEP_EVERY_MS * SWEEP_EVERY_MS + SWEEP_EVERY_MS - 90_000
    swept = LostCommands(world.database, world.matcher(), lambda: at_ms)
    decided = 0
    while at_ms < time_of(cancel_of(world, orders[0])) + UNDECIDED_MS_MAX:
        decided += swept.sweep_a_page()
        at_ms += 37_000
    assert decided == len(orders)


def test_a_row_that_is_no_cancel_hides_no_other(world: World) -> None:
    """It stands where an order's cancel should, and is passed over."""
    orders = [world.placed("ann", "SELL", 1, 60) for _ in range(40)]
    world.deliver()
    for order in orders:
        world.cancel("ann", order)
    world.records = []
    for row in list(world.database.scan("inbox")):
        if row.get("order_id") in orders[::4]:
            world.database.write(Put("inbox", row | {"kind": "broken"}))
    first = later(cancel_of(world, orders[-1]))
    assert sum(sweep(world, first + hour * SWEEP_EVERY_MS) for hour in range(SHARES)) == 30


def test_t158_a_row_that_does_not_name_its_book_hides_no_cancel(world: World) -> None:
    (row,) = world.database.scan("open-orders")
    world.cancel("ann", row["order_id"])
    world.records = []
    damaged = {name: value for name, value in row.items() if name != "book_id"}
    world.database.put_many("open-orders", [damaged | {"order_id": least_id("ord", time_of(row["order_id"]) - 1)}])
    first = later(cancel_of(world, row["order_id"]))
    assert sum(sweep(world, first + hour * SWEEP_EVERY_MS) for hour in range(SHARES)) == 1


def test_an_order_comes_before_its_cancel(world: World) -> None:
    order = world.placed("ben", "BUY", 10, 40)
    world.cancel("ben", order)
    (place,) = (row for row in world.database.scan("inbox") if row.get("order", {}).get("id") == order)
    world.database.delete_many("inbox", [{"book": place["book"], "command": place["command"]}])
    world.records = []
    hour = next(hour for hour in range(SHARES) if crc32(order.encode()) % SHARES == share_at(world, order, hour))
    assert sweep(world, later(cancel_of(world, order)) + hour * SWEEP_EVERY_MS) == 2
    assert world.order("ben", order).reason is CloseReason.USER_CANCELLED
    settled(world)


def test_the_cancels_of_a_parked_book_are_kept_until_it_is_released(world: World) -> None:
    (order,) = (row["order_id"] for row in world.database.scan("open-orders"))
    world.cancel("ann", order)
    world.records = []
    before = world.failed_batches.of(world.book)
    assert before is not None
    now_ms = later(cancel_of(world, order))
    world.failed_batches.note(world.book, before, BatchFailures(5, now_ms, order, "broken", now_ms))
    assert [sweep(world, now_ms + hour * SWEEP_EVERY_MS) for hour in range(SHARES)] == [0] * SHARES
    (row,) = (row for row in world.database.scan("inbox") if row["kind"] == "cancel")
    assert row["kept"]
    assert release(world.database, Matcher(world.database, lambda: now_ms, takes_parked=True), world.book) == 1
    assert world.order("ann", order).reason is CloseReason.USER_CANCELLED


def test_cancels_are_redriven_in_the_order_of_their_arrival(world: World) -> None:
    """Not in that of their keys, which are their orders': what comes before a cancel may still fill its order."""
    (order,) = (row["order_id"] for row in world.database.scan("open-orders"))
    fills = world.placed("ben", "BUY", 30, 50)
    world.cancel("ann", order)
    comes_late = world.placed("ben", "BUY", 30, 50)
    second = world.placed("cat", "SELL", 10, 60)
    world.cancel("cat", second)
    world.records = []
    assert redrive(world.database, world.matcher(), world.book) == 5
    assert (world.order("ann", order).filled, world.order("ann", order).reason) == (30, CloseReason.USER_CANCELLED)
    assert (world.order("ben", fills).filled, world.order("ben", comes_late).filled) == (30, 0)
    settled(world)


def test_what_the_stream_may_still_bring_is_left_to_it(world: World) -> None:
    order = world.placed("ben", "BUY", 10, 40)
    assert sweep(world, time_of(order) + LOST_AFTER_MS) == 0
    assert world.order("ben", order).sequence is None


def test_a_cancel_that_is_younger_than_its_order_is_left_to_the_stream(world: World) -> None:
    """The order is old, its cancel is not: the stream still has it."""
    (order,) = (row["order_id"] for row in world.database.scan("open-orders"))
    young = later(order) + DAY_MS
    new_id = lambda _: f"cxl_{least_id('x', young).partition('_')[2]}"  # noqa: E731
    assert Admission(world.database, new_id=new_id).cancel(INSTANCE, "ann", order)
    assert [sweep(world, later(order) + hour * SWEEP_EVERY_MS) for hour in range(SHARES)] == [0] * SHARES
    assert world.order("ann", order).status.is_live


def test_the_inbox_and_the_rows_are_redriven_in_the_order_of_arrival(world: World) -> None:
    """The oldest order has lost its command, the next one not: the oldest is served first."""
    first, second = world.placed("ben", "BUY", 50, 50), world.placed("cat", "BUY", 60, 50)
    (gone,) = (row for row in world.database.scan("inbox") if row.get("order", {}).get("id") == first)
    world.database.delete_many("inbox", [{"book": gone["book"], "command": gone["command"]}])
    assert redrive(world.database, world.matcher(), world.book) == 2
    assert world.order("ben", first).status is OrderStatus.FILLED
    assert world.order("cat", second).filled == 50


def test_a_row_that_is_behind_the_journal_is_not_decided_again(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """The table of orders was restored to an earlier moment; the order has traded since."""
    order = world.placed("ben", "BUY", 10, 50)
    (before,) = (row for row in world.database.scan("open-orders") if row["order_id"] == order)
    world.now_ms = time_of(order)
    world.deliver()
    world.database.put_many("open-orders", [before])
    entries = len(list(world.database.scan("journal")))
    world.forget_commands()
    with caplog.at_level(logging.ERROR):
        assert sweep(world, later(order)) == 0
        assert redrive(world.database, world.matcher(), world.book) == 0
    assert len(list(world.database.scan("journal"))) == entries
    assert "rows are behind the journal" in caplog.text


@pytest.mark.parametrize("dies", [False, True], ids=["goes on", "dies with its commit"])
@pytest.mark.parametrize("by", ["sweep", "redrive", "redrive of all"])
def test_a_row_that_the_stream_decides_meanwhile_is_not_behind(
    world: World, by: str, dies: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Whichever read of the sweep or redrive the stream's matcher comes before, and whether or not it projects."""
    orders = [world.placed("ben", "BUY", 10, 50), world.placed("ben", "BUY", 10, 40)]
    world.now_ms = time_of(orders[0])

    def run(over: World) -> None:
        if by == "sweep":
            sweep(over, later(orders[-1]))
        elif by == "redrive":
            redrive(over.database, over.matcher(), over.book)
        else:
            redrive_all(over.database, over.matcher())

    client: Any = world.database._client
    counting = FaultyClient(client.clone(), after_another(lambda: None))
    run(on(world, counting))
    for at in range(1, counting.calls + 1):
        tables: Any = client.clone()
        beside = on(world, tables)
        if dies:
            client_that_dies = FaultyClient(tables, raising(Died(), after=True), at=1, operation="put_item")
            beside = on(world, client_that_dies)

        def deliver(beside: World = beside) -> None:
            with suppress(Died):
                beside.deliver()

        over = on(world, FaultyClient(tables, after_another(deliver), at=at))
        run(over)
        assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
        over.deliver()
        assert [over.order("ben", order).sequence for order in orders] == [2, 2]
        settled(over)


def test_a_journal_that_is_too_long_to_look_through_is_left_to_redrive(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = world.placed("ben", "BUY", 10, 40)
    world.forget_commands()
    monkeypatch.setattr(lost_commands, "JOURNAL_ENTRIES_MAX", 0)
    monkeypatch.setattr(lost_commands, "CLOCKS_DIFFER_MS", 10**12)
    assert sweep(world, later(order)) == 0
    assert redrive(world.database, world.matcher(), world.book) == 1


def test_a_book_that_fails_keeps_no_other_waiting(world: World) -> None:
    order = world.placed("ben", "BUY", 10, 40)
    (row,) = (row for row in world.database.scan("open-orders") if row["order_id"] == order)
    world.database.put_many("open-orders", [row | {"owner": "inst_none/customer/zoe", "book_id": "ob_none"}])
    world.database.put_many(
        "open-orders", [{n: v for n, v in row.items() if n != "hold"} | {"owner": "inst_old/customer/x"}]
    )
    world.forget_commands()
    assert sweep(world, later(order)) == 1


def test_whoever_looks_at_expiries_sweeps_between_looks_once_an_hour(world: World) -> None:
    now_ms = [0]
    order = world.placed("ben", "BUY", 10, 40)
    world.forget_commands()
    now_ms[0] = later(order)
    looks = iter([True, True, True, False])
    Expiring(world.database, world.matcher(), lambda: now_ms[0]).run(lambda: next(looks), lambda _: None)
    assert world.order("ben", order).sequence is not None
