"""Signed orders, fills and a taker's orders as they are stored."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from chalicelib.domain.ledger.amounts import worth
from chalicelib.domain.signed.lifecycle import State, Status
from chalicelib.domain.signed.order import SignedOrder, customer_of, order_id_of

UNFINISHED_TAKERS_MAX = 50
"""Takers whose unfinished rows the end of an order removes: a transaction has 100 writes, a last fill 26 others."""


@dataclass(frozen=True, slots=True)
class StoredOrder:
    """A signed order as it is stored.

    stock: address of the token that (exchange, ticker) stood for when it was created; stock_decimals: that token's, by
    which all amounts of the order are computed. settles: whether it holds and moves funds (K34), from its creation on.
    written_by: unique name of the command that wrote the row last.
    unfinished_takers: addresses, in lower case, of the takers with an unfinished row, the first 50 of them; none of an
    order that has ended.
    """

    instance: str
    order_hash: str
    order: SignedOrder
    signature: str
    stock: str
    stock_decimals: int
    created_at_s: int
    state: State
    settles: bool
    written_by: str = field(default="", compare=False)
    unfinished_takers: tuple[str, ...] = ()

    @property
    def order_id(self) -> str:
        return order_id_of(self.order_hash)

    @property
    def can_be_filled(self) -> bool:
        """Whether the unfilled rest is worth a base unit of the asset; a fill worth nothing is refused (K36)."""
        left = self.order.quantity - self.state.filled
        return worth(self.order.price, left, self.stock_decimals) > 0

    def with_unfinished_taker(self, taker: str) -> StoredOrder:
        """Return the order with one more taker whose unfinished row its end removes; unchanged at the maximum."""
        takers = (*self.unfinished_takers, customer_of(taker))
        return replace(self, unfinished_takers=takers[:UNFINISHED_TAKERS_MAX])


@dataclass(frozen=True, slots=True)
class Fill:
    """A fill. Quantity in base units of the stock; amount, fee and incentive in those of the quote token.

    asked_incentive: what the taker asked for, None where it left that open. status: of the order right after it (K27).
    """

    fill_id: str
    order_id: str
    order_hash: str
    taker: str
    quantity: int
    amount: int
    fee: int
    incentive: int
    asked_incentive: int | None
    status: Status
    reference_id: str
    created_at_s: int
    tx_hash: str | None
    block_number: int | None


@dataclass(frozen=True, slots=True)
class TakenOrder:
    """An order in its taker's list: one that this taker has locked or filled, with the facts that never change.

    created_at_s: of the order. reference_id, tx_hash: the latest that this taker gave; only a filled row has them.
    lock_expires_at_s: of a row that is only locked; from then on the row counts as absent (K35). None where is_filled.
    """

    order_id: str
    order_hash: str
    created_at_s: int
    ticker: str
    exchange: int
    is_buy: bool
    price: int
    reference_id: str | None
    tx_hash: str | None
    is_filled: bool
    lock_expires_at_s: int | None


@dataclass(frozen=True, slots=True)
class Counts:
    """A taker's number of filled orders (in part or in whole), and of fills."""

    filled_orders: int
    fills: int
