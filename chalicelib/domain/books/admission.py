"""Rules of admission: what an order must meet before its funds are checked, in the documented order."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum

from chalicelib.domain.books.config import BookConfig, SettlementMode
from chalicelib.domain.books.orders import OrderRow
from chalicelib.domain.books.vocabulary import SLICES_MAX, BookStatus, OrderType, TimeInForce
from chalicelib.domain.ledger.amounts import Side, worth

BATCH_ORDERS_MAX = 25
"""Orders of one batch (T76): with all of their rows they fit one transaction."""


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """An order as asked for, its form already checked. Price and quantity may still be 0 or off-tick.

    price: None for MARKET and CEILING orders; a TRAILING SELL may have none.
    quantity: 0 too where an order goes by ``value``, in quote base units: its quantity is worked out (R25).
    notional_min: what an order with a price must be worth at least, in quote base units, whatever the book asks; 0:
        nothing.
    external_id: the customer's own name for the order (R31).
    expires_at_ms: when a GTC order expires, ms since the epoch (R24).
    stop_price, distance, step: as in PlaceOrder; each is the mark of one type, which always has it.
    is_limit: whether its client calls it a limit order: then it has a limit, even where its type needs none (T17).
    """

    customer: str
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    price: int | None
    quantity: int
    post_only: bool = False
    value: int | None = None
    notional_min: int = 0
    external_id: str | None = None
    expires_at_ms: int | None = None
    stop_price: int | None = None
    distance: int | None = None
    step: int | None = None
    is_limit: bool = False

    @property
    def needs_price(self) -> bool:
        """Whether the order must have a limit (O3, O6)."""
        trails_freely = self.order_type is OrderType.TRAILING and self.side is Side.SELL and not self.is_limit
        return not trails_freely and self.order_type not in (OrderType.MARKET, OrderType.CEILING)


class RefusalCode(StrEnum):
    """Why an order is not admitted, or a book not made or changed; the words of the book desk's error table.

    EXTERNAL_ID_TAKEN is the trade desk's: no order of the book desk gets there.
    """

    ORDER_BOOK_NOT_FOUND = "ORDER_BOOK_NOT_FOUND"
    WRONG_SETTLEMENT_MODE = "WRONG_SETTLEMENT_MODE"
    ORDER_BOOK_INACTIVE = "ORDER_BOOK_INACTIVE"
    PRICE_REQUIRED = "PRICE_REQUIRED"
    INVALID_PRICE = "INVALID_PRICE"
    INVALID_QUANTITY = "INVALID_QUANTITY"
    ORDER_TOO_SMALL = "ORDER_TOO_SMALL"
    ORDER_TOO_LARGE = "ORDER_TOO_LARGE"
    INVALID_VALUE = "INVALID_VALUE"
    """Zero, or there is nothing to trade it against."""
    EXTERNAL_ID_TAKEN = "EXTERNAL_ID_TAKEN"
    INSUFFICIENT_BALANCE = "INSUFFICIENT_BALANCE"
    INVALID_PAIR = "INVALID_PAIR"
    TOKEN_NOT_REGISTERED = "TOKEN_NOT_REGISTERED"
    INVALID_CONFIG = "INVALID_CONFIG"
    ORDER_BOOK_EXISTS = "ORDER_BOOK_EXISTS"
    CUSTOMER_FROZEN = "CUSTOMER_FROZEN"


class Bound(Enum):
    """What an order does not keep: a bound of every order, or of its book's settings."""

    ZERO = "price, quantity and value are above 0"
    TICK = "the price is a multiple of it, quote base units"
    PRICE_MAX = "quote base units for a whole base asset"
    LOT = "the quantity is a multiple of it, base units"
    QUANTITY_MIN = "base units"
    QUANTITY_MAX = "base units, not above the maximum"
    WORTH_MIN = "quote base units"
    SLICES_MAX = "slices of an iceberg order"
    SLICE_WORTH_MIN = "quote base units that a slice is worth"
    FILLED = "the quantity is above what is filled, base units"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is refused; nothing was changed.

    bound: what the order does not keep, with its amount. order_id: of the order that has the external id.
    member: which member of ``OrderRequest`` is at fault, where the code alone does not tell.
    """

    code: RefusalCode
    message: str
    bound: tuple[Bound, int] | None = None
    order_id: str | None = None
    member: str | None = None


INACTIVE = Refusal(RefusalCode.ORDER_BOOK_INACTIVE, "Order book is paused, halted or closed")


def refusal_of(config: BookConfig | None, order: OrderRequest) -> Refusal | None:
    """Return the first fault of the order against its book, in the documented order; None when there is none.

    The balance is not checked here: that check and the hold are one atomic step (T40). The quantity of an order by
    value is not known yet: ``size_refusal_of`` has those checks.
    """
    if config is None:
        return Refusal(RefusalCode.ORDER_BOOK_NOT_FOUND, "Order book does not exist")
    if config.settlement_mode is not SettlementMode.OFF_CHAIN:
        return Refusal(RefusalCode.WRONG_SETTLEMENT_MODE, "Order book uses on-chain settlement")
    if config.shown_status is not BookStatus.ACTIVE:
        return INACTIVE
    if order.price is None and order.needs_price:
        return Refusal(RefusalCode.PRICE_REQUIRED, "Price is required for limit orders")
    for member, price in (("price", order.price), ("stop_price", order.stop_price), ("distance", order.distance)):
        refusal = None if price is None else _price_refusal(config, member, price)
        if refusal is not None:
            return refusal
    if order.value is None:
        return size_refusal_of(config, order)
    if order.value == 0:
        return _beyond(RefusalCode.INVALID_VALUE, Bound.ZERO, 0, "Value must be above {}")
    if order.value < config.min_order_value:
        return _worth_too_little(config.min_order_value)
    return None


def refusal_of_amendment(
    config: BookConfig, order: OrderRow, price: int | None, quantity: int | None, notional_min: int = 0
) -> Refusal | None:
    """Return the first fault of the terms that an open order is to get, in the order of a placement's checks (O8).

    price, quantity: as asked for; None: as it is. notional_min: as in OrderRequest.
    """
    if config.shown_status is not BookStatus.ACTIVE:
        return INACTIVE
    if price is not None and order.price is None:
        return Refusal(RefusalCode.INVALID_PRICE, "The order has no price", member="price")
    refusal = None if price is None else _price_refusal(config, "price", price)
    if refusal is not None:
        return refusal
    terms = OrderRequest(
        order.customer, order.side, order.order_type, order.time_in_force,
        order.price if price is None else price, order.quantity if quantity is None else quantity,
        notional_min=notional_min, step=order.step,
    )  # fmt: skip
    refusal = size_refusal_of(config, terms)
    if refusal is None and terms.quantity <= order.filled:
        words = "Quantity must be above the {} that is filled"
        return _beyond(RefusalCode.INVALID_QUANTITY, Bound.FILLED, order.filled, words, "quantity")
    return refusal


def _price_refusal(config: BookConfig, member: str, price: int) -> Refusal | None:
    """Return the first fault of a price, a stop price or a distance; None when there is none."""
    tick, said = config.tick_size, member.capitalize().replace("_", " ")
    if price == 0:
        return _beyond(RefusalCode.INVALID_PRICE, Bound.ZERO, 0, f"{said} must be above {{}}", member)
    if tick is not None and price % tick:
        words = f"{said} is not a multiple of the tick size {{}}"
        return _beyond(RefusalCode.INVALID_PRICE, Bound.TICK, tick, words, member)
    if price > config.price_max:
        words = f"{said} is above the maximum {{}}"
        return _beyond(RefusalCode.INVALID_PRICE, Bound.PRICE_MAX, config.price_max, words, member)
    return None


def size_refusal_of(config: BookConfig, order: OrderRequest) -> Refusal | None:
    """Return the first fault of the order's quantity against its book; None when there is none."""
    if order.quantity == 0:
        return _beyond(RefusalCode.INVALID_QUANTITY, Bound.ZERO, 0, "Quantity must be above {}")
    if order.quantity % config.lot_size:
        words = "Quantity is not a multiple of the lot size {}"
        return _beyond(RefusalCode.INVALID_QUANTITY, Bound.LOT, config.lot_size, words)
    least = config.order_size_min
    if least is not None and order.quantity < least:
        return _beyond(RefusalCode.ORDER_TOO_SMALL, Bound.QUANTITY_MIN, least, "Quantity is below the minimum {}")
    worth_min = max(config.min_order_value, order.notional_min)
    if order.price is not None and worth(order.price, order.quantity, config.base_decimals) < worth_min:
        return _worth_too_little(worth_min)
    for most in (config.order_size_max, config.quantity_max):
        if most is not None and order.quantity > most:
            return _beyond(RefusalCode.ORDER_TOO_LARGE, Bound.QUANTITY_MAX, most, "Quantity is above the maximum {}")
    return None if order.step is None else _step_refusal(config, order, order.step)


