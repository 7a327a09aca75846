"""Reads of books, and of a customer's orders and fills in them, as of now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from chalicelib.domain.books.config import BookConfig
from chalicelib.domain.books.fills import Fill
from chalicelib.domain.books.orders import OrderRow
from chalicelib.domain.ledger.owners import book_key, customer_key
from chalicelib.support.consistency import Inconsistent
from chalicelib.support.ids import TIME_MS_MAX
from chalicelib.tables.books import Books, Depth
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.external_ids import ExternalIds
from chalicelib.tables.fills import Fills
from chalicelib.tables.orders import PAGE_ROWS, Orders

Levels = tuple[tuple[int, int], ...]
"""Price levels as (price, open quantity), best first."""


class BooksReading:
    """Reads of the book desk. Lists are newest first, ``page_rows`` rows a read; spans of time include both ends."""

    def __init__(self, database: Database) -> None:
        self._books = Books(database)
        self._orders = Orders(database)
        self._fills = Fills(database)
        self._external_ids = ExternalIds(database)

    def book(self, instance: str, book_id: str) -> BookConfig | None:
        return self._books.config(book_key(instance, book_id))

    def books(self, instance: str) -> list[BookConfig]:
        """Return the books of an instance, closed ones too."""
        return self._books.of_instance(instance)

    def books_by_id(self, instance: str, book_ids: Iterable[str]) -> list[BookConfig]:
        """Return the existing ones of these books."""
        return self._books.configs(book_key(instance, book_id) for book_id in book_ids)

    def book_of_symbol(self, instance: str, symbol: str) -> BookConfig | None:
        """Return the book with this symbol, in any case, that is not closed."""
        return self._books.of_symbol(instance, symbol)

    def depth(self, instance: str, book_id: str) -> Depth:
        """Return the published bids and asks of a book, as of one journal entry (T38)."""
        return self._books.depth(book_key(instance, book_id))

    def order(self, instance: str, customer: str, order_id: str) -> OrderRow | None:
        return self._orders.get(customer_key(instance, customer), order_id)

    def orders_by_id(self, instance: str, customer: str, order_ids: Iterable[str]) -> dict[str, OrderRow]:
        """Return the existing ones of these orders of a customer, by id."""
        owner = customer_key(instance, customer)
        return self._orders.get_many((owner, order_id) for order_id in order_ids)

    def order_id_of(self, instance: str, customer: str, external_id: str) -> str | None:
        """Return the id of the customer's order with this external id, in any case (R31)."""
        return self._external_ids.order_of(customer_key(instance, customer), external_id)

    def orders(
        self, instance: str, customer: str, page_rows: int = PAGE_ROWS, from_ms: int = 0, to_ms: int = TIME_MS_MAX
    ) -> Iterator[OrderRow]:
        """Yield a customer's orders by admission time (T26)."""
        return self._orders.newest_first(customer_key(instance, customer), page_rows, from_ms, to_ms)

    def open_orders(self, instance: str, customer: str, page_rows: int = PAGE_ROWS) -> Iterator[OrderRow]:
        """Yield a customer's open orders. Costs what it yields."""
        return self._orders.open_newest_first(customer_key(instance, customer), page_rows)

    def fills(
        self, instance: str, customer: str, page_rows: int = PAGE_ROWS, from_ms: int = 0, to_ms: int = TIME_MS_MAX
    ) -> Iterator[Fill]:
        """Yield a customer's fills by trade; of a self-trade the BUY before the SELL (T34)."""
        return self._fills.newest_first(customer_key(instance, customer), page_rows, from_ms=from_ms, to_ms=to_ms)

    def fills_of_order(self, instance: str, row: OrderRow) -> list[Fill]:
        """Return the fills included in the order's row.

        Reads all fills of the customer from the order's last change back to its first fill; none if it never traded.
        """
        found: list[Fill] = []
        if not row.filled:
            return found
        if row.sequence is None or row.updated_at_ms is None:
            raise Inconsistent("an order that traded has had its turn")
        left = row.filled
        for fill in self.fills(instance, row.customer, to_ms=row.updated_at_ms):
            if fill.order_id == row.order_id and fill.sequence <= row.sequence:
                found.append(fill)
                left -= fill.quantity
                if left <= 0:
                    break
        return found
