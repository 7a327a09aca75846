"""Orders, payins, payouts, customers and wallets as JSON objects, always with all fields, null without a value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from chalicelib.apis.escrow.routes import PREFIX
from chalicelib.domain.escrow.money import FEE_PERCENT_DECIMALS, major_units, money_text, rounded_down
from chalicelib.domain.escrow.order import Customer, Json, Merchant, Order, Wallet
from chalicelib.domain.escrow.payments import Payin, PayinStatus, Payout, Refund
from chalicelib.domain.ledger.transactions import Transaction
from chalicelib.domain.tenancy.instances import World
from chalicelib.support.clock import iso_seconds

View = dict[str, Json]


def order_view(order: Order, public_base_url: str) -> View:
    return {
        "id": order.order_id,
        "self": _order_path(order.order_id),
        "public_id": order.public_id,
        "name": order.name,
        "description": order.description,
        "value": major_units(order.value),
        "fee_value": None if order.fee_terms.value is None else major_units(order.fee_terms.value),
        "fee_percent": None if order.fee_terms.percent is None else _percent(order.fee_terms.percent),
        "currency": order.currency.code,
        "amount": money_text(order.value, order.currency),
        "payin_amount": _money(order.payin_amount, order),
        "payout_amount": _money(order.payout_amount, order),
        "fee_amount": _money(order.fee, order),
        "shipping_amount": None,
        "buyer_link": _buyer_link(public_base_url, order.links.buyer),
        "seller_link": f"{public_base_url}/s/{order.links.seller}",
        "qr_link": f"{public_base_url}/q/{order.links.qr}",
        "status": order.status.value,
        "sandbox": order.scope.world is World.SANDBOX,
        "status_nicename": order.status.nicename,
        "images": list(order.images),
        "tag": order.tag,
        "payin_intents": order.payin_intents,
        "payin_types": list(order.payin_types),
        "payin_fallback": list(order.payin_fallback),
        "metadata": dict(order.metadata),
        "template": dict(order.template),
        "published_units": 1 if order.is_paid else 0,
        "refund": {
            "status": None if order.refund_status is None else order.refund_status.value,
            "reference_id": order.refund_reference,
        },
        "created_at": iso_seconds(order.created_at_s),
        "published_at": _time(order.published_at_s),
        "accepted_at": _time(order.accepted_at_s),
        "shipping_at": None,
        "cancelled_at": _time(order.cancelled_at_s),
        "validated_at": _time(order.validated_at_s),
        "released_at": _time(order.released_at_s),
        "connections": _connections(order),
    }


def payin_view(payin: Payin, public_base_url: str) -> View:
    is_open = payin.status is PayinStatus.CREATED
    return {
        "id": payin.payin_id,
        "self": f"{PREFIX}/payins/{payin.payin_id}",
        "reference": payin.reference,
        "type": payin.type,
        "subtype": None,
        "status": payin.status.value,
        "provider": dict(payin.provider),
        "tag": None,
        "direct_link": _buyer_link(public_base_url, payin.link) if is_open else None,
        "created_at": iso_seconds(payin.created_at_s),
        "confirmed_at": _time(payin.confirmed_at_s),
        "denied_at": _time(payin.denied_at_s),
        "connections": {"order": _order_path(payin.order_id)},
    }


def payout_view(payout: Payout) -> View:
    return {
        "id": payout.payout_id,
        "self": f"{PREFIX}/payouts/{payout.payout_id}",
        "reference": payout.reference,
        "type": payout.type.value,
        "status": payout.status.value,
        "provider": dict(payout.provider),
        "created_at": iso_seconds(payout.created_at_s),
        "confirmed_at": _time(payout.confirmed_at_s),
        "denied_at": _time(payout.denied_at_s),
        "connections": {"order": _order_path(payout.order_id)},
    }


def open_payin_view(payin: Payin, order: Order, public_base_url: str) -> View:
    """Return an open payin for the operator: with its merchant, and the amount to confirm."""
    return payin_view(payin, public_base_url) | {
        "merchant_id": payin.scope.merchant,
        "amount": major_units(payin.amount),
        "currency": order.currency.code,
    }


def open_payout_view(payout: Payout, order: Order) -> View:
    """Return an open payout for the operator: with its merchant, the amount to pay, and whether it may be paid now."""
    return payout_view(payout) | {
        "merchant_id": payout.scope.merchant,
        "amount": major_units(order.payout_amount or 0),
        "currency": order.currency.code,
        "order_status": order.status.value,
    }


def refund_view(refund: Refund) -> View:
    at = iso_seconds(refund.created_at_s)
    return {
        "id": refund.refund_id,
        "self": f"{PREFIX}/refunds/{refund.refund_id}",
        "reference_id": refund.reference,
        "amount": money_text(refund.amount, refund.currency),
        "status": refund.status.value,
        "payin_id": refund.payin_id,
        "wallet_id": refund.wallet_id,
        "escrow_id": refund.order_id,
        "tag": None,
        "provider": None,
        "metadata": {},
        "created_at": at,
        "updated_at": at,
        "denied_at": None,
        "connections": {"order": _order_path(refund.order_id), "payin": f"{PREFIX}/payins/{refund.payin_id}"},
    }


def account_view(merchant: Merchant, own_customer_id: int, payin_types: Sequence[str]) -> View:
    """Return a merchant's account with the members that the vendor publishes; no keys, no shipping (E36)."""
    return {
        "id": own_customer_id,
        "self": f"{PREFIX}/accounts/me",
        "merchant_id": merchant.merchant,
        "name": merchant.merchant,
        "email": merchant.email,
        "currency": merchant.base_currency,
        "country_code": None,
        "business_url": None,
        "business_phone": None,
        "business_description": None,
        "image_url": None,
        "public_key": None,
        "secret_key": None,
        "allow_shipping": False,
        "value_shipping": None,
        "is_active": True,
        "psd2_enabled": False,
        "allowed_gateways": list(payin_types),
        "gateways": None,
        "default_gateway": None,
        "created_at": iso_seconds(merchant.created_at_s),
    }


