"""Types of the order book: commands, order states, close reasons, a book's rules and terms.

All amounts are integers: quantities in base units of the base asset, prices in base units of the quote asset for one
whole base asset, holds in base units of the held asset (SELL: base, BUY: quote).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import msgspec

from chalicelib.domain.ledger.amounts import Side


class OrderType(StrEnum):
    LIMIT = "LIMIT"
    MARKET = "MARKET"
    CEILING = "CEILING"
    """A MARKET order by value (O7)."""
    STOP_LIMIT = "STOP_LIMIT"
    """Parked until a trade reaches its stop price; a LIMIT order from then on (O2, O3)."""
    TRAILING = "TRAILING"
    """Parked; its stop price follows the trades at a distance (O5). A SELL without a price becomes a MARKET order."""
    ICEBERG = "ICEBERG"
    """A LIMIT order that rests showing one slice at a time (O6)."""

    @property
    def is_parked(self) -> bool:
        """Whether an order of this type waits for a trade to trigger it."""
        return self in (OrderType.STOP_LIMIT, OrderType.TRAILING)


SLICES_MAX = 10
"""Slices of an iceberg order (O6)."""


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
    DEAD_MAN = "DEAD_MAN"
    """Its customer did not renew its dead man's switch, so all of its orders were cancelled (O10, O14)."""
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
    PRICE_BAND = "PRICE_BAND"
    """What was left could trade only outside the book's price band (O11)."""
    CIRCUIT_BREAKER = "CIRCUIT_BREAKER"
    """Its next trade would have moved the price too far, so the book halted (O12)."""
    EXPIRED = "EXPIRED"
    """The order's time had come (R24); it is EXPIRED."""
    BOOK_INACTIVE = "BOOK_INACTIVE"
    """The book was not ACTIVE, or was halted, when the order's turn came; it is REJECTED (T23, O12)."""
    INTERNAL_ERROR = "INTERNAL_ERROR"
    """The core could not decide the command; it is REJECTED and its hold released."""


class AmendRefusal(StrEnum):
    """Why an amendment was refused at its turn (O8)."""

    NOT_OPEN = "NOT_OPEN"
    """The order had closed before."""
    BOOK_INACTIVE = "BOOK_INACTIVE"
    QUANTITY = "QUANTITY"
    """The new quantity is not above what is filled."""
    WOULD_CROSS = "WOULD_CROSS"
    """At the new price the order would trade at once."""
    SLICES = "SLICES"
    """An iceberg order would have too many slices, or slices worth nothing (O6)."""
    INTERNAL_ERROR = "INTERNAL_ERROR"
    """The core could not decide the command."""


class SelfTradePrevention(StrEnum):
    """What happens when an order would trade with another one of the same customer (T24)."""

    NONE = "NONE"
    CANCEL_TAKER = "CANCEL_TAKER"
    CANCEL_MAKER = "CANCEL_MAKER"
    CANCEL_BOTH = "CANCEL_BOTH"


LOT_SIZE_OFF, MIN_ORDER_VALUE_OFF = 1, 0
"""Lot and minimum order value of a book whose terms do not name them: every order meets these."""


class Protection(NamedTuple):
    """How a book protects its market; 0: off.

    price_band_bps: how far from the reference price an incoming order may trade, in hundredths of a percent (O11).
    halt_bps: how far from the lowest and the highest trade price of the window a trade may lie; else the book halts
    (O12). halt_window_s: the window in seconds. halt_s: how long a halt lasts, seconds.
    """

    price_band_bps: int = 0
    halt_bps: int = 0
    halt_window_s: int = 0
    halt_s: int = 0


NO_PROTECTION = Protection()


@dataclass(frozen=True, slots=True)
class BookRules:
    """The settings of a book that matching reads: decimals, fees, self-trades, lot, minimum order value, protection.

    base_decimals: decimals of the base asset; one whole base asset is 10**base_decimals base units.
    maker_fee_bps, taker_fee_bps: fee in hundredths of a percent of what the resting / the incoming side receives.
    lot_size, min_order_value, protection: as in ``BookTerms``.
    """

    base_decimals: int = 18
    maker_fee_bps: int = 0
    taker_fee_bps: int = 0
    self_trade_prevention: SelfTradePrevention = SelfTradePrevention.NONE
    lot_size: int = LOT_SIZE_OFF
    min_order_value: int = MIN_ORDER_VALUE_OFF
    protection: Protection = NO_PROTECTION


class PlaceOrder(msgspec.Struct, frozen=True, gc=False):
    """The command to place an order, as admitted. Immutable; an open order's current terms are in ``book.OpenOrder``.

    customer: the customerRef; with the book's instance it makes the owner.
    price: None for MARKET orders.
    hold: what admission set aside, base units of the held asset (``ledger.holds``).
    value: what a MARKET order by value is to spend or to bring in, quote base units (R25); None: it goes by quantity.
    external_id: the customer's own name for the order (R31).
    expires_at_ms: from when on a GTC order with a price does not trade and is EXPIRED (R24), ms since the epoch; None:
    never.
    stop_price: of a STOP_LIMIT order, distance: of a TRAILING order, quote base units (O2, O5).
    step: what an ICEBERG order shows at a time, base units (O6).
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
    stop_price: int | None = None
    distance: int | None = None
    step: int | None = None

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
    """The command to cancel all orders of a customer that were sequenced before it (O9).

    reason: CANCEL_ALL, or DEAD_MAN where the customer's dead man's switch sent it (O10).
    """

    command_id: str
    customer: str
    reason: CloseReason = CloseReason.CANCEL_ALL


class AmendOrder(msgspec.Struct, frozen=True, gc=False):
    """The command to change an order's price, its quantity, or both (O8).

    price, quantity: the new ones, the quantity with what is filled; None: as it is.
    extra: what admission set aside beside the order's hold, base units of the held asset (``ledger.holds``).
    """

    command_id: str
    order_id: str
    customer: str
    side: Side
    price: int | None
    quantity: int | None
    extra: int


class ResumeBook(msgspec.Struct, frozen=True, gc=False):
    """The operator's command to end a halt (O12), to set the price band's reference (O11), or both.

    reference: quote base units, used until the next trade; None: as it is.
    """

    command_id: str
    reference: int | None = None


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
    protection: Protection = NO_PROTECTION

    def rules(self, base_decimals: int) -> BookRules:
        """Return these terms as the rules of a book whose base asset has so many decimals."""
        return BookRules(
            base_decimals,
            self.maker_fee_bps,
            self.taker_fee_bps,
            self.self_trade_prevention,
            self.lot_size,
            self.min_order_value,
            self.protection,
        )


class ChangeBook(msgspec.Struct, frozen=True, gc=False):
    """The command to replace a book's terms."""

    command_id: str
    terms: BookTerms


Command = PlaceOrder | CancelOrder | CancelAll | AmendOrder | ChangeBook | ResumeBook
"""Commands of a book. One inbox sequences them all, so "paused" has one exact meaning."""
