"""Row formats of the escrow desk (table ``escrows``): keys, and rows to objects and back. Pure.

Data of one merchant in one world stands under "<instance>/escrow/<world>/<merchant>"; ids have twelve digits in a key,
so a query returns them in order. Data of the whole instance stands under "<instance>/escrow". The links of an order's
pages stand by themselves, under "link/<handle>": who opens one names no instance.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from chalicelib.domain.escrow.lifecycle import Status
from chalicelib.domain.escrow.links import HANDLE_CHARACTERS
from chalicelib.domain.escrow.money import Currency, FeeTerms
from chalicelib.domain.escrow.order import (
    Callbacks,
    Customer,
    Links,
    Order,
    Party,
    RefundStatus,
    Released,
    Scope,
    Wallet,
)
from chalicelib.domain.escrow.payments import Payin, PayinStatus, Payout, PayoutStatus, PayoutType, Refund
from chalicelib.domain.tenancy.instances import World
from chalicelib.support.ascii_case import ascii_lower
from chalicelib.support.canonical import exact, exact_object
from chalicelib.tables.rows import Row, reads_row

ORDER, PAYIN, PAYOUT, REFUND, CUSTOMER, WALLET = "order", "payin", "payout", "refund", "customer", "wallet"
"""Kinds: first part of each sort key; with an s, the name of the counter."""
EMAIL_BYTES_MAX = 1000
"""Longest e-mail address in a key; DynamoDB limits a sort key to 1,024 bytes."""
RELEASE_SHARDS = 8
"""Number of partitions of the index of due releases."""

Key = dict[str, str]


def owner_of(scope: Scope) -> str:
    return f"{scope.instance}/escrow/{scope.world.value}/{scope.merchant}"


def scope_of(owner: str) -> Scope:
    """Return the scope that an owner key stands for. Raises ValueError if it is no merchant's."""
    instance, _, world, merchant = owner.split("/", 3)
    return Scope(instance, World(world), merchant)


def id_key(scope: Scope, kind: str, number: int) -> Key:
    return {"owner": owner_of(scope), "entry": f"{kind}/{number:012d}"}


def name_key(scope: Scope, kind: str, name: str) -> Key:
    """Return the key of a unique name: the row is a pointer to its owner and a lock on the name."""
    return {"owner": owner_of(scope), "entry": f"{kind}/{name}"}


def email_key(scope: Scope, email: str) -> Key:
    """Return the key of an e-mail address, A to Z folded (E32). One too long for a key is stored as SHA-256, without an
    @.
    """
    folded = ascii_lower(email).encode()
    is_long = len(folded) > EMAIL_BYTES_MAX
    return name_key(scope, "email", hashlib.sha256(folded).hexdigest() if is_long else folded.decode())


def phone_key(scope: Scope, prefix: str, phone: str) -> Key:
    return name_key(scope, "phone", f"{prefix}/{phone}")


def open_payment_key(scope: Scope, kind: str, number: int) -> Key:
    """Return the key of the row that marks a payin or payout as open: what the operator decides, of all merchants."""
    return {"owner": f"{scope.instance}/escrow", "entry": f"{open_payments(scope.world, kind)}{number:012d}"}


def open_payments(world: World, kind: str) -> str:
    """Return how the keys of a world's open payins or payouts begin."""
    return f"open/{world.value}/{kind}/"


def open_payment(scope: Scope, kind: str, number: int) -> Row:
    """Return the row that marks a payin or payout as open."""
    return open_payment_key(scope, kind, number) | {"of": number, "merchant": scope.merchant}


def counts_key(scope: Scope) -> Key:
    return {"owner": owner_of(scope), "entry": "count"}


def counter_key(instance: str, kind: str) -> Key:
    return {"owner": f"{instance}/escrow", "entry": f"counter/{kind}"}


def public_id_key(instance: str, public_id: str) -> Key:
    return {"owner": f"{instance}/escrow", "entry": f"public-id/{public_id}"}


