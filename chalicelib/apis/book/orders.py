"""Endpoints: place, cancel, show and list orders (T15 to T21, T25 to T29)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from chalicelib.apis.book import order_schema, schema
from chalicelib.apis.book.envelope import Envelope, Fault
from chalicelib.apis.book.first_match import FirstMatch, pending_ms
from chalicelib.apis.book.frozen import IsFrozen, fault_of_frozen
from chalicelib.apis.book.idempotency import answer_once, key_of
from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.apis.kit.preference import wait_preference
from chalicelib.domain.books.admission import Refusal
from chalicelib.domain.books.orders import OrderRow, as_admitted
from chalicelib.domain.books.vocabulary import CloseReason
from chalicelib.services.answers import Answers, KeptAnswer
from chalicelib.services.books.admission import Admission, Admitted
from chalicelib.services.books.reading import BooksReading
from chalicelib.services.books.waiting import CANCEL_WAIT_S, OutcomeWaiter, is_cancel_decided
from chalicelib.support.clock import iso
from chalicelib.support.consistency import Inconsistent
from chalicelib.support.outcomes import Unavailable
from chalicelib.support.telemetry import logger, order_admitted


@dataclass(frozen=True, slots=True)
class OrderEndpoints:
    """Serves orders. cancel_wait_s: how long a cancel waits for its result."""

    admission: Admission
    reading: BooksReading
    outcomes: OutcomeWaiter
    first_match: FirstMatch
    answers: Answers
    is_frozen: IsFrozen
    cancel_wait_s: float = CANCEL_WAIT_S

    def place(self, request: HttpRequest, instance: str, envelope: Envelope) -> HttpResponse:
        """POST offchain/orders. 201: the order as admitted (T20), or as first matched with ``Prefer: wait`` (T21)."""
        key = key_of(request)
        members = schema.json_object(request.body)
        body = schema.checked(order_schema.PlaceOrderBody, members)
        wait_s = wait_preference(request.headers.get("prefer", ""))

        def act(kept: KeptAnswer | None) -> HttpResponse:
            def body_of(made: Admitted, rows: Mapping[str, OrderRow]) -> str:
                return envelope.success_body(order_data(made, rows))

            frozen = fault_of_frozen(self.is_frozen, instance, body.customerRef, envelope)
            if frozen is not None:
                raise frozen
            outcome = self.admission.place(
                instance,
                body.orderBookId,
                body.request(),
                None if kept is None else lambda made: kept.receipt(201, body_of(made, {}), pending_ms(wait_s)),
            )
            if isinstance(outcome, Refusal):
                raise Fault(outcome.code.value, outcome.message)
            order_admitted("book")
            return self.first_match.answer(instance, [outcome], wait_s, kept, envelope, partial(body_of, outcome))

        return answer_once(self.answers, request, instance, key, members, envelope, act)

    def cancel(self, request: HttpRequest, instance: str, envelope: Envelope) -> HttpResponse:
        """DELETE offchain/orders/{orderId}. 200: the rest of the order is cancelled, its hold released (T29)."""
        order_id = schema.path_parameter("orderId", request.path_parameters["orderId"])
        customer = schema.checked(order_schema.CancelOrderBody, schema.json_object(request.body)).customerRef
        if not self.admission.cancel(instance, customer, order_id):
            raise order_not_found()
        try:
            row = self.outcomes.first(is_cancel_decided, instance, customer, order_id, self.cancel_wait_s)
        except Unavailable:  # a failed read must not become an error: the cancel is queued
            logger.warning("no result to show", exc_info=True)
            row = None
        envelope.has_waited()
        return envelope.success(200, cancelled(row))

    def list_of_customer(self, request: HttpRequest, instance: str, envelope: Envelope) -> HttpResponse:
        """GET offchain/customers/{customerRef}/orders. 200 with a bare array, newest first (T26, T27)."""
        customer = schema.customer_ref(request.path_parameters["customerRef"])
        query = order_schema.list_query(request.query)
        is_live = query.status is not None and query.status.is_live
        if is_live:
            rows = self.reading.open_orders(instance, customer, query.rows_at_a_time)
        else:
            rows = self.reading.orders(instance, customer, query.rows_at_a_time)
        matching = (row for row in rows if query.book_id in (None, row.book_id) and query.status in (None, row.status))
        return envelope.success(200, [_row_data(row) for row in query.page.of(matching)])

    def one(self, request: HttpRequest, instance: str, envelope: Envelope) -> HttpResponse:
        """GET offchain/orders/{orderId}. 200 with the eleven members, the last change, and the close reason (T28).

        An order that is not LIMIT or MARKET has ``advanced`` besides (O16).
        """
        order_id = schema.path_parameter("orderId", request.path_parameters["orderId"])
        customer = order_schema.customer_query(request.query)
        row = self.reading.order(instance, customer, order_id)
        if row is None:
            raise Fault("ORDER_NOT_FOUND", "Order not found")
        last = {"updatedAt": iso(row.changed_at_ms), "cancelReason": row.reason}
        return envelope.success(200, _order_data(row) | last | _advanced(row))


def order_not_found() -> Fault:
    """Return the fault of an order that is unknown, another customer's or closed."""
    return Fault("ORDER_NOT_FOUND", "Order not found or already closed")


def cancelled(row: OrderRow | None) -> dict[str, object]:
    """Return what is shown of an order whose cancel was queued, once it is decided. Raises Fault.

    row: None if the wait ended before.
    """
    if row is None:
        raise Fault("CANCEL_PENDING", "The cancel is queued; ask again", headers={"Retry-After": "1"})
    if row.reason is not CloseReason.USER_CANCELLED:
        raise order_not_found()
    if row.updated_at_ms is None:
        raise Inconsistent("a closed order has had its turn")
    return {"id": row.order_id, "status": row.status.value, "cancelledAt": iso(row.updated_at_ms)}


def order_data(admitted: Admitted, rows: Mapping[str, OrderRow]) -> dict[str, object]:
    """Return the eleven members of an order as its row, by id, shows them; without a row, as admitted."""
    return _order_data(rows.get(admitted.order.order_id) or as_admitted(admitted.book_id, admitted.order))


def _order_data(row: OrderRow) -> dict[str, object]:
    """Return the eleven members of an order."""
    return _members(row) | {"timeInForce": row.time_in_force.value, "createdAt": iso(row.created_at_ms)}


def _row_data(row: OrderRow) -> dict[str, object]:
    """Return the ten members of a row of the list, without timeInForce."""
    return _members(row) | {"createdAt": iso(row.created_at_ms)}


def _advanced(row: OrderRow) -> dict[str, object]:
    if row.order_type is row.plain_type:
        return {}
    amounts = {"stopPrice": row.stop_price, "distance": row.distance, "stepAmount": row.step}
    texts = {name: None if amount is None else str(amount) for name, amount in amounts.items()}
    return {"advanced": {"type": row.order_type.value, **texts, "triggered": row.triggered}}


def _members(row: OrderRow) -> dict[str, object]:
    return {
        "id": row.order_id,
        "orderBookId": row.book_id,
        "customerRef": row.customer,
        "side": row.side.value,
        "orderType": row.plain_type.value,
        "price": None if row.price is None else str(row.price),
        "quantity": str(row.quantity),
        "filledQuantity": str(row.filled),
        "status": row.status.value,
    }
