"""The escrow desk: every command on orders, payins, payouts and customers, and the release of what is due.

A command checks the fields, then the order's status, then amounts against the hold, and writes only if all are right.
``domain.escrow.steps`` decides what changes; ``committing`` writes it.

A command may be sent twice, or at the same time as another: money moves once, and the later one is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chalicelib.domain.escrow import steps
from chalicelib.domain.escrow.checks import metadata_errors, reimburse_errors, selected, update_errors, wrong
from chalicelib.domain.escrow.commands import (
    Cancel,
    CreateCustomer,
    CreateOrder,
    Deposit,
    OpenPayin,
    OrderChanges,
    PayinOutcome,
    PayOut,
    Reimburse,
)
from chalicelib.domain.escrow.faults import DeskBusy, Invalid, NotFound, demand
from chalicelib.domain.escrow.lifecycle import HOLDING, Action, Status, transition
from chalicelib.domain.escrow.order import Customer, Merchant, Order, Scope, Wallet
from chalicelib.domain.escrow.payments import Payin, PayinStatus, Payout
from chalicelib.domain.escrow.settings import DeskSettings
from chalicelib.domain.escrow.step import OrderRecord, Step
from chalicelib.domain.ledger.transactions import Transaction
from chalicelib.services.escrow.committing import Commits, Once
from chalicelib.services.escrow.creation import Creation, OrderReceipt
from chalicelib.services.escrow.customers import Customers
from chalicelib.services.escrow.payments import PayinReceipt, Payments, PayoutReceipt
from chalicelib.services.sweeps import Sweeper
from chalicelib.support.outcomes import OutcomeUnknown, Unavailable
from chalicelib.support.telemetry import logger
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.escrow_rows import PAYOUT, REFUND, scope_of
from chalicelib.tables.escrow_settings import EscrowDesks
from chalicelib.tables.escrows import Escrows
from chalicelib.tables.writes import Write


class _NotDue(Exception):
    """The order is not due for release: it is released already, blocked, cancelled, or its delay is not over."""


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep did: how many orders it released, and how many it could not."""

    released: int
    failed: int


