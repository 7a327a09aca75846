"""Endpoints: show one order with its trades, list the trades of one (R16, R32)."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.apis.kit.http import BadPercentEncoding, HttpRequest, HttpResponse, percent_decoded
from chalicelib.apis.trade.envelope import Envelope, Error, Fault, invalid
from chalicelib.apis.trade.gate import Caller
from chalicelib.apis.trade.ids import ulid_of
from chalicelib.apis.trade.paging import page_of
from chalicelib.apis.trade.pairs import Market, Pairs
from chalicelib.apis.trade.query import Query, order_id_of
from chalicelib.apis.trade.views import order_detail_view, trade_view
from chalicelib.domain.books.fills import Fill
from chalicelib.domain.books.orders import OrderRow
from chalicelib.support.consistency import Inconsistent
from chalicelib.tables.external_ids import ExternalIds
from chalicelib.tables.fills import Fills
from chalicelib.tables.orders import Orders

EXTERNAL_ID_CHARACTERS_MAX = 36


@dataclass(frozen=True, slots=True)
class OrderDetailEndpoints:
    orders: Orders
    external_ids: ExternalIds
    fills: Fills
    pairs: Pairs

    def by_id(self, request: HttpRequest, caller: Caller, envelope: Envelope) -> HttpResponse:
        """GET orders/{id}. The order with its trades."""
        return self._detail(order_id_of(_in_path(request, "id"), "id"), caller, envelope)

    def by_external_id(self, request: HttpRequest, caller: Caller, envelope: Envelope) -> HttpResponse:
        """GET orders/by-external-id/{external_id}. The order with its trades; the name's case does not count (R31)."""
        external_id = _in_path(request, "external_id")
        if len(external_id) > EXTERNAL_ID_CHARACTERS_MAX:
            raise invalid("external_id")
        order_id = self.external_ids.order_of(caller.owner, external_id)
        if order_id is None:
            raise Fault(Error.ORDER_NOT_FOUND)
        return self._detail(order_id, caller, envelope)

    def trades(self, request: HttpRequest, caller: Caller, envelope: Envelope) -> HttpResponse:
        """GET orders/trades. A page of one order's trades, newest first."""
        query = Query(request.query)
        order_id, paging = order_id_of(query.required("order_id"), "order_id"), query.paging()
        row, market = self._order(order_id, caller)
        fills = fills_of_order(self.fills, caller.owner, row)
        page = page_of(fills, lambda fill: ulid_of(fill.trade_id), paging)
        shown = [trade_view(fill, market) for fill in page.rows]
        return envelope.success({"trades": shown, "pagination": page.pagination, **page.cursors})

    def _detail(self, order_id: str, caller: Caller, envelope: Envelope) -> HttpResponse:
        row, market = self._order(order_id, caller)
        fills = fills_of_order(self.fills, caller.owner, row)
        return envelope.success(order_detail_view(row, reversed(fills), market))

    def _order(self, order_id: str, caller: Caller) -> tuple[OrderRow, Market]:
        """Return a customer's order and its book. Raises Fault, also where the book is not seen here."""
        row = self.orders.get(caller.owner, order_id)
        market = self.pairs.of_book(caller.instance, row.book_id) if row else None
        if row is None or market is None:
            raise Fault(Error.ORDER_NOT_FOUND)
        return row, market


def _in_path(request: HttpRequest, name: str) -> str:
    """Return a path parameter, decoded. Raises Fault where it cannot be."""
    try:
        return percent_decoded(request.path_parameters[name])
    except BadPercentEncoding as error:
        raise invalid(name) from error


def fills_of_order(fills: Fills, owner: str, row: OrderRow) -> list[Fill]:
    """Return the trades that the order's row shows, newest first.

    Reads the owner's trades from the order's last change back to the order's first trade, those of other orders in
    between too; nothing for an order that never traded.
    """
    found: list[Fill] = []
    if not row.filled:
        return found
    if row.sequence is None:
        raise Inconsistent("an order that traded has had its turn")
    if row.updated_at_ms is None:
        raise Inconsistent("an order that traded has had its turn")
    left = row.filled
    for fill in fills.newest_first(owner, to_ms=row.updated_at_ms):
        if fill.order_id == row.order_id and fill.sequence <= row.sequence:
            found.append(fill)
            left -= fill.quantity
            if left <= 0:
                break
    return found
