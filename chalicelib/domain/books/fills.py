"""A fill: one owner's half of a trade."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.domain.books.vocabulary import OrderType
from chalicelib.domain.ledger.amounts import Side


@dataclass(frozen=True, slots=True)
class Fill:
    """One half. other_order_id, counterparty: the other half's order and customerRef.

    fee: what was kept of what this side received, in base units of that asset. at_ms: when the trade was decided.
    """

    owner: str
    trade_id: str
    order_id: str
    book_id: str
    side: Side
    is_maker: bool
    order_type: OrderType
    other_order_id: str
    counterparty: str
    price: int
    quantity: int
    notional: int
    fee: int
    sequence: int
    at_ms: int
