"""A book's settings: who trades what on it, in which sizes and for which fees, and what is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from chalicelib.domain.books.vocabulary import (
    LOT_SIZE_OFF,
    MIN_ORDER_VALUE_OFF,
    BookRules,
    BookStatus,
    BookTerms,
    Protection,
    SelfTradePrevention,
)
from chalicelib.domain.ledger.amounts import AMOUNT_MAX, Side, unit

SYMBOL_CHARACTERS_MAX = 16
NAME_CHARACTERS_MAX = 64
STOCK_TOKEN_ID_CHARACTERS_MAX = 100
FEE_BPS_MAX = 1000
COLLAR_BPS_MAX = 10_000
BAND_BPS_MAX = 10_000
HALT_WINDOW_S_MAX = 3_600
HALT_S_MAX = 86_400
DECIMALS_MAX = 30
FINE_QUOTE_DECIMALS = 4
"""From so many decimals of the quote token on, what rounding takes is small against the least order; T45."""
FINE_MIN_ORDER_VALUE = 100


class SettlementMode(StrEnum):
    """Where a book's trades settle. Orders on ON_CHAIN books are refused (T1)."""

    OFF_CHAIN = "OFF_CHAIN"
    ON_CHAIN = "ON_CHAIN"


class TradingState(StrEnum):
    """What a book does with orders (O13). PAUSED also of a parked book; HALTED by its circuit breaker."""

    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"
    HALTED = "HALTED"
    CLOSED = "CLOSED"


class TokenType(StrEnum):
    """What the base asset stands for. Informative: no rule depends on it."""

    LIGHT_TOKEN = "LIGHT_TOKEN"
    STOCK_TOKEN = "STOCK_TOKEN"


