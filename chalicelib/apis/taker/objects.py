"""Orders and fills as JSON objects, with their members in order.

Amounts are decimal texts, addresses keep their case, times are whole seconds. Lapses of the orders are applied by the
caller (``lifecycle.seen_at``).
"""

from __future__ import annotations

from collections.abc import Mapping

from chalicelib.domain.signed.stored import Fill, StoredOrder, TakenOrder
from chalicelib.support.clock import iso_seconds


def listed_order(stored: StoredOrder, seen: TakenOrder) -> dict[str, object]:
    """Return a row of a taker's list; members without value are left out, never null (K10).

    The lock is shown, no matter who holds it (K11). seen: the calling taker's row, with its reference and tx_hash.
    """
    lock = stored.state.lock
    optional = {
        "locked_by": lock and lock.taker,
        "locked_at": lock and iso_seconds(lock.locked_at_s),
        "reference_id": seen.reference_id,
        "tx_hash": seen.tx_hash,
    }
    return {
        "order_hash": stored.order_hash,
        **_facts(stored),
        "signature": stored.signature,
        "status": stored.state.status.value,
        "created_at": iso_seconds(stored.created_at_s),
        **_given(optional),
    }


def single_order(stored: StoredOrder) -> dict[str, object]:
    """Return an order with all its members; only ``notes`` may be null (K10)."""
    return {
        "id": stored.order_id,
        **_facts(stored),
        "signature": stored.signature,
        "order_hash": stored.order_hash,
        "status": stored.state.status.value,
        "filled_quantity": str(stored.state.filled),
        "notes": stored.state.notes,
        "created_at": iso_seconds(stored.created_at_s),
        "updated_at": iso_seconds(stored.state.updated_at_s),
    }


def fill_object(fill: Fill) -> dict[str, object]:
    """Return a fill; its status is the order's right after it (K27). tx_hash and block_number: null if not given."""
    return {
        "id": fill.fill_id,
        "order_id": fill.order_id,
        "order_hash": fill.order_hash,
        "taker": fill.taker,
        "fill_quantity": str(fill.quantity),
        "fill_amount": str(fill.amount),
        "fee_amount": str(fill.fee),
        "incentive_amount": str(fill.incentive),
        "status": fill.status.value,
        "reference_id": fill.reference_id,
        "created_at": iso_seconds(fill.created_at_s),
        "tx_hash": fill.tx_hash,
        "block_number": fill.block_number,
    }


def makers_fill_object(fill: Fill) -> dict[str, object]:
    """Return a fill for the order's maker: always confirmed, with the taker's incentive, no member null (K28)."""
    return _given(fill_object(fill)) | {"status": "confirmed", "taker_incentive": str(fill.incentive)}


def _facts(stored: StoredOrder) -> dict[str, object]:
    """Return the members signed by the maker."""
    order = stored.order
    return {
        "maker": order.maker,
        "principal": order.principal,
        "is_buy": order.is_buy,
        "ticker": order.ticker,
        "exchange": order.exchange,
        "asset": order.asset,
        "price": str(order.price),
        "quantity": str(order.quantity),
        "incentive": str(order.incentive),
        "deadline": order.deadline,
        "nonce": order.nonce,
    }


def _given(members: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in members.items() if value is not None}
