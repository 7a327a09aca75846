"""A signed order: what its maker signed, and its amounts. All divisions round down.

Amounts are integers in base units. price: quote base units for one whole share (K31). quantity: base units of the
stock; its token says how many decimals a share has. incentive: quote base units that takers get for filling all of it.
The decimals are not signed, so every function that needs them takes them.

Addresses are stored and answered as they were written; they are compared, and name customers of the ledger, in lower
case (``customer_of``).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from uuid import UUID

from chalicelib.domain.ledger.amounts import worth
from chalicelib.domain.ledger.fees import Fee

DECIMALS_MAX = 18
"""Of the stock's token, and of the quote's."""
AMOUNT_MAX = 10**27
"""Bound of price, quantity and incentive (K31)."""
VALUE_MAX = 10**36
"""Bound of value and incentive together: an account's sums of them stay within the ledger's 38 digits (K31)."""
NONCE_MAX = 2**63 - 1
EXCHANGE_MAX = 2**16 - 1
TIME_S_MAX = 253_402_300_799
"""Last second of the year 9999, in Unix time: a deadline in milliseconds is beyond it."""


@dataclass(frozen=True, slots=True)
class SignedOrder:
    """An order as its maker signed it. Immutable; the order's hash covers every field (K32).

    asset: the token that it is paid in, never the stock (K1); the stock is (exchange, ticker). deadline: Unix seconds.
    principal: who receives what the order buys.
    """

    maker: str
    principal: str
    is_buy: bool
    ticker: str
    exchange: int
    asset: str
    price: int
    quantity: int
    incentive: int
    deadline: int
    nonce: int

    def value(self, decimals: int) -> int:
        """Return what all of it costs, quote base units. decimals: of the stock, here and below."""
        return worth(self.price, self.quantity, decimals)

    def hold(self, decimals: int) -> Hold:
        """Return the maker's hold for the whole order (K33)."""
        return Hold(self.value(decimals) + self.incentive, 0) if self.is_buy else Hold(self.incentive, self.quantity)

    def taken_by(self, amounts: FillAmounts) -> Hold:
        """Return what a fill takes from the hold."""
        if self.is_buy:
            return Hold(amounts.amount + amounts.incentive, 0)
        return Hold(amounts.incentive, amounts.quantity)

    def allowance_of(self, quantity: int) -> int:
        """Return the incentive that a fill of this quantity may take."""
        return self.incentive * quantity // self.quantity


@dataclass(frozen=True, slots=True)
class Hold:
    """An order's hold on its maker's accounts, in base units of the quote token and of the stock."""

    quote: int
    stock: int

    def __sub__(self, other: Hold) -> Hold:
        return Hold(self.quote - other.quote, self.stock - other.stock)


NOTHING = Hold(0, 0)


@dataclass(frozen=True, slots=True)
class FillAmounts:
    """What a fill moves. quantity: base units of the stock. The others in quote base units: amount is paid for it,
    incentive goes to the taker on top, fee goes from the taker to the instance."""

    quantity: int
    amount: int
    incentive: int
    fee: int


def fill_amounts_of(
    order: SignedOrder, decimals: int, quantity: int, incentive: int | None, fee_bps: int
) -> FillAmounts:
    """Return what a fill moves; incentive: what the taker asks for, None for its whole allowance."""
    amount = worth(order.price, quantity, decimals)
    taken = order.allowance_of(quantity) if incentive is None else incentive
    return FillAmounts(quantity, amount, taken, Fee(fee_bps).of(amount))


def customer_of(address: str) -> str:
    """Return the customerRef under which the ledger knows an address."""
    return address.lower()


def order_id_of(order_hash: str) -> str:
    """Return the order's id: a UUID made from its hash, so that each of the two names finds the row.

    >>> order_id_of("0x5ec4bac3a43ce9e8785bac8c991bb90f1334909555ad04b4b903e140f9261c11")
    '5ec4bac3-a43c-89e8-b85b-ac8c991bb90f'
    """
    digits = bytearray.fromhex(order_hash.removeprefix("0x")[:32])
    digits[6] = digits[6] & 0x0F | 0x80  # version 8: made by a rule of one's own
    digits[8] = digits[8] & 0x3F | 0x80
    return str(UUID(bytes=bytes(digits)))


def fill_id_of(order_hash: str, reference_id: str) -> str:
    """Return the id of an order's fill under this reference: always the same, so a fill sent twice is one fill."""
    digest = hashlib.sha256(f"{order_hash}/{reference_id}".encode()).hexdigest()
    return order_id_of(digest)


def lock_id_of(order_hash: str, taker: str, locked_at_s: int, expires_at_s: int) -> str:
    """Return the id of a taker's lock of an order. A lock has no other name: nobody else can hold one meanwhile."""
    named = f"{order_hash}/{customer_of(taker)}/{locked_at_s}/{expires_at_s}"
    return order_id_of(hashlib.sha256(named.encode()).hexdigest())