def link_key(handle: str) -> Key:
    """Return the key of the row by which an order's links find it, in all instances."""
    return {"owner": f"link/{handle}", "entry": "link"}


def link_row(order: Order) -> Row:
    """Return the row by which an order's links find it. place: the owner of the order's row."""
    handle = order.links.buyer[:HANDLE_CHARACTERS]
    return link_key(handle) | {"of": order.order_id, "place": owner_of(order.scope)}


def release_shard(order_id: int) -> str:
    return f"release/{order_id % RELEASE_SHARDS}"


def number_in(entry: str) -> int:
    """Return the id in a sort key."""
    return int(entry.partition("/")[2])


# --- rows

_ORDER_PLAIN = (
    "public_id",
    "name",
    "value",
    "created_at_s",
    "description",
    "is_auto_settle",
    "tag",
    "payin_intents",
    "hold",
    "payins",
    "payin_id",
    "payin_amount",
    "payout_id",
    "is_paid_outside",
    "refunds",
    "published_at_s",
    "accepted_at_s",
    "cancelled_at_s",
    "validated_at_s",
    "released_at_s",
    "version",
    "command",
)
_PAYIN_PLAIN = (
    "order_id",
    "amount",
    "link",
    "created_at_s",
    "wallet_id",
    "iban",
    "beneficiary",
    "external_reference",
    "error",
    "confirmed_at_s",
    "denied_at_s",
)
_PAYOUT_PLAIN = (
    "order_id",
    "created_at_s",
    "wallet_id",
    "bankaccount_id",
    "bankwire_ref",
    "error",
    "confirmed_at_s",
    "denied_at_s",
)
_REFUND_PLAIN = ("order_id", "number", "amount", "wallet_id", "payin_id", "created_at_s")
_CUSTOMER_PLAIN = (
    "uuid",
    "created_at_s",
    "name",
    "first_name",
    "last_name",
    "email",
    "prefix",
    "phone",
    "tag",
    "is_hidden",
    "version",
    "command",
)
_WALLET_PLAIN = ("uuid", "customer_id", "customer_uuid", "created_at_s")


def _plain(thing: object, names: tuple[str, ...]) -> Row:
    return {name: getattr(thing, name) for name in names}


def _taken(row: Row, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: row[name] for name in names}


def _member(value: Any) -> dict[str, Any] | None:
    return None if value is None else asdict(value)


def row_of_order(order: Order) -> Row:
    """Return the order's row. The attributes of the release index are present only while a release is due (E22)."""
    row: Row = id_key(order.scope, ORDER, order.order_id) | _plain(order, _ORDER_PLAIN)
    row |= {
        "status": order.status.value,
        "currency": asdict(order.currency),
        "buyer": _member(order.buyer),
        "seller": asdict(order.seller),
        "links": asdict(order.links),
        "fee_terms": asdict(order.fee_terms),
        "metadata": exact(order.metadata),
        "template": exact(order.template),
        "images": list(order.images),
        "payin_types": list(order.payin_types),
        "payin_fallback": list(order.payin_fallback),
        "callbacks": asdict(order.callbacks),
        "released": _member(order.released),
        "refund_status": order.refund_status.value if order.refund_status else None,
        "blocked_from": order.blocked_from.value if order.blocked_from else None,
    }
    if order.release_at_s is not None:
        row |= {"release_shard": release_shard(order.order_id), "release_at_s": order.release_at_s}
    return row


