"""The lists of the taker desk: which orders and fills a caller sees, filtered, sorted and counted, a page at a time.

A taker sees an order while it holds the order's lock, and for ever once it has filled a part of it (K2). The taker's
own rows list these orders, with the unchanging fields that lists filter and sort by. A page of a taker with n filled
orders, u of them unfinished (not ended), and k live locks costs:

| query | rows read |
| --- | --- |
| no filter, by creation time | k, the n up to the page's end, the page's orders |
| by creation time, ticker, exchange, side or price | k, the n within the time bounds, the page's orders |
| statuses that only locked orders have | k, their orders |
| statuses of unfinished orders | k, the u within the time bounds, the orders of all of these, the page's filled rows |
| other statuses, or sorted by lock time | k, the n within the time bounds, the orders of all of these |

Unfinished orders have rows of their own, which the end of the order removes.

The orders' own rows are read last, as of now, and judged by the clock (K30): an order that the taker no longer sees is
on no page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import Enum
from heapq import merge
from itertools import chain, groupby, islice
from typing import Any, TypeVar

from chalicelib.domain.signed.faults import OrderNotFound
from chalicelib.domain.signed.lifecycle import FINAL, Phase, Status, phase_at, seen_at
from chalicelib.domain.signed.order import TIME_S_MAX, SignedOrder, customer_of, order_id_of
from chalicelib.domain.signed.paging import UNBOUNDED, Bounds, Page, Paging, page_of
from chalicelib.domain.signed.stored import Counts, StoredOrder, TakenOrder
from chalicelib.tables.dynamodb import batched
from chalicelib.tables.signed_orders import SignedOrders

AVAILABLE_MAX = 500
ALL_ROWS = 5000
"""Rows a read where all rows are read: as many as one call returns."""
ORDERS_AT_A_TIME = 100
STEADY_TRIES_MAX = 3
STATUSES_UNDER_LOCK = frozenset({Status.LOCKED, Status.PARTIALLY_FILLED})
"""Statuses possible while an order is locked."""
STATUSES_AFTER_FILL = frozenset(Status) - {Status.PENDING, Status.LOCKED, Status.REJECTED}
"""Statuses possible once an order has a fill."""

STATUSES_BEFORE_END = frozenset(Status) - FINAL

T = TypeVar("T")


class SortBy(Enum):
    CREATED_AT = "created_at"
    LOCKED_AT = "locked_at"
    PRICE = "price"


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """Filter by signed fields of orders; None: any. ticker: in upper case."""

    ticker: str | None = None
    exchange: int | None = None
    is_buy: bool | None = None

    def fit(self, order: SignedOrder | TakenOrder) -> bool:
        return (
            self.ticker in (None, order.ticker)
            and self.exchange in (None, order.exchange)
            and self.is_buy in (None, order.is_buy)
        )


ANY_ORDER = OrderFilter()


@dataclass(frozen=True, slots=True)
class OrderQuery:
    """The query of a taker's list of orders. statuses: effective ones (K30); empty: all. created: Unix seconds."""

    paging: Paging = field(default_factory=Paging)
    sort_by: SortBy = SortBy.CREATED_AT
    statuses: frozenset[Status] = frozenset()
    order_filter: OrderFilter = ANY_ORDER
    created: Bounds = UNBOUNDED

    @property
    def is_plain(self) -> bool:
        """Whether there is no filter, and the sort order is that of the taker's rows."""
        return replace(self, paging=Paging()) == OrderQuery()

    @property
    def is_of_orders(self) -> bool:
        """Whether filtering or sorting needs the orders' own rows."""
        return bool(self.statuses) or self.sort_by is SortBy.LOCKED_AT

    @property
    def is_of_unfinished(self) -> bool:
        """Whether the query asks only for orders that have not ended."""
        return bool(self.statuses) and self.statuses <= STATUSES_BEFORE_END

    def may_be(self, statuses: frozenset[Status]) -> bool:
        return not self.statuses or bool(self.statuses & statuses)


