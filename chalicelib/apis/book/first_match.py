"""The answer to a placement with ``Prefer: wait``: orders as they are after their first match (T19 to T21)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from chalicelib.apis.book.envelope import Envelope
from chalicelib.apis.kit.http import HttpResponse
from chalicelib.domain.books.orders import OrderRow
from chalicelib.services.answers import FINISH_WITHIN_MS, KeptAnswer
from chalicelib.services.books.admission import Admitted
from chalicelib.services.books.waiting import OutcomeWaiter, is_matched
from chalicelib.support.outcomes import OutcomeUnknown, Unavailable
from chalicelib.support.telemetry import logger

BodyOf = Callable[[Mapping[str, OrderRow]], str]
"""Returns the answer's body: the orders of these rows, by id, as the rows show them, and the others as admitted."""


def pending_ms(wait_s: int | None) -> int | None:
    """Return for how long the answer under a key stays pending; None: it is final at once. wait_s: None: no wait."""
    return wait_s * 1000 + FINISH_WITHIN_MS if wait_s else None


@dataclass(frozen=True, slots=True)
class FirstMatch:
    """Answers 201 to admitted orders. outcomes: waits for their first match."""

    outcomes: OutcomeWaiter

    def answer(
        self,
        instance: str,
        admitted: Sequence[Admitted],
        wait_s: int | None,
        kept: KeptAnswer | None,
        envelope: Envelope,
        body_of: BodyOf,
    ) -> HttpResponse:
        """Return the answer, once all orders are matched or the wait is over; ``Preference-Applied`` if they are.

        wait_s: None: at once. kept: has the answer of the orders as admitted. The orders are placed, so a failed read
        must not become an error.
        """
        body, preference = body_of({}), None
        if wait_s is not None:
            try:
                body, preference = self._waited(instance, admitted, wait_s, kept, envelope, body_of)
            except (Unavailable, OutcomeUnknown):
                logger.warning("no result to show", exc_info=True)
        return envelope.response(201, body, {"Preference-Applied": preference} if preference else None)

    def _waited(
        self,
        instance: str,
        admitted: Sequence[Admitted],
        wait_s: int,
        kept: KeptAnswer | None,
        envelope: Envelope,
        body_of: BodyOf,
    ) -> tuple[str, str | None]:
        """Return the body and the preference that was applied, those that are kept if there is a key."""
        ids = [one.order.order_id for one in admitted]
        rows = self.outcomes.of_each(is_matched, instance, admitted[0].order.customer, ids, wait_s)
        if rows or kept is None:  # otherwise the answer is the receipt kept with the orders
            envelope.has_waited()
        body, preference = body_of(rows), f"wait={wait_s}" if len(rows) == len(ids) else None
        if kept is None:
            return body, preference
        final = kept.finish(body, preference)
        return final.body, final.preference
