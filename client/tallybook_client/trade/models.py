"""Requests and answers of the trade desk. Amounts and prices are exact Decimals in whole units of their asset (R37)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from tallybook_client.wire import Plain


class NewOrder(Plain, frozen=True, kw_only=True):
    """An order to place; docs/trade-desk.md says which type has which members.

    amount: of the base asset, value: of the quote asset. expiration: with a time zone. external_id: your own id of it,
    1 to 36 visible ASCII characters; without one the client makes one, so that a repeat is not placed twice.
    """

    pair: str
    side: Literal["buy", "sell"]
    type: Literal["limit", "market", "stop_limit", "trailing", "iceberg", "ceiling"] = "limit"
    amount: Decimal | int | None = None
    value: Decimal | int | None = None
    price: Decimal | int | None = None
    post_only: bool | None = None
    immediate_or_cancel: bool | None = None
    fill_or_kill: bool | None = None
    expiration: datetime | None = None
    external_id: str | None = None
    stop_price: Decimal | int | None = None
    distance: Decimal | int | None = None
    step_amount: Decimal | int | None = None


class PlacedOrder(Plain, frozen=True, kw_only=True):
    """An order as the answer to its placement shows it."""

    id: str
    create_date: datetime
    executed_amount: Decimal
    pair: str
    remaining_amount: Decimal
    remaining_value: Decimal
    requested_amount: Decimal
    requested_value: Decimal
    side: str
    status: str
    external_id: str | None = None


class CancelledOrder(PlacedOrder, frozen=True, kw_only=True):
    """An order that was cancelled."""

    update_date: datetime
    total_value: Decimal
    price: Decimal
    type: str


class Transaction(Plain, frozen=True, kw_only=True):
    """A trade of an order."""

    amount: Decimal
    create_date: datetime
    fee: Decimal
    fee_currency: str
    price: Decimal
    total_value: Decimal


class Order(CancelledOrder, frozen=True, kw_only=True):
    """An order. transactions, average_execution_price: of a single order only; its trades, oldest first."""

    fee: Decimal
    fill_or_kill: bool
    average_execution_price: Decimal | None = None
    transactions: tuple[Transaction, ...] = ()


class CancelOfAll(Plain, frozen=True, kw_only=True):
    """An order that was live when all were cancelled. success: whether it is cancelled by now (R42)."""

    pair_code: str
    order_id: str
    success: bool


class Trade(Plain, frozen=True, kw_only=True):
    """A trade of the customer; side, type, fee and taker_or_maker are those of its own order (R32)."""

    amount: Decimal
    id: str
    price: Decimal
    timestamp: int
    total_value: Decimal
    date: datetime
    side: str
    type: str
    fee: Decimal
    fee_currency: str
    pair_code: str
    taker_or_maker: str
    maker_order_id: str
    taker_order_id: str


class Balance(Plain, frozen=True, kw_only=True):
    """locked_amount: held for live orders; None of an earlier day, whose available_amount includes it (R59)."""

    currency_code: str
    available_amount: Decimal
    last_update: datetime
    locked_amount: Decimal | None = None


class StatementRow(Plain, frozen=True, kw_only=True):
    """A change of a balance. amount: signed. operation: docs/trade-desk.md, R60."""

    amount: Decimal
    after_balance: Decimal
    currency: str
    date: datetime
    operation: str


class TradingFee(Plain, frozen=True, kw_only=True):
    """Fees of a side in percent of what it receives."""

    side: str
    maker: Decimal
    taker: Decimal


class MarketTrade(Plain, frozen=True, kw_only=True):
    """A trade of a pair."""

    amount: Decimal
    date: datetime
    id: str
    maker_order_id: str
    maker_side: str
    maker_type: str
    price: Decimal
    pair: str
    taker_order_id: str
    taker_side: str
    taker_type: str
    timestamp: int
    total_value: Decimal


class Level(Plain, frozen=True, kw_only=True):
    """The open amount at a price; with ``id`` that of one order."""

    amount: Decimal
    price: Decimal
    id: str | None = None


class Depth(Plain, frozen=True, kw_only=True):
    """A pair's depth, best first. timestamp: ms. hash: of the ten best levels of each side (R33)."""

    timestamp: int
    asks: tuple[Level, ...]
    bids: tuple[Level, ...]
    hash: str


class Ticker(Plain, frozen=True, kw_only=True):
    """A pair's last 24 hours and its best prices; 0 where there is none (R34)."""

    pair: str
    base_code: str
    quote_code: str
    base_id: str
    quote_id: str
    high: Decimal
    low: Decimal
    first: Decimal
    last: Decimal
    bid: Decimal
    ask: Decimal
    volume: Decimal
    quote_volume: Decimal
    trades_quantity: int
    price_change_percent_24h: Decimal
    is_frozen: bool
    date: datetime


class Pair(Plain, frozen=True, kw_only=True):
    """A pair and its bounds (R35)."""

    symbol: str
    base: str
    base_name: str
    quote: str
    quote_name: str
    enabled: bool
    amount_tick: Decimal
    min_amount: Decimal
    price_tick: Decimal
    min_value: Decimal
    countries: tuple[str, ...]
    max_price_variation: Decimal | None = None


class Currency(Plain, frozen=True, kw_only=True):
    """A token. precision: its decimals."""

    id: str
    code: str
    name: str
    precision: int
    active: bool
    can_deposit: bool
    can_withdraw: bool
    min_withdraw_amount: Decimal
    needs_block_id_for_tx_sync: bool
    networks: tuple[Any, ...]
    logo: Mapping[str, str]
    countries: tuple[str, ...]
