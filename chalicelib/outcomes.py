"""Outcomes: waiting, a bounded time, until an order's row shows what was decided of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

from chalicelib.stores.orders import OrderRow, Orders

CANCEL_WAIT_S = 5.0
"""How long a request waits for the result of its cancel (T29)."""
POLL_S_MIN, POLL_S_MAX = 0.02, 0.25


class Outcomes:
    def __init__(self, orders: Orders) -> None:
        self._orders = orders

    def first(self, is_result: Callable[[OrderRow], bool], owner: str, order_id: str, wait_s: float) -> OrderRow | None:
        """Return the order once it shows the result; None when that takes longer than the wait. Raises Unavailable."""
        deadline, pause_s = time.monotonic() + wait_s, POLL_S_MIN
        while True:
            row = self._orders.get(owner, order_id)
            if row is not None and is_result(row):
                return row
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                return None
            time.sleep(min(pause_s, left_s))
            pause_s = min(POLL_S_MAX, pause_s * 1.5)

    def all(
        self, is_result: Callable[[OrderRow], bool], owner: str, order_ids: Collection[str], wait_s: float
    ) -> dict[str, OrderRow]:
        """Return those of an owner's orders, by id, that show the result when all do or the wait is over.

        Raises Unavailable.
        """
        deadline, pause_s = time.monotonic() + wait_s, POLL_S_MIN
        found: dict[str, OrderRow] = {}
        while True:
            rows = self._orders.get_many((owner, order_id) for order_id in order_ids if order_id not in found)
            found |= {order_id: row for order_id, row in rows.items() if is_result(row)}
            left_s = deadline - time.monotonic()
            if len(found) == len(order_ids) or left_s <= 0:
                return found
            time.sleep(min(pause_s, left_s))
            pause_s = min(POLL_S_MAX, pause_s * 1.5)


def is_matched(row: OrderRow) -> bool:
    return row.sequence is not None


def is_cancel_decided(row: OrderRow) -> bool:
    return row.cancel_refused or not row.status.is_live
