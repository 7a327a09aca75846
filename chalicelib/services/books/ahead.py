"""Which rows a request about books will read, named so that they are read ahead (``services.ahead``)."""

from __future__ import annotations

from collections.abc import Iterable

from chalicelib.domain.books.vocabulary import OrderType
from chalicelib.domain.ledger.amounts import Side
from chalicelib.domain.ledger.owners import book_key, customer_key
from chalicelib.tables.accounts import balance_at
from chalicelib.tables.amendments import amendment_at
from chalicelib.tables.book_hints import RECENT_MAX, BookHints
from chalicelib.tables.book_rows import config_at, symbol_at
from chalicelib.tables.depth_views import depth_at
from chalicelib.tables.external_ids import name_at
from chalicelib.tables.frozen_customers import frozen_at
from chalicelib.tables.orders import open_order_at
from chalicelib.tables.read_ahead import RowAt
from chalicelib.tables.switches import switch_at
from chalicelib.tables.tokens import token_at


class BooksAhead:
    """Names rows. ``learn`` is called with every row that requests read: it gives the hints of the next ones."""

    def __init__(self) -> None:
        self._hints = BookHints()
        self.learn = self._hints.learn

    def placement(
        self,
        instance: str,
        book_id: str,
        customer: str,
        order_type: OrderType,
        side: Side,
        *,
        is_by_value: bool = False,
        external_id: str | None = None,
    ) -> list[RowAt]:
        """Return the rows that ``Admission.place``, and the check for a freeze before it, read of such an order."""
        book, owner = book_key(instance, book_id), customer_key(instance, customer)
        self._hints.note_order(owner, book_id)
        rows = [config_at(book)]
        if self._hints.has_frozen(instance):
            rows.append(frozen_at(instance, customer))
        if external_id is not None:
            rows.append(name_at(owner, external_id))
        is_market_buy = order_type is OrderType.MARKET and side is Side.BUY and not is_by_value
        if is_by_value or is_market_buy:
            rows.append(depth_at(book))
        if is_market_buy:
            rows.extend(balance_at(owner, asset) for asset in self._hints.assets_of(book)[1:])
        return rows

    def book(self, instance: str, book_id: str) -> RowAt:
        return config_at(book_key(instance, book_id))

    def depth(self, instance: str, book_id: str) -> RowAt:
        return depth_at(book_key(instance, book_id))

    def external_id(self, instance: str, customer: str, external_id: str) -> RowAt:
        return name_at(customer_key(instance, customer), external_id)

    def market_of_symbol(self, instance: str, symbol: str) -> tuple[str | None, list[RowAt]]:
        """Return the id of the book that should have this symbol, and the rows that tell: it, and its two tokens."""
        rows, book_id = [symbol_at(instance, symbol)], self._hints.book_of_symbol(instance, symbol)
        if book_id is not None:
            rows += self._market(instance, book_id)
        return book_id, rows

    def open_order(self, instance: str, customer: str, order_id: str) -> RowAt:
        return open_order_at(customer_key(instance, customer), order_id)

    def switch(self, instance: str, customer: str) -> RowAt:
        return switch_at(customer_key(instance, customer))

    def amendment(self, instance: str, customer: str, order_id: str) -> RowAt:
        return amendment_at(customer_key(instance, customer), order_id)

    def recent_books(self, instance: str, customer: str, books_max: int = RECENT_MAX) -> list[str]:
        """Return the ids of the books in which the customer should have orders, the likeliest first."""
        return list(self._hints.recent_books_of(customer_key(instance, customer))[:books_max])

    def markets(self, instance: str, book_ids: Iterable[str]) -> list[RowAt]:
        """Return the rows of these books and of their tokens."""
        return [row for book_id in book_ids for row in self._market(instance, book_id)]

    def _market(self, instance: str, book_id: str) -> list[RowAt]:
        """Return the rows of a book and its two tokens."""
        book = book_key(instance, book_id)
        return [config_at(book), *(token_at(instance, asset) for asset in self._hints.assets_of(book))]
