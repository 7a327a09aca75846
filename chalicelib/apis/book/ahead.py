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
        if endpoint not in ("orders.place", "batches.place") or len(request.body) > BODY_BYTES_MAX:
            return []
        try:
            return self._placement(request, instance, is_batch=endpoint == "batches.place")
        except Fault:
            return []

    def _placement(self, request: HttpRequest, instance: str, *, is_batch: bool) -> list[Expected]:
        key, members = key_of(request), schema.json_object(request.body)
        orders = order_schema.batch_of(members) if is_batch else [schema.checked(order_schema.PlaceOrderBody, members)]
        rows: dict[Expected, None] = {}  # each once, as they are read
        for order in orders:
            if not isinstance(order, Fault):
                rows |= dict.fromkeys(
                    self.books.placement(instance, order.orderBookId, order.customerRef, order.orderType, order.side)
                )
        return [*rows] if key is None else [*rows, self.answers.at(scope_of(request, instance), key)]
