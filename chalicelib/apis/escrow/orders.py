"""Endpoints: orders, and the commands of their buyers and sellers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from operator import attrgetter

from chalicelib.apis.escrow import order_schema
from chalicelib.apis.escrow.bare import OWN, SHOWN
from chalicelib.apis.escrow.commands import Commands, Record, RequestFields, about
from chalicelib.apis.escrow.envelope import not_found, response, single, written
from chalicelib.apis.escrow.gate import Caller
from chalicelib.apis.escrow.list_query import CREATED_AT, ID, Asked, Listing, Match, Searched, asked_of
from chalicelib.apis.escrow.lists import Page, page_from
from chalicelib.apis.escrow.objects import View, order_view, payin_view, payout_view
from chalicelib.apis.escrow.paths import id_of
from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.apis.kit.page_bytes import CHARACTER_BYTES_MAX, Weight, answer_bytes
from chalicelib.domain.escrow.checks import metadata_errors, reimburse_errors, selected, update_errors
from chalicelib.domain.escrow.commands import Cancel, Reimburse
from chalicelib.domain.escrow.faults import Forbidden
from chalicelib.domain.escrow.lifecycle import Status
from chalicelib.domain.escrow.order import Order
from chalicelib.domain.tenancy.instances import World
from chalicelib.services.escrow.desk import EscrowDesk
from chalicelib.services.escrow.reading import EscrowReading
from chalicelib.support.canonical import exact
from chalicelib.support.telemetry import order_admitted

ORDER_BYTES = 4000
"""Bound of an order's bytes in an answer, without the merchant's texts."""
EMAILS = ("email", "buyer_email", "seller_email")


def order_listing(
    emails: Mapping[int, str | None], public_base_url: str, shown: Mapping[Status, Status] = OWN
) -> Listing[Order]:
    """Return the listing of orders. emails: of buyers and sellers, by customer id. shown: the statuses that stand for
    an order's (``bare``)."""

    def email_of_buyer(order: Order) -> str | None:
        return emails.get(order.buyer.customer_id) if order.buyer else None

    def email_of_seller(order: Order) -> str | None:
        return emails.get(order.seller.customer_id)

    return Listing(
        row_id=attrgetter("order_id"),
        created_at_s=attrgetter("created_at_s"),
        searches={
            ID: Searched(Match.INTEGER, lambda order: [order.order_id]),
            "public_id": Searched(Match.CONTAINS, lambda order: [order.public_id]),
            "name": Searched(Match.CONTAINS, lambda order: [order.name]),
            "tag": Searched(Match.CONTAINS, lambda order: [order.tag]),
            "status": Searched(Match.STATUS, lambda order: [shown[order.status].value]),
            "currency": Searched(Match.CONTAINS, lambda order: [order.currency.code]),
            "email": Searched(Match.CONTAINS, lambda order: [email_of_buyer(order), email_of_seller(order)]),
            "buyer_email": Searched(Match.CONTAINS, lambda order: [email_of_buyer(order)]),
            "seller_email": Searched(Match.CONTAINS, lambda order: [email_of_seller(order)]),
        },
        sorts={
            CREATED_AT: attrgetter("created_at_s"),
            "published_at": attrgetter("published_at_s"),
            "released_at": attrgetter("released_at_s"),
            "value": attrgetter("value"),
            "name": lambda order: order.name.casefold(),
            "status": lambda order: shown[order.status].value,
            ID: attrgetter("order_id"),
        },
        metadata=attrgetter("metadata"),
        weight=Weight(
            lambda order: ORDER_BYTES + CHARACTER_BYTES_MAX * (3 * len(public_base_url) + _characters_of(order)),
            lambda order: answer_bytes(written(order_view(order, public_base_url))),
        ),
    )


def _characters_of(order: Order) -> int:
    """Return the number of characters in the merchant's texts of an order."""
    texts = (
        order.name,
        order.description or "",
        order.tag or "",
        *order.images,
        *order.payin_types,
        *order.payin_fallback,
    )
    maps = (exact(one) for one in (order.metadata, order.template) if one)
    return sum(len(text) + len('"",') for text in (*texts, *maps))


