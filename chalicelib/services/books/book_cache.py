"""Book cache: books that a process keeps in memory from one call to the next, bounded by their open orders (T55).

The memory of a function is configured, the number of open orders is not. So the least recently used books are evicted;
the next call loads them from snapshot and journal.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

from chalicelib.domain.books.snapshot import BookState

V = TypeVar("V")

ORDER_BYTES = 2_560
"""Memory of an open order: 0.7 KB at rest, and about 1.7 KB more while its book is read from a snapshot. Measured with
ids and references of usual length, on Python 3.11."""
PROGRAM_BYTES = 192 * 2**20
"""Memory of the program and its running requests, without books."""
UNBOUNDED_MEMORY_MB = 1024
"""Assumed for a process without a memory limit: the local run, the command line."""
BOOK_WEIGHT = 20
"""Weight of a book without its orders, in orders."""
NAMES_PER_ORDER = 4
NAME_CHARACTERS_PER_ORDER = 175
"""Characters of customerRef and external id, up to 4 bytes each, that weigh as much as an order."""
WEIGHED_ANEW_AFTER = 8
"""Weigh a book again once its number of orders has changed by more than 1/8."""


def cached_orders_max(memory_mb: int = UNBOUNDED_MEMORY_MB) -> int:
    """Return how many open orders a process with this memory caches, of all its books together.

    >>> cached_orders_max(512), cached_orders_max(1024)
    (131072, 340787)
    """
    return max(0, memory_mb * 2**20 - PROGRAM_BYTES) // ORDER_BYTES


class BookCache(Generic[V]):
    """LRU cache of books by key, bounded by the orders that rest in them. Not thread-safe.

    The book kept last is never evicted, however large: it is in use.
    """

    def __init__(self, orders_max: int) -> None:
        self._orders_max = orders_max
        self._kept: OrderedDict[str, tuple[V, BookState]] = OrderedDict()
        self._weights: dict[str, tuple[int, int]] = {}
        """By book: its number of orders when it was weighed, and its weight in orders."""

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: str) -> V | None:
        found = self._kept.get(key)
        return None if found is None else found[0]

    def values(self) -> list[V]:
        """Return the cached books."""
        return [value for value, _ in self._kept.values()]

    def keep(self, key: str, value: V, state: BookState) -> None:
        """Cache a book, and evict others until the total weight is within the bound. state: determines its weight."""
        if key in self._kept and self._kept[key][1] is not state:
            del self._weights[key]
        self._kept[key] = value, state
        self._kept.move_to_end(key)
        self._weigh(key, state)
        while len(self._kept) > 1 and sum(weight for _, weight in self._weights.values()) > self._orders_max:
            self.forget(next(iter(self._kept)))

    def forget(self, key: str) -> None:
        self._kept.pop(key, None)
        self._weights.pop(key, None)

    def _weigh(self, key: str, state: BookState) -> None:
        orders = len(state.book.open_orders)
        weighed, _ = self._weights.get(key, (-1, 0))
        if weighed < 0 or abs(orders - weighed) > weighed // WEIGHED_ANEW_AFTER:
            self._weights[key] = orders, weight_of(state)


def weight_of(state: BookState) -> int:
    """Return the weight of a book in memory, in orders of usual size."""
    orders = state.book.open_orders
    texts = (order.placed.customer + (order.placed.external_id or "") for order in orders.values())
    long_names = sum(len(text) // NAME_CHARACTERS_PER_ORDER for text in texts)
    return BOOK_WEIGHT + len(orders) + long_names + len(state.named) // NAMES_PER_ORDER
