"""Endpoint: amend an order (O8, T117 to T119)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from chalicelib.apis.book import order_schema, schema
from chalicelib.apis.book.envelope import Envelope, Fault
from chalicelib.apis.book.first_match import pending_ms
from chalicelib.apis.book.frozen import IsFrozen, fault_of_frozen
from chalicelib.apis.book.idempotency import SERVER_FAULT, answer_once, key_of, recorded
from chalicelib.apis.book.orders import order_not_found
from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.domain.books.admission import Refusal
from chalicelib.domain.books.vocabulary import AmendRefusal
from chalicelib.services.answers import Answers, KeptAnswer
from chalicelib.services.books.amending import Amending, AmendmentUnderWay, NotOpen, Queued, Unchanged
from chalicelib.services.books.waiting import CANCEL_WAIT_S
from chalicelib.support.outcomes import OutcomeUnknown, Unavailable
from chalicelib.support.telemetry import logger

_AT_ITS_TURN = {
    AmendRefusal.BOOK_INACTIVE: ("ORDER_BOOK_INACTIVE", "Order book is paused, halted or closed"),
    AmendRefusal.QUANTITY: ("INVALID_QUANTITY", "Quantity must be above what is filled"),
    AmendRefusal.WOULD_CROSS: ("INVALID_PRICE", "At this price the order would trade at once"),
    AmendRefusal.SLICES: ("INVALID_QUANTITY", "Quantity makes too many slices, or slices worth nothing"),
    AmendRefusal.INTERNAL_ERROR: ("INTERNAL_ERROR", "The amendment could not be decided; the order is as it was"),
}


@dataclass(frozen=True, slots=True)
class AmendEndpoint:
    """Amends orders. wait_s: how long an amendment waits for its outcome."""

    amending: Amending
    answers: Answers
    is_frozen: IsFrozen
    wait_s: float = CANCEL_WAIT_S

    def amend(self, request: HttpRequest, instance: str, envelope: Envelope) -> HttpResponse:
        """PATCH offchain/orders/{orderId}. 200: the order has these terms (T117)."""
        order_id = schema.path_parameter("orderId", request.path_parameters["orderId"])
        key = key_of(request)
        members = schema.json_object(request.body)
        body = schema.checked(order_schema.AmendOrderBody, members)

        def is_frozen() -> bool:
            return fault_of_frozen(self.is_frozen, instance, body.customerRef, envelope) is not None

        def answer(status: str, told: Queued | Unchanged) -> str:
            price = None if told.price is None else str(told.price)
            terms = {"price": price, "quantity": str(told.quantity)}
            name = told.command_id if isinstance(told, Queued) else None
            return envelope.success_body({"id": order_id, "status": status, **terms, "amendmentId": name})

        def settled(first: str) -> tuple[int, str] | None:
            """Return what became of the amendment of a request that died, or gave up waiting; None: it is queued."""
            data = json.loads(first)["data"]
            queued = self.amending.queued(instance, body.customerRef, order_id, data["amendmentId"])
            try:
                if queued is not None:
                    self._wait(queued, envelope, 0)
                return None if queued is None else (200, envelope.success_body(data | {"status": "AMENDED"}))
            except Fault as fault:
                return None if fault.status >= SERVER_FAULT else (fault.status, envelope.failure_body(fault))

        def act(kept: KeptAnswer | None) -> HttpResponse:
            pending = pending_ms(round(self.wait_s))
            receipt = None if kept is None else lambda told: kept.receipt(200, answer("QUEUED", told), pending)
            try:
                terms = body.terms()
                told = self.amending.amend(instance, body.customerRef, order_id, terms, is_frozen, receipt)
            except NotOpen:
                raise order_not_found() from None
            except AmendmentUnderWay as busy:
                raise _pending() from busy
            if isinstance(told, Refusal):
                raise Fault(told.code.value, told.message)
            return self._answered(told, kept, envelope, lambda: answer("AMENDED", told))

        return answer_once(
            self.answers, request, instance, key, members | {"orderId": order_id}, envelope, act, settled
        )

    def _answered(
        self, told: Queued | Unchanged, kept: KeptAnswer | None, envelope: Envelope, body_of: Callable[[], str]
    ) -> HttpResponse:
        """Return the answer once the amendment has its outcome, and keep it under the key. Raises Fault.

        A new amendment has its key's answer, which is pending; of one that was joined, nothing is kept yet.
        """
        own = kept if isinstance(told, Queued) and told.is_new else None
        try:
            if isinstance(told, Queued):
                self._wait(told, envelope, self.wait_s)
            response = envelope.response(200, body_of())
        except Fault as fault:
            if own is None or fault.status >= SERVER_FAULT:
                raise
            response = envelope.failure(fault)
        if own is None:
            return recorded(kept, response, envelope)
        try:
            final = own.finish(response.body, status=response.status)
        except (Unavailable, OutcomeUnknown):  # it is amended, so a failed write must not become an error
            logger.warning("the answer of an amendment is not kept", exc_info=True)
            return response
        return envelope.response(final.status, final.body)

    def _wait(self, queued: Queued, envelope: Envelope, wait_s: float) -> None:
        """Wait for the outcome. Raises Fault if there is none in time, or it was refused."""
        outcome = self.amending.outcome(queued, wait_s)
        envelope.has_waited()
        if outcome is None:
            raise _pending()
        if outcome.refusal is AmendRefusal.NOT_OPEN:
            raise order_not_found()
        if outcome.refusal is not None:
            raise Fault(*_AT_ITS_TURN[outcome.refusal])


def _pending() -> Fault:
    return Fault("AMENDMENT_PENDING", "An amendment of the order is queued; ask again", headers={"Retry-After": "1"})
