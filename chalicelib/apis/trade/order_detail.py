"""Endpoints: show one order with its trades, list the trades of one (R16, R32)."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.apis.trade.envelope import Envelope, Error, Fault, invalid
from chalicelib.apis.trade.gate import Caller
from chalicelib.apis.trade.ids import ulid_of
from chalicelib.apis.trade.paging import all_at_once, page_of
from chalicelib.apis.trade.pairs import Market, Pairs
from chalicelib.apis.trade.query import Query, in_path, order_id_of
from chalicelib.apis.trade.views import order_detail_view, trade_view
from chalicelib.domain.books.orders import OrderRow
from chalicelib.services.books.reading import BooksReading

EXTERNAL_ID_CHARACTERS_MAX = 36


@dataclass(frozen=True, slots=True)
class OrderDetailEndpoints:
    reading: BooksReading
    pairs: Pairs

    def by_id(self, request: HttpRequest, caller: Caller, envelope: Envelope) -> HttpResponse:
        """GET orders/{id}. The order with its trades."""
        return self._detail(order_id_of(in_path(request, "id"), "id"), caller, envelope)

    def by_external_id(self, request: HttpRequest, caller: Caller, envelope: Envelope) -> HttpResponse:
        """GET orders/by-external-id/{external_id}. The order with its trades. External ids ignore case (R31)."""
        external_id = in_path(request, "external_id")
        if len(external_id) > EXTERNAL_ID_CHARACTERS_MAX:
            raise invalid("external_id")
        order_id = self.reading.order_id_of(caller.instance, caller.name, external_id)
        if order_id is None:
            raise Fault(Error.ORDER_NOT_FOUND)
        return self._detail(order_id, caller, envelope)

    def trades(self, request: HttpRequest, caller: Caller, envelope: Envelope) -> HttpResponse:
        """GET orders/trades. A page of one order's trades, newest first."""
        query = Query(request.query)
        order_id, paging = order_id_of(query.required("order_id"), "order_id"), query.paging()
        row, market = self._order(order_id, caller)
        fills = self.reading.fills_of_order(caller.instance, row)
        page = page_of(all_at_once(fills), lambda fill: ulid_of(fill.trade_id), paging)
        shown = [trade_view(fill, market) for fill in page.rows]
        return envelope.success({"trades": shown, "pagination": page.pagination, **page.cursors})

    def _detail(self, order_id: str, caller: Caller, envelope: Envelope) -> HttpResponse:
        row, market = self._order(order_id, caller)
        fills = self.reading.fills_of_order(caller.instance, row)
        return envelope.success(order_detail_view(row, reversed(fills), market))

    def _order(self, order_id: str, caller: Caller) -> tuple[OrderRow, Market]:
        """Return a customer's order and its book. Raises Fault if this desk does not serve the order or the book."""
        row = self.reading.order(caller.instance, caller.name, order_id)
        market = self.pairs.of_book(caller.instance, row.book_id) if row else None
        if row is None or market is None:
            raise Fault(Error.ORDER_NOT_FOUND)
        return row, market
