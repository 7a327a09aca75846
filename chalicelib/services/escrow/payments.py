"""Payins and payouts of escrow orders (E15 to E17, E42)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from chalicelib.domain.escrow import payment_steps
from chalicelib.domain.escrow.checks import (
    confirm_errors,
    outcome_errors,
    payin_errors,
    payout_confirm_errors,
    payout_errors,
    selected,
    wrong,
)
from chalicelib.domain.escrow.commands import OpenPayin, PayinOutcome, PayOut
from chalicelib.domain.escrow.faults import Forbidden, Invalid, NotFound, demand
from chalicelib.domain.escrow.lifecycle import Action, transition
from chalicelib.domain.escrow.order import Order, Scope
from chalicelib.domain.escrow.payments import (
    BUYER_FROZEN,
    INSUFFICIENT_FUNDS,
    Payin,
    PayinStatus,
    PayinType,
    Payout,
    PayoutStatus,
    PayoutType,
)
from chalicelib.domain.escrow.settings import DeskSettings
from chalicelib.domain.escrow.step import OrderRecord, Step
from chalicelib.domain.ledger.owners import customer_key
from chalicelib.services.escrow.committing import Commits, Once, Receipt
from chalicelib.support.consistency import Inconsistent
from chalicelib.tables.accounts import Accounts
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.escrow_rows import PAYIN, PAYOUT
from chalicelib.tables.escrows import Escrows
from chalicelib.tables.frozen_customers import FrozenCustomers
from chalicelib.tables.writes import Write

PayinReceipt = Callable[[Payin], Write]
PayoutReceipt = Callable[[Payout], Write]


class Payments:
    """The part of ``EscrowDesk`` for payins and payouts; raises what its commands raise."""

    def __init__(
        self,
        database: Database,
        commits: Commits,
        clock_s: Callable[[], int],
        settings: Callable[[str], DeskSettings],
    ) -> None:
        self._accounts = Accounts(database)
        self._clock_s = clock_s
        self._commits = commits
        self._escrows = Escrows(database)
        self._is_frozen = FrozenCustomers(database).has
        self._settings = settings

    def open_payin(
        self, scope: Scope, request: OpenPayin, receipt: PayinReceipt | None = None, *, has_frozen: bool = False
    ) -> Payin:
        """Pay an order from its buyer's wallet, decided at once, or open a payin that waits for outside money (E16).

        If the wallet has too little, or the buyer is frozen, the command succeeds and the payin is DENIED. has_frozen:
        whether a customer of the instance is frozen (T96).
        """
        payin_id = Once(lambda: self._escrows.next_id(scope.instance, PAYIN))
        payout_id = Once(lambda: self._escrows.next_id(scope.instance, PAYOUT))

        def decide(current: OrderRecord) -> Step:
            order, is_wallet = current.order, request.type == PayinType.WALLET
            demand(payin_errors(order, request, is_known=self._knows(scope.instance, request.type)))
            transition(order.status, Action.PAY if is_wallet else Action.OPEN_PAYIN)
            payin = self._payin(order, request, payin_id())
            if not is_wallet:
                return payment_steps.payin_opened(current, payin)
            if has_frozen and self._is_frozen(scope.instance, _buyer_of(order)):
                return payment_steps.payin_denied(current, payin, BUYER_FROZEN, payin.created_at_s)
            if self._available(order) < order.value:
                return payment_steps.payin_denied(current, payin, INSUFFICIENT_FUNDS, payin.created_at_s)
            return payment_steps.paid(current, payin, payin.created_at_s, payout_id() if order.is_auto_settle else None)

        current = self._commit_for_body(scope, request.order_id, decide, _about_payin(receipt))
        return self._payin_now(scope, current, payin_id())

    def confirm_payin(self, scope: Scope, payin_id: int, amount: int, receipt: PayinReceipt | None = None) -> Payin:
        """Confirm a payin from outside, for the operator: its whole amount has arrived."""
        payout_id = Once(lambda: self._escrows.next_id(scope.instance, PAYOUT))

        def decide(current: OrderRecord) -> Step:
            demand(confirm_errors(self._payin_now(scope, current, payin_id), amount))
            payin = self._open(current, payin_id, "confirmed")
            return payment_steps.paid(
                current, payin, self._clock_s(), payout_id() if current.order.is_auto_settle else None
            )

        return self._decide_payin(scope, payin_id, decide, receipt)

    def deny_payin(
        self, scope: Scope, payin_id: int, reason: str | None = None, receipt: PayinReceipt | None = None
    ) -> Payin:
        """Deny a payin from outside, for the operator: its money will not arrive."""

        def decide(current: OrderRecord) -> Step:
            payin = self._open(current, payin_id, "denied")
            return payment_steps.payin_denied(current, payin, reason, self._clock_s())

        return self._decide_payin(scope, payin_id, decide, receipt)

    def take_outcome(self, scope: Scope, outcome: PayinOutcome) -> Payin:
        """Confirm or deny an external payin as its provider says. What is said again changes nothing (E45)."""
        payout_id = Once(lambda: self._escrows.next_id(scope.instance, PAYOUT))
        ends = (PayinStatus.CONFIRMED, PayinStatus.REFUNDED) if outcome.is_confirmed else (PayinStatus.DENIED,)

        def decide(current: OrderRecord) -> Step:
            order, payin = current.order, self._payin_now(scope, current, outcome.payin_id)
            demand(outcome_errors(order, payin, outcome))
            named, at_s = replace(payin, external_reference=outcome.reference), self._clock_s()
            if payin.status in ends:
                return Step(order, current) if named == payin else payment_steps.payin_named(current, named, at_s)
            self._open(current, outcome.payin_id, "confirmed" if outcome.is_confirmed else "denied")
            if not outcome.is_confirmed:
                return payment_steps.payin_denied(current, named, None, at_s)
            return payment_steps.paid(current, named, at_s, payout_id() if order.is_auto_settle else None)

        return self._decide_payin(scope, outcome.payin_id, decide, None)

    def pay_out(self, scope: Scope, request: PayOut, receipt: PayoutReceipt | None = None) -> Payout:
        """Set where the seller is paid."""
        payout_id = Once(lambda: self._escrows.next_id(scope.instance, PAYOUT))

        def decide(current: OrderRecord) -> Step:
            order = current.order
            demand(payout_errors(order, request))
            transition(order.status, Action.PAY_OUT)
            return payment_steps.payout_set(current, self._payout(order, request, payout_id()))

        current = self._commit_for_body(scope, request.order_id, decide, _about_payout(receipt))
        if current.payout is None:
            raise Inconsistent("an order has one payout")
        return current.payout

    def confirm_payout(self, scope: Scope, payout_id: int, amount: int, receipt: PayoutReceipt | None = None) -> Payout:
        """Confirm a payout that leaves the ledger, for the operator: its money has left (E42)."""

        def decide(current: OrderRecord) -> Step:
            payout = self._payout_now(scope, current, payout_id)
            demand(payout_confirm_errors(current.order, payout, amount))
            return payment_steps.payout_confirmed(current, _open_payout(payout, "confirmed"), self._clock_s())

        return self._decide_payout(scope, payout_id, decide, receipt)

    def deny_payout(
        self, scope: Scope, payout_id: int, reason: str | None = None, receipt: PayoutReceipt | None = None
    ) -> Payout:
        """Deny a payout that leaves the ledger, for the operator: its money will not leave."""

        def decide(current: OrderRecord) -> Step:
            payout = self._payout_now(scope, current, payout_id)
            if not payout.is_external:
                raise Invalid(wrong("type", "is WALLET, which the desk pays itself"))
            return payment_steps.payout_denied(current, _open_payout(payout, "denied"), reason, self._clock_s())

        return self._decide_payout(scope, payout_id, decide, receipt)

    def _commit_for_body(
        self,
        scope: Scope,
        order_id: int,
        decide: Callable[[OrderRecord], Step],
        receipt: Receipt | None,
    ) -> OrderRecord:
        """Commit a command whose body names the order: an unknown order is a bad field, not a 404 (E4)."""
        try:
            return self._commits.commit(scope, order_id, decide, receipt)
        except NotFound as error:
            raise Invalid(selected("order_id")) from error

    def _payin(self, order: Order, request: OpenPayin, payin_id: int) -> Payin:
        iban = beneficiary = None
        if request.type == PayinType.BANKWIRE:
            settings = self._settings(order.scope.instance)
            iban, beneficiary = settings.iban, settings.beneficiary
        return Payin(
            order.scope,
            payin_id,
            order.order_id,
            str(request.type),
            order.value,
            order.links.buyer,
            self._clock_s(),
            wallet_id=request.wallet_id if request.type == PayinType.WALLET else None,
            iban=iban,
            beneficiary=beneficiary,
        )

    def _knows(self, instance: str, payin_type: str) -> bool:
        return payin_type in list(PayinType) or self._settings(instance).payin_type(payin_type) is not None

    def _payout(self, order: Order, request: PayOut, payout_id: int) -> Payout:
        is_to_wallet = request.type is PayoutType.WALLET
        return Payout(
            order.scope,
            payout_id,
            order.order_id,
            request.type,
            self._clock_s(),
            wallet_id=request.wallet_id if is_to_wallet else None,
            bankaccount_id=None if is_to_wallet else request.bankaccount_id,
            bankwire_ref=None if is_to_wallet else request.bankwire_ref,
        )

    def _available(self, order: Order) -> int:
        owner = customer_key(order.scope.instance, _buyer_of(order))
        return self._accounts.balance(owner, order.buyer_account.asset).available

    def _payin_now(self, scope: Scope, current: OrderRecord, payin_id: int) -> Payin:
        """Return a payin as it is now; other commands may have followed its own."""
        if current.payin is not None and current.payin.payin_id == payin_id:
            return current.payin
        payin = self._escrows.payin(scope, payin_id)
        if payin is None:
            raise Inconsistent("a payin stays")
        return payin

    def _decide_payin(
        self, scope: Scope, payin_id: int, decide: Callable[[OrderRecord], Step], receipt: PayinReceipt | None
    ) -> Payin:
        payin = self._escrows.payin(scope, payin_id)
        if payin is None:
            raise NotFound(f"payin {payin_id}")
        current = self._commits.commit(scope, payin.order_id, decide, _about_payin(receipt))
        return self._payin_now(scope, current, payin_id)

    def _payout_now(self, scope: Scope, current: OrderRecord, payout_id: int) -> Payout:
        """Return a payout as it is now; other commands may have followed its own."""
        if current.payout is not None and current.payout.payout_id == payout_id:
            return current.payout
        payout = self._escrows.payout(scope, payout_id)
        if payout is None:
            raise Inconsistent("a payout stays")
        return payout

    def _decide_payout(
        self, scope: Scope, payout_id: int, decide: Callable[[OrderRecord], Step], receipt: PayoutReceipt | None
    ) -> Payout:
        payout = self._escrows.payout(scope, payout_id)
        if payout is None:
            raise NotFound(f"payout {payout_id}")
        current = self._commits.commit(scope, payout.order_id, decide, _about_payout(receipt))
        return self._payout_now(scope, current, payout_id)

    def _open(self, current: OrderRecord, payin_id: int, participle: str) -> Payin:
        """Return the order's open payin. Raises Forbidden where this payin is not open."""
        payin = current.payin
        if payin is None or payin.payin_id != payin_id:
            payin = self._payin_now(current.order.scope, current, payin_id)
        if payin.status is not PayinStatus.CREATED:
            raise Forbidden(participle, payin.status, "payin")
        return payin


def _open_payout(payout: Payout, participle: str) -> Payout:
    """Raise Forbidden where a payout is not open."""
    if payout.status is not PayoutStatus.CREATED:
        raise Forbidden(participle, payout.status, "payout")
    return payout


def _about_payin(receipt: PayinReceipt | None) -> Receipt | None:
    def write(current: OrderRecord) -> Write:
        if receipt is None or current.payin is None:
            raise Inconsistent("a payin is answered")
        return receipt(current.payin)

    return None if receipt is None else write


def _about_payout(receipt: PayoutReceipt | None) -> Receipt | None:
    def write(current: OrderRecord) -> Write:
        if receipt is None or current.payout is None:
            raise Inconsistent("a payout is answered")
        return receipt(current.payout)

    return None if receipt is None else write


def _buyer_of(order: Order) -> str:
    """Return the buyer of an order as the ledger knows it."""
    customer = order.buyer_account.customer
    if customer is None:
        raise Inconsistent("a buyer is a customer")
    return customer
