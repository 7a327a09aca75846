"""Endpoints: a book's depth and trades, and a customer's own trades (T34)."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.apis.book import book_schema, schema
from chalicelib.apis.book.books import off_chain_book
from chalicelib.apis.book.envelope import Envelope
from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.domain.books.fills import Fill
from chalicelib.domain.books.journal import JournalEntry, trade_id
from chalicelib.domain.ledger.owners import book_key
from chalicelib.services.books.reading import BooksReading
from chalicelib.services.books.trades import TradeHistory
from chalicelib.support.clock import iso

SEQUENCE = "X-Book-Sequence"
"""Header of a depth: the sequence of the journal entry as of which it is. Events with a higher one come after it."""


@dataclass(frozen=True, slots=True)
class MarketEndpoints:
    reading: BooksReading
    tape: TradeHistory

    def depth(self, request: HttpRequest, instance: str, envelope: Envelope) -> HttpResponse:
        """GET offchain/order-books/{orderBookId}/snapshot. 200 with the best levels of both sides, best first."""
        book_id = schema.path_parameter("orderBookId", request.path_parameters["orderBookId"])
        levels = book_schema.levels_query(request.query)
        off_chain_book(self.reading, instance, book_id)
        depth = self.reading.depth(instance, book_id)
        sides = {"bids": depth.bids[:levels], "asks": depth.asks[:levels]}
        shown = {side: [_level_data(*level) for level in best] for side, best in sides.items()}
        return envelope.success(200, {"orderBookId": book_id} | shown, {SEQUENCE: str(depth.sequence)})

    def trades_of_book(self, request: HttpRequest, instance: str, envelope: Envelope) -> HttpResponse:
        """GET offchain/order-books/{orderBookId}/trades. 200 with a bare array, newest first."""
        book_id = schema.path_parameter("orderBookId", request.path_parameters["orderBookId"])
        page = schema.page_query(request.query)
        off_chain_book(self.reading, instance, book_id)
        entries = self.tape.entries(book_key(instance, book_id))
        trades = (trade for entry in entries for trade in reversed(_trades_in(book_id, entry)))
        return envelope.success(200, list(page.of(trades)))

    def trades_of_customer(self, request: HttpRequest, instance: str, envelope: Envelope) -> HttpResponse:
        """GET offchain/customers/{customerRef}/trades. 200 with a bare array, newest first (T34)."""
        customer = schema.customer_ref(request.path_parameters["customerRef"])
        page = schema.page_query(request.query)
        fills = self.reading.fills(instance, customer, page.rows_at_a_time)
        return envelope.success(200, [_trade_data(customer, fill) for fill in page.of(fills)])


def _level_data(price: int, quantity: int) -> dict[str, str]:
    return {"price": str(price), "quantity": str(quantity)}


def _trades_in(book_id: str, entry: JournalEntry) -> list[dict[str, object]]:
    """Return an entry's trades in the order in which they happened."""
    return [
        {
            "id": trade_id(entry, number),
            "orderBookId": book_id,
            "price": event["price"],
            "quantity": event["quantity"],
            "timestamp": iso(entry.at_ms),
        }
        for number, event in enumerate(entry.events)
        if event["type"] == "traded"
    ]


def _trade_data(customer: str, fill: Fill) -> dict[str, str]:
    return {
        "id": fill.trade_id,
        "orderBookId": fill.book_id,
        "customerRef": customer,
        "price": str(fill.price),
        "quantity": str(fill.quantity),
        "side": fill.side.value,
        "timestamp": iso(fill.at_ms),
    }
