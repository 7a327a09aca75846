"""Requests and answers of the taker desk. Amounts are ints in base units; times in requests are Unix seconds."""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict

from tallybook_client.wire import Amount, Plain


class Terms(Plain, frozen=True, kw_only=True):
    """What a maker signs. price: base units of the asset for one whole share; quantity: base units of the stock.

    asset: the token that pays. incentive: base units of the asset for takers, in total. deadline: Unix seconds.
    """

    maker: str
    principal: str
    is_buy: bool
    ticker: str
    exchange: int
    asset: str
    price: Amount
    quantity: Amount
    incentive: Amount
    deadline: int
    nonce: int


class SignedOrder(Plain, frozen=True, kw_only=True):
    """A maker's terms and its signature of them."""

    order: Terms
    signature: str


class Fill(Plain, frozen=True, kw_only=True):
    """A fill. taker_incentive: only to the order's maker."""

    id: str
    order_id: str
    order_hash: str
    taker: str
    fill_quantity: Amount
    fill_amount: Amount
    fee_amount: Amount
    incentive_amount: Amount
    status: str
    reference_id: str
    created_at: datetime
    taker_incentive: Amount | None = None
    tx_hash: str | None = None
    block_number: int | None = None


class Order(Terms, frozen=True, kw_only=True):
    """An order. fills, fills_total: of a maker's own orders only, a page of them, and how many if they are more."""

    id: str
    signature: str
    order_hash: str
    status: str
    filled_quantity: Amount
    notes: str | None
    created_at: datetime
    updated_at: datetime
    fills: tuple[Fill, ...] = ()
    fills_total: int | None = None


class TakersOrder(Terms, frozen=True, kw_only=True):
    """A row of a taker's list: the lock, and the taker's own reference."""

    order_hash: str
    signature: str
    status: str
    created_at: datetime
    locked_by: str | None = None
    locked_at: datetime | None = None
    reference_id: str | None = None
    tx_hash: str | None = None


class Cancelled(Plain, frozen=True, kw_only=True):
    """message: ``cancelled``, or ``cancellation_requested`` of the lock's holder."""

    success: bool
    order_id: str
    message: str


class Lock(Plain, frozen=True, kw_only=True):
    success: bool
    order_hash: str
    locked_by: str
    locked_at: datetime
    expires_at: datetime


class Outcome(Plain, frozen=True, kw_only=True):
    """message: what became of the order."""

    success: bool
    order_hash: str
    message: str


class Filled(Plain, frozen=True, kw_only=True):
    """What a fill moved; its amounts are this fill's (K23)."""

    success: bool
    order_hash: str
    filled_quantity: Amount
    filled_amount: Amount
    fee_amount: Amount
    incentive_amount: Amount
    status: str
    reference_id: str
    tx_hash: str | None = None
    block_number: int | None = None


class Validation(Plain, frozen=True, kw_only=True):
    """errors: every reason against creating an order now (K19)."""

    valid: bool
    order_hash: str
    errors: tuple[str, ...]
    maker_balance: Amount
    maker_allowance: Amount
    nonce_valid: bool
    signature_valid: bool
    not_expired: bool


class Position(Plain, frozen=True, kw_only=True):
    """What a maker's wallet has of a stock (K55)."""

    ticker: str
    exchange: int
    token_address: str
    balance: Amount
    locked_balance: Amount
    available_balance: Amount
    avg_price: Amount


class Instrument(Plain, frozen=True, kw_only=True):
    """The ledger's token of a stock."""

    ticker: str
    name: str
    exchange_id: int
    token_address: str


class Charge(Plain, frozen=True, kw_only=True):
    """What the instance takes if all of an order is filled (K57)."""

    base_currency: str
    charge_base: str
    target_currency: str
    charge_target: Amount
    price_base: str
    price_target: Amount
    exchange_rate: int


class Level(Plain, frozen=True, kw_only=True):
    """Decimal texts of whole units."""

    price: str
    volume: str


class OpenBook(Plain, frozen=True, kw_only=True):
    """The public instance's open orders of a stock, by price (K58)."""

    symbol: str
    market: str
    ask: tuple[Level, ...]
    bid: tuple[Level, ...]
    time: datetime


class OrderFilter(TypedDict, total=False):
    """Filters of orders by what is signed of them."""

    ticker: str
    exchange: int
    is_buy: bool


class TakersOrderFilter(OrderFilter, total=False):
    """status: a comma list."""

    status: str
    created_after: int
    created_before: int
    sort_by: str
    sort_order: str


class FillFilter(TakersOrderFilter, total=False):
    """Filters of a taker's fills; bounds are both included."""

    order_id: str
    order_hash: str
    taker: str
    tx_hash: str
    fill_quantity_min: int
    fill_quantity_max: int
    fill_amount_min: int
    fill_amount_max: int
    fee_amount_min: int
    fee_amount_max: int
    incentive_amount_min: int
    incentive_amount_max: int
    block_number_min: int
    block_number_max: int


class MakersOrderFilter(TakersOrderFilter, total=False):
    """Filters of a maker's orders; bounds are both included. fills_page: which fills of each order are shown."""

    order_hash: str
    principal: str
    ticker_like: bool
    asset: str
    nonce: int
    price_min: int
    price_max: int
    quantity_min: int
    quantity_max: int
    incentive_min: int
    incentive_max: int
    filled_quantity_min: int
    filled_quantity_max: int
    deadline_after: int
    deadline_before: int
    fills_page: int
