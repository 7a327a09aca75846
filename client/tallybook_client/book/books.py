"""Books of the book desk, and their market data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from msgspec.structs import replace

from tallybook_client.book.envelope import posted
from tallybook_client.book.models import Book, BookChange, BookRow, Depth, NewBook, NewBookMade, Resumed, Trade
from tallybook_client.book.orders import BASE, PAGE_SIZE_MAX
from tallybook_client.paging import by_offset
from tallybook_client.transport import Repeat, Request, Session, path_of, query_of
from tallybook_client.wire import json_of, members_of

BOOKS, ONE = f"{BASE}/order-books", f"{BASE}/order-books/{{book}}"
SETTINGS = "/orderbooks/stocks/api/order-books/{book}"


@dataclass(frozen=True, slots=True)
class Books:
    """``desk.books``: the instance's books."""

    _session: Session

    def create(self, book: NewBook, *, key: str | None = None) -> NewBookMade:
        """Make a book, ready for orders. key: the ``Idempotency-Key``, else a new one."""
        return posted(self._session, BOOKS, members_of(book), NewBookMade, key)

    def all(self, status: Literal["ACTIVE", "PAUSED", "CLOSED"] | None = None) -> list[BookRow]:
        """Return the books, newest first."""
        return self._session.get(BOOKS, list[BookRow], query_of(status=status))

    def one(self, order_book_id: str) -> Book:
        """Return a book with its whole configuration. Raises OrderBookNotFound."""
        return self._session.get(path_of(ONE, book=order_book_id), Book)

    def change(self, order_book_id: str, change: BookChange) -> Book:
        """Change settings; pause, resume or close a book (T32, T33)."""
        path, body = path_of(SETTINGS, book=order_book_id), json_of(members_of(change))
        request = Request("PATCH", path, body=body, repeat=Repeat.IF_NOTHING_WAS_DONE)
        return self._session.send(request).data(Book)

    def resume(self, order_book_id: str, reference: int | None = None, *, key: str | None = None) -> Resumed:
        """End a halt of the circuit breaker. reference: the price by which the price band goes from then on (O11).

        key: the ``Idempotency-Key``, else a new one.
        """
        members = {} if reference is None else {"reference": str(reference)}
        return posted(self._session, path_of(f"{SETTINGS}/resume", book=order_book_id), members, Resumed, key)

    def depth(self, order_book_id: str, levels: int | None = None) -> Depth:
        """Return the best levels of both sides (20, at most 100), as of the last matching result that is published."""
        path = path_of(f"{ONE}/snapshot", book=order_book_id)
        answer = self._session.send(Request("GET", path, query_of(levels=levels)))
        return replace(answer.data(Depth), sequence=int(answer.headers["X-Book-Sequence"]))

    def trades(self, order_book_id: str, *, limit: int | None = None) -> Iterator[Trade]:
        """Yield a book's trades, newest first. limit: how many; None: all."""
        path = path_of(f"{ONE}/trades", book=order_book_id)

        def page(size: int, offset: int) -> list[Trade]:
            return self._session.get(path, list[Trade], query_of(limit=size, offset=offset))

        return by_offset(page, lambda trade: trade.id, PAGE_SIZE_MAX, limit)
