"""Which rows the requests of the book desk read, named before the gate lets them in (``services.ahead``)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain

from chalicelib.apis.book import ledger_schema, order_schema, schema
from chalicelib.apis.book.envelope import Fault
from chalicelib.apis.book.gate import body_bytes_max
from chalicelib.apis.book.idempotency import key_of, scope_of
from chalicelib.apis.kit.http import HttpRequest
from chalicelib.services.ahead import Expected
from chalicelib.services.answers import Answers
from chalicelib.services.books.ahead import BooksAhead
from chalicelib.services.ledger.reading import balance_row, token_row


@dataclass(frozen=True, slots=True)
class RowsAhead:
    """Names the rows of a request. Of a faulty one it names none: the endpoint finds the fault."""

    books: BooksAhead
    answers: Answers

    def of(self, endpoint: str, request: HttpRequest, instance: str) -> list[Expected]:
        if len(request.body) > body_bytes_max(request.route):
            return []
        try:
            return self._of(endpoint, request, instance)
        except Fault:
            return []

    def _of(self, endpoint: str, request: HttpRequest, instance: str) -> list[Expected]:
        match endpoint:
            case "orders.place":
                order = _form(order_schema.PlaceOrderBody, request)
                return self._placement(instance, order) + self._answer(request, instance)
            case "batches.place":
                orders = order_schema.batch_of(schema.json_object(request.body))
                of_each = [self._placement(instance, one) for one in orders if not isinstance(one, Fault)]
                return [*dict.fromkeys(chain(*of_each)), *self._answer(request, instance)]  # each row is read once
            case "orders.one":
                return [self._open_order(request, instance, order_schema.customer_query(request.query))]
            case "orders.cancel":
                customer = _form(order_schema.CancelOrderBody, request).customerRef
                books = [self.books.book(instance, one) for one in self.books.recent_books(instance, customer, 1)]
                return [self._open_order(request, instance, customer), *books]
            case "amending.amend":
                customer = _form(order_schema.AmendOrderBody, request).customerRef
                under_way = self.books.amendment(instance, customer, _parameter("orderId", request))
                books = [self.books.book(instance, one) for one in self.books.recent_books(instance, customer, 1)]
                read = [self._open_order(request, instance, customer), under_way, *books]
                return read + self._answer(request, instance)
            case "market.depth":
                book_id = _parameter("orderBookId", request)
                return [self.books.book(instance, book_id), self.books.depth(instance, book_id)]
            case "movements.credit" | "movements.debit":
                change = _form(ledger_schema.ChangeBody, request)
                rows = _balance(instance, change.customerRef, change.tokenAddress)
                return rows + self._answer(request, instance)
            case "movements.transfer":
                transfer = _form(ledger_schema.TransferBody, request)
                return [token_row(instance, transfer.tokenAddress), *self._answer(request, instance)]
            case "statements.balance":
                asset = ledger_schema.token_address(_parameter("tokenAddress", request))
                customer = schema.customer_ref(request.path_parameters["customerRef"])
                return [] if asset is None else _balance(instance, customer, asset)
        return []

    def _placement(self, instance: str, order: order_schema.PlaceOrderBody) -> list[Expected]:
        return self.books.placement(instance, order.orderBookId, order.customerRef, order.orderType, order.side)

    def _open_order(self, request: HttpRequest, instance: str, customer: str) -> Expected:
        return self.books.open_order(instance, customer, _parameter("orderId", request))

    def _answer(self, request: HttpRequest, instance: str) -> list[Expected]:
        key = key_of(request)
        return [] if key is None else [self.answers.at(scope_of(request, instance), key)]


def _balance(instance: str, customer: str, asset: str) -> list[Expected]:
    return [token_row(instance, asset), balance_row(instance, customer, asset)]


def _form(form: type[schema.AnyBody], request: HttpRequest) -> schema.AnyBody:
    return schema.checked(form, schema.json_object(request.body))


def _parameter(name: str, request: HttpRequest) -> str:
    return schema.path_parameter(name, request.path_parameters[name])
