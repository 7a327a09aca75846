"""What a book decided. Events say what changed, not what was asked, and carry every amount that moved.

So money can be settled, and order rows be written, from events alone; replaying them needs no matching rule.
Named tuples, not dataclasses: they are as immutable, and a frozen dataclass of this size takes about three times as
long to build, which is most of what the matching core does.
"""

from __future__ import annotations

from typing import NamedTuple

from chalicelib.domain.books.vocabulary import BookTerms, CloseReason, OrderStatus, PlaceOrder
from chalicelib.domain.ledger.amounts import Side


class Accepted(NamedTuple):
    """The order's turn came; its facts are on record and its matching begins."""

    order: PlaceOrder


class Traded(NamedTuple):
    """One match. The price is the maker's.

    notional: quote base units the buyer pays and the seller is credited before fees (T41).
    maker_fee, taker_fee: kept from what each side receives: base units of base for the buyer, of quote for the seller.
    released: quote base units of the buyer's hold that this trade set free, beyond the payment (T42).
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


class Rested(NamedTuple):
    """What is left of the order went into the book, behind all orders at its price."""

    order: PlaceOrder
    remaining: int


class Closed(NamedTuple):
    """The order ended with something unfilled; all that was left of its hold is released."""

    order: PlaceOrder
    status: OrderStatus
    reason: CloseReason
    remaining: int
    released: int


class CancelRefused(NamedTuple):
    """A cancel found nothing to cancel: its order had closed before, by a fill or otherwise."""

    order_id: str
    customer: str


class CancelAllBegun(NamedTuple):
    """The turn of a cancel-all came: what rests of this customer is to be closed before anything newer is decided."""

    command_id: str
    customer: str


class CancelAllEnded(NamedTuple):
    """The last of those orders is closed. closed: how many the cancel-all closed; what expired meanwhile is not in it.

    Without a CancelAllBegun before it: the core could not decide the command, and nothing was closed.
    """

    command_id: str
    customer: str
    closed: int


class BookChanged(NamedTuple):
    """The book has these terms from here on: the command's, unless it came too late.

    A closed book stays as it is (T32), and so does one that a later command has changed already.
    """

    command_id: str
    terms: BookTerms


Event = Accepted | Traded | Rested | Closed | CancelRefused | CancelAllBegun | CancelAllEnded | BookChanged
