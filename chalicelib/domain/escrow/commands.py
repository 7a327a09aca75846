"""Commands of the escrow desk. Money in base units, percentages in 10^-4 of a percent.

Fields have the names that they have in requests, except ids in the path.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypedDict

from chalicelib.domain.escrow.money import NO_FEE, FeeTerms
from chalicelib.domain.escrow.order import NO_CALLBACKS, Callbacks, Json
from chalicelib.domain.escrow.payments import PayoutType


@dataclass(frozen=True, slots=True)
class CreateOrder:
    """buyer_id: None with ``is_account_trustee`` (the merchant itself pays) or ``is_auto_settle`` (named later).
    seller_id: None with ``is_auto_settle``: the merchant itself is paid.
    """

    name: str
    value: int
    currency: str
    buyer_id: int | None = None
    seller_id: int | None = None
    is_account_trustee: bool = False
    is_auto_settle: bool = False
    fee_terms: FeeTerms = NO_FEE
    description: str | None = None
    tag: str | None = None
    metadata: Mapping[str, Json] = field(default_factory=dict)
    template: Mapping[str, Json] = field(default_factory=dict)
    images: tuple[str, ...] = ()
    payin_intents: int | None = None
    payin_types: tuple[str, ...] = ()
    payin_fallback: tuple[str, ...] = ()
    callbacks: Callbacks = NO_CALLBACKS


class OrderChanges(TypedDict, total=False):
    """Fields to be changed; an absent one stays. None clears description, tag, fee_value and fee_percent (E13)."""

    buyer_id: int
    name: str
    description: str | None
    value: int
    fee_value: int | None
    fee_percent: int | None
    tag: str | None
    metadata: Mapping[str, Json]
    template: Mapping[str, Json]
    images: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cancel:
    """tag: replaces the order's. metadata: is merged into the order's."""

    tag: str | None = None
    metadata: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reimburse:
    """amount: None for all that is left. wallet_id: None for the buyer's. payin_id: None for the confirmed one."""

    amount: int | None = None
    wallet_id: int | None = None
    payin_id: int | None = None


@dataclass(frozen=True, slots=True)
class OpenPayin:
    """type: a ``PayinType`` or an external one. wallet_id: of a WALLET payin."""

    order_id: int
    type: str
    wallet_id: int | None = None


@dataclass(frozen=True, slots=True)
class PayinOutcome:
    """What a provider says of an external payin (E45). reference: its own name for the payment."""

    type: str
    payin_id: int
    is_confirmed: bool
    amount: int
    currency: str
    reference: str


@dataclass(frozen=True, slots=True)
class PayOut:
    """wallet_id: of a WALLET payout; bankaccount_id, bankwire_ref: of the others."""

    order_id: int
    type: PayoutType
    wallet_id: int | None = None
    bankaccount_id: int | None = None
    bankwire_ref: str | None = None


@dataclass(frozen=True, slots=True)
class CreateCustomer:
    """An e-mail address, or prefix and phone together. None: not given, which changes nothing of a known one (E18)."""

    email: str | None = None
    prefix: str | None = None
    phone: str | None = None
    name: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    tag: str | None = None
    metadata: Mapping[str, Json] | None = None


@dataclass(frozen=True, slots=True)
class Deposit:
    """reference: the operator's name for it; in a wallet it names one deposit."""

    amount: int
    reference: str
