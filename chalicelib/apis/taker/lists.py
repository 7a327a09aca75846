"""Endpoints: lists of a taker's orders and fills, of open orders and of a maker's orders; one order of either."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from chalicelib.apis.kit.http import BadPercentEncoding, HttpRequest, percent_decoded
from chalicelib.apis.kit.page_bytes import CHARACTER_BYTES_MAX, Weight, answer_bytes, packed
from chalicelib.apis.taker.envelope import order_not_found
from chalicelib.apis.taker.gate import Caller
from chalicelib.apis.taker.list_schema import (
    fill_query,
    fills_page_query,
    maker_query,
    open_orders_query,
    order_query,
)
from chalicelib.apis.taker.makers import order_named_in
from chalicelib.apis.taker.objects import fill_object, listed_order, makers_fill_object, single_order
from chalicelib.apis.taker.parameters import hash_of
from chalicelib.apis.taker.schema import TEXT_CHARACTERS_MAX
from chalicelib.domain.signed.faults import OrderNotFound
from chalicelib.domain.signed.paging import Page
from chalicelib.domain.signed.stored import StoredOrder
from chalicelib.services.signed.listing import ShownOrder, TakerOrders
from chalicelib.services.signed.maker_listing import FILLS_SHOWN_MAX, STATUSES_WITH_FILLS, MakersOrder
from chalicelib.services.signed.reading import SignedReading
from chalicelib.support.canonical import compact

Row = TypeVar("Row")
ORDER_BYTES_MAX = 2000 + TEXT_CHARACTERS_MAX * CHARACTER_BYTES_MAX
FILL_BYTES_MAX = 900
"""Bounds of an order without its fills, and of a fill, in an answer (``answer_bytes``)."""


@dataclass(frozen=True, slots=True)
class ListEndpoints:
    reading: SignedReading

    def takers_orders(self, request: HttpRequest, caller: Caller) -> object:
        """GET takers/orders. A page of the orders that the taker has locked or filled."""
        page = self._of_taker(caller).page(order_query(request.query))
        return page_members(page, "orders", _listed)

    def takers_order(self, request: HttpRequest, caller: Caller) -> object:
        """GET takers/orders/{order_hash}. A malformed hash is answered as an unknown one (K14)."""
        try:
            order_hash = hash_of(percent_decoded(request.path_parameters["order_hash"]))
        except (BadPercentEncoding, ValueError) as error:
            raise order_not_found() from error
        try:
            return single_order(self._of_taker(caller).one(order_hash))
        except OrderNotFound as error:
            raise order_not_found() from error

    def available(self, request: HttpRequest, caller: Caller) -> object:
        """GET orders/available. The oldest open orders (K18)."""
        order_filter = open_orders_query(request.query)
        return list(map(single_order, self.reading.open_orders(caller.instance, order_filter, caller.now_s)))

    def fills(self, request: HttpRequest, caller: Caller) -> object:
        """GET orders/filled. A page of the taker's fills."""
        page = self.reading.fills_of_taker(caller.instance, caller.address).page(fill_query(request.query))
        return page_members(page, "fills", fill_object)

    def makers_orders(self, request: HttpRequest, caller: Caller) -> object:
        """GET orders. A page of the maker's orders, with the fills of partially filled and filled ones.

        The page ends before it exceeds the bytes of an answer; the next page goes on from there (K43).
        """
        orders = self.reading.of_maker(caller.instance, caller.address, caller.now_s)
        query = maker_query(request.query)
        paging = query.paging

        def view(stored: StoredOrder) -> dict[str, object]:
            return _makers_order(orders.with_fills(stored, query.fills_page))

        def exact_bytes(stored: StoredOrder) -> int:
            return answer_bytes(compact(view(stored)))

        rows, total = orders.up_to_page(query)
        page = packed(rows, paging.number, paging.size, Weight(_most_bytes, exact_bytes))
        left = -(-(total - page.end) // paging.size)
        return {
            "total": total,
            "page": paging.number,
            "page_size": paging.size,
            "total_pages": page.pages + (left if page.rows else 0),
            "orders": [view(stored) for stored in page.rows],
        }

    def makers_order(self, request: HttpRequest, caller: Caller) -> object:
        """GET orders/{order_id}. One of the maker's orders with its fills, by id or hash (K54)."""
        fills_page = fills_page_query(request.query)
        orders = self.reading.of_maker(caller.instance, caller.address, caller.now_s)
        stored = orders.one(*order_named_in(request))
        if stored is None:
            raise order_not_found()
        return _makers_order(orders.with_fills(stored, fills_page))

    def _of_taker(self, caller: Caller) -> TakerOrders:
        return self.reading.of_taker(caller.instance, caller.address, caller.now_s)


def page_members(page: Page[Row], name: str, view: Callable[[Row], object]) -> dict[str, object]:
    """Return a page's members. name: the member with the rows."""
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
    """Return an order with its fills; with their total number if they are not all of them."""
    shown = single_order(makers.order)
    if makers.fills is None:
        return shown
    shown |= {"fills": [makers_fill_object(fill) for fill in makers.fills]}
    return shown if len(makers.fills) == makers.fills_total else shown | {"fills_total": makers.fills_total}


def _most_bytes(stored: StoredOrder) -> int:
    """Return a bound of an order's bytes in an answer, with its fills, without reading them."""
    if stored.state.status not in STATUSES_WITH_FILLS:
        return ORDER_BYTES_MAX
    fills = stored.state.fills
    return ORDER_BYTES_MAX + FILL_BYTES_MAX * (FILLS_SHOWN_MAX if fills is None else min(fills, FILLS_SHOWN_MAX))
