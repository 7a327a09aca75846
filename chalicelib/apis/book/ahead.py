"""Which rows the requests of the book desk read, named before the gate lets them in (``services.ahead``)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from chalicelib.apis.book import order_schema, schema
from chalicelib.apis.book.envelope import Fault
from chalicelib.apis.book.gate import BODY_BYTES_MAX
from chalicelib.apis.book.idempotency import key_of, scope_of
from chalicelib.apis.kit.http import HttpRequest
from chalicelib.services.ahead import Expected
from chalicelib.services.answers import Answers
from chalicelib.services.books.ahead import BooksAhead


@dataclass(frozen=True, slots=True)
class RowsAhead:
    """Names the rows of a request. Of a faulty one it names none: the endpoint finds the fault."""

    books: BooksAhead
    answers: Answers

    def of(self, endpoint: str, request: HttpRequest, instance: str) -> Iterable[Expected]:
        if endpoint != "orders.place" or len(request.body) > BODY_BYTES_MAX:
            return []
        try:
            return self._placement(request, instance)
        except Fault:
            return []

    def _placement(self, request: HttpRequest, instance: str) -> list[Expected]:
        key = key_of(request)
        body = schema.checked(order_schema.PlaceOrderBody, schema.json_object(request.body))
        rows = self.books.placement(instance, body.orderBookId, body.customerRef, body.orderType, body.side)
        return rows if key is None else [*rows, self.answers.at(scope_of(request, instance), key)]
