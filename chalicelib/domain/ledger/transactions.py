"""Transactions: the rows from which customers read how a balance came about (T37).

Credits, debits, transfers and withdrawals of fees are stored rows. A book's trade is not: its legs and fees are derived
from the trade. A signed order's fill has stored rows: its two legs, the incentive as a transfer, the fee. The rows of a
customer and an asset, added up (``signed``), give its balance, available and held together, exactly. Holds and releases
move nothing between customers and are no transactions.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ulid import ULID

from chalicelib.domain.ledger.amounts import Side


class TransactionType(StrEnum):
    CREDIT = "credit"
    DEBIT = "debit"
    TRANSFER = "transfer"
    TRADE = "trade"
    FEE = "fee"


MOVEMENTS = frozenset({TransactionType.CREDIT, TransactionType.DEBIT, TransactionType.TRANSFER})
"""The types that requests can make; the others follow from trades and fills."""
TRADE = "trade_"
"""How the id of a book's trade begins, which its rows refer to."""


@dataclass(frozen=True, slots=True)
class Movement:
    """A credit (source None), a debit (target None) or a transfer, as asked for. Amount in base units of the asset.

    source, target: customerRefs. reference: the caller's own name for it. metadata: a JSON object as text.
    """

    instance: str
    asset: str
    source: str | None
    target: str | None
    amount: int
    reference: str | None = None
    metadata: str | None = None

    @property
    def kind(self) -> TransactionType:
        if self.source is None:
            return TransactionType.CREDIT
        return TransactionType.DEBIT if self.target is None else TransactionType.TRANSFER

    @property
    def customers(self) -> tuple[str, ...]:
        """Return the customers involved, the giver first."""
        return tuple(customer for customer in (self.source, self.target) if customer is not None)


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """Fees that the operator takes, as asked for (T95). Amount in base units of the asset; None: all there is.

    account: the fee account's name (``owners.fees_key``). target: the customer who receives it, None: it leaves the
    ledger. reference: the operator's own name for it, taken once.
    """

    instance: str
    account: str
    asset: str
    target: str | None
    amount: int | None
    reference: str

    @property
    def kind(self) -> TransactionType:
        return TransactionType.DEBIT if self.target is None else TransactionType.TRANSFER


@dataclass(frozen=True, slots=True)
class Transaction:
    """One row: so much of an asset from a customer (None: from outside) to a customer (None: to outside, or to fees).

    at_ms: when, the time part of the id's ULID. Ids sort as transactions happened; newest first is by id, descending.
    fees: the fee account that a withdrawal takes from (T95): then source is None, and nothing comes from outside.
    """

    transaction_id: str
    kind: TransactionType
    asset: str
    source: str | None
    target: str | None
    amount: int
    reference: str | None
    metadata: str | None
    at_ms: int
    fees: str | None = None

    def signed(self, customer: str) -> int:
        """Return what the row adds to this customer's balance; 0 where it gives to itself."""
        return self.amount * ((self.target == customer) - (self.source == customer))


@dataclass(frozen=True, slots=True)
class TradeFacts:
    """A trade as its transactions need it. A fee is kept of what its side receives; 0 where it is not to be shown."""

    trade_id: str
    base_asset: str
    quote_asset: str
    buyer: str
    seller: str
    quantity: int
    notional: int
    buyer_fee: int
    seller_fee: int
    at_ms: int


def transactions_of(trade: TradeFacts) -> list[Transaction]:
    """Return the trade's rows, newest (last leg) first: its fees before its two legs. No fee, no row."""
    base, quote = trade.base_asset, trade.quote_asset
    legs: list[tuple[TransactionType, str, str, str | None, int]] = [
        (TransactionType.TRADE, base, trade.seller, trade.buyer, trade.quantity),
        (TransactionType.TRADE, quote, trade.buyer, trade.seller, trade.notional),
        (TransactionType.FEE, base, trade.buyer, None, trade.buyer_fee),
        (TransactionType.FEE, quote, trade.seller, None, trade.seller_fee),
    ]
    rows = [
        Transaction(leg_id(trade.trade_id, leg), kind, asset, source, target, amount, trade.trade_id, None, trade.at_ms)
        for leg, (kind, asset, source, target, amount) in enumerate(legs)
        if amount or kind is TransactionType.TRADE
    ]
    return rows[::-1]


def side_in_trade(transaction: Transaction, customer: str) -> Side | None:
    """Return the customer's side of the book's trade that a row is a leg of; None for any other row."""
    if transaction.kind is not TransactionType.TRADE or not (transaction.reference or "").startswith(TRADE):
        return None
    is_base = not int(ULID.from_str(transaction.transaction_id.partition("_")[2])) & 3
    return Side.BUY if is_base == (transaction.target == customer) else Side.SELL


def leg_id(trade_id: str, leg: int) -> str:
    """Return the id of a trade's leg (0 to 3): the trade's ULID with the leg's number in its last two bits.

    The same whenever it is made. A trade's id ends in a digest of its book's name, which tells apart trades of two
    books that share millisecond, entry number and event number; it still has 30 of its 32 bits to do so. Ids of one
    book's trades differ before the digest. The time in front stays, so legs sort among all other transactions.

    >>> leg_id("trade_01JHMR6K204D9DMWM0Y7FCREPF", 1)
    'txn_01JHMR6K204D9DMWM0Y7FCREPD'
    """
    trade = ULID.from_str(trade_id.partition("_")[2])
    return f"txn_{ULID.from_int((int(trade) & ~3) | leg)}"
