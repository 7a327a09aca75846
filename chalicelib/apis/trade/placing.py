"""Endpoints: place an order, cancel one, cancel all (R23 to R31)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.apis.kit.preference import declines_to_wait, wait_preference
from chalicelib.apis.trade import change_schema, members, place_schema
from chalicelib.apis.trade.envelope import Envelope, Error, Fault
from chalicelib.apis.trade.figures import STATUS_WORDS, figures_of, side_word, type_word
from chalicelib.apis.trade.gate import Caller
from chalicelib.apis.trade.ids import shown
from chalicelib.apis.trade.pairs import Market, Pairs
from chalicelib.apis.trade.refusals import fault_of
from chalicelib.domain.books.admission import Refusal
from chalicelib.domain.books.orders import OrderRow, as_admitted
from chalicelib.domain.books.vocabulary import CloseReason, OrderStatus
from chalicelib.services.books.admission import Admission
from chalicelib.services.books.cancelling_all import CancellingAll
from chalicelib.services.books.reading import BooksReading
from chalicelib.services.books.waiting import OutcomeWaiter, is_cancel_decided, is_matched
from chalicelib.support.clock import iso
from chalicelib.support.consistency import Inconsistent
from chalicelib.support.outcomes import Unavailable
from chalicelib.support.telemetry import logger, order_admitted


@dataclass(frozen=True, slots=True)
class PlacingEndpoints:
    admission: Admission
    outcomes: OutcomeWaiter
    pairs: Pairs
    is_frozen: Callable[[str, str], bool]
    """Tells whether a customer of an instance is frozen (T96)."""

    def place(self, request: HttpRequest, caller: Caller, envelope: Envelope) -> HttpResponse:
        """POST orders. The order as admitted, or as first matched with ``Prefer: wait`` (R27) or by default (R64)."""
        if caller.has_frozen and self.is_frozen(caller.instance, caller.name):
            raise Fault(Error.FORBIDDEN)
        body = place_schema.place_body(members.members_of(request.body), envelope.now_ms)
        market = self.pairs.open_book(caller.instance, body.pair)
        asked = body.request(caller.name, market.decimals)
        outcome = self.admission.place(caller.instance, market.book.book_id, asked)
        if isinstance(outcome, Refusal):
            raise fault_of(outcome, asked, market.decimals)
        order_admitted("trade")
        row, headers = as_admitted(outcome.book_id, outcome.order), {}
        prefer = request.headers.get("prefer", "")
        preferred_s = wait_preference(prefer)
        has_default = body.ends_at_its_turn and not declines_to_wait(prefer)
        wait_s = preferred_s or (caller.wait_default_ms / 1000 if has_default else 0)
        matched = self._matched(caller, row.order_id, wait_s) if wait_s else None
        if matched is not None:
            row, headers = matched, {} if preferred_s is None else {"Preference-Applied": f"wait={preferred_s}"}
        return envelope.success(_placed_view(row, market), headers)

    def _matched(self, caller: Caller, order_id: str, wait_s: float) -> OrderRow | None:
        try:
            return self.outcomes.first(is_matched, caller.instance, caller.name, order_id, wait_s)
        except Unavailable:  # the order is placed, so a failed read must not become an error
            logger.warning("no result to show", exc_info=True, order=order_id)
            return None


@dataclass(frozen=True, slots=True)
class CancelEndpoints:
    """Cancels orders. wait_s: how long a cancel waits for its result."""

    admission: Admission
    reading: BooksReading
    outcomes: OutcomeWaiter
    pairs: Pairs
    cancelling_all: CancellingAll
    wait_s: float

    def by_id(self, request: HttpRequest, caller: Caller, envelope: Envelope) -> HttpResponse:
        """DELETE orders, POST orders/cancel. The canceled order; the hold of its unfilled part is released."""
        order_id = change_schema.order_id_member(members.members_of(request.body))
        return self._cancel(order_id, caller, envelope)

    def by_external_id(self, request: HttpRequest, caller: Caller, envelope: Envelope) -> HttpResponse:
        """DELETE orders/by-external-id, POST orders/cancel-by-external-id. External ids ignore case (R31)."""
        external_id = change_schema.external_id_member(members.members_of(request.body))
        order_id = self.reading.order_id_of(caller.instance, caller.name, external_id)
        if order_id is None:
            raise Fault(Error.ORDER_NOT_FOUND)
        return self._cancel(order_id, caller, envelope)

    def all_of_customer(self, request: HttpRequest, caller: Caller, envelope: Envelope) -> HttpResponse:
        """DELETE orders/all. The live orders, of one pair or of all, each with whether it is canceled (O9, R42)."""
        pair = change_schema.pair_to_cancel(request.body, request.query)
        if pair is not None:
            books = self.pairs.every_book(caller.instance, pair)
        else:
            books = {market.book.book_id: market for market in self.pairs.of_instance(caller.instance)}
        done = self.cancelling_all.in_books(
            caller.instance, caller.name, {book_id: market.is_open for book_id, market in books.items()}
        )
        if done is None or (done.has_ended and not done.closed and not any(map(_is_cancelled, done.rows))):
            raise Fault(Error.NOTHING_TO_CANCEL)
        others = [row for row in done.rows if row.reason is not CloseReason.CANCEL_ALL]
        return envelope.success(
            [
                {
                    "pair_code": books[row.book_id].pair,
                    "order_id": shown(row.order_id),
                    "success": _is_cancelled(row),
                }
                for row in done.shown
            ],
            {"X-Total-Count": str(max(len(done.rows), done.closed + len(others)))},
        )

    def _cancel(self, order_id: str, caller: Caller, envelope: Envelope) -> HttpResponse:
        row = self.reading.order(caller.instance, caller.name, order_id)
        market = self.pairs.of_book(caller.instance, row.book_id) if row else None
        if row is None or market is None:
            raise Fault(Error.ORDER_NOT_FOUND)
        if self.admission.cancel(caller.instance, caller.name, order_id):
            row = self._decided(caller, order_id)
            if row is None:
                raise Fault(Error.CANCEL_PENDING)
            if _is_cancelled(row):
                return envelope.success(_cancelled_view(row, market))
        elif row.status.is_live:  # it has closed since it was read
            row = self.reading.order(caller.instance, caller.name, order_id) or row
        raise Fault(Error.EXECUTED_COMPLETELY if row.status is OrderStatus.FILLED else Error.ALREADY_CANCELED)

    def _decided(self, caller: Caller, order_id: str) -> OrderRow | None:
        """Return the order once its cancel is decided; None after the wait: the cancel stays queued."""
        try:
            return self.outcomes.first(is_cancel_decided, caller.instance, caller.name, order_id, self.wait_s)
        except Unavailable:  # a failed read must not become an error: the cancel is queued
            logger.warning("no result to show", exc_info=True)
            return None


def _is_cancelled(row: OrderRow) -> bool:
    """Tell whether the customer cancelled the order, by a cancel or a cancel-all."""
    return row.reason in (CloseReason.USER_CANCELLED, CloseReason.CANCEL_ALL)


def _placed_view(row: OrderRow, market: Market) -> dict[str, object]:
    figures = figures_of(row, market.decimals)
    return {
        "id": shown(row.order_id),
        "create_date": iso(row.created_at_ms),
        "executed_amount": figures.executed_amount,
        **_external_id(row),
        "pair": market.pair,
        "remaining_amount": figures.remaining_amount,
        "remaining_value": figures.remaining_value,
        "requested_amount": figures.requested_amount,
        "requested_value": figures.requested_value,
        "side": side_word(row.side),
        "status": STATUS_WORDS[row.status],
    }


def _cancelled_view(row: OrderRow, market: Market) -> dict[str, object]:
    figures = figures_of(row, market.decimals)
    if row.updated_at_ms is None:
        raise Inconsistent("a closed order has had its turn")
    return {
        "id": shown(row.order_id),
        "create_date": iso(row.created_at_ms),
        "update_date": iso(row.updated_at_ms),
        "executed_amount": figures.executed_amount,
        "remaining_amount": figures.remaining_amount,
        "remaining_value": figures.remaining_value,
        "requested_amount": figures.requested_amount,
        "requested_value": figures.requested_value,
        "total_value": figures.total_value,
        "price": figures.price,
        "side": side_word(row.side),
        "type": type_word(row.order_type),
        "status": STATUS_WORDS[row.status],
        "pair": market.pair,
        **_external_id(row),
    }


def _external_id(row: OrderRow) -> dict[str, str]:
    return {} if row.external_id is None else {"external_id": row.external_id}
