"""Events of a book: what was decided, with every amount that moved.

Events alone settle money and write order rows; replaying them needs no matching rule.
"""

from __future__ import annotations

import msgspec

from chalicelib.domain.books.vocabulary import AmendRefusal, BookTerms, CloseReason, OrderStatus, PlaceOrder
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
    """The remainder of the order rests in the book, behind all orders at its price.

    shown: what of it the book shows; less than the remainder for an iceberg order (O6).
    """

    order: PlaceOrder
    remaining: int
    shown: int


class Sliced(msgspec.Struct, frozen=True, gc=False):
    """An iceberg order shows its next slice, behind all orders at its price (O6).

    shown: the slice. left: what the slice before still showed, worth less than one quote unit; it is in the new one.
    """

    order: PlaceOrder
    shown: int
    left: int


class Parked(msgspec.Struct, frozen=True, gc=False):
    """The order waits for a trade to trigger it, behind all parked orders with the same stop price (O2, O5)."""

    order: PlaceOrder


class Triggered(msgspec.Struct, frozen=True, gc=False):
    """A parked order's turn to be matched came; its matching begins (O3).

    price, maker, taker: the trade that satisfied it, with the ids of its orders.
    """

    order: PlaceOrder
    price: int
    maker: str
    taker: str


class Closed(msgspec.Struct, frozen=True, gc=False):
    """The order ended with a remainder; the rest of its hold is released.

    level: the price at which the remainder rested in the book until now; None where it did not rest.
    shown: what of the remainder the book showed there; 0 where it did not rest.
    """

    order: PlaceOrder
    status: OrderStatus
    reason: CloseReason
    remaining: int
    released: int
    level: int | None = None
    shown: int = 0


class CancelRefused(msgspec.Struct, frozen=True, gc=False):
    """A cancel came too late: its order had closed before."""

    order_id: str
    customer: str


class Amended(msgspec.Struct, frozen=True, gc=False):
    """The order has a new price or quantity from now on (O8).

    order: as it was. price: its limit; None: it has none. quantity: with what is filled. remaining: unfilled.
    extra: what was set aside for the amendment. released: what the order's hold and the extra are more than the new
    terms need.
    level, shown_before: where it rested, and what of it the book showed; None and 0 for a parked order. shown: what of
    it the book shows now. keeps_place: whether it keeps its time priority.
    """

    command_id: str
    order: PlaceOrder
    price: int | None
    quantity: int
    remaining: int
    extra: int
    released: int
    level: int | None
    shown_before: int
    shown: int
    keeps_place: bool

    @property
    def after(self) -> PlaceOrder:
        """The order as it is from now on."""
        return msgspec.structs.replace(self.order, price=self.price, quantity=self.quantity)


class AmendRefused(msgspec.Struct, frozen=True, gc=False):
    """An amendment was refused at its turn; the order stays as it is, and the extra is released (O8)."""

    command_id: str
    order_id: str
    customer: str
    side: Side
    extra: int
    reason: AmendRefusal


class Halted(msgspec.Struct, frozen=True, gc=False):
    """The book halts before a trade at this price (O12). until_ms: Unix ms."""

    until_ms: int
    price: int


class Resumed(msgspec.Struct, frozen=True, gc=False):
    """A halt ended, by time or by the operator (O12). command_id: of the operator's command; None: by time.

    reference: what the operator set as the price band's reference (O11); None: nothing.
    """

    command_id: str | None
    reference: int | None


class CancelAllBegun(msgspec.Struct, frozen=True, gc=False):
    """The turn of a cancel-all came: the customer's open orders close before anything newer is decided.

    reason: why they close (``CancelAll``).
    """

    command_id: str
    customer: str
    reason: CloseReason = CloseReason.CANCEL_ALL


class CancelAllEnded(msgspec.Struct, frozen=True, gc=False):
    """The cancel-all has closed its last order. closed: how many it closed, without those that expired meanwhile.

    Without a CancelAllBegun before it, the core could not decide the command, and nothing was closed.
    """

    command_id: str
    customer: str
    closed: int
    reason: CloseReason = CloseReason.CANCEL_ALL


class BookChanged(msgspec.Struct, frozen=True, gc=False):
    """The book has these terms from now on: the command's, unless the book is closed or has a later version (T32)."""

    command_id: str
    terms: BookTerms


Event = (
    Accepted | Traded | Rested | Sliced | Parked | Triggered | Closed | CancelRefused | Amended | AmendRefused
    | CancelAllBegun | CancelAllEnded | BookChanged | Halted | Resumed
)  # fmt: skip
