"""The lists of the taker desk: which orders and fills a caller sees, filtered, sorted and counted, a page at a time.

A taker sees an order while it holds its lock, and for ever once it has a fill of it (K2). Its own rows say which orders
these are, and all of an order that never changes and that lists filter and sort by. So what a page costs, of a taker
with n filled orders and k live locks:

| asked for | rows read |
| --- | --- |
| all, by creation | k, the filled ones up to the page's end, the page's orders |
| created within bounds; of a ticker, exchange, side; by price | k, those of the n created so, the page's orders |
| statuses that only locked orders have | k, their orders |
| statuses of orders that have not ended | k, the u created so, the orders of all of these, the page's filled rows |
| other statuses, or by the time of the lock | k, those of the n created so, the orders of all of these |

u: how many of the n have not ended; they have rows of their own, which the end of the order removes.

Rows of orders are read last, as of now, and judged by the clock (K30): an order that the taker saw a moment ago and
sees no more is on no page.
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
"""Rows that are read at a time where all are: as many as a call gives."""
ORDERS_AT_A_TIME = 100
STEADY_TRIES_MAX = 3
STATUSES_UNDER_LOCK = frozenset({Status.LOCKED, Status.PARTIALLY_FILLED})
"""What an order can be while it is locked."""
STATUSES_AFTER_FILL = frozenset(Status) - {Status.PENDING, Status.LOCKED, Status.REJECTED}
"""What an order can be once it has a fill."""

STATUSES_BEFORE_END = frozenset(Status) - FINAL

T = TypeVar("T")


class SortBy(Enum):
    CREATED_AT = "created_at"
    LOCKED_AT = "locked_at"
    PRICE = "price"


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """Filter by what makers signed of their orders; None: any. ticker: in upper case."""

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
    """What a taker asks for. statuses: effective ones, by the clock; none: all. created: Unix seconds."""

    paging: Paging = field(default_factory=Paging)
    sort_by: SortBy = SortBy.CREATED_AT
    statuses: frozenset[Status] = frozenset()
    order_filter: OrderFilter = ANY_ORDER
    created: Bounds = UNBOUNDED

    @property
    def is_plain(self) -> bool:
        """Whether all is asked for, in the order in which a taker's rows stand."""
        return replace(self, paging=Paging()) == OrderQuery()

    @property
    def is_of_orders(self) -> bool:
        """Whether the orders themselves must be looked at to know which ones are asked for."""
        return bool(self.statuses) or self.sort_by is SortBy.LOCKED_AT

    @property
    def is_of_unfinished(self) -> bool:
        """Whether only orders that have not ended are asked for."""
        return bool(self.statuses) and self.statuses <= STATUSES_BEFORE_END

    def may_be(self, statuses: frozenset[Status]) -> bool:
        return not self.statuses or bool(self.statuses & statuses)


@dataclass(frozen=True, slots=True)
class ShownOrder:
    """An order as of now, and what the taker knows of it."""

    order: StoredOrder
    seen: TakenOrder


def as_of(stored: StoredOrder, at_s: int) -> StoredOrder:
    """Return the order as it is at this moment, lapses included (K30)."""
    return replace(stored, state=seen_at(stored.order, stored.state, at_s))


def open_orders(orders: SignedOrders, instance: str, order_filter: OrderFilter, at_s: int) -> list[StoredOrder]:
    """Return the oldest orders that anybody may lock now, 500 at most (K18).

    An index names the candidates, so an order of the last moments may be missing; each is read as of now, so none is
    there that is locked or closed, or of which nothing can be filled any more (K36). Reads all that are neither closed
    nor locked away by the filters until it is full.
    """
    found = (as_of(stored, at_s) for stored in orders.open_orders(instance))
    free = (
        each for each in found if phase_at(each.order, each.state, at_s) is Phase.OPEN and order_filter.fit(each.order)
    )
    return list(islice((each for each in free if each.can_be_filled), AVAILABLE_MAX))


