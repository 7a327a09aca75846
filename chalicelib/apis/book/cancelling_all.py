"""Endpoint: cancel all orders of a customer (O9, T98)."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.apis.book import order_schema, schema
from chalicelib.apis.book.books import off_chain_book
from chalicelib.apis.book.envelope import Envelope, Fault
from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.domain.books.vocabulary import BookStatus, CloseReason
from chalicelib.services.books.cancelling_all import CancellingAll
from chalicelib.services.books.reading import BooksReading


@dataclass(frozen=True, slots=True)
class CancelAllEndpoint:
    cancelling_all: CancellingAll
    reading: BooksReading

    def all_of_customer(self, request: HttpRequest, instance: str, envelope: Envelope) -> HttpResponse:
        """DELETE offchain/customers/{customerRef}/orders. 200: how many were closed, and which."""
        customer = schema.customer_ref(request.path_parameters["customerRef"])
        book_id = order_schema.cancel_all_query(request.query, request.body)
        books = self.reading.books(instance) if book_id is None else [off_chain_book(self.reading, instance, book_id)]
        is_open = {book.book_id: book.status is not BookStatus.CLOSED for book in books}
        done = self.cancelling_all.in_books(instance, customer, is_open)
        envelope.has_waited()
        if done is None:
            return envelope.success(200, {"cancelled": 0, "orderIds": []})
        if not done.has_ended:
            raise Fault("CANCEL_PENDING", "The cancels are queued; ask again", headers={"Retry-After": "1"})
        closed = [row.order_id for row in done.shown if row.reason is CloseReason.CANCEL_ALL]
        return envelope.success(200, {"cancelled": max(done.closed, len(closed)), "orderIds": closed})