@dataclass(frozen=True, slots=True)
class OrderEndpoints:
    desk: EscrowDesk
    reading: EscrowReading
    commands: Commands

    def list(self, request: HttpRequest, caller: Caller) -> HttpResponse:
        """GET orders. A page of the merchant's orders; empty if the other world is asked for (E9)."""
        listing = order_listing({}, caller.settings.public_base_url)
        asked = asked_of(request.query, listing, order_schema.list_filters(_shown(caller)))
        is_sandbox = caller.world is World.SANDBOX
        if asked.others.get("sandbox", is_sandbox) != is_sandbox:
            page: Page[Order] = Page(asked, [], 0, 0)
        else:
            page = self._page(caller, asked)
        return response(200, written(page.body([_view(caller)(order) for order in page.rows])))

    def create(self, request: HttpRequest, caller: Caller) -> HttpResponse:
        """POST orders. The new order: DRAFT, or PENDING_DETAILS if its buyer is named later."""

        def carry_out(sent: RequestFields, record: Record | None) -> View:
            asked = order_schema.order_to_create(sent, caller.owner.base_currency)
            if sent.errors:
                self._note_what_is_stored(sent, asked.currency, caller)
            sent.refuse_faulty()
            created = self.desk.create_order(caller.scope, asked, about(record, view))
            order_admitted("escrow")
            return view(created)

        view = _view(caller)
        return self.commands.once(request, caller, order_schema.CREATE, carry_out)

    def show(self, request: HttpRequest, caller: Caller) -> HttpResponse:
        return response(200, single(_view(caller)(self._order(request, caller))))

    def change(self, request: HttpRequest, caller: Caller) -> HttpResponse:
        """PUT orders/{id}. Changes the given fields, if the status allows it (E13)."""
        order = self._order(request, caller)

        def carry_out(sent: RequestFields) -> View:
            changes = order_schema.changes_of(sent)
            if sent.errors:
                sent.note(update_errors(order, changes))
                self._note_unknown_parties(sent, caller)
            sent.refuse_faulty()
            return _view(caller)(self.desk.update_order(caller.scope, order.order_id, changes))

        return self.commands.change(request, order_schema.UPDATE, carry_out)

    def payin(self, request: HttpRequest, caller: Caller) -> HttpResponse:
        """GET orders/{id}/payin. The latest one."""
        order = self._order(request, caller)
        payin = None if order.payin_id is None else self.reading.payins(caller.scope).one(order.payin_id)
        if payin is None:
            raise not_found()
        return response(200, single(payin_view(payin, caller.settings.public_base_url)))

    def payout(self, request: HttpRequest, caller: Caller) -> HttpResponse:
        """GET orders/{id}/payout. The latest one."""
        order = self._order(request, caller)
        payout = None if order.payout_id is None else self.reading.payouts(caller.scope).one(order.payout_id)
        if payout is None:
            raise not_found()
        return response(200, single(payout_view(payout)))

    def accept(self, request: HttpRequest, caller: Caller) -> HttpResponse:
        order_id, view = self._order(request, caller).order_id, _view(caller)

        def carry_out(sent: RequestFields, record: Record | None) -> View:
            sent.refuse_faulty()
            return view(self.desk.accept(caller.scope, order_id, about(record, view)))

        return self.commands.once(request, caller, order_schema.NONE, carry_out)

    def reject(self, request: HttpRequest, caller: Caller) -> HttpResponse:
        """POST orders/{id}/reject. The money stays in the hold until it is reimbursed (E21)."""
        order_id, view = self._order(request, caller).order_id, _view(caller)

        def carry_out(sent: RequestFields, record: Record | None) -> View:
            sent.refuse_faulty()
            return view(self.desk.reject(caller.scope, order_id, about(record, view)))

        return self.commands.once(request, caller, order_schema.NONE, carry_out)

    def cancel(self, request: HttpRequest, caller: Caller) -> HttpResponse:
        """POST orders/{id}/cancel. A bank account for the refund is accepted and ignored (E14)."""
        order, view = self._order(request, caller), _view(caller)

        def carry_out(sent: RequestFields, record: Record | None) -> View:
            given = sent.fields.get("metadata", {})
            if given:
                sent.note(metadata_errors({**order.metadata, **given}))
            sent.refuse_faulty()
            asked = Cancel(sent.fields.get("tag"), given)
            return view(self.desk.cancel(caller.scope, order.order_id, asked, about(record, view)))

        return self.commands.once(request, caller, order_schema.CANCEL, carry_out)

    def validate(self, request: HttpRequest, caller: Caller) -> HttpResponse:
        """POST orders/{id}/validate. RELEASED, or PENDING_RELEASE where the instance has a delay (E22)."""
        order_id, view = self._order(request, caller).order_id, _view(caller)

        def carry_out(sent: RequestFields, record: Record | None) -> View:
            sent.refuse_faulty()
            auto_accept, receipt = sent.fields.get("auto_accept", False), about(record, view)
            return view(self.desk.validate(caller.scope, order_id, receipt, auto_accept=auto_accept))

        return self.commands.once(request, caller, order_schema.VALIDATE, carry_out, is_finished_later=True)

    def reimburse(self, request: HttpRequest, caller: Caller) -> HttpResponse:
        """POST orders/{id}/reimburse. Gives the hold, or a part of it, back to the buyer."""
        order, view = self._order(request, caller), _view(caller)

        def carry_out(sent: RequestFields, record: Record | None) -> View:
            fields = sent.fields
            asked = Reimburse(fields.get("amount"), fields.get("wallet_id"), fields.get("payin_id"))
            sent.note(reimburse_errors(order, asked))
            sent.refuse_faulty()
            return view(self.desk.reimburse(caller.scope, order.order_id, asked, about(record, view)))

        return self.commands.once(request, caller, order_schema.REIMBURSE, carry_out, is_about_hold=True)

    def receipt(self, request: HttpRequest, caller: Caller) -> HttpResponse:
        """POST orders/{id}/receipt. The paid order; its buyer's page is the receipt, and no mail is sent (E41)."""
        order = self._order(request, caller)

        def carry_out(sent: RequestFields, record: Record | None) -> View:  # noqa: ARG001 - nothing is written with it
            sent.refuse_faulty()
            if not order.is_paid:
                raise Forbidden("receipted", order.status)
            return _view(caller)(order)

        return self.commands.once(request, caller, order_schema.NONE, carry_out, is_finished_later=True)

    def _page(self, caller: Caller, asked: Asked) -> Page[Order]:
        scope, emails = caller.scope, dict[int, str | None]()
        source = self.reading.orders(scope)
        if asked.search in EMAILS:
            orders = list(source.rows(True, 1000))
            ids = [party.customer_id for order in orders for party in (order.buyer, order.seller) if party is not None]
            found = self.reading.customers_by_id(scope, ids)
            emails |= {number: customer.email for number, customer in found.items()}
            source = replace(source, rows=lambda _newest_first, _at_once: iter(orders))
        status, shown = asked.others.get("status"), _shown(caller)
        keep: Callable[[Order], bool] | None = None if status is None else lambda order: shown[order.status] == status
        return page_from(source, order_listing(emails, caller.settings.public_base_url, shown), asked, keep)

    def _order(self, request: HttpRequest, caller: Caller) -> Order:
        """Return the order in the path. Raises Fault 404."""
        order = self.reading.orders(caller.scope).one(id_of(request))
        if order is None:
            raise not_found()
        return order

    def _note_what_is_stored(self, sent: RequestFields, code: str, caller: Caller) -> None:
        """Add the errors that the desk would find in the valid fields, so all errors are answered at once."""
        currency = caller.settings.currency(code, caller.world)
        if currency is None and "currency" not in sent.errors:
            sent.note(selected("currency"))
        sent.note(order_schema.money_errors(sent, currency))
        self._note_unknown_parties(sent, caller)

    def _note_unknown_parties(self, sent: RequestFields, caller: Caller) -> None:
        given = {field: sent.fields[field] for field in ("buyer_id", "seller_id") if field in sent.fields}
        known = self.reading.customers_by_id(caller.scope, given.values())
        for field, number in given.items():
            if number not in known:
                sent.note(selected(field))


def _shown(caller: Caller) -> Mapping[Status, Status]:
    return SHOWN if caller.is_bare else OWN


def _view(caller: Caller) -> Callable[[Order], View]:
    return lambda order: order_view(order, caller.settings.public_base_url)
