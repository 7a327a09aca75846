"""The form of requests about books: making one, changing one, looking at one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, StringConstraints

from chalicelib.apis.book.schema import (
    AMOUNT_MESSAGE,
    FROM_ONE,
    FROM_ONE_MESSAGE,
    TOKEN_ADDRESS_MESSAGE,
    Amount,
    Body,
    Parameters,
    TokenAddress,
    bounded,
)
from chalicelib.domain.books.config import (
    COLLAR_BPS_MAX,
    FEE_BPS_MAX,
    NAME_CHARACTERS_MAX,
    STOCK_TOKEN_ID_CHARACTERS_MAX,
    SYMBOL_CHARACTERS_MAX,
    BookConfig,
    TokenType,
)
from chalicelib.domain.books.vocabulary import BookStatus, SelfTradePrevention

LEVELS_DEFAULT, LEVELS_MAX = 20, 100

FeeBps = Annotated[int, Field(strict=True, ge=0, le=FEE_BPS_MAX)]
CollarBps = Annotated[int, Field(strict=True, ge=0, le=COLLAR_BPS_MAX)]
SelfTrades = Literal["NONE", "CANCEL_TAKER", "CANCEL_MAKER", "CANCEL_BOTH"]

_SETTINGS_MESSAGES = {
    "minOrderSize": AMOUNT_MESSAGE,
    "maxOrderSize": AMOUNT_MESSAGE,
    "tickSize": AMOUNT_MESSAGE,
    "lotSize": AMOUNT_MESSAGE,
    "minOrderValue": AMOUNT_MESSAGE,
    "makerFeeBps": f"must be an integer from 0 to {FEE_BPS_MAX}",
    "takerFeeBps": f"must be an integer from 0 to {FEE_BPS_MAX}",
    "selfTradePrevention": "must be one of " + ", ".join(SelfTradePrevention),
    "marketCollarBps": f"must be an integer from 0 to {COLLAR_BPS_MAX}",
}
_ON_CHAIN: dict[str, str | None] = {"custodyContract": None, "settlementMode": "OFF_CHAIN"}
"""What the vendor documents of books that settle on chain (T48)."""


def _text(characters_max: int) -> StringConstraints:
    return StringConstraints(strict=True, min_length=1, max_length=characters_max)


class CreateBookBody(Body):
    """Body of POST offchain/order-books."""

    messages: ClassVar = _SETTINGS_MESSAGES | {
        "tokenAddress": TOKEN_ADDRESS_MESSAGE,
        "quoteTokenAddress": TOKEN_ADDRESS_MESSAGE,
        "name": f"must be a string of 1 to {NAME_CHARACTERS_MAX} characters",
        "symbol": f"must be a string of 1 to {SYMBOL_CHARACTERS_MAX} characters",
        "tokenType": "must be one of " + ", ".join(TokenType),
        "stockTokenId": f"must be a string of 1 to {STOCK_TOKEN_ID_CHARACTERS_MAX} characters",
    }
    not_served: ClassVar = _ON_CHAIN | {"allowImport": None, "status": "ACTIVE"}

    tokenAddress: TokenAddress
    quoteTokenAddress: TokenAddress
    name: Annotated[str, _text(NAME_CHARACTERS_MAX)]
    symbol: Annotated[str, _text(SYMBOL_CHARACTERS_MAX)]
    minOrderSize: Amount | None = None
    maxOrderSize: Amount | None = None
    tickSize: Amount | None = None
    lotSize: Amount | None = None
    minOrderValue: Amount | None = None
    makerFeeBps: FeeBps = 0
    takerFeeBps: FeeBps = 0
    tokenType: Literal["LIGHT_TOKEN", "STOCK_TOKEN"] = "LIGHT_TOKEN"
    stockTokenId: Annotated[str, _text(STOCK_TOKEN_ID_CHARACTERS_MAX)] | None = None
    selfTradePrevention: SelfTrades = "NONE"
    marketCollarBps: CollarBps = 500

    def config(self, instance: str, book_id: str, created_at_ms: int) -> BookConfig:
        """Return the book that was asked for; its decimals, and ``worth`` by them, are looked up elsewhere."""
        return BookConfig(
            instance=instance,
            book_id=book_id,
            name=self.name,
            symbol=self.symbol,
            base_asset=self.tokenAddress,
            quote_asset=self.quoteTokenAddress,
            order_size_min=_units(self.minOrderSize),
            order_size_max=_units(self.maxOrderSize),
            tick_size=_units(self.tickSize),
            maker_fee_bps=self.makerFeeBps,
            taker_fee_bps=self.takerFeeBps,
            self_trade_prevention=SelfTradePrevention(self.selfTradePrevention),
            market_collar_bps=self.marketCollarBps,
            token_type=TokenType(self.tokenType),
            stock_token_id=self.stockTokenId,
            created_at_ms=created_at_ms,
        )

    def worth(self) -> dict[str, int | None]:
        """Return the lot size and the least worth of an order as ``Configuring.create`` takes them (T45)."""
        return {"lot_size": _units(self.lotSize), "min_order_value": _units(self.minOrderValue)}


class ChangeBookBody(Body):
    """Body of PATCH order-books/{orderBookId}: null takes a bound away, and means absent elsewhere.

    Of the lot size and the least worth of an order, null is the default (T45).
    """

    messages: ClassVar = _SETTINGS_MESSAGES | {
        "status": "must be one of " + ", ".join(BookStatus),
        "allowImport": "must be a boolean",
    }
    not_served: ClassVar = _ON_CHAIN
    null_counts: ClassVar = frozenset({"minOrderSize", "maxOrderSize", "tickSize", "lotSize", "minOrderValue"})

    status: Literal["ACTIVE", "PAUSED", "CLOSED"] | None = None
    minOrderSize: Amount | None = None
    maxOrderSize: Amount | None = None
    tickSize: Amount | None = None
    lotSize: Amount | None = None
    minOrderValue: Amount | None = None
    makerFeeBps: FeeBps | None = None
    takerFeeBps: FeeBps | None = None
    selfTradePrevention: SelfTrades | None = None
    marketCollarBps: CollarBps | None = None
    allowImport: Annotated[bool, Field(strict=True)] | None = None

    def settings(self) -> dict[str, Any]:
        """Return the settings that were named, under their names in BookConfig."""
        return {
            name: meaning(getattr(self, member))
            for member, (name, meaning) in _SETTINGS.items()
            if member in self.model_fields_set
        }


def _units(amount: str | None) -> int | None:
    return None if amount is None else int(amount)


_SETTINGS: dict[str, tuple[str, Callable[[Any], object]]] = {
    "status": ("status", BookStatus),
    "minOrderSize": ("order_size_min", _units),
    "maxOrderSize": ("order_size_max", _units),
    "tickSize": ("tick_size", _units),
    "lotSize": ("lot_size", _units),
    "minOrderValue": ("min_order_value", _units),
    "makerFeeBps": ("maker_fee_bps", int),
    "takerFeeBps": ("taker_fee_bps", int),
    "selfTradePrevention": ("self_trade_prevention", SelfTradePrevention),
    "marketCollarBps": ("market_collar_bps", int),
}
"""What each member is in BookConfig, and how its value is read."""


def book_status_query(query: Mapping[str, list[str]]) -> BookStatus | None:
    """Return the status that a list of books is limited to, None for all. Raises Fault on ``status``."""
    parameters = Parameters(query)
    status = parameters.word("status", BookStatus)
    parameters.refuse_faulty()
    return BookStatus(status) if status else None


def levels_query(query: Mapping[str, list[str]]) -> int:
    """Return how many levels of each side are wanted: 20 by default, 100 at most. Raises Fault."""
    parameters = Parameters(query)
    levels = parameters.single("levels", FROM_ONE, FROM_ONE_MESSAGE)
    parameters.refuse_faulty()
    return LEVELS_DEFAULT if levels is None else bounded(levels, LEVELS_MAX)
