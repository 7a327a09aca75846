"""Orders and trades as JSON objects, with their members in order."""

from __future__ import annotations

from collections.abc import Iterable

from chalicelib.apis.trade.decimals import dec
from chalicelib.apis.trade.figures import STATUS_WORDS, figures_of, side_word, trade_figures_of, type_word
from chalicelib.apis.trade.ids import shown
from chalicelib.apis.trade.pairs import Market
from chalicelib.domain.books.fills import Fill
from chalicelib.domain.books.orders import OrderRow
from chalicelib.domain.books.vocabulary import TimeInForce
from chalicelib.support.canonical import Number
from chalicelib.support.clock import iso


def order_view(row: OrderRow, market: Market) -> dict[str, object]:
    """Return a row of a list of orders; external_id is left out if the order has none (R22)."""
    figures = figures_of(row, market.decimals)
    return {
        "create_date": iso(row.created_at_ms),
        "executed_amount": figures.executed_amount,
        **({} if row.external_id is None else {"external_id": row.external_id}),
        "id": shown(row.order_id),
        "pair": market.pair,
        "price": figures.price,
        "remaining_amount": figures.remaining_amount,
        "remaining_value": figures.remaining_value,
        "requested_amount": figures.requested_amount,
        "requested_value": figures.requested_value,
        "side": side_word(row.side),
        "status": STATUS_WORDS[row.status],
        "total_value": figures.total_value,
        "type": type_word(row.order_type),
        "update_date": iso(row.changed_at_ms),
        "fee": figures.fee,
        "fill_or_kill": row.time_in_force is TimeInForce.FOK,
    }


def order_detail_view(row: OrderRow, oldest_first: Iterable[Fill], market: Market) -> dict[str, object]:
    """Return an order with its trades, and its average price if it traded."""
    average = figures_of(row, market.decimals).average
    return {
        **order_view(row, market),
        **({} if average is None else {"average_execution_price": average}),
        "transactions": [_transaction_view(fill, market) for fill in oldest_first],
    }


def _transaction_view(fill: Fill, market: Market) -> dict[str, object]:
    figures = trade_figures_of(fill.price, fill.quantity, fill.notional, market.decimals)
    return {
        "amount": figures.amount,
        "create_date": iso(fill.at_ms),
        "fee": _fee(fill, market),
        "fee_currency": market.received_code(fill.side),
        "price": figures.price,
        "total_value": figures.total_value,
    }


def trade_view(fill: Fill, market: Market) -> dict[str, object]:
    """Return a customer's trade; side, type, fee and role are those of the customer's order (R32)."""
    figures = trade_figures_of(fill.price, fill.quantity, fill.notional, market.decimals)
    maker, taker = (fill.order_id, fill.other_order_id) if fill.is_maker else (fill.other_order_id, fill.order_id)
    return {
        "amount": figures.amount,
        "id": shown(fill.trade_id),
        "price": figures.price,
        "timestamp": fill.at_ms,
        "total_value": figures.total_value,
        "date": iso(fill.at_ms),
        "side": side_word(fill.side),
        "type": type_word(fill.order_type),
        "fee": _fee(fill, market),
        "fee_currency": market.received_code(fill.side),
        "pair_code": market.pair,
        "taker_or_maker": "maker" if fill.is_maker else "taker",
        "maker_order_id": shown(maker),
        "taker_order_id": shown(taker),
    }


def _fee(fill: Fill, market: Market) -> Number:
    return dec(fill.fee, market.decimals.received(fill.side))
