"""Requests and answers of the escrow desk. Amounts are exact Decimals in major units of their currency."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from msgspec import UNSET, UnsetType

from tallybook_client.wire import Plain, PlainChange

Number = Decimal | int


class NewOrder(Plain, frozen=True, kw_only=True):
    """An order to create (E11, E12). buyer_id, seller_id: required, but for trustee_type and auto_settle.

    trustee_type: ``account``: the merchant itself pays. auto_settle: without a seller the merchant is paid.
    """

    name: str
    value: Number
    buyer_id: int | None = None
    seller_id: int | None = None
    currency: str | None = None
    fee_value: Number | None = None
    fee_percent: Number | None = None
    description: str | None = None
    tag: str | None = None
    metadata: Mapping[str, Any] | None = None
    template: Mapping[str, Any] | None = None
    images: Sequence[str] | None = None
    trustee_type: Literal["account"] | None = None
    auto_settle: bool | None = None
    payin_intents: int | None = None
    payin_types: Sequence[str] | None = None
    payin_fallback: Sequence[str] | None = None
    buyer_confirmed_url: str | None = None
    buyer_denied_url: str | None = None
    seller_confirmed_url: str | None = None
    seller_denied_url: str | None = None


class OrderChange(PlainChange, frozen=True, kw_only=True):
    """Fields of an order to change (E13). None clears fee_value, fee_percent, description and tag."""

    name: str | UnsetType = UNSET
    value: Number | UnsetType = UNSET
    buyer_id: int | UnsetType = UNSET
    fee_value: Number | UnsetType | None = UNSET
    fee_percent: Number | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET
    tag: str | UnsetType | None = UNSET
    metadata: Mapping[str, Any] | UnsetType = UNSET
    template: Mapping[str, Any] | UnsetType = UNSET
    images: Sequence[str] | UnsetType = UNSET


class CustomerForm(Plain, frozen=True, kw_only=True):
    """A customer's fields. A known e-mail address, or prefix and phone, identifies a customer (E18)."""

    email: str | None = None
    name: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    prefix: str | None = None
    phone: str | None = None
    tag: str | None = None
    metadata: Mapping[str, Any] | None = None


class RefundOfOrder(Plain, frozen=True, kw_only=True):
    """The latest refund of an order."""

    status: str | None
    reference_id: str | None


class Order(Plain, frozen=True, kw_only=True):
    """An escrow order; docs/escrow-desk.md says what its fields mean. connections: paths."""

    id: int
    self: str
    public_id: str
    name: str
    description: str | None
    value: Decimal
    fee_value: Decimal | None
    fee_percent: Decimal | None
    currency: str
    amount: str
    payin_amount: str | None
    payout_amount: str | None
    fee_amount: str | None
    shipping_amount: str | None
    buyer_link: str
    seller_link: str
    qr_link: str
    status: str
    sandbox: bool
    status_nicename: str
    images: tuple[str, ...]
    tag: str | None
    payin_intents: int | None
    payin_types: tuple[str, ...]
    payin_fallback: tuple[str, ...]
    metadata: Mapping[str, Any]
    template: Mapping[str, Any]
    published_units: int
    refund: RefundOfOrder
    created_at: datetime
    published_at: datetime | None
    accepted_at: datetime | None
    shipping_at: datetime | None
    cancelled_at: datetime | None
    validated_at: datetime | None
    released_at: datetime | None
    connections: Mapping[str, str]


class Payin(Plain, frozen=True, kw_only=True):
    """What the buyer pays. merchant_id, amount, currency: only in the operator's list."""

    id: int
    self: str
    reference: str | None
    type: str
    subtype: str | None
    status: str
    provider: Mapping[str, Any]
    tag: str | None
    direct_link: str | None
    created_at: datetime
    confirmed_at: datetime | None
    denied_at: datetime | None
    connections: Mapping[str, str]
    merchant_id: str | None = None
    amount: Decimal | None = None
    currency: str | None = None


class Payout(Plain, frozen=True, kw_only=True):
    """What the seller gets. merchant_id, amount, currency, order_status: only in the operator's list."""

    id: int
    self: str
    reference: str | None
    type: str
    status: str
    provider: Mapping[str, Any]
    created_at: datetime
    confirmed_at: datetime | None
    denied_at: datetime | None
    connections: Mapping[str, str]
    merchant_id: str | None = None
    amount: Decimal | None = None
    currency: str | None = None
    order_status: str | None = None


class Refund(Plain, frozen=True, kw_only=True):
    """What the buyer was given back (E38). escrow_id: the order."""

    id: int
    self: str
    reference_id: str
    amount: str
    status: str
    payin_id: int | None
    wallet_id: int | None
    escrow_id: int
    tag: str | None
    provider: Any
    metadata: Mapping[str, Any]
    created_at: datetime
    updated_at: datetime
    denied_at: datetime | None
    connections: Mapping[str, str]


class Customer(Plain, frozen=True, kw_only=True):
    """A buyer or seller."""

    id: int
    self: str
    uuid: str
    type: str | None
    name: str | None
    first_name: str | None
    last_name: str | None
    email: str | None
    prefix: str | None
    phone: str | None
    tag: str | None
    metadata: Mapping[str, Any]
    created_at: datetime
    connections: Mapping[str, str]


class Wallet(Plain, frozen=True, kw_only=True):
    """A customer's account in a currency. balance: what is available."""

    id: int
    self: str
    uuid: str
    type: str | None
    balance: Decimal
    currency: str
    tag: str | None
    metadata: Mapping[str, Any]
    created_at: datetime
    connections: Mapping[str, str]


class WalletTransaction(Plain, frozen=True, kw_only=True):
    """What came into a wallet, or went out: then amount is negative (E39)."""

    id: str
    type: str
    amount: Decimal
    currency: str
    status: str
    reference: str | None
    created_at: datetime


class Account(Plain, frozen=True, kw_only=True):
    """The merchant of the key (E36)."""

    id: int
    self: str
    merchant_id: str
    name: str
    email: str | None
    currency: str
    allowed_gateways: tuple[str, ...]
    is_active: bool
    created_at: datetime
    country_code: str | None = None
    business_url: str | None = None
    business_phone: str | None = None
    business_description: str | None = None
    image_url: str | None = None
    public_key: str | None = None
    secret_key: str | None = None
    allow_shipping: bool = False
    value_shipping: Decimal | None = None
    psd2_enabled: bool = False
    gateways: Any = None
    default_gateway: str | None = None


class Webhook(Plain, frozen=True, kw_only=True):
    """A webhook endpoint. secret: only in the answers that make or rotate it."""

    id: str
    url: str
    types: tuple[str, ...]
    description: str
    status: str
    reason: str | None
    stopped_at: datetime | None
    cursor: str | None
    previous_secret_until: datetime | None
    created_at: datetime
    secret: str | None = None


class WebhookChange(PlainChange, frozen=True, kw_only=True):
    """Members of a webhook to change. status: pauses or resumes it."""

    url: str | UnsetType = UNSET
    types: Sequence[str] | UnsetType = UNSET
    description: str | UnsetType = UNSET
    status: Literal["ACTIVE", "PAUSED"] | UnsetType = UNSET


class Delivery(Plain, frozen=True, kw_only=True):
    """A delivery of an event to a webhook."""

    id: str
    type: str
    status: str
    attempts: int
    last_answer: str | None
    created_at: datetime
    next_attempt_at: datetime | None
    decided_at: datetime | None
