"""Validation of commands against what is stored: each check returns an error text by field.

Fields that were not given, or could not be read, are skipped, so that all bad fields are reported together.
"""

from __future__ import annotations

from chalicelib.domain.escrow.commands import OpenPayin, OrderChanges, PayinOutcome, PayOut, Reimburse
from chalicelib.domain.escrow.lifecycle import FINAL, UNPAID
from chalicelib.domain.escrow.money import MAJOR_UNIT, PERCENT, Currency, FeeTerms
from chalicelib.domain.escrow.order import METADATA_BYTES_MAX, METADATA_KEYS_MAX, Json, Order
from chalicelib.domain.escrow.payments import Payin, PayinType, Payout, PayoutType
from chalicelib.support.canonical import exact

VALUE_MAX = 999_999_999_99 * MAJOR_UNIT // 100

Errors = dict[str, str]

_ALWAYS = frozenset({"metadata"})
_WHILE_HELD = _ALWAYS | {"fee_value", "fee_percent"}
_WHILE_UNPAID = frozenset(OrderChanges.__annotations__)


def selected(field: str) -> Errors:
    """Return the error of a field that names something missing or of the wrong kind (E4)."""
    return {field: f"The selected {field.replace('_', ' ')} is invalid."}


def required(field: str) -> Errors:
    return {field: f"The {field.replace('_', ' ')} field is required."}


def wrong(field: str, rule: str) -> Errors:
    return {field: f"The {field.replace('_', ' ')} {rule}."}


def changeable(order: Order) -> frozenset[str]:
    """Return the fields that may be changed in an order's status (E13); not what a bank pays already (E42)."""
    if order.status in UNPAID:
        return _WHILE_UNPAID
    return _ALWAYS if order.status in FINAL or order.is_at_the_bank else _WHILE_HELD


def value_errors(value: int, terms: FeeTerms, currency: Currency) -> Errors:
    """Return the errors of an order's value and fee (E12: 0 is a value)."""
    errors: Errors = {}
    if not 0 <= value <= VALUE_MAX:
        errors |= wrong("value", "must be between 0 and 999999999.99")
    elif value % currency.minor_unit:
        errors |= wrong("value", f"must have at most {currency.decimals} decimals")
    if terms.value is not None and not 0 <= terms.value <= value:
        errors |= wrong("fee_value", "must be between 0 and the value")
    elif terms.value is not None and terms.value % currency.minor_unit:
        errors |= wrong("fee_value", f"must have at most {currency.decimals} decimals")
    if terms.percent is not None and not 0 <= terms.percent <= PERCENT:
        errors |= wrong("fee_percent", "must be between 0 and 100")
    return errors


def update_errors(order: Order, changes: OrderChanges) -> Errors:
    """Return the errors of changes to an order. Fields that may not change may repeat their value (E13)."""
    may_change = changeable(order)
    errors: Errors = {}
    for name in real_changes(order, changes):
        if name not in may_change:
            errors |= wrong(name, f"cannot be changed while the status is {order.status.value}")
    value = changes.get("value", order.value)
    found = value_errors(value, fee_terms_after(order, changes), order.currency)
    if "fee_value" in found and "fee_value" not in changes:
        found = {name: text for name, text in found.items() if name != "fee_value"}
        found |= wrong("value", "must not be below the fee value")
    return {name: text for name, text in found.items() if name in changes} | errors


def real_changes(order: Order, changes: OrderChanges) -> list[str]:
    """Return the fields whose value changes."""
    now: dict[str, object] = {
        "buyer_id": order.buyer.customer_id if order.buyer else None,
        "fee_value": order.fee_terms.value,
        "fee_percent": order.fee_terms.percent,
    }
    return [name for name, value in changes.items() if value != now.get(name, getattr(order, name, None))]


def fee_terms_after(order: Order, changes: OrderChanges) -> FeeTerms:
    terms = order.fee_terms
    return FeeTerms(changes.get("fee_value", terms.value), changes.get("fee_percent", terms.percent))


def payin_errors(order: Order, payin: OpenPayin, *, is_known: bool) -> Errors:
    """Return the errors of a payin, whatever its order's status (E15). is_known: whether the desk has its type."""
    errors: Errors = {}
    if not is_known or (order.payin_types and payin.type not in order.payin_types):
        errors |= selected("type")
    if order.payin_intents is not None and order.payins >= order.payin_intents:
        errors |= wrong("payin_intents", f"allow no more than {order.payin_intents} payins")
    if payin.type == PayinType.WALLET and payin.wallet_id != (order.buyer.wallet_id if order.buyer else None):
        errors |= selected("wallet_id")
    return errors


def payout_errors(order: Order, payout: PayOut) -> Errors:
    """Return the errors of a payout: one to a wallet must go to the seller's in the order's currency."""
    is_good = payout.type is not PayoutType.WALLET or payout.wallet_id == order.seller.wallet_id
    return {} if is_good else selected("wallet_id")


def payout_confirm_errors(order: Order, payout: Payout, amount: int) -> Errors:
    """Return the errors of a payout that is said to have left: it must leave, with all that the seller gets (E42)."""
    if not payout.is_external:
        return wrong("type", "is WALLET, which the desk pays itself")
    return {} if amount == order.payout_amount else wrong("amount", "must be the payout amount of the order")


def reimburse_errors(order: Order, request: Reimburse) -> Errors:
    """Return the errors of a reimbursement, whatever is left of the hold."""
    errors: Errors = {}
    if request.amount is not None and request.amount <= 0:
        errors |= wrong("amount", "must be greater than 0")
    elif request.amount is not None and request.amount % order.currency.minor_unit:
        errors |= wrong("amount", f"must have at most {order.currency.decimals} decimals")
    if request.wallet_id is not None and request.wallet_id != (order.buyer.wallet_id if order.buyer else None):
        errors |= selected("wallet_id")
    if request.payin_id is not None and not (order.is_paid and request.payin_id == order.payin_id):
        errors |= selected("payin_id")
    return errors


def confirm_errors(payin: Payin, amount: int) -> Errors:
    """Return the errors of the amount of a payin that came in: it must be the order's whole value."""
    return {} if amount == payin.amount else wrong("amount", "must be the value of the order")


def outcome_errors(order: Order, payin: Payin, outcome: PayinOutcome) -> Errors:
    """Return the errors of what a provider says: it must be about this payin, whole, and about one payment (E45)."""
    if not payin.is_external or payin.type != outcome.type:
        return selected("payin_id")
    errors: Errors = {}
    if outcome.currency != order.currency.code:
        errors |= selected("currency")
    if outcome.amount != payin.amount:
        errors |= wrong("amount", "must be the value of the order")
    if payin.external_reference not in (None, outcome.reference):
        errors |= wrong("reference", "is another than that of the payment known already")
    return errors


def metadata_errors(metadata: dict[str, Json]) -> Errors:
    """Return the errors of the size of an order's metadata."""
    if len(metadata) > METADATA_KEYS_MAX:
        return wrong("metadata", f"must not have more than {METADATA_KEYS_MAX} keys")
    if len(exact(metadata).encode()) > METADATA_BYTES_MAX:
        return wrong("metadata", f"must not have more than {METADATA_BYTES_MAX} bytes as JSON")
    return {}
