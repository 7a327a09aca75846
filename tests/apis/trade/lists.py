"""What tests of lists share: a desk at a fixed time, and pages as they are sent."""

from __future__ import annotations

from typing import Any

from chalicelib.apis.trade.ids import shown
from tests.apis.trade.desk import SignedDesk, data_of
from tests.apis.trade.rows import an_order, id_at, put_orders

NOW_MS = 1_741_089_600_000
"""2025-03-04T12:00:00.000Z: the time of these tests' desks."""
DAY_MS = 86_400_000
LIST, OPEN_LIST = "/trade/orders", "/trade/orders/open"
INVALID = "Invalid parameters: {}."


def put_many(desk: SignedDesk, count: int, from_ms: int = NOW_MS - DAY_MS, **facts: Any) -> list[str]:
    """Store so many orders of ann, a ms apart; return their ids as shown, newest first."""
    rows = [an_order(order_id=id_at("ord", from_ms + number), **facts) for number in range(count)]
    put_orders(desk.world.database, rows)
    return [shown(row.order_id) for row in reversed(rows)]


def page(desk: SignedDesk, path: str = LIST, **query: Any) -> dict[str, Any]:
    """Return a page of orders; where the list needs a pair, of the usual one."""
    page: dict[str, Any] = data_of(desk.get(path, ({"pair": "B_Q"} if path == LIST else {}) | query))
    assert list(page) == ["orders", "pagination", "nc", "pc"]
    return page


def ids_of(page: dict[str, Any]) -> list[str]:
    return [row["id"] for row in page["orders"]]
