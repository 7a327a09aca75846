"""Any sequence of steps: money is neither made nor lost, nothing is negative, and the hold is what it should be."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.domain.escrow import payment_steps, steps
from chalicelib.domain.escrow.lifecycle import HOLDING, PAYABLE, Action, Forbidden, Status
from chalicelib.domain.escrow.money import FeeTerms
from chalicelib.domain.escrow.order import Links, Order, Party, Scope
from chalicelib.domain.escrow.payments import Payin, PayinStatus, PayinType, Payout, PayoutStatus, PayoutType
from chalicelib.domain.escrow.step import OrderRecord, Step
from chalicelib.domain.ledger.changes import Account, Change
from chalicelib.domain.ledger.transactions import TransactionType
from chalicelib.domain.tenancy.instances import World
from tests.services.escrow.world import EUR, NOW_S

SCOPE = Scope("inst_test0001", World.SANDBOX, "shop")
BUYER, SELLER = Party(1, "b", 11), Party(2, "s", 12)
CENT = EUR.minor_unit
WALLET_FUNDS = 500 * CENT


@dataclass
class Desk:
    """One order, and the accounts that its steps move, changed as the ledger would."""

    current: OrderRecord
    accounts: dict[Account, Change] = field(default_factory=dict)
    credited: int = WALLET_FUNDS
    reimbursed: int = 0
    at_s: int = NOW_S
    ids: int = 0

    def next_id(self) -> int:
        self.ids += 1
        return self.ids

    def take(self, step: Step) -> None:
        order, after = self.current.order, step.after.order
        assert step.before == order
        assert after.version == order.version + 1
        for account, change in step.changes.items():
            assert change != Change()
            self.accounts[account] = self.accounts.get(account, Change()) + change
        self.credited += sum(leg.amount for leg in step.legs if leg.kind is TransactionType.CREDIT)
        self.credited -= sum(leg.amount for leg in step.legs if leg.kind is TransactionType.DEBIT)
        self.reimbursed += step.refund.amount if step.refund else 0
        self.current = step.after
        statuses = [order.status, *(event.entered for event in step.events)]
        assert [event.left for event in step.events] == statuses[:-1]
        assert statuses[-1] is after.status
        assert all(leg.amount > 0 for leg in step.legs)

    def check(self) -> None:
        order, payin, payout = self.current.order, self.current.payin, self.current.payout
        assert all(min(account.available, account.held) >= 0 for account in self.accounts.values())
        assert sum(account.available + account.held for account in self.accounts.values()) == self.credited
        held = {account for account, funds in self.accounts.items() if funds.held}
        assert held <= {order.buyer_account}
        released = order.released.paid + order.released.fee if order.released else 0
        assert order.hold == (order.payin_amount or 0) - self.reimbursed - released
        assert self.accounts[order.buyer_account].held == order.hold
        assert (payin is not None and payin.status is PayinStatus.CREATED) == (order.status is Status.PENDING_PUBLISH)
        is_released_later = order.status is Status.PENDING_RELEASE and not order.is_paid_outside
        assert (order.release_at_s is not None) == is_released_later
        is_open_outside = payout is not None and payout.is_external and payout.status is not PayoutStatus.DENIED
        assert order.is_paid_outside == is_open_outside
        assert (order.blocked_from is not None) == (order.status is Status.BLOCKED_RELEASE)
        assert order.is_paid == (order.payin_amount is not None)
        if order.status in HOLDING:
            assert payin is not None
            assert payin.status is PayinStatus.CONFIRMED
        if order.status in (Status.CANCELLED, Status.RELEASED):
            assert order.hold == 0
        if order.status is Status.RELEASED:
            assert payout is not None
            assert payout.status is PayoutStatus.CONFIRMED
            fees = self.accounts.get(order.fees_account, Change())
            assert (fees.available, order.fee or 0) == (order.released.fee, order.released.fee)  # type: ignore[union-attr]
        elif payout is not None:
            open_or_over = PayoutStatus.CANCELLED if order.status is Status.CANCELLED else PayoutStatus.CREATED
            assert payout.status in (open_or_over, PayoutStatus.DENIED)
            if Status.ACCEPTED in (order.status, order.blocked_from):
                assert payout.status is PayoutStatus.DENIED

    def payin(self, kind: PayinType) -> Payin:
        order = self.current.order
        return Payin(SCOPE, self.next_id(), order.order_id, kind, order.value, "b", self.at_s)


def step_of(desk: Desk, action: Action, part: int) -> Step:
    """Return the step of an action; part: of the hold that is reimbursed, in 256ths."""
    current, at_s = desk.current, desk.at_s
    order, payin = current.order, current.payin
    match action:
        case Action.OPEN_PAYIN:
            return payment_steps.payin_opened(current, desk.payin(PayinType.BANKWIRE))
        case Action.PAY:
            is_open = order.status is Status.PENDING_PUBLISH and payin is not None and part % 2
            coming = payin if is_open and payin else desk.payin(PayinType.WALLET)
            have = desk.accounts[order.buyer_account].available
            if coming.type is PayinType.WALLET and have < order.value:
                return payment_steps.payin_denied(current, coming, "insufficient_funds", at_s)
            return payment_steps.paid(current, coming, at_s, desk.next_id() if order.is_auto_settle else None)
        case Action.FAIL_PAYIN:
            if order.status is not Status.PENDING_PUBLISH or payin is None:
                raise Forbidden("denied", order.status)
            return payment_steps.payin_denied(current, payin, "no", at_s)
        case Action.CHANGE_TERMS:
            if order.status not in PAYABLE:
                raise Forbidden("changed", order.status)
            return steps.updated(current, {"value": order.value + CENT}, None, at_s)
        case Action.ACCEPT:
            return steps.accepted(current, at_s)
        case Action.REJECT:
            return steps.rejected(current, at_s)
        case Action.PAY_OUT:
            wallet_id = order.seller.wallet_id if part % 2 else None
            kind = PayoutType.WALLET if part % 2 else PayoutType.BANKWIRE
            payout = Payout(SCOPE, desk.next_id(), order.order_id, kind, at_s, wallet_id=wallet_id)
            return payment_steps.payout_set(current, payout)
        case Action.FAIL_PAYOUT:
            if current.payout is None or not current.payout.is_external:
                raise Forbidden("denied", order.status)
            return payment_steps.payout_denied(current, current.payout, "no", at_s)
        case Action.VALIDATE | Action.AUTO_VALIDATE:
            return steps.validated(current, desk.next_id(), at_s, 60, auto_accept=action is Action.AUTO_VALIDATE)
        case Action.RELEASE if current.payout is not None and current.payout.is_external:
            return payment_steps.payout_confirmed(current, current.payout, at_s)
        case Action.RELEASE:
            return steps.released(current, at_s)
        case Action.BLOCK:
            return steps.blocked(current, at_s)
        case Action.UNBLOCK:
            return steps.unblocked(current, at_s, 60)
        case Action.CANCEL:
            return steps.cancelled(current, at_s, desk.next_id())
        case _:
            if order.hold == 0:
                raise Forbidden("reimbursed", order.status)
            return steps.reimbursed(current, max(CENT, order.hold * part // 256 // CENT * CENT), at_s, desk.next_id())


ACTIONS = [action for action in Action if action not in (Action.FILL_IN_DETAILS, Action.SETTLE)]
FEES = st.builds(FeeTerms, st.integers(0, 100).map(lambda n: n * CENT) | st.none(), st.integers(0, 10**6) | st.none())


@settings(max_examples=300, deadline=None)
@given(
    st.integers(0, 400),
    FEES,
    st.booleans(),
    st.booleans(),
    st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(1, 256)), max_size=25),
)
def test_any_sequence_of_steps_conserves_money(
    cents: int, terms: FeeTerms, settles: bool, is_one_customer: bool, asked: list[tuple[Action, int]]
) -> None:
    seller = replace(BUYER, wallet_id=13) if is_one_customer else SELLER
    links = Links("b", "s", "q")
    order = Order(SCOPE, 1, "P", "Bike", cents * CENT, EUR, BUYER, seller, links, NOW_S, fee_terms=terms)
    order = replace(order, is_auto_settle=settles)
    first = steps.created(order)
    desk = Desk(first.after, {first.after.order.buyer_account: Change(WALLET_FUNDS)})
    for action, part in asked:
        desk.at_s += 1
        before = desk.current
        try:
            step = step_of(desk, action, part)
        except Forbidden:
            assert desk.current == before
        else:
            desk.take(step)
        desk.check()
    moments = [
        getattr(desk.current.order, f"{name}_at_s") for name in ("published", "accepted", "validated", "released")
    ]
    known = [moment for moment in moments if moment is not None]
    assert known == sorted(known)
