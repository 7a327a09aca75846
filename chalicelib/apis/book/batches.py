"""Endpoints: place and cancel several orders of one customer in one request (T76 to T79).

Each order has its own result: what the answer to a request of its own would show, without the metadata.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from chalicelib.apis.book import order_schema, schema
from chalicelib.apis.book.api import FAULTS
from chalicelib.apis.book.envelope import Detail, Envelope, Fault, failed, succeeded
from chalicelib.apis.book.first_match import FirstMatch, pending_ms
from chalicelib.apis.book.frozen import IsFrozen, fault_of_frozen
from chalicelib.apis.book.idempotency import answer_once, key_of, recorded
from chalicelib.apis.book.orders import cancelled, order_data, order_not_found
from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.apis.kit.preference import wait_preference
from chalicelib.domain.books.admission import Refusal
from chalicelib.domain.books.orders import OrderRow
from chalicelib.services.answers import Answers, KeptAnswer
from chalicelib.services.books.admission import Admission, Admitted, Outcome
from chalicelib.services.books.waiting import CANCEL_WAIT_S, OutcomeWaiter, is_cancel_decided
from chalicelib.support.outcomes import OutcomeUnknown, Unavailable
from chalicelib.support.telemetry import logger, order_admitted, order_refused

Count = Callable[[Envelope, int], None]
"""Counts so many requests more against the key's rate limit. Raises Fault over the limit."""


@dataclass(frozen=True, slots=True)
class BatchEndpoints:
    """Serves batches of orders. cancel_wait_s: how long a batch of cancels waits for its results."""

    admission: Admission
    outcomes: OutcomeWaiter
    first_match: FirstMatch
    answers: Answers
    count: Count
    is_frozen: IsFrozen
    cancel_wait_s: float = CANCEL_WAIT_S

    def place(self, request: HttpRequest, instance: str, envelope: Envelope) -> HttpResponse:
        """POST offchain/orders/batch. 201: some are admitted; 200: none is (T76)."""
        key = key_of(request)
        members = schema.json_object(request.body)
        orders = order_schema.batch_of(members)
        wait_s = wait_preference(request.headers.get("prefer", ""))
        self._count(envelope, "orders", len(orders))
        asked = [order for order in orders if not isinstance(order, Fault)]

        def body_of(outcomes: Sequence[Outcome | Fault], rows: Mapping[str, OrderRow]) -> str:
            rest = iter(outcomes)
            results = (_shown(order if isinstance(order, Fault) else next(rest), rows) for order in orders)
            return _body(list(results), envelope)

        def act(kept: KeptAnswer | None) -> HttpResponse:
            outcomes: Sequence[Outcome | Fault] = ()
            frozen = asked and fault_of_frozen(self.is_frozen, instance, asked[0].customerRef, envelope)
            if frozen:
                outcomes = [frozen] * len(asked)
            elif asked:
                outcomes = self.admission.place_all(
                    instance,
                    asked[0].orderBookId,
                    [order.request() for order in asked],
                    None if kept is None else lambda made: kept.receipt(201, body_of(made, {}), pending_ms(wait_s)),
                )
            _measure(orders, outcomes)
            admitted = [one for one in outcomes if isinstance(one, Admitted)]
            if not admitted:
                return recorded(kept, envelope.response(200, body_of(outcomes, {})), envelope)
            return self.first_match.answer(instance, admitted, wait_s, kept, envelope, partial(body_of, outcomes))

        return answer_once(self.answers, request, instance, key, members, envelope, act)

    def cancel(self, request: HttpRequest, instance: str, envelope: Envelope) -> HttpResponse:
        """DELETE offchain/orders. 200: what became of each order's cancel (T78)."""
        body = schema.checked(order_schema.CancelBatchBody, schema.json_object(request.body))
        self._count(envelope, "orderIds", len(body.orderIds))
        told = self.admission.cancel_each(instance, body.customerRef, body.orderIds)
        faults = {order_id: _not_queued(outcome, request) for order_id, outcome in told.items() if outcome is not True}
        rows = self._decided(instance, body.customerRef, [name for name in body.orderIds if name not in faults])
        envelope.has_waited()
        results = [
            failed(faults[order_id]) if order_id in faults else _shown_cancel(rows.get(order_id))
            for order_id in body.orderIds
        ]
        return envelope.response(200, _body(results, envelope))

    def _count(self, envelope: Envelope, field: str, requests: int) -> None:
        """Count a batch's requests beside the one that the gate has counted (T79).

        Raises Fault over the key's limit: a fault of the field if no minute has room for the batch, so that it must be
        sent in parts, else one that says when to send it again.
        """
        limit = envelope.key.rate_limit if envelope.key else 0
        if limit and requests > limit:
            message = f"must be at most {limit}, the requests that the key may make in a minute"
            raise schema.validation_fault([Detail(field, message)])
        self.count(envelope, requests - 1)

    def _decided(self, instance: str, customer: str, order_ids: Sequence[str]) -> Mapping[str, OrderRow]:
        """Return the orders whose cancels are decided, after a wait. A failed read must not become an error."""
        try:
            return self.outcomes.of_each(is_cancel_decided, instance, customer, order_ids, self.cancel_wait_s)
        except Unavailable:
            logger.warning("no results to show", exc_info=True)
            return {}


def _body(results: Sequence[dict[str, object]], envelope: Envelope) -> str:
    return envelope.success_body({"results": results})


def _shown(outcome: Outcome | Fault, rows: Mapping[str, OrderRow]) -> dict[str, object]:
    """Return the result of one order of a batch (T77)."""
    if isinstance(outcome, Admitted):
        return succeeded(order_data(outcome, rows))
    return failed(Fault(outcome.code.value, outcome.message) if isinstance(outcome, Refusal) else outcome)


def _not_queued(outcome: Exception | bool, request: HttpRequest) -> Fault:
    """Return, and log, why a cancel was not queued."""
    try:
        if isinstance(outcome, Exception):
            raise outcome
    except (Unavailable, OutcomeUnknown) as error:
        return FAULTS.of(error, request)
    return order_not_found()


def _shown_cancel(row: OrderRow | None) -> dict[str, object]:
    try:
        return succeeded(cancelled(row))
    except Fault as fault:
        return failed(fault)


def _measure(orders: Sequence[object], outcomes: Sequence[Outcome | Fault]) -> None:
    """Count the orders of a batch as admitted or refused, each by itself."""
    for outcome in (*(order for order in orders if isinstance(order, Fault)), *outcomes):
        if isinstance(outcome, Admitted):
            order_admitted("book")
        else:
            order_refused("book", outcome.code)
