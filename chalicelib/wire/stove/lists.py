"""Endpoints that list: a taker's orders and one of them, open orders, a taker's fills, a maker's orders."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from chalicelib.signed.faults import OrderNotFound
from chalicelib.signed.fill_listing import TakerFills
from chalicelib.signed.listing import ShownOrder, TakerOrders, open_orders
from chalicelib.signed.maker_listing import MakerOrders, MakersOrder
from chalicelib.signed.paging import Page
from chalicelib.stores.dynamodb import Database
from chalicelib.stores.signed_orders import SignedOrders
from chalicelib.wire.http import BadPercentEncoding, HttpRequest, percent_decoded
from chalicelib.wire.stove.envelope import order_not_found
from chalicelib.wire.stove.gate import Caller, Endpoint
from chalicelib.wire.stove.list_schema import fill_query, hash_of, maker_query, open_orders_query, order_query
from chalicelib.wire.stove.objects import fill_object, listed_order, makers_fill_object, single_order

Row = TypeVar("Row")


def list_endpoints(database: Database) -> Mapping[str, Endpoint]:
    """Return the endpoints by their routes."""
    lists = ListEndpoints(SignedOrders(database))
    return {
        "GET /takers/orders": lists.takers_orders,
        "GET /takers/orders/{order_hash}": lists.takers_order,
        "GET /orders/available": lists.available,
        "GET /orders/filled": lists.fills,
        "GET /orders": lists.makers_orders,
    }


@dataclass(frozen=True, slots=True)
class ListEndpoints:
    orders: SignedOrders

    def takers_orders(self, request: HttpRequest, caller: Caller) -> object:
        """GET takers/orders. A page of the orders that the taker has locked or filled."""
        page = self._of_taker(caller).page(order_query(request.query))
        return _page(page, "orders", _listed)

    def takers_order(self, request: HttpRequest, caller: Caller) -> object:
        """GET takers/orders/{order_hash}. A hash that is malformed is an unknown one (K14)."""
        try:
            order_hash = hash_of(percent_decoded(request.path_parameters["order_hash"]))
        except (BadPercentEncoding, ValueError) as error:
            raise order_not_found() from error
        try:
            return single_order(self._of_taker(caller).one(order_hash))
        except OrderNotFound as error:
            raise order_not_found() from error

    def available(self, request: HttpRequest, caller: Caller) -> object:
        """GET orders/available. The oldest orders that anybody may lock (K18)."""
        traits = open_orders_query(request.query)
        return [single_order(order) for order in open_orders(self.orders, caller.instance, traits, caller.now_s)]

    def fills(self, request: HttpRequest, caller: Caller) -> object:
        """GET orders/filled. A page of the taker's fills."""
        page = TakerFills(self.orders, caller.instance, caller.address).page(fill_query(request.query))
        return _page(page, "fills", fill_object)

    def makers_orders(self, request: HttpRequest, caller: Caller) -> object:
        """GET orders. A page of the maker's orders, with the fills of those that are partially filled or filled."""
        orders = MakerOrders(self.orders, caller.instance, caller.address, caller.now_s)
        return _page(orders.page(maker_query(request.query)), "orders", _makers_order)

    def _of_taker(self, caller: Caller) -> TakerOrders:
        return TakerOrders(self.orders, caller.instance, caller.address, caller.now_s)


def _page(page: Page[Row], name: str, view: Callable[[Row], object]) -> dict[str, object]:
    """Return a page's members. name: of the member that has its rows."""
    return {
        "total": page.total,
        "page": page.paging.number,
        "page_size": page.paging.size,
        "total_pages": page.pages,
        name: [view(row) for row in page.rows],
    }


def _listed(shown: ShownOrder) -> dict[str, object]:
    return listed_order(shown.order, shown.seen)


def _makers_order(makers: MakersOrder) -> dict[str, object]:
    fills = {} if makers.fills is None else {"fills": [makers_fill_object(fill) for fill in makers.fills]}
    return single_order(makers.order) | fills
