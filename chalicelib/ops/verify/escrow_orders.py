"""Checks one escrow order against its payins, payouts and refunds, the outbox and the ledger's rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from chalicelib.domain.escrow.lifecycle import TRANSITIONS, UNPAID, UPDATED, Status
from chalicelib.domain.escrow.order import Order
from chalicelib.domain.escrow.payments import Payin, PayinStatus, PayinType, Payout, PayoutStatus, Refund
from chalicelib.domain.ledger.changes import Leg
from chalicelib.domain.ledger.transactions import TransactionType
from chalicelib.services.books.disagreements import NOTHING, Disagreement

RowKey = tuple[str, str]
"""Owner and entry."""
Legs = Mapping[tuple[str, str], list[Leg]]
"""By instance and reference: the ledger's transactions of orders."""

_PAYOUTS_AT = {
    Status.RELEASED: {PayoutStatus.CONFIRMED},
    Status.CANCELLED: {PayoutStatus.CANCELLED, PayoutStatus.DENIED},
    Status.ACCEPTED: {PayoutStatus.DENIED},
}
"""The statuses of an order's latest payout, by the order's; elsewhere it is CREATED."""


class Told(NamedTuple):
    """What an entry of the outbox tells of a step. events: the name of each, with the status that it enters."""

    log: str
    number: int
    command: str
    events: tuple[tuple[str, Status], ...]


def order_disagreements(
    key: RowKey,
    order: Order,
    payins: list[Payin],
    payouts: list[Payout],
    refunds: list[Refund],
    told: list[Told],
    legs: Legs,
) -> Iterator[Disagreement | None]:
    """Yield what disagrees with an order. payins, payouts, refunds: all of its own. told: its steps in the outbox."""
    yield from _money(key, order, refunds)
    yield from _payins(key, order, payins)
    yield from _payouts(key, order, payouts)
    yield from _steps(key, order, told)
    yield _legs(key, order, payins, legs)


def _payins(key: RowKey, order: Order, payins: list[Payin]) -> Iterator[Disagreement | None]:
    where = where_of(key)
    yield same(f"{where}, payins", len(payins), order.payins)
    latest = next((payin for payin in payins if payin.payin_id == order.payin_id), None)
    if latest is None and (payins or order.payin_id is not None):
        yield Disagreement(f"{where}, payin_id", "that of one of its payins", str(order.payin_id))
    yield same(f"{where}, payin_amount", order.payin_amount is not None, order.is_paid)
    for payin in payins:
        is_latest = payin is latest
        if is_latest and order.is_paid:
            may_be = {PayinStatus.CONFIRMED, PayinStatus.REFUNDED}
            yield same(f"{where}, amount of payin {payin.payin_id}", order.payin_amount, payin.amount)
            yield same(f"{where}, value", payin.amount, order.value)
            yield same(f"{where}, buyer", payin.buyer, order.buyer)
            yield same(f"{where}, seller", payin.seller, order.seller)
            wallet_id = order.buyer and order.buyer.wallet_id if payin.type == PayinType.WALLET else None
            yield same(f"{where}, wallet of payin {payin.payin_id}", wallet_id, payin.wallet_id)
        elif is_latest and order.status is Status.PENDING_PUBLISH:
            may_be = {PayinStatus.CREATED}
        else:
            may_be = {PayinStatus.DENIED, PayinStatus.CANCELLED}
        if payin.status not in may_be:
            expected = " or ".join(sorted(may_be))
            yield Disagreement(f"{where}, status of payin {payin.payin_id}", expected, payin.status.value)
        if not payin.is_external:
            yield same(f"{where}, external reference of payin {payin.payin_id}", None, payin.external_reference)
        is_confirmed = payin.status in (PayinStatus.CONFIRMED, PayinStatus.REFUNDED)
        yield same(f"{where}, payin {payin.payin_id} confirmed", is_confirmed, payin.confirmed_at_s is not None)
        is_denied = payin.status is PayinStatus.DENIED
        yield same(f"{where}, payin {payin.payin_id} denied", is_denied, payin.denied_at_s is not None)
    is_refunded = latest is not None and latest.status is PayinStatus.REFUNDED
    gave_all_back = order.is_paid and order.hold == 0 and order.released is None and order.refunds > 0
    yield same(f"{where}, all of its payin refunded", gave_all_back, is_refunded)


def _money(key: RowKey, order: Order, refunds: list[Refund]) -> Iterator[Disagreement | None]:
    """Compare the amount that an order holds with its payins, payout and refunds."""
    where = where_of(key)
    yield same(f"{where}, refunds", list(range(1, order.refunds + 1)), sorted(refund.number for refund in refunds))
    wallets = {refund.wallet_id for refund in refunds}
    if wallets and order.buyer is not None:
        yield same(f"{where}, wallet of its refunds", {order.buyer.wallet_id}, wallets)
        of_order = {(order.payin_id, order.currency)}
        found = {(refund.payin_id, refund.currency) for refund in refunds}
        yield same(f"{where}, payin and currency of its refunds", of_order, found)
    out = order.released.paid + order.released.fee if order.released else 0
    left = (order.payin_amount or 0) - sum(refund.amount for refund in refunds) - out
    yield same(f"{where}, hold", left, order.hold)
    yield same(f"{where}, released", order.status is Status.RELEASED, order.released is not None)
    yield same(f"{where}, released_at_s", order.released is not None, order.released_at_s is not None)
    yield same(f"{where}, cancelled_at_s", order.status is Status.CANCELLED, order.cancelled_at_s is not None)
    if order.status is not Status.CANCELLED:
        yield same(f"{where}, buyer named", order.status is not Status.PENDING_DETAILS, order.buyer is not None)
        yield same(f"{where}, paid", order.status not in UNPAID, order.is_paid)
    if order.released is not None:
        yield same(f"{where}, fee", order.fee_terms.fee(order.currency).of(out), order.released.fee)
    if order.status in (Status.RELEASED, Status.CANCELLED):
        yield same(f"{where}, hold", 0, order.hold)


