"""Endpoint: amend an order (O8, R68, R69)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.apis.trade import change_schema, members
from chalicelib.apis.trade.envelope import Envelope, Error, Fault, invalid
from chalicelib.apis.trade.gate import Caller
from chalicelib.apis.trade.pairs import Pairs
from chalicelib.apis.trade.refusals import fault_of_amendment
from chalicelib.domain.books.admission import Refusal
from chalicelib.domain.books.orders import OrderRow
from chalicelib.domain.books.vocabulary import AmendRefusal, OrderStatus
from chalicelib.services.books.amending import Amending, AmendmentUnderWay, NotOpen, Queued
from chalicelib.services.books.reading import BooksReading

_AT_ITS_TURN = {
    AmendRefusal.QUANTITY: ("amount", "It must be above what is executed."),
    AmendRefusal.WOULD_CROSS: ("unit_price", "The order would trade at once."),
    AmendRefusal.SLICES: ("amount", "It makes too many slices, or slices worth nothing."),
}


@dataclass(frozen=True, slots=True)
class AmendEndpoint:
    """Amends orders. is_frozen: tells whether a customer of an instance is frozen (T96).

    wait_s: how long an amendment waits for its outcome.
    """

    amending: Amending
    reading: BooksReading
    pairs: Pairs
    is_frozen: Callable[[str, str], bool]
    wait_s: float

    def amend(self, request: HttpRequest, caller: Caller, envelope: Envelope) -> HttpResponse:
        """PUT orders. Null, once the order has the new price and amount."""
        body = change_schema.amend_body(members.members_of(request.body))
        row = self.reading.order(caller.instance, caller.name, body.order_id)
        market = self.pairs.of_book(caller.instance, row.book_id) if row else None
        if row is None or market is None:
            raise Fault(Error.ORDER_NOT_FOUND)
        terms = body.terms(market.decimals)
        if not row.status.is_live:
            _refuse_closed(row)

        def is_frozen() -> bool:
            return caller.has_frozen and self.is_frozen(caller.instance, caller.name)

        try:
            told = self.amending.amend(caller.instance, caller.name, body.order_id, terms, is_frozen)
        except AmendmentUnderWay as busy:
            raise Fault(Error.AMENDMENT_PENDING) from busy
        except NotOpen:
            _refuse_closed(self.reading.order(caller.instance, caller.name, body.order_id) or row)
        if isinstance(told, Refusal):
            raise fault_of_amendment(told, market.decimals)
        if isinstance(told, Queued):
            self._wait(told, caller, row)
        return envelope.success(None)

    def _wait(self, queued: Queued, caller: Caller, row: OrderRow) -> None:
        """Wait for the outcome. Raises Fault if there is none in time, or it was refused."""
        outcome = self.amending.outcome(queued, self.wait_s)
        if outcome is None:
            raise Fault(Error.AMENDMENT_PENDING)
        if outcome.refusal is AmendRefusal.NOT_OPEN:
            _refuse_closed(self.reading.order(caller.instance, caller.name, row.order_id) or row)
        if outcome.refusal in _AT_ITS_TURN:
            raise invalid(*_AT_ITS_TURN[outcome.refusal])
        if outcome.refusal is not None:
            raise Fault(Error.UNSUPPORTED if outcome.refusal is AmendRefusal.BOOK_INACTIVE else Error.INTERNAL)


def _refuse_closed(row: OrderRow) -> NoReturn:
    raise Fault(Error.EXECUTED_COMPLETELY if row.status is OrderStatus.FILLED else Error.ALREADY_CANCELED)
