"""Endpoints: list a customer's orders, and its open ones (R16 to R22).

Lists have the orders of both desks in every book that has or had the pair. A list reads the orders of its page and
those that it counts, or only live ones if the filters want no others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.apis.trade.envelope import Envelope, invalid
from chalicelib.apis.trade.figures import STATUS_WORDS, side_word, type_word
from chalicelib.apis.trade.gate import Caller
from chalicelib.apis.trade.ids import ulid_of
from chalicelib.apis.trade.paging import Paging, page_of
from chalicelib.apis.trade.pairs import Market, Pairs
from chalicelib.apis.trade.query import Query, order_id_of
from chalicelib.apis.trade.views import order_view
from chalicelib.apis.trade.window import Window
from chalicelib.domain.books.orders import OrderRow
from chalicelib.domain.books.vocabulary import OrderStatus, OrderType
from chalicelib.domain.ledger.amounts import Side
from chalicelib.services.books.reading import ENTRIES_MAX, BooksReading, TooManyEntries
from chalicelib.support.consistency import Inconsistent

IDS_MAX = 10
STATUSES = frozenset(STATUS_WORDS.values())
LIVE_STATUSES = frozenset(STATUS_WORDS[status] for status in OrderStatus if status.is_live)
SIDES = frozenset(map(side_word, Side))
TYPES = frozenset(map(type_word, OrderType))


@dataclass(frozen=True, slots=True)
class Filters:
    """The filters of a list of orders; None: no filter. With order_ids, there is no window.

    updated_since_ms: when an order was admitted or changed last, at the earliest (R63).
    """

    statuses: frozenset[str] = frozenset()
    side: str | None = None
    order_type: str | None = None
    order_ids: tuple[str, ...] = ()
    window: Window | None = None
    updated_since_ms: int | None = None

    @property
    def wants_live_ones_only(self) -> bool:
        return bool(self.statuses) and self.statuses <= LIVE_STATUSES

    def has(self, row: OrderRow) -> bool:
        return (
            (not self.statuses or STATUS_WORDS[row.status] in self.statuses)
            and self.side in (None, side_word(row.side))
            and self.order_type in (None, type_word(row.order_type))
            and (self.window is None or self.window.from_ms <= row.created_at_ms <= self.window.to_ms)
            and (self.updated_since_ms is None or self.updated_since_ms <= row.changed_at_ms)
        )


@dataclass(frozen=True, slots=True)
class ListingEndpoints:
    reading: BooksReading
    pairs: Pairs

    def orders_of_pair(self, request: HttpRequest, caller: Caller, envelope: Envelope) -> HttpResponse:
        """GET orders. A page of the customer's orders of a pair, newest first."""
        query = Query(request.query)
        pair, filters, paging = query.required("pair"), _filters_of(query, envelope.now_ms), query.paging()
        return envelope.success(self._page(caller, pair, filters, paging))

    def open_orders(self, request: HttpRequest, caller: Caller, envelope: Envelope) -> HttpResponse:
        """GET orders/open. A page of the customer's live orders, in one pair or all, newest first."""
        query = Query(request.query)
        pair, side, paging = query.text("pair"), query.word("side", SIDES), query.paging()
        return envelope.success(self._page(caller, pair, Filters(LIVE_STATUSES, side), paging))

    def _page(self, caller: Caller, pair: str | None, filters: Filters, paging: Paging) -> dict[str, object]:
        """Return a page of the orders that pass the filters, in the books of this pair (None: of all)."""
        wanted = None if pair is None else self.pairs.in_capitals(caller.instance, pair)

        def until(to_ms: int, wanted_rows: int) -> Iterator[tuple[OrderRow, Market]]:
            rows = filter(filters.has, self._candidates(caller, wanted, filters, to_ms, wanted_rows))
            return self._in_books(caller.instance, wanted, rows, wanted_rows)

        page = page_of(until, lambda one: ulid_of(one[0].order_id), paging)
        shown = [order_view(row, market) for row, market in page.rows]
        return {"orders": shown, "pagination": page.pagination, **page.cursors}

    def _in_books(
        self, instance: str, pair: str | None, rows: Iterator[OrderRow], wanted_rows: int
    ) -> Iterator[tuple[OrderRow, Market]]:
        """Yield the orders of served books, with their books, which are read as they come up."""
        known: dict[str, Market | None] = {}
        while some := list(islice(rows, wanted_rows)):
            new = {row.book_id for row in some} - known.keys()
            known |= dict.fromkeys(new) | self.pairs.of_books(instance, new)
            for row in some:
                market = known[row.book_id]
                if market is not None and pair in (None, market.pair):
                    yield row, market

    def _candidates(
        self, caller: Caller, pair: str | None, filters: Filters, to_ms: int, wanted_rows: int
    ) -> Iterable[OrderRow]:
        """Return the customer's orders that may pass the filters, newest first. Some may be newer than ``to_ms``."""
        if filters.order_ids:
            found = self.reading.orders_by_id(caller.instance, caller.name, filters.order_ids)
            return sorted(found.values(), key=lambda row: row.order_id, reverse=True)
        if filters.wants_live_ones_only:
            return self.reading.open_orders(caller.instance, caller.name, wanted_rows, to_ms)
        if filters.updated_since_ms is not None:
            return self._changed_since(caller, pair, filters.updated_since_ms)
        if filters.window is None:
            raise Inconsistent("a list of closed orders has a window")
        window = filters.window.until(to_ms)
        return self.reading.orders(caller.instance, caller.name, wanted_rows, window.from_ms, window.to_ms)

    def _changed_since(self, caller: Caller, pair: str | None, since_ms: int) -> list[OrderRow]:
        """Return the customer's orders of a pair that were admitted or changed since a time. Raises Fault."""
        if pair is None:
            raise Inconsistent("only lists of a pair are asked for what has changed")
        books = [market.book for market in self.pairs.every_book(caller.instance, pair).values()]
        try:
            return self.reading.orders_changed_since(caller.instance, caller.name, books, since_ms)
        except TooManyEntries as error:
            raise invalid("updated_since", f"The pair has decided more than {ENTRIES_MAX} times since.") from error


def _filters_of(query: Query, at_ms: int) -> Filters:
    """Return the filters of a list of orders. Raises Fault at the first faulty one, in the order of the table."""
    statuses = query.words("status", STATUSES)
    side, order_type = query.word("side", SIDES), query.word("type", TYPES)
    order_ids = frozenset(order_id_of(item, "ids") for item in query.items("ids"))
    if len(order_ids) > IDS_MAX:
        raise invalid("ids")
    window = None if order_ids else query.window("start_date", "end_date", at_ms)
    return Filters(statuses, side, order_type, tuple(order_ids), window, query.moment("updated_since"))
