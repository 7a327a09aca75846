"""The order book of an instrument: its open orders, summed by price.

The book is as of a second: requests within it share one reading, because anybody may ask. Cost: at most
``ORDERS_READ_MAX`` of the instance's open orders, the oldest, a second and process.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice

from chalicelib.domain.ledger.amounts import unit
from chalicelib.domain.ledger.tokens import Token
from chalicelib.domain.signed.order import DECIMALS_MAX, customer_of
from chalicelib.domain.signed.stored import StoredOrder
from chalicelib.services.ledger.reading import LedgerReading
from chalicelib.services.signed.listing import OrderFilter, free_orders
from chalicelib.support.bounded_cache import BoundedCache
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.signed_orders import SignedOrders

ORDERS_READ_MAX = 1000
INSTANCES_MAX = 10


@dataclass(frozen=True, slots=True)
class Level:
    """A price level. price: 10**-18 of the quote for a share. volume: 10**-18 shares."""

    price: int
    volume: int


@dataclass(frozen=True, slots=True)
class Book:
    """asks: what can be bought, cheapest first. bids: what can be sold, dearest first."""

    asks: list[Level]
    bids: list[Level]


class OpenBooks:
    def __init__(self, database: Database) -> None:
        self._orders = SignedOrders(database)
        self._ledger = LedgerReading(database)
        self._read: BoundedCache[str, tuple[int, list[StoredOrder]]] = BoundedCache(INSTANCES_MAX)
        """By instance: the second, and its open orders then."""

    def book(self, instance: str, exchange: int, ticker: str, at_s: int) -> Book:
        """Return an instrument's book. Orders that nobody could lock or fill now are not in it."""
        asked = OrderFilter(ticker, exchange)
        orders = [stored for stored in self._open(instance, at_s) if asked.fit(stored.order)]
        quotes = self._ledger.tokens_by_address(instance, {customer_of(stored.order.asset) for stored in orders})
        asks = _levels((stored for stored in orders if not stored.order.is_buy), quotes)
        bids = _levels((stored for stored in orders if stored.order.is_buy), quotes)
        return Book(asks, bids[::-1])

    def _open(self, instance: str, at_s: int) -> list[StoredOrder]:
        known = self._read.get(instance)
        if known is None or known[0] != at_s:
            oldest = islice(self._orders.open_orders(instance), ORDERS_READ_MAX)
            known = at_s, list(free_orders(oldest, at_s))
            self._read.set(instance, known)
        return known[1]


def _levels(orders: Iterable[StoredOrder], quotes: Mapping[str, Token]) -> list[Level]:
    """Return the levels of these orders, cheapest first. Quotes of other decimals are compared as whole ones."""
    volumes: dict[int, int] = {}
    for stored in orders:
        price = stored.order.price * unit(DECIMALS_MAX - quotes[customer_of(stored.order.asset)].decimals)
        left = stored.order.quantity - stored.state.filled
        volumes[price] = volumes.get(price, 0) + left * unit(DECIMALS_MAX - stored.stock_decimals)
    return [Level(price, volumes[price]) for price in sorted(volumes)]
