"""Requests and answers of the book desk. Amounts are ints in base units of their token.

A price is quote base units for one whole base token. Statuses, types and reasons are text, because new ones may come.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType, field

from tallybook_client.wire import Amount, Change, Wire


class Advanced(Wire, frozen=True, kw_only=True):
    """What an order is beside LIMIT or MARKET (O16), with the one amount that its type has.

    triggered: whether a parked order's trade has come; only in answers.
    """

    type: str
    stop_price: Amount | None = None
    distance: Amount | None = None
    step_amount: Amount | None = None
    value: Amount | None = None
    triggered: bool | None = None

    @classmethod
    def stop_limit(cls, stop_price: int) -> Advanced:
        """Wait for a trade at this price, then be a LIMIT order (O2)."""
        return cls(type="STOP_LIMIT", stop_price=stop_price)

    @classmethod
    def trailing(cls, distance: int) -> Advanced:
        """Follow the best price of trades at this distance, and be placed once it turns so far (O5)."""
        return cls(type="TRAILING", distance=distance)

    @classmethod
    def iceberg(cls, step_amount: int) -> Advanced:
        """Show one slice of this quantity at a time (O6)."""
        return cls(type="ICEBERG", step_amount=step_amount)

    @classmethod
    def ceiling(cls, value: int) -> Advanced:
        """Be a MARKET order of this much of the quote token (O7)."""
        return cls(type="CEILING", value=value)


class NewOrder(Wire, frozen=True, kw_only=True):
    """An order to place. price: of a LIMIT order. quantity: base units."""

    order_book_id: str
    customer_ref: str
    side: Literal["BUY", "SELL"]
    quantity: Amount
    order_type: Literal["LIMIT", "MARKET"] = "LIMIT"
    price: Amount | None = None
    time_in_force: Literal["GTC", "IOC", "FOK"] | None = None
    post_only: bool | None = None
    advanced: Advanced | None = None


class Order(Wire, frozen=True, kw_only=True):
    """An order of a customer. price: None of a MARKET order. time_in_force: None in lists.

    updated_at, cancel_reason (T28), advanced: of a single order only.
    """

    id: str
    order_book_id: str
    customer_ref: str
    side: str
    order_type: str
    price: Amount | None
    quantity: Amount
    filled_quantity: Amount
    status: str
    created_at: datetime
    time_in_force: str | None = None
    updated_at: datetime | None = None
    cancel_reason: str | None = None
    advanced: Advanced | None = None


class Cancelled(Wire, frozen=True, kw_only=True):
    """An order whose open rest is cancelled."""

    id: str
    status: str
    cancelled_at: datetime


class Amended(Wire, frozen=True, kw_only=True):
    """The terms of an order that was amended: AMENDED, or QUEUED where the outcome is not known yet.

    amendment_id: None: the order had these terms.
    """

    id: str
    status: str
    price: int | None
    quantity: int
    amendment_id: str | None


class CancelledAll(Wire, frozen=True, kw_only=True):
    """How many orders were closed, and the newest 1,000 of them."""

    cancelled: int
    order_ids: tuple[str, ...]


class Trade(Wire, frozen=True, kw_only=True):
    """A trade of a book; of a customer's list with its customer_ref and its own side."""

    id: str
    order_book_id: str
    price: Amount
    quantity: Amount
    timestamp: datetime
    customer_ref: str | None = None
    side: str | None = None


class NewBook(Wire, frozen=True, kw_only=True):
    """A book to make; what is None has its default (docs/book-desk.md, Books)."""

    token_address: str
    quote_token_address: str
    name: str
    symbol: str
    min_order_size: Amount | None = None
    max_order_size: Amount | None = None
    tick_size: Amount | None = None
    lot_size: Amount | None = None
    min_order_value: Amount | None = None
    maker_fee_bps: int | None = None
    taker_fee_bps: int | None = None
    token_type: str | None = None
    stock_token_id: str | None = None
    self_trade_prevention: Literal["NONE", "CANCEL_TAKER", "CANCEL_MAKER", "CANCEL_BOTH"] | None = None
    market_collar_bps: int | None = None
    price_band_bps: int | None = None
    halt_bps: int | None = None
    halt_window_seconds: int | None = None
    halt_seconds: int | None = None


class BookChange(Change, frozen=True, kw_only=True):
    """Settings of a book to change. None takes a size, the tick or a protection away, and sets lot_size and
    min_order_value to their defaults.
    """

    status: Literal["ACTIVE", "PAUSED", "CLOSED"] | UnsetType = UNSET
    min_order_size: Amount | UnsetType | None = UNSET
    max_order_size: Amount | UnsetType | None = UNSET
    tick_size: Amount | UnsetType | None = UNSET
    lot_size: Amount | UnsetType | None = UNSET
    min_order_value: Amount | UnsetType | None = UNSET
    maker_fee_bps: int | UnsetType = UNSET
    taker_fee_bps: int | UnsetType = UNSET
    self_trade_prevention: Literal["NONE", "CANCEL_TAKER", "CANCEL_MAKER", "CANCEL_BOTH"] | UnsetType = UNSET
    market_collar_bps: int | UnsetType = UNSET
    price_band_bps: int | UnsetType | None = UNSET
    halt_bps: int | UnsetType | None = UNSET
    halt_window_seconds: int | UnsetType | None = UNSET
    halt_seconds: int | UnsetType | None = UNSET


