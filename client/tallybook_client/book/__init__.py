"""The book desk: a venue's operator places orders for its customers, and moves their money."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from tallybook_client.book.books import Books
from tallybook_client.book.envelope import error_of
from tallybook_client.book.exports import Exports
from tallybook_client.book.ledger import Ledger
from tallybook_client.book.models import Advanced, BookChange, NewBook, NewOrder, WebhookChange
from tallybook_client.book.orders import BASE, Orders
from tallybook_client.book.webhooks import Webhooks
from tallybook_client.feed import WAIT_S, CamelEventPage, EventPage, Feed
from tallybook_client.transport import Request, Session, query_of

__all__ = ["Advanced", "BookChange", "BookDesk", "NewBook", "NewOrder", "WebhookChange"]


class BookDesk:
    """``BookDesk("http://127.0.0.1:8000", "trusset_...")``: all calls of the book desk, in groups. Thread-safe.

    ``session`` sends any other request of the desk. options: of the Session: ``retries``, ``http``, ``answer_s``.
    """

    def __init__(self, base_url: str, api_key: str, **options: Any) -> None:
        session = Session(base_url, lambda _: {"X-API-Key": api_key}, error_of, **options)
        self.session = session
        self.orders = Orders(session)
        self.books = Books(session)
        self.ledger = Ledger(session)
        self.exports = Exports(session)
        self.webhooks = Webhooks(session)

    def events(
        self,
        after: str | None = None,
        *,
        customer_ref: str | None = None,
        order_book_id: str | None = None,
        types: Iterable[str] | None = None,
        wait_s: int = WAIT_S,
    ) -> Feed:
        """Return the feed after a cursor, ``"start"``, or from now: of the instance, a customer's, or a book's (T84).

        types: of docs/events.md, None: all. wait_s: how long a request waits, at most 20; 0: end at the newest event.
        """
        named = None if types is None else ",".join(types)
        return Feed(partial(self._events, customer_ref, order_book_id, named), after, wait_s)

    def _events(
        self, customer: str | None, book: str | None, types: str | None, after: str | None, wait_s: int
    ) -> EventPage:
        query = query_of(customerRef=customer, bookId=book, types=types, after=after, limit=1000)
        return self.session.send(Request("GET", f"{BASE}/events", query, wait_s=wait_s)).data(CamelEventPage)
