"""The form of requests about books: making one, changing one, looking at one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from chalicelib.apis.book.schema import (
    FROM_ONE,
    FROM_ONE_MESSAGE,
    Amount,
    Body,
    Parameters,
    TokenAddress,
    bounded,
    integer,
    one_of,
    text,
)
from chalicelib.apis.kit.forms import flag
from chalicelib.domain.books.config import (
    BAND_BPS_MAX,
    COLLAR_BPS_MAX,
    FEE_BPS_MAX,
    HALT_S_MAX,
    HALT_WINDOW_S_MAX,
    NAME_CHARACTERS_MAX,
    STOCK_TOKEN_ID_CHARACTERS_MAX,
    SYMBOL_CHARACTERS_MAX,
    BookConfig,
    TokenType,
)
from chalicelib.domain.books.forms import PROTECTION
from chalicelib.domain.books.vocabulary import BookStatus, SelfTradePrevention

LEVELS_DEFAULT, LEVELS_MAX = 20, 100

FeeBps = Annotated[int, integer(0, FEE_BPS_MAX)]
CollarBps = Annotated[int, integer(0, COLLAR_BPS_MAX)]
BandBps = Annotated[int, integer(1, BAND_BPS_MAX)]
HaltWindow = Annotated[int, integer(1, HALT_WINDOW_S_MAX)]
Halt = Annotated[int, integer(1, HALT_S_MAX)]
SelfTrades = Annotated[SelfTradePrevention, one_of(SelfTradePrevention)]
Kind = Annotated[TokenType, one_of(TokenType)]

_ON_CHAIN: dict[str, str | None] = {"custodyContract": None, "settlementMode": "OFF_CHAIN"}
"""What the vendor documents of books that settle on chain (T48)."""


class CreateBookBody(Body):
    """Body of POST offchain/order-books."""

    not_served: ClassVar = _ON_CHAIN | {"allowImport": None, "status": "ACTIVE"}

    tokenAddress: TokenAddress
    quoteTokenAddress: TokenAddress
    name: Annotated[str, text(1, NAME_CHARACTERS_MAX)]
    symbol: Annotated[str, text(1, SYMBOL_CHARACTERS_MAX)]
    minOrderSize: Amount | None = None
    maxOrderSize: Amount | None = None
    tickSize: Amount | None = None
    lotSize: Amount | None = None
    minOrderValue: Amount | None = None
    makerFeeBps: FeeBps = 0
    takerFeeBps: FeeBps = 0
    tokenType: Kind = TokenType.LIGHT_TOKEN
    stockTokenId: Annotated[str, text(1, STOCK_TOKEN_ID_CHARACTERS_MAX)] | None = None
    selfTradePrevention: SelfTrades = SelfTradePrevention.NONE
    marketCollarBps: CollarBps = 500
    priceBandBps: BandBps | None = None
    haltBps: BandBps | None = None
    haltWindowSeconds: HaltWindow | None = None
    haltSeconds: Halt | None = None

    def config(self, instance: str, book_id: str, created_at_ms: int) -> BookConfig:
        """Return the book that was asked for; its decimals, and ``worth`` by them, are looked up elsewhere."""
        return BookConfig(
            instance=instance,
            book_id=book_id,
            name=self.name,
            symbol=self.symbol,
            base_asset=self.tokenAddress,
            quote_asset=self.quoteTokenAddress,
            order_size_min=self.minOrderSize,
            order_size_max=self.maxOrderSize,
            tick_size=self.tickSize,
            maker_fee_bps=self.makerFeeBps,
            taker_fee_bps=self.takerFeeBps,
            self_trade_prevention=self.selfTradePrevention,
            market_collar_bps=self.marketCollarBps,
            token_type=self.tokenType,
            stock_token_id=self.stockTokenId,
            created_at_ms=created_at_ms,
            price_band_bps=self.priceBandBps or 0,
            halt_bps=self.haltBps or 0,
            halt_window_s=self.haltWindowSeconds or 0,
            halt_s=self.haltSeconds or 0,
        )

    def worth(self) -> dict[str, int | None]:
        """Return the lot size and the least worth of an order as ``Configuring.create`` takes them (T45)."""
        return {"lot_size": self.lotSize, "min_order_value": self.minOrderValue}


class ChangeBookBody(Body):
    """Body of PATCH order-books/{orderBookId}: null takes a bound or a protection away, and means absent elsewhere.

    Of the lot size and the least worth of an order, null is the default (T45).
    """

    not_served: ClassVar = _ON_CHAIN
    null_counts: ClassVar = frozenset(
        {"minOrderSize", "maxOrderSize", "tickSize", "lotSize", "minOrderValue", *PROTECTION.values()}
    )

    status: Annotated[BookStatus, one_of(BookStatus)] | None = None
    minOrderSize: Amount | None = None
    maxOrderSize: Amount | None = None
    tickSize: Amount | None = None
    lotSize: Amount | None = None
    minOrderValue: Amount | None = None
    makerFeeBps: FeeBps | None = None
    takerFeeBps: FeeBps | None = None
    selfTradePrevention: SelfTrades | None = None
    marketCollarBps: CollarBps | None = None
    priceBandBps: BandBps | None = None
    haltBps: BandBps | None = None
    haltWindowSeconds: HaltWindow | None = None
    haltSeconds: Halt | None = None
    allowImport: Annotated[bool, flag("must be a boolean")] | None = None

    def settings(self) -> dict[str, Any]:
        """Return the settings that were named, under their names in BookConfig."""
        named = self.model_fields_set
        settings = {name: getattr(self, member) for member, name in _SETTINGS.items() if member in named}
        return settings | {name: getattr(self, member) or 0 for name, member in PROTECTION.items() if member in named}


class ResumeBookBody(Body):
    """Body of POST order-books/{orderBookId}/resume: the price band's reference, quote base units; null: as it is."""

    reference: Amount | None = None


_SETTINGS = {
    "status": "status",
    "minOrderSize": "order_size_min",
    "maxOrderSize": "order_size_max",
    "tickSize": "tick_size",
    "lotSize": "lot_size",
    "minOrderValue": "min_order_value",
    "makerFeeBps": "maker_fee_bps",
    "takerFeeBps": "taker_fee_bps",
    "selfTradePrevention": "self_trade_prevention",
    "marketCollarBps": "market_collar_bps",
}
"""What each member is in BookConfig; allowImport is taken and changes nothing."""


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
