"""The list of a taker's fills, filtered, sorted and counted, a page at a time.

Cost: without filters and sorted by time, a page reads the rows up to its end. A filter by order reads that order's
fills. Everything else reads all of the taker's fills within the time bounds. Filters by ticker, exchange and side also
read the taker's rows of filled orders.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from enum import Enum
from itertools import islice
from typing import Any

from chalicelib.domain.signed.lifecycle import Status
from chalicelib.domain.signed.order import order_id_of
from chalicelib.domain.signed.paging import UNBOUNDED, Bounds, Page, Paging, page_of
from chalicelib.domain.signed.stored import Counts, Fill
from chalicelib.services.signed.listing import ALL_ROWS, ANY_ORDER, OrderFilter, is_customer, span_of, steady
from chalicelib.tables.signed_orders import SignedOrders


class SortFillsBy(Enum):
    CREATED_AT = "created_at"
    QUANTITY = "fill_quantity"
    AMOUNT = "fill_amount"


@dataclass(frozen=True, slots=True)
class FillQuery:
    """The query of a taker's list of fills; None: no filter. order_id, order_hash, tx_hash: in lower case.

    order_filter: of the filled orders. statuses: the order's, after the fill (K27); empty: all. created: Unix seconds.
    """

    paging: Paging = field(default_factory=Paging)
    sort_by: SortFillsBy = SortFillsBy.CREATED_AT
    order_id: str | None = None
    order_hash: str | None = None
    order_filter: OrderFilter = ANY_ORDER
    taker: str | None = None
    tx_hash: str | None = None
    quantity: Bounds = UNBOUNDED
    amount: Bounds = UNBOUNDED
    fee: Bounds = UNBOUNDED
    incentive: Bounds = UNBOUNDED
    block_number: Bounds = UNBOUNDED
    statuses: frozenset[Status] = frozenset()
    created: Bounds = UNBOUNDED

    @property
    def is_plain(self) -> bool:
        """Whether there is no filter, and the sort order is that of the rows."""
        return replace(self, paging=Paging(), taker=None) == FillQuery()

    @property
    def id_of_order(self) -> str | None:
        """The id of the order that the query is limited to, if any."""
        return self.order_id or (self.order_hash and order_id_of(self.order_hash))

    def has(self, fill: Fill) -> bool:
        return (
            self.order_id in (None, fill.order_id)
            and self.order_hash in (None, fill.order_hash)
            and self.tx_hash in (None, fill.tx_hash)
            and (not self.statuses or fill.status in self.statuses)
            and self.created.hold(fill.created_at_s)
            and self.quantity.hold(fill.quantity)
            and self.amount.hold(fill.amount)
            and self.fee.hold(fill.fee)
            and self.incentive.hold(fill.incentive)
            and self.block_number.hold(fill.block_number)
        )


_SORT_KEYS: dict[SortFillsBy, Callable[[Fill], tuple[Any, ...]]] = {
    SortFillsBy.CREATED_AT: lambda fill: (fill.created_at_s, fill.fill_id),
    SortFillsBy.QUANTITY: lambda fill: (fill.quantity, fill.fill_id),
    SortFillsBy.AMOUNT: lambda fill: (fill.amount, fill.fill_id),
}


@dataclass(frozen=True, slots=True)
class TakerFills:
    """The fills of one taker."""

    orders: SignedOrders
    instance: str
    taker: str

    def page(self, query: FillQuery) -> Page[Fill]:
        """Return a page, with the exact total under the filters (K13). A filter by another taker matches nothing."""
        if query.taker is not None and not is_customer(query.taker, self.taker):
            return Page([], 0, query.paging)
        if query.is_plain:
            return steady(self.orders, self.instance, self.taker, lambda counts: self._in_order(counts, query.paging))
        found = filter(query.has, self._candidates(query))
        if query.order_filter != ANY_ORDER:
            wanted = self._orders_with(query.order_filter)
            found = filter(lambda fill: fill.order_id in wanted, found)
        return page_of(found, _SORT_KEYS[query.sort_by], query.paging)

    def _orders_with(self, order_filter: OrderFilter) -> set[str]:
        """Return the ids of the taker's filled orders that pass the filter."""
        seen = self.orders.filled_seen(self.instance, self.taker, page_rows=ALL_ROWS)
        return {each.order_id for each in seen if order_filter.fit(each)}

    def _in_order(self, counts: Counts, paging: Paging) -> Page[Fill]:
        """Return a page of all fills in the order of their rows, reading up to the page's end."""
        if paging.offset >= counts.fills:
            return Page([], counts.fills, paging)
        fills = self.orders.fills_of_taker(
            self.instance,
            self.taker,
            newest_first=not paging.is_ascending,
            page_rows=paging.rows_at_a_time,
        )
        return Page(list(islice(fills, paging.offset, paging.end)), counts.fills, paging)

    def _candidates(self, query: FillQuery) -> Iterator[Fill]:
        """Return the taker's fills that may match the query, unsorted."""
        if query.id_of_order:
            of_order = self.orders.fills_of(self.instance, query.id_of_order)
            return (fill for fill in of_order if is_customer(fill.taker, self.taker))
        from_s, to_s = span_of(query.created)
        return self.orders.fills_of_taker(self.instance, self.taker, from_s=from_s, to_s=to_s, page_rows=ALL_ROWS)