def steady(orders: SignedOrders, instance: str, taker: str, read: Callable[[Counts], T]) -> T:
    """Return what ``read`` makes of the taker's counters and rows, read while no fill of the taker came in between.

    Tried three times; then what was read last, whose total may be behind by the fills of that moment.
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
    """The orders that one taker sees. at_s: now, by which locks and deadlines are judged."""

    orders: SignedOrders
    instance: str
    taker: str
    at_s: int

    def one(self, order_hash: str) -> StoredOrder:
        """Return an order as of now. Raises OrderNotFound where there is none, or none that the taker sees (K8)."""
        stored = self.orders.get(self.instance, order_id_of(order_hash))
        if stored is None or stored.order_hash != order_hash:
            raise OrderNotFound
        order = as_of(stored, self.at_s)
        if not self._is_locked_by_taker(order) and not self.orders.has_filled(self.instance, self.taker, stored):
            raise OrderNotFound
        return order

    def page(self, query: OrderQuery) -> Page[ShownOrder]:
        """Return a page, with the exact number of all orders under the filters (K13)."""
        if query.is_of_orders:
            chunks = batched(self._candidates(query), ORDERS_AT_A_TIME)
            shown = chain.from_iterable(map(self._shown, chunks))
            wanted = (each for each in shown if not query.statuses or each.order.state.status in query.statuses)
            of_orders = page_of(wanted, lambda each: _place_of(query, each), query.paging)
            return replace(of_orders, rows=self._told(of_orders.rows)) if query.is_of_unfinished else of_orders
        if query.is_plain:
            page = steady(self.orders, self.instance, self.taker, lambda counts: self._in_order(counts, query.paging))
        else:
            place = _place_by_price if query.sort_by is SortBy.PRICE else _place
            page = page_of(self._candidates(query), place, query.paging)
        rows = self._shown(page.rows)
        return Page(rows, page.total - len(page.rows) + len(rows), page.paging)

    def _in_order(self, counts: Counts, paging: Paging) -> Page[TakenOrder]:
        """Return a page of all orders as the taker's rows stand, reading up to the page's end."""
        newest_first = not paging.is_ascending
        locked = sorted(self._live_locks(), key=_place, reverse=newest_first)
        total = counts.filled_orders + len(locked)
        if paging.offset >= total:
            return Page([], total, paging)
        filled = self.orders.filled_seen(
            self.instance, self.taker, newest_first=newest_first, page_rows=paging.rows_at_a_time
        )
        # An order that was filled after the locks were read comes twice, side by side; the filled one counts.
        each_once = (next(same) for _, same in groupby(merge(filled, locked, key=_place, reverse=newest_first), _place))
        return Page(list(islice(each_once, paging.offset, paging.end)), total, paging)

    def _candidates(self, query: OrderQuery) -> Iterator[TakenOrder]:
        """Yield what the taker knows of the orders among which all that are wanted are, in no order, each once.

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
        """Return what the taker only holds the lock of; a lock that has lapsed is none (K35)."""
        seen = self.orders.locked_seen(self.instance, self.taker)
        return [each for each in seen if each.lock_expires_at_s is not None and each.lock_expires_at_s > self.at_s]

    def _shown(self, rows: list[TakenOrder]) -> list[ShownOrder]:
        """Return the orders of these rows as of now, those that the taker still sees."""
        found = self.orders.get_many(self.instance, [seen.order_id for seen in rows])
        shown = (ShownOrder(as_of(found[seen.order_id], self.at_s), seen) for seen in rows if seen.order_id in found)
        return [each for each in shown if self._is_seen(each)]

    def _told(self, rows: list[ShownOrder]) -> list[ShownOrder]:
        """Return rows with the references and hashes that the taker gave for those that it has filled."""
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


Place = tuple[Any, ...]
"""What rows are sorted by; ties by the order's hash, in the same direction (K12)."""


def _place(seen: TakenOrder) -> Place:
    return seen.created_at_s, seen.order_hash


def _place_by_price(seen: TakenOrder) -> Place:
    return seen.price, seen.order_hash


def _place_of(query: OrderQuery, shown: ShownOrder) -> Place:
    """Return an order's place; by locks, one that has none is the last in both directions (K12)."""
    if query.sort_by is SortBy.LOCKED_AT:
        lock = shown.order.state.lock
        is_behind = (lock is None) == query.paging.is_ascending
        return is_behind, lock.locked_at_s if lock else 0, shown.seen.order_hash
    return _place_by_price(shown.seen) if query.sort_by is SortBy.PRICE else _place(shown.seen)


def span_of(created: Bounds) -> tuple[int, int]:
    """Return the first and the last second that lie within."""
    return created.least or 0, TIME_S_MAX if created.most is None else created.most


def is_customer(address: str, other: str) -> bool:
    """Tell whether two addresses are the same, however they are written."""
    return customer_of(address) == customer_of(other)