class BookRow(Wire, frozen=True, kw_only=True):
    """A book as lists show it."""

    id: str
    name: str
    symbol: str
    status: str
    settlement_mode: str


class NewBookMade(BookRow, frozen=True, kw_only=True):
    """A book as the request that made it shows it."""

    token_address: str
    quote_token_address: str
    maker_fee_bps: int
    taker_fee_bps: int


class Book(NewBookMade, frozen=True, kw_only=True):
    """A book with its whole configuration. trading_state: ACTIVE, PAUSED, HALTED or CLOSED (O13)."""

    min_order_size: Amount | None
    max_order_size: Amount | None
    tick_size: Amount | None
    lot_size: Amount
    min_order_value: Amount
    token_type: str
    stock_token_id: str | None
    self_trade_prevention: str
    market_collar_bps: int
    trading_state: str
    price_band_bps: int | None
    halt_bps: int | None
    halt_window_seconds: int | None
    halt_seconds: int | None


class Resumed(Wire, frozen=True, kw_only=True):
    """A command that ends a halt, once it has its turn (O12)."""

    id: str
    reference: Amount | None
    command_id: str


class Level(Struct, frozen=True):
    price: Amount
    quantity: Amount


class Depth(Wire, frozen=True, kw_only=True):
    """A book's open quantity by price, best first. sequence: of the journal entry as of which it is; events with a
    higher one come after it.
    """

    order_book_id: str
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    sequence: int = 0


class Token(Wire, frozen=True, kw_only=True):
    """decimals: one whole token is 10^decimals base units."""

    id: str
    instance_id: str
    token_address: str
    name: str
    symbol: str
    decimals: int
    metadata_uri: str | None = field(name="metadataURI")
    asset_type: str | None
    is_active: bool
    created_at: datetime
    updated_at: datetime


class TokenShown(Wire, frozen=True, kw_only=True):
    """A token beside an amount of it."""

    name: str
    symbol: str
    decimals: int | None = None
    metadata_uri: str | None = field(name="metadataURI", default=None)


class BalanceChange(Wire, frozen=True, kw_only=True):
    """A credit or debit that was carried out. balance: after it, held funds included."""

    customer_ref: str
    token_address: str
    balance: Amount
    transaction_id: str


class Transfer(Wire, frozen=True, kw_only=True):
    """A transfer that was carried out."""

    from_customer_ref: str
    to_customer_ref: str
    token_address: str
    amount: Amount
    transaction_id: str


class Balance(Wire, frozen=True, kw_only=True):
    """An account. balance: locked_balance, which is held for open orders, and available_balance together."""

    token_address: str
    token: TokenShown | None
    balance: Amount
    locked_balance: Amount
    available_balance: Amount
    metadata: Mapping[str, Any] | None = None
    customer_ref: str | None = None


class Transaction(Wire, frozen=True, kw_only=True):
    """A change of balances. type: credit, debit, transfer, trade or fee (T37)."""

    id: str
    type: str
    token_address: str
    token: TokenShown | None
    from_customer_ref: str | None
    to_customer_ref: str | None
    amount: Amount
    reference: str | None
    metadata: Mapping[str, Any] | None
    created_at: datetime


class Fees(Wire, frozen=True, kw_only=True):
    """What a book or a desk has earned of one token (T95)."""

    account: str
    order_book_id: str | None
    token_address: str
    token: TokenShown | None
    earned: Amount
    withdrawn: Amount
    available: Amount


class Webhook(Wire, frozen=True, kw_only=True):
    """A webhook endpoint. secret: only in the answers that make or rotate it."""

    id: str
    url: str
    types: tuple[str, ...]
    customer_refs: tuple[str, ...] | None
    description: str
    status: str
    reason: str | None
    stopped_at: datetime | None
    cursor: str | None
    previous_secret_until: datetime | None
    created_at: datetime
    secret: str | None = None


class WebhookChange(Change, frozen=True, kw_only=True):
    """Members of a webhook to change. customer_refs: None for all customers. status: pauses or resumes it."""

    url: str | UnsetType = UNSET
    types: tuple[str, ...] | UnsetType = UNSET
    customer_refs: tuple[str, ...] | UnsetType | None = UNSET
    description: str | UnsetType = UNSET
    status: Literal["ACTIVE", "PAUSED"] | UnsetType = UNSET


class Delivery(Wire, frozen=True, kw_only=True):
    """A delivery of an event to a webhook. payload: the body that is posted; only of a single delivery."""

    id: str
    type: str
    status: str
    attempts: int
    last_answer: str | None
    created_at: datetime
    next_attempt_at: datetime | None
    decided_at: datetime | None
    payload: str | None = None