def _step_refusal(config: BookConfig, order: OrderRequest, step: int) -> Refusal | None:
    """Return the first fault of an iceberg order's step; None when there is none (O6)."""
    code = RefusalCode.INVALID_QUANTITY
    if step == 0:
        return _beyond(code, Bound.ZERO, 0, "Step must be above {}", "step")
    if step % config.lot_size:
        words = "Step is not a multiple of the lot size {}"
        return _beyond(code, Bound.LOT, config.lot_size, words, "step")
    if order.quantity > SLICES_MAX * step:
        return _beyond(code, Bound.SLICES_MAX, SLICES_MAX, "Step makes more than {} slices", "step")
    if order.price is not None and worth(order.price, step, config.base_decimals) < 1:
        words = "Step is worth less than {} base unit of the quote asset"
        return _beyond(code, Bound.SLICE_WORTH_MIN, 1, words, "step")
    return None


def _worth_too_little(worth_min: int) -> Refusal:
    return _beyond(RefusalCode.ORDER_TOO_SMALL, Bound.WORTH_MIN, worth_min, "Order is worth less than {}")


def _beyond(code: RefusalCode, bound: Bound, amount: int, words: str, member: str | None = None) -> Refusal:
    return Refusal(code, words.format(amount), (bound, amount), member=member)
