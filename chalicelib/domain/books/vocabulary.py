"""Types of the order book: commands, order states, close reasons, a book's rules and terms.

All amounts are integers: quantities in base units of the base asset, prices in base units of the quote asset for one
whole base asset, holds in base units of the held asset (SELL: base, BUY: quote).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import msgspec

from chalicelib.domain.ledger.amounts import Side


class OrderType(StrEnum):
    LIMIT = "LIMIT"
    MARKET = "MARKET"


class TimeInForce(StrEnum):
    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"


class OrderStatus(StrEnum):
    OPEN = "OPEN"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"

    @property
    def is_live(self) -> bool:
        """Whether an order in this status can still trade."""
        return self in (OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED)


class BookStatus(StrEnum):
    """Whether a book matches (ACTIVE), only lets orders be cancelled (PAUSED), or has ended (CLOSED) (T32)."""

    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"
    CLOSED = "CLOSED"


class CloseReason(StrEnum):
    """Why an order was closed before it was filled (T28)."""

    USER_CANCELLED = "USER_CANCELLED"
    CANCEL_ALL = "CANCEL_ALL"
    """Its customer had all of its orders cancelled at once (O9, O14)."""
    IOC_REMAINDER = "IOC_REMAINDER"
    MARKET_REMAINDER = "MARKET_REMAINDER"
    FOK_UNFILLABLE = "FOK_UNFILLABLE"
    POST_ONLY_WOULD_CROSS = "POST_ONLY_WOULD_CROSS"
    SELF_TRADE_PREVENTED = "SELF_TRADE_PREVENTED"
    BOOK_CLOSED = "BOOK_CLOSED"
    DUST = "DUST"
    """What was left of the order was worth less than one quote unit, or bought nothing (T46)."""
    BELOW_MINIMUM = "BELOW_MINIMUM"
    """A BUY that was worth less than the book's minimum at the best ask of its turn (T45)."""
    EXPIRED = "EXPIRED"
    """The order's time had come (R24); it is EXPIRED."""
    BOOK_INACTIVE = "BOOK_INACTIVE"
    """The book was not ACTIVE when the order's turn came; it is REJECTED (T23)."""
    INTERNAL_ERROR = "INTERNAL_ERROR"
    """The core could not decide the command; it is REJECTED and its hold released."""


class SelfTradePrevention(StrEnum):
    """What happens when an order would trade with another one of the same customer (T24)."""

    NONE = "NONE"
    CANCEL_TAKER = "CANCEL_TAKER"
    CANCEL_MAKER = "CANCEL_MAKER"
    CANCEL_BOTH = "CANCEL_BOTH"


LOT_SIZE_OFF, MIN_ORDER_VALUE_OFF = 1, 0
"""Lot and minimum order value of a book whose terms do not name them: every order meets these."""


@dataclass(frozen=True, slots=True)
class BookRules:
    """The settings of a book that matching reads: decimals, fees, self-trade prevention, lot, minimum order value.

    base_decimals: decimals of the base asset; one whole base asset is 10**base_decimals base units.
    maker_fee_bps, taker_fee_bps: fee in hundredths of a percent of what the resting / the incoming side receives.
    lot_size, min_order_value: as in ``BookTerms``.
    """

    base_decimals: int = 18
    maker_fee_bps: int = 0
    taker_fee_bps: int = 0
    self_trade_prevention: SelfTradePrevention = SelfTradePrevention.NONE
    lot_size: int = LOT_SIZE_OFF
    min_order_value: int = MIN_ORDER_VALUE_OFF


class PlaceOrder(msgspec.Struct, frozen=True, gc=False):
    """The command to place an order, as admitted. Immutable; an open order's current terms are in ``book.OpenOrder``.

    customer: the customerRef; with the book's instance it makes the owner.
    price: None for MARKET orders.
    hold: what admission set aside, base units of the held asset (``ledger.holds``).
    value: what a MARKET order by value is to spend or to bring in, quote base units (R25); None: it goes by quantity.
    external_id: the customer's own name for the order (R31).
    expires_at_ms: from when on a LIMIT GTC order does not trade and is EXPIRED (R24), ms since the epoch; None: never.
    """

    order_id: str
    customer: str
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    price: int | None
    quantity: int
    hold: int
    post_only: bool = False
    value: int | None = None
    external_id: str | None = None
    expires_at_ms: int | None = None

    @property
    def command_id(self) -> str:
        """The order's id: an order is placed once."""
        return self.order_id


class CancelOrder(msgspec.Struct, frozen=True, gc=False):
    """The command to cancel an order. An order gets at most one (T29)."""

    command_id: str
    order_id: str
    customer: str


class CancelAll(msgspec.Struct, frozen=True, gc=False):
    """The command to cancel all orders of a customer that were sequenced before it (O9)."""

    command_id: str
    customer: str


@dataclass(frozen=True, slots=True)
class BookTerms:
    """The settings of a book that change in sequence with its orders: status, fees, self-trades, worth (T32, T33).

    version: number of changes that led to these terms; of two changes the higher version wins, whichever arrives first.
    lot_size: base units; a MARKET BUY's budget takes whole multiples only (T45).
    min_order_value: quote base units that a BUY must be worth at the best ask of its turn (T45).
    """

    version: int
    status: BookStatus
    maker_fee_bps: int
    taker_fee_bps: int
    self_trade_prevention: SelfTradePrevention
    lot_size: int = LOT_SIZE_OFF
    min_order_value: int = MIN_ORDER_VALUE_OFF

    def rules(self, base_decimals: int) -> BookRules:
        """Return these terms as the rules of a book whose base asset has so many decimals."""
        return BookRules(
            base_decimals,
            self.maker_fee_bps,
            self.taker_fee_bps,
            self.self_trade_prevention,
            self.lot_size,
            self.min_order_value,
        )


class ChangeBook(msgspec.Struct, frozen=True, gc=False):
    """The command to replace a book's terms."""

    command_id: str
    terms: BookTerms


Command = PlaceOrder | CancelOrder | CancelAll | ChangeBook
"""Commands of a book. One inbox sequences them all, so "paused" has one exact meaning."""
