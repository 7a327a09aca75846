"""The fields of requests about orders (E11 to E14), and what the desk is asked with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, cast

from chalicelib.apis.escrow.commands import RequestFields
from chalicelib.apis.escrow.envelope import is_required
from chalicelib.apis.escrow.kinds import (
    amount,
    choice,
    identifier,
    integer,
    metadata,
    number,
    template,
    text,
    texts,
    truth,
    url,
)
from chalicelib.apis.escrow.schema import Kind, Schema
from chalicelib.domain.escrow.checks import VALUE_MAX, value_errors
from chalicelib.domain.escrow.commands import CreateOrder, OrderChanges
from chalicelib.domain.escrow.lifecycle import Status
from chalicelib.domain.escrow.money import FEE_PERCENT_DECIMALS, MAJOR_UNIT_DECIMALS, Currency, FeeTerms
from chalicelib.domain.escrow.order import Callbacks

_FACTS = {
    "buyer_id": identifier(),
    "name": text(120),
    "description": text(1000),
    "value": amount(),
    "fee_value": amount(),
    "fee_percent": number(Decimal(100), FEE_PERCENT_DECIMALS),
    "tag": text(100),
    "metadata": metadata(),
    "template": template(),
    "images": texts(10, are_urls=True),
}
PAYIN_TYPES, PAYIN_FALLBACK = ("payin_method_types", "payin_types"), ("payin_method_fallback", "payin_fallback")
"""Both names of each (E11); of two that are sent the first counts."""
_CALLBACKS = tuple(Callbacks.__dataclass_fields__)

UNSERVED = frozenset(
    {
        *("discount", "discount_*", "coupon", "coupon_*", "subscription_id", "bundle", "bundle_id"),
        *("value_shipping", "fee_shipping", "shipping_amount"),
    }
)
"""What the vendor documents of orders that changes who pays how much, and this desk does not do (E31)."""
UNSERVED_AMOUNT = frozenset({"amount"})
"""Of payins, payouts and cancels, which move all there is and can move no part of it."""

CREATE = Schema(
    {
        **_FACTS,
        "seller_id": identifier(),
        "trustee_type": choice("account"),
        "auto_settle": truth(),
        "currency": text(3),
        "payin_intents": integer(1),
        **{name: texts() for names in (PAYIN_TYPES, PAYIN_FALLBACK) for name in names},
        **{name: url() for name in _CALLBACKS},
    },
    required=frozenset({"name", "value"}),
    unserved=UNSERVED,
)
UPDATE = Schema(_FACTS, unserved=UNSERVED)
NONE = Schema({})
CANCEL = Schema({"tag": text(100), "metadata": metadata()}, unserved=UNSERVED_AMOUNT)
VALIDATE = Schema({"auto_accept": truth()})
REIMBURSE = Schema(
    {"amount": amount(is_above_zero=True), "wallet_id": identifier(), "payin_id": identifier()},
    is_closed=True,
    never_empty=frozenset({"amount"}),
)
"""Without an amount it gives back all that is left, so one that is misspelt, nested or empty is not ignored (E29)."""


def list_filters(shown: Mapping[Status, Status]) -> dict[str, Kind]:
    """Return the filters of a list of orders. shown: what stands for each status (``bare``)."""
    return {"status": choice(*dict.fromkeys(status.value for status in shown.values())), "sandbox": truth()}


CLEARED_BY_NULL = ("fee_value", "fee_percent", "description", "tag")


def order_to_create(sent: RequestFields, base_currency: str) -> CreateOrder:
    """Return the order to create; note which parties it lacks. Raises nothing: the errors are for the caller to raise.

    ``buyer_id`` of an order whose merchant itself pays is ignored, whatever it is.
    """
    fields = sent.fields
    is_trustee, is_auto_settle = fields.get("trustee_type") == "account", fields.get("auto_settle", False)
    if is_trustee:
        fields.pop("buyer_id", None)
        sent.errors.pop("buyer_id", None)
    for party in ("buyer_id", "seller_id"):
        if party not in fields and not is_auto_settle and not (is_trustee and party == "buyer_id"):
            sent.note({party: is_required(party)})
    return CreateOrder(
        name=fields.get("name", ""),
        value=fields.get("value", 0),
        currency=fields.get("currency", base_currency),
        buyer_id=fields.get("buyer_id"),
        seller_id=fields.get("seller_id"),
        is_account_trustee=is_trustee,
        is_auto_settle=is_auto_settle,
        fee_terms=FeeTerms(fields.get("fee_value"), fields.get("fee_percent")),
        description=fields.get("description"),
        tag=fields.get("tag"),
        metadata=fields.get("metadata", {}),
        template=fields.get("template", {}),
        images=fields.get("images", ()),
        payin_intents=fields.get("payin_intents"),
        payin_types=_first(fields, PAYIN_TYPES),
        payin_fallback=_first(fields, PAYIN_FALLBACK),
        callbacks=Callbacks(**{name: fields.get(name) for name in _CALLBACKS}),
    )


def _first(fields: Mapping[str, Any], names: Iterable[str]) -> tuple[str, ...]:
    return next((fields[name] for name in names if name in fields), ())


def money_errors(sent: RequestFields, currency: Currency | None) -> dict[str, str]:
    """Return what is wrong with the money of an order whose other fields are faulty; what is faulty itself is left out.

    currency: None where that is unknown, so that no decimals can be too many.
    """
    fields = sent.fields
    known = currency or Currency("", MAJOR_UNIT_DECIMALS, "")
    found = value_errors(fields.get("value", VALUE_MAX), FeeTerms(fields.get("fee_value")), known)
    return {field: text for field, text in found.items() if field in fields}


def changes_of(sent: RequestFields) -> OrderChanges:
    """Return what is to be changed: fields that were given, and those that null clears (E13)."""
    cleared: dict[str, Any] = {name: None for name in CLEARED_BY_NULL if name in sent.sent and sent.sent[name] is None}
    return cast(OrderChanges, cleared | sent.fields)