class EscrowDesk:
    """The commands of the escrow desk. clock_s: Unix seconds. settings: of an instance; None reads the stored ones.

    Commands raise NotFound, Invalid or Forbidden, checked in this order, ReceiptExists (the key of ``receipt`` has an
    answer), DeskBusy or Unavailable (nothing changed); or OutcomeUnknown.
    """

    def __init__(
        self,
        database: Database,
        clock_s: Callable[[], int],
        settings: Callable[[str], DeskSettings] | None = None,
    ) -> None:
        self._clock_s = clock_s
        self._commits = Commits(database, clock_s)
        self._customers = Customers(database, clock_s)
        self._escrows = Escrows(database)
        self._settings = settings or EscrowDesks(database).settings
        self._creation = Creation(database, self._commits, self._customers, clock_s, self._settings)
        self._payments = Payments(database, self._commits, clock_s, self._settings)
        transient = DeskBusy, Unavailable, OutcomeUnknown
        self._due = Sweeper[tuple[str, int]]("order not released", lambda order: order, transient)

    # --- customers and wallets

    def create_merchant(self, instance: str, merchant: str, base_currency: str, email: str | None = None) -> Merchant:
        """Create a merchant and its own customers. Raises UnknownCurrency, MerchantExists or TooManyMerchants."""
        return self._customers.create_merchant(instance, merchant, base_currency, email)

    def create_customer(
        self, scope: Scope, request: CreateCustomer, receipt: Callable[[Customer], Write] | None = None
    ) -> Customer:
        """Create a customer, or change the one with this e-mail address or phone (E18)."""
        currencies = self._settings(scope.instance).currencies_in(scope.world)
        return self._customers.create(scope, request, currencies, receipt)

    def change_customer(self, scope: Scope, uuid: str, request: CreateCustomer) -> Customer:
        """Change the given fields of a customer."""
        return self._customers.change(scope, uuid, request)

    def deposit(
        self,
        scope: Scope,
        wallet_uuid: str,
        request: Deposit,
        receipt: Callable[[Wallet, Transaction], Write] | None = None,
    ) -> Wallet:
        """Credit a wallet, once for each reference; a repeat moves nothing and writes no receipt (E19)."""
        return self._customers.deposit(scope, wallet_uuid, request, receipt)

    # --- orders

    def create_order(self, scope: Scope, request: CreateOrder, receipt: OrderReceipt | None = None) -> Order:
        """Create an order: DRAFT, or PENDING_DETAILS where its buyer is named later."""
        return self._creation.create_order(scope, request, receipt)

    def update_order(self, scope: Scope, order_id: int, changes: OrderChanges) -> Order:
        """Change the fields of an order that its status allows to change (E13)."""

        def decide(current: OrderRecord) -> Step:
            errors, buyer = update_errors(current.order, changes), None
            if "buyer_id" in changes and "buyer_id" not in errors:
                found = self._escrows.customer_by_id(scope, changes["buyer_id"])
                errors |= selected("buyer_id") if found is None else {}
                buyer = found and self._customers.with_wallet(found, current.order.currency) if not errors else None
            demand(errors)
            party = buyer.party(current.order.currency.code) if buyer else None
            return steps.updated(current, changes, party, self._clock_s())

        return self._commits.commit(scope, order_id, decide).order

    def accept(self, scope: Scope, order_id: int, receipt: OrderReceipt | None = None) -> Order:
        return self._change(scope, order_id, lambda current: steps.accepted(current, self._clock_s()), receipt)

    def reject(self, scope: Scope, order_id: int, receipt: OrderReceipt | None = None) -> Order:
        """Reject the order for its seller; the money stays in the hold until it is reimbursed."""
        return self._change(scope, order_id, lambda current: steps.rejected(current, self._clock_s()), receipt)

    def cancel(self, scope: Scope, order_id: int, request: Cancel, receipt: OrderReceipt | None = None) -> Order:
        """Cancel the order; the rest of its hold goes back to the buyer (E21)."""
        refund_id = Once(lambda: self._escrows.next_id(scope.instance, REFUND))

        def decide(current: OrderRecord) -> Step:
            metadata = {**current.order.metadata, **request.metadata}
            if request.metadata:
                demand(metadata_errors(metadata))
            steps.demand_givable(current.order, Action.CANCEL)
            number = refund_id() if current.order.status in HOLDING else None
            return steps.cancelled(current, self._clock_s(), number, request.tag, metadata)

        return self._change(scope, order_id, decide, receipt)

    def reimburse(self, scope: Scope, order_id: int, request: Reimburse, receipt: OrderReceipt | None = None) -> Order:
        """Give the hold, or a part of it, back to the buyer. Giving all of it ends the order, unless it is rejected."""
        refund_id = Once(lambda: self._escrows.next_id(scope.instance, REFUND))

        def decide(current: OrderRecord) -> Step:
            order = current.order
            demand(reimburse_errors(order, request))
            steps.demand_givable(order, Action.REIMBURSE)
            amount = order.hold if request.amount is None else request.amount
            if amount > order.hold:
                raise Invalid(wrong("amount", "must not be more than what is left of the order"))
            if current.payin is not None and current.payin.status is PayinStatus.REFUNDED:
                raise Invalid(wrong("amount", "must be greater than 0: nothing is left of the order"))
            return steps.reimbursed(current, amount, self._clock_s(), refund_id())

        return self._change(scope, order_id, decide, receipt)

    def validate(
        self,
        scope: Scope,
        order_id: int,
        receipt: OrderReceipt | None = None,
        release_receipt: OrderReceipt | None = None,
        *,
        auto_accept: bool = False,
    ) -> Order:
        """Validate the order; if no delay is set, release it too, in a second transaction (E22).

        The first transaction writes ``receipt``, for the PENDING_RELEASE order; the second ``release_receipt``, for the
        RELEASED one, which must never be refused. If the release fails, the sweep does it; the command succeeds.
        """
        payout_id = Once(lambda: self._escrows.next_id(scope.instance, PAYOUT))

        def decide(current: OrderRecord) -> Step:
            transition(current.order.status, steps.validation(auto_accept=auto_accept))
            number = payout_id() if current.needs_payout else 0
            delay_s = self._settings(scope.instance).release_delay_seconds
            return steps.validated(current, number, self._clock_s(), delay_s, auto_accept=auto_accept)

        validated = self._change(scope, order_id, decide, receipt)
        return self._released_if_due(validated, release_receipt)

    def block(self, scope: Scope, order_id: int, receipt: OrderReceipt | None = None) -> Order:
        """Block the order, for the operator."""
        return self._change(scope, order_id, lambda current: steps.blocked(current, self._clock_s()), receipt)

    def unblock(
        self,
        scope: Scope,
        order_id: int,
        receipt: OrderReceipt | None = None,
        release_receipt: OrderReceipt | None = None,
    ) -> Order:
        """Put a blocked order back into its earlier status; a release waits its whole delay again.

        receipt, release_receipt: as for ``validate``.
        """

        def decide(current: OrderRecord) -> Step:
            return steps.unblocked(current, self._clock_s(), self._settings(scope.instance).release_delay_seconds)

        unblocked = self._change(scope, order_id, decide, receipt)
        return self._released_if_due(unblocked, release_receipt)

    # --- payins and payouts

    def open_payin(
        self, scope: Scope, request: OpenPayin, receipt: PayinReceipt | None = None, *, has_frozen: bool = False
    ) -> Payin:
        """Pay an order from its buyer's wallet, decided at once, or open a payin that waits for outside money (E16)."""
        return self._payments.open_payin(scope, request, receipt, has_frozen=has_frozen)

    def confirm_payin(self, scope: Scope, payin_id: int, amount: int, receipt: PayinReceipt | None = None) -> Payin:
        """Confirm a payin from outside, for the operator: its whole amount has arrived."""
        return self._payments.confirm_payin(scope, payin_id, amount, receipt)

    def deny_payin(
        self, scope: Scope, payin_id: int, reason: str | None = None, receipt: PayinReceipt | None = None
    ) -> Payin:
        """Deny a payin from outside, for the operator: its money will not arrive."""
        return self._payments.deny_payin(scope, payin_id, reason, receipt)

    def take_outcome(self, scope: Scope, outcome: PayinOutcome) -> Payin:
        """Confirm or deny an external payin as its provider says. What is said again changes nothing (E45)."""
        return self._payments.take_outcome(scope, outcome)

    def pay_out(self, scope: Scope, request: PayOut, receipt: PayoutReceipt | None = None) -> Payout:
        """Set where the seller is paid."""
        return self._payments.pay_out(scope, request, receipt)

    def confirm_payout(self, scope: Scope, payout_id: int, amount: int, receipt: PayoutReceipt | None = None) -> Payout:
        """Confirm a payout that leaves the ledger, for the operator: its money has left (E42)."""
        return self._payments.confirm_payout(scope, payout_id, amount, receipt)

    def deny_payout(
        self, scope: Scope, payout_id: int, reason: str | None = None, receipt: PayoutReceipt | None = None
    ) -> Payout:
        """Deny a payout that leaves the ledger, for the operator: its money will not leave."""
        return self._payments.deny_payout(scope, payout_id, reason, receipt)

    # --- releases

    def release(self, scope: Scope, order_id: int, receipt: OrderReceipt | None = None) -> Order | None:
        """Release an order that is due, and return it; None if it is not due."""

        def decide(current: OrderRecord) -> Step:
            due_s = current.order.release_at_s
            if current.order.status is not Status.PENDING_RELEASE or due_s is None or due_s > self._clock_s():
                raise _NotDue
            return steps.released(current, self._clock_s())

        try:
            return self._change(scope, order_id, decide, receipt)
        except (_NotDue, NotFound):
            return None

    def sweep(self, goes_on: Callable[[], bool] = lambda: True) -> Swept:
        """Release due orders while ``goes_on`` returns True: the delay is over, or a validation was cut short.

        Longest due first; an order that cannot be released does not stop the others (``Sweeper``). Raises Unavailable
        where the due orders cannot be read.
        """

        def released(order: tuple[str, int]) -> bool:
            owner, order_id = order
            return self.release(scope_of(owner), order_id) is not None

        now_s = self._clock_s()
        swept = self._due.sweep(self._escrows.due_releases(now_s), released, now_s, goes_on)
        return Swept(swept.done, swept.failed)

    # --- parts of commands

    def _change(
        self, scope: Scope, order_id: int, decide: Callable[[OrderRecord], Step], receipt: OrderReceipt | None
    ) -> Order:
        bound = None if receipt is None else lambda current: receipt(current.order)
        return self._commits.commit(scope, order_id, decide, bound).order

    def _released_if_due(self, order: Order, receipt: OrderReceipt | None) -> Order:
        """Release the order if its delay is over; return it as it is then."""
        if order.release_at_s is None or order.release_at_s > self._clock_s():
            return order
        try:
            return self.release(order.scope, order.order_id, receipt) or order
        except (DeskBusy, Unavailable, OutcomeUnknown):
            logger.warning("left to the sweep", exc_info=True, order=order.order_id)
            return order
