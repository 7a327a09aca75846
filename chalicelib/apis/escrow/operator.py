"""Endpoints of the operator, for payments, orders and wallets of any merchant of the instance (E19, E42, E43)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import TypeVar

from chalicelib.apis.escrow.commands import Commands, Record, RequestFields, about
from chalicelib.apis.escrow.envelope import not_found, response, written
from chalicelib.apis.escrow.gate import Caller
from chalicelib.apis.escrow.kinds import amount, text
from chalicelib.apis.escrow.list_query import asked_of
from chalicelib.apis.escrow.lists import page_from
from chalicelib.apis.escrow.objects import (
    View,
    open_payin_view,
    open_payout_view,
    order_view,
    payin_view,
    payout_view,
    wallet_view,
)
from chalicelib.apis.escrow.paths import id_of, uuid_of
from chalicelib.apis.escrow.payments import PAYINS, PAYOUTS
from chalicelib.apis.escrow.schema import Schema
from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.domain.escrow.commands import Deposit
from chalicelib.domain.escrow.order import Order, Scope, Wallet
from chalicelib.domain.escrow.payments import Payin
from chalicelib.services.answers import Receipt
from chalicelib.services.escrow.desk import EscrowDesk
from chalicelib.services.escrow.reading import EscrowReading

T = TypeVar("T")

DEPOSIT_MAX = Decimal(10**18)
NONE = Schema({})
CONFIRM = Schema({"amount": amount()}, required=frozenset({"amount"}))
DENY = Schema({"reason": text(255)})
DEPOSIT = Schema(
    {"amount": amount(DEPOSIT_MAX, is_above_zero=True), "reference": text(64)},
    required=frozenset({"amount", "reference"}),
)


@dataclass(frozen=True, slots=True)
class OperatorEndpoints:
    desk: EscrowDesk
    reading: EscrowReading
    commands: Commands

    def list_payins(self, request: HttpRequest, caller: Caller) -> HttpResponse:
        """GET operator/payins. The open ones of all merchants in the key's world (E43)."""
        source = self.reading.open_payins(caller.instance, caller.world)
        page = page_from(source, PAYINS, asked_of(request.query, PAYINS))
        orders, base_url = self.reading.orders_of(page.rows), caller.settings.public_base_url
        rows = [open_payin_view(payin, orders[payin.order_id], base_url) for payin in page.rows]
        return response(200, written(page.body(rows)))

    def list_payouts(self, request: HttpRequest, caller: Caller) -> HttpResponse:
        """GET operator/payouts. Those that leave the ledger and are open, of all merchants in the key's world (E43)."""
        source = self.reading.open_payouts(caller.instance, caller.world)
        page = page_from(source, PAYOUTS, asked_of(request.query, PAYOUTS))
        orders = self.reading.orders_of(page.rows)
        rows = [open_payout_view(payout, orders[payout.order_id]) for payout in page.rows]
        return response(200, written(page.body(rows)))

    def confirm_payout(self, request: HttpRequest, caller: Caller) -> HttpResponse:
        """POST operator/payouts/{id}/confirm. The money has left: the order is RELEASED (E42)."""
        payout_id = id_of(request)
        scope = _found(self.reading.scope_of_payout(caller.instance, caller.world, payout_id))

        def carry_out(sent: RequestFields, record: Record | None) -> View:
            sent.refuse_faulty()
            receipt = about(record, payout_view)
            return payout_view(self.desk.confirm_payout(scope, payout_id, sent.fields["amount"], receipt))

        return self.commands.once(request, caller, CONFIRM, carry_out)

    def deny_payout(self, request: HttpRequest, caller: Caller) -> HttpResponse:
        """POST operator/payouts/{id}/deny. The money will not leave: the order is ACCEPTED again."""
        payout_id = id_of(request)
        scope = _found(self.reading.scope_of_payout(caller.instance, caller.world, payout_id))

        def carry_out(sent: RequestFields, record: Record | None) -> View:
            sent.refuse_faulty()
            receipt = about(record, payout_view)
            return payout_view(self.desk.deny_payout(scope, payout_id, sent.fields.get("reason"), receipt))

        return self.commands.once(request, caller, DENY, carry_out)

    def confirm_payin(self, request: HttpRequest, caller: Caller) -> HttpResponse:
        """POST operator/payins/{id}/confirm. The whole amount has arrived: the order is PUBLISHED."""
        payin_id = id_of(request)
        scope = _found(self.reading.scope_of_payin(caller.instance, caller.world, payin_id))

        def carry_out(sent: RequestFields, record: Record | None) -> View:
            sent.refuse_faulty()
            return view(self.desk.confirm_payin(scope, payin_id, sent.fields["amount"], about(record, view)))

        view = partial(_payin_view, caller)
        return self.commands.once(request, caller, CONFIRM, carry_out)

    def deny_payin(self, request: HttpRequest, caller: Caller) -> HttpResponse:
        """POST operator/payins/{id}/deny. The money will not arrive: the order is a FAILURE."""
        payin_id = id_of(request)
        scope = _found(self.reading.scope_of_payin(caller.instance, caller.world, payin_id))

        def carry_out(sent: RequestFields, record: Record | None) -> View:
            sent.refuse_faulty()
            return view(self.desk.deny_payin(scope, payin_id, sent.fields.get("reason"), about(record, view)))

        view = partial(_payin_view, caller)
        return self.commands.once(request, caller, DENY, carry_out)

    def block(self, request: HttpRequest, caller: Caller) -> HttpResponse:
        """POST operator/orders/{id}/block. The order allows no commands until it is unblocked."""
        return self._about_order(request, caller, self.desk.block)

    def unblock(self, request: HttpRequest, caller: Caller) -> HttpResponse:
        """POST operator/orders/{id}/unblock. Restores the earlier status; a release waits its delay again (E22)."""
        return self._about_order(request, caller, self.desk.unblock)

    def deposit(self, request: HttpRequest, caller: Caller) -> HttpResponse:
        """POST operator/wallets/{uuid}/deposit. Credits bank money to a wallet, once for each reference."""
        uuid = uuid_of(request)
        scope = _found(self.reading.scope_of_wallet(caller.instance, caller.world, uuid))

        def carry_out(sent: RequestFields, record: Record | None) -> View:
            sent.refuse_faulty()
            asked = Deposit(sent.fields["amount"], sent.fields["reference"])
            before = 0 if record is None else self._available(caller, _found(self.reading.wallet(scope, uuid)))

            receipt = None if record is None else lambda made, _: record(wallet_view(made, before + asked.amount))
            wallet = self.desk.deposit(scope, uuid, asked, receipt)
            return wallet_view(wallet, self._available(caller, wallet))

        return self.commands.once(request, caller, DEPOSIT, carry_out, is_finished_later=True)

    def _about_order(
        self,
        request: HttpRequest,
        caller: Caller,
        command: Callable[[Scope, int, Callable[[Order], Receipt] | None], Order],
    ) -> HttpResponse:
        order_id = id_of(request)
        scope = _found(self.reading.scope_of_order(caller.instance, caller.world, order_id))

        def carry_out(sent: RequestFields, record: Record | None) -> View:
            sent.refuse_faulty()
            return view(command(scope, order_id, about(record, view)))

        def view(order: Order) -> View:
            return order_view(order, caller.settings.public_base_url)

        return self.commands.once(request, caller, NONE, carry_out, is_finished_later=True)

    def _available(self, caller: Caller, wallet: Wallet) -> int:
        return self.reading.available(caller.instance, [wallet])[0]


def _found(thing: T | None) -> T:
    """Return the thing. Raises Fault 404 for None."""
    if thing is None:
        raise not_found()
    return thing


def _payin_view(caller: Caller, payin: Payin) -> View:
    return payin_view(payin, caller.settings.public_base_url)
