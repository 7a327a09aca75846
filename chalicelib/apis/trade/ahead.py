"""Which rows the requests of the trade desk read, named before the gate lets them in (``services.ahead``)."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.apis.kit.http import HttpRequest
from chalicelib.apis.trade import change_schema, members, place_schema
from chalicelib.apis.trade.envelope import Fault
from chalicelib.apis.trade.gate import Caller
from chalicelib.apis.trade.pairs import pair_in_path, symbol_of
from chalicelib.apis.trade.query import Query, order_id_of
from chalicelib.services.ahead import Expected
from chalicelib.services.books.ahead import BooksAhead


@dataclass(frozen=True, slots=True)
class RowsAhead:
    """Names the rows of a request. Of a faulty one it names none: the endpoint finds the fault."""

    books: BooksAhead

    def of(self, endpoint: str, request: HttpRequest, caller: Caller, now_ms: int) -> list[Expected]:
        try:
            return self._of(endpoint, request, caller, now_ms)
        except Fault:
            return []

    def _of(self, endpoint: str, request: HttpRequest, caller: Caller, now_ms: int) -> list[Expected]:
        match endpoint:
            case "placing.place":
                order = place_schema.place_body(members.members_of(request.body), now_ms)
                book_id, rows = self._market(order.pair, caller)
                return rows if book_id is None else rows + self._placement(book_id, order, caller)
            case "market.level_2":
                return self._depth(Query(request.query).text("pair"), caller)
            case "costs.estimate_price":
                return self._depth(pair_in_path(request), caller)
            case "market.level_3" | "costs.trading_fees":
                return self._market(Query(request.query).text("pair"), caller)[1]
            case "listing.open_orders" | "listing.orders_of_pair":
                _, rows = self._market(Query(request.query).text("pair"), caller)
                recent = self.books.recent_books(caller.instance, caller.name)
                return rows + self.books.markets(caller.instance, recent)
            case "detail.by_id":
                return self._order(order_id_of(request.path_parameters["id"], "id"), caller)
            case "cancels.by_id":
                order_id = change_schema.order_id_member(members.members_of(request.body))
                return self._order(order_id, caller) + self._cancel(order_id, caller)
            case "cancel_after.set":
                return [self.books.switch(caller.instance, caller.name)]
            case "amending.amend":
                order_id = change_schema.amend_body(members.members_of(request.body)).order_id
                under_way = self.books.amendment(caller.instance, caller.name, order_id)
                return [under_way, *self._order(order_id, caller), *self._cancel(order_id, caller)]
            case "cancels.by_external_id":
                name = change_schema.external_id_member(members.members_of(request.body))
                return [self.books.external_id(caller.instance, caller.name, name), *self._recent_market(caller)]
        return []

    def _order(self, order_id: str, caller: Caller) -> list[Expected]:
        return [self.books.open_order(caller.instance, caller.name, order_id), *self._recent_market(caller)]

    def _recent_market(self, caller: Caller) -> list[Expected]:
        return self.books.markets(caller.instance, self.books.recent_books(caller.instance, caller.name, 1))

    def _cancel(self, order_id: str, caller: Caller) -> list[Expected]:
        """Return the rows that ``Admission.cancel`` and ``Amending.amend`` read, after the desk has read them."""
        books = self.books.recent_books(caller.instance, caller.name, 1)
        order = self.books.open_order(caller.instance, caller.name, order_id)
        return [order, *(self.books.book(caller.instance, one) for one in books)]

    def _market(self, pair: str | None, caller: Caller) -> tuple[str | None, list[Expected]]:
        """Return the id of the book that should have this pair, and the rows that tell."""
        symbol = None if pair is None else symbol_of(pair)
        return (None, []) if symbol is None else self.books.market_of_symbol(caller.instance, symbol)

    def _depth(self, pair: str | None, caller: Caller) -> list[Expected]:
        book_id, rows = self._market(pair, caller)
        return rows if book_id is None else [*rows, self.books.depth(caller.instance, book_id)]

    def _placement(self, book_id: str, order: place_schema.PlaceBody, caller: Caller) -> list[Expected]:
        return self.books.placement(
            caller.instance,
            book_id,
            caller.name,
            order.order_type,
            order.side,
            is_by_value=order.value is not None,
            external_id=order.external_id,
        )
