"""Endpoints: payins and payouts of orders (E15 to E17, E42)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from operator import attrgetter

from chalicelib.apis.escrow.commands import Commands, Record, RequestFields, about
from chalicelib.apis.escrow.envelope import breaks_rule, is_required, not_found, response, single, written
from chalicelib.apis.escrow.gate import Caller
from chalicelib.apis.escrow.kinds import choice, choice_of_texts, identifier, integer, text
from chalicelib.apis.escrow.list_query import CREATED_AT, ID, Listing, Match, Searched, asked_of
from chalicelib.apis.escrow.lists import page_from
from chalicelib.apis.escrow.objects import View, payin_view, payout_view
from chalicelib.apis.escrow.order_schema import UNSERVED_AMOUNT
from chalicelib.apis.escrow.paths import id_of
from chalicelib.apis.escrow.schema import Kind, Schema
from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.apis.kit.neutral import is_neutral
from chalicelib.domain.escrow.checks import payin_errors, payout_errors, selected
from chalicelib.domain.escrow.commands import OpenPayin, PayOut
from chalicelib.domain.escrow.order import Order
from chalicelib.domain.escrow.payments import Payin, PayinType, Payout, PayoutType
from chalicelib.services.escrow.desk import EscrowDesk
from chalicelib.services.escrow.reading import EscrowReading

NONE = Schema({})
PAYIN = Schema(
    {"order_id": identifier(), "type": choice_of_texts(), "wallet_id": identifier()},
    required=frozenset({"order_id", "type"}),
    unserved=UNSERVED_AMOUNT,
)
BANK_FIELDS = ("bankaccount_id", "bankwire_ref")
"""Of payouts that leave the ledger (E42)."""


def _unless_neutral(kind: Kind) -> Kind:
    """Return the kind with neutral values read as none: a payout to a wallet may have them (E31)."""
    return Kind(kind.spelled, lambda value: None if is_neutral(value) else kind.check(value), kind.described)


PAYOUT = Schema(
    {
        "order_id": identifier(),
        "type": choice(*(kind.value for kind in PayoutType)),
        "wallet_id": identifier(),
        "bankaccount_id": _unless_neutral(integer(1)),
        "bankwire_ref": _unless_neutral(text(140)),
    },
    required=frozenset({"order_id", "type"}),
    unserved=UNSERVED_AMOUNT | {"azupay_*"},
)
PAYINS: Listing[Payin] = Listing(
    row_id=attrgetter("payin_id"),
    created_at_s=attrgetter("created_at_s"),
    searches={
        ID: Searched(Match.INTEGER, lambda payin: [payin.payin_id]),
        "order_id": Searched(Match.INTEGER, lambda payin: [payin.order_id]),
        "reference": Searched(Match.CONTAINS, lambda payin: [payin.reference]),
        "type": Searched(Match.CONTAINS, lambda payin: [payin.type]),
        "status": Searched(Match.STATUS, lambda payin: [payin.status.value]),
    },
    sorts={
        CREATED_AT: attrgetter("created_at_s"),
        ID: attrgetter("payin_id"),
        "status": lambda payin: payin.status.value,
    },
)
PAYOUTS: Listing[Payout] = Listing(
    row_id=attrgetter("payout_id"),
    created_at_s=attrgetter("created_at_s"),
    searches={
        ID: Searched(Match.INTEGER, lambda payout: [payout.payout_id]),
        "order_id": Searched(Match.INTEGER, lambda payout: [payout.order_id]),
        "reference": Searched(Match.CONTAINS, lambda payout: [payout.reference]),
        "type": Searched(Match.CONTAINS, lambda payout: [payout.type]),
        "status": Searched(Match.STATUS, lambda payout: [payout.status.value]),
    },
    sorts={
        CREATED_AT: attrgetter("created_at_s"),
        ID: attrgetter("payout_id"),
        "status": lambda payout: payout.status.value,
    },
)


@dataclass(frozen=True, slots=True)
class PaymentEndpoints:
    desk: EscrowDesk
    reading: EscrowReading
    commands: Commands

    def list_payins(self, request: HttpRequest, caller: Caller) -> HttpResponse:
        asked = asked_of(request.query, PAYINS)
        page = page_from(self.reading.payins(caller.scope), PAYINS, asked)
        return response(200, written(page.body([_payin_view(caller, payin) for payin in page.rows])))

    def list_payouts(self, request: HttpRequest, caller: Caller) -> HttpResponse:
        asked = asked_of(request.query, PAYOUTS)
        page = page_from(self.reading.payouts(caller.scope), PAYOUTS, asked)
        return response(200, written(page.body(list(map(payout_view, page.rows)))))

    def show_payin(self, request: HttpRequest, caller: Caller) -> HttpResponse:
        return response(200, single(_payin_view(caller, self._payin(request, caller))))

    def show_payout(self, request: HttpRequest, caller: Caller) -> HttpResponse:
        return response(200, single(payout_view(self._payout(request, caller))))

    def refresh_payin(self, request: HttpRequest, caller: Caller) -> HttpResponse:
        """PUT payins/{id}. The payin as it stands: what its provider says comes by callback or from the operator."""
        payin = self._payin(request, caller)

        def carry_out(sent: RequestFields) -> View:
            sent.refuse_faulty()
            return _payin_view(caller, payin)

        return self.commands.change(request, NONE, carry_out)

    def refresh_payout(self, request: HttpRequest, caller: Caller) -> HttpResponse:
        """POST payouts/{id}/update. The payout as it stands."""
        payout = self._payout(request, caller)

        def carry_out(sent: RequestFields, record: Record | None) -> View:  # noqa: ARG001 - nothing is written with it
            sent.refuse_faulty()
            return payout_view(payout)

        return self.commands.once(request, caller, NONE, carry_out, is_finished_later=True)

    def open_payin(self, request: HttpRequest, caller: Caller) -> HttpResponse:
        """POST payins. From a wallet: CONFIRMED or DENIED. From outside: CREATED until the money arrives (E16, E44)."""

        def carry_out(sent: RequestFields, record: Record | None) -> View:
            fields, order = sent.fields, self._order_named(sent, caller)
            kind = fields.get("type")
            is_known = kind in caller.settings.payin_type_names
            if kind is not None and not is_known:
                sent.note(selected("type"))
            if kind == PayinType.WALLET and "wallet_id" not in fields:
                sent.note({"wallet_id": is_required("wallet_id")})
            if order is not None and kind is not None:
                asked = OpenPayin(order.order_id, kind, fields.get("wallet_id"))
                sent.note(payin_errors(order, asked, is_known=is_known))
            sent.refuse_faulty()
            asked = OpenPayin(fields["order_id"], fields["type"], fields.get("wallet_id"))
            receipt = about(record, view)
            return view(self.desk.open_payin(caller.scope, asked, receipt, has_frozen=caller.has_frozen))

        view = partial(_payin_view, caller)
        return self.commands.once(request, caller, PAYIN, carry_out)

    def pay_out(self, request: HttpRequest, caller: Caller) -> HttpResponse:
        """POST payouts. Sets where the seller is paid: a wallet, or a bank account unknown to the desk (E42)."""

        def carry_out(sent: RequestFields, record: Record | None) -> View:
            order, fields = self._order_named(sent, caller), sent.fields
            kind = PayoutType(fields["type"]) if "type" in fields else None
            if kind in (None, PayoutType.WALLET):
                sent.note({name: breaks_rule(name, "is not served") for name in BANK_FIELDS if fields.get(name)})
                if "wallet_id" not in fields:
                    sent.note({"wallet_id": is_required("wallet_id")})
            if kind is PayoutType.ACCOUNT and not fields.get("bankaccount_id"):
                sent.note({"bankaccount_id": is_required("bankaccount_id")})
            more = {name: fields.get(name) for name in ("wallet_id", *BANK_FIELDS)}
            if order is not None and kind is not None and "wallet_id" not in sent.errors:
                sent.note(payout_errors(order, PayOut(order.order_id, kind, **more)))
            sent.refuse_faulty()
            asked = PayOut(fields["order_id"], PayoutType(fields["type"]), **more)
            return payout_view(self.desk.pay_out(caller.scope, asked, about(record, payout_view)))

        return self.commands.once(request, caller, PAYOUT, carry_out)

    def _payin(self, request: HttpRequest, caller: Caller) -> Payin:
        """Return the payin in the path. Raises Fault 404."""
        payin = self.reading.payins(caller.scope).one(id_of(request))
        if payin is None:
            raise not_found()
        return payin

    def _payout(self, request: HttpRequest, caller: Caller) -> Payout:
        """Return the payout in the path. Raises Fault 404."""
        payout = self.reading.payouts(caller.scope).one(id_of(request))
        if payout is None:
            raise not_found()
        return payout

    def _order_named(self, sent: RequestFields, caller: Caller) -> Order | None:
        """Return the order of a body's order_id; add an error if there is none (E4)."""
        if "order_id" not in sent.fields:
            return None
        order = self.reading.orders(caller.scope).one(sent.fields["order_id"])
        if order is None:
            sent.note(selected("order_id"))
        return order


def _payin_view(caller: Caller, payin: Payin) -> View:
    return payin_view(payin, caller.settings.public_base_url)
