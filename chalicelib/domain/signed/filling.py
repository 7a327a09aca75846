"""What a fill is, and all that it moves: worked out from the order as it was read. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chalicelib.domain.ledger.amounts import worth
from chalicelib.domain.ledger.changes import Changes
from chalicelib.domain.ledger.transactions import Transaction
from chalicelib.domain.signed.faults import BadAmount
from chalicelib.domain.signed.lifecycle import State, Status
from chalicelib.domain.signed.order import Charge, charge_of, fill_id_of
from chalicelib.domain.signed.settlement import filled, legs_of
from chalicelib.domain.signed.stored import Fill, StoredOrder
from chalicelib.support.ids import time_of


@dataclass(frozen=True, slots=True)
class FillRequest:
    """What a taker asks for. incentive: what it takes for the fill, None for its whole allowance."""

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


def charge_for(stored: StoredOrder, request: FillRequest, fee_bps: int) -> Charge:
    """Return what the fill moves. Raises BadAmount: a fill that would be paid with nothing is refused too (K36)."""
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
    return charge_of(order, stored.stock_decimals, request.quantity, request.incentive, fee_bps)


def fill_of(stored: StoredOrder, taker: str, request: FillRequest, charge: Charge, status: Status, now_s: int) -> Fill:
    return Fill(
        fill_id=fill_id_of(stored.order_hash, request.reference_id),
        order_id=stored.order_id,
        order_hash=stored.order_hash,
        taker=taker,
        quantity=charge.quantity,
        amount=charge.amount,
        fee=charge.fee,
        incentive=charge.incentive,
        asked_incentive=request.incentive,
        status=status,
        reference_id=request.reference_id,
        created_at_s=now_s,
        tx_hash=request.tx_hash,
        block_number=request.block_number,
    )


def moved_by(before: StoredOrder, after: State, taker: str, charge: Charge) -> Changes:
    """Return what the fill moves, with the residue of the hold where it is the last one."""
    if not before.settles:
        return {}
    residue = before.state.hold - before.order.taken_by(charge) - after.hold
    return filled(before.order, before.stock, taker, charge, residue)


def transactions_of(
    stored: StoredOrder, taker: str, fill_id: str, charge: Charge, new_id: Callable[[str], str]
) -> list[Transaction]:
    """Return what customers read of a fill (T37): its legs, their reference the fill's id. None where nothing moves.

    new_id: gives prefix + ULID, ascending.
    """
    legs = legs_of(stored.order, stored.stock, taker, charge) if stored.settles else []
    named = [(new_id("txn"), leg) for leg in legs]
    return [
        Transaction(
            name, leg.kind, leg.asset, leg.source, leg.target, leg.amount, fill_id, metadata=None, at_ms=time_of(name)
        )
        for name, leg in named
    ]