@dataclass(frozen=True, slots=True)
class ShownOrder:
    """An order as of now, and the taker's own row of it."""

    order: StoredOrder
    seen: TakenOrder


def as_of(stored: StoredOrder, at_s: int) -> StoredOrder:
    """Return the order as of a moment, lapses included (K30)."""
    return replace(stored, state=seen_at(stored.order, stored.state, at_s))


def open_orders(orders: SignedOrders, instance: str, order_filter: OrderFilter, at_s: int) -> list[StoredOrder]:
    """Return the oldest orders that anybody may lock now, 500 at most (K18).

    An index names the candidates, so the newest orders may be missing. Each candidate is read as of now, so no order
    is locked, closed or unfillable (K36). Reads the open orders until 500 pass the filter.
    """
    free = free_orders(orders.open_orders(instance), at_s)
    return list(islice((each for each in free if order_filter.fit(each.order)), AVAILABLE_MAX))


def free_orders(orders: Iterable[StoredOrder], at_s: int) -> Iterator[StoredOrder]:
    """Yield those orders, as of now, that can be locked and filled."""
    found = (as_of(stored, at_s) for stored in orders)
    free = (each for each in found if phase_at(each.order, each.state, at_s) is Phase.OPEN)
    return (each for each in free if each.can_be_filled)


def steady(orders: SignedOrders, instance: str, taker: str, read: Callable[[Counts], T]) -> T:
    """Return what ``read`` makes of the taker's counters and rows, both of one moment.

    Reads again if a fill of the taker came in between, three times at most; then the total may lag by those fills.
    """
    counts = orders.counts(instance, taker)
    for _ in range(STEADY_TRIES_MAX):
        result = read(counts)
        before, counts = counts, orders.counts(instance, taker)
        if counts == before:
            break
    return result


