"""Columns of the exports (T99): amounts are base units, times ISO 8601; a value that there is not is null, or empty."""

from __future__ import annotations

from collections.abc import Mapping

from chalicelib.apis.kit.tabular import Cell
from chalicelib.domain.books.orders import OrderRow
from chalicelib.domain.ledger.tokens import Token
from chalicelib.domain.ledger.transactions import Transaction
from chalicelib.services.books.exports import ExportedBalance, ExportedTrade
from chalicelib.support.clock import iso

Tokens = Mapping[str, Token]
"""The tokens of an instance, by address."""
TRANSACTIONS = (
    "id", "createdAt", "type", "tokenAddress", "symbol", "fromCustomerRef", "toCustomerRef", "amount", "change",
    "feeAccount", "reference", "metadata",
)  # fmt: skip
TRADES = (
    "id", "timestamp", "orderBookId", "price", "quantity", "notional", "buyer", "seller", "buyerFee", "sellerFee",
    "buyOrderId", "sellOrderId", "takerSide",
)  # fmt: skip
ORDERS = (
    "id", "createdAt", "updatedAt", "orderBookId", "customerRef", "side", "orderType", "timeInForce", "price",
    "quantity", "filledQuantity", "notional", "fee", "status", "reason", "externalId",
)  # fmt: skip
BALANCES = ("customerRef", "tokenAddress", "symbol", "at", "balance", "available", "held")


def transaction_row(row: Transaction, tokens: Tokens, customer: str | None) -> dict[str, Cell]:
    """Return a transaction's cells. customer: whose change is shown; None: nobody's."""
    cells = (
        row.transaction_id, iso(row.at_ms), row.kind.value, row.asset, _symbol(tokens, row.asset), row.source,
        row.target, str(row.amount), None if customer is None else str(row.signed(customer)), row.fees, row.reference,
        row.metadata,
    )  # fmt: skip
    return dict(zip(TRANSACTIONS, cells, strict=True))


def trade_row(trade: ExportedTrade) -> dict[str, Cell]:
    cells = (
        trade.trade_id, iso(trade.at_ms), trade.book_id, str(trade.price), str(trade.quantity), str(trade.notional),
        trade.buyer, trade.seller, _amount(trade.buyer_fee), _amount(trade.seller_fee), trade.buy_order_id,
        trade.sell_order_id, trade.taker_side.value,
    )  # fmt: skip
    return dict(zip(TRADES, cells, strict=True))


def order_row(order: OrderRow) -> dict[str, Cell]:
    cells = (
        order.order_id, iso(order.created_at_ms), iso(order.changed_at_ms), order.book_id, order.customer,
        order.side.value, order.plain_type.value, order.time_in_force.value, _amount(order.price), str(order.quantity),
        str(order.filled), str(order.notional), str(order.fee), order.status.value,
        None if order.reason is None else order.reason.value, order.external_id,
    )  # fmt: skip
    return dict(zip(ORDERS, cells, strict=True))


def balance_row(balance: ExportedBalance, tokens: Tokens, at_ms: int) -> dict[str, Cell]:
    """Return a balance's cells. at_ms: the moment of which it is."""
    cells = (
        balance.customer, balance.asset, _symbol(tokens, balance.asset), iso(at_ms), str(balance.total),
        _amount(balance.available), _amount(balance.held),
    )  # fmt: skip
    return dict(zip(BALANCES, cells, strict=True))


def _symbol(tokens: Tokens, asset: str) -> str | None:
    token = tokens.get(asset)
    return None if token is None else token.symbol


def _amount(amount: int | None) -> str | None:
    return None if amount is None else str(amount)
