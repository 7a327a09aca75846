"""No command of any kind makes or loses money: drawn commands of two takers and a maker, most of them refused."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from tests.apis.taker.cases import listed_hashes, new_order, of_maker, totals
from tests.apis.taker.desk import AAPL, MAKER, QUOTE, Desk, data_of, new_desk
from tests.case_tables import cases


def _some_command(desk: Desk, draw: random.Random, orders: list[str]) -> None:
    """Give any command, by any taker, to any of the orders; most of them are refused."""
    order_hash = draw.choice(orders)
    taker = draw.choice([desk, desk.as_other])
    quantity = draw.choice([1, 7, 250, 999])
    commands: list[Callable[[], Any]] = [
        lambda: orders.append(new_order(desk, is_buy=draw.random() < 0.5, deadline=desk.clock.now_s + 900)),
        lambda: taker.lock(order_hash, lock_duration=draw.choice([10, 300])),
        lambda: taker.lock(order_hash),
        lambda: taker.fill(order_hash, quantity),
        lambda: taker.fill(order_hash, quantity, reference_id="often", taker_incentive="0"),
        lambda: taker.unlock(order_hash),
        lambda: taker.reject(order_hash),
        lambda: desk.cancel(order_hash),
        lambda: taker.cancel_result(order_hash, draw.random() < 0.5),
        lambda: desk.clock.advance(draw.choice([1, 10, 200])),
        lambda: desk.commands().sweep(),
    ]
    weights = [2, 4, 4, 8, 2, 1, 1, 1, 2, 3, 1]
    draw.choices(commands, weights)[0]()


@pytest.mark.parametrize("seed", cases(*((f"seed {seed}", seed) for seed in range(4))))
def test_no_command_makes_or_loses_money_and_held_is_what_live_orders_hold(seed: int) -> None:
    desk, draw = new_desk(), random.Random(seed)
    desk.change_settings(fee_bps=37)
    orders = [new_order(desk, deadline=desk.clock.now_s + 900)]
    before = totals(desk)
    for _ in range(120):
        _some_command(desk, draw, orders)
        assert totals(desk) == before
        live = [row for row in desk.database.scan("signed-orders") if row["entry"] == "order"]
        assert desk.balance(MAKER, QUOTE)[1] == sum(row["hold_quote"] for row in live)
        assert desk.balance(MAKER, AAPL)[1] == sum(row["hold_stock"] for row in live)
    for order_hash in orders:
        row = of_maker(desk, order_hash)
        assert int(row["filled_quantity"]) <= int(row["quantity"])
    mine = listed_hashes(desk, "page_size=100")
    assert len(mine) == len(set(mine)) == data_of(desk.get("/takers/orders"))["total"]
