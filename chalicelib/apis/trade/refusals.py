"""Refusals of orders in this desk's words: an error of the table, and a sentence that tells its causes apart (R62)."""

from __future__ import annotations

from chalicelib.apis.trade.decimals import dec
from chalicelib.apis.trade.envelope import Error, Fault, invalid
from chalicelib.apis.trade.figures import Decimals
from chalicelib.apis.trade.ids import shown
from chalicelib.domain.books.admission import Bound, OrderRequest, Refusal, RefusalCode

_ERRORS = {
    RefusalCode.ORDER_BOOK_NOT_FOUND: Error.PAIR_NOT_FOUND,
    RefusalCode.ORDER_BOOK_INACTIVE: Error.UNSUPPORTED,
    RefusalCode.ORDER_TOO_SMALL: Error.MINIMUM_NOT_REACHED,
    RefusalCode.INSUFFICIENT_BALANCE: Error.INSUFFICIENT_FUNDS,
    RefusalCode.CUSTOMER_FROZEN: Error.FORBIDDEN,
}
_FIELDS = {
    RefusalCode.INVALID_PRICE: "price",
    RefusalCode.INVALID_QUANTITY: "amount",
    RefusalCode.INVALID_VALUE: "value",
    RefusalCode.ORDER_TOO_LARGE: "amount",
    RefusalCode.EXTERNAL_ID_TAKEN: "external_id",
}
"""The faulty parameter; the error of these is INVALID_PARAMETERS."""
_FIELDS_OF_MEMBERS = {"stop_price": "stop_price", "distance": "distance", "step": "step_amount"}
"""The same where a refusal names the member that it is about."""
_WORDS = {
    Bound.ZERO: "It must be above 0.",
    Bound.TICK: "It is no multiple of the price tick {}.",
    Bound.PRICE_MAX: "It is above the maximum {}.",
    Bound.LOT: "It is no multiple of the amount tick {}.",
    Bound.QUANTITY_MIN: "The amount is below the minimum {}.",
    Bound.QUANTITY_MAX: "The amount is above the maximum {}.",
    Bound.WORTH_MIN: "The order is worth less than the minimum {}.",
    Bound.SLICES_MAX: "It makes more than {} slices.",
    Bound.SLICE_WORTH_MIN: "A slice is worth less than {}.",
    Bound.FILLED: "It must be above {}, which is executed.",
}
_OF_BASE = {Bound.LOT, Bound.QUANTITY_MIN, Bound.QUANTITY_MAX, Bound.FILLED}
_SAID_AS_IT_IS = {RefusalCode.INVALID_VALUE, RefusalCode.ORDER_TOO_SMALL}
"""Refusals whose own message is good here too, where they name no bound."""


def fault_of(refusal: Refusal, asked: OrderRequest, decimals: Decimals) -> Fault:
    """Return the fault of an order that was refused."""
    reason = _reason_of(refusal, decimals)
    if refusal.code is RefusalCode.ORDER_TOO_LARGE and asked.value is not None:
        return invalid("value", reason)
    field = _FIELDS_OF_MEMBERS.get(refusal.member or "") or _FIELDS.get(refusal.code)
    return Fault(_ERRORS[refusal.code], reason=reason) if field is None else invalid(field, reason)


def fault_of_amendment(refusal: Refusal, decimals: Decimals) -> Fault:
    """Return the fault of an amendment that was refused; of a step, that of the member which makes it faulty."""
    field = _FIELDS.get(refusal.code)
    is_of_price = field == "price" or (refusal.bound is not None and refusal.bound[0] is Bound.SLICE_WORTH_MIN)
    reason = _reason_of(refusal, decimals)
    if field is None:
        return Fault(_ERRORS[refusal.code], reason=reason)
    return invalid("unit_price" if is_of_price else field, reason)


def _reason_of(refusal: Refusal, decimals: Decimals) -> str:
    if refusal.bound is not None:
        bound, amount = refusal.bound
        if bound is Bound.SLICES_MAX:
            return _WORDS[bound].format(amount)
        return _WORDS[bound].format(dec(amount, decimals.base if bound in _OF_BASE else decimals.quote).text)
    if refusal.order_id is not None:
        return f"The order {shown(refusal.order_id)} has it."
    return f"{refusal.message}." if refusal.code in _SAID_AS_IT_IS else ""