@dataclass(frozen=True, slots=True)
class TakerOrders:
    """The orders visible to one taker. at_s: now, for locks and deadlines."""

    orders: SignedOrders
    instance: str
    taker: str
    at_s: int

    def one(self, order_hash: str) -> StoredOrder:
        """Return an order as of now. Raises OrderNotFound where the taker sees no such order (K8)."""
        stored = self.orders.get(self.instance, order_id_of(order_hash))
        if stored is None or stored.order_hash != order_hash:
            raise OrderNotFound
        order = as_of(stored, self.at_s)
        if not self._is_locked_by_taker(order) and not self.orders.has_filled(self.instance, self.taker, stored):
            raise OrderNotFound
        return order

    def page(self, query: OrderQuery) -> Page[ShownOrder]:
        """Return a page, with the exact total under the filters (K13)."""
        if query.is_of_orders:
            chunks = batched(self._candidates(query), ORDERS_AT_A_TIME)
            shown = chain.from_iterable(map(self._shown, chunks))
            wanted = (each for each in shown if not query.statuses or each.order.state.status in query.statuses)
            of_orders = page_of(wanted, lambda each: _sort_key(query, each), query.paging)
            return (
                replace(of_orders, rows=self._with_references(of_orders.rows)) if query.is_of_unfinished else of_orders
            )
        if query.is_plain:
            page = steady(self.orders, self.instance, self.taker, lambda counts: self._in_order(counts, query.paging))
        else:
            sort_key = _by_price if query.sort_by is SortBy.PRICE else _by_time
            page = page_of(self._candidates(query), sort_key, query.paging)
        rows = self._shown(page.rows)
        return Page(rows, page.total - len(page.rows) + len(rows), page.paging)

    def _in_order(self, counts: Counts, paging: Paging) -> Page[TakenOrder]:
        """Return a page of all orders in the order of the taker's rows, reading up to the page's end."""
        newest_first = not paging.is_ascending
        locked = sorted(self._live_locks(), key=_by_time, reverse=newest_first)
        total = counts.filled_orders + len(locked)
        if paging.offset >= total:
            return Page([], total, paging)
        filled = self.orders.filled_seen(
            self.instance, self.taker, newest_first=newest_first, page_rows=paging.rows_at_a_time
        )
        # An order filled after the locks were read comes twice, side by side; the filled one is first.
        each_once = (
            next(same) for _, same in groupby(merge(filled, locked, key=_by_time, reverse=newest_first), _by_time)
        )
        return Page(list(islice(each_once, paging.offset, paging.end)), total, paging)

    def _candidates(self, query: OrderQuery) -> Iterator[TakenOrder]:
        """Yield the taker's rows that may match the query, unsorted, one for each order.

        Locks are read first: an order that is filled in between comes as a filled one.
        """
        locks = self._live_locks() if query.may_be(STATUSES_UNDER_LOCK) else ()
        locked = {seen.order_hash: seen for seen in locks if query.created.hold(seen.created_at_s)}
        filled: Iterable[TakenOrder] = ()
        if query.may_be(STATUSES_AFTER_FILL):
            from_s, to_s = span_of(query.created)
            read = self.orders.unfinished_seen if query.is_of_unfinished else self.orders.filled_seen
            filled = read(self.instance, self.taker, from_s=from_s, to_s=to_s, page_rows=ALL_ROWS)
        for seen in filled:
            locked.pop(seen.order_hash, None)
            if query.order_filter.fit(seen):
                yield seen
        yield from filter(query.order_filter.fit, locked.values())

    def _live_locks(self) -> list[TakenOrder]:
        """Return the taker's rows of orders that it has locked and not filled; lapsed locks do not count (K35)."""
        seen = self.orders.locked_seen(self.instance, self.taker)
        return [each for each in seen if each.lock_expires_at_s is not None and each.lock_expires_at_s > self.at_s]

    def _shown(self, rows: list[TakenOrder]) -> list[ShownOrder]:
        """Return the orders of these rows as of now, without those that the taker no longer sees."""
        found = self.orders.get_many(self.instance, [seen.order_id for seen in rows])
        shown = (ShownOrder(as_of(found[seen.order_id], self.at_s), seen) for seen in rows if seen.order_id in found)
        return [each for each in shown if self._is_seen(each)]

    def _with_references(self, rows: list[ShownOrder]) -> list[ShownOrder]:
        """Return rows with the reference_id and tx_hash that the taker gave for its filled orders."""
        of_filled = (each.order for each in rows if each.seen.is_filled)
        filled = self.orders.seen_filled(self.instance, self.taker, of_filled)
        return [replace(each, seen=filled.get(each.seen.order_hash, each.seen)) for each in rows]

    def _is_seen(self, shown: ShownOrder) -> bool:
        return (
            shown.seen.is_filled
            or self._is_locked_by_taker(shown.order)
            or self.orders.has_filled(self.instance, self.taker, shown.order)
        )

    def _is_locked_by_taker(self, order: StoredOrder) -> bool:
        lock = order.state.lock
        return lock is not None and lock.is_held_by(self.taker)


SortKey = tuple[Any, ...]
"""The sort key of a row; ties by the order's hash, in the same direction (K12)."""


def _by_time(seen: TakenOrder) -> SortKey:
    return seen.created_at_s, seen.order_hash


def _by_price(seen: TakenOrder) -> SortKey:
    return seen.price, seen.order_hash


def _sort_key(query: OrderQuery, shown: ShownOrder) -> SortKey:
    """Return an order's sort key. By lock time, orders without a lock come last in both directions (K12)."""
    if query.sort_by is SortBy.LOCKED_AT:
        lock = shown.order.state.lock
        is_behind = (lock is None) == query.paging.is_ascending
        return is_behind, lock.locked_at_s if lock else 0, shown.seen.order_hash
    return _by_price(shown.seen) if query.sort_by is SortBy.PRICE else _by_time(shown.seen)


def span_of(created: Bounds) -> tuple[int, int]:
    """Return the first and the last second within the bounds."""
    return created.least or 0, TIME_S_MAX if created.most is None else created.most


def is_customer(address: str, other: str) -> bool:
    """Tell whether two addresses are the same, in any case."""
    return customer_of(address) == customer_of(other)
