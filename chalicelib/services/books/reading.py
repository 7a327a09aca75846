"""Reads of books, and of a customer's orders and fills in them, as of now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import takewhile

from chalicelib.domain.books.config import BookConfig
from chalicelib.domain.books.fills import Fill
from chalicelib.domain.books.orders import OrderRow
from chalicelib.domain.feed.event import customer_subject
from chalicelib.domain.ledger.owners import book_key, customer_key
from chalicelib.services.books.halts import with_halts
from chalicelib.support.consistency import Inconsistent
from chalicelib.support.ids import TIME_MS_MAX
from chalicelib.tables.books import Books
from chalicelib.tables.depth_views import Depth, DepthViews
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.external_ids import ExternalIds
from chalicelib.tables.fills import Fills
from chalicelib.tables.journal import Journal
from chalicelib.tables.orders import PAGE_ROWS, Orders

ENTRIES_MAX = 5000
"""Entries of journals that a look for changed orders reads."""
Levels = tuple[tuple[int, int], ...]
"""Price levels as (price, open quantity), best first."""


class TooManyEntries(Exception):
    """More than ENTRIES_MAX entries came since the time that is asked for."""


class BooksReading:
    """Reads of the book desk. Lists are newest first, ``page_rows`` rows a read; spans of time include both ends."""

    def __init__(self, database: Database) -> None:
        self._books, self._views = Books(database), DepthViews(database)
        self._orders = Orders(database)
        self._fills = Fills(database)
        self._external_ids = ExternalIds(database)
        self._journal = Journal(database)

    def book(self, instance: str, book_id: str) -> BookConfig | None:
        return self._books.config(book_key(instance, book_id))

    def books(self, instance: str) -> list[BookConfig]:
        """Return the books of an instance, closed ones too."""
        return self._books.of_instance(instance)

    def books_by_id(self, instance: str, book_ids: Iterable[str]) -> list[BookConfig]:
        """Return the existing ones of these books."""
        return self._books.configs(book_key(instance, book_id) for book_id in book_ids)

    def with_halts(self, configs: Iterable[BookConfig], now_ms: int) -> list[BookConfig]:
        """Return the configurations, those of books that are halted now marked so (O12)."""
        return with_halts(self._views, configs, now_ms)

    def book_of_symbol(self, instance: str, symbol: str) -> BookConfig | None:
        """Return the book with this symbol, in any case, that is not closed."""
        return self._books.of_symbol(instance, symbol)

    def depth(self, instance: str, book_id: str) -> Depth:
        """Return the published bids and asks of a book, as of one journal entry (T38)."""
        return self._views.of(book_key(instance, book_id))

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

    def open_orders(
        self, instance: str, customer: str, page_rows: int = PAGE_ROWS, to_ms: int = TIME_MS_MAX
    ) -> Iterator[OrderRow]:
        """Yield a customer's open orders that were admitted up to a time. Costs what it yields."""
        return self._orders.open_newest_first(customer_key(instance, customer), page_rows, to_ms)

    def orders_changed_since(
        self, instance: str, customer: str, books: Iterable[BookConfig], since_ms: int
    ) -> list[OrderRow]:
        """Return the customer's orders in these books that were admitted or changed since a time, newest first.

        Reads the books' journals back to that time, and the orders named there. Raises TooManyEntries.
        """
        from chalicelib.domain.books.feed import events_of

        subject, entries = customer_subject(customer), 0
        rows = takewhile(lambda row: row.created_at_ms >= since_ms, self.open_orders(instance, customer))
        found = {row.order_id: row for row in rows}
        changed: set[str] = set()
        for config in books:
            for entry in self._journal.newest_first(book_key(instance, config.book_id)):
                if entry.at_ms < since_ms:
                    break
                entries += 1
                if entries > ENTRIES_MAX:
                    raise TooManyEntries
                own = (event.body for event in events_of(config, entry) if subject in event.receivers)
                changed |= {str(body["orderId"]) for body in own if "orderId" in body}
        found |= self.orders_by_id(instance, customer, sorted(changed - found.keys()))
        return sorted(found.values(), key=lambda row: row.order_id, reverse=True)

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
