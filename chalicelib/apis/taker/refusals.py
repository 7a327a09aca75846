"""Refusals: the fault of this API for each exception of the taker desk's services."""

from __future__ import annotations

from chalicelib.apis.taker.envelope import Error, Fault, invalid, order_not_found
from chalicelib.domain.signed.faults import (
    BadAmount,
    Conflict,
    InsufficientFunds,
    NonceUsed,
    NotTheMakers,
    OrderNotFound,
    OwnOrder,
    ReferenceTaken,
    UnknownInstrument,
)
from chalicelib.support.clock import iso_seconds

REFUSALS = (
    OrderNotFound,
    NotTheMakers,
    OwnOrder,
    Conflict,
    BadAmount,
    InsufficientFunds,
    NonceUsed,
    UnknownInstrument,
)


def fault_of(refusal: Exception) -> Fault:
    match refusal:
        case OrderNotFound():
            return order_not_found()
        case NotTheMakers():
            return Fault(Error.FORBIDDEN, "The order is another maker's")
        case OwnOrder():
            return Fault(Error.FORBIDDEN, "The taker is the order's maker or principal")
        case Conflict():
            return _conflict(refusal)
        case BadAmount(faults=faults):
            return invalid(faults)
        case InsufficientFunds(asset=asset, required=required, available=available):
            details = {"asset": asset, "required": str(required), "available": str(available)}
            return Fault(Error.INSUFFICIENT_BALANCE, details=details)
        case NonceUsed(order_hash=order_hash):
            return Fault(Error.CONFLICT, "The nonce is used", {"order_hash": order_hash})
        case UnknownInstrument():
            return invalid({"ticker": "must be an instrument of this exchange"})
    raise TypeError(f"no refusal of the desk: {refusal!r}")


def _conflict(conflict: Conflict) -> Fault:
    """Return the fault of a command that the order's state forbids (K9)."""
    details = {"status": conflict.status.value}
    if conflict.expires_at_s is not None:
        details["expires_at"] = iso_seconds(conflict.expires_at_s)
    if conflict.locked_by is not None:
        details["locked_by"] = conflict.locked_by
    is_taken = isinstance(conflict, ReferenceTaken)
    message = "The reference has another fill" if is_taken else f"Not possible: {conflict}"
    return Fault(Error.CONFLICT, message, details)
