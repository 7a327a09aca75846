"""Fixtures: one world with everything that can happen to a book; each test gets its own copy."""

from __future__ import annotations

import random
from typing import Any

import pytest

from chalicelib.domain.books.vocabulary import BookStatus, OrderStatus
from tests.in_memory import database_of, empty_tables
from tests.ops.verify.hands import FUNDS, Built
from tests.world import BASE, QUOTE, World

CUSTOMERS = ("ann", "ben", "cat")


@pytest.fixture(scope="session")
def built() -> Built:
    client = empty_tables()
    world = World(database_of(client), maker_fee_bps=500, taker_fee_bps=900)
    for customer in (*CUSTOMERS, "dan", "eve"):
        world.credit(customer, BASE, FUNDS)
        world.credit(customer, QUOTE, FUNDS)
    world.move("ann", None, QUOTE, 1_000, reference="payout 17")
    world.move("ann", "ben", QUOTE, 2_000, metadata='{"for":"rent"}')
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("chalicelib.domain.books.snapshot.SNAPSHOT_AFTER_BYTES_MIN", 1_800)
        _live_through_everything(world)
    earlier_depth = world.database.get("books", {"book": world.book, "part": "depth"})
    assert earlier_depth is not None
    world.placed("eve", "SELL", 7, 100, "GTC")
    world.placed("dan", "BUY", 7, 100, "IOC")
    assert world.deliver(records=world.records[-2:]) == []
    return Built(client, world, earlier_depth)


def _live_through_everything(world: World) -> None:
    """Place, cross, cancel, pause, resume in batches; let an order expire; leave bids and an ask far from 100."""
    draw, matcher, at = random.Random(7), world.matcher(), 0

    def deliver() -> None:
        nonlocal at
        assert world.deliver(matcher, world.records[at:]) == []
        at = len(world.records)

    for batch in range(7):
        for _ in range(8):
            customer, side = draw.choice(CUSTOMERS), draw.choice(["BUY", "SELL"])
            price = draw.choice([None, *range(97, 104)])
            order = world.placed(customer, side, draw.randint(1, 50), price, draw.choice(["GTC", "GTC", "IOC", "FOK"]))
            if draw.random() < 0.3:
                world.cancel(customer, order)
        if batch == 3:  # orders admitted before the pause are decided after it
            world.change_status(BookStatus.PAUSED)
            world.records.insert(at, world.records.pop())
        deliver()
        if batch == 3:
            world.change_status(BookStatus.ACTIVE)
            deliver()
    world.placed("ann", "BUY", 3_000, 104)
    world.placed("ann", "SELL", 3_000, 96)  # trades with itself and with the remaining orders
    for row in list(world.orders.open_rows()):
        world.cancel(row["customer"], row["order_id"])
    deliver()
    world.placed("ben", "BUY", 40, 90)
    world.placed("ben", "BUY", 5, 90)
    world.placed("cat", "SELL", 30, 110)
    deliver()
    world.placed("cat", "SELL", 3, 120, expires_at_ms=world.now_ms + 2)
    deliver()
    world.now_ms += 2
    partial = world.placed("ben", "BUY", 9, 91)
    world.placed("cat", "SELL", 2, 91, "IOC")
    deliver()
    assert world.order("ben", partial).status is OrderStatus.PARTIALLY_FILLED


@pytest.fixture
def world(built: Built) -> World:
    client: Any = built.client.clone()
    return built.world.over(database_of(client))
