"""Fills of signed orders: their amounts, their row and their ledger rows, computed from the order as it was read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chalicelib.domain.ledger.amounts import worth
from chalicelib.domain.ledger.changes import Changes
from chalicelib.domain.ledger.transactions import Transaction
from chalicelib.domain.signed.faults import BadAmount
from chalicelib.domain.signed.lifecycle import State, Status
from chalicelib.domain.signed.order import FillAmounts, fill_amounts_of, fill_id_of
from chalicelib.domain.signed.settlement import filled, legs_of
from chalicelib.domain.signed.stored import Fill, StoredOrder
from chalicelib.support.ids import time_of


@dataclass(frozen=True, slots=True)
class FillRequest:
    """A fill as a taker asks for it. incentive: quote base units, None for the fill's whole allowance."""

    order_hash: str
    quantity: int
    incentive: int | None
    reference_id: str
    tx_hash: str | None = None
    block_number: int | None = None

    def is_for(self, fill: Fill) -> bool:
        """Tell whether this fill is what was asked for (K24)."""
        asked = self.quantity, self.incentive, self.tx_hash
        return asked == (fill.quantity, fill.asked_incentive, fill.tx_hash)


def fill_amounts_for(stored: StoredOrder, request: FillRequest, fee_bps: int) -> FillAmounts:
    """Return the fill's amounts. Raises BadAmount, also for a fill whose amount is 0 (K36)."""
    order, left, faults = stored.order, stored.order.quantity - stored.state.filled, {}
    if not 1 <= request.quantity <= left:
        faults["fill_quantity"] = f"must be 1 to {left}, what is left of the order"
    elif not worth(order.price, request.quantity, stored.stock_decimals):
        faults["fill_quantity"] = "must be worth at least one base unit of the asset at the order's price"
    allowance = order.allowance_of(max(0, request.quantity))
    if request.incentive is not None and not 0 <= request.incentive <= allowance:
        faults["taker_incentive"] = f"must be 0 to {allowance}, the allowance of this fill"
    if faults:
        raise BadAmount(faults)
    return fill_amounts_of(order, stored.stock_decimals, request.quantity, request.incentive, fee_bps)


def fill_of(
    stored: StoredOrder, taker: str, request: FillRequest, amounts: FillAmounts, status: Status, now_s: int
) -> Fill:
    return Fill(
        fill_id=fill_id_of(stored.order_hash, request.reference_id),
        order_id=stored.order_id,
        order_hash=stored.order_hash,
        taker=taker,
        quantity=amounts.quantity,
        amount=amounts.amount,
        fee=amounts.fee,
        incentive=amounts.incentive,
        asked_incentive=request.incentive,
        status=status,
        reference_id=request.reference_id,
        created_at_s=now_s,
        tx_hash=request.tx_hash,
        block_number=request.block_number,
    )


def moved_by(before: StoredOrder, after: State, taker: str, amounts: FillAmounts) -> Changes:
    """Return the fill's changes of accounts; the last fill releases the rest of the hold."""
    if not before.settles:
        return {}
    residue = before.state.hold - before.order.taken_by(amounts) - after.hold
    return filled(before.order, before.stock, taker, amounts, residue)


def transactions_of(
    stored: StoredOrder, taker: str, fill_id: str, amounts: FillAmounts, new_id: Callable[[str], str]
) -> list[Transaction]:
    """Return the fill's transactions as customers read them (T37); their reference is the fill's id.

    new_id: gives prefix + ULID, ascending.
    """
    legs = legs_of(stored.order, stored.stock, taker, amounts) if stored.settles else []
    named = [(new_id("txn"), leg) for leg in legs]
    return [
        Transaction(
            name, leg.kind, leg.asset, leg.source, leg.target, leg.amount, fill_id, metadata=None, at_ms=time_of(name)
        )
        for name, leg in named
    ]