@dataclass(frozen=True, slots=True)
class BookConfig:
    """One book of one instance. Sizes in base units of the base asset, the tick in quote base units, None: no bound.

    lot_size, min_order_value: as in BookTerms; LOT_SIZE_OFF and MIN_ORDER_VALUE_OFF where the book has none (T45).
    quote_decimals: by which prices and quantities are bounded (T47); 18 in rows that do not name it.
    price_band_bps, halt_bps, halt_window_s, halt_s: as in ``Protection``; 0: off.

    These are the settings as last asked for: admission uses them at once, the matcher at their turn in sequence.

    created_at_ms: when the book was made, ms since the epoch.
    version: how often it was changed. first: the terms that it was made with, None where it was never changed.
    is_parked: whether its matcher has failed so often that the book stands still until the operator releases it (T53);
        no setting: two configurations that differ in it alone are equal.
    is_halted: whether its circuit breaker has stopped it (O12), where ``services.books.halts`` has looked; no setting.
    """

    instance: str
    book_id: str
    name: str
    symbol: str
    base_asset: str
    quote_asset: str
    base_decimals: int = 18
    status: BookStatus = BookStatus.ACTIVE
    settlement_mode: SettlementMode = SettlementMode.OFF_CHAIN
    order_size_min: int | None = None
    order_size_max: int | None = None
    tick_size: int | None = None
    maker_fee_bps: int = 0
    taker_fee_bps: int = 0
    self_trade_prevention: SelfTradePrevention = SelfTradePrevention.NONE
    market_collar_bps: int = 500
    token_type: TokenType = TokenType.LIGHT_TOKEN
    stock_token_id: str | None = None
    created_at_ms: int = 0
    version: int = 0
    first: BookTerms | None = None
    lot_size: int = LOT_SIZE_OFF
    min_order_value: int = MIN_ORDER_VALUE_OFF
    quote_decimals: int = 18
    price_band_bps: int = 0
    halt_bps: int = 0
    halt_window_s: int = 0
    halt_s: int = 0
    is_parked: bool = field(default=False, compare=False)
    is_halted: bool = field(default=False, compare=False)

    @property
    def shown_status(self) -> BookStatus:
        """The status that clients see: an ACTIVE book that is parked or halted shows PAUSED (O13, T53)."""
        stands_still = self.is_parked or self.is_halted
        return BookStatus.PAUSED if stands_still and self.status is BookStatus.ACTIVE else self.status

    @property
    def trading_state(self) -> TradingState:
        """The status that clients see, with HALTED told from PAUSED (O13)."""
        is_halt = self.is_halted and not self.is_parked and self.status is BookStatus.ACTIVE
        return TradingState.HALTED if is_halt else TradingState(self.shown_status.value)

    @property
    def terms(self) -> BookTerms:
        """The settings that take effect in sequence."""
        return BookTerms(
            self.version,
            self.status,
            self.maker_fee_bps,
            self.taker_fee_bps,
            self.self_trade_prevention,
            self.lot_size,
            self.min_order_value,
            Protection(self.price_band_bps, self.halt_bps, self.halt_window_s, self.halt_s),
        )

    @property
    def first_terms(self) -> BookTerms:
        """The terms before the first entry of its journal."""
        return self.first or self.terms

    @property
    def first_rules(self) -> BookRules:
        """The rules before the first entry of its journal."""
        return self.first_terms.rules(self.base_decimals)

    @property
    def price_max(self) -> int:
        """The highest price of an order (T47). See ``quantity_max``."""
        return int(10 ** (38 - (38 - self.quote_decimals) // 2)) - 1

    @property
    def quantity_max(self) -> int:
        """The largest quantity of an order (T47).

        price_max * quantity_max is below 10**(38 + base_decimals): whatever an order trades with, at whatever prices,
        what its trades come to stays within 38 digits. In whole tokens, the two bounds are powers of ten that are
        equal or next to each other.
        """
        return min(AMOUNT_MAX, int(10 ** (self.base_decimals + (38 - self.quote_decimals) // 2)) - 1)

    def asset_held(self, side: Side) -> str:
        """The asset that an order of this side holds: base for SELL, quote for BUY."""
        return self.base_asset if side is Side.SELL else self.quote_asset


def default_lot_size(base_decimals: int, quote_decimals: int) -> int:
    """Return a new book's lot size, base units: one whole base token where the quote token has few decimals (T45)."""
    return unit(base_decimals) if quote_decimals < FINE_QUOTE_DECIMALS else LOT_SIZE_OFF


def default_min_order_value(quote_decimals: int) -> int:
    """Return what an order of a new book must be worth, quote base units: nothing where a lot does that work (T45)."""
    return MIN_ORDER_VALUE_OFF if quote_decimals < FINE_QUOTE_DECIMALS else FINE_MIN_ORDER_VALUE


def problems_of(config: BookConfig) -> list[str]:
    """Return what is wrong with a book's settings (T30, and the bounds above)."""
    found = []
    if not 1 <= len(config.name) <= NAME_CHARACTERS_MAX:
        found.append(f"name must have 1 to {NAME_CHARACTERS_MAX} characters")
    if not 1 <= len(config.symbol) <= SYMBOL_CHARACTERS_MAX:
        found.append(f"symbol must have 1 to {SYMBOL_CHARACTERS_MAX} characters")
    if config.stock_token_id is not None and not 1 <= len(config.stock_token_id) <= STOCK_TOKEN_ID_CHARACTERS_MAX:
        found.append(f"stock token id must have 1 to {STOCK_TOKEN_ID_CHARACTERS_MAX} characters")
    if not 0 <= config.base_decimals <= DECIMALS_MAX:
        found.append(f"base decimals must be 0 to {DECIMALS_MAX}")
    if 0 in (config.order_size_min, config.order_size_max, config.tick_size, config.lot_size):
        found.append("sizes, tick and lot must be above 0")
    least, most = config.order_size_min, config.order_size_max
    if least is not None and most is not None and least > most:
        found.append("minimum order size is above the maximum")
    if most is not None and config.lot_size > most:
        found.append(f"lot size {config.lot_size} is above the maximum order size")
    if not all(0 <= bps <= FEE_BPS_MAX for bps in (config.maker_fee_bps, config.taker_fee_bps)):
        found.append(f"fees must be 0 to {FEE_BPS_MAX} bps")
    if not 0 <= config.market_collar_bps <= COLLAR_BPS_MAX:
        found.append(f"market collar must be 0 to {COLLAR_BPS_MAX} bps")
    if not 0 <= config.price_band_bps <= BAND_BPS_MAX:
        found.append(f"price band must be 1 to {BAND_BPS_MAX} bps")
    return found + _halt_problems(config)


def _halt_problems(config: BookConfig) -> list[str]:
    """Return what is wrong with the settings of the circuit breaker, which is on or off as a whole (O12)."""
    bounds = {
        "halt distance must be 1 to {} bps": (config.halt_bps, BAND_BPS_MAX),
        "halt window must be 1 to {} seconds": (config.halt_window_s, HALT_WINDOW_S_MAX),
        "halt must last 1 to {} seconds": (config.halt_s, HALT_S_MAX),
    }
    set_ones = [value for value, _ in bounds.values() if value]
    if set_ones and len(set_ones) < len(bounds):
        return ["the distance, the window and the length of a halt must be set together"]
    return [words.format(most) for words, (value, most) in bounds.items() if not 0 <= value <= most]
