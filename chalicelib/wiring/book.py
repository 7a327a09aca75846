"""Builds the book desk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.apis.book.ahead import RowsAhead
from chalicelib.apis.book.amending import AmendEndpoint
from chalicelib.apis.book.api import BookApi
from chalicelib.apis.book.batches import BatchEndpoints
from chalicelib.apis.book.books import BookEndpoints
from chalicelib.apis.book.cancelling_all import CancelAllEndpoint
from chalicelib.apis.book.fees import FeeEndpoints
from chalicelib.apis.book.first_match import FirstMatch
from chalicelib.apis.book.gate import Gate
from chalicelib.apis.book.ledger import MovementEndpoints, StatementEndpoints
from chalicelib.apis.book.market import MarketEndpoints
from chalicelib.apis.book.orders import OrderEndpoints
from chalicelib.apis.book.routes import ROUTES
from chalicelib.apis.book.tokens import TokenEndpoints
from chalicelib.apis.book.webhooks import WebhookEndpoints
from chalicelib.apis.kit.answering import Deferred, endpoints_of
from chalicelib.services.ahead import Ahead
from chalicelib.services.answers import Answers
from chalicelib.services.books.admission import Admission
from chalicelib.services.books.ahead import BooksAhead
from chalicelib.services.books.amending import Amending
from chalicelib.services.books.cancelling_all import CancellingAll
from chalicelib.services.books.configuring import Configuring
from chalicelib.services.books.earnings import Earnings
from chalicelib.services.books.reading import BooksReading
from chalicelib.services.books.statements import Statements
from chalicelib.services.books.trades import TradeHistory
from chalicelib.services.books.waiting import CANCEL_WAIT_S, OutcomeWaiter
from chalicelib.services.ledger.movements import Movements
from chalicelib.services.ledger.reading import LedgerReading
from chalicelib.services.tenancy.rate_limiter import RateLimiter
from chalicelib.support.clock import now_ms, now_s
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.frozen_customers import FrozenCustomers
from chalicelib.tables.tenants import Tenants, instance_at
from chalicelib.tables.tokens import Tokens
from chalicelib.wiring import endpoint_desk_of

if TYPE_CHECKING:
    from chalicelib.apis.book.events import EventEndpoints
    from chalicelib.apis.book.exports import ExportEndpoints


def new_book_desk(
    database: Database, counters: Database | None = None, *, cancel_wait_s: float = CANCEL_WAIT_S
) -> BookApi:
    """Build the desk. counters: a client of its own for counting requests.

    cancel_wait_s: how long a cancel or an amendment waits for its result.
    """
    reading, ledger, answers = BooksReading(database), LedgerReading(database), Answers(database, now_ms)
    gate = Gate(Tenants(database, now_s).accept, RateLimiter(counters or database))
    admission, outcomes = Admission(database), OutcomeWaiter(database)
    first_match, is_frozen = FirstMatch(outcomes), FrozenCustomers(database).has

    def events() -> EventEndpoints:
        from chalicelib.apis.book.events import EventEndpoints
        from chalicelib.services.feed.reading import Feed

        return EventEndpoints(Feed(database, now_ms), reading)

    def exports() -> ExportEndpoints:
        from chalicelib.apis.book.exports import ExportEndpoints
        from chalicelib.services.books.exports import Exports

        return ExportEndpoints(Exports(database), ledger)

    endpoints = endpoints_of(
        ROUTES,
        orders=OrderEndpoints(admission, reading, outcomes, first_match, answers, is_frozen, cancel_wait_s),
        amending=AmendEndpoint(Amending(database), answers, is_frozen, cancel_wait_s),
        cancels=CancelAllEndpoint(CancellingAll(admission, reading, outcomes, cancel_wait_s), reading),
        batches=BatchEndpoints(admission, outcomes, first_match, answers, gate.count, is_frozen, cancel_wait_s),
        books=BookEndpoints(reading, Configuring(database), answers),
        market=MarketEndpoints(reading, TradeHistory(database)),
        tokens=TokenEndpoints(Tokens(database).register, ledger, answers),
        movements=MovementEndpoints(Movements(database), ledger, answers),
        statements=StatementEndpoints(ledger, Statements(database)),
        fees=FeeEndpoints(Earnings(database), ledger),
        exports=Deferred(exports),
        webhooks=WebhookEndpoints(endpoint_desk_of(database, now_ms)),
        events=Deferred(events),
    )
    books = BooksAhead()
    ahead = Ahead[str](database, lambda _api_key, instance: [instance_at(instance)], books.learn)
    return BookApi(gate, endpoints, ahead, RowsAhead(books, answers))
