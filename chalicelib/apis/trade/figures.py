"""Figures of orders and trades in answers: requested, executed and remaining amounts and values, as exact decimals.

``notional`` is the sum of the prices paid in an order's trades, each rounded down; the fee is in the asset that the
order receives. Orders of the book desk count as limit orders, or as market orders by amount (R38).
"""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.apis.trade.decimals import dec
from chalicelib.domain.books.orders import OrderRow
from chalicelib.domain.books.vocabulary import OrderStatus, OrderType
from chalicelib.domain.ledger.amounts import Side, unit
from chalicelib.support.canonical import Number

STATUS_WORDS = {
    OrderStatus.OPEN: "open",
    OrderStatus.PARTIALLY_FILLED: "executed_partially",
    OrderStatus.FILLED: "executed_completely",
    OrderStatus.CANCELLED: "canceled",
    OrderStatus.EXPIRED: "canceled",
    OrderStatus.REJECTED: "canceled",
}
"""The desk's word for each status. A canceled order may have traded before."""


@dataclass(frozen=True, slots=True)
class Decimals:
    """The decimals of a book's two assets."""

    base: int
    quote: int

    def received(self, side: Side) -> int:
        """Return the decimals of the asset that this side receives; its fees are in it."""
        return self.base if side is Side.BUY else self.quote


@dataclass(frozen=True, slots=True)
class Figures:
    """An order's figures. Amounts and a buy's fee in whole base assets; price, values and a sell's fee in quote.

    total_value: the executed value. average: its price, None if nothing is executed.
    """

    requested_amount: Number
    executed_amount: Number
    remaining_amount: Number
    requested_value: Number
    remaining_value: Number
    total_value: Number
    price: Number
    average: Number | None
    fee: Number


def figures_of(row: OrderRow, decimals: Decimals) -> Figures:
    scale, remaining = unit(decimals.base), row.quantity - row.filled
    average = row.notional * scale // row.filled if row.filled else None
    if row.price is not None:
        price = row.price
        requested_value, remaining_value = price * row.quantity // scale, price * remaining // scale
    else:
        price = average or 0
        requested_value = row.notional if row.value is None else row.value
        remaining_value = requested_value - row.notional
    if row.status is OrderStatus.FILLED:
        remaining_value = 0
    return Figures(
        requested_amount=dec(row.quantity, decimals.base),
        executed_amount=dec(row.filled, decimals.base),
        remaining_amount=dec(remaining, decimals.base),
        requested_value=dec(requested_value, decimals.quote),
        remaining_value=dec(remaining_value, decimals.quote),
        total_value=dec(row.notional, decimals.quote),
        price=dec(price, decimals.quote),
        average=None if average is None else dec(average, decimals.quote),
        fee=dec(row.fee, decimals.received(row.side)),
    )


@dataclass(frozen=True, slots=True)
class TradeFigures:
    """A trade's figures: amount in whole base assets, price and total value in quote."""

    amount: Number
    price: Number
    total_value: Number


def trade_figures_of(price: int, quantity: int, notional: int, decimals: Decimals) -> TradeFigures:
    return TradeFigures(dec(quantity, decimals.base), dec(price, decimals.quote), dec(notional, decimals.quote))


def side_word(side: Side) -> str:
    return side.value.lower()


def type_word(order_type: OrderType) -> str:
    return order_type.value.lower()
