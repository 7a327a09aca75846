"""Endpoints: refunds of orders, which come from cancelling and reimbursing them (E38)."""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter

from chalicelib.apis.escrow.envelope import not_found, response, single, written
from chalicelib.apis.escrow.gate import Caller
from chalicelib.apis.escrow.list_query import CREATED_AT, ID, Listing, Match, Searched, asked_of
from chalicelib.apis.escrow.lists import page_from
from chalicelib.apis.escrow.objects import refund_view
from chalicelib.apis.escrow.paths import id_of
from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.domain.escrow.payments import Refund
from chalicelib.services.escrow.reading import EscrowReading

REFUNDS: Listing[Refund] = Listing(
    row_id=attrgetter("refund_id"),
    created_at_s=attrgetter("created_at_s"),
    searches={
        ID: Searched(Match.INTEGER, lambda refund: [refund.refund_id]),
        "order_id": Searched(Match.INTEGER, lambda refund: [refund.order_id]),
        "payin_id": Searched(Match.INTEGER, lambda refund: [refund.payin_id]),
        "reference": Searched(Match.CONTAINS, lambda refund: [refund.reference]),
        "status": Searched(Match.STATUS, lambda refund: [refund.status.value]),
    },
    sorts={
        CREATED_AT: attrgetter("created_at_s"),
        ID: attrgetter("refund_id"),
        "status": lambda refund: refund.status.value,
    },
)


@dataclass(frozen=True, slots=True)
class RefundEndpoints:
    reading: EscrowReading

    def list(self, request: HttpRequest, caller: Caller) -> HttpResponse:
        page = page_from(self.reading.refunds(caller.scope), REFUNDS, asked_of(request.query, REFUNDS))
        return response(200, written(page.body(list(map(refund_view, page.rows)))))

    def show(self, request: HttpRequest, caller: Caller) -> HttpResponse:
        refund = self.reading.refunds(caller.scope).one(id_of(request))
        if refund is None:
            raise not_found()
        return response(200, single(refund_view(refund)))
