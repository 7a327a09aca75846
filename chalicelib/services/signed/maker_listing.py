"""The list of a maker's orders, each with its fills: filtered, sorted and counted, a page at a time.

Cost: a filter by hash or nonce reads one order, everything else all of the maker's orders. Fills are read only for the
orders on the page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum

from chalicelib.domain.signed.lifecycle import Status
from chalicelib.domain.signed.order import order_id_of
from chalicelib.domain.signed.paging import UNBOUNDED, Bounds, Paging, sorted_up_to_page
from chalicelib.domain.signed.stored import Fill, StoredOrder
from chalicelib.services.signed.listing import as_of, is_customer
from chalicelib.support.consistency import Inconsistent
from chalicelib.tables.signed_orders import SignedOrders

FILLS_SHOWN_MAX = 5000
"""Fills of one order on a page of fills (K43)."""
STATUSES_WITH_FILLS = frozenset({Status.PARTIALLY_FILLED, Status.FILLED})


class SortMakersBy(Enum):
    CREATED_AT = "created_at"
    PRICE = "price"
    QUANTITY = "quantity"
    INCENTIVE = "incentive"
    DEADLINE = "deadline"


@dataclass(frozen=True, slots=True)
class MakerQuery:
    """The query of a maker's list of orders; None: no filter. order_hash: in lower case. ticker: in upper case.

    is_ticker_part: match tickers that contain ``ticker``. statuses: effective ones (K30); empty: all. deadline,
    created: Unix seconds. fills_page: the page of each order's fills, from 1.
    """

    paging: Paging = field(default_factory=Paging)
    sort_by: SortMakersBy = SortMakersBy.CREATED_AT
    order_hash: str | None = None
    principal: str | None = None
    ticker: str | None = None
    is_ticker_part: bool = False
    exchange: int | None = None
    asset: str | None = None
    is_buy: bool | None = None
    nonce: int | None = None
    price: Bounds = UNBOUNDED
    quantity: Bounds = UNBOUNDED
    incentive: Bounds = UNBOUNDED
    filled: Bounds = UNBOUNDED
    deadline: Bounds = UNBOUNDED
    created: Bounds = UNBOUNDED
    statuses: frozenset[Status] = frozenset()
    fills_page: int = 1

    def has(self, stored: StoredOrder) -> bool:
        order = stored.order
        return (
            self.order_hash in (None, stored.order_hash)
            and (self.principal is None or is_customer(self.principal, order.principal))
            and (self.asset is None or is_customer(self.asset, order.asset))
            and self._has_ticker(order.ticker)
            and self.exchange in (None, order.exchange)
            and self.is_buy in (None, order.is_buy)
            and self.nonce in (None, order.nonce)
            and self.price.hold(order.price)
            and self.quantity.hold(order.quantity)
            and self.incentive.hold(order.incentive)
            and self.filled.hold(stored.state.filled)
            and self.deadline.hold(order.deadline)
            and self.created.hold(stored.created_at_s)
            and (not self.statuses or stored.state.status in self.statuses)
        )

    def _has_ticker(self, ticker: str) -> bool:
        return self.ticker is None or (self.ticker in ticker if self.is_ticker_part else self.ticker == ticker)


_VALUES: dict[SortMakersBy, Callable[[StoredOrder], int]] = {
    SortMakersBy.CREATED_AT: lambda stored: stored.created_at_s,
    SortMakersBy.PRICE: lambda stored: stored.order.price,
    SortMakersBy.QUANTITY: lambda stored: stored.order.quantity,
    SortMakersBy.INCENTIVE: lambda stored: stored.order.incentive,
    SortMakersBy.DEADLINE: lambda stored: stored.order.deadline,
}


@dataclass(frozen=True, slots=True)
class MakersOrder:
    """An order as of now. fills: a page of them, newest first; None unless it is PARTIALLY_FILLED or FILLED."""

    order: StoredOrder
    fills: list[Fill] | None
    fills_total: int = 0


@dataclass(frozen=True, slots=True)
class MakerOrders:
    """The orders of one maker. at_s: now, for locks and deadlines."""

    orders: SignedOrders
    instance: str
    maker: str
    at_s: int

    def up_to_page(self, query: MakerQuery) -> tuple[list[StoredOrder], int]:
        """Return the orders up to the page's end, and the exact total under the filters (K13)."""
        value = _VALUES[query.sort_by]
        now = (as_of(stored, self.at_s) for stored in self._candidates(query))
        matching = filter(query.has, now)
        return sorted_up_to_page(matching, lambda stored: (value(stored), stored.order_hash), query.paging)

    def one(self, order_id: str, order_hash: str | None) -> StoredOrder | None:
        """Return one of the maker's orders as of now; None if it has none of this id.

        order_hash: if the request named the order by hash. The id has only a part of the hash, so it is compared.
        """
        stored = self.orders.get(self.instance, order_id)
        if stored is None or order_hash not in (None, stored.order_hash):
            return None
        return as_of(stored, self.at_s) if is_customer(stored.order.maker, self.maker) else None

    def with_fills(self, stored: StoredOrder, fills_page: int = 1) -> MakersOrder:
        if stored.state.status not in STATUSES_WITH_FILLS:
            return MakersOrder(stored, None)
        fills = sorted(
            self.orders.fills_of(self.instance, stored.order_id),
            key=lambda fill: (fill.created_at_s, fill.fill_id),
            reverse=True,
        )
        start = (fills_page - 1) * FILLS_SHOWN_MAX
        return MakersOrder(stored, fills[start : start + FILLS_SHOWN_MAX], len(fills))

    def _candidates(self, query: MakerQuery) -> Iterable[StoredOrder]:
        """Return the maker's orders that may match the query, unsorted."""
        if query.order_hash is None and query.nonce is None:
            return self.orders.orders_of_maker(self.instance, self.maker)
        if query.nonce is None:
            if query.order_hash is None:
                raise Inconsistent("a list of one order names it")
            order_id = order_id_of(query.order_hash)
        else:
            found = self.orders.order_of_nonce(self.instance, self.maker, query.nonce)
            if found is None:
                return []
            order_id, _ = found
        stored = self.one(order_id, None)
        return [stored] if stored else []