@reads_row
def order_of(row: Row) -> Order:
    """Return the order in a row. Raises UnreadableRow."""
    return Order(
        scope=scope_of(row["owner"]),
        order_id=number_in(row["entry"]),
        status=Status(row["status"]),
        currency=Currency(**row["currency"]),
        buyer=None if row["buyer"] is None else Party(**row["buyer"]),
        seller=Party(**row["seller"]),
        links=Links(**row["links"]),
        fee_terms=FeeTerms(**row["fee_terms"]),
        metadata=exact_object(row["metadata"]),
        template=exact_object(row["template"]),
        images=tuple(row["images"]),
        payin_types=tuple(row["payin_types"]),
        payin_fallback=tuple(row["payin_fallback"]),
        callbacks=Callbacks(**row["callbacks"]),
        released=None if row["released"] is None else Released(**row["released"]),
        refund_status=None if row["refund_status"] is None else RefundStatus(row["refund_status"]),
        blocked_from=None if row["blocked_from"] is None else Status(row["blocked_from"]),
        release_at_s=row.get("release_at_s"),
        **_taken(row, _ORDER_PLAIN),
    )


def row_of_payin(payin: Payin) -> Row:
    key = id_key(payin.scope, PAYIN, payin.payin_id)
    parties = {"buyer": _member(payin.buyer), "seller": _member(payin.seller)}
    return key | _plain(payin, _PAYIN_PLAIN) | {"type": payin.type, "status": payin.status.value} | parties


@reads_row
def payin_of(row: Row) -> Payin:
    return Payin(
        scope=scope_of(row["owner"]),
        payin_id=number_in(row["entry"]),
        type=row["type"],
        status=PayinStatus(row["status"]),
        buyer=None if row["buyer"] is None else Party(**row["buyer"]),
        seller=None if row["seller"] is None else Party(**row["seller"]),
        **_taken(row, _PAYIN_PLAIN),
    )


def row_of_payout(payout: Payout) -> Row:
    key = id_key(payout.scope, PAYOUT, payout.payout_id)
    return key | _plain(payout, _PAYOUT_PLAIN) | {"type": payout.type.value, "status": payout.status.value}


@reads_row
def payout_of(row: Row) -> Payout:
    return Payout(
        scope=scope_of(row["owner"]),
        payout_id=number_in(row["entry"]),
        type=PayoutType(row["type"]),
        status=PayoutStatus(row["status"]),
        **_taken(row, _PAYOUT_PLAIN),
    )


def row_of_refund(refund: Refund) -> Row:
    key = id_key(refund.scope, REFUND, refund.refund_id)
    return key | _plain(refund, _REFUND_PLAIN) | {"status": refund.status.value, "currency": asdict(refund.currency)}


@reads_row
def refund_of(row: Row) -> Refund:
    return Refund(
        scope=scope_of(row["owner"]),
        refund_id=number_in(row["entry"]),
        status=RefundStatus(row["status"]),
        currency=Currency(**row["currency"]),
        **_taken(row, _REFUND_PLAIN),
    )


def row_of_customer(customer: Customer) -> Row:
    row = id_key(customer.scope, CUSTOMER, customer.customer_id) | _plain(customer, _CUSTOMER_PLAIN)
    return row | {"metadata": exact(customer.metadata), "wallets": dict(customer.wallets)}


@reads_row
def customer_of(row: Row) -> Customer:
    return Customer(
        scope=scope_of(row["owner"]),
        customer_id=number_in(row["entry"]),
        metadata=exact_object(row["metadata"]),
        wallets=row["wallets"],
        **_taken(row, _CUSTOMER_PLAIN),
    )


def row_of_wallet(wallet: Wallet) -> Row:
    key = id_key(wallet.scope, WALLET, wallet.wallet_id)
    return key | _plain(wallet, _WALLET_PLAIN) | {"currency": asdict(wallet.currency)}


@reads_row
def wallet_of(row: Row) -> Wallet:
    scope, currency = scope_of(row["owner"]), Currency(**row["currency"])
    return Wallet(scope=scope, wallet_id=number_in(row["entry"]), currency=currency, **_taken(row, _WALLET_PLAIN))


def pointer(key: Mapping[str, str], number: int) -> Row:
    """Return the row that maps a name to an id."""
    return {**key, "of": number}