def _payouts(key: RowKey, order: Order, payouts: list[Payout]) -> Iterator[Disagreement | None]:
    """Compare an order with its payouts: the latest is as its status says, those before it were denied."""
    latest = next((payout for payout in payouts if payout.payout_id == order.payout_id), None)
    where = where_of(key)
    if latest is None and (payouts or order.payout_id is not None):
        yield Disagreement(f"{where}, payout_id", "that of one of its payouts", str(order.payout_id))
    is_open_outside = latest is not None and latest.is_external and latest.status is not PayoutStatus.DENIED
    yield same(f"{where}, is_paid_outside", is_open_outside, order.is_paid_outside)
    at_status = order.blocked_from or order.status
    for payout in payouts:
        may_be = {PayoutStatus.DENIED}
        if payout is latest:
            may_be = _PAYOUTS_AT.get(at_status, {PayoutStatus.CREATED})
        of_payout = f"{where}, payout {payout.payout_id}"
        if payout.status not in may_be:
            yield Disagreement(f"{of_payout}, status", " or ".join(sorted(may_be)), payout.status.value)
        wallet_id = None if payout.is_external else order.seller.wallet_id
        yield same(f"{of_payout}, wallet", wallet_id, payout.wallet_id)
        if not payout.is_external:
            yield same(f"{of_payout}, bank", (None, None), (payout.bankaccount_id, payout.bankwire_ref))
        is_confirmed, is_denied = (payout.status is one for one in (PayoutStatus.CONFIRMED, PayoutStatus.DENIED))
        yield same(f"{of_payout}, confirmed", is_confirmed, payout.confirmed_at_s is not None)
        yield same(f"{of_payout}, denied", is_denied, payout.denied_at_s is not None)


def _steps(key: RowKey, order: Order, steps: list[Told]) -> Iterator[Disagreement | None]:
    """Compare the outbox: one entry a version, events that lead from status to status up to the order's, and a last
    entry by the command that wrote the order.
    """
    status: Status | None = None
    for log, number, _, events in sorted(steps):
        for name, entered in events:
            if not _leads(status, name, entered):
                yield Disagreement(
                    f"outbox {log}, entry {number}", f"an event that leaves {status}", f"{name} {entered}"
                )
            status = entered
    yield same(f"{where_of(key)}, status", status, order.status)
    yield same(f"{where_of(key)}, entries of the outbox", order.version, len(steps))
    if steps:
        yield same(f"{where_of(key)}, command", max(steps).command, order.command)


def _leads(left: Status | None, name: str, entered: Status) -> bool:
    """Return whether an event of this name leads from one status to another."""
    if left is None or (name == UPDATED and left is entered):
        return name == UPDATED
    found = (one for (status, _), one in TRANSITIONS.items() if status is left)
    return any(one.event == name and one.target in (entered, None) for one in found)


def _legs(key: RowKey, order: Order, payins: list[Payin], legs: Legs) -> Disagreement | None:
    """Compare the ledger's rows of an order. Other transactions may use its reference, but only an order's fee is a
    fee.
    """
    expected: list[Leg] = []
    payin = next((one for one in payins if one.payin_id == order.payin_id), None)
    asset, buyer, seller = order.currency.asset, order.buyer, order.seller_account.customer
    if order.payin_amount and payin and payin.type != PayinType.WALLET:
        expected.append(Leg(TransactionType.CREDIT, asset, None, order.buyer_account.customer, order.payin_amount))
    if order.released is not None and buyer is not None:
        amount = order.released.paid + order.released.fee
        expected.append(Leg(TransactionType.TRANSFER, asset, order.buyer_account.customer, seller, amount))
        expected.append(Leg(TransactionType.FEE, asset, seller, None, order.released.fee))
        if order.is_paid_outside:
            expected.append(Leg(TransactionType.DEBIT, asset, seller, None, order.released.paid))
    found = Counter(legs.get((order.scope.instance, f"order:{order.order_id}"), []))
    missing = Counter(leg for leg in expected if leg.amount) - found
    where = f"{where_of(key)}, transactions"
    for leg in missing:
        return Disagreement(where, str(leg), NOTHING)
    too_many = [leg for leg in found if leg.kind is TransactionType.FEE and leg not in expected]
    return Disagreement(where, NOTHING, str(too_many[0])) if too_many else None


def same(where: str, expected: object, found: object) -> Disagreement | None:
    return None if expected == found else Disagreement(where, str(expected), str(found))


def row_key(key: Mapping[str, str]) -> RowKey:
    return key["owner"], key["entry"]


def where_of(key: RowKey) -> str:
    return f"escrow row {key[1]} of {key[0]}"
