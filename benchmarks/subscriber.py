"""A subscriber that rebuilds books, orders and balances from feed events alone, and notices what should not come.

For tests and benchmarks: whatever feeds it (a log, a long poll, a WebSocket), it must come to what the matcher has.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Subscriber:
    """What the events told so far. Prices, quantities and amounts: ints.

    levels: open quantity by book, side and price. orders: (type of the last event, remaining) by order id.
    filled: quantity by order id, summed over its fills. available, held: changes by (customerRef, asset).
    doubles: events that came again under their id, which are not counted twice. disorders: events that came behind a
    later one of their log.
    """

    levels: dict[str, dict[tuple[str, int], int]] = field(default_factory=lambda: defaultdict(dict))
    orders: dict[str, tuple[str, int]] = field(default_factory=dict)
    filled: Counter[str] = field(default_factory=Counter)
    available: Counter[tuple[str | None, str]] = field(default_factory=Counter)
    held: Counter[tuple[str | None, str]] = field(default_factory=Counter)
    trades: list[str] = field(default_factory=list)
    statuses: dict[str, str] = field(default_factory=dict)
    doubles: int = 0
    disorders: int = 0
    seen: set[str] = field(default_factory=set)
    places: dict[str, tuple[int, int]] = field(default_factory=dict)

    def take(self, event: Mapping[str, Any]) -> bool:
        """Take an event in the form of docs/events.md. Return False if it came before."""
        if event["id"] in self.seen:
            self.doubles += 1
            return False
        self.seen.add(event["id"])
        place = event["sequence"], event["part"]
        self.disorders += place <= self.places.get(event["log"], (0, -1))
        self.places[event["log"]] = place
        self._apply(event["type"], event["body"])
        return True

    def depth(self, book_id: str) -> dict[tuple[str, int], int]:
        """Return the open quantity at each (side, price) of a book."""
        return dict(self.levels[book_id])

    def _apply(self, kind: str, body: Mapping[str, Any]) -> None:
        match kind:
            case "depth.changed":
                levels = self.levels[body["bookId"]]
                for change in body["changes"]:
                    level = change["side"], int(change["price"])
                    levels[level] = levels.get(level, 0) + int(change["change"])
                    if not levels[level]:
                        del levels[level]
            case "trade.executed":
                self.trades.append(body["tradeId"])
            case "fill.created":
                self.filled[body["orderId"]] += int(body["quantity"])
            case "balance.changed":
                account = body["customerRef"], body["asset"]
                self.available[account] += int(body["available"])
                self.held[account] += int(body["held"])
            case "book.changed":
                self.statuses[body["bookId"]] = body["status"]
            case "order.accepted":
                self.orders[body["orderId"]] = kind, int(body["quantity"])
            case "order.parked" | "order.triggered":
                self.orders[body["orderId"]] = kind, self.orders[body["orderId"]][1]
            case _ if "remainingQuantity" in body:
                self.orders[body["orderId"]] = kind, int(body["remainingQuantity"])
