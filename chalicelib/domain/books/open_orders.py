"""All open orders of a book by id, as one read-only mapping over those that rest and those that are parked.

The two are kept apart because an order that trades looks up resting orders alone: among 100,000 parked ones each of its
look-ups would miss the processor's caches.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from chalicelib.domain.books.levels import OpenOrder
from chalicelib.domain.books.triggers import Waiting


class OpenOrders(Mapping[str, OpenOrder]):
    """A view: it changes with the book. The resting orders come first, then the parked ones, each as they came."""

    __slots__ = ("_parked", "_resting")

    def __init__(self, resting: Mapping[str, OpenOrder], parked: Mapping[str, Waiting]) -> None:
        self._resting = resting
        self._parked = parked

    def __getitem__(self, order_id: str) -> OpenOrder:
        order = self._resting.get(order_id)
        return self._parked[order_id].order if order is None else order

    def __contains__(self, order_id: object) -> bool:
        return order_id in self._resting or order_id in self._parked

    def __iter__(self) -> Iterator[str]:
        yield from self._resting
        yield from self._parked

    def __len__(self) -> int:
        return len(self._resting) + len(self._parked)
