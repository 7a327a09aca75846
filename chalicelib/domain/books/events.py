"""Events of a book: what was decided, with every amount that moved.

Events alone settle money and write order rows; replaying them needs no matching rule.
"""

from __future__ import annotations

import msgspec

from chalicelib.domain.books.vocabulary import BookTerms, CloseReason, OrderStatus, PlaceOrder
from chalicelib.domain.ledger.amounts import Side


class Accepted(msgspec.Struct, frozen=True, gc=False):
    """The order's turn came: it is recorded, and its matching begins."""

    order: PlaceOrder


class Traded(msgspec.Struct, frozen=True, gc=False):
    """One match. The price is the maker's.

    notional: quote base units the buyer pays and the seller is credited before fees (T41).
    maker_fee, taker_fee: kept from what each side receives: base units of base for the buyer, of quote for the seller.
    released: quote base units of the buyer's hold that the trade released beyond the payment (T42).
    maker_remaining, taker_remaining: unfilled quantity after this trade.
    """

    maker: PlaceOrder
    taker: PlaceOrder
    price: int
    quantity: int
    notional: int
    maker_fee: int
    taker_fee: int
    released: int
    maker_remaining: int
    taker_remaining: int

    @property
    def buyer(self) -> PlaceOrder:
        return self.taker if self.taker.side is Side.BUY else self.maker

    @property
    def seller(self) -> PlaceOrder:
        return self.maker if self.taker.side is Side.BUY else self.taker


class Rested(msgspec.Struct, frozen=True, gc=False):
    """The remainder of the order rests in the book, behind all orders at its price."""

    order: PlaceOrder
    remaining: int


class Closed(msgspec.Struct, frozen=True, gc=False):
    """The order ended with a remainder; the rest of its hold is released.

    level: the price at which the remainder rested in the book until now; None where it never rested.
    """

    order: PlaceOrder
    status: OrderStatus
    reason: CloseReason
    remaining: int
    released: int
    level: int | None = None


class CancelRefused(msgspec.Struct, frozen=True, gc=False):
    """A cancel came too late: its order had closed before."""

    order_id: str
    customer: str


class CancelAllBegun(msgspec.Struct, frozen=True, gc=False):
    """The turn of a cancel-all came: the customer's resting orders close before anything newer is decided."""

    command_id: str
    customer: str


class CancelAllEnded(msgspec.Struct, frozen=True, gc=False):
    """The cancel-all has closed its last order. closed: how many it closed, without those that expired meanwhile.

    Without a CancelAllBegun before it, the core could not decide the command, and nothing was closed.
    """

    command_id: str
    customer: str
    closed: int


class BookChanged(msgspec.Struct, frozen=True, gc=False):
    """The book has these terms from now on: the command's, unless the book is closed or has a later version (T32)."""

    command_id: str
    terms: BookTerms


Event = Accepted | Traded | Rested | Closed | CancelRefused | CancelAllBegun | CancelAllEnded | BookChanged