def customer_view(customer: Customer) -> View:
    path = _customer_path(customer.uuid)
    return {
        "id": customer.customer_id,
        "self": path,
        "uuid": customer.uuid,
        "type": None,
        "name": customer.name,
        "first_name": customer.first_name,
        "last_name": customer.last_name,
        "email": customer.email,
        "prefix": customer.prefix,
        "phone": customer.phone,
        "tag": customer.tag,
        "metadata": dict(customer.metadata),
        "created_at": iso_seconds(customer.created_at_s),
        "connections": {"wallets": f"{path}/wallets"},
    }


def wallet_view(wallet: Wallet, available: int) -> View:
    """Return a wallet. available: in base units; shown rounded down to minor units."""
    return {
        "id": wallet.wallet_id,
        "self": f"{PREFIX}/wallets/{wallet.uuid}",
        "uuid": wallet.uuid,
        "type": None,
        "balance": major_units(rounded_down(available, wallet.currency)),
        "currency": wallet.currency.code,
        "tag": None,
        "metadata": {},
        "created_at": iso_seconds(wallet.created_at_s),
        "connections": {"customer": _customer_path(wallet.customer_uuid)},
    }


def transaction_view(row: Transaction, wallet: Wallet) -> View:
    """Return a ledger row as its wallet has it: negative where the wallet gave (E39)."""
    return {
        "id": row.transaction_id,
        "type": row.kind.value.upper(),
        "amount": major_units(row.signed(str(wallet.account.customer))),
        "currency": wallet.currency.code,
        "status": "CONFIRMED",
        "reference": row.reference,
        "created_at": iso_seconds(row.at_ms // 1000),
    }


def _time(at_s: int | None) -> str | None:
    return None if at_s is None else iso_seconds(at_s)


def _money(amount: int | None, order: Order) -> str | None:
    return None if amount is None else money_text(amount, order.currency)


def _percent(units: int) -> Decimal:
    """Return units of 10^-4 percent as a number with as many decimals as needed: 2.5, 100."""
    whole, rest = divmod(units, 10**FEE_PERCENT_DECIMALS)
    return Decimal(f"{whole}.{rest:0{FEE_PERCENT_DECIMALS}d}".rstrip("0").rstrip("."))


def _connections(order: Order) -> View:
    paths: Mapping[str, str | None] = {
        "buyer": _customer_path(order.buyer.uuid) if order.buyer else None,
        "seller": _customer_path(order.seller.uuid),
        "payin": None if order.payin_id is None else f"{_order_path(order.order_id)}/payin",
        "payout": None if order.payout_id is None else f"{_order_path(order.order_id)}/payout",
    }
    return {name: path for name, path in paths.items() if path is not None}


def _order_path(order_id: int) -> str:
    return f"{PREFIX}/orders/{order_id}"


def _customer_path(uuid: str) -> str:
    return f"{PREFIX}/customers/{uuid}"


def _buyer_link(public_base_url: str, token: str) -> str:
    return f"{public_base_url}/b/{token}"
