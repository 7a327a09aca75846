"""Which rows the requests of the trade desk read, named before the gate lets them in (``services.ahead``)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from chalicelib.apis.kit.http import HttpRequest
from chalicelib.apis.trade import place_schema
from chalicelib.apis.trade.envelope import Fault
from chalicelib.apis.trade.gate import Caller
from chalicelib.apis.trade.pairs import symbol_of
from chalicelib.apis.trade.query import Query
from chalicelib.services.ahead import Expected
from chalicelib.services.books.ahead import BooksAhead


@dataclass(frozen=True, slots=True)
class RowsAhead:
    """Names the rows of a request. Of a faulty one it names none: the endpoint finds the fault."""

    books: BooksAhead

    def of(self, endpoint: str, request: HttpRequest, caller: Caller, now_ms: int) -> Iterable[Expected]:
        try:
            match endpoint:
                case "placing.place":
                    return self._placement(request, caller, now_ms)
                case "listing.open_orders" | "listing.orders_of_pair":
                    return self._listing(request, caller)
        except Fault:
            pass
        return []

    def _placement(self, request: HttpRequest, caller: Caller, now_ms: int) -> list[Expected]:
        body = place_schema.place_body(place_schema.members_of(request.body), now_ms)
        symbol = symbol_of(body.pair)
        if symbol is None:
            return []
        book_id, rows = self.books.market_of_symbol(caller.instance, symbol)
        if book_id is None:
            return rows
        return rows + self.books.placement(
            caller.instance,
            book_id,
            caller.name,
            body.order_type,
            body.side,
            is_by_value=body.value is not None,
            external_id=body.external_id,
        )

    def _listing(self, request: HttpRequest, caller: Caller) -> list[Expected]:
        pair = Query(request.query).text("pair")
        symbol = None if pair is None else symbol_of(pair)
        rows = [] if symbol is None else self.books.market_of_symbol(caller.instance, symbol)[1]
        return rows + self.books.markets_of_orders(caller.instance, caller.name)
