"""Ann's bid, and the amendments of it that are under way."""

from __future__ import annotations

from typing import Any

from chalicelib.domain.ledger.owners import customer_key
from chalicelib.services.books.amending import Queued
from chalicelib.tables.amendments import is_amendment
from chalicelib.tables.inbox import Progress
from chalicelib.tables.rows import Row
from tests.invariants import check_invariants
from tests.scenarios import CREDITED
from tests.world import INSTANCE, World

OWNER = customer_key(INSTANCE, "ann")


def bid(world: World, quantity: int = 10, price: int = 40, **more: Any) -> str:
    """Let ann's bid rest; return its id."""
    order_id = world.placed("ann", "BUY", quantity, price, **more)
    assert world.deliver() == []
    return order_id


def decided(world: World, queued: Queued) -> Progress:
    assert world.deliver() == []
    check_invariants(world, CREDITED)
    return world.outcome(queued)


def under_way(world: World) -> list[Row]:
    return [row for row in world.orders.open_table_rows() if is_amendment(row["order_id"])]
